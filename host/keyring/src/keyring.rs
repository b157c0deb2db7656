//! The unlocked keys of a store, and what they do.

use std::fmt;
use std::sync::Arc;

use aes_gcm::{Aes256Gcm, KeyInit as _};
use arc_swap::ArcSwap;
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::Rng;
use serde::{Deserialize, Serialize};
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
/// What wraps the materials of KMS keys.
const MATERIALS: &str = "pawl wraps key material 1";
const SUBKEY: &str = "pawl subkey 1: ";

/// A store's keys, unlocked. Wiped when dropped; does not print.
///
/// Values are sealed by the newest key-encryption key, and opened by whichever of them sealed them. What is derived for other
/// purposes comes from a seed that no rotation changes.
pub struct Keyring {
    /// The seed's.
    id: [u8; KEK_ID_BYTES],
    seed: SecretBytes,
    fingerprints: Zeroizing<[u8; KEY_BYTES]>,
    keys: ArcSwap<Keys>,
}

/// A key-encryption key's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KekId(pub(crate) [u8; KEK_ID_BYTES]);

/// The key-encryption keys at hand: the one that seals, and those that still open.
struct Keys {
    active: Arc<Kek>,
    /// The active one among them.
    all: Vec<Arc<Kek>>,
}

/// A key-encryption key, expanded once: setting up an AES key costs as much as opening a short value.
///
/// It encrypts one data key per version under random 96-bit nonces, for which NIST SP 800-38D (8.3) allows 2^32
/// uses of one key: 4,294,967,296 versions of one store, or a version a second for 136 years. The keys of values
/// are used once each, so for them no such bound exists.
pub(crate) struct Kek {
    id: [u8; KEK_ID_BYTES],
    wrapping: Aes256Gcm,
    materials: Aes256Gcm,
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
        let active = Arc::new(Kek::new(id, &kek));
        let keys = Keys { all: vec![active.clone()], active };
        let fingerprints = derive(&kek, FINGERPRINTS);
        Self { id, seed: kek, fingerprints, keys: ArcSwap::from_pointee(keys) }
    }

    /// The keyring of these keys; none when `active` is not among them.
    pub(crate) fn of_several(
        (id, seed): (KekId, SecretBytes),
        keys: &[(KekId, SecretBytes)],
        active: KekId,
    ) -> Option<Self> {
        let keys = Keys::new(keys, active)?;
        let fingerprints = derive(&seed, FINGERPRINTS);
        Some(Self { id: id.0, seed, fingerprints, keys: ArcSwap::from_pointee(keys) })
    }

    /// Takes the keys of another opening of the same store's record over: values that are sealed from now on are sealed by its
    /// newest key. False, and nothing changed, when it is another store's.
    pub fn renew(&self, with: &Self) -> bool {
        let same = self.seed.same_as(&with.seed);
        if same {
            self.keys.store(with.keys.load_full());
        }
        same
    }

    /// The key that seals.
    #[must_use]
    pub fn active(&self) -> KekId {
        KekId(self.keys.load().active.id)
    }

    /// Whether the key is at hand.
    #[must_use]
    pub fn has(&self, id: KekId) -> bool {
        self.keys.load().find(&id.0).is_some()
    }

    /// The key that seals, and everything that goes with it.
    pub(crate) fn newest(&self) -> Arc<Kek> {
        self.keys.load().active.clone()
    }

    pub(crate) fn find(&self, id: &[u8; KEK_ID_BYTES]) -> Option<Arc<Kek>> {
        self.keys.load().find(id).cloned()
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
        let keys = self.keys.load();
        let kek = &keys.active;
        let bound = bound(&kek.id, context, value.kind());
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(&mut *data_key);

        let length = 2 + KEK_ID_BYTES + 2 * NONCE_BYTES + WRAPPED_KEY_BYTES + plain.len() + TAG_BYTES;
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&[FORMAT, kind_byte(value.kind())]);
        out.extend_from_slice(&kek.id);
        append(&mut out, &kek.wrapping, rng, &bound, &*data_key).map_err(|_| SealError::TooLong)?;
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
        let keys = self.keys.load();
        let kek = keys.find(parts.kek_id).ok_or(OpenError::OtherKeyring)?;
        let bound = bound(&kek.id, context, parts.kind);
        let data_key =
            open(&kek.wrapping, parts.key_nonce, &bound, parts.wrapped_key).ok_or(OpenError::Refused)?;
        let data_key = data_key.expose().first_chunk::<KEY_BYTES>().ok_or(OpenError::Refused)?;
        let data_cipher = Aes256Gcm::new(data_key.into());
        let plain = open(&data_cipher, parts.value_nonce, &bound, parts.value).ok_or(OpenError::Refused)?;
        SecretValue::new(parts.kind, plain).map_err(|_| OpenError::Refused)
    }

    /// The value's mark, by which a repeated request is told from a different one.
    #[must_use]
    pub fn fingerprint(&self, context: &SealContext<'_>, value: &SecretValue) -> Fingerprint {
        let bound = bound(&self.id, context, value.kind());
        Fingerprint::from_bytes(keyed_hash(&*self.fingerprints, &[&bound, value.bytes().expose()]))
    }

    /// A key of 32 bytes for a purpose of the caller's: the same each time for this store, and telling nothing of any
    /// other key.
    #[must_use]
    pub fn subkey(&self, purpose: &str) -> SecretBytes {
        let name = format!("{SUBKEY}{purpose}");
        SecretBytes::new(derive(&self.seed, &name).to_vec())
    }
}

impl Keys {
    fn new(keys: &[(KekId, SecretBytes)], active: KekId) -> Option<Self> {
        let all: Vec<_> = keys.iter().map(|(id, key)| Arc::new(Kek::new(id.0, key))).collect();
        let active = all.iter().find(|kek| kek.id == active.0)?.clone();
        Some(Self { active, all })
    }

    fn find(&self, id: &[u8; KEK_ID_BYTES]) -> Option<&Arc<Kek>> {
        if self.active.id == *id { Some(&self.active) } else { self.all.iter().find(|kek| kek.id == *id) }
    }
}

impl Kek {
    fn new(id: [u8; KEK_ID_BYTES], key: &SecretBytes) -> Self {
        Self { id, wrapping: cipher(key, WRAPPING), materials: cipher(key, MATERIALS) }
    }

    pub(crate) const fn id(&self) -> &[u8; KEK_ID_BYTES] {
        &self.id
    }

    pub(crate) const fn materials(&self) -> &Aes256Gcm {
        &self.materials
    }
}

/// What a value is bound to. Lengths stand before texts, so that no two contexts have the same bytes.
fn bound(kek: &[u8; KEK_ID_BYTES], context: &SealContext<'_>, kind: ValueKind) -> Vec<u8> {
    let texts = [context.arn, context.version_id];
    let mut out = Vec::with_capacity(2 + KEK_ID_BYTES + 16 + context.arn.len() + context.version_id.len());
    out.extend_from_slice(&[FORMAT, kind_byte(kind)]);
    out.extend_from_slice(kek);
    for text in texts {
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<KekId> for String {
    fn from(id: KekId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KekId {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; KEK_ID_BYTES];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring([redacted])")
    }
}
