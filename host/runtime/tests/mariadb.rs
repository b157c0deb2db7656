//! The driver for MySQL and MariaDB against real servers, and against peers that only pretend to be one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test; what clippy.toml allows in tests does not reach the functions between them"
)]

#[path = "mariadb/statements.rs"]
mod statements;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use pawl_core::document::Document;
use pawl_core::function::Grants;
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_runtime::database::mysql::MysqlDriver;
use pawl_runtime::database::{Driver, LastWord, Login, LoginFailure, Session, StatementFailure, TlsRoots};
use pawl_runtime::dial::Destination;
use pawl_tests::mariadb::{Door, MariaDb, Setup};

fn driver(ca: Option<&str>) -> MysqlDriver {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let roots = ca.map(|pem| {
        std::fs::write(&file, pem).unwrap();
        file.as_path()
    });
    MysqlDriver::mariadb(TlsRoots::load(roots).unwrap())
}

/// A login to 127.0.0.1 without TLS, but for what `more` says otherwise.
fn login(port: u16, username: &str, password: &str, more: &serde_json::Value) -> Login {
    let mut json = serde_json::json!({
        "engine": "mariadb", "host": "127.0.0.1", "port": port, "username": username, "password": password, "ssl": false,
    });
    for (field, value) in more.as_object().unwrap() {
        json[field] = value.clone();
    }
    Login::parse(&Document::parse(&SecretValue::text(json.to_string()).unwrap()).unwrap()).unwrap()
}

fn plain(port: u16, username: &str, password: &str) -> Login {
    login(port, username, password, &serde_json::json!({}))
}

async fn attempt(driver: &MysqlDriver, login: &Login) -> Result<Box<dyn Session>, LoginFailure> {
    let grants = Grants { own_target: true, ..Grants::default() };
    let own = Some((login.host.as_str(), login.port));
    let to = Destination::granted(&grants, own, &login.host, login.port, Arc::default()).unwrap();
    let result = driver.login(&to, login).await;
    if let Err(failure) = &result {
        assert!(!failure.to_string().contains("canary"), "{failure}");
    }
    result
}

async fn failure(driver: &MysqlDriver, login: &Login) -> LoginFailure {
    match attempt(driver, login).await {
        Ok(_) => panic!("a login that should have failed"),
        Err(failure) => failure,
    }
}

async fn accepted(driver: &MysqlDriver, login: &Login) -> Box<dyn Session> {
    attempt(driver, login).await.unwrap_or_else(|failure| panic!("{failure}"))
}

async fn refused(driver: &MysqlDriver, login: &Login) -> bool {
    matches!(failure(driver, login).await, LoginFailure::Refused(_))
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

/// The last word of one who has no doubts.
fn yes<'a>() -> LastWord<'a> {
    Box::pin(async { true })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_that_fails_says_why() {
    let mut server = MariaDb::start();
    server.create_user("app", "app-canary");
    server.create_user("locked", "app-canary");
    server.create_user("single", "app-canary");
    server.admin("ALTER USER locked ACCOUNT LOCK; ALTER USER single WITH MAX_USER_CONNECTIONS 1; CREATE DATABASE other");
    let driver = driver(None);
    let port = server.port();

    accepted(&driver, &plain(port, "app", "app-canary")).await.ping().await.unwrap();

    let wrong = failure(&driver, &plain(port, "app", "wrong-canary")).await;
    let text = format!(
        "the database at 127.0.0.1:{port} refused the login of user `app` (error 1045, SQLSTATE 28000)"
    );
    assert_eq!(wrong, LoginFailure::Refused(text));
    assert!(refused(&driver, &plain(port, "absent", "app-canary")).await);
    // Locked accounts are told so once their password has proved right: another password would not help.
    let locked = failure(&driver, &plain(port, "locked", "app-canary")).await;
    assert!(matches!(&locked, LoginFailure::Rejected(text) if text.contains("4151")), "{locked}");
    for (database, code) in [("nowhere", "1044"), ("other", "1044")] {
        let elsewhere = login(port, "app", "app-canary", &serde_json::json!({"dbname": database}));
        let rejected = failure(&driver, &elsewhere).await;
        assert!(
            matches!(&rejected, LoginFailure::Rejected(text) if text.contains(database) && text.contains(code)),
            "{rejected}"
        );
    }
    server.admin("GRANT ALL ON other.* TO app");
    accepted(&driver, &login(port, "app", "app-canary", &serde_json::json!({"dbname": "other"}))).await;

    let first = accepted(&driver, &plain(port, "single", "app-canary")).await;
    let second = failure(&driver, &plain(port, "single", "app-canary")).await;
    assert!(matches!(&second, LoginFailure::Unreachable(text) if text.contains("1226")), "{second}");
    drop(first);

    // This server has no TLS, and a secret that does not renounce it gets no session without.
    for ssl in [serde_json::json!({"ssl": true}), serde_json::json!({"ssl": null})] {
        let untrusted = failure(&driver, &login(port, "app", "app-canary", &ssl)).await;
        assert!(
            matches!(&untrusted, LoginFailure::Untrusted(text) if text.contains("no TLS")),
            "{untrusted}"
        );
    }
    server.stop();
    let gone = failure(&driver, &plain(port, "app", "app-canary")).await;
    assert!(matches!(gone, LoginFailure::Unreachable(_)), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_accepted_and_the_old_refused_and_no_log_has_either() {
    let server = MariaDb::start();
    server.create_user("victim", "victim-canary");
    let driver = driver(None);
    for plugin in ["mysql_native_password", "ed25519"] {
        let user = &format!("app_{plugin}");
        server.create_user_at(user, "%", plugin, "first-canary");
        let at = |password: &str| plain(server.port(), user, password);
        let mut old = "first-canary".to_owned();
        for new in ["second-canary';--\"\\", "ʞ\u{a0}ñ-canary😀", "\u{7}bell-canary"] {
            let session = accepted(&driver, &at(&old)).await;
            session.set_password(user, &secret(new), yes()).await.unwrap();
            session.ping().await.unwrap();
            accepted(&driver, &at(new)).await;
            assert!(refused(&driver, &at(&old)).await, "{new}");
            new.clone_into(&mut old);
        }

        let session = accepted(&driver, &at(&old)).await;
        let other = session.set_password("victim", &secret("stolen-canary"), yes()).await.unwrap_err();
        assert!(matches!(other, StatementFailure::Unfit(_)), "{other}");
        let unfit = session.set_password(user, &secret("a\0canary"), yes()).await.unwrap_err();
        assert!(matches!(unfit, StatementFailure::Unfit(_)), "{unfit}");
        session.ping().await.unwrap();

        server.admin(&format!("KILL USER {user}"));
        assert!(matches!(session.ping().await.unwrap_err(), StatementFailure::Lost(_)));
        let lost = session.set_password(user, &secret("x"), yes()).await.unwrap_err();
        assert!(matches!(lost, StatementFailure::Lost(_)), "{lost}");
        accepted(&driver, &at(&old)).await;
    }
    accepted(&driver, &plain(server.port(), "victim", "victim-canary")).await;
    let log = server.log();
    assert!(log.contains("SET PASSWORD = '*"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_changes_its_own_account_in_every_sql_mode_and_nothing_else() {
    let server = MariaDb::start();
    server.create_user("victim", "victim-canary");
    let driver = driver(None);
    let long = "n".repeat(80);
    let names = [
        "`",
        "a`b``c",
        "x' IDENTIFIED BY 'known'; ALTER USER victim IDENTIFIED BY 'known'; -- ",
        "a@b@'%'",
        "Upper Lower",
        "%s$1\\",
        "back\\'slash\\",
        "é\u{202e}\n\t",
        "select",
        long.as_str(),
    ];
    let modes = ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ORACLE", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"];
    for (number, name) in names.into_iter().enumerate() {
        server.create_user(name, "old");
        server.admin(&format!("SET GLOBAL sql_mode = '{}'", modes[number % modes.len()]));
        let at = |password: &str| plain(server.port(), name, password);
        let session = accepted(&driver, &at("old")).await;
        session.set_password(name, &secret("n'e\"w\\"), yes()).await.unwrap();
        accepted(&driver, &at("n'e\"w\\")).await;
        assert!(refused(&driver, &at("old")).await, "{name}");
        server.admin("SET GLOBAL sql_mode = DEFAULT");
    }
    accepted(&driver, &plain(server.port(), "victim", "victim-canary")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_changed_wholly_is_changed() {
    let server = MariaDb::start();
    server.create_user_at("app", "%", "ed25519", "wide-canary");
    server.create_user_at("app", "127.0.0.1", "ed25519", "near-canary");
    let driver = driver(None);
    let at = |user: &str, password: &str| plain(server.port(), user, password);

    // Of two rows with one name the session's own is changed: the one that the server has found for this host.
    let session = accepted(&driver, &at("app", "near-canary")).await;
    session.set_password("app", &secret("new-canary"), yes()).await.unwrap();
    accepted(&driver, &at("app", "new-canary")).await;
    server.admin("DROP USER app@'127.0.0.1'");
    accepted(&driver, &at("app", "wide-canary")).await;

    server.unlogged(
        "CREATE USER multi IDENTIFIED VIA ed25519 USING PASSWORD('one-canary') OR mysql_native_password USING PASSWORD('two-canary')",
    );
    for password in ["one-canary", "two-canary"] {
        let session = accepted(&driver, &at("multi", password)).await;
        let unfit = session.set_password("multi", &secret("new-canary"), yes()).await.unwrap_err();
        assert!(matches!(&unfit, StatementFailure::Unfit(text) if text.contains("several")), "{unfit}");
    }
    assert!(refused(&driver, &at("multi", "new-canary")).await);

    server.admin("SET GLOBAL read_only = 1");
    let session = accepted(&driver, &at("app", "wide-canary")).await;
    let read_only = session.set_password("app", &secret("new-canary"), yes()).await.unwrap_err();
    assert!(
        matches!(&read_only, StatementFailure::Rejected(text) if text.contains("read-only")),
        "{read_only}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_comes_after_the_last_word_at_once_or_never() {
    let server = MariaDb::start();
    server.create_user("app", "first-canary");
    let driver = driver(None);
    let at = |password: &str| plain(server.port(), "app", password);
    let session = accepted(&driver, &at("first-canary")).await;

    let no: LastWord<'_> = Box::pin(async { false });
    let taken_back = session.set_password("app", &secret("second-canary"), no).await.unwrap_err();
    assert_eq!(taken_back, StatementFailure::TakenBack);
    session.ping().await.unwrap();

    // Somebody holds every table: the server gives up before the host does, and nothing comes later.
    let held = Door::at(server.port()).hold("FLUSH TABLES WITH READ LOCK");
    let waited = session.set_password("app", &secret("third-canary"), yes()).await.unwrap_err();
    assert!(matches!(&waited, StatementFailure::Lost(text) if text.contains("gave up waiting")), "{waited}");
    drop(held);
    session.ping().await.unwrap();
    accepted(&driver, &at("first-canary")).await;

    // A host that is stopped between its last word and the statement: the server has ended the session before that is sent.
    let silent: LastWord<'_> = Box::pin(async {
        let gone = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
        while server.admin(gone) != "0" {
            tokio::task::yield_now().await;
        }
        true
    });
    let late = session.set_password("app", &secret("fourth-canary"), silent).await.unwrap_err();
    assert!(matches!(late, StatementFailure::Lost(_)), "{late}");
    accepted(&driver, &at("first-canary")).await;
    for never in ["second-canary", "third-canary", "fourth-canary"] {
        assert!(refused(&driver, &at(never)).await, "{never}");
    }
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
async fn tls_is_verified() {
    let (ca, certificate, key) = certificates("127.0.0.1");
    let server = MariaDb::start_with(Setup { tls: Some((certificate, key)), ..Setup::default() });
    let (trusting, doubting) = (driver(Some(&ca)), driver(None));
    let at =
        |user: &str, ssl: bool| login(server.port(), user, "app-canary", &serde_json::json!({"ssl": ssl}));
    for (user, plugin) in [("native", "mysql_native_password"), ("signs", "ed25519")] {
        server.create_user_at(user, "%", plugin, "app-canary");
        server.admin(&format!("ALTER USER {user} REQUIRE SSL"));
        let session = accepted(&trusting, &at(user, true)).await;
        session.set_password(user, &secret("app-canary"), yes()).await.unwrap();
        session.ping().await.unwrap();
        assert!(refused(&trusting, &at(user, false)).await, "the server wants TLS of this one");
    }

    let issuer = failure(&doubting, &at("native", true)).await;
    assert!(matches!(&issuer, LoginFailure::Untrusted(text) if text.contains("unknown issuer")), "{issuer}");
    let mut elsewhere = at("native", true);
    elsewhere.host = "localhost".to_owned();
    let name = failure(&trusting, &elsewhere).await;
    assert!(matches!(&name, LoginFailure::Untrusted(text) if text.contains("another name")), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_checks_no_passwords_is_not_trusted() {
    let mut server = MariaDb::start();
    server.create_user("app", "app-canary");
    server.stop();
    server.resume_with(&["--skip-grant-tables", "--skip-networking=0"]);
    let driver = driver(None);
    let anyone = failure(&driver, &plain(server.port(), "app", "whatever")).await;
    assert!(matches!(&anyone, LoginFailure::Untrusted(text) if text.contains("proves nothing")), "{anyone}");
}

// Peers that are no server.

/// A greeting of MariaDB's, which offers TLS or not, and `plugin`.
fn greeting(tls: bool, plugin: &str) -> Vec<u8> {
    let low: u16 = 0xf7fe & !(1 << 11) | if tls { 1 << 11 } else { 0 };
    let mut packet = b"\x0a5.5.5-10.11.14-MariaDB\0\x01\0\0\0abcdefgh\0".to_vec();
    packet.extend(low.to_le_bytes());
    packet.extend([45, 2, 0, 0xff, 0x81, 21]);
    packet.extend([0; 10]);
    packet.extend(b"ijklmnopqrst\0");
    packet.extend(plugin.as_bytes());
    packet.push(0);
    packet
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
}

/// Accepts one connection, says `hello`, answers every packet of the client's with the next of `answers`, byte by byte, and gives
/// back all that the client has sent until it hung up.
fn peer(hello: Vec<u8>, answers: Vec<Vec<u8>>) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut heard = Vec::new();
        drop(stream.write_all(&hello));
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
    let mut head = [0; 4];
    if stream.read_exact(&mut head).is_ok() {
        let mut body = vec![0; usize::from(head[0]) + 256 * usize::from(head[1])];
        drop(stream.read_exact(&mut body));
        heard.extend(body);
    }
}

fn switch(plugin: &str, data: &[u8]) -> Vec<u8> {
    packet(2, &[&[0xfe], plugin.as_bytes(), &[0], data].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_peer_gets_the_password_by_asking() {
    const NATIVE: &str = "mysql_native_password";
    const CACHING: &str = "caching_sha2_password";
    let driver = driver(None);
    let plainly = |plugin| packet(0, &greeting(false, plugin));
    let ok = |sequence| packet(sequence, &[0, 0, 0, 2, 0, 0, 0]);
    let column = packet(2, b"\x03def\0\0\0\x01x\0\x0c\x2d\0\x05\0\0\0\xfd\x01\0\x1f\0\0");
    let eof = |sequence| packet(sequence, &[0xfe, 0, 0, 2, 0]);
    let mut another = packet(1, &[2]);
    another.extend([column.clone(), packet(3, &column[4..]), eof(4)].concat());
    another.extend([packet(5, b"\x08someone@\x01%"), eof(6)].concat());
    // Whether TLS is wanted, the greeting, the answers, and what is said of them.
    type Case<'a> = (bool, Vec<u8>, Vec<Vec<u8>>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (false, plainly(NATIVE), vec![switch("mysql_clear_password", b"")], "in clear"),
        (false, plainly(NATIVE), vec![switch("sha256_password", &[7; 21])], "in clear"),
        (false, plainly(CACHING), vec![packet(2, &[1, 4])], "in clear"),
        (false, plainly(NATIVE), vec![switch("dialog", b"")], "login method"),
        (false, plainly(NATIVE), vec![switch("mysql_old_password", b"12345678\0")], "login method"),
        (false, plainly(NATIVE), vec![packet(2, &[0xfe])], "login method"),
        (false, plainly(NATIVE), vec![switch(NATIVE, b"short")], "does not speak"),
        (false, plainly(NATIVE), vec![switch("client_ed25519", &[7; 31])], "does not speak"),
        (false, plainly(NATIVE), vec![packet(2, &[1, 4])], "does not speak"),
        (false, plainly(NATIVE), vec![packet(3, &[0, 0, 0, 2, 0])], "does not speak"),
        (false, plainly(NATIVE), vec![b"\xff\xff\xff\x02".to_vec()], "does not speak"),
        (false, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![], "does not speak"),
        (false, packet(0, b"\x09old\0"), vec![], "does not speak"),
        // A file of the host's.
        (false, plainly(NATIVE), vec![ok(2), packet(1, b"\xfb/etc/passwd")], "gave no sense"),
        (false, plainly(NATIVE), vec![ok(2), ok(1), another], "proves nothing"),
        (true, plainly(NATIVE), vec![], "no TLS"),
        (true, packet(0, &greeting(true, NATIVE)), vec![packet(2, &[1, 4])], "handshake"),
        (true, packet(0, &greeting(true, NATIVE)), vec![switch("mysql_clear_password", b"")], "handshake"),
    ];
    for (number, (ssl, hello, answers, why)) in cases.into_iter().enumerate() {
        let (port, heard) = peer(hello, answers);
        let login = login(port, "the-app", "the-canary-password", &serde_json::json!({"ssl": ssl}));
        let untrusted = failure(&driver, &login).await;
        let expected = match &untrusted {
            LoginFailure::Untrusted(text) => text.contains(why),
            LoginFailure::Unreachable(_) => why == "gave no sense",
            _ => false,
        };
        assert!(expected, "{number}: {untrusted}");
        let heard = String::from_utf8_lossy(&heard.join().unwrap()).into_owned();
        assert!(!heard.contains("canary"), "{number}: {heard}");
        assert!(
            !(ssl && heard.contains("the-app")),
            "{number}: not even the user's name goes out before TLS"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_up_or_refuses_before_its_greeting_is_unreachable_and_is_not_quoted() {
    let driver = driver(None);
    for ssl in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hangs_up = std::thread::spawn(move || drop(listener.accept()));
        let login = |port| login(port, "app", "app-canary", &serde_json::json!({"ssl": ssl}));
        let gone = failure(&driver, &login(port)).await;
        hangs_up.join().unwrap();
        assert!(matches!(gone, LoginFailure::Unreachable(_)), "{gone}");
        let (port, _) = peer(packet(0, b"\xff\x10\x04Too many canaries"), Vec::new());
        let full = failure(&driver, &login(port)).await;
        assert!(matches!(&full, LoginFailure::Unreachable(text) if text.contains("1040")), "{full}");
    }
    let strange = packet(2, b"\xff\x15\x04#<canaWrong password: canary");
    let (port, _) = peer(packet(0, &greeting(false, "mysql_native_password")), vec![strange]);
    let refusal = failure(&driver, &plain(port, "app", "app-canary")).await;
    assert!(matches!(&refusal, LoginFailure::Refused(text) if text.contains("HY000")), "{refusal}");
}
