//! Takes connections and serves them: no more than there is room for, and none for ever.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use pawl_core::limits;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{aws_json, query, router};
use crate::host::Host;

/// Serves until `shutdown` ends; requests that are under way then still get their answers (for a while).
pub(crate) async fn serve(listener: TcpListener, host: Arc<Host>, shutdown: impl Future<Output = ()>) {
    let router = router(host.clone());
    let places = Arc::new(Semaphore::new(connections_max()));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ_TIMEOUT);
    let mut shutdown = pin!(shutdown);
    loop {
        // A place first: who finds none waits in the system's queue, and costs nothing here.
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely; others will be given back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_WAIT).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            continue;
        }
        let router = TowerToHyperService::new(router.clone());
        let service = Peered { host: host.clone(), router, peer };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits::SHUTDOWN_GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A router that is told where its requests come from.
struct Peered {
    host: Arc<Host>,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for Peered {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer));
        // Nearly all there is, and the router has nothing to decide about it.
        if request.method() == Method::POST && request.uri().path() == "/" && !query::is_for(&request) {
            let answering = aws_json::handle(self.host.clone(), request.map(Body::new));
            return Box::pin(async { Ok(answering.await) });
        }
        Box::pin(self.router.call(request))
    }
}

/// As many as there are descriptors for, after raising their limit to what the system allows.
fn connections_max() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    let room = files.unwrap_or(u64::MAX).saturating_sub(limits::FILES_RESERVED).max(1);
    usize::try_from(room).unwrap_or(usize::MAX).min(limits::CONNECTIONS_MAX)
}
