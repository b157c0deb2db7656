//! The key-encryption key as the store keeps it.

use std::fmt;

use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use sha2::{Digest as _, Sha256};

use crate::derivation::cipher;
use crate::keyring::SealError;
use crate::root::RootKey;
use crate::sealed::{FORMAT, KEK_ID_BYTES, NONCE_BYTES, TAG_BYTES, WRAPPED_KEY_BYTES, append, open};

/// What the root key's derived key is for; a new layout gets a new name.
const PURPOSE: &str = "pawl root key wraps key-encryption key 1";
const CHECKSUM_BYTES: usize = 8;
const BYTES: usize = 1 + KEK_ID_BYTES + NONCE_BYTES + WRAPPED_KEY_BYTES + CHECKSUM_BYTES;

/// The key-encryption key, sealed under the root key: the first layout of what a store keeps, which is still read.
///
/// Format (1 byte), id (16), nonce (12), key and tag (48), checksum (8). The checksum is no protection; it tells a
/// damaged record from a wrong root key, which the cipher alone cannot.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKek(Vec<u8>);

/// Why a keyring could not be unlocked. Nothing has been written when this comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The record is whole, and this root key does not open it.
    #[error(
        "this is not the root key that the store was sealed with; start with the right one, or on another store"
    )]
    WrongRootKey,
    /// The record is not as it was written.
    #[error("the store's key record is damaged or of an unknown format; restore the store from a backup")]
    Damaged,
    /// The record is whole, and was not written by a holder of the store's keys.
    #[error(
        "the store's key record was changed by somebody who does not have its keys; restore the store from a backup"
    )]
    Altered,
}

impl SealedKek {
    /// Bytes that came from [`SealedKek::as_bytes`]. [`Keyring::unlock`](crate::Keyring::unlock) is what judges them.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn seal(
        root: &RootKey,
        id: &[u8; KEK_ID_BYTES],
        kek: &SecretBytes,
        rng: &dyn Rng,
    ) -> Result<Self, SealError> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(FORMAT);
        bytes.extend_from_slice(id);
        let context = bytes.clone();
        append(&mut bytes, &cipher(root.bytes(), PURPOSE), rng, &context, kek.expose())
            .map_err(|_| SealError::TooLong)?;
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        Ok(Self(bytes))
    }

    /// Whether it is a record of this layout, as it was written.
    pub(crate) fn is_whole(&self) -> bool {
        self.parts().is_some()
    }

    /// The id and the key.
    pub(crate) fn open(&self, root: &RootKey) -> Result<([u8; KEK_ID_BYTES], SecretBytes), UnlockError> {
        let (id, context, nonce, wrapped) = self.parts().ok_or(UnlockError::Damaged)?;
        let kek =
            open(&cipher(root.bytes(), PURPOSE), nonce, context, wrapped).ok_or(UnlockError::WrongRootKey)?;
        Ok((id, kek))
    }

    fn parts(&self) -> Option<Parts<'_>> {
        let (sealed, sum) = self.0.split_last_chunk::<CHECKSUM_BYTES>()?;
        let (context, rest) = sealed.split_first_chunk::<{ 1 + KEK_ID_BYTES }>()?;
        let ([format], id) = context.split_first_chunk()?;
        let id = <[u8; KEK_ID_BYTES]>::try_from(id).ok()?;
        let (nonce, wrapped) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let whole = *format == FORMAT && wrapped.len() == WRAPPED_KEY_BYTES && *sum == checksum(sealed);
        whole.then_some((id, context, nonce, wrapped))
    }
}

/// Id, what is bound, nonce, wrapped key.
type Parts<'a> = ([u8; KEK_ID_BYTES], &'a [u8; 1 + KEK_ID_BYTES], &'a [u8; NONCE_BYTES], &'a [u8]);

impl fmt::Debug for SealedKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKek({} bytes)", self.0.len())
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = <[u8; 32]>::from(Sha256::digest(bytes));
    hash.first_chunk().copied().unwrap_or_default()
}

const _: () = assert!(TAG_BYTES == 16 && BYTES == 85, "the layout is what stores already hold");
