//! `Pawl.ListEvents`: events from a number on, and a wait for more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pawl_api::pawl::{Event, ListEventsRequest, ListEventsResponse};
use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_store::Entry;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{EventRecord, retention};
use crate::app::Action;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// Wakes those who wait for events.
#[derive(Clone, Debug)]
pub(crate) struct EventStream(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    woken: u64,
    closed: bool,
}

impl Default for EventStream {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl EventStream {
    /// There may be new events.
    pub(crate) fn wake(&self) {
        self.0.send_modify(|state| state.woken = state.woken.wrapping_add(1));
    }

    /// Nobody is to wait any more: the host stops.
    pub(crate) fn close(&self) {
        self.0.send_modify(|state| state.closed = true);
    }

    /// One who will hear of everything from now on.
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// One who waits for events.
#[derive(Debug)]
pub(crate) struct Listener(watch::Receiver<State>);

impl Listener {
    /// Waits until there may be new ones. False when the host stops.
    pub(crate) async fn woken(&mut self) -> bool {
        // Not marked as seen here: what came since the last look must not be waited for.
        if self.0.borrow().closed {
            return false;
        }
        self.0.changed().await.is_ok() && !self.0.borrow().closed
    }
}

/// Wakes those who wait when another host has stored events. A host that is alone on its store knows of its own.
pub(crate) async fn watch_others(host: Arc<Host>) {
    if !host.app.queue().is_shared() {
        return;
    }
    let mut seen = None;
    loop {
        tokio::time::sleep(limits::EVENTS_LOOK_EVERY).await;
        if !host.app.stream().has_listeners() {
            seen = None;
            continue;
        }
        // What keeps it from the store is told elsewhere, and those who wait look for themselves in the end.
        let Ok(last) = host.app.queue().last_event().await else { continue };
        if seen.replace(last) != Some(last) {
            host.app.stream().wake();
        }
    }
}

/// What a call asks for.
struct Wanted<'a> {
    types: Option<&'a [String]>,
    secret: Option<SecretId>,
    most: usize,
}

/// `Pawl.ListEvents`
pub(crate) async fn list_events(
    host: &Host,
    caller: &Caller,
    input: ListEventsRequest,
) -> Answer<ListEventsRequest> {
    host.app.allow(caller, Action::ListEvents)?;
    let after = input.after.and_then(|after| u64::try_from(after).ok()).unwrap_or(0);
    let most = input.max_results.and_then(|n| usize::try_from(n).ok());
    let wanted = Wanted {
        types: input.types.as_deref(),
        secret: input.secret_id.as_deref().map(SecretId::parse).transpose()?,
        most: most.unwrap_or(limits::EVENTS_PAGE_DEFAULT as usize),
    };
    let wait = input.wait_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(wait);
    let forgotten = retention::forgotten(host.app.queue()).await?;
    let mut page = ListEventsResponse {
        last_sequence: after,
        forgotten_through: Some(forgotten).filter(|through| *through > after),
        ..Default::default()
    };
    // Before the first look: what comes after it is heard of.
    let mut listener = host.app.stream().listen();
    loop {
        let all_seen = read(host, caller, &wanted, &mut page).await?;
        let wait = page.events.is_empty() && all_seen && page.forgotten_through.is_none();
        if !wait || timeout_at(until, listener.woken()).await != Ok(true) {
            return Ok(page);
        }
    }
}

/// Goes on from where the page is; whether there is nothing more now.
async fn read(
    host: &Host,
    caller: &Caller,
    wanted: &Wanted<'_>,
    page: &mut ListEventsResponse,
) -> Result<bool, AppError> {
    let (store, mut scanned) = (host.app.queue(), 0);
    let mut seen = HashMap::new();
    while scanned < limits::EVENTS_SCANNED_MAX {
        let entries = store.events(page.last_sequence, limits::STORE_ROWS_MAX).await?;
        if entries.is_empty() {
            // A number that was never given, by a store that was restored: the caller goes on from the last that was.
            page.last_sequence = page.last_sequence.min(store.last_event().await?);
            return Ok(true);
        }
        for Entry { seq, record } in entries {
            if page.events.len() >= wanted.most {
                return Ok(false);
            }
            page.last_sequence = seq;
            scanned = scanned.saturating_add(1);
            let Ok(record) = serde_json::from_str::<EventRecord>(&record) else {
                tracing::error!(event.sequence = seq, "an event cannot be read and is left out");
                continue;
            };
            if wanted.has(caller, &record) && may_see(host, caller, &record, &mut seen).await? {
                page.events.push(view(seq, record));
            }
        }
    }
    Ok(false)
}

impl Wanted<'_> {
    /// Whether the event is asked for. A region is a world of its own.
    fn has(&self, caller: &Caller, record: &EventRecord) -> bool {
        record.region == caller.region.as_str()
            && self.types.is_none_or(|types| types.contains(&record.kind))
            && self.secret.as_ref().is_none_or(|id| {
                id.name.as_str() == record.name && id.arn.as_ref().is_none_or(|arn| *arn == record.arn)
            })
    }
}

/// Whether the caller may describe the event's secret. One that is gone has nothing left to hide, nor a policy that would.
async fn may_see(
    host: &Host,
    caller: &Caller,
    record: &EventRecord,
    seen: &mut HashMap<String, bool>,
) -> Result<bool, AppError> {
    if let Some(may) = seen.get(&record.arn) {
        return Ok(*may);
    }
    let may = match record.name.parse() {
        Err(_) => false,
        Ok(name) => {
            let id = SecretId { name, place: None, arn: Some(record.arn.clone()) };
            match host.app.read_at(caller, Action::DescribeSecret, &id).await {
                Ok(_) | Err(AppError::NoSuchSecret) => true,
                Err(AppError::Denied { .. } | AppError::NotAllowed(_)) => false,
                Err(error) => return Err(error),
            }
        }
    };
    seen.insert(record.arn.clone(), may);
    Ok(may)
}

/// An event as it is shown.
pub(super) fn view(sequence: u64, record: EventRecord) -> Event {
    Event {
        sequence,
        event_id: record.id,
        r#type: record.kind,
        time: record.at.into(),
        secret_arn: record.arn,
        secret_name: record.name,
        region: record.region,
        version_id: record.token,
        step: record.step,
        reason: record.reason,
        retried: record.retried,
    }
}
