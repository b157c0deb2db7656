//! Processes, as `/proc` and `kill` know them.

use std::fs::File;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitId, WaitIdOptions, setpriority_process, waitid};
use rustix::thread::gettid;

/// A handle on a server's process, for those who must kill or stop it from another thread.
#[derive(Clone, Debug, Default)]
pub struct Server(Arc<Mutex<Option<Child>>>);

impl Server {
    fn inside(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kill -9`, and wait until it is dead. Nothing happens to one that is dead already.
    pub fn kill9(&self) {
        if let Some(mut child) = self.take() {
            let _ = child.kill();
            let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = id.map(|id| retry_on_intr(|| waitid(WaitId::Pid(id), dead)));
            bury(child);
        }
    }

    /// Stops it and what it has started where they are, as a machine that is suspended.
    pub fn pause(&self) {
        if let Some(id) = self.id() {
            signal("STOP", &[id]);
            signal("STOP", &children_of(id));
        }
    }

    /// Lets it go on from there.
    pub fn go_on(&self) {
        if let Some(id) = self.id() {
            signal("CONT", &children_of(id));
            signal("CONT", &[id]);
        }
    }

    /// Whether it was started, and nobody has ended it from here.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.id().is_some()
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.inside().as_ref().map(Child::id)
    }

    pub(crate) fn set(&self, child: Child) {
        *self.inside() = Some(child);
    }

    pub(crate) fn take(&self) -> Option<Child> {
        self.inside().take()
    }
}

/// Reaps a dead process by and by. While one is reaped, Linux takes away what it shows of it in `/proc`, and walks in circles until nobody
/// else holds any of that. A dozen lanes of the crash matrix that do so at once leave nobody the time to let go of it: so
/// one thread does, with what the others leave of the processors.
fn bury(dead: Child) {
    static UNDERTAKER: LazyLock<Sender<Child>> = LazyLock::new(|| {
        let (send, dead) = channel::<Child>();
        std::thread::spawn(move || {
            let _ = setpriority_process(Some(gettid()), LEAST);
            for mut child in dead {
                let _ = child.wait();
            }
        });
        send
    });
    let _ = UNDERTAKER.send(dead);
}

/// The niceness of who has all the time in the world.
const LEAST: i32 = 19;

/// Sends a signal to processes; to those that are gone already, nothing happens.
///
/// # Panics
/// When there is no `kill`.
pub fn signal(name: &str, processes: &[u32]) {
    if !processes.is_empty() {
        let mut command = Command::new("kill");
        command.arg("-s").arg(name).args(processes.iter().map(u32::to_string));
        command.output().expect("`kill` can be run");
    }
}

/// The processes that a process has started.
#[must_use]
pub fn children_of(process: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    children
}

/// Resident memory of a process, in bytes.
#[must_use]
pub fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: Option<u64> = line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// All memory of a process that it could read itself, region by region, as this moment has it: none where the process has gone. What
/// only mirrors a program's file is left out.
///
/// # Panics
/// When this user may not look into it: workers are kept from all but root.
#[must_use]
pub fn memory(process: u32) -> Vec<(String, Vec<u8>)> {
    let Ok(maps) = std::fs::read_to_string(format!("/proc/{process}/maps")) else { return Vec::new() };
    let memory = File::open(format!("/proc/{process}/mem")).expect("only root may read a worker's memory");
    let mut regions = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else {
            continue;
        };
        let is_file = words.nth(3).is_some_and(|path| path.starts_with('/') && !path.starts_with("/memfd:"));
        if is_file && !rights.contains('w') {
            continue;
        }
        // What the kernel lends to every process is no memory of this one, and cannot be read from outside.
        if !rights.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(to - from).expect("a region fits into memory")];
        // A region that has gone since holds nothing any more.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            regions.push((line.to_owned(), bytes));
        }
    }
    regions
}

/// Copies a server's output to a file, and announces the address that it names.
pub(crate) fn follow(stdout: impl BufRead, mut copy: File, announce: &std::sync::mpsc::Sender<SocketAddr>) {
    for line in stdout.lines().map_while(Result::ok) {
        let _ = writeln!(copy, "{line}");
        if let Some(address) = line
            .strip_prefix("pawl: listening on ")
            .and_then(|url| url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")))
            .and_then(|text| text.parse().ok())
        {
            let _ = announce.send(address);
        }
    }
}
