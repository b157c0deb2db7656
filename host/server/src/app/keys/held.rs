//! Keys in memory, with their materials at hand.
//!
//! On a store of its own a host knows every change: it forgets the key when it commits. On a shared one it asks twice a second
//! whether another host has changed any, and then forgets all. A key that another host disables may so be used for another half
//! second here; AWS's own keys take longer ("eventual consistency").

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pawl_core::key::{Key, KeyId};
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use pawl_keyring::{SealedMaterial, UnlockedKey};

/// A key as it was last loaded, unlocked.
#[derive(Debug)]
pub struct HeldKey {
    /// The store's number of its state.
    pub revision: u64,
    /// The aggregate.
    pub key: Key,
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
            if let (Ok(region), Ok(id)) = (region.parse(), name.parse()) {
                memory.keys.remove(&(region, id));
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
