//! What an operator watches: numbers with labels from closed lists, and nothing that names a secret.
//!
//! What every request touches is atomics that are there before the first request is: no lock, and no memory is taken. What can
//! be asked when it is wanted (the cache, the process, the workers) is asked by [`Metrics::render`] and counted nowhere else.

mod databases;
mod doors;
mod functions;
mod histogram;
mod process;
mod requests;
mod rotations;
mod store;
mod webhook;

use std::fmt;
use std::sync::Arc;

use pawl_core::world::Timestamp;
use pawl_store::RotationStates;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use self::databases::MeteredDriver;
pub(crate) use self::doors::{Connected, Doors};
pub(crate) use self::requests::{Answered, InFlight};
pub(crate) use self::rotations::UNKNOWN;
pub(crate) use self::store::MeteredStore;

use self::databases::Logins;
use self::functions::Functions;
use self::requests::Requests;
use self::rotations::Rotations;
use self::store::StoreFigures;
use self::webhook::Webhook;
use crate::host::Host;

/// A host's figures.
pub struct Metrics {
    registry: Registry,
    started_at: Timestamp,
    requests: Arc<Requests>,
    store: Arc<StoreFigures>,
    logins: Logins,
    pub(crate) rotations: Rotations,
    pub(crate) functions: Functions,
    pub(crate) webhook: Webhook,
    pub(crate) doors: Doors,
}

impl Metrics {
    /// Figures that begin now, at `started_at` by the machine's clock.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("pawl_build", "The program that runs", build);
        let requests = Arc::new(Requests::default());
        registry.register_collector(Box::new(requests.clone()));
        let store = Arc::new(StoreFigures::default());
        registry.register_collector(Box::new(store.clone()));
        let logins = Logins::registered(&mut registry);
        let rotations = Rotations::registered(&mut registry);
        let functions = Functions::registered(&mut registry);
        let webhook = Webhook::registered(&mut registry);
        let doors = Doors::registered(&mut registry);
        Self { registry, started_at, requests, store, logins, rotations, functions, webhook, doors }
    }

    /// Begins to count a request; it has ended when what this gives is dropped.
    pub(crate) fn begin_request(&self) -> InFlight {
        InFlight::begin(self.requests.clone())
    }

    /// A store whose calls are counted here.
    pub(crate) fn metered_store(&self, store: Arc<dyn pawl_store::Store>) -> Arc<dyn pawl_store::Store> {
        Arc::new(MeteredStore::new(store, self.store.clone()))
    }

    /// A driver whose logins are counted here.
    pub(crate) fn metered_driver(
        &self,
        driver: Arc<dyn pawl_runtime::database::Driver>,
    ) -> Arc<dyn pawl_runtime::database::Driver> {
        Arc::new(MeteredDriver::new(driver, self.logins.clone()))
    }

    /// All figures as they are now, in OpenMetrics' text form.
    ///
    /// # Errors
    /// Never in practice: a text takes whatever is written.
    pub(crate) fn render(&self, host: &Host, states: Option<&RotationStates>) -> Result<String, fmt::Error> {
        let mut page = String::with_capacity(16 * 1024);
        text::encode_registry(&mut page, &self.registry)?;
        let mut asked = self.asked(host);
        if let Some(states) = states {
            rotations::show_states(&mut asked, states);
        }
        text::encode_registry(&mut page, &asked)?;
        text::encode_eof(&mut page)?;
        Ok(page)
    }

    /// What is known elsewhere.
    fn asked(&self, host: &Host) -> Registry {
        let mut asked = Registry::default();
        let cache = host.app.cache_figures();
        let mut count = |name, help, figure: u64| asked.register(name, help, ConstCounter::new(figure));
        count("pawl_cache_hits", "Sealed secrets found in memory", cache.hits);
        count("pawl_cache_misses", "Sealed secrets not found in memory", cache.misses);
        let workers = host.runtime.workers();
        count("pawl_workers_started", "Worker processes that were started", workers.started);
        count(
            "pawl_workers_killed",
            "Worker processes that were killed in the middle of a step",
            workers.killed,
        );
        let audit = host.audit.state();
        count("pawl_audit_records", "Records that were written to the audit log", audit.records);
        count("pawl_audit_writes", "Writes of the audit log to the disk, each of many records", audit.writes);
        count("pawl_audit_failures", "How often the audit log could not be written", audit.failures);
        count(
            "pawl_audit_refused",
            "Calls refused because the audit log could not be written",
            audit.refused,
        );
        let mut show = |name, help, figure: u64| {
            asked.register(name, help, ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX)));
        };
        let failing = u64::from(audit.failure.is_some());
        show(
            "pawl_audit_failing",
            "1 while the audit log cannot be written and no call is answered",
            failing,
        );
        show("pawl_cache_secrets", "Secrets whose sealed values are in memory", cache.secrets);
        let bytes = |figure: u64| ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX));
        let help = "Memory that sealed secrets take, roughly";
        asked.register_with_unit("pawl_cache", help, Unit::Bytes, bytes(cache.bytes));
        process::register(&mut asked, self.started_at);
        asked
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
