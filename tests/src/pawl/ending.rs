//! How a server ends.

use std::time::Duration;

use super::Pawl;
use crate::process;
use crate::wait::eventually;

impl Pawl {
    /// Asks it to end, and gives its exit code.
    ///
    /// # Panics
    /// When it does not run, or does not end within 30 seconds.
    #[must_use]
    pub fn terminate(&self) -> Option<i32> {
        process::signal("TERM", &[self.process()]);
        self.ended()
    }

    /// Its exit code, when it ends by what it was told before.
    ///
    /// # Panics
    /// When it does not run, or does not end within 30 seconds.
    #[must_use]
    pub fn ended(&self) -> Option<i32> {
        let mut child = self.server.take().expect("it runs");
        let status =
            eventually("it ends when it is asked to", Duration::from_secs(30), || child.try_wait().unwrap());
        status.code()
    }
}
