//! The driver for MySQL 8: protocol-tested, not run against the vendor's server.
//!
//! The stand-in checks proofs as MySQL's manual describes `caching_sha2_password`, knows the few statements that the driver sends,
//! and writes down what an account's password is changed by.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test; what clippy.toml allows in tests does not reach the functions between them"
)]

use std::sync::{Arc, Mutex};

use pawl_core::document::Document;
use pawl_core::function::{Engine, Grants};
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_runtime::database::mysql::MysqlDriver;
use pawl_runtime::database::{Driver, Login, LoginFailure, Session, TlsRoots};
use pawl_runtime::dial::Destination;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";

/// One account of a server.
#[derive(Default)]
struct Account {
    password: Mutex<String>,
    /// Whether the server has the account's password at hand since an earlier login.
    cached: Mutex<bool>,
    /// What `SHOW CREATE USER` ends with, and the privileges on everything.
    rule: &'static str,
    grants: &'static str,
    version: &'static str,
    changes: Mutex<Vec<String>>,
    full_logins: Mutex<u32>,
}

struct Wire<S> {
    stream: S,
    sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn say(&mut self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        let packet = [&length[..3], &[self.sequence], payload].concat();
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).await.ok();
        self.stream.flush().await.ok();
    }

    async fn hear(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.ok()?;
        self.sequence = head[3].wrapping_add(1);
        let mut payload = vec![0; usize::from(head[0]) + 256 * usize::from(head[1])];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(payload)
    }

    async fn ok(&mut self) {
        self.say(&[0, 0, 0, 2, 0, 0, 0]).await;
    }

    async fn deny(&mut self) {
        self.say(b"\xff\x15\x04#28000Access denied, canary").await;
    }

    async fn row(&mut self, fields: &[&str]) {
        self.say(&[u8::try_from(fields.len()).unwrap()]).await;
        for _ in fields {
            self.say(b"\x03def\0\0\0\x01x\0\x0c\x2d\0\x05\0\0\0\xfd\x01\0\x1f\0\0").await;
        }
        self.say(&[0xfe, 0, 0, 2, 0]).await;
        let mut row = Vec::new();
        for field in fields {
            row.push(0xfc);
            row.extend(u16::try_from(field.len()).unwrap().to_le_bytes());
            row.extend(field.as_bytes());
        }
        self.say(&row).await;
        self.say(&[0xfe, 0, 0, 2, 0]).await;
    }
}

fn greeting(tls: bool) -> Vec<u8> {
    let low: u16 = !(1 << 7) & !(1 << 11) | if tls { 1 << 11 } else { 0 };
    let mut packet = b"\x0a8.0.36\0\x01\0\0\0".to_vec();
    packet.extend([&NONCE[..8], &[0], &low.to_le_bytes(), &[0xff, 2, 0, 0xff, 0xdf, 21], &[0; 10]].concat());
    packet.extend([&NONCE[8..], b"\0caching_sha2_password\0"].concat());
    packet
}

/// What a server knows that has the password at hand: `SHA256(SHA256(password))`.
fn proves(proof: &[u8], password: &str) -> bool {
    let stored = Sha256::digest(Sha256::digest(password));
    let mask = Sha256::new().chain_update(Sha256::digest(&stored[..])).chain_update(NONCE).finalize();
    let unmasked: Vec<u8> = proof.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    proof.len() == 32 && Sha256::digest(unmasked) == stored
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, account: Arc<Account>) {
    let mut wire = Wire { stream, sequence: 0 };
    wire.say(&greeting(tls.is_some())).await;
    let Some(first) = wire.hear().await else { return };
    if let Some(acceptor) = tls
        && first.len() == 32
    {
        let Ok(stream) = acceptor.accept(wire.stream).await else { return };
        let mut wire = Wire { stream, sequence: wire.sequence };
        let Some(response) = wire.hear().await else { return };
        converse(&mut wire, &response, true, &account).await;
    } else {
        converse(&mut wire, &first, false, &account).await;
    }
}

async fn converse<S>(wire: &mut Wire<S>, response: &[u8], encrypted: bool, account: &Account)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let user_end = 32 + response[32..].iter().position(|byte| *byte == 0).unwrap();
    assert_eq!(&response[32..user_end], b"app");
    let length = usize::from(response[user_end + 1]);
    let proof = &response[user_end + 2..user_end + 2 + length];
    let password = account.password.lock().unwrap().clone();
    if *account.cached.lock().unwrap() {
        if !proves(proof, &password) {
            return wire.deny().await;
        }
        wire.say(&[1, 3]).await;
    } else {
        wire.say(&[1, 4]).await;
        let Some(clear) = wire.hear().await else { return };
        if !encrypted || clear != [password.as_bytes(), &[0]].concat() {
            return wire.deny().await;
        }
        *account.full_logins.lock().unwrap() += 1;
        *account.cached.lock().unwrap() = true;
    }
    wire.ok().await;
    while let Some(command) = wire.hear().await {
        let text = String::from_utf8_lossy(&command[1..]).into_owned();
        match command[0] {
            0x0e => wire.ok().await,
            0x03 => answer(wire, &text, account).await,
            _ => return,
        }
    }
}

async fn answer<S>(wire: &mut Wire<S>, text: &str, account: &Account)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match text {
        "SELECT CURRENT_USER(), VERSION()" => wire.row(&["app@%", account.version]).await,
        "SELECT @@GLOBAL.read_only, @@GLOBAL.innodb_read_only" => wire.row(&["0", "0"]).await,
        "SELECT @@GLOBAL.password_require_current" => wire.row(&["1"]).await,
        "SHOW GRANTS" => wire.row(&[&format!("GRANT {} ON *.* TO `app`@`%`", account.grants)]).await,
        "SHOW CREATE USER CURRENT_USER()" => {
            let definition = format!(
                "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x' REQUIRE NONE PASSWORD EXPIRE \
                 DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT{}",
                account.rule
            );
            wire.row(&[&definition]).await;
        }
        _ if text.starts_with("SET ") => {
            assert!(!text.contains("max_statement_time"), "MySQL does not know it: {text}");
            wire.ok().await;
        }
        _ if text.starts_with("ALTER USER USER() IDENTIFIED BY '") => {
            account.changes.lock().unwrap().push(text.to_owned());
            wire.ok().await;
        }
        _ => wire.say(b"\xff\x28\x04#42000You have an error").await,
    }
}

/// Starts a stand-in: its port, and the authority of its certificate where it has TLS.
async fn stand_in(tls: bool, account: &Arc<Account>) -> (u16, Option<String>) {
    let (acceptor, authority) = if tls {
        let (root, certificate, key) = certificates();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        (Some(TlsAcceptor::from(Arc::new(config))), Some(root))
    } else {
        (None, None)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let account = Arc::clone(account);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&account)));
        }
    });
    (port, authority)
}

fn certificates() -> (String, String, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap().pem();
    (root, leaf, key.serialize_pem())
}

async fn attempt(
    port: u16,
    authority: Option<&str>,
    password: &str,
) -> Result<Box<dyn Session>, LoginFailure> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.unwrap_or_default()).unwrap();
    let driver = MysqlDriver::mysql(TlsRoots::load(authority.map(|_| file.as_path())).unwrap());
    assert_eq!(driver.engine(), Engine::Mysql);
    let json = serde_json::json!({
        "engine": "mysql", "host": "127.0.0.1", "port": port, "username": "app", "password": password,
        "ssl": authority.is_some(),
    });
    let document = Document::parse(&SecretValue::text(json.to_string()).unwrap()).unwrap();
    let login = Login::parse(&document).unwrap();
    let grants = Grants { own_target: true, ..Grants::default() };
    let own = Some(("127.0.0.1", port));
    let to = Destination::granted(&grants, own, "127.0.0.1", port, Arc::default()).unwrap();
    driver.login(&to, &login).await
}

fn account(version: &'static str, grants: &'static str, rule: &'static str) -> Arc<Account> {
    let account = Account { version, grants, rule, ..Account::default() };
    "first-canary".clone_into(&mut account.password.lock().unwrap());
    Arc::new(account)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_password_goes_out_inside_of_tls_once_and_a_proof_afterwards() {
    let account = account("8.0.36", "USAGE", "");
    let (port, authority) = stand_in(true, &account).await;
    let authority = authority.as_deref();
    for _ in 0..2 {
        attempt(port, authority, "first-canary")
            .await
            .map_err(|e| e.to_string())
            .unwrap()
            .ping()
            .await
            .unwrap();
    }
    assert_eq!(*account.full_logins.lock().unwrap(), 1);
    for cached in [true, false] {
        *account.cached.lock().unwrap() = cached;
        let refused = attempt(port, authority, "wrong-canary").await.err().unwrap();
        assert!(matches!(&refused, LoginFailure::Refused(text) if !text.contains("canary")), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_a_proof_is_all_that_a_server_gets() {
    let account = account("8.0.36", "USAGE", "");
    let (port, _) = stand_in(false, &account).await;
    let untrusted = attempt(port, None, "first-canary").await.err().unwrap();
    assert!(matches!(&untrusted, LoginFailure::Untrusted(text) if text.contains("in clear")), "{untrusted}");
    *account.cached.lock().unwrap() = true;
    attempt(port, None, "first-canary").await.map_err(|e| e.to_string()).unwrap();
    assert_eq!(*account.full_logins.lock().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_changed_as_its_server_and_its_rights_allow() {
    const PLAIN: &str = "ALTER USER USER() IDENTIFIED BY 'n''e\"w\\\\'";
    for (version, grants, rule, clauses) in [
        ("5.7.44", "USAGE", "", ""),
        ("8.0.36", "USAGE", " PASSWORD REQUIRE CURRENT OPTIONAL", ""),
        ("8.0.36", "USAGE", " PASSWORD REQUIRE CURRENT", " REPLACE 'first-canary'"),
        ("8.0.36", "USAGE", " PASSWORD REQUIRE CURRENT DEFAULT", " REPLACE 'first-canary'"),
        ("8.4.3", "APPLICATION_PASSWORD_ADMIN,AUDIT_ADMIN", "", " RETAIN CURRENT PASSWORD"),
        (
            "8.4.3",
            "RELOAD, APPLICATION_PASSWORD_ADMIN",
            " PASSWORD REQUIRE CURRENT",
            " REPLACE 'first-canary' RETAIN CURRENT PASSWORD",
        ),
    ] {
        let account = account(version, grants, rule);
        let (port, authority) = stand_in(true, &account).await;
        let session =
            attempt(port, authority.as_deref(), "first-canary").await.map_err(|e| e.to_string()).unwrap();
        let new = SecretBytes::from("n'e\"w\\".to_owned());
        session.set_password("app", &new, Box::pin(async { true })).await.unwrap();
        session.ping().await.unwrap();
        assert_eq!(
            *account.changes.lock().unwrap(),
            [format!("{PLAIN}{clauses}")],
            "{version} {grants} {rule}"
        );
    }
}
