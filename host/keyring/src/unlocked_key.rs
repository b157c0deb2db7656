//! A KMS key with its materials at hand, and what it does.

use std::fmt;

use aes_gcm::{Aes256Gcm, KeyInit as _};
use hmac::{Hmac, Mac as _};
use pawl_core::key::{EncryptionContext, KeyId};
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::ciphertext::{Ciphertext, OVERHEAD_BYTES, SALT_BYTES, header};
use crate::derivation::{KEY_BYTES, keyed_state};
use crate::keyring::{OpenError, SealError};
use crate::sealed::{append, open};

/// Under which name a message's own key is derived from the material; a new layout gets a new name.
const MESSAGE_KEY: &[u8] = b"pawl key encrypts a message 1";

/// A KMS key, unlocked: its materials are expanded once. Wiped when dropped; does not print.
///
/// Each message is encrypted under a key of its own, derived (HMAC-SHA256, one block) from the material and a random salt of 128
/// bits. So no bound on the number of messages under one AES-GCM key matters (NIST SP 800-38D, 8.3: 2^32), however busy a key is.
pub struct UnlockedKey {
    id: KeyId,
    arn: String,
    /// The oldest first; the last one encrypts.
    materials: Vec<(u32, Expanded)>,
}

/// A material: the state of HMAC-SHA256 after its key has gone in. It is wiped when dropped (the crate's `zeroize`).
struct Expanded(Hmac<Sha256>);

/// A ciphertext that did not open: it was changed, or its context is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext does not open: it was altered, or its encryption context is another one")]
pub struct Refused;

impl UnlockedKey {
    /// The key of these materials; none when there are none.
    #[must_use]
    pub fn new(id: KeyId, arn: String, materials: &[(u32, SecretBytes)]) -> Option<Self> {
        let expanded = |(number, material): &(u32, SecretBytes)| {
            (material.len() == KEY_BYTES).then(|| (*number, Expanded(keyed_state(material.expose()))))
        };
        let materials = materials.iter().map(expanded).collect::<Option<Vec<_>>>()?;
        (!materials.is_empty()).then_some(Self { id, arn, materials })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts a message under the newest material.
    ///
    /// # Errors
    /// When it is longer than the cipher can take.
    pub fn encrypt(
        &self,
        context: &EncryptionContext,
        message: &[u8],
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        let (number, material) = self.materials.last().ok_or(SealError::NoMaterial)?;
        let mut salt = [0; SALT_BYTES];
        rng.fill(&mut salt);
        let mut out = Vec::with_capacity(OVERHEAD_BYTES + message.len());
        out.extend_from_slice(&header(self.id, *number, &salt));
        let bound = self.bound(&out, context);
        append(&mut out, &material.message_cipher(&salt), rng, &bound, message)
            .map_err(|_| SealError::TooLong)?;
        Ok(out)
    }

    /// Decrypts what this key has encrypted in this context.
    ///
    /// # Errors
    /// When it was encrypted by another key, in another context, or is not as it was encrypted.
    pub fn decrypt(
        &self,
        context: &EncryptionContext,
        ciphertext: &Ciphertext<'_>,
    ) -> Result<SecretBytes, Refused> {
        let number = ciphertext.number();
        let material = self.materials.iter().find(|(held, _)| *held == number).map(|(_, material)| material);
        let material = material.filter(|_| ciphertext.key_id() == self.id).ok_or(Refused)?;
        let bound = self.bound(ciphertext.header, context);
        let cipher = material.message_cipher(&ciphertext.salt());
        open(&cipher, ciphertext.nonce, &bound, ciphertext.sealed).ok_or(Refused)
    }

    /// The message's authentication code (HMAC with SHA-256).
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> Option<[u8; 32]> {
        let (_, Expanded(state)) = self.materials.last()?;
        Some(state.clone().chain_update(message).finalize().into_bytes().into())
    }

    /// Whether `mac` is the message's, in a time that tells nothing.
    #[must_use]
    pub fn is_mac(&self, message: &[u8], mac: &[u8]) -> bool {
        self.mac(message).is_some_and(|own| own.ct_eq(mac).into())
    }

    /// What a message is bound to: the ciphertext's clear part, the key's ARN and the caller's context, each behind its length.
    fn bound(&self, header: &[u8], context: &EncryptionContext) -> Vec<u8> {
        let context = context.canonical();
        let mut out = Vec::with_capacity(header.len() + 16 + self.arn.len() + context.len());
        for part in [header, self.arn.as_bytes()] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&context);
        out
    }
}

impl Expanded {
    fn message_cipher(&self, salt: &[u8; SALT_BYTES]) -> Aes256Gcm {
        let state = self.0.clone().chain_update(MESSAGE_KEY).chain_update(salt).chain_update([1]);
        let key: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(state.finalize().into_bytes().into());
        Aes256Gcm::new((&*key).into())
    }
}

impl fmt::Debug for UnlockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnlockedKey({}, [redacted])", self.id)
    }
}

impl From<Refused> for OpenError {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}
