//! Keys: from an access key's secret to the key of one day, region and service.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pawl_core::value::SecretBytes;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::TERMINATOR;

/// The key that signs for one access key on one day in one region for one service. Wiped when dropped.
///
/// Whoever caches it must do so under all four: access key id, date, region, service. It opens one day of one service,
/// so it is as secret as what it was made from.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Derives the key. Four HMACs: cheap, but worth caching.
    #[must_use]
    pub fn derive(secret: &SecretBytes, date: &str, region: &str, service: &str) -> Self {
        let mut seed = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        seed.extend_from_slice(b"AWS4");
        seed.extend_from_slice(secret.expose());
        let day = Zeroizing::new(hmac(&seed, date.as_bytes()));
        let region = Zeroizing::new(hmac(&*day, region.as_bytes()));
        let service = Zeroizing::new(hmac(&*region, service.as_bytes()));
        Self(hmac(&*service, TERMINATOR.as_bytes()))
    }

    /// The signature of a string to sign.
    pub(super) fn signature(&self, string_to_sign: &[u8]) -> [u8; 32] {
        hmac(&self.0, string_to_sign)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC pads a short key with zeros to the block's length and hashes a longer one: doing it here gives the
    // constructor that takes one block and so cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    if key.len() > block.len() {
        let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
        block.iter_mut().zip(hashed.iter()).for_each(|(slot, byte)| *slot = *byte);
    } else {
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}
