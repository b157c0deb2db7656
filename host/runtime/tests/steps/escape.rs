//! A worker process whose guest has escaped: machine code of an attacker's, in a process that confined itself as a worker does.
//!
//! One process for each attempt. Each is made three times: in a process that is not confined, where it must work, so that its
//! failure means something; behind the filter of system calls, where it must end the process; and with all but the filter,
//! where what Landlock and the limits are to stop must be stopped, too.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, getppid, kill_process, test_kill_process};

use super::Test;
use super::stage::{Stage, block, program};

#[path = "../../src/worker/confine.rs"]
#[expect(dead_code, reason = "the worker's part of it; the compiler's and the host's are not tried here")]
mod confine;

pub(crate) const TESTS: &[Test] = &[
    ("escape::what_works_unconfined_ends_a_confined_process", what_works_unconfined_ends_a_confined_process),
    ("escape::without_the_filter_there_is_a_second_wall", without_the_filter_there_is_a_second_wall),
    ("escape::no_system_call_off_the_list_is_made", no_system_call_off_the_list_is_made),
    ("escape::calls_of_other_kinds_of_programs_are_not_made", calls_of_other_kinds_of_programs_are_not_made),
    ("escape::real_workers_are_confined_in_every_thread", real_workers_are_confined_in_every_thread),
    ("escape::what_the_host_inherited_is_closed", what_the_host_inherited_is_closed),
    ("escape::a_forbidden_call_is_told_by_its_signal", a_forbidden_call_is_told_by_its_signal),
];

/// What an attempt wants, whether it works, and whether something besides the filter is to stop it.
type Attempt = (&'static str, fn() -> bool, bool);

const ATTEMPTS: &[Attempt] = &[
    ("read a file", || File::open("/etc/passwd").is_ok(), true),
    ("write a file", || File::create("/tmp/pawl-escape").is_ok(), true),
    ("list a directory", || std::fs::read_dir("/").is_ok(), true),
    ("read its own memory map", || File::open("/proc/self/maps").is_ok(), true),
    ("look at a file", || std::fs::metadata("/etc/passwd").is_ok(), false),
    ("listen on TCP", || TcpListener::bind("127.0.0.1:0").is_ok(), false),
    ("connect by TCP", connect_by_tcp, true),
    ("open a UDP socket", || UdpSocket::bind("127.0.0.1:0").is_ok(), false),
    ("open a Unix socket pair", || UnixStream::pair().is_ok(), false),
    ("run a program", || Command::new("/bin/true").status().is_ok_and(|status| status.success()), true),
    ("start a thread", || std::thread::Builder::new().spawn(|| ()).is_ok(), false),
    ("signal another process", || getppid().is_some_and(|parent| test_kill_process(parent).is_ok()), true),
    #[cfg(target_arch = "x86_64")]
    ("fork", raw::fork, false),
    #[cfg(target_arch = "x86_64")]
    ("be traced", || raw::call(101, [0; 6]) == 0, false),
    #[cfg(target_arch = "x86_64")]
    ("trace another process", raw::trace_parent, true),
    #[cfg(target_arch = "x86_64")]
    ("read another process's memory", raw::read_parent, true),
    #[cfg(target_arch = "x86_64")]
    ("run a program from memory", raw::execute_memory, false),
    #[cfg(target_arch = "x86_64")]
    (
        "have memory that is writable and executable",
        || raw::call(9, [0, 4096, 7, 0x22, u64::MAX, 0]) > 0,
        false,
    ),
    #[cfg(target_arch = "x86_64")]
    ("make memory writable and executable", raw::writable_and_executable, false),
    #[cfg(target_arch = "x86_64")]
    (
        "have memory that the limit on it does not count",
        || raw::call(9, [0, 1 << 30, 3, 0x21, u64::MAX, 0]) > 0,
        false,
    ),
    #[cfg(target_arch = "x86_64")]
    (
        "have memory that grows as a stack does",
        || raw::call(9, [0, 1 << 20, 3, 0x122, u64::MAX, 0]) > 0,
        false,
    ),
    #[cfg(target_arch = "x86_64")]
    ("set up io_uring", || raw::io_uring() >= 0, false),
    #[cfg(target_arch = "x86_64")]
    ("leave what it shares", || raw::call(272, [0x400, 0, 0, 0, 0, 0]) == 0, false),
    #[cfg(target_arch = "x86_64")]
    ("wait on a lock with inherited priority", || raw::futex(6) == 0, false),
    #[cfg(target_arch = "x86_64")]
    ("signal itself with more than an abort", || raw::tgkill(raw::own_pid(), 0) == 0, false),
];

fn connect_by_tcp() -> bool {
    // The test's, who started this process.
    let port = std::env::args().nth(4).and_then(|port| port.parse::<u16>().ok()).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "the attempt itself")]
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The escaped process: confines itself as far as it is told to, makes one attempt, and tells by its end how that went.
pub(crate) fn attempt() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, _, how, what, ..] = arguments.as_slice() else { panic!("{arguments:?}") };
    let number = what.parse::<usize>().unwrap();
    if !how.starts_with("free") {
        confine::worker().unwrap();
    }
    if how.starts_with("sealed") {
        confine::seal().unwrap();
    }
    let worked = match how.as_str() {
        #[cfg(target_arch = "x86_64")]
        "sealed-number" => raw::call(number as u64, [0; 6]) >= 0,
        #[cfg(target_arch = "x86_64")]
        "sealed-32-bit" | "free-32-bit" => raw::getpid_of_32_bits() >= 0,
        _ => ATTEMPTS[number].1(),
    };
    std::process::exit(if worked { 0 } else { 1 })
}

fn escaped(how: &str, what: usize, port: u16) -> ExitStatus {
    Command::new(program())
        .args(["escaped", how, &what.to_string(), &port.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

fn killed_by_the_filter(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::SYS.as_raw())
}

fn what_works_unconfined_ends_a_confined_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (number, (name, ..)) in ATTEMPTS.iter().enumerate() {
        assert!(
            escaped("free", number, port).success(),
            "to {name} does not work unconfined: the test is of no use"
        );
        let confined = escaped("sealed", number, port);
        assert!(killed_by_the_filter(confined), "to {name}: {confined}");
    }
    println!(
        "    {} attempts, each works unconfined, each ends a confined process by SIGSYS",
        ATTEMPTS.len()
    );
}

fn without_the_filter_there_is_a_second_wall() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (number, (name, _, second_wall)) in ATTEMPTS.iter().enumerate() {
        let status = escaped("unfiltered", number, port);
        assert!(status.code().is_some(), "to {name}: {status}");
        assert!(!second_wall || !status.success(), "to {name} works without the filter");
    }
}

/// The numbers that may be used with all arguments zero. Written down here once more, so that the list cannot grow unseen.
#[cfg(target_arch = "x86_64")]
const ANYHOW: [usize; 26] = [
    0, 1, 3, 5, 10, 11, 12, 13, 14, 15, 20, 24, 25, 28, 39, 60, 110, 131, 186, 202, 219, 228, 230, 231, 318,
    319,
];

#[cfg(target_arch = "x86_64")]
fn no_system_call_off_the_list_is_made() {
    /// More than this kernel has, of the ordinary and of the x32 kind.
    const NUMBERS: std::ops::Range<usize> = 0..520;
    const X32: usize = 0x4000_0000;
    const MEMBARRIER: usize = 324;
    /// The kernel's own way into and out of its probes, past every filter: for all others it ends by SIGILL, or does nothing.
    const PROBES: [usize; 2] = [335, 336];
    for number in NUMBERS.chain(NUMBERS.map(|number| number | X32)) {
        let status = escaped("sealed-number", number, 0);
        if PROBES.contains(&number) {
            assert!(!status.success(), "system call {number}: {status}");
            continue;
        }
        let allowed = ANYHOW.contains(&number) || number == MEMBARRIER;
        assert_eq!(killed_by_the_filter(status), !allowed, "system call {number}: {status}");
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn no_system_call_off_the_list_is_made() {
    panic!(
        "the numbers of this architecture are not written down here: do it, and run the test on such a machine"
    );
}

fn calls_of_other_kinds_of_programs_are_not_made() {
    let status = escaped("sealed-32-bit", 0, 0);
    assert!(killed_by_the_filter(status), "a call as a program of 32 bits makes it: {status}");
}

fn status_of(process: u32, task: &str, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{task}/status")).unwrap();
    let line =
        text.lines().find(|line| line.starts_with(field)).unwrap_or_else(|| panic!("no {field}: {text}"));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

fn names(directory: String) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn real_workers_are_confined_in_every_thread() {
    block(async {
        let stage = Stage::new();
        stage.runtime.prestart().await;
        let worker = stage.runtime.idle_workers()[0];
        let tasks = names(format!("/proc/{worker}/task"));
        assert!(tasks.len() > 2, "{tasks:?}");
        for task in &tasks {
            assert_eq!(status_of(worker, task, "Seccomp:"), "2", "thread {task} has no filter");
            assert_eq!(status_of(worker, task, "NoNewPrivs:"), "1", "thread {task}");
        }
        assert_eq!(std::fs::read(format!("/proc/{worker}/environ")).unwrap(), b"");
        for descriptor in names(format!("/proc/{worker}/fd")) {
            let target = std::fs::read_link(format!("/proc/{worker}/fd/{descriptor}")).unwrap();
            let target = target.to_string_lossy().into_owned();
            let known = target.starts_with("pipe:") || target == "/dev/null";
            assert!(known, "descriptor {descriptor} is {target}");
        }
        let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
        for none in ["Max core file size", "Max processes", "Max locked memory", "Max msgqueue size"] {
            let rest = limits.lines().find_map(|line| line.strip_prefix(none)).unwrap();
            assert!(rest.split_whitespace().take(2).all(|limit| limit == "0"), "{none}: {rest}");
        }
    });
}

fn what_the_host_inherited_is_closed() {
    // A shell that opens a file and passes it on, as a careless parent of the host does.
    let script =
        format!("exec 7</etc/passwd; exec '{}' escaped unfiltered-descriptor 0", program().display());
    for (how, open) in [("free-descriptor", true), ("unfiltered-descriptor", false)] {
        let status = Command::new("/bin/sh")
            .args(["-c", &script.replace("unfiltered-descriptor", how)])
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(if open { 0 } else { 1 }), "{how}");
    }
}

/// Whether descriptor 7 is open, asked before anything is confined and after.
pub(crate) fn descriptor(how: &str) -> ExitCode {
    let is_open = || std::fs::read_link("/proc/self/fd/7").is_ok();
    assert!(is_open());
    if how == "unfiltered-descriptor" {
        confine::worker().unwrap();
        // Its own links stay readable: Landlock rules the opening of files.
        return if is_open() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    ExitCode::SUCCESS
}

fn a_forbidden_call_is_told_by_its_signal() {
    block(async {
        let stage = Stage::new();
        stage.runtime.prestart().await;
        let component = super::stage::postgres();
        stage.runtime.prepare(&component).await.unwrap();
        // As if the filter had done it, in the middle of a step.
        stage.server.at_login(|| {
            for child in super::stage::workers() {
                let _ = kill_process(Pid::from_raw(child).unwrap(), Signal::SYS);
            }
        });
        let created = stage.run(&component, pawl_core::rotation::Step::CreateSecret).await;
        assert_eq!(created.outcome, pawl_core::rotation::Outcome::Done);
        let report = stage.run(&component, pawl_core::rotation::Step::SetSecret).await;
        let text = super::stage::permanent(&report);
        assert!(text.contains("SIGSYS") && text.contains("type=1326"), "{text}");
    });
}

/// System calls without a library between, as machine code of an attacker's makes them.
#[cfg(target_arch = "x86_64")]
mod raw {
    #![expect(unsafe_code, reason = "an attacker who has escaped has no library to ask politely")]

    use std::arch::asm;

    use super::getppid;

    pub(super) fn call(number: u64, arguments: [u64; 6]) -> i64 {
        let [a, b, c, d, e, f] = arguments;
        let result;
        // SAFETY: what the calls of this file do to this process's memory they do to memory that was given to them; and each is
        // the last deed of a process that was started for it.
        unsafe {
            asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
                 in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _);
        }
        result
    }

    /// `getpid`, as a program of 32 bits calls it.
    pub(super) fn getpid_of_32_bits() -> i64 {
        let result: i64;
        // SAFETY: it takes nothing and changes nothing.
        unsafe {
            asm!("int 0x80", inlateout("rax") 20_i64 => result, lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _);
        }
        result
    }

    fn parent() -> u64 {
        getppid().map_or(0, |parent| parent.as_raw_nonzero().get().unsigned_abs().into())
    }

    pub(super) fn own_pid() -> u64 {
        std::process::id().into()
    }

    pub(super) fn fork() -> bool {
        match call(57, [0; 6]) {
            0 => {
                call(60, [0; 6]);
                false
            }
            child => child > 0,
        }
    }

    pub(super) fn trace_parent() -> bool {
        // PTRACE_SEIZE and, since the test is not to stay traced, the end of this process.
        call(101, [0x4206, parent(), 0, 0, 0, 0]) == 0
    }

    pub(super) fn read_parent() -> bool {
        // Where this program has a byte, its parent has one, unless the addresses are drawn anew: any answer but a refusal is a yes.
        let byte = 0_u8;
        let mut into = 0_u8;
        let here = [std::ptr::from_mut(&mut into) as u64, 1];
        let there = [std::ptr::from_ref(&byte) as u64, 1];
        const EFAULT: i64 = -14;
        let read = call(310, [parent(), here.as_ptr() as u64, 1, there.as_ptr() as u64, 1, 0]);
        read == 1 || read == EFAULT
    }

    pub(super) fn execute_memory() -> bool {
        let program = std::fs::read("/bin/true").unwrap_or_default();
        let name = b"x\0";
        let memory = call(319, [name.as_ptr() as u64, 0, 0, 0, 0, 0]);
        if memory < 0 {
            return false;
        }
        let descriptor = memory.unsigned_abs();
        call(1, [descriptor, program.as_ptr() as u64, program.len() as u64, 0, 0, 0]);
        let (empty, none) = (b"\0", [0_u64]);
        const AT_EMPTY_PATH: u64 = 0x1000;
        // Comes back only when it fails; `true` ends well.
        call(
            322,
            [descriptor, empty.as_ptr() as u64, none.as_ptr() as u64, none.as_ptr() as u64, AT_EMPTY_PATH, 0],
        ) == 0
    }

    pub(super) fn writable_and_executable() -> bool {
        let page = call(9, [0, 4096, 3, 0x22, u64::MAX, 0]);
        page > 0 && call(10, [page.unsigned_abs(), 4096, 7, 0, 0, 0]) == 0
    }

    pub(super) fn io_uring() -> i64 {
        let mut parameters = [0_u64; 32];
        call(425, [1, parameters.as_mut_ptr() as u64, 0, 0, 0, 0])
    }

    pub(super) fn futex(operation: u64) -> i64 {
        let mut lock = 0_u32;
        call(202, [std::ptr::from_mut(&mut lock) as u64, operation, 0, 0, 0, 0])
    }

    pub(super) fn tgkill(process: u64, signal: u64) -> i64 {
        call(234, [process, process, signal, 0, 0, 0])
    }
}
