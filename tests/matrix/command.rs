//! The command line of `cargo xtask crash-matrix`.

use super::arguments::{Arguments, Faults};
use super::engine::{Kind, Strategy};
use super::fault::Fault;

pub(crate) const USAGE: &str = "\
usage: cargo xtask crash-matrix [--runs N | --turns N] [--seed S] [--engine E]... [--strategy S] [--fault F] [--jobs J]
                                [--markdown] [--verbose]
  --turns   every fault N times in every cell, in the place of N runs with the faults that their seeds draw
  --engine  postgres, mariadb, postgres18      --strategy  single, alternating
  --fault   host, worker, database, connection, disk, clocks, takeover, two";

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
    let mut engines = Vec::new();
    let mut given = given.iter();
    while let Some(flag) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{flag} wants a value"));
        match flag.as_str() {
            "--runs" => parsed.runs = number(value()?)?,
            "--seed" => parsed.seed = number(value()?)?,
            "--jobs" => parsed.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            "--turns" => parsed.faults = Faults::InTurn(number(value()?)?),
            "--engine" => engines.push(named(value()?, &Kind::ALL, Kind::name)?),
            "--strategy" => parsed.strategies = vec![named(value()?, &Strategy::ALL, Strategy::name)?],
            "--fault" => parsed.faults = Faults::Only(named(value()?, &Fault::ALL, Fault::name)?),
            "--markdown" => parsed.markdown = true,
            "--verbose" => parsed.verbose = true,
            // Cargo's own, to every bench.
            "--bench" => {}
            other => return Err(format!("`{other}` is not known")),
        }
    }
    if !engines.is_empty() {
        parsed.engines = engines;
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
