//! Signing a request.

use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;

use super::canonical::{self, PathForm};
use super::key::SigningKey;
use super::moment::basic;
use super::{ALGORITHM, Head, TERMINATOR};

/// The headers that sign a request: `x-amz-date` and `authorization`, to be set in place of any that are there.
///
/// Covered are the method, path, query and body, and of the headers `host`, `content-type` and every `x-amz-*`. The
/// head must have its `host`, or no server will accept the signature.
#[must_use]
pub fn sign(
    head: &Head<'_>,
    body: &[u8],
    access_key_id: &str,
    secret: &SecretBytes,
    region: &str,
    service: &str,
    at: Timestamp,
) -> Vec<(String, String)> {
    let date = basic(at);
    let day = date.get(..8).unwrap_or_default();
    let mut headers: Vec<(&str, &[u8])> =
        head.headers.iter().copied().filter(|(name, _)| is_covered(name)).collect();
    headers.push(("x-amz-date", date.as_bytes()));

    let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let signed_headers = names.join(";");

    let head = Head { headers: &headers, ..*head };
    let canonical =
        canonical::request(&head, &signed_headers, false, &canonical::hash(body), PathForm::Normal);
    let to_sign = canonical::string_to_sign(&date, day, region, service, &canonical);
    let signature = hex::encode(SigningKey::derive(secret, day, region, service).signature(&to_sign));
    let authorization = format!(
        "{ALGORITHM} Credential={access_key_id}/{day}/{region}/{service}/{TERMINATOR}, \
         SignedHeaders={signed_headers}, Signature={signature}"
    );
    vec![("x-amz-date".to_owned(), date), ("authorization".to_owned(), authorization)]
}

fn is_covered(name: &str) -> bool {
    name != "x-amz-date" && (matches!(name, "host" | "content-type") || name.starts_with("x-amz-"))
}
