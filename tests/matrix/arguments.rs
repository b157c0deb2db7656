//! What is asked for on the command line.

use super::engine::{Kind, Strategy};
use super::fault::Fault;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) runs: u64,
    /// The first run's; the nth has the nth number from there.
    pub(crate) seed: u64,
    pub(crate) engine: Option<Kind>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) fault: Option<Fault>,
    /// Runs side by side.
    pub(crate) jobs: usize,
    /// Whether the table is for docs/rotation.md.
    pub(crate) markdown: bool,
    /// Whether each run's story is told.
    pub(crate) verbose: bool,
}

pub(crate) const USAGE: &str = "\
usage: cargo xtask crash-matrix [--runs N] [--seed S] [--engine E] [--strategy S] [--fault F] [--jobs J] [--markdown] [--verbose]";

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn parse(given: &[String], seed: u64) -> Result<Self, String> {
        let mut parsed = Self {
            runs: 1000,
            seed,
            engine: None,
            strategy: None,
            fault: None,
            jobs: 8,
            markdown: false,
            verbose: false,
        };
        let mut given = given.iter();
        while let Some(flag) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--runs" => parsed.runs = number(value()?)?,
                "--seed" => parsed.seed = number(value()?)?,
                "--jobs" => parsed.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
                "--engine" => parsed.engine = Some(named(value()?, &Kind::ALL, Kind::name)?),
                "--strategy" => parsed.strategy = Some(named(value()?, &Strategy::ALL, Strategy::name)?),
                "--fault" => parsed.fault = Some(named(value()?, &Fault::ALL, Fault::name)?),
                "--markdown" => parsed.markdown = true,
                "--verbose" => parsed.verbose = true,
                // Cargo's own, to every bench.
                "--bench" => {}
                other => return Err(format!("`{other}` is not known")),
            }
        }
        Ok(parsed)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn named<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    let names: Vec<&str> = all.iter().copied().map(name).collect();
    found.ok_or_else(|| format!("`{text}` is none of {}", names.join(", ")))
}
