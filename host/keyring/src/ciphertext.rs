//! What a KMS key has encrypted, and its layout.

use pawl_core::key::KeyId;

use crate::sealed::{NONCE_BYTES, TAG_BYTES};

/// The first byte of the layout that is written now.
pub(crate) const FORMAT: u8 = 1;
/// Bytes of a key's id.
const KEY_ID_BYTES: usize = 16;
/// Bytes of a material's number.
const NUMBER_BYTES: usize = 4;
/// Bytes of the salt from which, with the material, a message's own key is derived.
pub(crate) const SALT_BYTES: usize = 16;
/// Bytes before the nonce: all of them authenticated.
pub(crate) const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NUMBER_BYTES + SALT_BYTES;
/// By how much a ciphertext is longer than what it holds.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/// A ciphertext of a KMS key's, taken apart. It says which key and material made it; whether it opens is another matter.
///
/// | bytes | what |
/// |---|---|
/// | 1 | format, 1 |
/// | 16 | the key's id |
/// | 4 | the material's number, big-endian |
/// | 16 | salt: the message's own key is derived from it |
/// | 12 + n + 16 | nonce, message, tag |
#[derive(Clone, Copy, Debug)]
pub struct Ciphertext<'a> {
    pub(crate) header: &'a [u8; HEADER_BYTES],
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) sealed: &'a [u8],
}

/// Bytes that no KMS key of any store has encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no ciphertext of a key")]
pub struct NoCiphertext;

impl<'a> Ciphertext<'a> {
    /// Takes bytes apart.
    ///
    /// # Errors
    /// When they are no ciphertext.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoCiphertext> {
        let parts = || {
            let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
            let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
            let [format, ..] = header;
            (*format == FORMAT && sealed.len() > TAG_BYTES).then_some(Self { header, nonce, sealed })
        };
        parts().ok_or(NoCiphertext)
    }

    /// The key that made it.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let id = self.header.get(1..).and_then(<[u8]>::first_chunk).copied();
        KeyId::from_bytes(id.unwrap_or_default())
    }

    /// The number of the material that made it.
    #[must_use]
    pub fn number(&self) -> u32 {
        let number = self.header.get(1 + KEY_ID_BYTES..).and_then(<[u8]>::first_chunk).copied();
        u32::from_be_bytes(number.unwrap_or_default())
    }

    pub(crate) fn salt(&self) -> [u8; SALT_BYTES] {
        self.header.last_chunk().copied().unwrap_or_default()
    }
}

/// The bytes before the nonce.
pub(crate) fn header(id: KeyId, number: u32, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    let number = number.to_be_bytes();
    [&[FORMAT][..], id.as_bytes(), &number, salt].concat()
}
