//! Who is let through to the operations: whoever has signed, and does not ask too often.

use std::net::IpAddr;

use axum::http::Extensions;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_iam::sigv4::Head;

use super::listener::{calling_from, is_known, peer_address};
use super::rate::{Rates, client};
use super::sign::{Signed, authenticate};
use crate::host::Host;
use crate::identity::Caller;
use crate::metrics::Doors;
use crate::settings::DoorSettings;

/// The rates of a host. Without any, it costs a look at two options.
#[derive(Debug)]
pub(crate) struct Gate {
    identities: Option<Rates<String>>,
    refusals: Option<Rates<IpAddr>>,
    figures: Doors,
}

impl Gate {
    pub(crate) fn new(settings: &DoorSettings, figures: Doors) -> Self {
        Self {
            identities: Rates::new(settings.requests_per_identity),
            refusals: Rates::new(settings.refusals_per_address),
            figures,
        }
    }

    /// Refuses whoever has been refused too often, before anything is computed for him.
    pub(super) fn must_be_open(&self, extensions: &Extensions) -> Result<(), ApiError> {
        let Some(rates) = &self.refusals else { return Ok(()) };
        match peer_address(extensions) {
            Some(address) if rates.is_out(&client(address)) => {
                self.figures.turned_away("address-refusals");
                Err(throttled())
            }
            _ => Ok(()),
        }
    }

    /// Notes that somebody was refused.
    pub(super) fn note_refusal(&self, extensions: &Extensions) {
        if let (Some(rates), Some(address)) = (&self.refusals, peer_address(extensions)) {
            rates.take(&client(address));
        }
    }

    /// Refuses a caller who asks too often. All sessions of a role are one caller: whoever may begin one may begin many.
    fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        let Some(rates) = &self.identities else { return Ok(()) };
        if rates.take(caller.whole()) {
            return Ok(());
        }
        self.figures.turned_away("identity-rate");
        Err(throttled())
    }
}

/// AWS's answer, which its SDKs try again after a while.
fn throttled() -> ApiError {
    ApiError::new(ErrorCode::ThrottlingException, "Rate exceeded")
}

/// Who has signed a request, if he may ask now.
///
/// # Errors
/// As [`authenticate`]; `ThrottlingException`.
pub(super) fn admitted(
    host: &Host,
    head: &Head<'_>,
    body: &[u8],
    request_id: String,
    extensions: &Extensions,
) -> Result<Signed, ApiError> {
    host.gate.must_be_open(extensions)?;
    let signed =
        authenticate(host, head, body, request_id).inspect_err(|_| host.gate.note_refusal(extensions))?;
    is_known(extensions);
    let caller = calling_from(signed.caller, extensions);
    host.gate.admit(&caller)?;
    Ok(Signed { caller, ..signed })
}
