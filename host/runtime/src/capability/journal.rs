//! What a guest says, cut and cleaned.

use pawl_core::limits;

use crate::wire::LogLevel;

/// How much a line matters to its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For the author of the rotator.
    Debug,
    /// What happened.
    Info,
    /// What should not have.
    Warn,
}

/// A line for a rotation's history: one line of printable text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub severity: Severity,
    /// What the guest wrote, at most `limits::LOG_LINE_BYTES_MAX` bytes.
    pub text: String,
}

/// The lines of one step.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: Vec<LogLine>,
    own: Vec<LogLine>,
    dropped: u32,
}

impl Journal {
    pub(super) fn write(&mut self, level: LogLevel, message: &str) {
        if self.lines.len() >= limits::LOG_LINES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let severity = match level {
            LogLevel::Debug => Severity::Debug,
            LogLevel::Info => Severity::Info,
            LogLevel::Warn => Severity::Warn,
        };
        self.lines.push(LogLine { severity, text: line(message) });
    }

    /// A line of the host's own. Guests cannot keep it out by writing many.
    pub(super) fn note(&mut self, text: &str) {
        self.own.push(LogLine { severity: Severity::Warn, text: line(text) });
    }

    /// The lines, and when there were too many a last one that says so.
    pub(super) fn take(&mut self) -> Vec<LogLine> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.append(&mut self.own);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let text = format!("{dropped} more lines were not kept");
            lines.push(LogLine { severity: Severity::Warn, text });
        }
        lines
    }
}

/// `text` as one line, cut: what could forge another line or reorder this one for its reader becomes a question mark.
pub(super) fn line(text: &str) -> String {
    let mut cut = String::new();
    for character in text.chars() {
        if cut.len() + character.len_utf8() > limits::LOG_LINE_BYTES_MAX {
            break;
        }
        let hidden = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        cut.push(if hidden { '?' } else { character });
    }
    cut
}
