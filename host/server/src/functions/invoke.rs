//! Lambda's Invoke: a rehearsal of one step of a rotation, which changes nothing.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Resolved;
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

/// Rehearses the step that AWS's rotation event in `payload` names (`{"Step", "SecretId", "ClientRequestToken"}`), by a function
/// that the caller may invoke. Nothing is changed: neither the store, nor a password in a database.
///
/// # Errors
/// When it could not be run at all; what goes wrong in it is its answer.
#[expect(clippy::unused_async, reason = "signature first")]
pub async fn invoke(
    host: &Arc<Host>,
    caller: &Caller,
    resolved: Resolved,
    payload: &[u8],
) -> Result<Invoked, InvokeError> {
    let _ = (host, caller, payload);
    let _ = resolved;
    Err(InvokeError::Throttled)
}
