//! The codes of a store's rows.

use std::fmt;

use pawl_core::value::SecretBytes;
use subtle::ConstantTimeEq as _;

use crate::derivation::keyed_hash;
use crate::keyring::Keyring;

/// What the seed's derived key is for; codes of another layout get another name.
const PURPOSE: &str = "rows 1";

/// The key to the codes by which a store's rows are known to be as they were written: HMAC-SHA256 under a key of the keyring's
/// seed, so a rotation of the root key changes none of them.
pub struct RowKey(SecretBytes);

impl Keyring {
    /// The key to the codes of the store's rows.
    #[must_use]
    pub fn row_key(&self) -> RowKey {
        RowKey(self.subkey(PURPOSE))
    }
}

impl RowKey {
    /// The code of this content.
    #[must_use]
    pub fn code(&self, content: &[u8]) -> [u8; 32] {
        keyed_hash(self.0.expose(), &[content])
    }

    /// Whether it is the code of this content.
    #[must_use]
    pub fn is_code(&self, content: &[u8], code: &[u8]) -> bool {
        self.code(content).as_slice().ct_eq(code).into()
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowKey([redacted])")
    }
}
