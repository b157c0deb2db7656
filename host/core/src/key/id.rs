//! How a key is named: by id, by ARN, by alias, by the alias's ARN.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::alias::{AliasName, AliasNameError};
use crate::names::{AccountId, Region};
use crate::world::Rng;

/// A key's id: a UUID, in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 16]);

/// A text that is no key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is a UUID, such as 1234abcd-12ab-34cd-56ef-1234567890ab")]
pub struct KeyIdError;

/// Where a UUID has its hyphens, by the bytes before them.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

impl KeyId {
    /// A new one (RFC 9562, version 4).
    #[must_use]
    pub fn random(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if HYPHENS.contains(&place) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let digits: String = text.split('-').collect();
        let mut bytes = [0; 16];
        hex::decode_to_slice(&digits, &mut bytes).map_err(|_| KeyIdError)?;
        let id = Self(bytes);
        // One spelling only: hyphens in their places, and lower case.
        if id.to_string() == text { Ok(id) } else { Err(KeyIdError) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyArn(String);

impl KeyArn {
    /// A key's ARN.
    #[must_use]
    pub fn of(region: &Region, account: &AccountId, id: KeyId) -> Self {
        Self(format!("arn:{}:kms:{region}:{account}:key/{id}", region.partition()))
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// By its id, alone or in an ARN.
    Id(KeyId),
    /// By an alias, alone or in an ARN.
    Alias(AliasName),
}

/// Why a text names no key that could be in a region and account. The texts are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefError {
    /// Neither an id, an alias nor an ARN.
    #[error("Invalid keyId '{0}'")]
    Id(String),
    /// It begins as an ARN and is not one of a key or an alias.
    #[error("Invalid ARN '{0}'")]
    Arn(String),
    /// An ARN of another region or account.
    #[error("Invalid arn {0}")]
    Elsewhere(String),
    /// It begins as an alias and is none.
    #[error(transparent)]
    Alias(#[from] AliasNameError),
}

impl KeyRef {
    /// Reads an id, an alias, or the ARN of either, in a region and account.
    ///
    /// # Errors
    /// When it is none of them, or of another region or account.
    pub fn parse(text: &str, region: &Region, account: &AccountId) -> Result<Self, KeyRefError> {
        let Some(rest) = text.strip_prefix("arn:") else {
            if text.starts_with("alias/") {
                return Ok(Self::Alias(text.parse()?));
            }
            return text.parse().map(Self::Id).map_err(|_| KeyRefError::Id(text.to_owned()));
        };
        let wrong = || KeyRefError::Arn(text.to_owned());
        let mut parts = rest.splitn(5, ':');
        let mut part = || parts.next().ok_or_else(wrong);
        let (partition, service, of_region, of_account, resource) =
            (part()?, part()?, part()?, part()?, part()?);
        if service != "kms" || of_region.is_empty() || of_account.is_empty() {
            return Err(wrong());
        }
        let named = match resource.strip_prefix("key/") {
            Some(id) => Self::Id(id.parse().map_err(|_| KeyRefError::Id(id.to_owned()))?),
            None => Self::Alias(resource.parse().map_err(|_| wrong())?),
        };
        if of_region != region.as_str() || partition != region.partition() {
            return Err(KeyRefError::Elsewhere(of_region.to_owned()));
        }
        if of_account != account.as_str() {
            return Err(KeyRefError::Elsewhere(of_account.to_owned()));
        }
        Ok(named)
    }
}
