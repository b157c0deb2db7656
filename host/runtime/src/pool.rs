//! Worker processes, as the host sees them: a few, reused, and replaced at the first doubt.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pawl_core::function::Digest;
use pawl_core::limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::wire::{self, Down, FrameError, HEADER_BYTES, Up};

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerFailure {
    #[error("the worker process does not start: {0}")]
    Start(std::io::Error),
    #[error("the worker process ended unexpectedly")]
    Gone,
    #[error("the worker process does not take the compiled component: {0}")]
    Unfit(String),
    #[error("the worker process broke the protocol: {0}")]
    Protocol(String),
}

impl From<FrameError> for WorkerFailure {
    fn from(error: FrameError) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// One worker process. Dropped, it is killed.
pub(crate) struct Worker {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    components: BTreeSet<Digest>,
    steps: u32,
}

impl Worker {
    /// Starts a process with nothing but the pipe: no environment, no inherited descriptor, `/` as its directory.
    async fn start(program: &std::path::Path) -> Result<Self, WorkerFailure> {
        let mut process = Command::new(program)
            .arg("worker")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(WorkerFailure::Start)?;
        let (Some(to), Some(from)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(WorkerFailure::Start(std::io::Error::other("it has no pipe")));
        };
        let from = BufReader::new(from);
        let mut worker = Self { process, to, from, components: BTreeSet::new(), steps: 0 };
        match tokio::time::timeout(limits::WORKER_START_WALL, worker.receive()).await {
            Ok(Ok(Up::Ready)) => Ok(worker),
            Ok(Ok(_)) => Err(WorkerFailure::Protocol("it did not begin with its greeting".to_owned())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(WorkerFailure::Start(std::io::Error::other("it says nothing"))),
        }
    }

    /// Begins a step.
    pub(crate) async fn begin(&mut self, run: &Down) -> Result<(), WorkerFailure> {
        self.steps = self.steps.saturating_add(1);
        self.send(run).await
    }

    pub(crate) async fn send(&mut self, message: &Down) -> Result<(), WorkerFailure> {
        let frame = wire::frame(message)?;
        self.to.write_all(&frame).await.map_err(|_| WorkerFailure::Gone)
    }

    /// The next message. What comes is checked as if an attacker had written it: bounded before it is read, and whole.
    pub(crate) async fn receive(&mut self) -> Result<Up, WorkerFailure> {
        let mut header = [0; HEADER_BYTES];
        self.from.read_exact(&mut header).await.map_err(|_| WorkerFailure::Gone)?;
        let length = wire::body_bytes::<Up>(header)?;
        // The buffer grows with what has really come.
        let mut body = Vec::new();
        let take = u64::try_from(length).unwrap_or(u64::MAX);
        (&mut self.from).take(take).read_to_end(&mut body).await.map_err(|_| WorkerFailure::Gone)?;
        if body.len() < length {
            return Err(WorkerFailure::Gone);
        }
        Ok(wire::message(&body)?)
    }

    /// Whether it keeps this component, compiled.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.components.contains(&digest)
    }

    /// Gives it a compiled component.
    pub(crate) async fn load(&mut self, digest: Digest, artifact: Vec<u8>) -> Result<(), WorkerFailure> {
        // The worker forgets all when it has too many, so it is asked to keep no more than that.
        if self.components.len() >= limits::WORKER_COMPONENTS_MAX {
            self.components.clear();
        }
        self.send(&Down::Load { digest: *digest.as_bytes(), artifact }).await?;
        match self.receive().await? {
            Up::Loaded(Ok(())) => {
                self.components.insert(digest);
                Ok(())
            }
            Up::Loaded(Err(why)) => Err(WorkerFailure::Unfit(crate::line::line(&why))),
            _ => Err(WorkerFailure::Protocol(
                "it was given a component and spoke of something else".to_owned(),
            )),
        }
    }
}

/// The worker processes of a host.
pub(crate) struct Pool {
    program: PathBuf,
    idle: Mutex<Vec<Worker>>,
    places: Semaphore,
    started: AtomicU64,
    killed: AtomicU64,
}

/// How many worker processes there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Those that were started.
    pub started: u64,
    /// Those that were killed because a step did not end as it should, or was given up.
    pub killed: u64,
}

/// Counts a worker as killed, unless it is told otherwise.
struct Killed<'a>(Option<&'a AtomicU64>);

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A worker that is being used. Dropped, its process is killed; [`Leased::give_back`] keeps it for the next.
pub(crate) struct Leased<'a> {
    pool: &'a Pool,
    worker: Worker,
    killed: Killed<'a>,
    _place: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            idle: Mutex::default(),
            places: Semaphore::new(limits::WORKERS_MAX),
            started: AtomicU64::new(0),
            killed: AtomicU64::new(0),
        }
    }

    /// Waits for a place, and gives an idle worker, best one that has the component, or a new one.
    pub(crate) async fn lease(&self, digest: Option<Digest>) -> Result<Leased<'_>, WorkerFailure> {
        let place = self.places.acquire().await.map_err(|_| WorkerFailure::Gone)?;
        let worker = match self.take_idle(digest) {
            Some(worker) => worker,
            None => {
                self.started.fetch_add(1, Ordering::Relaxed);
                Worker::start(&self.program).await?
            }
        };
        Ok(Leased { pool: self, worker, killed: Killed(Some(&self.killed)), _place: place })
    }

    pub(crate) fn counts(&self) -> WorkerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WorkerCounts { started: read(&self.started), killed: read(&self.killed) }
    }

    /// The process ids of the workers that wait for work.
    pub(crate) fn idle(&self) -> Vec<u32> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().filter_map(|worker| worker.process.id()).collect()
    }

    fn take_idle(&self, digest: Option<Digest>) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|worker| matches!(worker.process.try_wait(), Ok(None)));
        let fitting = idle.iter().position(|worker| digest.is_some_and(|digest| worker.has(digest)));
        // The one used last: its memory is warm, and the others may rest.
        fitting.map(|at| idle.swap_remove(at)).or_else(|| idle.pop())
    }
}

impl Leased<'_> {
    /// The process itself.
    pub(crate) const fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Keeps the process for the next step, unless it has run enough of them or enough others wait.
    pub(crate) fn give_back(mut self) {
        self.killed.0 = None;
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if self.worker.steps < limits::WORKER_STEPS_MAX && idle.len() < limits::WORKERS_IDLE_MAX {
            idle.push(self.worker);
        }
    }
}
