//! How a secret is named: by name, by ARN, by the part of an ARN before its random end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::names::{AccountId, Region, SecretName};
use crate::world::Rng;

/// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`, the suffix six random characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretArn(String);

const SUFFIX_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl SecretArn {
    /// A new ARN for a secret of this name, with six random characters at its end.
    #[must_use]
    pub fn mint(region: &Region, account: &AccountId, name: &SecretName, rng: &dyn Rng) -> Self {
        let suffix: String = (0..limits::ARN_SUFFIX_CHARS)
            .filter_map(|_| SUFFIX_ALPHABET.get(rng.below(62) as usize).map(|&c| char::from(c)))
            .collect();
        let partition = region.partition();
        Self(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{suffix}"))
    }

    /// An ARN of which only a part was exchanged.
    pub(crate) const fn respelt(text: String) -> Self {
        Self(text)
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SecretId as a caller gives it, resolved to the name under which to look, and to what must then hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretId {
    /// The name to look up.
    pub name: SecretName,
    /// Where the caller says that the secret is, when an ARN said so.
    pub place: Option<(Region, AccountId)>,
    /// The whole ARN that the secret must have, when the caller gave one with its random end.
    pub arn: Option<String>,
}

/// Why a text is no SecretId.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretIdError {
    /// Not a name and not an ARN.
    #[error(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
    )]
    Name,
    /// It begins as an ARN and is not one of a secret.
    #[error("Invalid secret ARN")]
    Arn,
}

impl SecretId {
    /// Reads a name, an ARN, or an ARN without its random end.
    ///
    /// A name that itself ends in a hyphen and six characters cannot be given as a partial ARN: AWS reads the tail as the random
    /// end then, and so does this (recorded from AWS).
    ///
    /// # Errors
    /// When it is neither a name nor the ARN of a secret.
    pub fn parse(text: &str) -> Result<Self, SecretIdError> {
        if !text.starts_with("arn:") {
            let name = text.parse().map_err(|_| SecretIdError::Name)?;
            return Ok(Self { name, place: None, arn: None });
        }
        let mut parts = text.splitn(7, ':');
        let mut part = || parts.next().unwrap_or_default();
        let (_, partition, service, region, account, kind, resource) =
            (part(), part(), part(), part(), part(), part(), part());
        if partition.is_empty() || service != "secretsmanager" || kind != "secret" {
            return Err(SecretIdError::Arn);
        }
        let region = region.parse().map_err(|_| SecretIdError::Arn)?;
        let account = account.parse().map_err(|_| SecretIdError::Arn)?;
        let (name, arn) = match resource.rsplit_once('-') {
            Some((name, end))
                if end.len() == limits::ARN_SUFFIX_CHARS
                    && end.bytes().all(|c| c.is_ascii_alphanumeric()) =>
            {
                (name, Some(text.to_owned()))
            }
            _ => (resource, None),
        };
        let name = name.parse().map_err(|_| SecretIdError::Arn)?;
        Ok(Self { name, place: Some((region, account)), arn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_name_arn_and_partial_arn() {
        let id = SecretId::parse("prod/db").unwrap();
        assert_eq!((id.name.as_str(), id.place, id.arn), ("prod/db", None, None));

        let full = "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-a1B2c3";
        let id = SecretId::parse(full).unwrap();
        assert_eq!((id.name.as_str(), id.arn.as_deref()), ("prod/db", Some(full)));

        let id = SecretId::parse("arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db").unwrap();
        assert_eq!((id.name.as_str(), id.arn), ("prod/db", None));
    }

    #[test]
    fn a_tail_of_hyphen_and_six_is_read_as_the_random_end() {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:name-a1b2c3";
        let id = SecretId::parse(arn).unwrap();
        assert_eq!((id.name.as_str(), id.arn.as_deref()), ("name", Some(arn)));
        let id =
            SecretId::parse("arn:aws:secretsmanager:us-east-1:000000000000:secret:name-a1b2c3-").unwrap();
        assert_eq!((id.name.as_str(), id.arn), ("name-a1b2c3-", None));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in ["", "a b", "a:b"] {
            assert_eq!(SecretId::parse(bad), Err(SecretIdError::Name), "{bad}");
        }
        for bad in [
            "arn:",
            "arn:aws:lambda:us-east-1:000000000000:function:x",
            "arn:aws:secretsmanager:us-east-1:1:secret:x",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:",
        ] {
            assert_eq!(SecretId::parse(bad), Err(SecretIdError::Arn), "{bad}");
        }
    }
}
