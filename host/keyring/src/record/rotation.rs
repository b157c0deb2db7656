//! The steps of a rotation of the root key, each of which is one change of the record.
//!
//! `begin`: both root keys open it, and a new key-encryption key is announced. `activate`: that one seals. `finish`: only the new
//! root key opens it. `forget_former`: the key-encryption key before it is gone.

use pawl_core::limits;
use pawl_core::world::{Rng, Timestamp};

use super::{
    Ended, KeyState, Phase, RootRotation, Slot, StoredKey, UnlockedRecord, Wraps, handed, new_id, new_key,
    unwrap_one,
};
use crate::derivation::cipher;
use crate::keyring::SealError;
use crate::root::{RootId, RootKey};
use crate::sealed::{NONCE_BYTES, WRAPPED_KEY_BYTES, append};

/// Why a step cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepRefused {
    /// One is under way.
    #[error("a rotation of the root key is under way; `pawl key status` shows how far it is")]
    UnderWay,
    /// None is under way, or it is elsewhere.
    #[error("no rotation of the root key is at this step")]
    NotThere,
    /// The new root key is the old one.
    #[error("the store is under this root key already")]
    SameKey,
    /// Too many keys still open something.
    #[error(
        "the root key was rotated too often of late: sessions that were begun since still need the keys before it; wait until they have ended"
    )]
    TooSoon,
    /// The keys could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl UnlockedRecord {
    /// Lets a new root key open the record beside the one that does, and announces a new key-encryption key. With `hand_over`
    /// hosts that have the root key of before find the new one in the record, sealed under it.
    ///
    /// # Errors
    /// When a rotation is under way, the root keys are not the ones that they should be, or there were too many rotations.
    pub fn begin(
        &mut self,
        old: &RootKey,
        new: &RootKey,
        slot: Slot,
        hand_over: bool,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(), StepRefused> {
        let (from, to) = (old.id(), new.id());
        if self.document.rotation.is_some() {
            return Err(StepRefused::UnderWay);
        }
        if from == to || slot.root != to {
            return Err(StepRefused::SameKey);
        }
        if self.document.keys.len() >= limits::KEKS_MAX {
            return Err(StepRefused::TooSoon);
        }
        self.document.slots.retain(|slot| slot.root == from);
        if self.document.slots.is_empty() {
            return Err(StepRefused::NotThere);
        }
        self.document.slots.push(slot);
        let (id, key) = (new_id(rng), new_key(rng));
        let stored = StoredKey { id, state: KeyState::Announced, created_at: now, wraps: Wraps::new() };
        self.document.keys.push(stored);
        self.keys.push((id, key));
        self.wrap(old, rng)?;
        self.wrap(new, rng)?;
        if hand_over {
            let mut out = Vec::with_capacity(NONCE_BYTES + WRAPPED_KEY_BYTES);
            append(
                &mut out,
                &cipher(old.bytes(), super::WRAPS),
                rng,
                &handed(from, to),
                new.bytes().expose(),
            )
            .map_err(|_| SealError::TooLong)?;
            self.document.handover = Some(super::Wrapped(out));
        }
        self.document.rotation =
            Some(RootRotation { from, to, key: id, began_at: now, phase: Phase::Publishing });
        self.changed();
        Ok(())
    }

    /// The root key that is handed over, by the one before it.
    #[must_use]
    pub fn handed_over(&self, old: &RootKey) -> Option<RootKey> {
        let rotation = self.document.rotation.as_ref()?;
        let bound = handed(rotation.from, rotation.to);
        let key = RootKey::from_bytes(unwrap_one(old, &bound, self.document.handover.as_ref()?)?)?;
        (key.id() == rotation.to).then_some(key)
    }

    /// Takes a rotation back that has not begun to seal anything.
    ///
    /// # Errors
    /// When there is none.
    pub fn cancel(&mut self) -> Result<(), StepRefused> {
        let rotation = self.at(Phase::Publishing)?;
        self.remove_key(|key| key.id == rotation.key);
        self.remove_root(rotation.to);
        self.document.rotation = None;
        self.document.handover = None;
        self.changed();
        Ok(())
    }

    /// From now on the new key-encryption key seals; the one before it opens at least until `former_until`.
    ///
    /// # Errors
    /// When it was not announced.
    pub fn activate(&mut self, former_until: Timestamp) -> Result<(), StepRefused> {
        let mut rotation = self.at(Phase::Publishing)?;
        for key in &mut self.document.keys {
            if key.id == rotation.key {
                key.state = KeyState::Active;
            } else if key.state == KeyState::Active {
                key.state = KeyState::Former { until: former_until };
            }
        }
        rotation.phase = Phase::Rewrapping;
        self.document.rotation = Some(rotation);
        self.changed();
        Ok(())
    }

    /// Ends the rotation: the root key before it opens the record no more. Nothing may be under an older key-encryption key in
    /// the store by now.
    ///
    /// # Errors
    /// When it is not as far.
    pub fn finish(&mut self, now: Timestamp) -> Result<(), StepRefused> {
        let RootRotation { from, to, began_at, .. } = self.at(Phase::Rewrapping)?;
        self.remove_root(from);
        self.document.rotation = None;
        self.document.handover = None;
        self.document.ended = Some(Ended { from, to, began_at, ended_at: now });
        self.changed();
        Ok(())
    }

    /// Forgets key-encryption keys whose time is over, unless a rotation is under way. Whether there were any.
    pub fn forget_former(&mut self, now: Timestamp) -> bool {
        let over = |key: &StoredKey| matches!(key.state, KeyState::Former { until } if until <= now);
        if self.document.rotation.is_some() || !self.document.keys.iter().any(over) {
            return false;
        }
        self.remove_key(over);
        self.changed();
        true
    }

    fn at(&self, phase: Phase) -> Result<RootRotation, StepRefused> {
        self.document.rotation.clone().filter(|rotation| rotation.phase == phase).ok_or(StepRefused::NotThere)
    }

    fn remove_key(&mut self, which: impl Fn(&StoredKey) -> bool) {
        self.document.keys.retain(|key| !which(key));
        let held = &self.document.keys;
        self.keys.retain(|(id, _)| held.iter().any(|key| key.id == *id));
    }

    fn remove_root(&mut self, root: RootId) {
        self.document.slots.retain(|slot| slot.root != root);
        self.document.seed.remove(&root);
        for key in &mut self.document.keys {
            key.wraps.remove(&root);
        }
    }

    fn changed(&mut self) {
        self.document.serial = self.document.serial.saturating_add(1);
    }
}
