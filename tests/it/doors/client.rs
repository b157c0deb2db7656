//! A client of TLS that is as clumsy or as nasty as a test wants.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pawl_tests::http::{Answer, Request};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::certificates::Pair;

/// A connection over which nothing was said yet.
pub(super) fn try_connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&to, Duration::from_secs(30))
}

/// The same, where there must be one.
pub(super) fn connect(to: SocketAddr) -> TcpStream {
    try_connect(to).unwrap()
}

/// How a client speaks.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

pub(super) type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    /// A client that knows an authority, and may show a certificate.
    pub(super) fn new(authority: &Path, shows: Option<&Pair>) -> Self {
        Self::of(authority, shows, rustls::DEFAULT_VERSIONS)
    }

    /// One that speaks these versions only.
    pub(super) fn of(
        authority: &Path,
        shows: Option<&Pair>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(authority).unwrap() {
            roots.add(root.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        Self(Arc::new(config))
    }

    /// A connection whose handshake is over.
    pub(super) fn connect(&self, to: SocketAddr) -> std::io::Result<Stream> {
        let name = ServerName::from(to.ip());
        let mut connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(std::io::Error::other)?;
        let mut stream = try_connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }

    /// One request on a connection of its own.
    pub(super) fn send(&self, request: &Request, to: SocketAddr) -> std::io::Result<Answer> {
        let mut stream = self.connect(to)?;
        stream.write_all(&request.bytes(false))?;
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        Answer::parse(&received).ok_or_else(|| match ended {
            Err(error) => error,
            Ok(_) => std::io::Error::other("no whole answer"),
        })
    }
}

/// One request and its answer on a connection that stays.
pub(super) fn ask(stream: &mut Stream, request: &Request) -> std::io::Result<Answer> {
    stream.write_all(&request.bytes(true))?;
    let mut received = Vec::new();
    let mut some = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut some)?;
        received.extend_from_slice(&some[..count]);
        if let Some(answer) = Answer::parse(&received) {
            return Ok(answer);
        }
        if count == 0 {
            return Err(std::io::Error::other("no whole answer"));
        }
    }
}
