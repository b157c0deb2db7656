//! The root key.

use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;

use crate::derivation::KEY_BYTES;

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

    pub(crate) const fn bytes(&self) -> &SecretBytes {
        &self.0
    }
}
