//! One running host: the service and what is around it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pawl_core::limits;
use pawl_core::names::Region;
use pawl_iam::sigv4::SigningKey;
use pawl_runtime::Runtime;

use crate::app::App;
use crate::epoch::StoreEpoch;
use crate::identity::AccessKey;
use crate::metrics::Metrics;
use crate::ops::PageTokens;
use crate::world::{RequestIds, SystemClock};

/// A host.
pub struct Host {
    /// The service.
    pub app: App,
    /// What an operator watches.
    pub metrics: Metrics,
    /// The rotators' sandbox.
    pub runtime: Runtime,
    /// The tokens of pages.
    pub pages: PageTokens,
    /// The root identity's key.
    pub root_key: AccessKey,
    /// The region of this host, for what has none of its own.
    pub region: Region,
    /// This host's id, for the store's leases.
    pub owner: String,
    /// The clock by which secrets live.
    pub clock: Arc<SystemClock>,
    /// The clock that `pawl dev clock advance` moves; none unless the host was started with `--dev-clock`.
    pub dev_clock: Option<DevClock>,
    /// Where the store is, for people.
    pub store_place: String,
    /// The ids of requests.
    pub request_ids: RequestIds,
    /// Derived signing keys.
    pub signing_keys: SigningKeys,
    /// Whether the store is the one that this host knows.
    pub epoch: StoreEpoch,
}

/// A clock that can be moved forward, and the file in which the next start finds how far.
pub struct DevClock {
    /// The clock.
    pub clock: Arc<SystemClock>,
    /// Its offset in milliseconds, as text.
    pub file: PathBuf,
}

impl DevClock {
    /// Moves the clock and writes down where it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn advance(&self, by: Duration) -> std::io::Result<()> {
        std::fs::write(&self.file, self.clock.advance(by).to_string())
    }
}

/// Signing keys by what they were derived from: four rounds of HMAC are most of a verification's cost.
#[derive(Default)]
pub struct SigningKeys(RwLock<HashMap<(String, String, String), Arc<SigningKey>>>);

impl SigningKeys {
    /// The root key's signing key for a day, region and service.
    #[must_use]
    pub fn of(&self, key: &AccessKey, date: &str, region: &str, service: &str) -> Arc<SigningKey> {
        let scope = (date.to_owned(), region.to_owned(), service.to_owned());
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&scope) {
            return found.clone();
        }
        let derived = Arc::new(SigningKey::derive(&key.secret, date, region, service));
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Scopes come from requests that are not yet verified: whoever makes them up must not fill the memory.
        if keys.len() >= limits::SIGNING_KEYS_MAX {
            keys.clear();
        }
        keys.insert(scope, derived.clone());
        derived
    }
}
