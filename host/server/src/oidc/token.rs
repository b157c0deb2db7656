//! A token: a JSON Web Token (RFC 7519) in its compact form, signed (RFC 7515), and judged as RFC 8725 advises.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pawl_core::limits;
use pawl_core::world::Timestamp;
use serde::Deserialize;

use super::keys::{Algorithm, KeySet};

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not a token at all.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    Form,
    /// An algorithm that no public key is for.
    #[error(
        "The token is signed by an algorithm that is not served; use RS256, RS384, RS512, ES256, ES384 or EdDSA"
    )]
    Algorithm,
    /// No key of the provider has signed it.
    #[error("The token's signature is not one of its identity provider")]
    Signature,
    /// It is over.
    #[error("Token expired: current date/time {now} must be before the expiration date/time {expires}")]
    Expired {
        /// Seconds since 1970.
        now: i64,
        /// The same.
        expires: i64,
    },
    /// Its time is still to come.
    #[error("The token is of a time to come: look at the clocks of this server and of the identity provider")]
    Early,
    /// It is for somebody else.
    #[error("Incorrect token audience")]
    Audience,
    /// A claim that cannot be.
    #[error("The token's claim {0} is missing or cannot be accepted")]
    Claim(&'static str),
}

/// A token that was taken apart and not believed yet.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    /// What is signed.
    message: &'a str,
    signature: Vec<u8>,
    claims: WireClaims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    #[serde(default)]
    crit: Option<serde_json::Value>,
    /// The payload as it is: not a token's.
    #[serde(default)]
    b64: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct WireClaims {
    iss: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    aud: Option<OneOrMany>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    exp: Option<NumericDate>,
    #[serde(default)]
    iat: Option<NumericDate>,
    #[serde(default)]
    nbf: Option<NumericDate>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    amr: Option<OneOrMany>,
    #[serde(default, rename = "https://aws.amazon.com/tags")]
    tags: Option<WireTags>,
    #[serde(default, rename = "https://aws.amazon.com/source_identity")]
    source_identity: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Seconds since 1970, with a fraction where an issuer likes one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum NumericDate {
    Whole(i64),
    Fraction(f64),
}

impl NumericDate {
    /// Rounded down; what is no date at all is none.
    fn seconds(self) -> Option<i64> {
        const FARTHEST: i64 = 253_402_300_799;
        let seconds = match self {
            Self::Whole(seconds) => seconds,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "out of range becomes the range's end, which is refused"
            )]
            Self::Fraction(seconds) => seconds.floor() as i64,
        };
        (0..=FARTHEST).contains(&seconds).then_some(seconds)
    }
}

/// Tags of a session, as AWS has them in a token.
#[derive(Clone, Debug, Default, Deserialize)]
struct WireTags {
    #[serde(default)]
    principal_tags: std::collections::BTreeMap<String, OneOrMany>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

/// What a token that is believed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Who the bearer is to the provider.
    pub(crate) subject: String,
    /// For whom the token is, of those that the provider's tokens may be for.
    pub(crate) audiences: Vec<String>,
    /// All that it names, where `azp` stands in their place.
    pub(crate) original_audiences: Vec<String>,
    /// How the bearer has proved who he is.
    pub(crate) methods: Vec<String>,
    /// An address of his.
    pub(crate) email: Option<String>,
    /// Tags of his session.
    pub(crate) tags: Vec<(String, String)>,
    /// The keys of those that go on.
    pub(crate) transitive: Vec<String>,
    /// Who he is behind all sessions.
    pub(crate) source_identity: Option<String>,
}

impl<'a> Token<'a> {
    /// Takes a token apart. Nothing that it says is true yet.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = text.rsplit_once('.').ok_or(TokenError::Form)?;
        let (header, claims) =
            message.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(TokenError::Form)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form);
        // Two members of one name are refused by these readers, so nobody else can have read another one.
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Form)?;
        if header.crit.is_some() || header.b64.is_some() {
            return Err(TokenError::Form);
        }
        let algorithm = Algorithm::parse(&header.alg).ok_or(TokenError::Algorithm)?;
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| TokenError::Form)?;
        Ok(Self { algorithm, key_id: header.kid, message, signature: decode(signature)?, claims })
    }

    /// Who it says has signed it.
    pub(crate) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Whether one of these keys could have signed it.
    pub(crate) fn is_of(&self, keys: &KeySet) -> bool {
        keys.has(self.algorithm, self.key_id.as_deref())
    }

    /// What it says, if one of these keys has signed it, its time is now, and it is for one of `audiences`.
    pub(crate) fn believe(
        self,
        keys: &KeySet,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<Claims, TokenError> {
        let message = self.message.as_bytes();
        if !keys.verify(self.algorithm, self.key_id.as_deref(), message, &self.signature) {
            return Err(TokenError::Signature);
        }
        let claims = self.claims;
        claims.must_be_of_now(now.millis().div_euclid(1_000))?;
        claims.accepted(audiences)
    }
}

impl WireClaims {
    fn must_be_of_now(&self, now: i64) -> Result<(), TokenError> {
        let date = |date: Option<NumericDate>, name| match date {
            None => Ok(None),
            Some(date) => date.seconds().map(Some).ok_or(TokenError::Claim(name)),
        };
        let expires = date(self.exp, "exp")?.ok_or(TokenError::Claim("exp"))?;
        let issued = date(self.iat, "iat")?.ok_or(TokenError::Claim("iat"))?;
        let begins = date(self.nbf, "nbf")?.unwrap_or(issued);
        if expires <= now {
            return Err(TokenError::Expired { now, expires });
        }
        let ahead = limits::TOKEN_CLOCK_AHEAD_SECONDS;
        if issued.max(begins) > now.saturating_add(ahead) { Err(TokenError::Early) } else { Ok(()) }
    }

    fn accepted(self, audiences: &[String]) -> Result<Claims, TokenError> {
        let subject = self.sub.filter(|sub| {
            !sub.is_empty() && sub.chars().count() <= limits::TOKEN_SUBJECT_CHARS_MAX && !has_control(sub)
        });
        let subject = subject.ok_or(TokenError::Claim("sub"))?;
        let named = self.aud.map(OneOrMany::into_vec).unwrap_or_default();
        if named.len() > limits::TOKEN_AUDIENCES_MAX {
            return Err(TokenError::Claim("aud"));
        }
        // AWS: where the party is named to whom the token was given, that is whom it is for.
        let (asked, original) = match self.azp {
            Some(party) => (vec![party], named),
            None => (named, Vec::new()),
        };
        let accepted: Vec<String> = asked.into_iter().filter(|name| audiences.contains(name)).collect();
        if accepted.is_empty() {
            return Err(TokenError::Audience);
        }
        let tags = self.tags.unwrap_or_default();
        let one = |(key, values): (String, OneOrMany)| match values.into_vec().as_slice() {
            [value] => Ok((key, value.clone())),
            _ => Err(TokenError::Claim("https://aws.amazon.com/tags")),
        };
        Ok(Claims {
            subject,
            audiences: accepted,
            original_audiences: original,
            methods: self.amr.map(OneOrMany::into_vec).unwrap_or_default(),
            email: self.email,
            tags: tags.principal_tags.into_iter().map(one).collect::<Result<_, _>>()?,
            transitive: tags.transitive_tag_keys,
            source_identity: self.source_identity,
        })
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
