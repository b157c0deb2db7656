//! What a test found, as a test runner says it: one line for each check.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::output::{Format, Printer, plain};
use crate::span;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Failed,
    /// It says nothing about this rotator.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    name: String,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
    /// Why it failed or was skipped, what to do, and what the rotator has written: for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Check {
    fn lines(&self) -> Vec<String> {
        let verdict = match self.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Failed => "FAILED ",
            Verdict::Skipped => "skipped",
        };
        let took = self.milliseconds.map(|ms| format!(" ({})", span::show(Duration::from_millis(ms))));
        let mut lines = vec![format!("{verdict}  {}{}", self.name, took.unwrap_or_default())];
        lines.extend(self.notes.iter().map(|note| format!("         {note}")));
        lines
    }
}

/// All checks so far.
pub(super) struct Report<'a> {
    printer: &'a mut Printer,
    checks: Vec<Check>,
}

/// What a machine reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    checks: &'a [Check],
    failed: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(printer: &'a mut Printer) -> Self {
        Self { printer, checks: Vec::new() }
    }

    /// A line that is no check.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        match self.printer.format {
            Format::Text => self.printer.line(&plain(text)),
            Format::Json => Ok(()),
        }
    }

    pub(super) fn ok(&mut self, name: impl Into<String>) -> io::Result<()> {
        self.add(Check { name: name.into(), verdict: Verdict::Ok, milliseconds: None, notes: Vec::new() })
    }

    pub(super) fn ok_in(&mut self, name: impl Into<String>, took: Duration) -> io::Result<()> {
        let milliseconds = Some(u64::try_from(took.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX));
        self.add(Check { name: name.into(), verdict: Verdict::Ok, milliseconds, notes: Vec::new() })
    }

    pub(super) fn failed(&mut self, name: impl Into<String>, notes: Vec<String>) -> io::Result<()> {
        self.add(Check { name: name.into(), verdict: Verdict::Failed, milliseconds: None, notes })
    }

    pub(super) fn skipped(&mut self, name: impl Into<String>, why: impl Into<String>) -> io::Result<()> {
        let notes = vec![why.into()];
        self.add(Check { name: name.into(), verdict: Verdict::Skipped, milliseconds: None, notes })
    }

    fn add(&mut self, check: Check) -> io::Result<()> {
        if self.printer.format == Format::Text {
            for line in check.lines() {
                self.printer.line(&plain(&line))?;
            }
        }
        self.checks.push(check);
        Ok(())
    }

    /// Ends the report; whether all is well.
    pub(super) fn end(self) -> io::Result<bool> {
        let of = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let (ok, failed, skipped) = (of(Verdict::Ok), of(Verdict::Failed), of(Verdict::Skipped));
        match self.printer.format {
            Format::Json => self.printer.json(&Whole { checks: &self.checks, failed })?,
            Format::Text => {
                let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
                self.printer.line(&format!("\n{ok} ok, {failed} failed{skipped}"))?;
            }
        }
        Ok(failed == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::recorder;

    #[test]
    fn a_report_has_a_line_for_each_check_and_fails_with_one() {
        let (mut printer, written) = recorder(Format::Text, false);
        let mut report = Report::new(&mut printer);
        report.ok_in("createSecret", Duration::from_micros(11_200)).unwrap();
        report.skipped("the old password works", "it is no login").unwrap();
        report
            .failed("testSecret", vec!["it said\x1b[2J yes".to_owned(), "use pending()".to_owned()])
            .unwrap();
        assert!(!report.end().unwrap());
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "ok       createSecret (12 ms)\nskipped  the old password works\n         it is no login\n\
             FAILED   testSecret\n         it said\u{fffd}[2J yes\n         use pending()\n\n\
             1 ok, 1 failed, 1 skipped\n"
        );
        let (mut printer, written) = recorder(Format::Json, false);
        let mut report = Report::new(&mut printer);
        report.say("not for machines").unwrap();
        report.ok("a").unwrap();
        assert!(report.end().unwrap());
        let json: serde_json::Value = serde_json::from_slice(&written.lock().unwrap()).unwrap();
        assert_eq!(json["checks"][0]["verdict"], "ok");
        assert_eq!(json["failed"], 0);
    }
}
