//! What functions have written on this host lately: bounded, in memory, gone with the process. What a rotation wrote is in its
//! history as well, which every host of the store has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pawl_api::EpochSeconds;
use pawl_api::pawl::FunctionLogLine;
use pawl_core::limits;
use pawl_core::rotation::{Outcome, Step};
use pawl_core::world::Rng;
use pawl_runtime::{Severity, StepReport, Used};
use tokio::sync::watch;

use super::Resolved;
use super::concurrency::FunctionKey;
use crate::host::Host;

/// The lines that are kept of each function.
#[derive(Debug)]
pub struct FunctionLogs {
    /// Tells this process's tokens from those of another, or of an earlier one.
    boot: String,
    kept: Mutex<Kept>,
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    of: BTreeMap<FunctionKey, Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<(u64, FunctionLogLine)>,
    bytes: usize,
    /// The number of the newest line that was dropped, and of the newest that was written.
    dropped: u64,
    written: u64,
}

/// Some lines of a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// They, the oldest first.
    pub lines: Vec<FunctionLogLine>,
    /// Where to go on.
    pub after: String,
    /// Whether there were lines that are not kept any more.
    pub missed: bool,
}

impl FunctionLogs {
    /// No lines yet.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let boot = crate::world::uuid(rng).split('-').next().unwrap_or_default().to_owned();
        Self { boot, kept: Mutex::default(), last: watch::Sender::new(0) }
    }

    /// Keeps lines, and forgets old ones for them.
    pub fn write(&self, of: &FunctionKey, lines: impl IntoIterator<Item = FunctionLogLine>) {
        let mut kept = self.lock();
        let Kept { last, of: functions } = &mut *kept;
        if !functions.contains_key(of) && functions.len() >= limits::FUNCTION_LOGS_MAX {
            let quietest = functions.iter().min_by_key(|(_, ring)| ring.written).map(|(key, _)| key.clone());
            quietest.map(|key| functions.remove(&key));
        }
        // A ring begins with what may have been there before it.
        let before = *last;
        let new = || Ring { dropped: before, ..Ring::default() };
        let ring = functions.entry(of.clone()).or_insert_with(new);
        for line in lines {
            *last = last.saturating_add(1);
            ring.push(*last, line);
        }
        let last = *last;
        drop(kept);
        self.last.send_replace(last);
    }

    /// Lines of a function after a token that was given before, or from the oldest that is kept.
    #[must_use]
    pub fn read(&self, of: &FunctionKey, after: Option<&str>, most: usize) -> LogPage {
        let seen = after.and_then(|token| token.split_once('.'));
        let ours = seen.filter(|(boot, _)| *boot == self.boot);
        let from = ours.and_then(|(_, number)| number.parse().ok()).unwrap_or(0);
        let kept = self.lock();
        let ring = kept.of.get(of);
        let later = ring.into_iter().flat_map(|ring| &ring.lines).filter(|(number, _)| *number > from);
        let found: Vec<_> = later.take(most).collect();
        let reached =
            if found.len() < most { kept.last } else { found.last().map_or(from, |(number, _)| *number) };
        // Without a token nothing was promised.
        let dropped = ring.is_some_and(|ring| ring.dropped > from && ring.dropped > 0);
        let missed = after.is_some() && (ours.is_none() || dropped);
        let lines = found.into_iter().map(|(_, line)| line.clone()).collect();
        LogPage { lines, after: format!("{}.{}", self.boot, reached.max(from)), missed }
    }

    /// Hears of every line from now on.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that has run, as it is noted in the function's log and figures.
pub(crate) struct Run<'a> {
    pub(crate) function: &'a Resolved,
    pub(crate) step: Step,
    pub(crate) request_id: &'a str,
    pub(crate) took: Duration,
}

impl Run<'_> {
    /// Notes how it went.
    pub(crate) fn note(&self, host: &Host, report: &StepReport) {
        let Self { function, step, request_id, took } = *self;
        let version = function.version.to_string();
        let is_good = report.outcome == Outcome::Done;
        let used = (report.used, report.reveals);
        host.metrics.functions.ran((&function.name, &version), is_good, took, used);
        let time = EpochSeconds::from(host.app.clock().now());
        let line = |level: &str, message: String| FunctionLogLine {
            time,
            version: version.clone(),
            request_id: request_id.to_owned(),
            step: step.name().to_owned(),
            level: level.to_owned(),
            message,
        };
        let written = report.log.iter().map(|of| line(level(of.severity), of.text.clone()));
        let end = line(
            "report",
            format!("{}; {}", ending(&report.outcome), figures(took, report.used, report.reveals)),
        );
        host.app.functions().logs().write(&function.key(), written.chain([end]));
    }
}

/// How it ended, in words.
fn ending(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Transient(reason) => format!("failed, and may go well another time: {reason}"),
        Outcome::Permanent(reason) => format!("failed: {reason}"),
        Outcome::Superseded => "superseded".to_owned(),
    }
}

/// What it took.
fn figures(took: Duration, used: Used, reveals: u32) -> String {
    let (millis, memory) = (took.as_secs_f64() * 1_000.0, used.memory_bytes.div_ceil(1 << 20));
    let shown = match reveals {
        0 => String::new(),
        count => format!(", {count} sensitive values shown to the function"),
    };
    format!("{millis:.1} ms, {memory} MB of memory, {} of fuel{shown}", used.fuel)
}

/// The word for a line's weight.
pub(crate) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warn => "warn",
    }
}

impl Ring {
    fn push(&mut self, number: u64, line: FunctionLogLine) {
        self.bytes = self.bytes.saturating_add(weight(&line));
        self.lines.push_back((number, line));
        self.written = number;
        while self.bytes > limits::FUNCTION_LOG_BYTES_MAX {
            let Some((dropped, line)) = self.lines.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(weight(&line));
            self.dropped = dropped;
        }
    }
}

/// What a line takes, roughly.
fn weight(line: &FunctionLogLine) -> usize {
    std::mem::size_of::<(u64, FunctionLogLine)>()
        .saturating_add(line.message.len())
        .saturating_add(line.request_id.len())
        .saturating_add(line.version.len())
        .saturating_add(line.step.len())
        .saturating_add(line.level.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemRng;

    fn key(name: &str) -> FunctionKey {
        ("us-east-1".parse().unwrap(), name.to_owned())
    }

    fn line(message: &str) -> FunctionLogLine {
        FunctionLogLine { message: message.to_owned(), ..FunctionLogLine::default() }
    }

    fn messages(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn a_token_goes_on_where_the_last_page_ended() {
        let logs = FunctionLogs::new(&SystemRng);
        logs.write(&key("a"), [line("1"), line("2"), line("3")]);
        logs.write(&key("b"), [line("other")]);
        let first = logs.read(&key("a"), None, 2);
        assert_eq!((messages(&first), first.missed), (vec!["1", "2"], false));
        let second = logs.read(&key("a"), Some(&first.after), 2);
        assert_eq!(messages(&second), ["3"]);
        let none = logs.read(&key("a"), Some(&second.after), 2);
        assert_eq!((messages(&none), none.missed, &none.after), (vec![], false, &second.after));
        logs.write(&key("a"), [line("4")]);
        assert_eq!(messages(&logs.read(&key("a"), Some(&none.after), 2)), ["4"]);
        assert!(logs.read(&key("c"), None, 2).lines.is_empty());
    }

    #[test]
    fn what_is_dropped_is_said_to_be_missed_once() {
        let logs = FunctionLogs::new(&SystemRng);
        logs.write(&key("a"), [line("first")]);
        let first = logs.read(&key("a"), None, 10);
        let long = "x".repeat(1_000);
        logs.write(&key("a"), (0..2_000).map(|_| line(&long)));
        assert!(logs.lock().of[&key("a")].bytes <= limits::FUNCTION_LOG_BYTES_MAX);
        let rest = logs.read(&key("a"), Some(&first.after), 10);
        assert!(rest.missed && rest.lines.len() == 10);
        assert!(!logs.read(&key("a"), Some(&rest.after), 10).missed);
        assert!(!logs.read(&key("a"), None, 10).missed, "nothing was promised");
        let other = FunctionLogs::new(&SystemRng);
        assert!(other.read(&key("a"), Some(&rest.after), 10).missed, "another process's token");
    }

    #[test]
    fn the_function_that_is_silent_for_the_longest_makes_way() {
        let logs = FunctionLogs::new(&SystemRng);
        for n in 0..limits::FUNCTION_LOGS_MAX {
            logs.write(&key(&n.to_string()), [line("hello")]);
        }
        logs.write(&key("0"), [line("again")]);
        logs.write(&key("new"), [line("hello")]);
        assert_eq!(logs.lock().of.len(), limits::FUNCTION_LOGS_MAX);
        assert!(logs.read(&key("1"), None, 10).lines.is_empty());
        assert_eq!(messages(&logs.read(&key("0"), None, 10)), ["hello", "again"]);
    }
}
