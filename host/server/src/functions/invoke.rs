//! Lambda's Invoke: a rehearsal of one step of a rotation, which changes nothing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::port::SecretsPort;
use pawl_runtime::{EarlyLogin, StepJob, StepReport, Used};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::Resolved;
use super::log::{self, Run};
use super::port::InvocationPort;
use crate::app::Action;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// What a function answered.
#[derive(Debug)]
pub struct Invoked {
    /// Its answer, as JSON; of one that failed, `errorType` and `errorMessage`.
    pub payload: Zeroizing<Vec<u8>>,
    /// `Unhandled` when it failed: AWS's `X-Amz-Function-Error`.
    pub function_error: Option<&'static str>,
    /// What it wrote, between AWS's START and REPORT lines: the last 4 KB, in clear text.
    pub log: String,
    /// The version that ran: AWS's `X-Amz-Executed-Version`.
    pub version: String,
}

/// Why a function was not invoked.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// As many of it run as are reserved for it. TooManyRequestsException, 429, reason
    /// `ReservedFunctionConcurrentInvocationLimitExceeded`.
    #[error("Rate Exceeded.")]
    Throttled,
    /// What was sent is no JSON. InvalidRequestContentException, 400.
    #[error("Could not parse request body into json: {0}")]
    NotJson(String),
    /// The host's own failure.
    #[error(transparent)]
    App(#[from] AppError),
}

/// AWS's rotation event.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    step: Step,
    secret_id: String,
    client_request_token: VersionId,
}

/// Rehearses the step that AWS's rotation event in `payload` names (`{"Step", "SecretId", "ClientRequestToken"}`), by a function
/// that the caller may invoke. Nothing is changed: neither the store, nor a password in a database. Logins are really tried.
///
/// # Errors
/// When it could not be run at all; what goes wrong in it is its answer.
pub async fn invoke(
    host: &Arc<Host>,
    caller: &Caller,
    resolved: Resolved,
    payload: &[u8],
) -> Result<Invoked, InvokeError> {
    // The command line sends nothing at all when no payload is given.
    let payload = if payload.is_empty() { b"{}" } else { payload };
    let event: serde_json::Value =
        serde_json::from_slice(payload).map_err(|error| InvokeError::NotJson(error.to_string()))?;
    let functions = host.app.functions();
    let Some(_permit) = functions.running().take(&resolved.key(), resolved.reserved_concurrency) else {
        host.metrics.functions.throttled(&resolved.name, &resolved.version.to_string());
        return Err(InvokeError::Throttled);
    };
    let mut invocation = Invocation { host, caller, function: &resolved, log: String::new() };
    let began = Instant::now();
    let answer = match serde_json::from_value::<Event>(event) {
        Ok(event) => invocation.rehearse(event).await?,
        Err(error) => Answer::failed("ValueError", &format!("the payload is no rotation event: {error}")),
    };
    Ok(invocation.answered(&answer, began.elapsed()))
}

/// What a function's run came to.
struct Answer {
    payload: serde_json::Value,
    failed: bool,
    used: Used,
}

impl Answer {
    fn failed(kind: &str, message: &str) -> Self {
        let payload = json!({"errorType": kind, "errorMessage": message});
        Self { payload, failed: true, used: Used::default() }
    }

    /// A refusal of the service's, as a function that calls it would fail with it.
    fn refused(error: AppError) -> Result<Self, InvokeError> {
        if error.is_hosts() {
            return Err(error.into());
        }
        let error = error.into_api();
        Ok(Self::failed(error.code.as_str(), &error.message))
    }

    fn of(step: Step, report: StepReport, in_store: Vec<String>) -> Self {
        let StepReport { outcome, used, mut would, .. } = report;
        would.extend(in_store);
        let failure = |kind, reason: &str| Self { used, ..Self::failed(kind, reason) };
        match outcome {
            Outcome::Done => {
                let payload = json!({"step": step.name(), "outcome": "done", "would": would});
                Self { payload, failed: false, used }
            }
            Outcome::Transient(reason) => failure("TransientFailure", &reason),
            Outcome::Permanent(reason) => failure("PermanentFailure", &reason),
            Outcome::Superseded => failure("TransientFailure", "superseded"),
        }
    }
}

/// One invocation, and what it has written.
struct Invocation<'a> {
    host: &'a Arc<Host>,
    caller: &'a Caller,
    function: &'a Resolved,
    log: String,
}

impl Invocation<'_> {
    async fn rehearse(&mut self, event: Event) -> Result<Answer, InvokeError> {
        let (host, step, token) = (self.host, event.step, event.client_request_token);
        let held = match host.app.read(self.caller, Action::RotateSecret, &event.secret_id).await {
            Ok(held) => held,
            Err(error) => return Answer::refused(error),
        };
        let may = held.secret.must_be_primary().and_then(|()| held.secret.must_live());
        if let Err(error) = may {
            return Answer::refused(error.into());
        }
        let function = Caller::rotation(&self.function.arn, self.caller.region.clone(), &token);
        let port = match InvocationPort::new(host, function, held, (token, step)).await {
            Ok(port) => Arc::new(port),
            Err(error) => return Answer::refused(error),
        };
        if port.wants_creating() {
            let made = self.run(&port, Step::CreateSecret).await;
            if made.outcome != Outcome::Done {
                return Ok(Answer::of(Step::CreateSecret, made, Vec::new()));
            }
        }
        let report = self.run(&port, step).await;
        Ok(Answer::of(step, report, port.would()))
    }

    async fn run(&mut self, port: &Arc<InvocationPort>, step: Step) -> StepReport {
        port.begin(step);
        let began = Instant::now();
        let function = self.function;
        let report = self
            .host
            .runtime
            .run_step(StepJob {
                component: function.component.clone(),
                step,
                environment: function.environment.clone(),
                grants: function.grants.clone(),
                port: Arc::clone(port) as Arc<dyn SecretsPort>,
                allowance: function.allowance(),
                early: EarlyLogin::default(),
                rehearsal: true,
            })
            .await;
        Run { function, step, request_id: &self.caller.request_id, took: began.elapsed() }
            .note(self.host, &report);
        for line in &report.log {
            let _ = writeln!(self.log, "[{}] {}", log::level(line.severity).to_uppercase(), line.text);
        }
        report
    }

    /// The answer, with AWS's lines around what was written.
    fn answered(self, answer: &Answer, took: Duration) -> Invoked {
        let (id, version) = (&self.caller.request_id, self.function.version.to_string());
        let mut log = format!("START RequestId: {id} Version: {version}\n{}", self.log);
        if answer.failed {
            let text = |field: &str| answer.payload.get(field).and_then(|of| of.as_str()).unwrap_or_default();
            let _ = writeln!(log, "[ERROR] {}: {}", text("errorType"), text("errorMessage"));
        }
        let (millis, mebibyte) = (took.as_secs_f64() * 1_000.0, 1_u64 << 20);
        let allowed = u64::try_from(self.function.memory_bytes).unwrap_or(u64::MAX) / mebibyte;
        let used = answer.used.memory_bytes.div_ceil(mebibyte);
        let _ = writeln!(
            log,
            "END RequestId: {id}\nREPORT RequestId: {id}\tDuration: {millis:.2} ms\tBilled Duration: {:.0} ms\t\
             Memory Size: {allowed} MB\tMax Memory Used: {used} MB\t",
            millis.ceil()
        );
        Invoked {
            payload: Zeroizing::new(answer.payload.to_string().into_bytes()),
            function_error: answer.failed.then_some("Unhandled"),
            log: last(log, limits::INVOKE_LOG_TAIL_BYTES),
            version,
        }
    }
}

/// The end of a text, of so many bytes at most.
fn last(mut text: String, bytes: usize) -> String {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.split_off(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_cut_between_characters() {
        assert_eq!(last("abc".to_owned(), 10), "abc");
        assert_eq!(last("abc".to_owned(), 2), "bc");
        assert_eq!(last("aébc".to_owned(), 3), "bc");
        assert_eq!(last("aébc".to_owned(), 4), "ébc");
    }

    #[test]
    fn an_event_is_awss_and_other_fields_are_passed_over() {
        let event = |text: &str| serde_json::from_str::<Event>(text);
        let token = "0".repeat(36);
        let good = format!(
            r#"{{"Step":"setSecret","SecretId":"x","ClientRequestToken":"{token}","RotationToken":"y"}}"#
        );
        assert_eq!(event(&good).unwrap().step, Step::SetSecret);
        for bad in
            ["{}", "null", "[]", &good.replace("setSecret", "SetSecret"), &good.replace("Step", "step")]
        {
            assert!(event(bad).is_err(), "{bad}");
        }
    }
}
