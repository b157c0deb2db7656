//! What the host asks of others over HTTP for itself: receivers of events, providers of root keys, identity providers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Why the authorities by which others are verified cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The operator's file.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a certificate.
    #[error("`{0}` holds no certificate authority in PEM form")]
    None(PathBuf),
}

/// TLS to others, whose certificates are those of the system's authorities or of the operator's beside them.
///
/// # Errors
/// When the operator's file cannot be read, or holds no certificate.
pub(crate) fn tls(operator: Option<&Path>) -> Result<TlsConfig, AuthoritiesError> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<Certificate<'static>> =
        system.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    if let Some(path) = operator {
        roots.extend(authorities(path)?);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    Ok(config.root_certs(RootCerts::new_with_certs(&roots)).build())
}

/// The certificates in a file. One that holds none, or something broken beside them, is the wrong file.
fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, AuthoritiesError> {
    let pem = std::fs::read(path).map_err(|source| AuthoritiesError::Io { path: path.to_owned(), source })?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(root) = item.map_err(|_| AuthoritiesError::None(path.to_owned()))? {
            found.push(root);
        }
    }
    if found.is_empty() { Err(AuthoritiesError::None(path.to_owned())) } else { Ok(found) }
}

/// An error in words that hold no address: a path may be a secret.
pub(crate) fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "its certificate is not one that can be trusted, or TLS failed".to_owned()
        }
        _ => "it did not answer properly".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_authority_is_the_wrong_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let read = || tls(Some(&file));
        assert!(matches!(read(), Err(AuthoritiesError::Io { .. })));
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n";
        for text in ["", "what is this", key, broken] {
            std::fs::write(&file, text).unwrap();
            assert!(matches!(read(), Err(AuthoritiesError::None(_))), "{text}");
        }
        assert!(tls(None).is_ok());
    }
}
