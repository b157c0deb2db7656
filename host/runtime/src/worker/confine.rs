//! What a worker and a compiler give up before they look at anything foreign.
//!
//! Here now: no new privileges, no core file, no tracer, few files, and for the compiler a limit on address space and
//! processor time. The parent adds an empty environment, `/` as directory, and pipes as the only descriptors.
//! Not here yet: seccomp and Landlock, which turn "holds nothing" into "can reach nothing" (no `socket`, no `open`, no `execve`).
//!
//! No `PR_SET_PDEATHSIG`: it fires when the *thread* that started the child ends, and the parent's threads come and go. A
//! worker sees the parent's end at its pipe, and [`Orphan`] is for a guest that does not look there.

use pawl_core::limits;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, getppid, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;

/// Confines the process that runs guests.
pub(crate) fn worker() -> std::io::Result<()> {
    common()?;
    limit(Resource::Nofile, limits::WORKER_FILES_MAX)
}

/// Confines the process that compiles.
pub(crate) fn compiler() -> std::io::Result<()> {
    common()?;
    limit(Resource::As, limits::COMPILE_ADDRESS_BYTES_MAX)?;
    limit(Resource::Cpu, limits::COMPILE_CPU_SECONDS)
}

fn common() -> std::io::Result<()> {
    set_no_new_privs(true)?;
    // Other processes of this user can neither trace it nor read its memory.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::Core, 0)
}

fn limit(resource: Resource, most: u64) -> std::io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
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
