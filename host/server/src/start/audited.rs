//! The audit log's beginning and end, with those of the host.

use std::sync::Arc;

use pawl_audit::{AuditKey, AuditLog};
use pawl_core::limits;
use pawl_keyring::Keyring;
use pawl_store::Store;

use super::ServeError;
use super::directory::DataDir;
use crate::audit;
use crate::host::Host;
use crate::settings::AuditSettings;
use crate::world::SystemClock;

/// Opens the audit log, and tells what is wrong with its end.
pub(super) async fn open_audit(
    settings: &AuditSettings,
    (dir, clock): (&DataDir, &Arc<SystemClock>),
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<AuditLog, ServeError> {
    let seed = keyring.subkey("audit checkpoints");
    let Some(key) = AuditKey::from_seed(&seed).filter(|_| settings.is_on) else {
        tracing::warn!("no call is recorded (--audit off): this is for benches only");
        return Ok(AuditLog::off());
    };
    let anchor = audit::stored_anchor(store, dir.host_id()).await?;
    let opened = AuditLog::open(pawl_audit::Options {
        dir: settings.dir.clone().unwrap_or_else(|| dir.path().join("audit")),
        host: dir.host_id().to_owned(),
        key,
        clock: clock.clone(),
        retention_days: settings.retention_days,
        segment_bytes: settings.segment_bytes,
        anchor,
    })?;
    audit::begin_anchor(store, dir.host_id(), &opened.began).await?;
    if opened.unfinished_bytes > 0 {
        let bytes = opened.unfinished_bytes;
        tracing::info!(bytes, "the audit log ended in the middle of a line, which nobody was answered for");
    }
    if let Some((written, found)) = opened.missing {
        tracing::error!(
            written,
            found,
            "the end of the audit log was cut off: lines that were written are missing; see `pawl audit verify`"
        );
    }
    Ok(opened.log)
}

/// Ends the audit log: what is left to be recorded first, then its last checkpoint, of which the store is told.
pub(super) async fn close_audit(host: &Arc<Host>, relaying: tokio::task::JoinHandle<()>) {
    if tokio::time::timeout(limits::SHUTDOWN_GRACE, relaying).await.is_err() {
        tracing::warn!("not everything in the store was recorded; the next start does it");
    }
    let (done, closed) = tokio::sync::oneshot::channel();
    let closing = host.clone();
    // A thread for which nobody waits at the end: on a disk that hangs, it would keep this host, and its leases, for as long.
    let thread = std::thread::Builder::new().name("audit end".to_owned()).spawn(move || {
        closing.audit.close();
        let _gone = done.send(());
    });
    let is_closed =
        thread.is_ok() && matches!(tokio::time::timeout(limits::SHUTDOWN_GRACE, closed).await, Ok(Ok(())));
    if !is_closed {
        tracing::error!(
            "the audit log could not be closed: a write to it does not end; the next start says so"
        );
    }
    audit::note_anchor(host, &mut None).await;
}
