//! The oldest events are forgotten: by their number, and by their age.

use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::{Store, StoreError};

use super::EventRecord;
use crate::host::Host;

/// The setting of the store that holds the number up to which events were forgotten.
const FORGOTTEN: &str = "events forgotten";

/// The number up to which events were forgotten.
///
/// # Errors
/// When the store fails.
pub(super) async fn forgotten(store: &dyn Store) -> Result<u64, StoreError> {
    let text = store.meta(FORGOTTEN).await?.unwrap_or_default();
    Ok(std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Forgets what is too old, now and then.
pub(crate) async fn forget_old(host: Arc<Host>) {
    loop {
        match forget_some(host.app.queue(), host.app.clock().now()).await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(limits::EVENTS_FORGET_EVERY).await,
            Err(error) => {
                tracing::debug!(%error, "old events could not be forgotten; it is tried again");
                tokio::time::sleep(limits::EVENTS_FORGET_EVERY).await;
            }
        }
    }
}

/// Forgets some of what is too old; whether there may be more.
async fn forget_some(store: &dyn Store, now: Timestamp) -> Result<bool, StoreError> {
    let oldest = store.events(0, limits::STORE_ROWS_MAX).await?;
    let through = store.last_event().await?.saturating_sub(limits::EVENTS_KEPT);
    let is_old = |record: &str| {
        // What cannot be read is nobody's loss.
        serde_json::from_str::<EventRecord>(record)
            .map_or(true, |record| record.at + limits::EVENTS_AGE_MAX < now)
    };
    let Some(last) = oldest.iter().take_while(|entry| entry.seq <= through || is_old(&entry.record)).last()
    else {
        return Ok(false);
    };
    // First said, then done: a reader who misses some knows.
    let before = forgotten(store).await?;
    if before < last.seq {
        store.put_meta(FORGOTTEN, last.seq.to_string().as_bytes()).await?;
    }
    Ok(store.forget_events(last.seq, limits::STORE_ROWS_MAX).await? > 0)
}
