//! Whom the host trusts when it logs in over TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The roots by which servers' certificates are verified.
#[derive(Clone)]
pub struct TlsRoots {
    config: Arc<ClientConfig>,
}

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
pub enum TlsRootsError {
    /// The operator's file cannot be read, or is not PEM.
    #[error("the file of certificate authorities, {}, cannot be read as PEM certificates", .0.display())]
    File(PathBuf),
    /// The operator's file holds no certificate that can be a root.
    #[error("the file of certificate authorities, {}, holds no usable certificate", .0.display())]
    Nothing(PathBuf),
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsRoots {
    /// The operating system's roots, and those in the operator's PEM file.
    ///
    /// # Errors
    /// When the operator's file gives no roots. A system without roots is none: every login over TLS is refused then.
    pub fn load(operator: Option<&Path>) -> Result<Self, TlsRootsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = operator {
            let unreadable = |_| TlsRootsError::File(path.to_owned());
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(unreadable)?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(TlsRootsError::Nothing(path.to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config) })
    }

    /// A client by these roots.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }
}

impl fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsRoots")
    }
}

/// What is wrong with a server's TLS, in words of ours: the library's own can hold what the peer has put in its certificate.
/// None when the connection broke rather than the trust.
pub(crate) fn distrust(error: &std::io::Error) -> Option<&'static str> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => "its certificate is of an unknown issuer",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            CertificateError::Revoked => "its certificate was revoked",
            _ => "its certificate is not valid",
        },
        _ => "the TLS handshake failed",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(matches!(TlsRoots::load(Some(&path)), Err(TlsRootsError::File(_))));
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(matches!(TlsRoots::load(Some(&path)), Err(TlsRootsError::Nothing(_))));
        assert!(TlsRoots::load(None).is_ok());
    }
}
