//! The program whose children run and compile guests: this very build of `pawl`.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::worker::confine::UNCONFINED;

/// A program, and whether its children may work on a kernel that cannot confine them.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    unconfined: bool,
}

impl Program {
    pub(crate) const fn new(path: PathBuf, unconfined: bool) -> Self {
        Self { path, unconfined }
    }

    /// A child with nothing but two pipes: no environment, `/` as its directory. Dropped, it is killed.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.path);
        command
            .arg(subcommand)
            .args(self.unconfined.then_some(UNCONFINED))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.display().fmt(f)
    }
}
