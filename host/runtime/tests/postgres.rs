//! The PostgreSQL driver against real servers, and against peers that only pretend to be one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test; what clippy.toml allows in tests does not reach the functions between them"
)]

#[path = "postgres/alternating.rs"]
mod alternating;
#[path = "postgres/statements.rs"]
mod statements;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use pawl_core::document::Document;
use pawl_core::function::Grants;
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_runtime::database::postgres::PostgresDriver;
use pawl_runtime::database::{Driver, LastWord, Login, LoginFailure, Session, StatementFailure, TlsRoots};
use pawl_runtime::dial::Destination;
use tokio_postgres::NoTls;

const ADMIN_PASSWORD: &str = "admin-canary-password";
const SCRAM: &str = "host all all 127.0.0.1/32 scram-sha-256\n";
/// The user that runs the servers where the tests run as root, which PostgreSQL refuses.
const NOBODY: u32 = 65_534;

// A server of our own.

struct Server {
    process: Child,
    log: Option<JoinHandle<String>>,
    port: u16,
    /// Kept as long as the server runs.
    _directory: tempfile::TempDir,
}

/// PostgreSQL's programs: on the path, or where Debian has them.
fn program(name: &str) -> PathBuf {
    let search = format!("command -v {name} || ls /usr/lib/postgresql/*/bin/{name} | tail -n 1");
    let found = Command::new("sh").args(["-c", &search]).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    assert!(!path.trim().is_empty(), "PostgreSQL's `{name}` is missing: `cargo xtask test` installs it");
    PathBuf::from(path.trim())
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

fn give(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

impl Server {
    /// Starts a server with these lines of pg_hba.conf, and over TLS with this certificate and key.
    fn start(hba: &str, tls: Option<(&str, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        give(directory.path(), 0o755);
        let data = directory.path().join("data");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            give(&path, 0o600);
            path
        };
        let password = file("password", ADMIN_PASSWORD);
        let made = as_nobody(Command::new(program("initdb")).current_dir(directory.path()))
            .args(["-A", "scram-sha-256", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(data.join("pg_hba.conf"), hba).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program("postgres"));
        as_nobody(&mut command).current_dir(directory.path()).arg("-D").arg(&data);
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "log_statement=all"]
        {
            command.args(["-c", setting]);
        }
        command.args(["-p", &port.to_string()]);
        if let Some((certificate, key)) = tls {
            let (certificate, key) = (file("server.crt", certificate), file("server.key", key));
            command.args(["-c", "ssl=on"]);
            command.arg("-c").arg(format!("ssl_cert_file={}", certificate.display()));
            command.arg("-c").arg(format!("ssl_key_file={}", key.display()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            while lines.read_until(b'\n', &mut log).unwrap() > 0 {
                if String::from_utf8_lossy(&log).contains("ready to accept connections") {
                    ready.send(()).ok();
                }
            }
            String::from_utf8_lossy(&log).into_owned()
        });
        let server = Self { process, log: Some(log), port, _directory: directory };
        is_ready.recv().expect("PostgreSQL did not start");
        server
    }

    async fn admin(&self) -> tokio_postgres::Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").dbname("postgres").password(ADMIN_PASSWORD);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Ends the server and gives everything that it has logged.
    fn stop(mut self) -> String {
        self.end();
        self.log.take().unwrap().join().unwrap()
    }

    fn end(&mut self) {
        // Immediate shutdown: it takes its children along, which SIGKILL does not.
        if let Ok(None) = self.process.try_wait() {
            let pid = rustix::process::Pid::from_child(&self.process);
            rustix::process::kill_process(pid, rustix::process::Signal::QUIT).ok();
        }
        drop(self.process.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

// Logins.

fn driver(ca: Option<&str>) -> PostgresDriver {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let roots = ca.map(|pem| {
        std::fs::write(&file, pem).unwrap();
        file.as_path()
    });
    PostgresDriver::new(TlsRoots::load(roots).unwrap())
}

/// A login to 127.0.0.1 without TLS, but for what `more` says otherwise.
fn login(port: u16, username: &str, password: &str, more: &serde_json::Value) -> Login {
    let mut json = serde_json::json!({
        "engine": "postgres", "host": "127.0.0.1", "port": port, "username": username, "password": password, "ssl": false,
    });
    for (field, value) in more.as_object().unwrap() {
        json[field] = value.clone();
    }
    Login::parse(&Document::parse(&SecretValue::text(json.to_string()).unwrap()).unwrap()).unwrap()
}

fn plain(port: u16, username: &str, password: &str) -> Login {
    login(port, username, password, &serde_json::json!({}))
}

async fn attempt(driver: &PostgresDriver, login: &Login) -> Result<Box<dyn Session>, LoginFailure> {
    let grants = Grants { own_target: true, ..Grants::default() };
    let own = Some((login.host.as_str(), login.port));
    let to = Destination::granted(&grants, own, &login.host, login.port, Arc::default()).unwrap();
    let result = driver.login(&to, login).await;
    if let Err(failure) = &result {
        assert!(!failure.to_string().contains("canary"), "{failure}");
    }
    result
}

async fn failure(driver: &PostgresDriver, login: &Login) -> LoginFailure {
    match attempt(driver, login).await {
        Ok(_) => panic!("a login that should have failed"),
        Err(failure) => failure,
    }
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_that_fails_says_why() {
    let server = Server::start(SCRAM, None);
    let admin = server.admin().await;
    admin
        .batch_execute(
            "CREATE ROLE app LOGIN PASSWORD 'app-canary'; CREATE ROLE locked NOLOGIN PASSWORD 'app-canary';
             CREATE ROLE busy LOGIN PASSWORD 'app-canary' CONNECTION LIMIT 0;",
        )
        .await
        .unwrap();
    let driver = driver(None);
    let port = server.port;

    attempt(&driver, &plain(port, "app", "app-canary")).await.unwrap().ping().await.unwrap();

    let refused = failure(&driver, &plain(port, "app", "wrong-canary")).await;
    let text = format!("the database at 127.0.0.1:{port} refused the login of user `app` (SQLSTATE 28P01)");
    assert_eq!(refused, LoginFailure::Refused(text));
    for (user, code) in [("absent", "28P01"), ("locked", "28000")] {
        let refused = failure(&driver, &plain(port, user, "app-canary")).await;
        assert!(matches!(&refused, LoginFailure::Refused(text) if text.contains(code)), "{user}: {refused}");
    }
    let elsewhere = login(port, "app", "app-canary", &serde_json::json!({"dbname": "nowhere"}));
    let rejected = failure(&driver, &elsewhere).await;
    assert!(
        matches!(&rejected, LoginFailure::Rejected(text) if text.contains("`nowhere`") && text.contains("3D000"))
    );
    let busy = failure(&driver, &plain(port, "busy", "app-canary")).await;
    assert!(matches!(&busy, LoginFailure::Unreachable(text) if text.contains("53300")), "{busy}");
    // This server has no TLS, and a secret that does not renounce it gets no session without.
    for ssl in [serde_json::json!({"ssl": true}), serde_json::json!({"ssl": null})] {
        let untrusted = failure(&driver, &login(port, "app", "app-canary", &ssl)).await;
        assert!(
            matches!(&untrusted, LoginFailure::Untrusted(text) if text.contains("no TLS")),
            "{untrusted}"
        );
    }
    drop(admin);
    server.stop();
    let gone = failure(&driver, &plain(port, "app", "app-canary")).await;
    assert!(matches!(gone, LoginFailure::Unreachable(_)), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_accepted_and_the_old_refused_and_no_log_has_either() {
    let server = Server::start(SCRAM, None);
    let admin = server.admin().await;
    // The verifier, so that the test itself puts no password into the log.
    let verifier = postgres_protocol::password::scram_sha_256(b"first-canary");
    let roles = format!(
        "CREATE ROLE app LOGIN PASSWORD '{verifier}'; CREATE ROLE victim LOGIN PASSWORD '{verifier}'"
    );
    admin.batch_execute(&roles).await.unwrap();
    let driver = driver(None);
    let at = |user: &str, password: &str| plain(server.port, user, password);

    let mut old = "first-canary".to_owned();
    // SASLprep makes a plain space of one character here, and forbids another.
    for new in ["second-canary';--\"\\", "ʞ\u{a0}ñ-canary", "\u{7}bell-canary"] {
        let session = attempt(&driver, &at("app", &old)).await.unwrap();
        session.set_password("app", &secret(new), yes()).await.unwrap();
        session.ping().await.unwrap();
        attempt(&driver, &at("app", new)).await.unwrap();
        assert!(matches!(failure(&driver, &at("app", &old)).await, LoginFailure::Refused(_)), "{new}");
        new.clone_into(&mut old);
    }

    let session = attempt(&driver, &at("app", &old)).await.unwrap();
    let rejected = session.set_password("victim", &secret("stolen-canary"), yes()).await.unwrap_err();
    assert_eq!(rejected, StatementFailure::Rejected("SQLSTATE 42501".to_owned()));
    let unfit = session.set_password("app", &secret("a\0canary"), yes()).await.unwrap_err();
    assert!(matches!(unfit, StatementFailure::Unfit(_)));
    session.ping().await.unwrap();

    let killed = admin
        .query_one(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pawl'",
            &[],
        )
        .await
        .unwrap();
    assert!(killed.get::<_, i64>(0) >= 1, "sessions are shown as pawl's");
    assert!(matches!(session.ping().await.unwrap_err(), StatementFailure::Lost(_)));
    assert!(matches!(
        session.set_password("app", &secret("x"), yes()).await.unwrap_err(),
        StatementFailure::Lost(_)
    ));

    drop((session, admin));
    let log = server.stop();
    assert!(log.contains("ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$"), "{log}");
    assert!(log.contains("ALTER ROLE \"victim\""), "a failed statement is logged as well: {log}");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_changes_its_own_role_and_nothing_else() {
    let server = Server::start(SCRAM, None);
    let admin = server.admin().await;
    admin.batch_execute("CREATE ROLE victim LOGIN PASSWORD 'victim-canary'").await.unwrap();
    let driver = driver(None);
    let long = "n".repeat(63);
    let names = [
        "\"",
        "a\"b\"\"c",
        "x\" PASSWORD 'known'; ALTER ROLE victim PASSWORD 'known'; --",
        "'; DROP ROLE victim; --",
        "Upper Lower",
        "%s$1\\",
        "é😀\u{202e}\n",
        "select",
        long.as_str(),
    ];
    for name in names {
        let quoted: String = admin.query_one("SELECT quote_ident($1)", &[&name]).await.unwrap().get(0);
        admin.batch_execute(&format!("CREATE ROLE {quoted} LOGIN PASSWORD 'old'")).await.unwrap();
        let at = |password: &str| plain(server.port, name, password);
        let session = attempt(&driver, &at("old")).await.unwrap();
        session.set_password(name, &secret("new"), yes()).await.unwrap();
        attempt(&driver, &at("new")).await.unwrap();
        assert!(matches!(failure(&driver, &at("old")).await, LoginFailure::Refused(_)), "{name}");
    }
    attempt(&driver, &plain(server.port, "victim", "victim-canary")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_final_only_after_the_last_word_and_silence_takes_it_back() {
    let server = Server::start(SCRAM, None);
    let admin = server.admin().await;
    admin.batch_execute("CREATE ROLE app LOGIN PASSWORD 'first-canary'").await.unwrap();
    let driver = driver(None);
    let at = |password: &str| plain(server.port, "app", password);
    let session = attempt(&driver, &at("first-canary")).await.unwrap();

    let no: LastWord<'_> = Box::pin(async {
        // Nobody sees what may be taken back.
        assert!(attempt(&driver, &at("first-canary")).await.is_ok());
        false
    });
    let taken_back = session.set_password("app", &secret("second-canary"), no).await.unwrap_err();
    assert_eq!(taken_back, StatementFailure::TakenBack);
    session.ping().await.unwrap();
    attempt(&driver, &at("first-canary")).await.unwrap();

    // A host that is stopped between its last word and the end: the server has ended the session before the word is given.
    let silent: LastWord<'_> = Box::pin(async {
        let gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pawl'";
        while !admin.query_one(gone, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
        true
    });
    let late = session.set_password("app", &secret("third-canary"), silent).await.unwrap_err();
    assert!(matches!(late, StatementFailure::Lost(_)), "{late}");
    attempt(&driver, &at("first-canary")).await.unwrap();
}

/// The last word of one who has no doubts.
fn yes<'a>() -> LastWord<'a> {
    Box::pin(async { true })
}

/// A certificate authority, and a server's certificate and key by it, for `name`.
fn certificates(name: &str) -> (String, String, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::new(ca, ca_key)).unwrap().pem();
    (root, leaf, key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_and_only_inside_of_it_may_a_server_ask_for_the_password_in_clear() {
    let (ca, certificate, key) = certificates("127.0.0.1");
    let hba = format!("host all clear 127.0.0.1/32 password\n{SCRAM}");
    let server = Server::start(&hba, Some((&certificate, &key)));
    let admin = server.admin().await;
    let roles = "CREATE ROLE app LOGIN PASSWORD 'app-canary'; CREATE ROLE clear LOGIN PASSWORD 'app-canary'";
    admin.batch_execute(roles).await.unwrap();
    let (trusting, doubting) = (driver(Some(&ca)), driver(None));
    let at = |user: &str, ssl: bool| login(server.port, user, "app-canary", &serde_json::json!({"ssl": ssl}));

    for user in ["app", "clear"] {
        let session = attempt(&trusting, &at(user, true)).await.unwrap();
        session.set_password(user, &secret("app-canary"), yes()).await.unwrap();
        let query =
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1";
        let encrypted = admin.query_one(query, &[&user]).await.unwrap();
        assert_eq!(encrypted.get::<_, Option<bool>>(0), Some(true), "{user}");
        session.ping().await.unwrap();
    }

    let issuer = failure(&doubting, &at("app", true)).await;
    assert!(matches!(&issuer, LoginFailure::Untrusted(text) if text.contains("unknown issuer")), "{issuer}");
    let mut elsewhere = at("app", true);
    elsewhere.host = "localhost".to_owned();
    let name = failure(&trusting, &elsewhere).await;
    assert!(matches!(&name, LoginFailure::Untrusted(text) if text.contains("another name")), "{name}");

    attempt(&doubting, &at("app", false)).await.unwrap();
    let clear = failure(&doubting, &at("clear", false)).await;
    assert!(matches!(&clear, LoginFailure::Untrusted(text) if text.contains("in clear")), "{clear}");
}

// Peers that are no server.

/// Accepts one connection, answers every message of the client with the next of `answers`, byte by byte, and gives back all
/// that the client has sent until it hung up.
fn peer(answers: Vec<Vec<u8>>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut heard = Vec::new();
        for answer in answers {
            hear(&mut stream, &mut heard);
            for byte in answer {
                drop(stream.write_all(&[byte]));
            }
        }
        drop(stream.read_to_end(&mut heard));
        heard
    });
    (port, heard)
}

fn hear(stream: &mut TcpStream, heard: &mut Vec<u8>) {
    let mut buffer = [0; 4_096];
    let count = stream.read(&mut buffer).unwrap_or(0);
    heard.extend_from_slice(&buffer[..count]);
}

fn question(code: u32) -> Vec<u8> {
    [&b"R"[..], &8_u32.to_be_bytes(), &code.to_be_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_peer_gets_the_password_by_asking() {
    let driver = driver(None);
    let cases: Vec<(bool, Vec<Vec<u8>>, &str)> = vec![
        (false, vec![question(3)], "in clear"),
        // The guard sees the question, or the library the notice, which has no place there: as the packets are cut.
        (false, vec![[b"N\0\0\0\x09SHI\0\0".to_vec(), question(3)].concat()], "is not trusted"),
        (false, vec![question(2)], "login method"),
        (false, vec![question(7)], "login method"),
        (false, vec![[question(0), b"Z\0\0\0\x05I".to_vec()].concat()], "no password at all"),
        (false, vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], "does not speak"),
        (true, vec![b"N".to_vec()], "no TLS"),
        (true, vec![question(3)], "no TLS"),
        (true, vec![b"S".to_vec(), b"HTTP/1.1 400\r\n".to_vec()], "handshake"),
    ];
    for (number, (ssl, answers, why)) in cases.into_iter().enumerate() {
        let (port, heard) = peer(answers);
        let login = login(port, "app", "the-canary-password", &serde_json::json!({"ssl": ssl}));
        let untrusted = failure(&driver, &login).await;
        assert!(
            matches!(&untrusted, LoginFailure::Untrusted(text) if text.contains(why)),
            "{number}: {untrusted}"
        );
        let heard = String::from_utf8_lossy(&heard.join().unwrap()).into_owned();
        assert!(!heard.contains("canary"), "{number}: {heard}");
        assert_eq!(heard.contains("app"), !ssl, "{number}: not even the user's name goes out before TLS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_up_is_unreachable_and_one_with_a_strange_code_is_not_quoted() {
    let driver = driver(None);
    for ssl in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let closing = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let login = login(port, "app", "the-canary-password", &serde_json::json!({"ssl": ssl}));
        let gone = failure(&driver, &login).await;
        assert!(matches!(gone, LoginFailure::Unreachable(_)), "{ssl}: {gone}");
        closing.join().unwrap();
    }
    let body = b"SFATAL\0Cecho\ncanary\0Mcanary message\0\0";
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    let (port, heard) = peer(vec![[&b"E"[..], &length, body].concat()]);
    let strange = failure(&driver, &plain(port, "app", "pw")).await;
    assert!(matches!(&strange, LoginFailure::Rejected(text) if text.contains("XX000")), "{strange}");
    heard.join().unwrap();
}
