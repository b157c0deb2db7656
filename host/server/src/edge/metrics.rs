//! `GET /metrics`: without a signature, and without a word about what is stored.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};

use crate::host::Host;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every figure of this host's.
pub(super) async fn figures(
    State(host): State<Arc<Host>>,
) -> Result<([(HeaderName, &'static str); 1], String), StatusCode> {
    // A store that does not answer has a figure of its own.
    let states = host.app.queue().rotation_states().await.ok();
    let page = host.metrics.render(&host, states.as_ref()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], page))
}
