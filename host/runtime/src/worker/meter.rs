//! What a guest uses up, and the words for having used too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use pawl_core::limits;
use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, ResourceLimiter, UpdateDeadline};

use super::confine::Orphan;
use crate::wire::GuestLimits;

/// Why the host side of a call ended the step. [`Stop::words`] is what a person reads.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("processor time")]
    Cpu,
    #[error("host calls")]
    Calls,
    #[error("bytes in one call")]
    Bytes,
    #[error("bytes in one step")]
    AllBytes,
    #[error("the host says: {0}")]
    Violation(String),
    #[error("the pipe to the host broke")]
    Pipe,
}

impl Stop {
    /// What is said of the rotator: "the rotator" and these words.
    pub(super) fn words(&self, limits: GuestLimits) -> String {
        match self {
            Self::Cpu => {
                let seconds = limits.cpu_millis / 1000;
                let (amount, unit) = if limits.cpu_millis.is_multiple_of(1000) {
                    (seconds, "s")
                } else {
                    (limits.cpu_millis, "ms")
                };
                format!("used more than {amount} {unit} of processor time")
            }
            Self::Calls => format!("called the host more than {} times", limits::HOSTCALLS_MAX),
            Self::Bytes => {
                format!(
                    "passed more than {} to the host in one call",
                    mebibytes(limits::HOSTCALL_BYTES_MAX as u64)
                )
            }
            Self::AllBytes => {
                format!(
                    "passed more than {} to the host in one step",
                    mebibytes(limits::STEP_BYTES_MAX as u64)
                )
            }
            Self::Violation(text) => format!("broke a rule: {text}"),
            Self::Pipe => "lost its host".to_owned(),
        }
    }
}

/// A number of bytes for people.
pub(super) fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1024 * 1024;
    if bytes.is_multiple_of(MEBIBYTE) {
        format!("{} MiB", bytes / MEBIBYTE)
    } else {
        format!("{bytes} bytes")
    }
}

/// The processor time that a step may take: this thread's, so that waiting for the host is free.
pub(super) struct CpuBudget {
    end_nanos: u128,
}

impl CpuBudget {
    pub(super) fn from_now(millis: u64) -> Self {
        Self { end_nanos: thread_nanos().saturating_add(u128::from(millis) * 1_000_000) }
    }

    /// Asked at every tick while the guest computes, instantiation included.
    pub(super) fn check(&self) -> wasmtime::Result<UpdateDeadline> {
        if thread_nanos() > self.end_nanos {
            return Err(wasmtime::Error::new(Stop::Cpu));
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

fn thread_nanos() -> u128 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u128::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u128::try_from(time.tv_nsec).unwrap_or_default()
}

/// Memory and tables of one guest, all of its core instances together.
pub(super) struct Gate {
    memory_bytes: u64,
    memory_left: u64,
    elements_left: usize,
    /// Whether the guest was refused memory: its abort later on has that for a reason.
    denied: bool,
}

impl Gate {
    pub(super) const fn new(memory_bytes: u64) -> Self {
        Self {
            memory_bytes,
            memory_left: memory_bytes,
            elements_left: limits::GUEST_TABLE_ELEMENTS_MAX,
            denied: false,
        }
    }

    /// What is said of the rotator if it was refused memory.
    pub(super) fn words(&self) -> Option<String> {
        self.denied.then(|| format!("used more than {} of memory", mebibytes(self.memory_bytes)))
    }
}

impl ResourceLimiter for Gate {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let left = self.memory_left.checked_sub(more);
        self.memory_left = left.unwrap_or(self.memory_left);
        self.denied |= left.is_none();
        Ok(left.is_some())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let left = self.elements_left.checked_sub(desired.saturating_sub(current));
        self.elements_left = left.unwrap_or(self.elements_left);
        Ok(left.is_some())
    }

    fn instances(&self) -> usize {
        limits::GUEST_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        limits::GUEST_INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        limits::GUEST_INSTANCES_MAX
    }
}

/// Advances the engine's epoch while a guest runs, and sleeps while none does.
pub(super) struct Ticker {
    running: Arc<AtomicBool>,
    thread: Thread,
}

/// While this lives the epoch advances.
pub(super) struct Ticking<'a>(&'a Ticker);

impl Ticker {
    pub(super) fn start(engine: Engine) -> std::io::Result<Self> {
        let running = Arc::new(AtomicBool::new(false));
        let orphan = Orphan::watch();
        let seen = Arc::clone(&running);
        let (is_up, up) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("ticker".to_owned()).spawn(move || {
            let _ = is_up.send(());
            loop {
                if seen.load(Ordering::Acquire) {
                    std::thread::park_timeout(limits::EPOCH_TICK);
                    engine.increment_epoch();
                    // A guest that sleeps, or computes, does not see that its host has gone.
                    if orphan.is_one() {
                        std::process::exit(1);
                    }
                } else {
                    std::thread::park();
                }
            }
        })?;
        // What a thread does of itself at its beginning must be over before the process is sealed.
        up.recv().map_err(std::io::Error::other)?;
        Ok(Self { running, thread: thread.thread().clone() })
    }

    pub(super) fn tick(&self) -> Ticking<'_> {
        self.running.store(true, Ordering::Release);
        self.thread.unpark();
        Ticking(self)
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories_and_a_refusal_is_remembered() {
        let mut gate = Gate::new(64 * 1024 * 1024);
        assert!(gate.memory_growing(0, 40 * 1024 * 1024, None).unwrap());
        assert!(gate.memory_growing(0, 24 * 1024 * 1024, None).unwrap());
        assert_eq!(gate.words(), None);
        assert!(!gate.memory_growing(0, 65_536, None).unwrap());
        assert_eq!(gate.words().unwrap(), "used more than 64 MiB of memory");
    }

    #[test]
    fn tables_are_counted_over_all_tables() {
        let mut gate = Gate::new(0);
        assert!(gate.table_growing(0, limits::GUEST_TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!gate.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn a_budget_ends_when_this_thread_has_used_it() {
        let budget = CpuBudget::from_now(20);
        assert!(budget.check().is_ok());
        let mut steps = 0_u64;
        while budget.check().is_ok() {
            steps = std::hint::black_box(steps + 1);
        }
        assert!(budget.check().is_err_and(|error| error.is::<Stop>()));
    }

    #[test]
    fn the_words_name_the_limit() {
        let limits = GuestLimits { memory_bytes: 1, fuel: 1, cpu_millis: 2000 };
        assert_eq!(Stop::Cpu.words(limits), "used more than 2 s of processor time");
        assert_eq!(
            Stop::Cpu.words(GuestLimits { cpu_millis: 150, ..limits }),
            "used more than 150 ms of processor time"
        );
        assert_eq!(Stop::Bytes.words(limits), "passed more than 1 MiB to the host in one call");
        assert_eq!(Stop::Calls.words(limits), "called the host more than 10000 times");
    }
}
