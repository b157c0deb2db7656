//! Requests over TLS: to a server that proves who it is, and to those that do not.

use std::net::SocketAddr;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::database::TlsRoots;

/// An authority, and what it has signed for a name.
pub(in crate::capability::tests) struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    pub(in crate::capability::tests) fn of(authority: &str, name: &str, at: (i32, i32)) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, authority);
        let authority = ca.self_signed(&ca_key).unwrap().pem();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(at.0, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(at.1, 1, 1);
        let certificate = leaf.signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap().pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }

    pub(in crate::capability::tests) fn roots(&self) -> TlsRoots {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, &self.authority).unwrap();
        TlsRoots::load(Some(&file)).unwrap()
    }

    /// A server that has them and answers 200; how many bytes of requests it has seen.
    pub(in crate::capability::tests) async fn serve(&self) -> (SocketAddr, Arc<AtomicUsize>) {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let its_seen = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !is_whole(&request) {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                its_seen.fetch_add(request.len(), Ordering::SeqCst);
                let _ = stream.write_all(&answer("content-type: text/plain", b"known")).await;
                let _ = stream.shutdown().await;
            }
        });
        (address, seen)
    }
}

#[tokio::test]
async fn a_server_that_proves_who_it_is_gets_the_request_and_no_other_does() {
    let plain = Service::with_status(200).await;
    let good = Certificates::of("ours", "127.0.0.1", (2020, 4000));
    let stranger = Certificates::of("theirs", "127.0.0.1", (2020, 4000));
    let misnamed = Certificates::of("ours", "api.example.com", (2020, 4000));
    let expired = Certificates::of("ours", "127.0.0.1", (2020, 2021));
    for (certificates, roots, why) in [
        (&good, good.roots(), None),
        (&good, stranger.roots(), Some("of an unknown issuer")),
        (&misnamed, misnamed.roots(), Some("for another name")),
        (&expired, expired.roots(), Some("has expired")),
    ] {
        let (address, seen) = certificates.serve().await;
        let origin = format!("https://{address}");
        let world = plain.world(Step::SetSecret);
        let mut guest = world.step();
        guest.0.config.grants = Arc::new(Grants { http: [grant(&origin)].into(), ..world.grants.clone() });
        guest.0.config.tls = roots;
        let old = guest.key(Call::Current).await;
        let sent = guest.send(request("GET", format!("{origin}/v1/key")).bearer(old)).await;
        match why {
            None => {
                assert_eq!(sent.map(|it| it.status), Ok(200));
                assert!(seen.load(Ordering::SeqCst) > 0);
            }
            Some(why) => {
                assert!(
                    matches!(&sent, Err(HttpError::Untrusted(text)) if text.contains(why)),
                    "{why}: {sent:?}"
                );
                assert_eq!(seen.load(Ordering::SeqCst), 0, "{why}");
            }
        }
    }
}
