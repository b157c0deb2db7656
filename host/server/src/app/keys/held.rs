//! Keys in memory, with their materials at hand.
//!
//! On a store of its own a host knows every change: it forgets the key when it commits. On a shared one it asks twice a second
//! whether another host has changed any, and then forgets all. A key that another host disables may so be used for another half
//! second here; AWS's own keys take longer ("eventual consistency").

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pawl_core::key::{AliasName, Key, KeyId};
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use pawl_iam::policy::PolicyDocument;
use pawl_keyring::{SealedMaterial, UnlockedKey};

/// A key as it was last loaded, unlocked.
#[derive(Debug)]
pub struct HeldKey {
    /// The store's number of its state.
    pub revision: u64,
    /// The aggregate.
    pub key: Key,
    /// Its other names.
    pub(super) aliases: Vec<AliasName>,
    /// Its policy; none when it cannot be read.
    pub(super) policy: Option<PolicyDocument>,
    pub(super) sealed: SealedMaterial,
    /// What encrypts.
    pub unlocked: UnlockedKey,
}

/// What is remembered.
#[derive(Default)]
struct Memory {
    keys: HashMap<(Region, KeyId), Arc<HeldKey>>,
    /// Raised by every change: a load that began before one is not kept.
    generation: u64,
    /// What the store's number of changes was, and when that was asked.
    seen: Option<(u64, Timestamp)>,
}

/// The keys that are remembered.
#[derive(Default)]
pub(in crate::app) struct HeldKeys(RwLock<Memory>);

impl HeldKeys {
    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, region: &Region, id: KeyId) -> Option<Arc<HeldKey>> {
        self.read().keys.get(&(region.clone(), id)).cloned()
    }

    /// To be asked before a load from the store.
    pub(super) fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Keeps what was loaded, unless a key may have changed since.
    pub(super) fn keep(&self, region: &Region, held: Arc<HeldKey>, began: u64) {
        let mut memory = self.write();
        if memory.generation != began {
            return;
        }
        if memory.keys.len() >= limits::KEYS_HELD_MAX {
            memory.keys.clear();
        }
        memory.keys.insert((region.clone(), held.key.id), held);
    }

    /// Forgets what was changed, by region and name.
    pub(super) fn forget(&self, changed: &[(String, String)]) {
        let mut memory = self.write();
        memory.generation = memory.generation.saturating_add(1);
        for (region, name) in changed {
            match (region.parse(), name.parse()) {
                (Ok(region), Ok(id)) => drop(memory.keys.remove(&(region, id))),
                // An alias: a key is held with its own.
                _ => memory.keys.clear(),
            }
        }
    }

    /// Whether it is long since the store was asked.
    pub(super) fn is_stale(&self, wall: Timestamp) -> bool {
        let fresh = |(_, asked): (u64, Timestamp)| wall >= asked && wall < asked + limits::KEYS_FRESH;
        !self.read().seen.is_some_and(fresh)
    }

    /// Notes what the store's number of changes was; all is forgotten when it is another one.
    pub(super) fn seen(&self, version: u64, asked: Timestamp) {
        let mut memory = self.write();
        if memory.seen.is_none_or(|(held, _)| held != version) {
            memory.keys.clear();
            memory.generation = memory.generation.saturating_add(1);
        }
        memory.seen = Some((version, asked));
    }
}

#[cfg(test)]
mod tests {
    use pawl_core::key::{KeyManager, KeySpec, NewKey};
    use pawl_keyring::{Keyring, RootKey};

    use super::*;
    use crate::world::SystemRng;

    const NOW: Timestamp = Timestamp::from_millis(1_785_000_000_000);

    fn held() -> (Region, Arc<HeldKey>) {
        let region: Region = "us-east-1".parse().unwrap();
        let new = NewKey {
            region: region.clone(),
            account: "000000000000".parse().unwrap(),
            spec: KeySpec::SymmetricDefault,
            manager: KeyManager::Customer,
            description: String::new(),
            policy: None,
            principals: std::collections::BTreeMap::new(),
            tags: Vec::new(),
        };
        let key = Key::new(new, &SystemRng, NOW).unwrap();
        let (keyring, _) = Keyring::create(&RootKey::generate(&SystemRng), &SystemRng).unwrap();
        let sealed = keyring.add_material(key.arn.as_str(), 1, None, &SystemRng).unwrap();
        let materials = keyring.open_material(key.arn.as_str(), &sealed).unwrap();
        let unlocked = UnlockedKey::new(key.id, key.arn.to_string(), &materials).unwrap();
        (region, Arc::new(HeldKey { revision: 1, key, aliases: Vec::new(), policy: None, sealed, unlocked }))
    }

    #[test]
    fn a_load_that_began_before_a_change_is_not_kept() {
        let (region, held) = held();
        let (keys, id) = (HeldKeys::default(), held.key.id);
        let began = keys.generation();
        keys.forget(&[(region.to_string(), id.to_string())]);
        keys.keep(&region, held.clone(), began);
        assert!(keys.get(&region, id).is_none());
        keys.keep(&region, held, keys.generation());
        assert!(keys.get(&region, id).is_some());
        assert!(keys.get(&"eu-west-1".parse().unwrap(), id).is_none(), "keys are of a region");
        keys.forget(&[(region.to_string(), id.to_string())]);
        assert!(keys.get(&region, id).is_none());
    }

    #[test]
    fn what_another_host_changed_is_forgotten_and_asked_for_now_and_then() {
        let (region, held) = held();
        let (keys, id) = (HeldKeys::default(), held.key.id);
        assert!(keys.is_stale(NOW), "nobody has asked yet");
        keys.seen(7, NOW);
        keys.keep(&region, held, keys.generation());
        assert!(!keys.is_stale(NOW) && keys.is_stale(NOW + limits::KEYS_FRESH));
        assert!(keys.is_stale(Timestamp::from_millis(0)), "a clock that was set back is no reason to wait");
        keys.seen(7, NOW + limits::KEYS_FRESH);
        assert!(keys.get(&region, id).is_some(), "nothing was changed");
        keys.seen(8, NOW);
        assert!(keys.get(&region, id).is_none());
    }
}
