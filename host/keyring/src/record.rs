//! A store's keys as the store keeps them: under which root key, and how far a rotation of it is.

mod document;
mod rotation;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::{Rng, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::derivation::{KEY_BYTES, cipher, derive, keyed_hash};
use crate::kek::{SealedKek, UnlockError};
use crate::keyring::{KekId, Keyring, SealError};
use crate::root::{RootId, RootKey};
use crate::sealed::{KEK_ID_BYTES, NONCE_BYTES, WRAPPED_KEY_BYTES, append, open};

use self::document::{Document, StoredKey, Wrapped, Wraps};
pub use self::document::{Ended, KeyState, Phase, RootRotation, Slot};
pub use self::rotation::StepRefused;

/// The first byte of the layout: the one before it is [`SealedKek`]'s.
const FORMAT: u8 = 2;
const CHECKSUM_BYTES: usize = 8;
const CODE_BYTES: usize = 32;
/// What the root key's derived key is for; a new layout gets a new name.
const WRAPS: &str = "pawl root key wraps store keys 2";
/// What the seed's derived key is for.
const CODE: &str = "pawl key record 2";

/// A store's key record: safe to store anywhere, and of no use without the root key.
///
/// | bytes | what |
/// |---|---|
/// | 1 | format, 2 |
/// | 8 | the first bytes of the SHA-256 of all that follows: no protection; it tells damage from a wrong root key |
/// | 32 | HMAC-SHA256 of what follows, under a key of the seed |
/// | n | JSON: the root keys' slots, the store's keys under each of them, the rotation that is under way |
///
/// What it says before it is unlocked (which root keys, by which providers) is not authenticated yet.
#[derive(Clone, Debug)]
pub struct KeyRecord(Form);

#[derive(Clone, Debug)]
enum Form {
    /// One key under one root key of which nothing is known.
    First(SealedKek),
    Second {
        text: Vec<u8>,
        code: [u8; CODE_BYTES],
        document: Box<Document>,
    },
}

/// A key record whose keys are at hand.
pub struct UnlockedRecord {
    document: Document,
    seed: SecretBytes,
    keys: Vec<(KekId, SecretBytes)>,
}

impl KeyRecord {
    /// Takes what a store keeps apart.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, UnlockError> {
        if bytes.first() != Some(&FORMAT) {
            let first = SealedKek::from_bytes(bytes.to_vec());
            return if first.is_whole() { Ok(Self(Form::First(first))) } else { Err(UnlockError::Damaged) };
        }
        let parts = || {
            let (sum, rest) = bytes.get(1..)?.split_first_chunk::<CHECKSUM_BYTES>()?;
            let (code, text) = rest.split_first_chunk::<CODE_BYTES>()?;
            let whole = text.len() <= limits::KEY_RECORD_BYTES_MAX && *sum == checksum(rest);
            let document: Document = whole.then(|| serde_json::from_slice(text).ok())??;
            document.is_sane().then(|| (text.to_vec(), *code, Box::new(document)))
        };
        let (text, code, document) = parts().ok_or(UnlockError::Damaged)?;
        Ok(Self(Form::Second { text, code, document }))
    }

    /// The root keys that open it; none are named in a record of the first format.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        match &self.0 {
            Form::First(_) => &[],
            Form::Second { document, .. } => &document.slots,
        }
    }

    /// Raised by every change of the record; 0 in one of the first format.
    #[must_use]
    pub fn serial(&self) -> u64 {
        match &self.0 {
            Form::First(_) => 0,
            Form::Second { document, .. } => document.serial,
        }
    }

    /// The keys, by a root key that opens them.
    ///
    /// # Errors
    /// When it is another root key, or the record is not what was written.
    pub fn unlock(&self, root: &RootKey) -> Result<UnlockedRecord, UnlockError> {
        let (text, code, document) = match &self.0 {
            Form::First(sealed) => return UnlockedRecord::of_first(sealed, root),
            Form::Second { text, code, document } => (text, code, document),
        };
        let id = root.id();
        if !document.slots.iter().any(|slot| slot.root == id) {
            return Err(UnlockError::WrongRootKey);
        }
        // The root key is the right one, so what does not open was changed.
        let seed = unwrap(root, document.seed_id, &document.seed).ok_or(UnlockError::Altered)?;
        let expected = keyed_hash(&*derive(&seed, CODE), &[text]);
        if !bool::from(expected.ct_eq(code)) {
            return Err(UnlockError::Altered);
        }
        let key = |stored: &StoredKey| Some((stored.id, unwrap(root, stored.id, &stored.wraps)?));
        let keys = document.keys.iter().map(key).collect::<Option<Vec<_>>>().ok_or(UnlockError::Altered)?;
        Ok(UnlockedRecord { document: (**document).clone(), seed, keys })
    }
}

impl UnlockedRecord {
    /// New keys for a new store, under a root key.
    ///
    /// # Errors
    /// None in fact: 32 bytes are not too long for the cipher.
    pub fn create(root: &RootKey, slot: Slot, now: Timestamp, rng: &dyn Rng) -> Result<Self, SealError> {
        let (seed_id, seed) = (new_id(rng), new_key(rng));
        let (id, key) = (new_id(rng), new_key(rng));
        let stored = StoredKey { id, state: KeyState::Active, created_at: now, wraps: Wraps::new() };
        let document = Document::new(seed_id, slot, stored);
        let mut record = Self { document, seed, keys: vec![(id, key)] };
        // There is no row yet.
        record.document.rows_signed_at = Some(now);
        record.wrap(root, rng)?;
        Ok(record)
    }

    fn of_first(sealed: &SealedKek, root: &RootKey) -> Result<Self, UnlockError> {
        let (id, kek) = sealed.open(root)?;
        let id = KekId(id);
        // When it was made, nobody has written down.
        let made = Timestamp::default();
        let slot = Slot { root: root.id(), provider: Slot::FILE.to_owned(), data: None, created_at: made };
        let stored = StoredKey { id, state: KeyState::Active, created_at: made, wraps: Wraps::new() };
        let mut document = Document::new(id, slot, stored);
        document.serial = 0;
        Ok(Self { document, seed: kek.duplicate(), keys: vec![(id, kek)] })
    }

    /// The keyring of these keys.
    ///
    /// # Errors
    /// When no key of the record seals.
    pub fn keyring(&self) -> Result<Keyring, UnlockError> {
        let seed = (self.document.seed_id, self.seed.duplicate());
        Keyring::of_several(seed, &self.keys, self.active()).ok_or(UnlockError::Damaged)
    }

    /// What the store is to keep.
    ///
    /// # Errors
    /// None in fact: the record can be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SealError> {
        let text = serde_json::to_vec(&self.document).map_err(|_| SealError::TooLong)?;
        let code = keyed_hash(&*derive(&self.seed, CODE), &[&text]);
        let rest = [&code[..], &text].concat();
        Ok([&[FORMAT][..], &checksum(&rest), &rest].concat())
    }

    /// Raised by every change.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.document.serial
    }

    /// The root keys that open it.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.document.slots
    }

    /// The key that seals.
    #[must_use]
    pub fn active(&self) -> KekId {
        let active = self.document.keys.iter().find(|key| key.state == KeyState::Active);
        active.map_or(self.document.seed_id, |key| key.id)
    }

    /// The keys with what they do and when they were made, the oldest first.
    pub fn keys(&self) -> impl Iterator<Item = (KekId, KeyState, Timestamp)> + '_ {
        self.document.keys.iter().map(|key| (key.id, key.state, key.created_at))
    }

    /// The rotation of the root key that is under way.
    #[must_use]
    pub const fn rotation(&self) -> Option<&RootRotation> {
        self.document.rotation.as_ref()
    }

    /// The last rotation that has ended.
    #[must_use]
    pub const fn ended(&self) -> Option<&Ended> {
        self.document.ended.as_ref()
    }

    /// Since when every row of the store has a code, and one without is refused. Like all that the record says, only who has the
    /// store's keys can have written it.
    #[must_use]
    pub const fn rows_signed_at(&self) -> Option<Timestamp> {
        self.document.rows_signed_at
    }

    /// Says that every row of the store has a code from now on. `root` is the root key that opened the record.
    ///
    /// # Errors
    /// None in fact: the keys can be sealed.
    pub fn rows_are_signed(
        &mut self,
        root: &RootKey,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(), SealError> {
        self.document.rows_signed_at = Some(now);
        self.document.serial = self.document.serial.saturating_add(1);
        // A record of the first format has nothing under the root key in the way of the second.
        if self.document.seed.is_empty() { self.wrap(root, rng) } else { Ok(()) }
    }

    /// Seals all keys under one more root key.
    fn wrap(&mut self, root: &RootKey, rng: &dyn Rng) -> Result<(), SealError> {
        let id = root.id();
        let seed_id = self.document.seed_id;
        self.document.seed.insert(id, wrap(root, seed_id, &self.seed, rng)?);
        for (stored, (_, key)) in self.document.keys.iter_mut().zip(&self.keys) {
            stored.wraps.insert(id, wrap(root, stored.id, key, rng)?);
        }
        Ok(())
    }
}

fn new_id(rng: &dyn Rng) -> KekId {
    let mut id = [0; KEK_ID_BYTES];
    rng.fill(&mut id);
    KekId(id)
}

fn new_key(rng: &dyn Rng) -> SecretBytes {
    let mut key = vec![0; KEY_BYTES];
    rng.fill(&mut key);
    SecretBytes::new(key)
}

fn wrap(root: &RootKey, id: KekId, key: &SecretBytes, rng: &dyn Rng) -> Result<Wrapped, SealError> {
    let mut out = Vec::with_capacity(NONCE_BYTES + WRAPPED_KEY_BYTES);
    append(&mut out, &cipher(root.bytes(), WRAPS), rng, &id.0, key.expose())
        .map_err(|_| SealError::TooLong)?;
    Ok(Wrapped(out))
}

fn unwrap(root: &RootKey, id: KekId, wraps: &Wraps) -> Option<SecretBytes> {
    unwrap_one(root, &id.0, wraps.get(&root.id())?)
}

fn unwrap_one(root: &RootKey, bound: &[u8], wrapped: &Wrapped) -> Option<SecretBytes> {
    let (nonce, sealed) = wrapped.0.split_first_chunk::<NONCE_BYTES>()?;
    open(&cipher(root.bytes(), WRAPS), nonce, bound, sealed).filter(|key| key.len() == KEY_BYTES)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = <[u8; 32]>::from(Sha256::digest(bytes));
    hash.first_chunk().copied().unwrap_or_default()
}

/// What a root key is bound to that is handed over to other hosts under the one before it.
fn handed(from: RootId, to: RootId) -> Vec<u8> {
    format!("handed over from {from} to {to}").into_bytes()
}

impl std::fmt::Debug for UnlockedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnlockedRecord").field("document", &self.document).finish_non_exhaustive()
    }
}
