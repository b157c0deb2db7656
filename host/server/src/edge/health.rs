//! Whether the host lives and whether it can serve: without a signature, and without a word about what it holds.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::host::Host;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store answers.
pub(super) async fn ready(State(host): State<Arc<Host>>) -> (StatusCode, &'static str) {
    match host.app.queue().keyring().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready: the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
