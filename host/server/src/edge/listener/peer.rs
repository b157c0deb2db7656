//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::Extensions;

use crate::identity::Caller;

/// Where a request came from, and how.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Peer {
    pub(in crate::edge) address: SocketAddr,
    /// What TLS told; none without it.
    pub(in crate::edge) tls: Option<PeerTls>,
}

/// What TLS told of a client.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct PeerTls {
    /// The subject of its certificate, where it has shown one.
    pub(in crate::edge) subject: Option<Arc<str>>,
}

/// The address at the other end of the connection by which a request came.
pub(in crate::edge) fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.address.ip())
}

/// The caller, at the other end of the connection by which a request came.
pub(in crate::edge) fn calling_from(caller: Caller, extensions: &Extensions) -> Caller {
    let Some(peer) = extensions.get::<Peer>() else { return caller };
    let subject = peer.tls.as_ref().and_then(|tls| tls.subject.clone());
    Caller { is_encrypted: peer.tls.is_some(), certificate: subject, ..caller }
        .from_address(Some(peer.address.ip()))
}
