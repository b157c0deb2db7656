//! Takes connections and serves them: no more than there is room for, and none for ever.

mod addresses;
mod peer;
mod seats;
mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use pawl_core::limits;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use self::addresses::{Addresses, Counted};
use self::peer::{Peer, PeerTls};
pub(super) use self::peer::{calling_from, is_known, peer_address};
use self::seats::{Seated, Seats};
use self::stream::Flowing;
use super::tls::{TlsDoor, shown};
use super::{aws_json, query, router};
use crate::host::Host;
use crate::identity::ClientCertificate;
use crate::metrics::Connected;

/// How connections are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// The certificate; plain HTTP without.
    pub(crate) tls: Option<Arc<TlsDoor>>,
    /// Connections at once; 0 for as many as the product has room for.
    pub(crate) connections_max: usize,
    /// Connections of one address; 0 for any number.
    pub(crate) connections_per_address: usize,
}

/// Serves until `shutdown` ends; requests that are under way then still get their answers (for a while).
pub(crate) async fn serve(
    listener: TcpListener,
    host: Arc<Host>,
    terms: Terms,
    shutdown: impl Future<Output = ()>,
) {
    let most = connections_max(terms.connections_max);
    let places = Arc::new(Semaphore::new(most));
    let addresses = Addresses::new(terms.connections_per_address);
    let seats = Seats::new();
    let graceful = GracefulShutdown::new();
    let (close, closing) = watch::channel(false);
    let (cut, cutting) = watch::channel(false);
    let door = Arc::new(Door { router: router(host.clone()), host, tls: terms.tls, closing, cutting });
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely; others will be given back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(limits::ACCEPT_WAIT).await;
                continue;
            }
        };
        let Ok(counted) = addresses.admit(address.ip()) else {
            door.turned_away("address-connections", address);
            continue;
        };
        let place = tokio::select! {
            place = door.place(&places, &seats, address) => place,
            () = &mut shutdown => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone at once");
            continue;
        }
        let open = door.host.metrics.doors.connected();
        let held = Held { seated: seats.sit(), _place: place, _counted: counted, _open: open };
        let patience = Patience::of(places.available_permits(), most);
        tokio::spawn(door.clone().connection(stream, address, patience, held, graceful.watcher()));
    }
    drop(listener);
    close.send_replace(true);
    if timeout(limits::SHUTDOWN_GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off");
        // As if their clients had hung up: each is recorded, and none goes on while the store is closed.
        cut.send_replace(true);
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        let _ = timeout(limits::CUT_WAIT, places.acquire_many(all)).await;
    }
}

/// What a connection takes as long as it is there.
struct Held {
    seated: Seated,
    _place: Option<OwnedSemaphorePermit>,
    _counted: Option<Counted>,
    _open: Connected,
}

/// How long a client may be silent.
#[derive(Clone, Copy)]
struct Patience {
    handshake: Duration,
    header: Duration,
}

impl Patience {
    /// Less when places run out.
    const fn of(free: usize, most: usize) -> Self {
        if free < most / limits::PRESSED_SHARE {
            Self { handshake: limits::PRESSED_TIMEOUT, header: limits::PRESSED_TIMEOUT }
        } else {
            Self { handshake: limits::HANDSHAKE_TIMEOUT, header: limits::HEADER_READ_TIMEOUT }
        }
    }
}

/// What all connections share.
struct Door {
    host: Arc<Host>,
    router: Router,
    tls: Option<Arc<TlsDoor>>,
    /// Whether the host ends: no handshake is waited for.
    closing: watch::Receiver<bool>,
    /// Whether it has ended: no request is waited for.
    cutting: watch::Receiver<bool>,
}

impl Door {
    /// A place for one more connection. Where none is free, somebody gives his up; others wait in the system's queue meanwhile.
    async fn place(
        &self,
        places: &Arc<Semaphore>,
        seats: &Seats,
        address: SocketAddr,
    ) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        let waiting = pin!(Arc::clone(places).acquire_owned());
        let mut waiting = waiting;
        loop {
            if seats.make_room() {
                self.turned_away("no-place", address);
            }
            // Whoever was to leave may have begun to say something, and then stays.
            if let Ok(place) = timeout(limits::PLACE_WAIT, &mut waiting).await {
                return place.ok();
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        patience: Patience,
        held: Held,
        watcher: Watcher,
    ) {
        let seat = Arc::clone(&held.seated.seat);
        let serving = async {
            match &self.tls {
                None => {
                    let stream = Flowing::new(stream, limits::ANSWER_STALL_TIMEOUT);
                    let peer = Peer { address, tls: None, seat: Arc::clone(&seat) };
                    self.serve(stream, peer, patience, watcher).await;
                }
                Some(tls) => {
                    let Some((stream, told)) = self.handshake(tls, stream, address, patience).await else {
                        return;
                    };
                    let peer = Peer { address, tls: Some(told), seat: Arc::clone(&seat) };
                    self.serve(stream, peer, patience, watcher).await;
                }
            }
        };
        let mut cutting = self.cutting.clone();
        tokio::select! {
            () = serving => {}
            () = seat.taken() => {}
            _ = cutting.wait_for(|cut| *cut) => {}
        }
        drop(held);
    }

    /// A TLS connection; none when there was no handshake in time.
    async fn handshake(
        &self,
        tls: &TlsDoor,
        stream: TcpStream,
        address: SocketAddr,
        patience: Patience,
    ) -> Option<(tokio_rustls::server::TlsStream<Flowing<TcpStream>>, PeerTls)> {
        let figures = &self.host.metrics.doors;
        let shaking = async {
            let mut first = [0; 1];
            if stream.peek(&mut first).await.is_ok() && first.iter().all(u8::is_ascii_uppercase) {
                say_plainly(stream).await;
                return Err("plain");
            }
            tls.acceptor().accept(Flowing::new(stream, limits::ANSWER_STALL_TIMEOUT)).await.map_err(|error| {
                tracing::debug!(%address, %error, "a TLS handshake failed");
                "failed"
            })
        };
        let mut closing = self.closing.clone();
        let shaken = tokio::select! {
            shaken = timeout(patience.handshake, shaking) => shaken.unwrap_or(Err("slow")),
            _ = closing.wait_for(|closing| *closing) => Err("closed"),
        };
        match shaken {
            Ok(stream) => {
                figures.handshake("ok");
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let told = PeerTls { certificate: certificate.map(shown).map(Arc::new) };
                Some((stream, told))
            }
            Err(how) => {
                figures.handshake(how);
                None
            }
        }
    }

    async fn serve<S>(&self, stream: S, peer: Peer, patience: Patience, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let address = peer.address;
        let router = TowerToHyperService::new(self.router.clone());
        let service = Peered { host: self.host.clone(), router, peer };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(patience.header)
            .max_headers(limits::HEADERS_MAX)
            .max_buf_size(limits::HEADER_BYTES_MAX);
        let served = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
        if let Err(error) = served {
            if has_stalled(&error) {
                self.turned_away("stalled", address);
            }
            tracing::debug!(%address, %error, "a connection ended");
        }
    }

    fn turned_away(&self, why: &'static str, address: SocketAddr) {
        let figures = &self.host.metrics.doors;
        figures.turned_away(why);
        if figures.complains() {
            tracing::warn!(%address, why, "a connection was closed; more of them are only counted, in pawl_turned_away");
        }
    }
}

/// Whether a connection ended because its client took nothing of an answer.
fn has_stalled(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// Tells a client that speaks HTTP what is wrong, in the only words that it understands.
async fn say_plainly(mut stream: TcpStream) {
    const TEXT: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 51\r\nconnection: close\r\n\r\n\
                        this port speaks TLS: use https:// for its address\n";
    let _ = stream.write_all(TEXT.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A router that is told where its requests come from.
struct Peered {
    host: Arc<Host>,
    router: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Peered {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let seat = Arc::clone(&self.peer.seat);
        // By itself as well, for whoever tells of a request that nobody has signed rightly.
        if let Some(certificate) = self.peer.tls.as_ref().and_then(|tls| tls.certificate.clone()) {
            request.extensions_mut().insert::<Arc<ClientCertificate>>(certificate);
        }
        request.extensions_mut().insert(self.peer.clone());
        // Nearly all there is, and the router has nothing to decide about it.
        if request.method() == Method::POST && request.uri().path() == "/" && !query::is_for(&request) {
            let answering = aws_json::handle(self.host.clone(), request.map(Body::new));
            return Box::pin(async move {
                let answer = answering.await;
                seat.answered();
                Ok(answer)
            });
        }
        let answering = self.router.call(request);
        Box::pin(async move {
            let answer = answering.await;
            seat.answered();
            answer
        })
    }
}

/// As many as there are descriptors for, after raising their limit to what the system allows, and no more than are `wanted`.
fn connections_max(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    let room = files.unwrap_or(u64::MAX).saturating_sub(limits::FILES_RESERVED).max(1);
    let wanted = if wanted == 0 { limits::CONNECTIONS_MAX } else { wanted };
    usize::try_from(room).unwrap_or(usize::MAX).min(wanted)
}
