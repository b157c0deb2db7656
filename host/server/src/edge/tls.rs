//! The server's certificate: read from files, and read again when they change, while connections go on.

mod files;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use pawl_core::limits;
use pawl_core::world::{Clock, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use self::files::{Files, Read};
use crate::identity::ClientCertificate;
use crate::metrics::Doors;

/// Where the server's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate, and those between it and the authority, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// Authorities, as PEM, one of which must have signed a client's certificate; without it clients need none.
    pub client_ca: Option<PathBuf>,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is far too long.
    #[error("`{0}` is longer than a file of certificates can be")]
    TooLong(PathBuf),
    /// No certificate.
    #[error("`{0}` holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate(PathBuf),
    /// No key.
    #[error("`{0}` holds no private key in PEM form that is not encrypted (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey(PathBuf),
    /// A certificate whose content makes no sense.
    #[error("the certificate in `{0}` cannot be understood")]
    Certificate(PathBuf),
    /// They do not belong together.
    #[error("the key in `{key}` is not that of the certificate in `{certificate}`")]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A certificate whose time is over, in the place of one whose time is not.
    #[error("the certificate in `{0}` has expired")]
    Expired(PathBuf),
    /// Authorities that cannot be.
    #[error("`{0}` holds no certificate authority that clients could be verified by")]
    ClientCa(PathBuf),
    /// Whatever the library refuses.
    #[error("TLS cannot be set up with `{certificate}`: {source}")]
    Setup {
        /// The certificate.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// A server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as RFC 4514 writes it.
    pub subject: String,
    /// When it begins to be valid.
    pub begins_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Certificate {
    /// The certificate of these files, if a server could serve it: it can be read, the key is its own, and so are the authorities.
    /// It may have expired.
    ///
    /// # Errors
    /// What a server would say.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Files::read(settings)?.build(settings)?.certificate)
    }
}

/// The TLS of a listener: every handshake takes what is in force at its beginning.
pub(crate) struct TlsDoor {
    settings: TlsSettings,
    current: ArcSwap<Read>,
    /// The fingerprint of what was refused last, so that it is said once.
    refused: Mutex<Option<[u8; 32]>>,
    figures: Doors,
}

impl TlsDoor {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be served. One that has expired can: it can be replaced, and clients refuse it meanwhile.
    pub(crate) fn open(settings: TlsSettings, figures: Doors, clock: &dyn Clock) -> Result<Self, TlsError> {
        let read = Files::read(&settings)?.build(&settings)?;
        let door =
            Self { settings, current: ArcSwap::from_pointee(read), refused: Mutex::default(), figures };
        door.tell(clock.wall());
        Ok(door)
    }

    /// What a connection that begins now is handed to.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }

    /// Whether clients must have a certificate.
    pub(crate) const fn is_mutual(&self) -> bool {
        self.settings.client_ca.is_some()
    }

    /// Looks at the files again and again, and at once when it is told to.
    pub(crate) async fn watch(self: Arc<Self>, at_once: Arc<Notify>, clock: Arc<dyn Clock>) {
        loop {
            let told = tokio::select! {
                () = tokio::time::sleep(limits::TLS_LOOKED_AT_EVERY) => false,
                () = at_once.notified() => true,
            };
            let (door, now) = (Arc::clone(&self), clock.wall());
            // Files may be on a network.
            let looked = tokio::task::spawn_blocking(move || door.look(now, told)).await;
            if looked.is_err() {
                tracing::error!("the certificate's files could not be looked at");
            }
        }
    }

    /// Takes what has changed into force, unless it makes no sense: then all stays as it is.
    fn look(&self, now: Timestamp, told: bool) {
        let files = Files::read(&self.settings);
        let before = self.current.load_full();
        let fingerprint = files.as_ref().map_or([0; 32], Files::fingerprint);
        if fingerprint == before.fingerprint {
            if told {
                tracing::info!("the certificate's files have not changed");
            }
            self.forget_refusal();
            return;
        }
        match self.judge(files, &before, now) {
            Ok(read) => {
                self.current.store(Arc::new(read));
                self.figures.certificate_taken();
                self.forget_refusal();
                self.tell(now);
            }
            Err(error) => self.refuse(fingerprint, &error, told),
        }
    }

    /// What files give, if it may stand in the place of what is served.
    fn judge(&self, files: Result<Files, TlsError>, served: &Read, now: Timestamp) -> Result<Read, TlsError> {
        let read = files?.build(&self.settings)?;
        if read.certificate.ends_at <= now && served.certificate.ends_at > now {
            return Err(TlsError::Expired(self.settings.certificate.clone()));
        }
        Ok(read)
    }

    /// The certificate that is served, and what is wrong with what its files hold at this moment. It reads them.
    pub(crate) fn standing(&self, now: Timestamp) -> (Certificate, Option<TlsError>) {
        let served = self.current.load();
        let wrong = self.judge(Files::read(&self.settings), &served, now).err();
        (served.certificate.clone(), wrong)
    }

    fn forget_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn refuse(&self, fingerprint: [u8; 32], error: &TlsError, told: bool) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = refused.replace(fingerprint) != Some(fingerprint);
        drop(refused);
        if anew || told {
            self.figures.certificate_refused();
            tracing::error!(
                %error,
                "the certificate's files have changed and cannot be served; the certificate from before stays in force"
            );
        }
    }

    /// Says which certificate is in force, and until when.
    fn tell(&self, now: Timestamp) {
        let current = self.current.load();
        let Certificate { subject, ends_at, .. } = &current.certificate;
        self.figures.certificate_ends(*ends_at);
        let until = ends_at.utc();
        if *ends_at <= now {
            tracing::error!(subject, %until, "the certificate has EXPIRED; clients that verify it refuse this server");
        } else {
            tracing::info!(subject, %until, mutual = self.is_mutual(), "this certificate is served");
        }
    }
}

impl fmt::Debug for TlsDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsDoor").field(&self.settings).finish()
    }
}

/// What is told of a client's certificate.
pub(super) fn shown(certificate: &rustls_pki_types::CertificateDer<'_>) -> ClientCertificate {
    let subject = files::parse(certificate).map(|parsed| parsed.tbs_certificate.subject.to_string());
    ClientCertificate { subject, sha256: hex::encode(Sha256::digest(certificate)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_read_is_told_by_its_digest() {
        let told = shown(&rustls_pki_types::CertificateDer::from(vec![1, 2, 3]));
        assert_eq!(told.subject, None);
        assert_eq!(told.sha256, "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81");
    }
}
