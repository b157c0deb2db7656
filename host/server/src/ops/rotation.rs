//! Rotations: asked for, scheduled, cancelled, looked at.

use pawl_api::error::ErrorCode;
use pawl_api::pawl::{
    DescribeRotationRequest, DescribeRotationResponse, Failure, LogLine, RotationStatus, StepOutcome, StepRun,
};
use pawl_api::secrets_manager::refusal;
use pawl_api::secrets_manager::shapes::{
    CancelRotateSecretRequest, RotateSecretRequest, RotateSecretResponse, RotationRules,
};
use pawl_core::arn::SecretArn;
use pawl_core::function::{FunctionArn, Invocation};
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Rotation, Status, Step};
use pawl_core::schedule::Schedule;
use pawl_core::secret::{Pin, Rotate, RotateError, RotationConfig, Secret, Turn};
use pawl_core::world::Timestamp;

use super::Answer;
use crate::app::{Action, Ask, Draft};
use crate::error::{AppError, refuse};
use crate::functions::{FindError, Resolved};
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
    // Somebody who names another function meanwhile has it looked for again.
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let held = host.app.read(caller, ask.clone(), &input.secret_id).await?;
        held.secret.must_be_primary()?;
        held.secret.must_live()?;
        let function = Named::of(&held.secret, asked.function.as_ref()).ok_or(RotateError::NoFunction)?;
        host.app.may_invoke(caller, &function.arn).await?;
        let resolved = resolve(host, &function).await?;
        let begun = host.app.change(caller, ask.clone(), &input.secret_id, |draft| {
            draft.secret.must_live()?;
            if Named::of(&draft.secret, asked.function.as_ref()).as_ref() != Some(&function) {
                return Ok(None);
            }
            configure(draft, &asked, &function.arn);
            if asked.immediately {
                Ok(Some(draft.secret.rotate(&asked.token, resolved.pin(), draft.now)?))
            } else {
                check(draft, &asked.token, resolved.pin())?;
                Ok(Some(Rotate::Begun(asked.token.clone())))
            }
        });
        let (held, Some(rotate)) = begun.await? else { continue };
        host.app.nudge().notify_one();
        return match rotate {
            Rotate::EarlierResumed(_) => Err(AppError::EarlierRotation),
            Rotate::Begun(_) => Ok(RotateSecretResponse {
                arn: held.secret.arn.to_string(),
                name: held.secret.name.to_string(),
                version_id: Some(asked.token.into()),
            }),
        };
    }
    Err(AppError::LostRace)
}

/// A secret, and the function that is to rotate it.
#[derive(PartialEq, Eq)]
pub(super) struct Named {
    secret: SecretArn,
    arn: FunctionArn,
}

impl Named {
    /// The function that is given, else the one that is configured.
    pub(super) fn of(secret: &Secret, given: Option<&FunctionArn>) -> Option<Self> {
        let configured = || secret.rotation_config.as_ref().map(|config| &config.function);
        Some(Self { secret: secret.arn.clone(), arn: given.or_else(configured)?.clone() })
    }
}

/// The version of a function that rotates a secret if it begins now: what Secrets Manager would invoke, with leave to do so.
pub(super) async fn find(host: &Host, named: &Named) -> Result<Resolved, FindError> {
    let invocation = Invocation {
        principal: "secretsmanager.amazonaws.com",
        source_arn: Some(named.secret.as_str()),
        source_account: Some(host.app.account()),
    };
    let (functions, rng) = (host.app.functions(), host.app.rng());
    functions.resolve(host.app.queue(), &named.arn, Some(&invocation), &**rng).await
}

/// [`find`], with AWS's words for why it cannot be.
pub(super) async fn resolve(host: &Host, named: &Named) -> Result<Resolved, AppError> {
    find(host, named).await.map_err(not_invocable)
}

fn not_invocable(error: FindError) -> AppError {
    match error {
        FindError::Store(error) => AppError::Store(error),
        FindError::NoFunction(_) | FindError::NoVersion(_) | FindError::NotPermitted(_) => {
            AppError::Api(refusal::function_not_invocable())
        }
        FindError::NotApproved { .. } | FindError::NoCode(_) => refuse(
            ErrorCode::AccessDeniedException,
            format!("Secrets Manager cannot invoke the specified Lambda function: {error}"),
        ),
    }
}

/// `RotateImmediately` false: testSecret alone, on a temporary AWSPENDING version that holds the current value.
fn check(draft: &mut Draft<'_>, token: &VersionId, by: Pin) -> Result<(), AppError> {
    let now = draft.now;
    match draft.secret.begin_check(token, by, now)? {
        Some(current) => draft.copy_for_check(&current, token),
        None => Ok(()),
    }
}

/// Stores function and schedule. What is stored is what the caller has named, alias and all.
fn configure(draft: &mut Draft<'_>, asked: &Asked, function: &FunctionArn) {
    let (now, held) = (draft.now, draft.secret.rotation_config.as_ref());
    let schedule = asked.schedule.clone().or_else(|| held.and_then(|c| c.schedule.clone()));
    let function = function.clone();
    draft.secret.configure_rotation(RotationConfig { enabled: true, function, schedule }, now);
}

/// What came of a schedule's turn.
enum Taken {
    /// This.
    Turn(Turn),
    /// Its rotation could not begin, and has another turn.
    NotBegun(Turn),
    /// Nothing: the function is another one meanwhile.
    Another,
}

/// The schedule's RotateSecret: begins a rotation whose turn has come, or takes up one that was not complete; what it did.
/// `free` is the next turn of those that make up for missed ones.
///
/// # Errors
/// When the secret cannot be changed. Its function being gone or refused is told and tried again, and not an error.
pub async fn start_scheduled(
    host: &Host,
    caller: &Caller,
    secret_id: &str,
    free: Timestamp,
) -> Result<Turn, AppError> {
    let token = VersionId::try_from(crate::world::uuid(&**host.app.rng()))?;
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let held = host.app.read(caller, Action::RotateSecret, secret_id).await?;
        let function = Named::of(&held.secret, None);
        let resolved = match &function {
            Some(function) => resolve(host, function).await,
            None => Err(RotateError::NoFunction.into()),
        };
        let resolved = match resolved {
            Err(error @ AppError::Store(_)) => return Err(error),
            resolved => resolved,
        };
        let taken = host.app.change(caller, Action::RotateSecret, secret_id, |draft| {
            if Named::of(&draft.secret, None) != function {
                return Ok(Taken::Another);
            }
            Ok(take_turn(draft, &token, &resolved, free))
        });
        match taken.await?.1 {
            Taken::Another => {}
            Taken::Turn(turn) => return Ok(turn),
            Taken::NotBegun(turn) => {
                host.metrics.rotations.did_not_begin();
                return Ok(turn);
            }
        }
    }
    Err(AppError::LostRace)
}

fn take_turn(
    draft: &mut Draft<'_>,
    token: &VersionId,
    function: &Result<Resolved, AppError>,
    free: Timestamp,
) -> Taken {
    let (now, window) = (draft.now, draft.secret.next_window);
    let turn = draft.secret.take_turn(now, free);
    if !matches!(turn, Turn::Begin { .. }) {
        return Taken::Turn(turn);
    }
    let begun = match function {
        Ok(function) => {
            draft.secret.rotate_by_schedule(token, function.pin(), now).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let name = draft.secret.name.clone();
    match begun {
        Ok(Some(_)) => Taken::Turn(turn),
        Ok(None) => {
            tracing::warn!(
                secret.id = %name,
                "a server has refused this secret's account so often that the schedule leaves it to a person"
            );
            Taken::Turn(turn)
        }
        Err(reason) => {
            let again = now + limits::SCHEDULE_RETRY;
            draft.secret.try_turn_again(window, again, now);
            let next = draft.secret.next_rotation_at;
            tracing::error!(secret.id = %name, reason, next = ?next, "a scheduled rotation could not begin; it has another turn");
            draft.tell_failure(format!("a scheduled rotation could not begin: {reason}"));
            Taken::NotBegun(turn)
        }
    }
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
