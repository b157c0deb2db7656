//! The one port: bytes in, bytes out.

mod aws_json;
mod health;
mod listener;
mod metrics;
mod sign;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};

pub(crate) use self::listener::serve;
use crate::host::Host;

/// Everything that the port answers.
fn router(host: Arc<Host>) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::figures))
        .fallback(any(aws_json::handle))
        .with_state(host)
}
