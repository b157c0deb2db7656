//! Runs a claimed rotation, step by step: what the machine in `core::rotation` says is done, and what came of it is committed
//! before anything else happens.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::rotation::{LogLine, Outcome, Rotation, Status, Step, StepRun};
use pawl_core::secret::Secret;
use pawl_runtime::{EarlyLogin, StepJob};
use pawl_store::Claim;
use tracing::Instrument as _;

use super::ahead::Ahead;
use super::pinned::{Pinned, permit};
use super::port::RotationPort;
use super::recorded::EndedSteps;
use crate::app::{Action, Fate};
use crate::error::AppError;
use crate::functions::{Resolved, log};
use crate::host::Host;
use crate::identity::{Caller, Standing};
use crate::{metrics, spans};

/// Runs the rotation until it ends, has to wait, or belongs to somebody else.
pub(super) async fn run(host: Arc<Host>, claim: Claim) {
    let name = claim.name.clone();
    let _running = host.metrics.rotations.begin();
    let span = spans::rotation(&claim);
    match try_run(&host, claim).instrument(span).await {
        Ok(()) => {}
        Err(AppError::Fenced | AppError::NoSuchSecret) => {
            host.metrics.rotations.lease_was_lost();
            tracing::info!(secret.id = %name, "another host goes on with this rotation, or the secret is gone");
        }
        // The lease ends by itself, and whoever claims the rotation then goes on at the recorded step.
        Err(error) => {
            tracing::error!(secret.id = %name, %error, "a rotation was interrupted and will be resumed");
        }
    }
    host.app.nudge().notify_one();
}

async fn try_run(host: &Arc<Host>, claim: Claim) -> Result<(), AppError> {
    // By ARN: a secret that was deleted and made anew under the name is not this claim's.
    let id = SecretId { name: claim.name.clone(), place: None, arn: Some(claim.arn.to_string()) };
    let scheduler = Caller::scheduler(claim.region.clone(), claim.name.to_string());
    let (moments, ahead, early) = (Moments::default(), Ahead::waiting(), EarlyLogin::default());
    let ended = EndedSteps::default();
    let mut pinned = Pinned::default();
    let mut next = current(host, &scheduler, &id).await?;
    if next.is_none() {
        // Cancelled between the claim and now. The lease must not keep the next rotation waiting.
        let rotation = Caller { standing: Standing::Rotation, ..scheduler };
        let fence = Some(claim.epoch);
        host.app.change_at(&rotation, Action::RotationStep, &id, fence, |_| Ok(((), Fate::Released))).await?;
        return Ok(());
    }
    loop {
        let Some((rotation, step)) = next.as_ref().and_then(|r| Some((r, r.status.running()?))) else {
            return Ok(());
        };
        let caller = Caller::rotation(&rotation.function, claim.region.clone(), &rotation.token);
        let function = pinned.of(host, rotation).await;
        let (function, moments, ahead, early, ended) = (&function, &moments, &ahead, &early, &ended);
        let job =
            Job { host, claim: &claim, id: &id, caller: &caller, function, moments, ahead, early, ended };
        let span = spans::step(rotation, step);
        let (outcome, run) = job.run(rotation, step).instrument(span.clone()).await;
        spans::step_ended(&span, &outcome);
        span.in_scope(|| tell(&claim, step, &outcome, &run));
        host.metrics.rotations.step_ended(job.function_name(), step, &outcome, run.took);
        ended.note(function.as_ref().ok(), rotation, (step, &outcome), run.took);
        next = match job.goes_ahead(rotation, step, &outcome, &run).await {
            Some(next) => Some(next),
            None => job.commit(rotation, step, outcome, run).instrument(span).await?,
        };
    }
}

/// The rotation that is to be run now, if there is one.
async fn current(host: &Host, caller: &Caller, id: &SecretId) -> Result<Option<Rotation>, AppError> {
    let step = Caller { standing: Standing::Rotation, ..caller.clone() };
    let held = host.app.read_at(&step, Action::RotationStep, id).await?;
    Ok(due(&held.secret, host))
}

fn due(secret: &Secret, host: &Host) -> Option<Rotation> {
    let now = host.app.clock().now();
    secret.rotation.as_deref().filter(|rotation| rotation.due_at().is_some_and(|at| at <= now)).cloned()
}

/// When AWSCURRENT stopped to open the database, and when it moved: by one clock, as long as one claim does both.
#[derive(Default)]
struct Moments {
    changed_at: OnceLock<Instant>,
    promoted_at: Arc<OnceLock<Instant>>,
}

impl Moments {
    fn gap(&self) -> Option<Duration> {
        Some(self.promoted_at.get()?.saturating_duration_since(*self.changed_at.get()?))
    }
}

/// One step's surroundings.
struct Job<'a> {
    host: &'a Arc<Host>,
    claim: &'a Claim,
    id: &'a SecretId,
    caller: &'a Caller,
    /// What is run; else how the step ends.
    function: &'a Result<Resolved, Outcome>,
    moments: &'a Moments,
    ahead: &'a Ahead,
    early: &'a EarlyLogin,
    ended: &'a EndedSteps,
}

impl Job<'_> {
    async fn run(&self, rotation: &Rotation, step: Step) -> (Outcome, StepRun) {
        let started_at = self.host.app.clock().now();
        let ready = self.function.as_ref().map_err(Outcome::clone);
        let ready = ready.and_then(|function| Ok((function, permit(self.host, rotation, function)?)));
        let (function, _permit) = match ready {
            Ok(ready) => ready,
            Err(outcome) => return (outcome, StepRun::begun(started_at)),
        };
        let port = RotationPort {
            host: self.host.clone(),
            caller: self.caller.clone(),
            id: self.id.clone(),
            token: rotation.token.clone(),
            epoch: self.claim.epoch,
            promoted_at: self.moments.promoted_at.clone(),
            ahead: self.ahead.clone(),
        };
        let began = Instant::now();
        let report = self
            .holding_on(self.host.runtime.run_step(StepJob {
                component: function.component.clone(),
                step,
                environment: function.environment.clone(),
                grants: function.grants.clone(),
                port: Arc::new(port),
                allowance: function.allowance(),
                rehearsal: false,
                early: self.early.clone(),
            }))
            .await;
        let run = log::Run { function, step, request_id: rotation.token.as_str(), took: began.elapsed() };
        run.note(self.host, &report);
        let log = report.log.into_iter().map(|line| written(step, line)).collect();
        let changed_at = report.changed_at.map(|at| {
            let _first = self.moments.changed_at.set(at);
            self.host.app.clock().now()
        });
        let gap = Some(step).filter(|step| *step == Step::FinishSecret).and_then(|_| self.moments.gap());
        let run = StepRun { started_at, took: began.elapsed(), log, proof: report.proof, changed_at, gap };
        (report.outcome, run)
    }

    fn function_name(&self) -> &str {
        self.function.as_ref().map_or(metrics::UNKNOWN, |function| &function.name)
    }

    /// Waits for `work` and renews the lease meanwhile: a step may wait for a worker, or for a compilation, longer than a lease
    /// lasts. A lease that is lost all the same stops the step at its next call, by the fence.
    async fn holding_on<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.renew_later() => {}
            }
        }
    }

    /// Renews the lease when a third of it has passed.
    async fn renew_later(&self) {
        tokio::time::sleep(limits::LEASE / 3).await;
        let (store, wall) = (self.host.app.queue(), self.host.app.clock().wall());
        if let Err(error) = store.renew_lease(&self.claim.arn, self.claim.epoch, wall, limits::LEASE).await {
            tracing::warn!(secret.arn = %self.claim.arn, %error, "the lease on a rotation could not be renewed");
        }
    }

    /// The rotation after a step whose end is stored later, with the promotion; none when it is to be stored now.
    async fn goes_ahead(
        &self,
        rotation: &Rotation,
        step: Step,
        outcome: &Outcome,
        run: &StepRun,
    ) -> Option<Rotation> {
        if !Ahead::may_wait(rotation, step, outcome) {
            return None;
        }
        let app = &self.host.app;
        // A store that does not answer is waited for by the commit.
        let held = app.read_at(self.caller, Action::RotationStep, self.id).await.ok()?;
        let mut secret = held.secret.clone();
        self.ahead.push(step, run.clone());
        self.ahead.show(&mut secret, &rotation.token, app.clock().now(), &**app.rng());
        let next = self.goes_on(&secret, rotation).filter(|next| !next.is_at(step));
        if next.is_none() {
            self.ahead.pop();
        }
        next
    }

    /// Commits what came of a step; the rotation as it then is, when it goes on at once. A store that fails is tried again: what
    /// is known here must not be lost, and giving up would leave the rotation where it is until the lease ends.
    async fn commit(
        &self,
        rotation: &Rotation,
        step: Step,
        outcome: Outcome,
        run: StepRun,
    ) -> Result<Option<Rotation>, AppError> {
        let mut wait = limits::STEP_COMMIT_WAIT;
        loop {
            match self.try_commit(rotation, step, &outcome, &run).await {
                Err(error @ (AppError::LostRace | AppError::Store(_))) => {
                    tracing::warn!(secret.arn = %self.claim.arn, %error, "a step's end could not be stored; it is tried again");
                    self.holding_on(tokio::time::sleep(wait)).await;
                    wait = (wait * 2).min(limits::LEASE / 6);
                    // Gone to somebody else, who has the last word now.
                    let held = host_holds(self.host, self.claim).await;
                    if held == Some(false) {
                        return Err(AppError::Fenced);
                    }
                }
                done => return done,
            }
        }
    }

    async fn try_commit(
        &self,
        rotation: &Rotation,
        step: Step,
        outcome: &Outcome,
        run: &StepRun,
    ) -> Result<Option<Rotation>, AppError> {
        let host = self.host;
        let (held, ()) = host
            .app
            .change_at(self.caller, Action::RotationStep, self.id, Some(self.claim.epoch), |draft| {
                let (now, ended, rng) = (draft.now, (step, outcome.clone()), &**host.app.rng());
                // Without the value that it was built on nothing has come of this claim, and the recorded step is run again.
                if self.ahead.store(draft, &rotation.token, rng).is_ok() {
                    draft.secret.step_ended(&rotation.token, ended, run.clone(), now, rng);
                }
                draft.steps = self.ended.all();
                let goes_on = self.goes_on(&draft.secret, rotation).is_some();
                Ok(((), if goes_on { Fate::Kept } else { Fate::Released }))
            })
            .await?;
        self.ahead.clear();
        self.ended.clear();
        if let Some(ended) = held.secret.rotation.as_ref().filter(|r| r.status.running().is_none()) {
            tell_end(&held.secret, ended);
            host.metrics.rotations.ended(self.function_name(), ended);
        }
        Ok(self.goes_on(&held.secret, rotation))
    }

    /// The same rotation, when its next step is due. Another one is claimed anew.
    fn goes_on(&self, secret: &Secret, rotation: &Rotation) -> Option<Rotation> {
        due(secret, self.host).filter(|next| next.token == rotation.token)
    }
}

/// Whether the claim still holds; none when the store does not say.
async fn host_holds(host: &Host, claim: &Claim) -> Option<bool> {
    let left = host.app.queue().claim_left(&claim.arn, claim.epoch, host.app.clock().wall()).await;
    left.ok().map(|left| left.is_some())
}

pub(super) fn written(step: Step, line: pawl_runtime::LogLine) -> LogLine {
    LogLine { step, level: log::level(line.severity).to_owned(), message: line.text }
}

fn tell(claim: &Claim, step: Step, outcome: &Outcome, run: &StepRun) {
    let (secret, took) = (claim.name.as_str(), run.took);
    match outcome {
        Outcome::Done => tracing::info!(secret.id = secret, rotation.step = %step, ?took, "the step is done"),
        Outcome::Transient(reason) => {
            tracing::warn!(secret.id = secret, rotation.step = %step, ?took, reason, "the step failed and will be tried again");
        }
        Outcome::Permanent(reason) => {
            tracing::error!(secret.id = secret, rotation.step = %step, ?took, reason, "the step failed");
        }
        Outcome::Superseded => {
            tracing::info!(secret.id = secret, rotation.step = %step, "the step was superseded");
        }
    }
}

fn tell_end(secret: &Secret, rotation: &Rotation) {
    let status = rotation.status.name();
    match rotation.status {
        Status::Stranded { step } => tracing::error!(
            secret.arn = %secret.arn,
            rotation.step = %step,
            "STRANDED: the database has the new password, and AWSCURRENT may not. AWSPENDING holds the one that works. \
             Rotate again once the cause is mended"
        ),
        _ => tracing::info!(secret.arn = %secret.arn, status, "the rotation has ended"),
    }
}
