//! One running host: the service and what is around it.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pawl_audit::AuditLog;
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_iam::sigv4::SigningKey;
use pawl_runtime::Runtime;
use pawl_store::AuthenticStore;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::app::App;
use crate::edge::{Gate, TlsDoor};
use crate::epoch::StoreEpoch;
use crate::identity::{AccessKey, Directory};
use crate::metrics::Metrics;
use crate::oidc::Issuers;
use crate::ops::PageTokens;
use crate::root_key::Keeper;
use crate::world::{RequestIds, SystemClock};

/// A host.
pub struct Host {
    /// The service.
    pub app: App,
    /// The store, as what looks over its rows.
    pub(crate) rows: Arc<AuthenticStore>,
    /// What an operator watches.
    pub metrics: Metrics,
    /// The rotators' sandbox.
    pub runtime: Runtime,
    /// The tokens of pages.
    pub pages: PageTokens,
    /// The root identity's key.
    pub root_key: AccessKey,
    /// Users, groups, roles, managed policies, and sessions.
    pub directory: Directory,
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
    /// The store's keys, and the rotation of what they are under.
    pub keeper: Keeper,
    /// Whether the store is the one that this host knows.
    pub epoch: StoreEpoch,
    /// Who asks too often.
    pub(crate) gate: Gate,
    /// The certificate of the port; none before it is opened, or without one.
    pub(crate) tls: OnceLock<Arc<TlsDoor>>,
    /// The keys of identity providers.
    pub(crate) issuers: Issuers,
    /// Whether it was told to end: it is not ready any more.
    pub is_ending: AtomicBool,
    /// The audit log.
    pub audit: AuditLog,
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
///
/// Scopes come from requests that are not yet verified: whoever makes them up drives out others, and fills no memory.
pub struct SigningKeys(Cache<Scope, Arc<SigningKey>>);

/// What a signing key is derived from: the access key's id stands for its secret part, which it never changes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    key: String,
    date: String,
    region: String,
    service: String,
}

/// A scope as a request has it: hashed as [`Scope`] is.
#[derive(Clone, Copy, Hash)]
struct ScopeRef<'a> {
    key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Equivalent<Scope> for ScopeRef<'_> {
    fn equivalent(&self, scope: &Scope) -> bool {
        self.key == scope.key
            && self.date == scope.date
            && self.region == scope.region
            && self.service == scope.service
    }
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self(Cache::new(limits::SIGNING_KEYS_MAX))
    }
}

impl SigningKeys {
    /// An access key's signing key for a day, region and service.
    #[must_use]
    pub fn of(&self, key: &AccessKey, date: &str, region: &str, service: &str) -> Arc<SigningKey> {
        if let Some(found) = self.0.get(&ScopeRef { key: &key.id, date, region, service }) {
            return found;
        }
        let derived = Arc::new(SigningKey::derive(&key.secret, date, region, service));
        let [date, region, service] = [date, region, service].map(str::to_owned);
        self.0.insert(Scope { key: key.id.clone(), date, region, service }, derived.clone());
        derived
    }
}
