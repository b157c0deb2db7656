//! Code from the store, in memory: never wrong, for a digest names the same code for ever.

use std::fmt;
use std::sync::Arc;

use pawl_core::function::{Code, Digest, Grants};
use pawl_core::limits;
use pawl_runtime::Component;
use pawl_store::{Store, StoreError};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// A component, and what its manifest asks for.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) component: Component,
    pub(super) grants: Arc<Grants>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Digest, Kept> for Bytes {
    fn weight(&self, _: &Digest, kept: &Kept) -> u64 {
        u64::try_from(kept.component.bytes().len()).unwrap_or(u64::MAX)
    }
}

/// The code that was used last.
pub(super) struct CodeCache(Cache<Digest, Kept, Bytes>);

impl Default for CodeCache {
    fn default() -> Self {
        Self::of_bytes(u64::try_from(limits::FUNCTION_CACHE_BYTES_MAX).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeCache({} components, {} bytes)", self.0.len(), self.0.weight())
    }
}

impl CodeCache {
    pub(super) fn of_bytes(bytes: u64) -> Self {
        let items = usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        // In one part: one component may be a good share of it all.
        let options =
            OptionsBuilder::new().estimated_items_capacity(items).weight_capacity(bytes).shards(1).build();
        Self(match options {
            Ok(options) => Cache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Cache::with_weighter(items, bytes, Bytes),
        })
    }

    /// The code of this digest, if the store has it.
    pub(super) async fn get(&self, store: &dyn Store, digest: &Digest) -> Result<Option<Kept>, StoreError> {
        if let Some(kept) = self.0.get(digest) {
            return Ok(Some(kept));
        }
        let Some(stored) = store.code(digest).await? else { return Ok(None) };
        let wrong = |column| StoreError::Inconsistent { table: "code", column };
        let about: Code = serde_json::from_str(&stored.document).map_err(|_| wrong("document"))?;
        // To digest what may be large takes a while.
        let component = tokio::task::spawn_blocking(move || Component::new(stored.component))
            .await
            .map_err(|_| StoreError::Broken("the digest of a component"))?;
        if component.digest() != *digest {
            return Err(wrong("component"));
        }
        let kept = Kept { component, grants: Arc::new(about.grants) };
        self.0.insert(*digest, kept.clone());
        Ok(Some(kept))
    }
}

/// Bytes of a common component: what a rotator in Rust has.
const TYPICAL_BYTES: u64 = 256 * 1024;
