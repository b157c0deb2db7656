//! The rotations of a secret that have ended: kept with the change that ended them, and shown by `Pawl.ListRotations`.

use pawl_api::pawl::{
    Failure, ListRotationsRequest, ListRotationsResponse, LogLine, PastRotation, RotationStatus, StepOutcome,
    StepRun,
};
use pawl_core::rotation::{Rotation, Status, StepRecord};
use pawl_core::secret::Secret;
use pawl_core::world::Timestamp;
use pawl_store::EndedRotation;

use crate::app::Action;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::{Answer, page};

/// Whether it is under way.
pub(crate) const fn is_running(rotation: &Rotation) -> bool {
    rotation.status.running().is_some()
}

/// Whether both are the same rotation, and not one that was begun again under its token.
pub(crate) fn is_same(one: &Rotation, other: &Rotation) -> bool {
    one.token == other.token && one.requested_at == other.requested_at && one.check == other.check
}

/// The rotations that a change has ended: the one that ran, and, where another has taken its place, how that one left it.
///
/// # Errors
/// Never in practice: a rotation can be written.
pub(crate) fn ended_by(
    before: Option<&Secret>,
    after: &Secret,
    now: Timestamp,
) -> Result<Vec<EndedRotation>, AppError> {
    let was = before.and_then(|secret| secret.rotation.as_deref());
    let is = after.rotation.as_deref();
    let mut ended = Vec::new();
    if let Some(replaced) = was.filter(|was| is_running(was) && !is.is_some_and(|is| is_same(was, is))) {
        let mut replaced = replaced.clone();
        if replaced.check {
            replaced.cancel(now);
        } else {
            replaced.abandon(now);
        }
        ended.push(kept(&replaced, now)?);
    }
    let was_running = |is: &Rotation| was.is_none_or(|was| is_running(was) || !is_same(was, is));
    if let Some(is) = is.filter(|is| !is_running(is) && was_running(is)) {
        ended.push(kept(is, now)?);
    }
    Ok(ended)
}

fn kept(rotation: &Rotation, now: Timestamp) -> Result<EndedRotation, AppError> {
    let document = serde_json::to_string(rotation)
        .map_err(|error| AppError::Inconsistent { what: format!("a rotation cannot be written: {error}") })?;
    Ok(EndedRotation {
        token: rotation.token.clone(),
        status: rotation.status.name().to_owned(),
        requested_at: rotation.requested_at,
        finished_at: rotation.finished_at.unwrap_or(now),
        document,
    })
}

/// `Pawl.ListRotations`
pub(crate) async fn list_rotations(
    host: &Host,
    caller: &Caller,
    input: ListRotationsRequest,
) -> Answer<ListRotationsRequest> {
    let held = host.app.read(caller, Action::DescribeSecret, &input.secret_id).await?;
    let (secret, now) = (&held.secret, host.app.clock().now());
    // A replica's history is its primary's, as its values are.
    let arn = held.seal_arn();
    let list = format!("ListRotations:{arn}");
    let before = input.next_token.as_deref().map(|token| host.pages.open(&list, token, now)).transpose()?;
    let size = page::size(input.max_results);
    let wanted = u32::try_from(size).unwrap_or(u32::MAX).saturating_add(1);
    let kept = host.app.queue().rotations(arn, before.unwrap_or(u64::MAX), wanted).await?;
    let mut shown = Vec::with_capacity(kept.len());
    for kept in &kept {
        shown.push((Some(kept.number), read(&kept.rotation)?));
    }
    // The one that runs, or that a program ended which kept none, is the newest.
    if let Some(last) = secret.rotation.as_deref().filter(|_| before.is_none())
        && !shown.iter().any(|(_, rotation)| is_same(rotation, last))
    {
        shown.insert(0, (None, last.clone()));
    }
    let more = shown.len() > size;
    shown.truncate(size);
    let next = shown.last().filter(|_| more).map(|(number, _)| number.unwrap_or(u64::MAX));
    Ok(ListRotationsResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        now: now.into(),
        rotations: shown.iter().map(|(number, rotation)| view(*number, rotation)).collect(),
        next_token: next.and_then(|place| host.pages.seal(&list, &place, now)),
    })
}

fn read(ended: &EndedRotation) -> Result<Rotation, AppError> {
    serde_json::from_str(&ended.document).map_err(|error| AppError::Inconsistent {
        what: format!("the rotation {} that is kept cannot be read: {error}", ended.token),
    })
}

fn view(number: Option<u64>, rotation: &Rotation) -> PastRotation {
    let (status, step) = match rotation.status {
        Status::Running { step } => (RotationStatus::Running, Some(step)),
        Status::Succeeded => (RotationStatus::Succeeded, None),
        Status::Failed { step } => (RotationStatus::Failed, Some(step)),
        Status::Stranded { step } => (RotationStatus::Stranded, Some(step)),
        Status::Cancelled => (RotationStatus::Cancelled, None),
        Status::Abandoned => (RotationStatus::Abandoned, None),
    };
    PastRotation {
        version_id: rotation.token.to_string(),
        status,
        requested_date: rotation.requested_at.into(),
        function_arn: rotation.function.to_string(),
        function_digest: rotation.digest.to_string(),
        steps: rotation.steps.iter().map(step_run).collect(),
        log: rotation.log.iter().map(log_line).collect(),
        failed_attempts: rotation.failed_tries,
        number,
        step: step.map(|step| step.name().to_owned()),
        finished_date: rotation.finished_at.map(Into::into),
        failure: rotation.failure.as_ref().map(|failure| Failure {
            step: failure.step.name().to_owned(),
            reason: failure.reason.clone(),
            retryable: failure.retried,
        }),
        trial: rotation.check.then_some(true),
        gap_microseconds: rotation.gap_micros,
    }
}

fn step_run(run: &StepRecord) -> StepRun {
    StepRun {
        step: run.step.name().to_owned(),
        started_date: run.started_at.into(),
        milliseconds: run.micros.div_ceil(1_000),
        attempts: run.tries,
        outcome: StepOutcome::Done,
    }
}

fn log_line(line: &pawl_core::rotation::LogLine) -> LogLine {
    LogLine { level: line.level.clone(), message: line.message.clone(), step: line.step.name().to_owned() }
}
