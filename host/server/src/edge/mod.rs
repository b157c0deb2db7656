//! The one port: bytes in, bytes out.

mod aws_json;
mod body;
#[cfg(test)]
mod expired;
mod gate;
mod health;
mod lambda;
mod listener;
mod metrics;
mod query;
pub(crate) mod rate;
mod sign;
mod tls;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::{any, get};
use pawl_api::lambda::Route;

pub(crate) use self::gate::Gate;
pub(crate) use self::listener::{Terms, serve};
pub(crate) use self::tls::TlsDoor;
pub use self::tls::{Certificate, TlsError, TlsSettings};
use crate::host::Host;

/// Everything that the port answers.
fn router(host: Arc<Host>) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::figures))
        .fallback(any(service))
        .with_state(host)
}

/// A request to one of AWS's services, told apart as AWS's own are.
async fn service(State(host): State<Arc<Host>>, request: Request<Body>) -> Response<Body> {
    if Route::is_for(request.uri().path()) {
        lambda::handle(host, request).await
    } else if query::is_for(&request) {
        query::handle(host, request).await
    } else {
        aws_json::handle(host, request).await
    }
}
