//! Bytes that were sealed, and their layout.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm};
use pawl_core::key::KeyId;
use pawl_core::value::{SecretBytes, ValueKind};
use pawl_core::world::Rng;

use crate::ciphertext::Ciphertext;
use crate::derivation::KEY_BYTES;
use crate::keyring::KekId;

/// Bytes of a nonce: 96 bits, GCM's own size.
pub(crate) const NONCE_BYTES: usize = 12;
/// Bytes of an authentication tag: 128 bits, GCM's longest.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a key-encryption key's id.
pub(crate) const KEK_ID_BYTES: usize = 16;
/// Bytes of a key that was sealed.
pub(crate) const WRAPPED_KEY_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// The first byte of the layout of what the keyring seals.
pub(crate) const FORMAT: u8 = 1;
/// The first byte of the layout of values under a KMS key of their own.
pub(crate) const FORMAT_KEYED: u8 = 2;
const KIND_TEXT: u8 = 1;
const KIND_BINARY: u8 = 2;

/// One value, sealed: safe to store anywhere, and of no use without the keyring, or without the KMS key that sealed it.
///
/// By the keyring:
///
/// | bytes | what |
/// |---|---|
/// | 1 | format, 1 |
/// | 1 | kind: 1 text, 2 binary |
/// | 16 | id of the key-encryption key |
/// | 12 + 48 | nonce, data key under the key-encryption key |
/// | 12 + n + 16 | nonce, value under the data key |
///
/// Under a KMS key:
///
/// | bytes | what |
/// |---|---|
/// | 1 | format, 2 |
/// | 1 | kind: 1 text, 2 binary |
/// | 2 | length of what follows, big-endian |
/// | 97 | data key as a [ciphertext](crate::Ciphertext) of the KMS key, which names the key |
/// | 12 + n + 16 | nonce, value under the data key |
///
/// Everything in clear here is authenticated with the rest.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// Bytes that are no sealed value of a known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no sealed value of a format that this version of pawl knows")]
pub struct SealedForm;

impl Sealed {
    /// Bytes that came from [`Sealed::as_bytes`].
    ///
    /// # Errors
    /// When their layout is not that of a sealed value. Whether they open is another matter.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealedForm> {
        match bytes.first() {
            Some(&FORMAT_KEYED) => KeyedParts::read(&bytes).map(|_| ())?,
            _ => Parts::read(&bytes).map(|_| ())?,
        }
        Ok(Self(bytes))
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The KMS key that sealed it; none when the keyring itself did.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        if self.0.first() != Some(&FORMAT_KEYED) {
            return None;
        }
        KeyedParts::read(&self.0).ok().map(|parts| parts.wrapped_key.key_id())
    }

    /// The key-encryption key that sealed it; none when a KMS key did.
    #[must_use]
    pub fn kek_id(&self) -> Option<KekId> {
        Self::kek_of(&self.0)
    }

    /// The key-encryption key that sealed a value, from its first [`pawl_core::limits::SEALED_HEAD_BYTES`] alone; none when a KMS key did, or these
    /// are not the first bytes of a sealed value.
    #[must_use]
    pub fn kek_of(head: &[u8]) -> Option<KekId> {
        let ([format, _kind], rest) = head.split_first_chunk()?;
        let id = rest.first_chunk()?;
        (*format == FORMAT).then_some(KekId(*id))
    }

    pub(crate) fn parts(&self) -> Result<Parts<'_>, SealedForm> {
        Parts::read(&self.0)
    }

    pub(crate) const fn assembled(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A sealed value taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) kind: ValueKind,
    pub(crate) kek_id: &'a [u8; KEK_ID_BYTES],
    pub(crate) key_nonce: &'a [u8; NONCE_BYTES],
    pub(crate) wrapped_key: &'a [u8; WRAPPED_KEY_BYTES],
    pub(crate) value_nonce: &'a [u8; NONCE_BYTES],
    pub(crate) value: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, SealedForm> {
        let parts = || {
            let ([format, kind], rest) = bytes.split_first_chunk()?;
            let kind = kind_of(*kind).filter(|_| *format == FORMAT)?;
            let (kek_id, rest) = rest.split_first_chunk()?;
            let (key_nonce, rest) = rest.split_first_chunk()?;
            let (wrapped_key, rest) = rest.split_first_chunk()?;
            let (value_nonce, value) = rest.split_first_chunk()?;
            (value.len() > TAG_BYTES).then_some(Self {
                kind,
                kek_id,
                key_nonce,
                wrapped_key,
                value_nonce,
                value,
            })
        };
        parts().ok_or(SealedForm)
    }
}

/// A value under a KMS key, taken apart.
pub(crate) struct KeyedParts<'a> {
    pub(crate) kind: ValueKind,
    /// All that stands before the nonce.
    pub(crate) header: &'a [u8],
    pub(crate) wrapped_key: Ciphertext<'a>,
    pub(crate) nonce: &'a [u8; NONCE_BYTES],
    pub(crate) value: &'a [u8],
}

impl<'a> KeyedParts<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, SealedForm> {
        let parts = || {
            let ([format, kind, high, low], rest) = bytes.split_first_chunk()?;
            let kind = kind_of(*kind).filter(|_| *format == FORMAT_KEYED)?;
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (wrapped_key, rest) = rest.split_at_checked(length)?;
            let header = bytes.get(..4 + length)?;
            let wrapped_key = Ciphertext::parse(wrapped_key).ok()?;
            let (nonce, value) = rest.split_first_chunk()?;
            (value.len() > TAG_BYTES).then_some(Self { kind, header, wrapped_key, nonce, value })
        };
        parts().ok_or(SealedForm)
    }
}

/// The byte that stands for a kind.
pub(crate) const fn kind_byte(kind: ValueKind) -> u8 {
    match kind {
        ValueKind::Text => KIND_TEXT,
        ValueKind::Binary => KIND_BINARY,
    }
}

const fn kind_of(byte: u8) -> Option<ValueKind> {
    match byte {
        KIND_TEXT => Some(ValueKind::Text),
        KIND_BINARY => Some(ValueKind::Binary),
        _ => None,
    }
}

const _: () = assert!(pawl_core::limits::SEALED_HEAD_BYTES == 2 + KEK_ID_BYTES, "what says what sealed it");

/// More than the cipher can take under one nonce: 64 GiB.
pub(crate) struct TooLong;

/// Appends a fresh nonce and `plain` encrypted under it.
///
/// `out` must have room for all of it: growing would leave a copy of the plain bytes behind.
pub(crate) fn append(
    out: &mut Vec<u8>,
    cipher: &Aes256Gcm,
    rng: &dyn Rng,
    context: &[u8],
    plain: &[u8],
) -> Result<(), TooLong> {
    debug_assert!(out.capacity() - out.len() >= NONCE_BYTES + plain.len() + TAG_BYTES, "room for it");
    let mut nonce = [0; NONCE_BYTES];
    rng.fill(&mut nonce);
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plain);
    let buffer = out.get_mut(start..).unwrap_or_default();
    match cipher.encrypt_inout_detached((&nonce).into(), context, buffer.into()) {
        Ok(tag) => {
            out.extend_from_slice(&tag);
            Ok(())
        }
        Err(_) => {
            zeroize::Zeroize::zeroize(out);
            Err(TooLong)
        }
    }
}

/// Decrypts what [`append`] wrote after the nonce, or nothing if any of it is not as it was.
pub(crate) fn open(
    cipher: &Aes256Gcm,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    sealed: &[u8],
) -> Option<SecretBytes> {
    let (encrypted, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
    let mut buffer = encrypted.to_vec();
    // The tag is checked first: a refused buffer still holds ciphertext only.
    cipher.decrypt_inout_detached(nonce.into(), context, buffer.as_mut_slice().into(), tag.into()).ok()?;
    Some(SecretBytes::new(buffer))
}
