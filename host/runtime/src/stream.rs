//! An open connection to a server that the host speaks to for a guest: dialled, and with TLS the server has proved who it is.

use std::sync::Arc;

use pawl_core::limits;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::database::TlsRoots;
use crate::database::tls::distrust;
use crate::dial::{Destination, DialError};

/// What goes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no connection. Nothing was sent, and the texts name the place and nothing that the server said.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// The egress rule does not cover the place.
    #[error("{0}")]
    NotGranted(String),
    /// Nothing answered.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not prove who it is.
    #[error("{0}")]
    Untrusted(String),
}

impl From<DialError> for OpenError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NotGranted(text) => Self::NotGranted(text),
            DialError::Unreachable(text) => Self::Unreachable(text),
        }
    }
}

/// Dials, and makes sure of the server where it is one with TLS; `protocol` is what is asked for by ALPN.
pub(crate) async fn open(
    to: &Destination,
    tls: Option<&TlsRoots>,
    protocol: Option<&[u8]>,
) -> Result<Box<dyn Stream>, OpenError> {
    let stream = to.connect().await?;
    let Some(roots) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(to.host().to_owned())
        .map_err(|_| OpenError::Untrusted(format!("no certificate can be for the name of {to}")))?;
    let mut client = roots.client();
    client.alpn_protocols = protocol.iter().map(|protocol| protocol.to_vec()).collect();
    let handshake = TlsConnector::from(Arc::new(client)).connect(name, stream);
    match timeout(limits::LOGIN_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(match distrust(&error) {
            Some(why) => OpenError::Untrusted(format!("{to} is not trusted: {why}")),
            None => OpenError::Unreachable(format!("{to} broke off the TLS handshake")),
        }),
        Err(_) => Err(OpenError::Unreachable(format!("{to} did not finish the TLS handshake in time"))),
    }
}
