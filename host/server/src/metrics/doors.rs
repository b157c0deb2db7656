//! What happens at the port before there is a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use pawl_core::world::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Counts = Family<[(&'static str, &'static str); 1], Counter>;

/// The figures of connections, of TLS, and of those who were turned away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors {
    connections: Gauge<i64, AtomicI64>,
    handshakes: Counts,
    turned_away: Counts,
    reloads: Counts,
    ends_at: Gauge<i64, AtomicI64>,
    slow: Arc<AtomicU64>,
}

impl Doors {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let doors = Self::default();
        let help = "Connections that are open";
        registry.register("pawl_connections", help, doors.connections.clone());
        let help = "TLS handshakes by how they ended";
        registry.register("pawl_tls_handshakes", help, doors.handshakes.clone());
        let help = "Connections and requests that were turned away, and why";
        registry.register("pawl_turned_away", help, doors.turned_away.clone());
        let help = "Times that the certificate's files have changed, and whether what they held was taken into force";
        registry.register("pawl_tls_reloads", help, doors.reloads.clone());
        let help = "When the served certificate ends, in seconds since 1970; 0 without TLS";
        registry.register("pawl_tls_certificate_ends_seconds", help, doors.ends_at.clone());
        doors
    }

    /// A connection is there until what this gives is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// A handshake has ended so: `ok`, `failed`, `slow`, `plain`, `closed`.
    pub(crate) fn handshake(&self, how: &'static str) {
        self.handshakes.get_or_create(&[("result", how)]).inc();
    }

    /// Somebody was turned away: `address-connections`, `stalled`, `identity-rate`, `address-refusals`.
    pub(crate) fn turned_away(&self, why: &'static str) {
        self.turned_away.get_or_create(&[("reason", why)]).inc();
    }

    /// New files are in force.
    pub(crate) fn certificate_taken(&self) {
        self.reloads.get_or_create(&[("result", "taken")]).inc();
    }

    /// New files make no sense.
    pub(crate) fn certificate_refused(&self) {
        self.reloads.get_or_create(&[("result", "refused")]).inc();
    }

    /// The certificate in force ends then.
    pub(crate) fn certificate_ends(&self, at: Timestamp) {
        self.ends_at.set(at.millis().div_euclid(1_000));
    }

    /// Whether a complaint about those who are turned away is due: the first, and then each 1,000th.
    pub(crate) fn complains(&self) -> bool {
        self.slow.fetch_add(1, Ordering::Relaxed).is_multiple_of(COMPLAIN_EVERY)
    }
}

/// How many times something happens for each line that is logged about it.
const COMPLAIN_EVERY: u64 = 1_000;

/// An open connection.
pub(crate) struct Connected(Gauge<i64, AtomicI64>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
