//! What is asked for.

use super::engine::{Kind, Strategy};
use super::fault::Fault;

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) runs: u64,
    /// The first run's; the nth has the nth number from there.
    pub(crate) seed: u64,
    pub(crate) engines: Vec<Kind>,
    pub(crate) strategies: Vec<Strategy>,
    pub(crate) faults: Faults,
    /// Runs side by side.
    pub(crate) jobs: usize,
    /// Whether the table is for docs/rotation.md.
    pub(crate) markdown: bool,
    /// Whether each run's story is told.
    pub(crate) verbose: bool,
}

/// Which faults there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// As the seeds say, each with its share.
    Drawn,
    /// One after the other, so many times in every cell, and one takeover at the end.
    InTurn(u64),
    /// This one alone.
    Only(Fault),
}
