//! What came of all runs, in a table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::{Kind, Strategy};
use super::fault::Fault;
use super::judge::Violation;
use super::run::Outcome;

/// One row: an engine, a strategy, a fault.
#[derive(Clone, Debug, Default)]
struct Cell {
    runs: usize,
    struck: usize,
    lockouts: usize,
    second_passwords: usize,
    hands: usize,
    wrong: usize,
    resumed: Vec<Duration>,
}

impl Cell {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.struck += outcome.struck;
        let has = |is: fn(&Violation) -> bool| usize::from(outcome.violations.iter().any(is));
        self.lockouts += has(|violation| matches!(violation, Violation::Lockout(_)));
        self.second_passwords += has(|violation| matches!(violation, Violation::SecondPassword(_)));
        self.hands += has(|violation| matches!(violation, Violation::Hand(_)));
        self.wrong += has(|violation| matches!(violation, Violation::Other(_)));
        self.resumed.extend(outcome.resumed);
    }

    /// The time within which so many of a hundred had ended.
    fn percentile(&self, percent: usize) -> String {
        let mut sorted = self.resumed.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).map_or_else(|| "-".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
    }

    fn columns(&self) -> [String; 8] {
        [
            self.runs.to_string(),
            self.struck.to_string(),
            self.lockouts.to_string(),
            self.second_passwords.to_string(),
            self.hands.to_string(),
            self.wrong.to_string(),
            self.percentile(50),
            self.percentile(99),
        ]
    }
}

const HEAD: [&str; 11] = [
    "engine",
    "strategy",
    "fault",
    "runs",
    "faults that struck",
    "lockouts",
    "second passwords",
    "needed a hand",
    "otherwise wrong",
    "resumed after, median",
    "p99",
];

/// All runs so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    cells: BTreeMap<(Kind, Strategy, Fault), Cell>,
    total: Cell,
    /// What the engines call themselves.
    versions: BTreeMap<Kind, String>,
}

impl Table {
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let mut table = Self::default();
        for outcome in outcomes {
            let case = &outcome.case;
            table.cells.entry((case.engine, case.strategy, case.fault)).or_default().add(outcome);
            // A takeover waits for a lease to end: its time is another.
            let resumed = outcome.resumed.filter(|_| case.fault != Fault::Takeover);
            table.total.add(&Outcome { resumed, ..outcome.clone() });
            if let Some(version) = &outcome.version {
                table.versions.insert(case.engine, version.clone());
            }
        }
        table
    }

    /// The rows, the head and the total included.
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |first: [String; 3], cell: &Cell| first.into_iter().chain(cell.columns()).collect();
        let mut rows: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).to_vec()];
        for ((engine, strategy, fault), cell) in &self.cells {
            let engine = self.versions.get(engine).cloned().unwrap_or_else(|| engine.name().to_owned());
            rows.push(row([engine, strategy.name().to_owned(), fault.title().to_owned()], cell));
        }
        rows.push(row(["all".to_owned(), String::new(), String::new()], &self.total));
        rows
    }

    pub(crate) fn text(&self) -> String {
        let rows = self.rows();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (text, width))| match column {
                0..3 => format!("{text:<width$}"),
                _ => format!("{text:>width$}"),
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        rows.iter().map(line).collect()
    }

    pub(crate) fn markdown(&self) -> String {
        let mut lines: Vec<String> =
            self.rows().iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
        lines.insert(1, format!("|{}{}\n", "---|".repeat(3), "---:|".repeat(HEAD.len() - 3)));
        lines.concat()
    }
}
