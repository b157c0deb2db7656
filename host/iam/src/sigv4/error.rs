//! Why a request is not let in, in AWS's codes and words.

use pawl_core::world::Timestamp;

use super::moment::basic;

/// Why a request's signature is refused. `Display` is the text that goes to the caller.
///
/// No text holds what was signed, what it should have been, or anything else of the request but dates: the canonical
/// request that AWS returns to debug a client would tell whoever reads a log what the client sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Neither an `Authorization` header nor a presigned query.
    #[error("Missing Authentication Token")]
    MissingToken,
    /// There is a signature, but not in a form that could be checked.
    #[error("{0}")]
    Incomplete(#[from] Malformed),
    /// The signature is not the one that this key gives to this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// The credential's scope names something that this service is not, or not of that form.
    #[error("{0}")]
    Scope(ScopePart),
    /// The scope's day is not the day of the request's date.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != \
         '{day}', from '{date}'."
    )]
    ScopeDate {
        /// The day that the scope gives.
        scope: String,
        /// The day of the request's date.
        day: String,
        /// The request's date.
        date: String,
    },
    /// Signed too long ago.
    #[error(
        "Signature expired: {signed} is now earlier than {earliest} ({wall} - {allowed}.)",
        signed = basic(*signed), earliest = basic(*earliest), wall = basic(*wall)
    )]
    Expired {
        /// When it was signed.
        signed: Timestamp,
        /// The earliest date that would do.
        earliest: Timestamp,
        /// The server's wall clock.
        wall: Timestamp,
        /// The time between them, with its unit.
        allowed: String,
    },
    /// Signed in the future.
    #[error(
        "Signature not yet current: {signed} is still later than {latest} ({wall} + {allowed}.)",
        signed = basic(*signed), latest = basic(*latest), wall = basic(*wall)
    )]
    NotYetCurrent {
        /// When it was signed.
        signed: Timestamp,
        /// The latest date that would do.
        latest: Timestamp,
        /// The server's wall clock.
        wall: Timestamp,
        /// The time between them, with its unit.
        allowed: String,
    },
    /// An `x-amz-*` header that the signature does not cover, so anyone on the way may have put it there.
    #[error("There were headers present in the request which were not signed.")]
    UnsignedHeader,
    /// `x-amz-content-sha256` is not the hash of the body that came.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    BodyHash,
    /// There is no such access key, or it is switched off. For whoever looks keys up.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session that the token belongs to is over. For whoever looks sessions up.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
}

/// What is missing from a signature, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another algorithm, `SigV4A` among them, or another scheme of authorization.
    #[error("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is supported.")]
    Algorithm,
    /// A part of the `Authorization` header that is no pair.
    #[error("Authorization header has an element that is not a valid key=value pair (missing equal-sign).")]
    Pair,
    /// A parameter of the `Authorization` header that is none of the three.
    #[error(
        "Authorization header has a parameter that is none of 'Credential', 'SignedHeaders' and 'Signature'."
    )]
    Parameter,
    /// `Credential` is missing.
    #[error("Authorization header requires 'Credential' parameter.")]
    Credential,
    /// `SignedHeaders` is missing.
    #[error("Authorization header requires 'SignedHeaders' parameter.")]
    SignedHeaders,
    /// `Signature` is missing.
    #[error("Authorization header requires 'Signature' parameter.")]
    Signature,
    /// No date at all.
    #[error("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")]
    Date,
    /// A date in no known form.
    #[error("Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601")]
    DateForm,
    /// A credential that does not have the five parts.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got another \
         number."
    )]
    CredentialForm,
    /// A presigned query without all of its parameters.
    #[error(
        "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', \
         'X-Amz-Expires', 'X-Amz-SignedHeaders' and 'X-Amz-Signature'. Re-examine the query-string parameters."
    )]
    Query,
    /// `X-Amz-Expires` is out of its range.
    #[error("X-Amz-Expires must be a number of seconds from 1 to 604800.")]
    Expires,
    /// The host is not covered, so the request could be replayed elsewhere.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostUnsigned,
    /// `SignedHeaders` names what is not there.
    #[error("'SignedHeaders' names a header that is not in the request.")]
    SignedAbsent,
    /// `SignedHeaders` is not in lower case, not in order, or names a header twice.
    #[error("'SignedHeaders' must be in lower case, sorted, and name each header once.")]
    SignedOrder,
    /// Something that may be there once is there twice, or the request is signed in both ways.
    #[error("A request must be signed once: an element of its signature is repeated.")]
    Repeated,
    /// An element of the signature that is not UTF-8.
    #[error("An element of the signature is not UTF-8 text.")]
    NotText,
}

/// The part of a credential's scope that will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopePart {
    /// Not a region's name.
    #[error("Credential should be scoped to a valid region.")]
    Region,
    /// Not a service's name, or not the service that was called.
    #[error("Credential should be scoped to correct service.")]
    Service,
    /// Not `aws4_request`.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request'.")]
    Terminator,
}

impl AuthError {
    /// AWS's name of the error, as AWS's JSON services spell it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::Mismatch
            | Self::Scope(_)
            | Self::ScopeDate { .. }
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::UnsignedHeader
            | Self::BodyHash => "InvalidSignatureException",
            Self::UnknownKey => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
        }
    }

    /// The HTTP status with which AWS's JSON services answer: 400 for each of them.
    #[must_use]
    pub const fn status(&self) -> u16 {
        400
    }
}

impl From<ScopePart> for AuthError {
    fn from(part: ScopePart) -> Self {
        Self::Scope(part)
    }
}
