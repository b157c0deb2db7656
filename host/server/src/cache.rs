//! Sealed records in memory, for reading: nothing in here is in clear.
//!
//! Coherent on one host by construction: every change of a secret goes through this process, and tells the cache before it is
//! acknowledged. Changes by other hosts are noticed when what is held is compared with the store (`app/coherence.rs`). A reader that loads from the store while a change commits could otherwise put back what it read before; so a
//! load carries the generation under which it began, and is dropped when a change has come since.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use litemap::LiteMap;
use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::secret::Secret;
use pawl_iam::policy::PolicyDocument;
use pawl_keyring::Sealed;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// A secret as it was last committed, with the sealed values of its labelled versions.
#[derive(Clone, Debug)]
pub struct Held {
    /// How often it was changed.
    pub revision: u64,
    /// The aggregate.
    pub secret: Secret,
    /// The sealed values of the versions that have labels.
    pub sealed: LiteMap<VersionId, Arc<Sealed>>,
    /// The policy on it.
    pub policy: Policy,
    /// The ARN under which the values are sealed, where it is not the secret's own: a replica's values are its primary's.
    pub sealed_under: Option<SecretArn>,
    /// Bytes of memory that it takes, roughly.
    pub weight: u64,
}

/// The policy on a secret, ready to decide.
#[derive(Clone, Debug)]
pub enum Policy {
    /// There is none.
    None,
    /// What it says.
    Document(Arc<PolicyDocument>),
    /// It was stored by a program that read it otherwise: it denies, until it is replaced.
    Unreadable,
}

impl Held {
    /// A secret without values and policy, as a list has it.
    #[must_use]
    pub const fn bare(revision: u64, secret: Secret) -> Self {
        let sealed = LiteMap::new();
        Self { revision, secret, sealed, policy: Policy::None, sealed_under: None, weight: 0 }
    }

    /// The same once more; what is large is shared.
    #[must_use]
    pub fn copied(&self) -> Self {
        Self {
            revision: self.revision,
            secret: self.secret.clone(),
            sealed: self.sealed.clone(),
            policy: self.policy.clone(),
            sealed_under: self.sealed_under.clone(),
            weight: self.weight,
        }
    }

    /// What the values are bound to.
    #[must_use]
    pub fn seal_arn(&self) -> &SecretArn {
        self.sealed_under.as_ref().unwrap_or(&self.secret.arn)
    }
}

/// What names a secret: a region and a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub Region, pub SecretName);

/// How a cache does.
#[derive(Clone, Copy, Debug)]
pub struct CacheFigures {
    /// How often a secret was found.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
    /// How many secrets are held.
    pub secrets: u64,
    /// Bytes of memory that they take, roughly.
    pub bytes: u64,
}

/// Changes of secrets that share one disturb each other: what was committed is then loaded again. So there are many more than
/// changes at once.
const SHARDS: usize = 4_096;

/// The cache.
pub struct SealedCache {
    held: Cache<Key, Arc<Held>, Weigh>,
    hasher: RandomState,
    /// One per shard: raised by every change, under the shard's lock.
    generations: Vec<(AtomicU64, Mutex<()>)>,
}

/// The generation under which a load from the store began.
#[derive(Clone, Copy, Debug)]
pub struct Generation(u64);

/// Weighs what is held by the memory that it takes, roughly.
#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<Key, Arc<Held>> for Weigh {
    fn weight(&self, _key: &Key, held: &Arc<Held>) -> u64 {
        // Nothing that weighs nothing is ever given up.
        held.weight.max(1)
    }
}

impl SealedCache {
    /// A cache that takes about `bytes` of memory when it is full.
    #[must_use]
    pub fn of_bytes(bytes: u64) -> Self {
        let items = usize::try_from(bytes).unwrap_or(usize::MAX) / (limits::CACHE_SECRET_BYTES * 2);
        Self {
            held: Cache::with_weighter(items.max(1), bytes, Weigh),
            hasher: RandomState::new(),
            generations: (0..SHARDS).map(|_| Default::default()).collect(),
        }
    }

    /// How it does so far.
    #[must_use]
    pub fn figures(&self) -> CacheFigures {
        let secrets = u64::try_from(self.held.len()).unwrap_or(u64::MAX);
        let (hits, misses, bytes) = (self.held.hits(), self.held.misses(), self.held.weight());
        CacheFigures { hits, misses, secrets, bytes }
    }

    /// What is held of a secret.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<Held>> {
        self.held.get(key)
    }

    /// What is held of a secret, for who does not use it: it counts as no use.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Arc<Held>> {
        self.held.peek(key)
    }

    /// To be asked before a load from the store.
    #[must_use]
    pub fn generation(&self, key: &Key) -> Generation {
        Generation(self.shard(key).map_or(0, |(generation, _)| generation.load(Ordering::SeqCst)))
    }

    /// Keeps what was loaded, unless the secret may have changed since `began`.
    pub fn keep_loaded(&self, key: Key, held: Arc<Held>, began: Generation) {
        let Some((generation, lock)) = self.shard(&key) else { return };
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if generation.load(Ordering::SeqCst) == began.0 {
            self.held.insert(key, held);
        }
    }

    /// Forgets a secret that a load did not find, unless it may have been made since `began`.
    pub fn forget(&self, key: &Key, began: Generation) {
        let Some((generation, lock)) = self.shard(key) else { return };
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if generation.load(Ordering::SeqCst) == began.0 {
            self.held.remove(key);
        }
    }

    /// Replaces what is held of a secret by what `with` makes of it: for what may be lost, and is not in the store yet.
    pub fn renew(&self, key: &Key, with: impl FnOnce(&Held) -> Held) {
        let Some((_, lock)) = self.shard(key) else { return };
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = self.held.get(key) {
            self.held.insert(key.clone(), Arc::new(with(&held)));
        }
    }

    /// Keeps what was committed by a change that began at `began`, or forgets the secret. To be called before the change is
    /// acknowledged. When another change has come meanwhile, which of the two is the later is not known here: the next reader
    /// asks the store.
    pub fn committed(&self, key: Key, held: Option<Arc<Held>>, began: Generation) {
        let Some((generation, lock)) = self.shard(&key) else { return };
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let undisturbed = generation.fetch_add(1, Ordering::SeqCst) == began.0;
        match held {
            Some(held) if undisturbed => self.held.insert(key, held),
            _ => {
                self.held.remove(&key);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
    fn shard(&self, key: &Key) -> Option<&(AtomicU64, Mutex<()>)> {
        self.generations.get(self.hasher.hash_one(key) as usize % SHARDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemRng;
    use pawl_core::world::Timestamp;

    fn held(revision: u64) -> (Key, Arc<Held>) {
        let region: Region = "us-east-1".parse().unwrap();
        let name: SecretName = "x".parse().unwrap();
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &SystemRng);
        let secret = Secret::new(arn, region.clone(), name.clone(), Timestamp::from_millis(0));
        (Key(region, name), Arc::new(Held::bare(revision, secret)))
    }

    #[test]
    fn a_load_that_began_before_a_change_is_not_kept() {
        let cache = SealedCache::of_bytes(1 << 20);
        let (key, old) = held(1);
        let began = cache.generation(&key);
        cache.committed(key.clone(), Some(held(2).1), cache.generation(&key));
        cache.held.remove(&key); // evicted
        cache.keep_loaded(key.clone(), old.clone(), began);
        assert!(cache.get(&key).is_none());
        cache.keep_loaded(key.clone(), old, cache.generation(&key));
        assert!(cache.get(&key).is_some());
    }

    #[test]
    fn changes_that_crossed_leave_nothing_stale() {
        let cache = SealedCache::of_bytes(1 << 20);
        let (key, first) = held(1);
        let (began_first, began_delete) = (cache.generation(&key), cache.generation(&key));
        cache.committed(key.clone(), None, began_delete);
        cache.committed(key.clone(), Some(first), began_first);
        assert!(cache.get(&key).is_none());
        cache.committed(key.clone(), Some(held(3).1), cache.generation(&key));
        assert_eq!(cache.get(&key).unwrap().revision, 3);
    }
}
