//! Who signed a request: nothing of it is looked at before this is known.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::names::Region;
use pawl_iam::sigv4::{AuthError, Head, present, verify};

use crate::host::Host;
use crate::identity::Caller;

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
    let presented = present(head).map_err(|error| refused(&error))?;
    if presented.access_key_id() != host.root_key.id || presented.session_token().is_some() {
        return Err(refused(&AuthError::UnknownKey));
    }
    let (date, region, service) = (presented.date(), presented.region(), presented.service());
    let region_name: Region = region.parse().map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidSignatureException,
            format!("Credential should be scoped to a valid region. `{}` is none.", region.escape_debug()),
        )
    })?;
    let key = host.signing_keys.of(&host.root_key, date, region, service);
    verify(head, &presented, body, &key, host.app.clock().wall()).map_err(|error| refused(&error))?;
    let caller = Caller::root(host.app.account(), region_name, request_id);
    Ok(Signed { caller, service: service.to_owned() })
}

fn refused(error: &AuthError) -> ApiError {
    let code = ErrorCode::from_wire(error.code()).unwrap_or(ErrorCode::InvalidSignatureException);
    ApiError::new(code, error.to_string())
}
