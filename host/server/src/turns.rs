//! Turns: one change of a secret at a time.
//!
//! Not what keeps changes apart (the store's revision does, on any number of hosts), but what spares those of one host the
//! losing of races: a secret that many callers change at once would otherwise have some of them run out of tries.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::cache::Key;

/// Secrets that share a turn do so by chance; few do.
const SHARDS: usize = 2_048;

/// The turns of a host's secrets.
pub(crate) struct Turns {
    hasher: RandomState,
    shards: Vec<Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Turns {
    /// Waits for the turn of a secret. It ends when the guard is dropped.
    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    pub(crate) async fn take(&self, key: &Key) -> Option<MutexGuard<'_, ()>> {
        let shard = self.shards.get(self.hasher.hash_one(key) as usize % SHARDS)?;
        Some(shard.lock().await)
    }

    /// Waits for the turns of several secrets; always in the same order, so that no two wait for each other.
    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    pub(crate) async fn take_all(&self, keys: &[Key]) -> Vec<MutexGuard<'_, ()>> {
        let places: BTreeSet<usize> =
            keys.iter().map(|key| self.hasher.hash_one(key) as usize % SHARDS).collect();
        let mut turns = Vec::with_capacity(places.len());
        for place in places {
            if let Some(shard) = self.shards.get(place) {
                turns.push(shard.lock().await);
            }
        }
        turns
    }
}
