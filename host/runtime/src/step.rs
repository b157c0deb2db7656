//! One step of a rotation, from a component and its capabilities to an outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pawl_core::function::{Environment, Grants};
use pawl_core::limits;
use pawl_core::rotation::{Outcome, Proof, Step};

use crate::capability::{Capabilities, EarlyLogin, LogLine};
use crate::line::line;
use crate::pace::Pace;
use crate::pool::{Leased, Worker, WorkerFailure};
use crate::port::SecretsPort;
use crate::runtime::Component;
use crate::wire::{Call, Down, Ended, GuestLimits, Reply, Up, Used};

/// What one step may use up. By default what `core::limits` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Wall-clock time, database calls included.
    pub wall: Duration,
    /// Processor time of the guest.
    pub cpu: Duration,
    /// Bytes of the guest's memory.
    pub memory_bytes: u64,
    /// Fuel: roughly wasm instructions.
    pub fuel: u64,
    /// How long a component waits before a step at most, when it has broken workers in its last ones.
    pub respite: Duration,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            wall: limits::STEP_WALL,
            cpu: limits::GUEST_CPU,
            memory_bytes: limits::GUEST_MEMORY_BYTES_MAX as u64,
            fuel: limits::GUEST_FUEL,
            respite: limits::RESPITE_MAX,
        }
    }
}

impl StepLimits {
    pub(crate) fn guest(&self) -> GuestLimits {
        GuestLimits {
            memory_bytes: self.memory_bytes,
            fuel: self.fuel,
            cpu_millis: u64::try_from(self.cpu.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What a function's version is set up to use up at most. The host's own limits hold besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Wall-clock time.
    pub wall: Option<Duration>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
}

impl StepLimits {
    /// These, and no more than the allowance.
    pub(crate) fn within(self, allowance: Allowance) -> Self {
        Self {
            wall: allowance.wall.map_or(self.wall, |wall| wall.min(self.wall)),
            memory_bytes: allowance.memory_bytes.map_or(self.memory_bytes, |of| of.min(self.memory_bytes)),
            ..self
        }
    }
}

/// One step to run.
pub struct StepJob {
    /// The rotator.
    pub component: Component,
    /// Which of the four.
    pub step: Step,
    /// The function's environment: the rotator sees it, and its password rules are the host's.
    pub environment: Arc<Environment>,
    /// What the function may reach.
    pub grants: Arc<Grants>,
    /// The secret under rotation, bound to this rotation's token and lease.
    pub port: Arc<dyn SecretsPort>,
    /// What the function's version is set up to use up.
    pub allowance: Allowance,
    /// Whether databases are left as they are: logins are tried, and what would change an account is told instead of done. The
    /// port of a rehearsal keeps the secret as it is.
    pub rehearsal: bool,
    /// What the steps of one claim hand on to each other.
    pub early: EarlyLogin,
}

/// How a step went.
#[derive(Debug)]
pub struct StepReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What the rotator wrote, and what the host has to add.
    pub log: Vec<LogLine>,
    /// What the host has seen the pending version do in this step.
    pub proof: Proof,
    /// When a server took the pending version's password in place of the current one's.
    pub changed_at: Option<Instant>,
    /// What it has used up.
    pub used: Used,
    /// How often the rotator was shown a sensitive value.
    pub reveals: u32,
    /// Of a rehearsal: what it would have changed in databases, in words.
    pub would: Vec<String>,
}

/// What became of giving a step to a worker.
pub(crate) enum Ran {
    /// It ended; and what the guest had printed when it broke.
    Ended { outcome: Outcome, printed: Option<String>, used: Used },
    /// The worker died before the guest had asked the host for anything: nothing has happened.
    Died(WorkerFailure),
}

impl Ran {
    const fn ended(outcome: Outcome, used: Used) -> Self {
        Self::Ended { outcome, printed: None, used }
    }
}

/// Runs a step on a worker that has its component, and gives the worker back when it is as good as before.
pub(crate) async fn run(
    mut leased: Leased,
    limits: &StepLimits,
    (component, step, environment): (&Component, Step, &Environment),
    capabilities: &mut Capabilities,
) -> Ran {
    let digest = *component.digest().as_bytes();
    let run = Down::Run { digest, step, environment: environment.clone(), limits: limits.guest() };
    let at = Whereabouts::default();
    let mut used = Used::default();
    let conversation = converse(leased.worker(), &run, capabilities, (&at, &mut used));
    let ended = tokio::time::timeout(limits.wall, conversation).await;
    let outcome = match ended {
        Ok(Ok(Ended::Done)) => Outcome::Done,
        Ok(Ok(Ended::Transient(text))) => Outcome::Transient(line(&capabilities.kept(text))),
        Ok(Ok(Ended::Permanent(text))) => Outcome::Permanent(line(&capabilities.kept(text))),
        // In all other cases the process is killed, by being dropped.
        Ok(Ok(Ended::Trapped { reason, stderr })) => {
            let printed = Some(line(&capabilities.kept(stderr))).filter(|text| !text.is_empty());
            let outcome = Outcome::Permanent(line(&format!("the rotator {reason}")));
            return Ran::Ended { outcome, printed, used };
        }
        Ok(Err(Stopped::Violation(text))) => {
            let outcome = Outcome::Permanent(line(&format!("the rotator broke a rule: {text}")));
            return Ran::ended(outcome, used);
        }
        Ok(Err(Stopped::Worker(failure @ WorkerFailure::Gone(_)))) if !at.has_asked.into_inner() => {
            return Ran::Died(failure);
        }
        Ok(Err(Stopped::Worker(failure))) => return Ran::ended(failure.outcome(), used),
        Err(_) => return Ran::ended(too_slow(limits.wall, at.host.into_inner()), used),
    };
    leased.give_back();
    Ran::ended(outcome, used)
}

/// What it means that a step took too long: a slow database may be faster next time, a rotator that sleeps will not.
fn too_slow(wall: Duration, at_host: bool) -> Outcome {
    let seconds = wall.as_secs_f64();
    if at_host {
        Outcome::Transient(format!(
            "the step did not end within {seconds} s; it was waiting for the database or the store"
        ))
    } else {
        Outcome::Permanent(format!("the rotator did not end within {seconds} s"))
    }
}

impl WorkerFailure {
    /// What a worker's failure means for the step.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            // Killed from outside, out of the machine's memory, of another version: not known to be the rotator's fault.
            Self::Gone(_) | Self::Start(_) | Self::Unfit(_) => Outcome::Transient(self.to_string()),
            Self::Protocol(_) | Self::Forbidden | Self::Unconfined => Outcome::Permanent(self.to_string()),
        }
    }
}

/// How far a step has come.
#[derive(Default)]
struct Whereabouts {
    /// The host is at work for the guest.
    host: AtomicBool,
    /// The guest has asked for something.
    has_asked: AtomicBool,
}

enum Stopped {
    /// The capabilities refuse to go on.
    Violation(String),
    Worker(WorkerFailure),
}

impl From<WorkerFailure> for Stopped {
    fn from(failure: WorkerFailure) -> Self {
        Self::Worker(failure)
    }
}

async fn converse(
    worker: &mut Worker,
    run: &Down,
    capabilities: &mut Capabilities,
    (at, used): (&Whereabouts, &mut Used),
) -> Result<Ended, Stopped> {
    worker.begin(run).await?;
    let mut has_told = false;
    let mut pace = Pace::begin();
    loop {
        let call = match worker.receive().await? {
            Up::Call(call) => call,
            Up::Done(ended) => return Ok(ended),
            Up::Used(told) if !has_told => {
                (*used, has_told) = (told, true);
                continue;
            }
            Up::Used(_) | Up::Ready | Up::Loaded(_) => {
                return Err(WorkerFailure::Protocol("it spoke out of turn".to_owned()).into());
            }
        };
        // Before anything is done for it: the pipe is short, so that a guest which awaits no answers waits too.
        let wait = pace.after(worker.said_last());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let answered = !matches!(call, Call::Drop(_));
        at.has_asked.store(true, Ordering::Relaxed);
        at.host.store(true, Ordering::Relaxed);
        let reply = capabilities.answer(call).await;
        at.host.store(false, Ordering::Relaxed);
        if let Reply::Violation(text) = reply {
            return Err(Stopped::Violation(text));
        }
        if answered {
            worker.send(&Down::Reply(reply)).await?;
        }
    }
}
