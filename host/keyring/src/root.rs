//! The root key.

use std::fmt;
use std::str::FromStr;

use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use serde::{Deserialize, Serialize};

use crate::derivation::{KEY_BYTES, keyed_hash};

/// What a root key's id is derived for.
const IDENTITY: &[u8] = b"pawl root key id 1";
const ID_BYTES: usize = 8;

/// The operator's key, under which everything is sealed: 32 random bytes, wiped when dropped, printed as `[redacted]`.
#[derive(Debug)]
pub struct RootKey(SecretBytes);

impl RootKey {
    /// Bytes of a root key.
    pub const BYTES: usize = KEY_BYTES;

    /// A new key.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = vec![0; Self::BYTES];
        rng.fill(&mut bytes);
        Self(SecretBytes::new(bytes))
    }

    /// The key that these bytes are, if they are as many as a key has. They must be random: nothing here stretches a
    /// passphrase.
    #[must_use]
    pub fn from_bytes(bytes: SecretBytes) -> Option<Self> {
        (bytes.len() == Self::BYTES).then_some(Self(bytes))
    }

    /// By which it is told from other root keys. It says nothing of the key.
    #[must_use]
    pub fn id(&self) -> RootId {
        let hash = keyed_hash(self.0.expose(), &[IDENTITY]);
        RootId(hash.first_chunk().copied().unwrap_or_default())
    }

    /// A second copy, wiped as the first is.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// The key itself, for whoever wraps it.
    #[must_use]
    pub const fn bytes(&self) -> &SecretBytes {
        &self.0
    }
}

/// A root key's id: 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RootId([u8; ID_BYTES]);

/// A text that is no root key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a root key's id has 16 hexadecimal digits")]
pub struct NoRootId;

impl FromStr for RootId {
    type Err = NoRootId;

    fn from_str(text: &str) -> Result<Self, NoRootId> {
        let mut bytes = [0; ID_BYTES];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NoRootId)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for RootId {
    type Error = NoRootId;

    fn try_from(text: String) -> Result<Self, NoRootId> {
        text.parse()
    }
}

impl From<RootId> for String {
    fn from(id: RootId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
