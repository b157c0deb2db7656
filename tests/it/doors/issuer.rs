//! An identity provider: a small server over HTTPS that publishes keys, and signs tokens as Kubernetes does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pawl_tests::aws;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::certificates::Pair;

/// A key that tokens are signed by.
pub(super) enum Key {
    Rsa { pem: String, modulus: Vec<u8> },
    P256(Box<EcdsaKeyPair>, SystemRandom),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Key {
    pub(super) fn p256() -> Self {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &rng).unwrap();
        Self::P256(Box::new(key), rng)
    }

    pub(super) fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap()))
    }

    /// Made by OpenSSL, which signs with it as well: nothing of it is what the server is made of.
    pub(super) fn rsa() -> Self {
        let pem = openssl(&["genrsa", "2048"], &[]);
        let pem = String::from_utf8(pem).unwrap();
        let modulus = String::from_utf8(openssl(&["rsa", "-noout", "-modulus"], pem.as_bytes())).unwrap();
        let modulus = hex::decode(modulus.trim().strip_prefix("Modulus=").unwrap()).unwrap();
        Self::Rsa { pem, modulus }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(..) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// As a key set has it.
    pub(super) fn public(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { modulus, .. } => {
                json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": encode(modulus), "e": "AQAB"})
            }
            Self::P256(key, _) => {
                let point = key.public_key().as_ref();
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": x, "y": y})
            }
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(key.public_key().as_ref())})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa { pem, .. } => {
                let scratch = pawl_tests::scratch::Scratch::new("rsa");
                let file = scratch.path().join("key.pem");
                std::fs::write(&file, pem).unwrap();
                openssl(&["dgst", "-sha256", "-sign", file.to_str().unwrap()], message)
            }
            Self::P256(key, rng) => key.sign(rng, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header beside the algorithm and the key's id.
    pub(super) fn token(&self, id: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": id, "typ": "JWT"}), claims)
    }

    /// A token with a header that may say anything.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl can be run");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// What an issuer publishes, and what it was asked for.
#[derive(Default)]
pub(super) struct Published {
    pub(super) keys: Mutex<Vec<Value>>,
    /// What stands in the place of a document.
    pub(super) instead: Mutex<Option<(u16, String)>>,
    pub(super) discovery: Mutex<Option<Value>>,
    pub(super) asked: AtomicU32,
    ended: AtomicBool,
}

/// A running issuer.
pub(super) struct IssuerServer {
    pub(super) published: Arc<Published>,
    address: SocketAddr,
}

impl IssuerServer {
    pub(super) fn start(pair: &Pair) -> Self {
        let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let published = Arc::new(Published::default());
        let its = Arc::clone(&published);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if its.ended.load(Ordering::Relaxed) {
                    return;
                }
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
                let mut line = String::new();
                if stream.read_line(&mut line).is_err() {
                    continue;
                }
                let mut rest = String::new();
                while stream.read_line(&mut rest).is_ok_and(|count| count > 2) {
                    rest.clear();
                }
                let path = line.split(' ').nth(1).unwrap_or_default();
                let (status, body) = its.answer(path, address);
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nlocation: https://{address}/keys\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.get_mut().write_all(answer.as_bytes());
                stream.get_mut().conn.send_close_notify();
                let _ = stream.get_mut().flush();
            }
        });
        Self { published, address }
    }

    /// What its tokens name.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(super) fn publish(&self, keys: &[Value]) {
        *self.published.keys.lock().unwrap() = keys.to_vec();
    }

    pub(super) fn asked(&self) -> u32 {
        self.published.asked.load(Ordering::Relaxed)
    }

    /// Claims as those of a pod's token.
    pub(super) fn claims(&self, subject: &str, audience: &str) -> Value {
        let now = aws::now();
        json!({
            "iss": self.url(), "sub": subject, "aud": [audience], "iat": now - 5, "nbf": now - 5, "exp": now + 3_600,
            "jti": aws::token(),
            "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "api", "uid": "1"},
                              "pod": {"name": "api-0", "uid": "2"}},
        })
    }
}

impl Published {
    fn answer(&self, path: &str, address: SocketAddr) -> (u16, String) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(instead) = self.instead.lock().unwrap().clone() {
            return instead;
        }
        match path {
            "/.well-known/openid-configuration" => {
                let usual = json!({"issuer": format!("https://{address}"), "jwks_uri": format!("https://{address}/keys")});
                (200, self.discovery.lock().unwrap().clone().unwrap_or(usual).to_string())
            }
            "/keys" => (200, json!({"keys": *self.keys.lock().unwrap()}).to_string()),
            _ => (404, "{}".to_owned()),
        }
    }
}

impl Drop for IssuerServer {
    fn drop(&mut self) {
        self.published.ended.store(true, Ordering::Relaxed);
        let _ = super::client::try_connect(self.address);
    }
}

/// Writes a token where a client finds it.
pub(super) fn put(file: &Path, token: &str) {
    super::certificates::replace(file, token);
}
