//! What the store knows of the end of each host's log, so that an end that was cut off is noticed.

use std::collections::HashMap;

use pawl_audit::Anchor;
use pawl_store::{Store, StoreError};

use crate::backup::{BackupError, Place};
use crate::host::Host;

/// The setting of the store, before the host's id.
const HEAD: &str = "audit head ";

/// What the store knows of this host's log.
pub(crate) async fn stored_anchor(store: &dyn Store, host: &str) -> Result<Option<Anchor>, StoreError> {
    let stored = store.meta(&format!("{HEAD}{host}")).await?;
    Ok(stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Tells the store where a start has begun to write, so that there is no time in which it knows nothing of a log.
pub(crate) async fn begin_anchor(store: &dyn Store, host: &str, began: &Anchor) -> Result<(), StoreError> {
    let Ok(bytes) = serde_json::to_vec(began) else { return Ok(()) };
    store.put_meta(&format!("{HEAD}{host}"), &bytes).await
}

/// Tells the store how far the log is signed, if it has come further than `told`.
pub(crate) async fn note_anchor(host: &Host, told: &mut Option<Anchor>) {
    let Some(anchor) = host.audit.anchor().filter(|anchor| told.as_ref() != Some(anchor)) else { return };
    let Ok(bytes) = serde_json::to_vec(&anchor) else { return };
    match host.app.queue().put_meta(&format!("{HEAD}{}", host.owner), &bytes).await {
        Ok(()) => *told = Some(anchor),
        Err(error) => tracing::debug!(%error, "the store was not told how far the audit log is"),
    }
}

/// Why the store could not be asked.
pub type AnchorError = BackupError;

/// What a store knows of the logs of these hosts. It is opened beside whoever serves it.
///
/// # Errors
/// When it is not there, or fails.
pub async fn anchors(place: &Place, hosts: &[String]) -> Result<HashMap<String, Anchor>, AnchorError> {
    let store = place.to_read().await?;
    let mut found = HashMap::new();
    for host in hosts {
        if let Some(anchor) = stored_anchor(&*store, host).await.map_err(BackupError::Read)? {
            found.insert(host.clone(), anchor);
        }
    }
    store.close().await;
    Ok(found)
}
