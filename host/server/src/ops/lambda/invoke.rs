//! Invoke: a rehearsal of one step, by whoever may invoke the function.

use axum::http::header::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::limits;
use zeroize::Zeroizing;

use super::{NO_CONTENT, Reply, Request};
use crate::error::AppError;
use crate::functions::invoke::{InvokeError, Invoked, invoke as run};
use crate::functions::{FindError, FunctionError};

const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");

/// What AWS hands on to a function beside the payload, and no rotator has a use for.
const NOT_HANDED_ON: [&str; 3] = ["x-amz-client-context", "x-amz-durable-execution-name", "x-amz-tenant-id"];

/// How a function is to be invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Run it, and wait for its answer.
    RequestResponse,
    /// Say whether it would be.
    DryRun,
}

/// `Invoke`
pub(super) async fn invoke(request: &Request<'_>) -> Result<Reply, FunctionError> {
    let named = request.named().await?;
    let kind = kind(header(request, "x-amz-invocation-type"))?;
    let with_log = tail(header(request, "x-amz-log-type"))?;
    if let Some(name) = NOT_HANDED_ON.iter().find(|name| request.headers.contains_key(**name)) {
        return Err(FunctionError::invalid(format!(
            "{name}: it would not be handed on to the function; leave it out"
        )));
    }
    let app = &request.host.app;
    let arn = named.qualified_arn(request);
    let found = app.functions().resolve(app.queue(), &arn, None, &**app.rng()).await;
    let resolved = found.map_err(not_found)?;
    if kind == Kind::DryRun {
        return Ok(Reply { status: NO_CONTENT, headers: Vec::new(), body: Zeroizing::default() });
    }
    let invoked = run(request.host, request.caller, resolved, request.body).await;
    let Invoked { payload, function_error, log, version } =
        invoked.map_err(|error| refused(request, &error))?;
    let mut headers = vec![(EXECUTED_VERSION, version)];
    headers.extend(function_error.map(|kind| (FUNCTION_ERROR, kind.to_owned())));
    if with_log {
        let bytes = log.as_bytes();
        let from = bytes.len().saturating_sub(limits::INVOKE_LOG_TAIL_BYTES);
        headers.push((LOG_RESULT, STANDARD.encode(bytes.get(from..).unwrap_or_default())));
    }
    Ok(Reply { status: request.route.operation.status(), headers, body: payload })
}

fn header<'a>(request: &'a Request<'_>, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn kind(text: Option<&str>) -> Result<Kind, FunctionError> {
    match text {
        None | Some("RequestResponse") => Ok(Kind::RequestResponse),
        Some("DryRun") => Ok(Kind::DryRun),
        Some("Event") => Err(FunctionError::invalid(
            "Pawl has no asynchronous invocation, and would have nobody to tell how it ended: invoke with the type \
             RequestResponse",
        )),
        Some(_) => Err(FunctionError::malformed(
            "invocationType",
            "satisfy enum value set: [Event, RequestResponse, DryRun]",
        )),
    }
}

/// Whether the end of the log is wanted.
fn tail(text: Option<&str>) -> Result<bool, FunctionError> {
    match text {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(_) => Err(FunctionError::malformed("logType", "satisfy enum value set: [None, Tail]")),
    }
}

fn not_found(error: FindError) -> FunctionError {
    match error {
        FindError::NoFunction(arn) | FindError::NotPermitted(arn) => FunctionError::NotFound(arn),
        FindError::NoVersion(source) => source.into(),
        FindError::NotApproved { name, beyond } => FunctionError::NotApproved { name, beyond },
        FindError::NoCode(_) => FunctionError::Store(pawl_store::StoreError::Broken(
            "code that a function names is not in the store",
        )),
        FindError::Store(source) => FunctionError::Store(source),
    }
}

fn refused(request: &Request<'_>, error: &InvokeError) -> FunctionError {
    let code = match error {
        InvokeError::Throttled => ErrorCode::TooManyRequestsException,
        InvokeError::NotJson(_) => ErrorCode::InvalidRequestContentException,
        InvokeError::App(source) => return failed(request, source),
    };
    ApiError::new(code, error.to_string()).into()
}

fn failed(request: &Request<'_>, error: &AppError) -> FunctionError {
    tracing::error!(request.id = %request.caller.request_id, operation = "Invoke", %error, "the operation failed");
    ApiError::new(ErrorCode::ServiceException, "An error occurred on the server side.").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_is_waited_for_or_not_done() {
        assert_eq!(kind(None).unwrap(), Kind::RequestResponse);
        assert_eq!(kind(Some("DryRun")).unwrap(), Kind::DryRun);
        for wrong in ["Event", "", "event", "?"] {
            assert!(kind(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(!tail(None).unwrap() && tail(Some("Tail")).unwrap() && tail(Some("tail")).is_err());
    }
}
