//! The command line of `cargo xtask crash-matrix`.

use crate::matrix::{Arguments, Fault, Faults, Kind, Strategy};

pub(crate) const USAGE: &str = "\
usage: cargo xtask crash-matrix [--runs N] [--seed S] [--engine E] [--strategy S] [--fault F] [--jobs J] [--markdown] [--verbose]";

/// Runs when nothing is said.
const RUNS: u64 = 1_000;
/// Runs side by side when nothing is said: they wait more than they work.
const JOBS: usize = 8;

/// Reads it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(given: &[String], seed: u64) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        runs: RUNS,
        seed,
        engines: Kind::ALL.to_vec(),
        strategies: Strategy::ALL.to_vec(),
        faults: Faults::Drawn,
        jobs: JOBS,
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
            "--engine" => parsed.engines = vec![named(value()?, &Kind::ALL, Kind::name)?],
            "--strategy" => parsed.strategies = vec![named(value()?, &Strategy::ALL, Strategy::name)?],
            "--fault" => parsed.faults = Faults::Only(named(value()?, &Fault::ALL, Fault::name)?),
            "--markdown" => parsed.markdown = true,
            "--verbose" => parsed.verbose = true,
            // Cargo's own, to every bench.
            "--bench" => {}
            other => return Err(format!("`{other}` is not known")),
        }
    }
    Ok(parsed)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn named<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    let names: Vec<&str> = all.iter().copied().map(name).collect();
    found.ok_or_else(|| format!("`{text}` is none of {}", names.join(", ")))
}
