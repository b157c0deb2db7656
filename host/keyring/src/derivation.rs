//! Keys from keys.

use aes_gcm::{Aes256Gcm, KeyInit as _};
use hmac::{Hmac, Mac as _};
use pawl_core::value::SecretBytes;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of every key here: AES-256's, and a full-strength one for HMAC-SHA256.
pub(crate) const KEY_BYTES: usize = 32;

/// The key for one purpose: HKDF-SHA256's expansion (RFC 5869, 2.3) of `key` for `purpose`, one block of it.
///
/// The extraction before it is left out, as that RFC has it for a key that is random already (3.3); and one block
/// cannot be too long, so that this cannot fail.
pub(crate) fn derive(key: &SecretBytes, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
    Zeroizing::new(keyed_hash(key.expose(), &[purpose.as_bytes(), &[1]]))
}

/// HMAC-SHA256 over the parts as one.
pub(crate) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed_state(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 to which nothing but its key has been given.
pub(crate) fn keyed_state(key: &[u8]) -> Hmac<Sha256> {
    // What HMAC does with a key that is not a block long, done here for the constructor that cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    if key.len() > block.len() {
        let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
        block.iter_mut().zip(hashed.iter()).for_each(|(slot, byte)| *slot = *byte);
    } else {
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
    }
    Hmac::<Sha256>::new((&*block).into())
}

/// A cipher of which the key is derived for one purpose.
pub(crate) fn cipher(key: &SecretBytes, purpose: &str) -> Aes256Gcm {
    Aes256Gcm::new((&*derive(key, purpose)).into())
}
