//! The unlocked keys of a store, and what they do.

use std::fmt;

use aes_gcm::{Aes256Gcm, KeyInit as _};
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::Rng;
use zeroize::Zeroizing;

use crate::derivation::{KEY_BYTES, cipher, derive, keyed_hash};
use crate::fingerprint::Fingerprint;
use crate::kek::{SealedKek, UnlockError};
use crate::root::RootKey;
use crate::sealed::{
    FORMAT, KEK_ID_BYTES, NONCE_BYTES, Sealed, SealedForm, TAG_BYTES, WRAPPED_KEY_BYTES, append, kind_byte,
    open,
};

/// Purposes of the keys that are derived from the key-encryption key. Callers' own begin otherwise (see
/// [`Keyring::subkey`]), so none of them can name one of these.
const WRAPPING: &str = "pawl wraps data keys 1";
const FINGERPRINTS: &str = "pawl fingerprints 1";
const SUBKEY: &str = "pawl subkey 1: ";

/// A store's keys, unlocked. Wiped when dropped; does not print.
pub struct Keyring {
    id: [u8; KEK_ID_BYTES],
    kek: SecretBytes,
    /// Set up once: expanding an AES key costs as much as opening a short value.
    ///
    /// It encrypts one data key per version under random 96-bit nonces, for which NIST SP 800-38D (8.3) allows 2^32
    /// uses of one key: 4,294,967,296 versions of one store, or a version a second for 136 years. The keys of values
    /// are used once each, so for them no such bound exists.
    wrapping: Aes256Gcm,
    fingerprints: Zeroizing<[u8; KEY_BYTES]>,
}

/// Whose value is sealed. Both are bound to it: bytes that are moved to another secret or version do not open.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// The secret's ARN, with its random suffix.
    pub arn: &'a str,
    /// The version's id.
    pub version_id: &'a str,
}

/// Why a value could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// More bytes than the cipher can take. A [`SecretValue`] never has as many.
    #[error("the value is longer than the cipher can take")]
    TooLong,
    /// A KMS key without material, which none is.
    #[error("the key has no material")]
    NoMaterial,
}

/// Why a sealed value did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a layout that is known.
    #[error(transparent)]
    Form(#[from] SealedForm),
    /// Sealed by another store's keyring.
    #[error("the value was sealed with another store's key")]
    OtherKeyring,
    /// Sealed by a KMS key, which alone opens it.
    #[error("the value was sealed under a key of its own, and not by the store's keyring")]
    OtherKey,
    /// Changed since it was sealed, or of another secret or version than it is kept with.
    #[error(
        "the sealed value was altered, or belongs to another secret or version; restore it from a backup"
    )]
    Refused,
}

impl Keyring {
    /// New keys for a new store, and the record by which it will know the root key again.
    ///
    /// # Errors
    /// None in fact: 32 bytes are not too long for the cipher.
    pub fn create(root: &RootKey, rng: &dyn Rng) -> Result<(Self, SealedKek), SealError> {
        let mut id = [0; KEK_ID_BYTES];
        rng.fill(&mut id);
        let mut kek = vec![0; KEY_BYTES];
        rng.fill(&mut kek);
        let kek = SecretBytes::new(kek);
        let sealed = SealedKek::seal(root, &id, &kek, rng)?;
        Ok((Self::of(id, kek), sealed))
    }

    /// The keys of a store that has them.
    ///
    /// # Errors
    /// When the root key is another one, or the record is not what was written.
    pub fn unlock(root: &RootKey, sealed: &SealedKek) -> Result<Self, UnlockError> {
        let (id, kek) = sealed.open(root)?;
        Ok(Self::of(id, kek))
    }

    fn of(id: [u8; KEK_ID_BYTES], kek: SecretBytes) -> Self {
        let wrapping = cipher(&kek, WRAPPING);
        let fingerprints = derive(&kek, FINGERPRINTS);
        Self { id, kek, wrapping, fingerprints }
    }

    /// Seals a value under a new data key.
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
        let bound = self.bound(context, value.kind());
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(&mut *data_key);

        let length = 2 + KEK_ID_BYTES + 2 * NONCE_BYTES + WRAPPED_KEY_BYTES + plain.len() + TAG_BYTES;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&[FORMAT, kind_byte(value.kind())]);
        out.extend_from_slice(&self.id);
        append(&mut out, &self.wrapping, rng, &bound, &*data_key).map_err(|_| SealError::TooLong)?;
        let data_cipher = Aes256Gcm::new((&*data_key).into());
        append(&mut out, &data_cipher, rng, &bound, plain).map_err(|_| SealError::TooLong)?;
        Ok(Sealed::assembled(out))
    }

    /// Opens a value that was sealed in this context.
    ///
    /// # Errors
    /// When it was sealed elsewhere, in another context, or is not as it was sealed.
    pub fn open(&self, context: &SealContext<'_>, sealed: &Sealed) -> Result<SecretValue, OpenError> {
        if sealed.key_id().is_some() {
            return Err(OpenError::OtherKey);
        }
        let parts = sealed.parts()?;
        if *parts.kek_id != self.id {
            return Err(OpenError::OtherKeyring);
        }
        let bound = self.bound(context, parts.kind);
        let data_key =
            open(&self.wrapping, parts.key_nonce, &bound, parts.wrapped_key).ok_or(OpenError::Refused)?;
        let data_key = data_key.expose().first_chunk::<KEY_BYTES>().ok_or(OpenError::Refused)?;
        let data_cipher = Aes256Gcm::new(data_key.into());
        let plain = open(&data_cipher, parts.value_nonce, &bound, parts.value).ok_or(OpenError::Refused)?;
        SecretValue::new(parts.kind, plain).map_err(|_| OpenError::Refused)
    }

    /// The value's mark, by which a repeated request is told from a different one.
    #[must_use]
    pub fn fingerprint(&self, context: &SealContext<'_>, value: &SecretValue) -> Fingerprint {
        let bound = self.bound(context, value.kind());
        Fingerprint::from_bytes(keyed_hash(&*self.fingerprints, &[&bound, value.bytes().expose()]))
    }

    /// A key of 32 bytes for a purpose of the caller's: the same each time for this store, and telling nothing of any
    /// other key.
    #[must_use]
    pub fn subkey(&self, purpose: &str) -> SecretBytes {
        let name = format!("{SUBKEY}{purpose}");
        SecretBytes::new(derive(&self.kek, &name).to_vec())
    }

    pub(crate) const fn id(&self) -> &[u8; KEK_ID_BYTES] {
        &self.id
    }

    pub(crate) const fn kek(&self) -> &SecretBytes {
        &self.kek
    }

    /// What a value is bound to. Lengths stand before texts, so that no two contexts have the same bytes.
    fn bound(&self, context: &SealContext<'_>, kind: ValueKind) -> Vec<u8> {
        let texts = [context.arn, context.version_id];
        let mut out =
            Vec::with_capacity(2 + KEK_ID_BYTES + 16 + context.arn.len() + context.version_id.len());
        out.extend_from_slice(&[FORMAT, kind_byte(kind)]);
        out.extend_from_slice(&self.id);
        for text in texts {
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring([redacted])")
    }
}
