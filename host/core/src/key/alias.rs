//! Other names of keys.

use serde::{Deserialize, Serialize};

use super::id::KeyId;
use crate::limits;
use crate::names::{AccountId, Region, text_newtype};
use crate::world::Timestamp;

/// The alias of the key that seals secrets which name none.
pub const SECRETS_ALIAS: &str = "alias/aws/secretsmanager";
/// What every alias begins with.
const PREFIX: &str = "alias/";
/// What the aliases of services' own keys begin with.
const RESERVED: &str = "alias/aws/";

/// Why a text is no alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasNameError {
    /// It does not begin as one.
    #[error(
        "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
    )]
    Prefix,
    /// It names nothing, or has a character that none may have.
    #[error(
        "Alias name must be up to 256 of letters, digits, `/`, `_` and `-`, after the prefix \"alias/\"."
    )]
    Name,
}

text_newtype! {
    /// An alias: `alias/` and up to 250 of `A-Za-z0-9/_-`.
    AliasName, AliasNameError
}

impl TryFrom<String> for AliasName {
    type Error = AliasNameError;

    fn try_from(text: String) -> Result<Self, AliasNameError> {
        let name = text.strip_prefix(PREFIX).ok_or(AliasNameError::Prefix)?;
        let valid = |c: u8| c.is_ascii_alphanumeric() || b"/_-".contains(&c);
        if name.is_empty() || text.len() > limits::KEY_ALIAS_CHARS_MAX || !name.bytes().all(valid) {
            return Err(AliasNameError::Name);
        }
        Ok(Self(text))
    }
}

impl AliasName {
    /// Whether it is for services' own keys.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED)
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self, region: &Region, account: &AccountId) -> String {
        format!("arn:{}:kms:{region}:{account}:{}", region.partition(), self.0)
    }
}

/// An alias and the key that it names now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The name.
    pub name: AliasName,
    /// The key.
    pub target: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came to name this key.
    pub updated_at: Timestamp,
}
