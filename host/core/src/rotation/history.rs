//! What is written into a rotation's history beside what its steps come to.

use super::{LogLine, Rotation};
use crate::limits;

/// The level of a line that the host writes of itself, before what it tells of happens. Rotators cannot write such a line, and cannot push
/// one out of the history.
pub const NOTICE: &str = "notice";

impl Rotation {
    /// Writes a line of the host's own into the history, once for each step; whether it was there already.
    pub fn notice(&mut self, text: &str) -> bool {
        let Some(step) = self.status.running() else { return false };
        let line = LogLine { step, level: NOTICE.to_owned(), message: text.to_owned() };
        let was_there = self.log.contains(&line);
        if !was_there {
            self.log.push(line);
            self.trim_log();
        }
        was_there
    }

    /// Drops the oldest lines that are too many, those of rotators first.
    pub(super) fn trim_log(&mut self) {
        while self.log.len() > limits::LOG_LINES_MAX {
            let oldest = self.log.iter().position(|line| line.level != NOTICE).unwrap_or(0);
            self.log.remove(oldest);
        }
    }
}
