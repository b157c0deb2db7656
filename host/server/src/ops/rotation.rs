//! Rotations: asked for, scheduled, cancelled, looked at.

use std::sync::Arc;

use pawl_api::error::ErrorCode;
use pawl_api::pawl::{
    DescribeRotationRequest, DescribeRotationResponse, Failure, LogLine, RotationStatus, StepOutcome, StepRun,
};
use pawl_api::secrets_manager::refusal;
use pawl_api::secrets_manager::shapes::{
    CancelRotateSecretRequest, RotateSecretRequest, RotateSecretResponse, RotationRules,
};
use pawl_core::function::FunctionArn;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Rotation, Status, Step};
use pawl_core::schedule::Schedule;
use pawl_core::secret::{Rotate, RotateError, RotationConfig, Secret, Turn};
use pawl_core::world::Timestamp;

use super::Answer;
use crate::app::{Action, Ask, Draft};
use crate::error::{AppError, refuse};
use crate::functions::Function;
use crate::host::Host;
use crate::identity::Caller;

/// What RotateSecret asks for, parsed.
struct Asked {
    token: VersionId,
    function: Option<FunctionArn>,
    schedule: Option<Schedule>,
    immediately: bool,
}

/// `secretsmanager.RotateSecret`
pub(super) async fn rotate_secret(
    host: &Host,
    caller: &Caller,
    input: RotateSecretRequest,
) -> Answer<RotateSecretRequest> {
    if input.external_secret_rotation_metadata.is_some() || input.external_secret_rotation_role_arn.is_some()
    {
        return Err(AppError::Api(refusal::external_rotation()));
    }
    let token = input
        .client_request_token
        .ok_or_else(|| AppError::Api(refusal::token_missing_for_rotation()))
        .and_then(|token| Ok(VersionId::try_from(token)?))?;
    let asked = Asked {
        token,
        function: input.rotation_lambda_arn.filter(|arn| !arn.is_empty()).map(FunctionArn::given),
        schedule: input.rotation_rules.map(schedule).transpose()?.flatten(),
        immediately: input.rotate_immediately.unwrap_or(true),
    };
    let ask = Ask::from(Action::RotateSecret)
        .with("secretsmanager:RotationLambdaARN", asked.function.as_ref())
        .with("secretsmanager:RotateImmediately", input.rotate_immediately)
        .with("secretsmanager:ModifyRotationRules", asked.schedule.as_ref().map(|_| true));
    let (held, rotate) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            configure(host, draft, &asked)?;
            if asked.immediately {
                begin(host, draft, &asked.token)
            } else {
                check(host, draft, &asked.token).map(|()| Rotate::Begun(asked.token.clone()))
            }
        })
        .await?;
    host.app.nudge().notify_one();
    match rotate {
        Rotate::EarlierResumed(_) => Err(AppError::EarlierRotation),
        Rotate::Begun(_) => Ok(RotateSecretResponse {
            arn: held.secret.arn.to_string(),
            name: held.secret.name.to_string(),
            version_id: Some(asked.token.into()),
        }),
    }
}

/// `RotateImmediately` false: testSecret alone, on a temporary AWSPENDING version that holds the current value.
fn check(host: &Host, draft: &mut Draft<'_>, token: &VersionId) -> Result<(), AppError> {
    let (now, digest) = (draft.now, configured(host, draft)?.digest());
    match draft.secret.begin_check(token, digest, now)? {
        Some(current) => draft.copy_for_check(&current, token),
        None => Ok(()),
    }
}

/// Stores function and schedule, once the function is known to be there.
fn configure(host: &Host, draft: &mut Draft<'_>, asked: &Asked) -> Result<(), AppError> {
    let now = draft.now;
    let held = draft.secret.rotation_config.as_ref();
    let function =
        asked.function.clone().or_else(|| held.map(|c| c.function.clone())).ok_or(RotateError::NoFunction)?;
    if host.app.functions().find(&function).is_none() {
        return Err(AppError::Api(refusal::function_not_invocable()));
    }
    let schedule = asked.schedule.clone().or_else(|| held.and_then(|c| c.schedule.clone()));
    draft.secret.configure_rotation(RotationConfig { enabled: true, function, schedule }, now);
    Ok(())
}

fn begin(host: &Host, draft: &mut Draft<'_>, token: &VersionId) -> Result<Rotate, AppError> {
    let (now, digest) = (draft.now, configured(host, draft)?.digest());
    Ok(draft.secret.rotate(token, digest, now)?)
}

/// The function that a secret is rotated by.
fn configured(host: &Host, draft: &Draft<'_>) -> Result<Arc<Function>, AppError> {
    let config = draft.secret.rotation_config.as_ref().ok_or(RotateError::NoFunction)?;
    let found = host.app.functions().find(&config.function);
    found.ok_or_else(|| AppError::Api(refusal::function_not_invocable()))
}

/// The schedule's RotateSecret: begins a rotation whose turn has come, or takes up one that was not complete; what it did.
/// `free` is the next turn of those that make up for missed ones.
///
/// # Errors
/// When the secret cannot be changed; its function being gone is recorded and not an error.
pub async fn start_scheduled(
    host: &Host,
    caller: &Caller,
    secret_id: &str,
    free: Timestamp,
) -> Result<Turn, AppError> {
    let token = VersionId::try_from(crate::world::uuid(&**host.app.rng()))?;
    let (_, turn) = host
        .app
        .change(caller, Action::RotateSecret, secret_id, |draft| {
            let turn = draft.secret.take_turn(draft.now, free);
            if let Turn::Begin { .. } = turn {
                let (now, digest) = (draft.now, configured(host, draft).map(|function| function.digest()));
                let begun = digest.and_then(|digest| Ok(draft.secret.rotate_by_schedule(&token, digest, now)?));
                let name = draft.secret.name.as_str();
                match begun {
                    Ok(Some(_)) => {}
                    Ok(None) => tracing::warn!(
                        secret.id = name,
                        "a server has refused this secret's account so often that the schedule leaves it to a person"
                    ),
                    Err(error) => {
                        tracing::error!(secret.id = name, %error, "a scheduled rotation could not begin");
                    }
                }
            }
            Ok(turn)
        })
        .await?;
    Ok(turn)
}

/// `secretsmanager.CancelRotateSecret`
pub(super) async fn cancel_rotate_secret(
    host: &Host,
    caller: &Caller,
    input: CancelRotateSecretRequest,
) -> Answer<CancelRotateSecretRequest> {
    let (held, cancelled) = host
        .app
        .change(caller, Action::CancelRotateSecret, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            if draft.secret.rotation_config.is_none() {
                return Err(AppError::Api(refusal::rotation_never_configured()));
            }
            let now = draft.now;
            Ok(draft.secret.cancel_rotation(now))
        })
        .await?;
    Ok(RotateSecretResponse {
        arn: held.secret.arn.to_string(),
        name: held.secret.name.to_string(),
        version_id: cancelled.map(Into::into),
    })
}

/// `Pawl.DescribeRotation`
pub(super) async fn describe_rotation(
    host: &Host,
    caller: &Caller,
    input: DescribeRotationRequest,
) -> Answer<DescribeRotationRequest> {
    let held = host.app.read(caller, Action::DescribeSecret, &input.secret_id).await?;
    let rotation = held
        .secret
        .rotation
        .as_ref()
        .filter(|rotation| input.version_id.as_ref().is_none_or(|id| id == rotation.token.as_str()))
        .ok_or_else(|| {
            refuse(
                ErrorCode::ResourceNotFoundException,
                "This secret has no such rotation; `pawl rotate` begins one.",
            )
        })?;
    Ok(view(&held.secret, rotation, host.app.clock().now()))
}

fn view(secret: &Secret, rotation: &Rotation, now: Timestamp) -> DescribeRotationResponse {
    let (status, step) = match rotation.status {
        Status::Running { step } => (RotationStatus::Running, Some(step)),
        Status::Succeeded => (RotationStatus::Succeeded, None),
        Status::Failed { step } => (RotationStatus::Failed, Some(step)),
        Status::Stranded { step } => (RotationStatus::Stranded, Some(step)),
        Status::Cancelled => (RotationStatus::Cancelled, None),
        Status::Abandoned => (RotationStatus::Abandoned, None),
    };
    let steps = rotation.steps.iter().map(|run| StepRun {
        step: run.step.name().to_owned(),
        started_date: run.started_at.into(),
        milliseconds: run.micros.div_ceil(1_000),
        attempts: run.tries,
        outcome: StepOutcome::Done,
    });
    DescribeRotationResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        version_id: rotation.token.to_string(),
        status,
        attempt: rotation.failed_tries.saturating_add(u32::from(status == RotationStatus::Running)),
        now: now.into(),
        requested_date: rotation.requested_at.into(),
        steps: steps.collect(),
        log: rotation
            .log
            .iter()
            .map(|line| LogLine {
                level: line.level.clone(),
                message: line.message.clone(),
                step: line.step.name().to_owned(),
            })
            .collect(),
        step: step.map(|step: Step| step.name().to_owned()),
        not_before: rotation.due_at().map(Into::into),
        finished_date: rotation.finished_at.map(Into::into),
        function_arn: Some(rotation.function.to_string()),
        function_digest: Some(rotation.digest.to_string()),
        failure: rotation.failure.as_ref().map(|failure| Failure {
            step: failure.step.name().to_owned(),
            reason: failure.reason.clone(),
            retryable: failure.retried,
        }),
    }
}

fn schedule(rules: RotationRules) -> Result<Option<Schedule>, AppError> {
    let wrong = |text: String| refuse(ErrorCode::InvalidParameterException, text);
    let RotationRules { automatically_after_days, duration, schedule_expression } = rules;
    if automatically_after_days.is_none() && schedule_expression.is_none() && duration.is_none() {
        return Ok(None);
    }
    Schedule::parse(automatically_after_days, duration.as_deref(), schedule_expression.as_deref())
        .map(Some)
        .map_err(|error| wrong(error.to_string()))
}

/// A secret's schedule as RotationRules shows it. AutomaticallyAfterDays that was not given is "calculated from the rotation
/// schedule after every successful rotation" (DescribeSecret's reference): the days from the last one to the next.
pub(super) fn rules(secret: &Secret) -> Option<RotationRules> {
    let schedule = secret.rotation_config.as_ref()?.schedule.as_ref()?;
    let calculated = || {
        let apart = secret.next_rotation_at?.day().millis_since(secret.last_rotated_at?.day());
        i64::try_from(apart / DAY_MILLIS).ok().map(|days| days.max(1))
    };
    Some(RotationRules {
        automatically_after_days: schedule.automatically_after_days().map(i64::from).or_else(calculated),
        duration: schedule.duration().map(str::to_owned),
        schedule_expression: schedule.expression().map(str::to_owned),
    })
}

const DAY_MILLIS: u64 = 24 * 3_600_000;

/// The last second of the next window, as DescribeSecret shows it: AWS's "on or before this date". `Pawl.PlanRotations` has the
/// moment itself (docs/adr/0013).
pub(super) fn next_rotation_date(secret: &Secret) -> Option<Timestamp> {
    let schedule = secret.rotation_config.as_ref().filter(|config| config.enabled)?.schedule.as_ref()?;
    let at = secret.next_rotation_at?;
    Some(secret.next_window.map_or_else(|| schedule.next_rotation_date(at), |next| next.window.last_second()))
}
