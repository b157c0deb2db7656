//! A receiver that is told of every event: in order, at least once, signed.
//!
//! The form is that of Standard Webhooks: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. The id is the
//! event's own, so that a receiver knows one that comes again. One host of a store sends; how far it is stands in the store,
//! in one setting with its lease ([`cursor`]): who has lost the lease cannot move the cursor. A receiver that is down holds
//! up the events after it and nothing else.

mod cursor;
mod receiver;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use pawl_api::pawl::Event;
use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::{Entry, StoreError};
use serde::Serialize;

use self::cursor::Hold;
pub(crate) use self::receiver::Receiver;
pub use self::receiver::{WebhookError, WebhookSettings, WebhookUrl, WebhookUrlError};
use super::stream::{Listener, view};
use super::{EventRecord, retention};
use crate::host::Host;

/// What is sent: as Standard Webhooks advise, the type and the moment beside the data.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    /// The moment of the event, as ISO 8601 has it.
    timestamp: String,
    data: &'a Event,
}

/// From here on everything is sent, if nothing ever was.
pub(crate) async fn begin(host: &Host) -> Result<(), StoreError> {
    Hold::begin(host).await
}

/// Sends events until the host stops.
pub(crate) async fn run(host: Arc<Host>, receiver: Arc<Receiver>) {
    let mut listener = host.app.stream().listen();
    loop {
        let sent = match Hold::take(&*host).await {
            Ok(Some(hold)) => Sender { host: &host, receiver: &receiver, hold }.send_all(&mut listener).await,
            Ok(None) => Ok(Stop::Lost),
            Err(error) => Err(error),
        };
        host.metrics.webhook.lets_go();
        match sent {
            Ok(Stop::Host) => return,
            Ok(Stop::Lost) => {}
            Err(error) => {
                tracing::debug!(%error, "the store keeps events from being sent; it is tried again");
            }
        }
        // Another host sends, or the store is away.
        if !pause(&mut listener, limits::WEBHOOK_LEASE / 3).await {
            return;
        }
    }
}

/// Why nothing more is sent.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The host stops.
    Host,
    /// Another host sends.
    Lost,
}

/// Waits so long, whatever happens meanwhile. False when the host stops.
async fn pause(listener: &mut Listener, time: Duration) -> bool {
    let over = tokio::time::sleep(time);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return true,
            goes_on = listener.woken() => if !goes_on { return false },
        }
    }
}

/// The host that sends.
struct Sender<'a> {
    host: &'a Host,
    receiver: &'a Arc<Receiver>,
    hold: Hold,
}

impl Sender<'_> {
    async fn send_all(mut self, listener: &mut Listener) -> Result<Stop, StoreError> {
        let forgotten = retention::forgotten(self.host.app.queue()).await?;
        if forgotten > self.hold.after() {
            let after = self.hold.after();
            tracing::error!(
                after,
                forgotten,
                "events were forgotten before the webhook's receiver took them"
            );
        }
        loop {
            let store = self.host.app.queue();
            let page = store.events(self.hold.after(), limits::WEBHOOK_PAGE).await?;
            if page.is_empty() {
                self.host.metrics.webhook.is_up_to_date();
                let woken = tokio::time::timeout(limits::WEBHOOK_LEASE / 3, listener.woken()).await;
                if woken == Ok(false) {
                    self.hold.give_back(self.host).await?;
                    return Ok(Stop::Host);
                }
                if !self.hold.renew(self.host).await? {
                    return Ok(Stop::Lost);
                }
            }
            for entry in &page {
                if let Some(stop) = self.send(entry, listener).await? {
                    return Ok(stop);
                }
            }
        }
    }

    /// Sends one event until it is taken.
    async fn send(&mut self, entry: &Entry, listener: &mut Listener) -> Result<Option<Stop>, StoreError> {
        let Ok(record) = serde_json::from_str::<EventRecord>(&entry.record) else {
            tracing::error!(event.sequence = entry.seq, "an event cannot be read and is not sent");
            return self.note(entry.seq).await;
        };
        let (id, at) = (record.id.clone(), record.at);
        let event = view(entry.seq, record);
        let message = Message { r#type: &event.r#type, timestamp: at.to_string(), data: &event };
        let Ok(body) = serde_json::to_vec(&message) else { return self.note(entry.seq).await };
        let body: Arc<[u8]> = body.into();
        let mut wait = limits::WEBHOOK_BACKOFF_FIRST;
        loop {
            let now = self.host.app.clock().wall();
            match self.deliver(id.clone(), now, body.clone()).await {
                Ok(()) => {
                    self.host.metrics.webhook.delivered();
                    self.receiver.works();
                    return self.note(entry.seq).await;
                }
                Err(why) => {
                    self.receiver.fails(&why, entry.seq);
                    let behind = self.host.app.queue().last_event().await?.saturating_sub(self.hold.after());
                    self.host.metrics.webhook.failed(behind, at);
                }
            }
            let chance = self.host.app.rng().below(1_000);
            let shorter = wait.mul_f64(f64::from(chance) / 4_000.0);
            if let Some(stop) = self.wait(wait.saturating_sub(shorter), listener).await? {
                return Ok(Some(stop));
            }
            wait = (wait * 2).min(limits::WEBHOOK_BACKOFF_MAX);
        }
    }

    /// One try, in a thread that may wait.
    async fn deliver(&self, id: String, now: Timestamp, body: Arc<[u8]>) -> Result<(), String> {
        let receiver = self.receiver.clone();
        let posting = tokio::task::spawn_blocking(move || receiver.post(&id, now, &body));
        posting.await.unwrap_or_else(|_| Err("the request broke off".to_owned()))
    }

    /// Waits for the next try, and keeps the lease meanwhile.
    async fn wait(&mut self, time: Duration, listener: &mut Listener) -> Result<Option<Stop>, StoreError> {
        let mut left = time;
        loop {
            let part = left.min(limits::WEBHOOK_LEASE / 3);
            if !pause(listener, part).await {
                self.hold.give_back(self.host).await?;
                return Ok(Some(Stop::Host));
            }
            if !self.hold.renew(self.host).await? {
                return Ok(Some(Stop::Lost));
            }
            left = left.saturating_sub(part);
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// The event was taken: the next one's turn.
    async fn note(&mut self, seq: u64) -> Result<Option<Stop>, StoreError> {
        Ok((!self.hold.advance(self.host, seq).await?).then_some(Stop::Lost))
    }
}

#[cfg(test)]
mod tests;
