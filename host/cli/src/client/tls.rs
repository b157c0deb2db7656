//! How this client knows a server that it calls by https, and how it is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::CertificateError;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use crate::settings::Trust;

/// A file that does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("`{path}` cannot be read: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("`{0}` holds no certificate in PEM form")]
    NoCertificate(PathBuf),
    #[error("`{0}` holds no private key in PEM form that is not encrypted")]
    NoKey(PathBuf),
}

/// TLS by what an operator has said.
pub(super) fn config(trust: &Trust) -> Result<TlsConfig, TrustError> {
    let roots = match &trust.ca_bundle {
        Some(path) => certificates(path)?,
        None => {
            let system = rustls_native_certs::load_native_certs().certs;
            system.iter().map(|root| Certificate::from_der(root).to_owned()).collect()
        }
    };
    let client = trust.certificate.as_ref().map(|(certificate, key)| {
        Ok::<_, TrustError>(ClientCert::new_with_certs(&certificates(certificate)?, private_key(key)?))
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(client.transpose()?)
        .build())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let unreadable =
        |error: std::io::Error| TrustError::Unreadable { path: path.to_owned(), why: error.to_string() };
    std::fs::read(path).map(Zeroizing::new).map_err(unreadable)
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, TrustError> {
    let bytes = read(path)?;
    let found = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(TrustError::NoCertificate(path.to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, TrustError> {
    PrivateKey::from_pem(&read(path)?).map_err(|_| TrustError::NoKey(path.to_owned()))
}

/// What is wrong between a client and a server that speak TLS, or should, and what to do; none when it is something else.
pub(super) fn told(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer => {
                "its certificate is of an authority that is not known here; give that one with --ca-bundle FILE, or set \
                 AWS_CA_BUNDLE"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; use a name of the certificate as the endpoint's".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; put a new one into the server's --tls-cert and --tls-key".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; look at both machines' clocks".to_owned()
            }
            _ => format!("its certificate is not valid ({why:?})"),
        },
        rustls::Error::InvalidMessage(_) => {
            "what it speaks is not TLS; if it has no certificate, call it by http://".to_owned()
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            "it wants a certificate of its clients; give one with --client-cert FILE --client-key FILE".to_owned()
        }
        other => format!("TLS failed: {other}"),
    }
}
