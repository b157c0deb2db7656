//! What becomes of the events that a receiver is sent.

use std::sync::atomic::AtomicI64;

use pawl_core::world::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The figures of the host that sends; on all others nothing waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Webhook {
    delivered: Counter,
    failed: Counter,
    waiting: Gauge<i64, AtomicI64>,
    oldest: Gauge<i64, AtomicI64>,
}

impl Webhook {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let webhook = Self::default();
        let help = "Events that the webhook's receiver has taken from this host";
        registry.register("pawl_webhook_delivered", help, webhook.delivered.clone());
        let help = "Tries to send an event that the webhook's receiver has not taken";
        registry.register("pawl_webhook_failed", help, webhook.failed.clone());
        let help = "Events that wait for the webhook's receiver, on the host that sends";
        registry.register("pawl_webhook_waiting", help, webhook.waiting.clone());
        let help = "When the event happened that waits for the webhook's receiver, in seconds since 1970; 0 when none does";
        registry.register("pawl_webhook_waiting_since_seconds", help, webhook.oldest.clone());
        webhook
    }

    /// An event was taken.
    pub(crate) fn delivered(&self) {
        self.delivered.inc();
    }

    /// One that happened `at` was not, and so many wait.
    pub(crate) fn failed(&self, waiting: u64, at: Timestamp) {
        self.failed.inc();
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.oldest.set(at.millis().div_euclid(1_000));
    }

    /// Nothing waits.
    pub(crate) fn is_up_to_date(&self) {
        self.waiting.set(0);
        self.oldest.set(0);
    }

    /// Another host sends, or none.
    pub(crate) fn lets_go(&self) {
        self.is_up_to_date();
    }
}
