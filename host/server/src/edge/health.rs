//! Whether the host lives and whether it can serve: without a signature, and without a word about what it holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use pawl_core::limits;
use tokio::time::timeout;

use crate::host::Host;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the audit log can be written, the store would take a change, and the host was not told to end.
pub(super) async fn ready(State(host): State<Arc<Host>>) -> (StatusCode, &'static str) {
    if host.is_ending.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "this host is ending\n");
    }
    if let Some(why) = host.audit.state().failure {
        tracing::warn!(why, "not ready: the audit log cannot be written");
        return (StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written\n");
    }
    match timeout(limits::READY_TIMEOUT, host.app.queue().ready()).await {
        Ok(Ok(())) => (StatusCode::OK, "ok\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not take changes\n")
        }
        Err(_) => {
            tracing::warn!("not ready: the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
