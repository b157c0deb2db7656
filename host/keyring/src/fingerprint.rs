//! Telling whether two values are the same without opening either.

use std::fmt;

use subtle::ConstantTimeEq;

/// A value's mark under a secret key: the same for the same value of the same version, and telling nothing else.
///
/// It answers whether a repeated request (same token) brings the same content, with neither value at hand. It is bound
/// to the version, so equal values of two versions do not show.
#[derive(Clone, Copy, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Bytes that came from [`Fingerprint::as_bytes`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}
