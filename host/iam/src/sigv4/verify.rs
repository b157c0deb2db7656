//! Checking a signature.

use std::time::Duration;

use pawl_core::limits;
use pawl_core::world::Timestamp;
use subtle::ConstantTimeEq;

use super::Head;
use super::canonical::{self, PathForm};
use super::error::{AuthError, Malformed};
use super::key::SigningKey;
use super::moment::Moment;
use super::present::Presented;

/// A session's token may be added after signing: AWS has services of both kinds, and a token proves nothing alone.
const TOKEN_HEADER: &str = "x-amz-security-token";

/// Whether the request is the one that was signed, with this key, near this time.
///
/// `presented` must come from this `head`, and `key` must be that of `presented`'s access key, date, region and
/// service. What the signature does not cover may have been changed on the way: of the headers, everything that is not
/// among the signed ones.
///
/// # Errors
/// [`AuthError::Mismatch`] for another key or a changed request, and otherwise what cannot be accepted whatever the
/// key: the date, an `x-amz-*` header or a host that is not covered, a hash that is not the body's.
pub fn verify(
    head: &Head<'_>,
    presented: &Presented<'_>,
    body: &[u8],
    key: &SigningKey,
    wall: Timestamp,
) -> Result<(), AuthError> {
    claims(head, presented, wall)?;
    let body_hash = canonical::hash(body);
    if head.single("x-amz-content-sha256")?.is_some_and(|given| given != body_hash) {
        return Err(AuthError::BodyHash);
    }
    let canonical = canonical::request(
        head,
        &presented.signed_headers,
        presented.is_presigned(),
        &body_hash,
        PathForm::Normal,
    );
    matches(presented, &canonical, key)
}

/// What [`verify`] can tell before the body has come: whether the request's date and headers would do and, of a request that
/// signs its body's hash in `x-amz-content-sha256`, whether the signature is right. Not instead of it.
///
/// # Errors
/// As [`verify`].
pub fn verify_head(
    head: &Head<'_>,
    presented: &Presented<'_>,
    key: &SigningKey,
    wall: Timestamp,
) -> Result<(), AuthError> {
    claims(head, presented, wall)?;
    let Some(given) = head.single("x-amz-content-sha256")? else { return Ok(()) };
    let body_hash = given.try_into().map_err(|_| AuthError::BodyHash)?;
    let presigned = presented.is_presigned();
    let canonical =
        canonical::request(head, &presented.signed_headers, presigned, body_hash, PathForm::Normal);
    matches(presented, &canonical, key)
}

/// Whether what the request says of its signature could be right at this time.
fn claims(head: &Head<'_>, presented: &Presented<'_>, wall: Timestamp) -> Result<(), AuthError> {
    if presented.date() != presented.moment.day() {
        return Err(AuthError::ScopeDate {
            scope: presented.date().to_owned(),
            day: presented.moment.day().to_owned(),
            date: presented.moment.text.clone().into_owned(),
        });
    }
    in_time(&presented.moment, presented.expires, wall)?;
    covered(head, presented)
}

/// Whether the signature is that of this canonical request.
pub(super) fn matches(
    presented: &Presented<'_>,
    canonical: &[u8],
    key: &SigningKey,
) -> Result<(), AuthError> {
    let to_sign = canonical::string_to_sign(
        &presented.moment.text,
        presented.date(),
        presented.region(),
        presented.service(),
        canonical,
    );
    let expected = key.signature(&to_sign);
    if bool::from(expected.ct_eq(&presented.signature)) { Ok(()) } else { Err(AuthError::Mismatch) }
}

/// A request holds from `SIGNATURE_SKEW_MAX` before its date to as long after, or to its own expiry when presigned.
fn in_time(moment: &Moment<'_>, expires: Option<u32>, wall: Timestamp) -> Result<(), AuthError> {
    let signed = moment.at;
    let skew = limits::SIGNATURE_SKEW_MAX;
    // Whole seconds, as the texts have them.
    let wall = wall - Duration::from_millis(wall.millis().rem_euclid(1000).unsigned_abs());
    let minutes = || format!("{} min", skew.as_secs() / 60);
    let latest = wall + skew;
    if signed > latest {
        return Err(AuthError::NotYetCurrent { signed, latest, wall, allowed: minutes() });
    }
    let earliest = wall - expires.map_or(skew, |seconds| Duration::from_secs(seconds.into()));
    if signed < earliest {
        let allowed = expires.map_or_else(minutes, |seconds| format!("{seconds} sec"));
        return Err(AuthError::Expired { signed, earliest, wall, allowed });
    }
    Ok(())
}

/// Whether the signature covers what it must, and nothing that is not there.
fn covered(head: &Head<'_>, presented: &Presented<'_>) -> Result<(), AuthError> {
    let is_signed = |name: &str| presented.signed_headers.split(';').any(|signed| signed == name);
    if !is_signed("host") {
        return Err(Malformed::HostUnsigned.into());
    }
    // Which of two hosts was meant would be for a proxy to choose.
    head.single("host")?;
    if presented.signed_headers.split(';').any(|name| !head.headers.iter().any(|(held, _)| *held == name)) {
        return Err(Malformed::SignedAbsent.into());
    }
    let unsigned = |name: &str| name.starts_with("x-amz-") && name != TOKEN_HEADER && !is_signed(name);
    if head.headers.iter().any(|(name, _)| unsigned(name)) {
        return Err(AuthError::UnsignedHeader);
    }
    Ok(())
}
