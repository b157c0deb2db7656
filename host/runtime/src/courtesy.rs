//! How a thread leaves the processor to those that answer requests.

use std::io;
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};

/// The kernel's own limit (nice(2)).
const NICEST: i32 = 19;

/// Has this thread, and all threads and processes that it starts from now on, give way to those that have shorter turns: it gets a
/// smaller share of the processor than they, and is interrupted as soon as one of them has something to do.
///
/// Niceness alone does not do the latter. The kernel's scheduler (EEVDF, since 6.6) lets whoever runs, however nice, run on until
/// a tick finds its turn to be over, and ticks are 4 ms apart, or 10. Only who has asked for longer turns than the one that
/// wakes is interrupted at once (since 6.12; older kernels do not look at the wish).
///
/// # Errors
/// When the kernel does not take the niceness. What it thinks of the turns is not told: they are a matter of milliseconds.
pub(crate) fn give_way(nicer_by: i32, turn: Duration) -> io::Result<()> {
    let niceness = getpriority_process(None)?.saturating_add(nicer_by).min(NICEST);
    // Of the calling thread, on Linux.
    setpriority_process(None, niceness)?;
    ask_for_turns(niceness, turn);
    Ok(())
}

#[expect(unsafe_code, reason = "no safe interface asks for a thread's turns")]
fn ask_for_turns(niceness: i32, turn: Duration) {
    let attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: 0,
        sched_flags: u64::try_from(libc::SCHED_FLAG_KEEP_POLICY).unwrap_or(0),
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: u64::try_from(turn.as_nanos()).unwrap_or(0),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of what is there for the length of the call, and changes nothing but this thread's turns.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}
