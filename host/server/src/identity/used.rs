//! When access keys were last used: noted in memory, and written down together now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;

/// The last use of an access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// The service that was called.
    pub service: String,
    /// The region.
    pub region: String,
}

type Uses = BTreeMap<String, LastUse>;

/// The setting of the store that holds them.
const SETTING: &str = "access keys last used";

/// Uses that are not yet written down, by access keys.
#[derive(Debug, Default)]
pub struct LastUsed(Mutex<Uses>);

impl LastUsed {
    /// Notes a use. What was noted within the last seconds is good enough: most calls change nothing.
    pub(super) fn note(&self, key: &str, now: Timestamp, service: &str, region: &str) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let grain = limits::LAST_USED_GRAIN_MILLIS;
        if uses.get(key).is_some_and(|held| now.millis_since(held.at) < grain && held.service == service) {
            return;
        }
        let last = LastUse { at: now, service: service.to_owned(), region: region.to_owned() };
        uses.insert(key.to_owned(), last);
    }

    /// The last use of a key, as far as this host and the store know.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(&self, store: &dyn Store, key: &str) -> Result<Option<LastUse>, StoreError> {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let written = read(store.meta(SETTING).await?.as_deref()).remove(key);
        Ok(own.into_iter().chain(written).max_by_key(|last| last.at))
    }

    /// Writes down what was noted, and forgets keys that are gone.
    pub(super) async fn write(&self, store: &dyn Store, snapshot: &Snapshot) {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if noted.is_empty() {
            return;
        }
        for _ in 0..limits::CHANGE_TRIES_MAX {
            match swap(store, &noted, snapshot).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    // They are information.
                    tracing::warn!(%error, "when access keys were last used could not be stored");
                    return;
                }
            }
        }
    }
}

fn read(stored: Option<&[u8]>) -> Uses {
    stored.and_then(|stored| serde_json::from_slice(stored).ok()).unwrap_or_default()
}

/// Whether it was written; not when another host was faster.
async fn swap(store: &dyn Store, noted: &Uses, snapshot: &Snapshot) -> Result<bool, StoreError> {
    let stored = store.meta(SETTING).await?;
    let before = read(stored.as_deref());
    let mut uses = before.clone();
    for (key, last) in noted {
        if before.get(key).is_none_or(|held| held.at < last.at) {
            uses.insert(key.clone(), last.clone());
        }
    }
    uses.retain(|key, _| snapshot.key(key).is_some());
    if uses == before {
        return Ok(true);
    }
    let next = serde_json::to_vec(&uses).unwrap_or_default();
    store.swap_meta(SETTING, stored.as_deref(), &next).await
}
