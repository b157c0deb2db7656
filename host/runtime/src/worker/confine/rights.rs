//! What a process can give up without a filter: descriptors, privileges, resources, files, networks.

use std::fs;
use std::io;
use std::os::fd::RawFd;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, Scope};
use pawl_core::limits;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;

use super::ConfineError;
use crate::courtesy;

/// The newest Landlock whose rights this crate knows; a kernel with an older one gives what it has.
const LANDLOCK: ABI = ABI::V10;
/// Standard input, output and error: the pipe to the host, and nothing.
const STANDARD: RawFd = 2;

pub(super) fn worker() -> io::Result<()> {
    common()?;
    limit(Resource::Nofile, limits::WORKER_FILES_MAX)?;
    limit(Resource::Data, limits::WORKER_DATA_BYTES_MAX)?;
    // Not none: the memory that a guest begins with is kept as an anonymous file, and mapped copy-on-write.
    limit(Resource::Fsize, limits::GUEST_MEMORY_BYTES_MAX as u64)
}

pub(super) fn compiler() -> io::Result<()> {
    common()?;
    limit(Resource::Nofile, limits::COMPILE_FILES_MAX)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::As, limits::COMPILE_ADDRESS_BYTES_MAX)?;
    limit(Resource::Cpu, limits::COMPILE_CPU_SECONDS)
}

fn common() -> io::Result<()> {
    close_inherited()?;
    set_no_new_privs(true)?;
    // Other processes of this user can neither trace it nor read its memory.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // Whoever asks the host for a secret comes first.
    courtesy::give_way(limits::WORKER_NICENESS, limits::WORKER_TURN)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Memlock, 0)?;
    limit(Resource::Msgqueue, 0)
}

/// Threads count as processes, so this comes when there are all.
pub(super) fn no_more_processes() -> io::Result<()> {
    limit(Resource::Nproc, 0)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Closes what the host's own parent left open, and the host passed on without knowing.
fn close_inherited() -> io::Result<()> {
    let listed: io::Result<Vec<RawFd>> = fs::read_dir("/proc/self/fd")?
        .map(|entry| {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            number.ok_or_else(|| io::Error::other("/proc/self/fd holds what is no descriptor"))
        })
        .collect();
    for descriptor in listed?.into_iter().filter(|descriptor| *descriptor > STANDARD) {
        // The listing's own is gone by now.
        if fs::read_link(format!("/proc/self/fd/{descriptor}")).is_ok() {
            #[expect(unsafe_code, reason = "no safe interface closes what this process did not open")]
            // SAFETY: this is the first that the process does: it has one thread, and has opened nothing that is still open.
            unsafe {
                rustix::io::close(descriptor);
            }
        }
    }
    Ok(())
}

/// No file by any path, no TCP, no signal to and no abstract socket of anyone outside: as far as the kernel has Landlock.
///
/// Threads that are started later have it, earlier ones do not: so it comes first.
pub(super) fn no_files_and_networks() -> Result<(), ConfineError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .restrict_self()?;
    Ok(())
}
