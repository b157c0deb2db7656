//! What a worker and a compiler give up before they look at anything foreign.
//!
//! In this order: every descriptor but the pipe, new privileges, core files and tracers, what [`rlimits`](rights) can limit, the
//! file system and TCP (Landlock, as far as this kernel has it), and, once all threads exist, every system call that is not
//! on a short list (seccomp, [`calls`]). The parent adds an empty environment and `/` as directory. Whoever escapes from a
//! guest has the pipe, whose other end trusts nothing, and memory.
//!
//! Without seccomp no guest runs, unless the operator says [`UNCONFINED`].
//!
//! No `PR_SET_PDEATHSIG`: it fires when the *thread* that started the child ends, and the parent's threads come and go. A
//! worker sees the parent's end at its pipe, and [`Orphan`] is for a guest that does not look there.

#[path = "confine/calls.rs"]
mod calls;
#[path = "confine/rights.rs"]
mod rights;

use rustix::process::{Pid, getppid};
use rustix::time::{ClockId, clock_gettime};

/// The argument after the subcommand by which an operator allows guests on a kernel without filters of system calls.
pub(crate) const UNCONFINED: &str = "--unconfined";
/// How a process ends that cannot be confined, so that its parent can say so.
pub(crate) const UNCONFINED_EXIT: u8 = 86;

/// Why a process is not confined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("this process could not give up its rights: {0}")]
    Rights(#[from] std::io::Error),
    #[error("the kernel does not keep this process from files and networks: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("the kernel takes no filter of system calls (seccomp): {0}")]
    Filter(String),
}

/// Confines the process that runs guests, as far as that can be done before it has its threads.
pub(crate) fn worker() -> Result<(), ConfineError> {
    rights::worker()?;
    rights::no_files_and_networks()
}

/// The last of it: from here on all threads have the system calls of the list. No thread can be added.
pub(crate) fn seal() -> Result<(), ConfineError> {
    rights::no_more_processes()?;
    // The first call asks the kernel where its clock is, by a call that is not on the list.
    let _ = clock_gettime(ClockId::Monotonic);
    unless_allowed(calls::filter_all_threads())
}

/// Confines the process that compiles, which has one thread.
pub(crate) fn compiler() -> Result<(), ConfineError> {
    rights::compiler()?;
    rights::no_files_and_networks()?;
    seal()
}

/// A kernel without filters is the operator's decision.
fn unless_allowed(filtered: Result<(), ConfineError>) -> Result<(), ConfineError> {
    match filtered {
        Err(ConfineError::Filter(_)) if std::env::args().nth(2).as_deref() == Some(UNCONFINED) => Ok(()),
        other => other,
    }
}

/// Tells whether the process that started this one has ended.
pub(crate) struct Orphan(Option<Pid>);

impl Orphan {
    /// Notes who the parent is now.
    pub(crate) fn watch() -> Self {
        Self(getppid())
    }

    /// Whether it is another now.
    pub(crate) fn is_one(&self) -> bool {
        getppid() != self.0
    }
}
