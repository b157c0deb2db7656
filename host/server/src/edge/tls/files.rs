//! The files of a certificate, and what is made of them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use super::{TlsError, TlsSettings};

/// The bytes of the files, all of one look.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

/// What files gave.
pub(super) struct Read {
    pub(super) config: Arc<ServerConfig>,
    /// Of the files' bytes.
    pub(super) fingerprint: [u8; 32],
    pub(super) certificate: super::Certificate,
}

impl Files {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&settings.certificate)?,
            key: Zeroizing::new(read(&settings.key)?),
            client_ca: settings.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Tells other bytes from these.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [Some(&self.certificate), Some(&*self.key), self.client_ca.as_ref()].into_iter().flatten()
        {
            hash.update(Sha256::digest(part));
        }
        hash.finalize().into()
    }

    /// A server's configuration of them.
    pub(super) fn build(&self, settings: &TlsSettings) -> Result<Read, TlsError> {
        let provider = Arc::new(default_provider());
        let (chain, leaf) = self.chain(settings)?;
        let certified = self.certified(settings, &provider, chain)?;
        let setup = |source| TlsError::Setup { certificate: settings.certificate.clone(), source };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(setup)?;
        let builder = match (&self.client_ca, &settings.client_ca) {
            (Some(bytes), Some(path)) => {
                builder.with_client_cert_verifier(clients(bytes, path, Arc::clone(&provider))?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.client_ca.is_some() {
            // A session that is taken up again is not verified again: its certificate may have ended meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = Ticketer::new().map_err(setup)?;
            config.send_tls13_tickets = limits::TLS_TICKETS;
        }
        let validity = &leaf.tbs_certificate.validity;
        let moment = |time: &x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX / 1_000);
            Timestamp::from_millis(seconds.saturating_mul(1_000))
        };
        Ok(Read {
            config: Arc::new(config),
            fingerprint: self.fingerprint(),
            certificate: super::Certificate {
                subject: leaf.tbs_certificate.subject.to_string(),
                begins_at: moment(&validity.not_before),
                ends_at: moment(&validity.not_after),
            },
        })
    }

    fn chain(&self, settings: &TlsSettings) -> Result<(Vec<CertificateDer<'static>>, Certificate), TlsError> {
        let path = || settings.certificate.clone();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| TlsError::Certificate(path()))?;
        let first = chain.first().ok_or_else(|| TlsError::NoCertificate(path()))?;
        let leaf = parse(first).ok_or_else(|| TlsError::Certificate(path()))?;
        Ok((chain, leaf))
    }

    fn certified(
        &self,
        settings: &TlsSettings,
        provider: &CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
    ) -> Result<CertifiedKey, TlsError> {
        let no_key = || TlsError::NoKey(settings.key.clone());
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| no_key())?;
        let key = provider.key_provider.load_private_key(key).map_err(|_| no_key())?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
                certificate: settings.certificate.clone(),
                key: settings.key.clone(),
            }),
            Err(source) => Err(TlsError::Setup { certificate: settings.certificate.clone(), source }),
        }
    }
}

/// Who verifies clients' certificates.
fn clients(
    bytes: &[u8],
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let wrong = || TlsError::ClientCa(path.to_owned());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bytes) {
        roots.add(authority.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|_| wrong())
}

pub(super) fn parse(certificate: &CertificateDer<'_>) -> Option<Certificate> {
    Certificate::from_der(certificate).ok()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let io = |source| TlsError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let most = limits::TLS_FILE_BYTES_MAX;
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(TlsError::TooLong(path.to_owned()));
    }
    Ok(bytes)
}
