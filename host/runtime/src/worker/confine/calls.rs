//! The system calls that a process has in which guests run or are compiled. All others end it, at once, by SIGSYS.
//!
//! Found by running all tests under the filter. Not among them, so impossible: files by path, sockets, other programs, new
//! processes and threads, signals to and memory of others, tracing, io_uring, BPF, keys, namespaces, and `ioctl` and `prctl`.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use super::ConfineError;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;

/// A system call's number on each architecture.
#[derive(Clone, Copy)]
struct Call {
    x86_64: i64,
    aarch64: i64,
}

const fn call(x86_64: i64, aarch64: i64) -> Call {
    Call { x86_64, aarch64 }
}

impl Call {
    const fn number(self) -> i64 {
        if cfg!(target_arch = "x86_64") { self.x86_64 } else { self.aarch64 }
    }
}

const READ: Call = call(0, 63);
const WRITE: Call = call(1, 64);
const WRITEV: Call = call(20, 66);
const CLOSE: Call = call(3, 57);
const FSTAT: Call = call(5, 80);
const MMAP: Call = call(9, 222);
const MPROTECT: Call = call(10, 226);
const MUNMAP: Call = call(11, 215);
const MREMAP: Call = call(25, 216);
const MADVISE: Call = call(28, 233);
const BRK: Call = call(12, 214);
const RT_SIGACTION: Call = call(13, 134);
const RT_SIGPROCMASK: Call = call(14, 135);
const RT_SIGRETURN: Call = call(15, 139);
const SIGALTSTACK: Call = call(131, 132);
const FUTEX: Call = call(202, 98);
const SCHED_YIELD: Call = call(24, 124);
const GETPID: Call = call(39, 172);
const GETTID: Call = call(186, 178);
const GETPPID: Call = call(110, 173);
const TGKILL: Call = call(234, 131);
const EXIT: Call = call(60, 93);
const EXIT_GROUP: Call = call(231, 94);
const CLOCK_GETTIME: Call = call(228, 113);
const CLOCK_NANOSLEEP: Call = call(230, 115);
const GETRANDOM: Call = call(318, 278);
const RESTART_SYSCALL: Call = call(219, 128);
const FCNTL: Call = call(72, 25);
const MEMFD_CREATE: Call = call(319, 279);
const MEMBARRIER: Call = call(324, 283);

/// Calls that are taken with whatever arguments: they act on this process's memory, threads and descriptors.
const ANYHOW: [Call; 25] = [
    READ,
    WRITE,
    WRITEV,
    CLOSE,
    FSTAT,
    MUNMAP,
    MREMAP,
    MADVISE,
    BRK,
    RT_SIGACTION,
    RT_SIGPROCMASK,
    RT_SIGRETURN,
    SIGALTSTACK,
    SCHED_YIELD,
    GETPID,
    GETTID,
    GETPPID,
    EXIT,
    EXIT_GROUP,
    CLOCK_GETTIME,
    CLOCK_NANOSLEEP,
    GETRANDOM,
    RESTART_SYSCALL,
    // What makes freshly loaded code seen by all processors of an ARM machine.
    MEMBARRIER,
    // The memory that a guest begins with. With no `execve`, it cannot become a program.
    MEMFD_CREATE,
];

/// Which kind of mapping it is, and whether it is a stack: what is not private, and what grows by itself, does not count against
/// the limit on writable memory.
const MAP_KIND: u64 = 0x10f;
const MAP_PRIVATE: u64 = 2;
const PROT_WRITE: u64 = 2;
const PROT_EXEC: u64 = 4;
/// A debug build asks whether what it closes is open.
const F_GETFD: u64 = 1;
const F_ADD_SEALS: u64 = 1033;
const SIGABRT: u64 = 6;
/// The operations of `futex`, without its flags for private and for clocks.
const FUTEX_OPERATION: u64 = 0x7f;
/// Wait, wake, requeue, and their kind. Not among them those with inherited priority, which have been ways into the kernel.
const FUTEX_OPERATIONS: [u64; 7] = [0, 1, 3, 4, 5, 9, 10];

/// Installs the filter for every thread of this process. It cannot be taken off again.
pub(super) fn filter_all_threads() -> Result<(), ConfineError> {
    let program = program().map_err(|error| ConfineError::Filter(error.to_string()))?;
    apply_filter_all_threads(&program).map_err(|error| ConfineError::Filter(error.to_string()))
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ANYHOW.iter().map(|call| (call.number(), Vec::new())).collect();
    // Memory is made executable when it holds a compiled component, and is not writable any more then. Never at once.
    let private = (3, SeccompCmpOp::MaskedEq(MAP_KIND), MAP_PRIVATE);
    rules.insert(MMAP.number(), vec![rule([(2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0), private])?]);
    rules.insert(
        MPROTECT.number(),
        vec![
            rule([(2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0)])?,
            rule([(2, SeccompCmpOp::MaskedEq(PROT_WRITE), 0)])?,
        ],
    );
    let fcntl = [F_GETFD, F_ADD_SEALS].map(|command| rule([(1, SeccompCmpOp::Eq, command)]));
    rules.insert(FCNTL.number(), fcntl.into_iter().collect::<Result<_, _>>()?);
    let futex =
        FUTEX_OPERATIONS.map(|operation| rule([(1, SeccompCmpOp::MaskedEq(FUTEX_OPERATION), operation)]));
    rules.insert(FUTEX.number(), futex.into_iter().collect::<Result<_, _>>()?);
    // To abort is to send this process a signal, and no other process.
    let this = u64::from(std::process::id());
    rules.insert(TGKILL.number(), vec![rule([(0, SeccompCmpOp::Eq, this), (2, SeccompCmpOp::Eq, SIGABRT)])?]);
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, ARCHITECTURE)?.try_into()
}

/// What the arguments of a call must be, all of them: each a place, a comparison, and a value of 32 bits.
fn rule<const N: usize>(
    conditions: [(u8, SeccompCmpOp, u64); N],
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(
        conditions
            .into_iter()
            .map(|(place, how, value)| SeccompCondition::new(place, SeccompCmpArgLen::Dword, how, value))
            .collect::<Result<_, _>>()?,
    )
}
