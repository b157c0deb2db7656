//! Worker processes, as the host sees them: a few, started ahead of need, reused, and replaced at the first doubt.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pawl_core::function::Digest;
use pawl_core::limits;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::program::Program;
use crate::respite::Respites;
use crate::wire::{self, Down, FrameError, HEADER_BYTES, Up};
use crate::worker::confine::UNCONFINED_EXIT;

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerFailure {
    #[error("the worker process does not start: {0}")]
    Start(std::io::Error),
    #[error(
        "no guest is run, because a worker process cannot be confined here: it needs /proc and the kernel's filters of system \
         calls (seccomp), which a container may withhold; `pawl worker`, run by hand, says what is missing (a host that is \
         started with --unconfined-workers runs guests all the same, and whoever escapes from one is a process of this user)"
    )]
    Unconfined,
    #[error("the worker process ended unexpectedly: {0}")]
    Gone(String),
    #[error(
        "the worker process was killed by SIGSYS: it made a system call that no worker may make; the kernel's log names \
         the call (type=1326), and the rotator may be hostile"
    )]
    Forbidden,
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

impl From<ExitStatus> for WorkerFailure {
    fn from(status: ExitStatus) -> Self {
        match (status.signal(), status.code()) {
            (Some(signal), _) if signal == Signal::SYS.as_raw() => {
                tracing::error!(
                    "a worker process was killed for a system call that no worker may make; the kernel's log names it (type=1326)"
                );
                Self::Forbidden
            }
            (_, Some(code)) if code == i32::from(UNCONFINED_EXIT) => Self::Unconfined,
            // "signal: 9 (SIGKILL)", "exit status: 1"
            _ => Self::Gone(status.to_string()),
        }
    }
}

/// One worker process. Dropped, it is killed.
///
/// It runs one component and never another: whoever escapes from a guest finds nothing in the process of any other function, and
/// can spoil no step but that function's own.
pub(crate) struct Worker {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    component: Option<Digest>,
    steps: u32,
    /// Bytes that it has said in the present step.
    said: usize,
    /// Those of its last message.
    said_last: usize,
}

impl Worker {
    /// Starts a process, and waits until it is confined and says so.
    async fn start(program: &Program) -> Result<Self, WorkerFailure> {
        let mut process = program.command("worker").spawn().map_err(WorkerFailure::Start)?;
        let (Some(to), Some(from)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(WorkerFailure::Start(std::io::Error::other("it has no pipe")));
        };
        let from = BufReader::new(from);
        let mut worker = Self { process, to, from, component: None, steps: 0, said: 0, said_last: 0 };
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
        self.said = 0;
        self.send(run).await
    }

    pub(crate) async fn send(&mut self, message: &Down) -> Result<(), WorkerFailure> {
        let frame = wire::frame(message)?;
        match self.to.write_all(&frame).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.end().await),
        }
    }

    /// The next message. What comes is checked as if an attacker had written it: bounded before it is read, and whole.
    pub(crate) async fn receive(&mut self) -> Result<Up, WorkerFailure> {
        let Some(body) = self.body().await? else { return Err(self.end().await) };
        // A worker of ours stops its guest before; this is for one that an attacker has taken over.
        self.said_last = body.len();
        self.said = self.said.saturating_add(self.said_last);
        if self.said > limits::STEP_BYTES_MAX.saturating_add(limits::WORKER_ANSWER_BYTES_MAX) {
            let said = format!("it said more than {} bytes in one step", limits::STEP_BYTES_MAX);
            return Err(WorkerFailure::Protocol(said));
        }
        Ok(wire::message(&body)?)
    }

    /// Bytes of the message that came last.
    pub(crate) const fn said_last(&self) -> usize {
        self.said_last
    }

    /// The bytes of the next message; none when the pipe ends before they do.
    async fn body(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let mut header = [0; HEADER_BYTES];
        if self.from.read_exact(&mut header).await.is_err() {
            return Ok(None);
        }
        let length = wire::body_bytes::<Up>(header)?;
        // The buffer grows with what has really come.
        let mut body = Vec::new();
        let take = u64::try_from(length).unwrap_or(u64::MAX);
        let read = (&mut self.from).take(take).read_to_end(&mut body).await;
        Ok((read.is_ok() && body.len() == length).then_some(body))
    }

    /// How the process ended whose pipe has broken.
    async fn end(&mut self) -> WorkerFailure {
        match tokio::time::timeout(limits::WORKER_END_WALL, self.process.wait()).await {
            Ok(Ok(status)) => status.into(),
            Ok(Err(error)) => WorkerFailure::Gone(error.to_string()),
            Err(_) => WorkerFailure::Gone("it closed its pipe".to_owned()),
        }
    }

    /// Whether it is this component's, and has it, compiled.
    pub(crate) fn has(&self, digest: Digest) -> bool {
        self.component == Some(digest)
    }

    /// Whether it is no component's yet.
    const fn is_blank(&self) -> bool {
        self.component.is_none()
    }

    /// Gives it a compiled component.
    async fn load(&mut self, digest: Digest, artifact: Vec<u8>) -> Result<(), WorkerFailure> {
        self.send(&Down::Load { digest: *digest.as_bytes(), artifact }).await?;
        match self.receive().await? {
            Up::Loaded(Ok(())) => {
                self.component = Some(digest);
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
pub(crate) struct Pool(Arc<Workers>);

struct Workers {
    program: Program,
    idle: Mutex<Vec<Worker>>,
    places: Arc<Semaphore>,
    /// How many are kept ready.
    ready: AtomicUsize,
    starting: AtomicUsize,
    started: AtomicU64,
    killed: AtomicU64,
    respites: Respites,
}

/// How many worker processes there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Those that were started.
    pub started: u64,
    /// Those that were killed because a step did not end as it should, or was given up.
    pub killed: u64,
}

/// A worker that is being used. Dropped, its process is killed and replaced; [`Leased::give_back`] keeps it for the next.
pub(crate) struct Leased {
    workers: Arc<Workers>,
    worker: Worker,
    end: End,
    _place: OwnedSemaphorePermit,
}

/// Counts a worker as killed, unless it is told otherwise, and sees to another in its place.
struct End {
    workers: Arc<Workers>,
    /// Whose worker it is; none before it is anybody's.
    component: Option<Digest>,
    killed: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.killed {
            self.workers.killed.fetch_add(1, Ordering::Relaxed);
            if let Some(component) = self.component {
                self.workers.respites.broke(component);
            }
            replenish(&self.workers);
        }
    }
}

impl Pool {
    /// A component that breaks workers waits for the next one, at most so long.
    pub(crate) fn new(program: Program, longest_respite: Duration) -> Self {
        Self(Arc::new(Workers {
            program,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(limits::WORKERS_MAX)),
            ready: AtomicUsize::new(0),
            starting: AtomicUsize::new(0),
            started: AtomicU64::new(0),
            killed: AtomicU64::new(0),
            respites: Respites::new(longest_respite),
        }))
    }

    /// Starts a worker now, and from now on keeps some ready.
    pub(crate) async fn prestart(&self) -> Result<(), WorkerFailure> {
        self.lease(None).await?.give_back();
        self.0.ready.store(limits::WORKERS_READY, Ordering::Relaxed);
        replenish(&self.0);
        Ok(())
    }

    /// Waits until a component that has lately broken workers may have another one.
    pub(crate) async fn respite(&self, component: Digest) {
        let left = self.0.respites.left(component);
        if !left.is_zero() {
            tokio::time::sleep(left).await;
        }
    }

    /// Waits for a place, and gives an idle worker that has the component or none yet, or a new one.
    pub(crate) async fn lease(&self, digest: Option<Digest>) -> Result<Leased, WorkerFailure> {
        let closed = |_| WorkerFailure::Gone("the pool is closed".to_owned());
        let place = Arc::clone(&self.0.places).acquire_owned().await.map_err(closed)?;
        let worker = match self.take_idle(digest) {
            Some(worker) => worker,
            None => self.0.start().await?,
        };
        let end = End { workers: Arc::clone(&self.0), component: worker.component, killed: true };
        Ok(Leased { workers: Arc::clone(&self.0), worker, end, _place: place })
    }

    pub(crate) fn counts(&self) -> WorkerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WorkerCounts { started: read(&self.0.started), killed: read(&self.0.killed) }
    }

    /// The process ids of the workers that wait for work.
    pub(crate) fn idle(&self) -> Vec<u32> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().filter_map(|worker| worker.process.id()).collect()
    }

    fn take_idle(&self, digest: Option<Digest>) -> Option<Worker> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|worker| matches!(worker.process.try_wait(), Ok(None)));
        // The one used last: its memory is warm, and the others may rest.
        let own = idle.iter().rposition(|worker| digest.is_some_and(|digest| worker.has(digest)));
        own.or_else(|| idle.iter().rposition(Worker::is_blank)).map(|at| idle.remove(at))
    }
}

impl Workers {
    async fn start(&self) -> Result<Worker, WorkerFailure> {
        self.started.fetch_add(1, Ordering::Relaxed);
        Worker::start(&self.program).await
    }

    /// Takes the right to start one more ahead of need, if there are too few.
    fn lacks(&self) -> bool {
        let ready = self.ready.load(Ordering::Relaxed);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let blank = idle.iter().filter(|worker| worker.is_blank()).count();
        let lacks = blank + self.starting.load(Ordering::Relaxed) < ready;
        if lacks {
            self.starting.fetch_add(1, Ordering::Relaxed);
        }
        lacks
    }

    fn keep(&self, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= limits::WORKERS_IDLE_MAX {
            // The component whose last step is longest ago has to wait for a new process at its next.
            let oldest = idle.iter().position(|idle| !idle.is_blank());
            let Some(oldest) = oldest else { return };
            drop(idle.remove(oldest));
        }
        idle.push(worker);
    }
}

/// Starts workers, beside whatever else goes on, until as many are ready as should be.
fn replenish(workers: &Arc<Workers>) {
    // A pool that ends after its runtime has nothing more to start.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    while workers.lacks() {
        let workers = Arc::clone(workers);
        runtime.spawn(async move {
            let started = workers.start().await;
            match started {
                Ok(worker) => workers.keep(worker),
                // The next step that needs one tries again, and tells.
                Err(error) => tracing::warn!(%error, "no worker process could be started ahead of need"),
            }
            workers.starting.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Leased {
    /// The process itself.
    pub(crate) const fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Gives it a compiled component, and sees to another process that has none.
    pub(crate) async fn load(&mut self, digest: Digest, artifact: Vec<u8>) -> Result<(), WorkerFailure> {
        self.end.component = Some(digest);
        let loaded = self.worker.load(digest, artifact).await;
        replenish(&self.workers);
        loaded
    }

    /// Keeps the process for the component's next step, unless it has run enough of them or enough others wait.
    pub(crate) fn give_back(mut self) {
        self.end.killed = false;
        if let Some(component) = self.end.component {
            self.workers.respites.kept(component);
        }
        if self.worker.steps < limits::WORKER_STEPS_MAX {
            self.workers.keep(self.worker);
        } else {
            replenish(&self.workers);
        }
    }
}
