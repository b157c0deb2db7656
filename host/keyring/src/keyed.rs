//! Values under a KMS key of their own.

use aes_gcm::{Aes256Gcm, KeyInit as _};
use pawl_core::key::EncryptionContext;
use pawl_core::value::SecretValue;
use pawl_core::world::Rng;
use zeroize::Zeroizing;

use crate::derivation::KEY_BYTES;
use crate::keyring::{OpenError, SealContext, SealError};
use crate::sealed::{FORMAT_KEYED, KeyedParts, NONCE_BYTES, Sealed, TAG_BYTES, append, kind_byte, open};
use crate::unlocked_key::UnlockedKey;

impl UnlockedKey {
    /// Seals a value under a new data key, which this key wraps as AWS Secrets Manager has it wrapped: in a context that names the
    /// secret and the version.
    ///
    /// # Errors
    /// None in fact: a value that is a [`SecretValue`] is not too long for the cipher.
    pub fn seal(
        &self,
        context: &SealContext<'_>,
        value: &SecretValue,
        rng: &dyn Rng,
    ) -> Result<Sealed, SealError> {
        let plain = value.bytes().expose();
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(&mut *data_key);
        let of_secret = EncryptionContext::of_secret(context.arn, context.version_id);
        let wrapped = self.encrypt(&of_secret, &*data_key, rng)?;
        let length = u16::try_from(wrapped.len()).map_err(|_| SealError::TooLong)?;
        let mut out = Vec::with_capacity(4 + wrapped.len() + NONCE_BYTES + plain.len() + TAG_BYTES);
        out.extend_from_slice(&[FORMAT_KEYED, kind_byte(value.kind())]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&wrapped);
        let bound = bound(&out, context);
        append(&mut out, &Aes256Gcm::new((&*data_key).into()), rng, &bound, plain)
            .map_err(|_| SealError::TooLong)?;
        Ok(Sealed::assembled(out))
    }

    /// Opens a value that was sealed by this key in this context.
    ///
    /// # Errors
    /// When it was sealed by another key, in another context, or is not as it was sealed.
    pub fn open(&self, context: &SealContext<'_>, sealed: &Sealed) -> Result<SecretValue, OpenError> {
        let parts = KeyedParts::read(sealed.as_bytes())?;
        let of_secret = EncryptionContext::of_secret(context.arn, context.version_id);
        let data_key = self.decrypt(&of_secret, &parts.wrapped_key)?;
        let data_key = data_key.expose().first_chunk::<KEY_BYTES>().ok_or(OpenError::Refused)?;
        let cipher = Aes256Gcm::new(data_key.into());
        let bound = bound(parts.header, context);
        let plain = open(&cipher, parts.nonce, &bound, parts.value).ok_or(OpenError::Refused)?;
        SecretValue::new(parts.kind, plain).map_err(|_| OpenError::Refused)
    }
}

/// What a value is bound to: all that stands before it in clear, the secret, and the version.
fn bound(header: &[u8], context: &SealContext<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + header.len() + context.arn.len() + context.version_id.len());
    for part in [header, context.arn.as_bytes(), context.version_id.as_bytes()] {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}
