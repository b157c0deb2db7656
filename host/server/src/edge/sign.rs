//! Who signed a request: nothing of it is looked at before this is known.

use std::sync::Arc;

use axum::http::request;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::names::Region;
use pawl_iam::sigv4::{AuthError, Head, Presented, SigningKey, present, verify, verify_head};

use crate::host::Host;
use crate::identity::{Caller, Credential};

/// A caller, and the service that the signature is for.
pub(super) struct Signed {
    pub(super) caller: Caller,
    pub(super) service: String,
}

/// Verifies a request's signature.
///
/// # Errors
/// In AWS's words; none of them tells what would have been right.
pub(super) fn authenticate(
    host: &Host,
    head: &Head<'_>,
    body: &[u8],
    request_id: String,
) -> Result<Signed, ApiError> {
    let Known { presented, region, key, credential } = known(host, head)?;
    let now = host.app.clock().wall();
    verify(head, &presented, body, &key, now).map_err(|error| refused(&error))?;
    let service = presented.service();
    let identity = credential.as_ref().and_then(Credential::identity);
    if let Some(Credential::User { key, .. }) = &credential {
        host.directory.note_use(key, now, service, region.as_str());
    }
    let caller = match identity {
        Some(identity) => Caller::principal(Arc::clone(identity), region, request_id),
        None => {
            let root = Caller::root(host.app.account(), region, request_id);
            Caller { is_temporary: credential.is_some(), ..root }
        }
    };
    Ok(Signed { caller, service: service.to_owned() })
}

/// Whether it is worth while to receive a request's body: the access key is known, the request is recent and for this service,
/// and the signature is right as far as that can be told without the body. It is still to be verified with it.
///
/// # Errors
/// As [`authenticate`].
pub(super) fn worth_a_body(host: &Host, head: &Head<'_>, service: &str) -> Result<(), ApiError> {
    let Known { presented, key, .. } = known(host, head)?;
    must_be_for(service, presented.service())?;
    verify_head(head, &presented, &key, host.app.clock().wall()).map_err(|error| refused(&error))
}

/// What can be told of a request before its body is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is refused whatever its body is.
    Refused,
    /// It has no signature.
    Unsigned,
    /// It may be signed rightly.
    Possible,
}

/// What can be told of a request before its body is there: by its access key, its date, and its signature where that can be told.
pub(super) fn heard(host: &Host, head: &Head<'_>) -> Heard {
    if matches!(present(head), Err(AuthError::MissingToken)) {
        return Heard::Unsigned;
    }
    let known = known(host, head).and_then(|Known { presented, key, .. }| {
        verify_head(head, &presented, &key, host.app.clock().wall()).map_err(|error| refused(&error))
    });
    if known.is_ok() { Heard::Possible } else { Heard::Refused }
}

/// A request's head as signatures see it.
pub(super) fn with_head<T>(parts: &request::Parts, with: impl FnOnce(&Head<'_>) -> T) -> T {
    let headers: Vec<(&str, &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    with(&Head {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
    })
}

/// Whether a signature's scope names the service that a request is for.
///
/// # Errors
/// `InvalidSignatureException`.
pub(super) fn must_be_for(service: &str, signed: &str) -> Result<(), ApiError> {
    if signed == service {
        return Ok(());
    }
    let message = format!("Credential should be scoped to correct service: '{service}'.");
    Err(ApiError::new(ErrorCode::InvalidSignatureException, message))
}

/// A signature of an access key that there is.
struct Known<'a> {
    presented: Presented<'a>,
    region: Region,
    key: Arc<SigningKey>,
    /// Whose it is; none for the root identity's own.
    credential: Option<Credential>,
}

fn known<'a>(host: &Host, head: &Head<'a>) -> Result<Known<'a>, ApiError> {
    let presented = present(head).map_err(|error| refused(&error))?;
    let (id, token) = (presented.access_key_id(), presented.session_token());
    let credential = if token.is_none() && id == host.root_key.id {
        None
    } else {
        let found = host.directory.credential(id, token, host.app.clock().wall());
        Some(found.map_err(|error| refused(&error))?)
    };
    let (date, region, service) = (presented.date(), presented.region(), presented.service());
    let region_name: Region = region.parse().map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidSignatureException,
            format!("Credential should be scoped to a valid region. `{}` is none.", region.escape_debug()),
        )
    })?;
    let key = credential.as_ref().map_or(&host.root_key, Credential::key);
    let key = host.signing_keys.of(key, date, region, service);
    Ok(Known { region: region_name, key, presented, credential })
}

fn refused(error: &AuthError) -> ApiError {
    let code = ErrorCode::from_wire(error.code()).unwrap_or(ErrorCode::InvalidSignatureException);
    ApiError::new(code, error.to_string())
}
