//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::Extensions;

use super::seats::Seat;
use crate::identity::{Caller, ClientCertificate};

/// Where a request came from, and how.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Peer {
    pub(in crate::edge) address: SocketAddr,
    /// What TLS told; none without it.
    pub(in crate::edge) tls: Option<PeerTls>,
    /// The place of its connection.
    pub(in crate::edge) seat: Arc<Seat>,
}

/// What TLS told of a client.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct PeerTls {
    /// Its certificate, where it has shown one.
    pub(in crate::edge) certificate: Option<Arc<ClientCertificate>>,
}

/// The address at the other end of the connection by which a request came.
pub(in crate::edge) fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.address.ip())
}

/// Whoever is at the other end has signed the request, which is answered now.
pub(in crate::edge) fn is_known(extensions: &Extensions) {
    if let Some(peer) = extensions.get::<Peer>() {
        peer.seat.answering();
    }
}

/// The caller, at the other end of the connection by which a request came.
pub(in crate::edge) fn calling_from(caller: Caller, extensions: &Extensions) -> Caller {
    let Some(peer) = extensions.get::<Peer>() else { return caller };
    let certificate = peer.tls.as_ref().and_then(|tls| tls.certificate.clone());
    Caller { is_encrypted: peer.tls.is_some(), certificate, ..caller }.from_address(Some(peer.address.ip()))
}
