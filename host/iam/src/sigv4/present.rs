//! Reading who claims to have signed a request.

use std::borrow::Cow;
use std::fmt;

use pawl_core::limits;

use super::canonical::{SIGNATURE_PARAMETER, decode};
use super::error::{AuthError, Malformed, ScopePart};
use super::moment::Moment;
use super::{ALGORITHM, Head, TERMINATOR};

/// A signature as it was presented: read, and believed in nothing yet.
#[derive(Clone)]
pub struct Presented<'a> {
    access_key_id: Cow<'a, str>,
    date: Cow<'a, str>,
    region: Cow<'a, str>,
    service: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    pub(super) signed_headers: Cow<'a, str>,
    pub(super) signature: [u8; 32],
    pub(super) moment: Moment<'a>,
    /// How long a presigned request holds, in seconds.
    pub(super) expires: Option<u32>,
}

impl Presented<'_> {
    /// The access key that claims to have signed.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The scope's day, `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The scope's region, which selects the namespace. Lower-case letters, digits and hyphens.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The scope's service. The caller must see to it that it is the one that the request speaks to.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The session's token, of a temporary access key. It need not be covered by the signature, so it proves nothing
    /// unless it belongs to the access key.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Whether the signature came in the query.
    #[must_use]
    pub const fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the token nor the signature: both can be used by whoever reads them.
        f.debug_struct("Presented")
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Reads the signature of a request, from its `Authorization` header or from its query.
///
/// # Errors
/// [`AuthError::MissingToken`] when there is none, and otherwise what is wrong with its form.
pub fn present<'a>(head: &Head<'a>) -> Result<Presented<'a>, AuthError> {
    let header = head.single_text("authorization")?;
    let query = Query::read(head.query)?;
    match (header, query) {
        (Some(_), Some(_)) => Err(Malformed::Repeated.into()),
        (Some(header), None) => from_header(head, header),
        (None, Some(query)) => from_query(query),
        (None, None) => Err(AuthError::MissingToken),
    }
}

fn from_header<'a>(head: &Head<'a>, header: &'a str) -> Result<Presented<'a>, AuthError> {
    let (algorithm, parameters) = header.split_once([' ', '\t']).ok_or(Malformed::Algorithm)?;
    if algorithm != ALGORITHM {
        return Err(Malformed::Algorithm.into());
    }
    let (mut credential, mut signed_headers, mut signature, mut other) = (None, None, None, false);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.trim_ascii().split_once('=').ok_or(Malformed::Pair)?;
        match name {
            "Credential" => once(&mut credential, value)?,
            "SignedHeaders" => once(&mut signed_headers, value)?,
            "Signature" => once(&mut signature, value)?,
            _ => other = true,
        }
    }
    let moment = match head.single_text("x-amz-date")? {
        Some(date) => Moment::from_basic(Cow::Borrowed(date))?,
        None => Moment::from_date_header(head.single_text("date")?.ok_or(Malformed::Date)?)?,
    };
    let credential = credential.ok_or(Malformed::Credential)?;
    let signed_headers = signed_headers.ok_or(Malformed::SignedHeaders)?;
    let signature = signature.ok_or(Malformed::Signature)?;
    // Nobody's client sends another, and whoever reads the header less closely, as a log does, could take it for one of these.
    if other {
        return Err(Malformed::Parameter.into());
    }
    presented(Parts {
        credential: Cow::Borrowed(credential),
        signed_headers: Cow::Borrowed(signed_headers),
        signature: Cow::Borrowed(signature),
        session_token: head.single_text("x-amz-security-token")?.map(Cow::Borrowed),
        moment,
        expires: None,
    })
}

/// The parameters of a presigned request.
#[derive(Default)]
struct Query<'a> {
    algorithm: Option<Cow<'a, str>>,
    credential: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    session_token: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Nothing, unless the query claims to hold a signature.
    fn read(raw: &'a str) -> Result<Option<Self>, AuthError> {
        let mut query = Self::default();
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name in escapes means the same parameter, and must slip past nobody unread: not past us, nor past a log.
            let plain = decode(name).unwrap_or_default();
            let slot = match &*plain {
                "X-Amz-Algorithm" => &mut query.algorithm,
                "X-Amz-Credential" => &mut query.credential,
                "X-Amz-Date" => &mut query.date,
                "X-Amz-Expires" => &mut query.expires,
                "X-Amz-SignedHeaders" => &mut query.signed_headers,
                "X-Amz-Security-Token" => &mut query.session_token,
                SIGNATURE_PARAMETER => &mut query.signature,
                _ => continue,
            };
            if plain != name {
                return Err(Malformed::Query.into());
            }
            once(slot, decode(value).ok_or(Malformed::NotText)?)?;
        }
        let claims = query.algorithm.is_some() || query.signature.is_some() || query.credential.is_some();
        Ok(claims.then_some(query))
    }
}

fn from_query(query: Query<'_>) -> Result<Presented<'_>, AuthError> {
    if query.algorithm.ok_or(Malformed::Query)? != ALGORITHM {
        return Err(Malformed::Algorithm.into());
    }
    let expires = query.expires.ok_or(Malformed::Query)?;
    let expires = expires
        .parse()
        .ok()
        .filter(|seconds| (1..=limits::PRESIGNED_SECONDS_MAX).contains(seconds))
        .ok_or(Malformed::Expires)?;
    presented(Parts {
        credential: query.credential.ok_or(Malformed::Query)?,
        signed_headers: query.signed_headers.ok_or(Malformed::Query)?,
        signature: query.signature.ok_or(Malformed::Query)?,
        session_token: query.session_token,
        moment: Moment::from_basic(query.date.ok_or(Malformed::Query)?)?,
        expires: Some(expires),
    })
}

/// What both forms have in common.
struct Parts<'a> {
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    moment: Moment<'a>,
    expires: Option<u32>,
}

fn presented(parts: Parts<'_>) -> Result<Presented<'_>, AuthError> {
    let [access_key_id, date, region, service, terminator] =
        five(parts.credential).ok_or(Malformed::CredentialForm)?;
    if access_key_id.is_empty()
        || access_key_id.len() > limits::ACCESS_KEY_ID_CHARS_MAX
        || !access_key_id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(Malformed::CredentialForm.into());
    }
    if !is_scope_name(&region) {
        return Err(ScopePart::Region.into());
    }
    if !is_scope_name(&service) {
        return Err(ScopePart::Service.into());
    }
    if terminator != TERMINATOR {
        return Err(ScopePart::Terminator.into());
    }
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed::DateForm.into());
    }
    let mut signature = [0; 32];
    let lower = !parts.signature.bytes().any(|byte| byte.is_ascii_uppercase());
    if !lower || hex::decode_to_slice(parts.signature.as_bytes(), &mut signature).is_err() {
        return Err(AuthError::Mismatch);
    }
    let mut last = "";
    for name in parts.signed_headers.split(';') {
        if name <= last || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Malformed::SignedOrder.into());
        }
        last = name;
    }
    Ok(Presented {
        access_key_id,
        date,
        region,
        service,
        session_token: parts.session_token,
        signed_headers: parts.signed_headers,
        signature,
        moment: parts.moment,
        expires: parts.expires,
    })
}

/// The five parts of a credential.
fn five(credential: Cow<'_, str>) -> Option<[Cow<'_, str>; 5]> {
    match credential {
        Cow::Borrowed(text) => split_five(text).map(|parts| parts.map(Cow::Borrowed)),
        Cow::Owned(text) => split_five(&text).map(|parts| parts.map(|part| Cow::Owned(part.to_owned()))),
    }
}

fn split_five(text: &str) -> Option<[&str; 5]> {
    let mut parts = text.split('/');
    let five = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(five)
}

fn is_scope_name(text: &str) -> bool {
    (1..=limits::SCOPE_NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Malformed> {
    if slot.is_some() {
        return Err(Malformed::Repeated);
    }
    *slot = Some(value);
    Ok(())
}
