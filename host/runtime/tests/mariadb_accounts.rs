//! Alternating users on a real MariaDB: one user made like another, and what AWS's function gets wrong there.
//!
//! The numbers are those of the list of weaknesses of AWS's rotation functions that docs/rotation.md keeps. MySQL itself is not
//! had in these tests: what only it has is checked against its documented answers, in the unit tests of `database::mysql::accounts`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test; what clippy.toml allows in tests does not reach the functions between them"
)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pawl_core::document::Document;
use pawl_core::function::Grants;
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_runtime::database::mysql::MysqlDriver;
use pawl_runtime::database::{Driver, LastWord, Login, LoginFailure, Session, StatementFailure, TlsRoots};
use pawl_runtime::dial::Destination;
use pawl_tests::mariadb::{MariaDb, Setup};
use pawl_tests::postgres::Login as Tried;

const MASTER: &str = "master-canary";

async fn login(port: u16, username: &str, password: &str) -> Result<Box<dyn Session>, LoginFailure> {
    let json = serde_json::json!({
        "engine": "mariadb", "host": "127.0.0.1", "port": port, "username": username, "password": password, "ssl": false,
    });
    let login =
        Login::parse(&Document::parse(&SecretValue::text(json.to_string()).unwrap()).unwrap()).unwrap();
    let grants = Grants { own_target: true, ..Grants::default() };
    let own = Some((login.host.as_str(), login.port));
    let to = Destination::granted(&grants, own, &login.host, login.port, Arc::default()).unwrap();
    MysqlDriver::mariadb(TlsRoots::load(None).unwrap()).login(&to, &login).await
}

/// A server with a user `app` from everywhere, and a master that may do everything.
fn server() -> MariaDb {
    let server = MariaDb::start();
    server.create_user("app", "app-canary");
    server.create_user("master", MASTER);
    server.admin("GRANT ALL ON *.* TO master WITH GRANT OPTION");
    server.admin("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT, `the price` INT, secret INT)");
    server
}

async fn master(server: &MariaDb) -> Box<dyn Session> {
    login(server.port(), "master", MASTER).await.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The last word of one who has no doubts.
fn yes<'a>() -> LastWord<'a> {
    Box::pin(async { true })
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from(text.to_owned())
}

async fn mirror(
    session: &dyn Session,
    like: &str,
    account: &str,
    password: &str,
) -> Result<(), StatementFailure> {
    let done = session.mirror_account(like, account, &secret(password), yes()).await;
    if let Err(failure) = &done {
        assert!(!failure.to_string().contains("canary"), "{failure}");
    }
    done
}

/// Makes `app_clone` like `app`, and checks that it is so, by what Pawl says and by what the server shows.
async fn cloned(server: &MariaDb) {
    let session = master(server).await;
    mirror(&*session, "app", "app_clone", "clone-canary").await.unwrap();
    assert_eq!(session.differences("app", "app_clone").await.unwrap(), Vec::<String>::new());
    for host in hosts(server, "app") {
        assert_eq!(shown(server, "app_clone", &host), shown(server, "app", &host));
    }
}

fn hosts(server: &MariaDb, user: &str) -> BTreeSet<String> {
    let hosts = server.admin(&format!("SELECT Host FROM mysql.global_priv WHERE User = '{user}'"));
    hosts.lines().map(str::to_owned).collect()
}

/// All that the server shows of an account, without its name and its password.
fn shown(server: &MariaDb, user: &str, host: &str) -> BTreeSet<String> {
    let account = format!("`{user}`@`{host}`");
    let text = server.admin(&format!("SHOW GRANTS FOR {account}; SHOW CREATE USER {account}"));
    let without_hash = |line: &str| {
        let parts: Vec<_> = line.split('\'').collect();
        let is_hash = |part: &str| part.starts_with('*') && part.len() == 41 || part.len() == 43;
        parts.iter().map(|part| if is_hash(part) { "HASH" } else { part }).collect::<Vec<_>>().join("'")
    };
    let name = format!("'{user}'@'{host}'");
    text.lines()
        .map(|line| without_hash(&line.replace(&account, "ACCOUNT").replace(&name, "ACCOUNT")))
        .collect()
}

fn is_shown(server: &MariaDb, user: &str, text: &str) -> bool {
    shown(server, user, "%").iter().any(|line| line.contains(text))
}

fn accepts(server: &MariaDb, user: &str, password: &str) -> bool {
    server.login(user, password) == Tried::Accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_5_a_broken_off_copy_is_completed_and_never_usable_half_way() {
    let server = server();
    server.admin(
        "CREATE ROLE reader; GRANT reader TO app WITH ADMIN OPTION; SET DEFAULT ROLE reader FOR app; \
         GRANT reader TO master WITH ADMIN OPTION; \
         GRANT SELECT, INSERT ON shop.* TO app WITH GRANT OPTION; GRANT SELECT (id), UPDATE (secret) ON shop.orders TO app; \
         ALTER USER app WITH MAX_USER_CONNECTIONS 50; \
         CREATE USER app@'10.0.0.5' IDENTIFIED BY 'x'; GRANT DELETE ON shop.* TO app@'10.0.0.5'",
    );
    for (answered, existing) in [(false, false), (true, false), (false, true), (true, true)] {
        for cut_at in 1.. {
            if existing {
                // What a past rotation left, with a right too much and one too few.
                server.unlogged(
                    "CREATE USER app_clone IDENTIFIED BY 'old-canary'; GRANT SELECT, DROP ON shop.* TO app_clone; \
                     CREATE USER app_clone@'10.0.0.5' IDENTIFIED BY 'old-canary'",
                );
            }
            let cutter = Cutter::start(server.port(), cut_at, answered);
            let session =
                login(cutter.port, "master", MASTER).await.unwrap_or_else(|failure| panic!("{failure}"));
            let broken = mirror(&*session, "app", "app_clone", "new-canary").await;
            let equal = master(&server).await.differences("app", "app_clone").await.unwrap().is_empty();
            if accepts(&server, "app_clone", "new-canary") {
                assert!(equal, "usable and not yet like the other, cut at statement {cut_at}");
            }
            if existing {
                let old = accepts(&server, "app_clone", "old-canary");
                assert!(
                    old || accepts(&server, "app_clone", "new-canary"),
                    "locked out at statement {cut_at}"
                );
                assert!(
                    is_shown(&server, "app_clone", "SELECT"),
                    "what it had and keeps was gone at {cut_at}"
                );
            }
            cloned(&server).await;
            assert!(accepts(&server, "app_clone", "clone-canary"));
            server.admin("DROP USER app_clone, app_clone@'10.0.0.5'");
            if broken.is_ok() {
                // The statement after the last one.
                assert!(cut_at > 5, "{cut_at}");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_6_grant_option_is_kept() {
    let server = server();
    server.admin(
        "CREATE PROCEDURE shop.total() SELECT 1; \
         GRANT SELECT ON shop.* TO app WITH GRANT OPTION; GRANT UPDATE ON shop.orders TO app WITH GRANT OPTION; \
         GRANT EXECUTE ON PROCEDURE shop.total TO app WITH GRANT OPTION; GRANT USAGE ON warehouse.* TO app WITH GRANT OPTION; \
         GRANT RELOAD ON *.* TO app WITH GRANT OPTION",
    );
    cloned(&server).await;
    assert!(is_shown(&server, "app_clone", "GRANT SELECT ON `shop`.* TO ACCOUNT WITH GRANT OPTION"));
    // And taken, where it was taken from the other.
    server.admin("REVOKE GRANT OPTION ON *.* FROM app; REVOKE GRANT OPTION ON shop.* FROM app");
    cloned(&server).await;
    assert!(!is_shown(&server, "app_clone", "GRANT SELECT ON `shop`.* TO ACCOUNT WITH GRANT OPTION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_6_roles_with_their_admin_option_and_the_default_role_are_kept() {
    let server = server();
    server.admin(
        "CREATE ROLE reader; CREATE ROLE `wri``ter TO x`; GRANT SELECT ON shop.* TO reader; \
         GRANT reader TO app WITH ADMIN OPTION; GRANT `wri``ter TO x` TO app; SET DEFAULT ROLE reader FOR app",
    );
    server
        .admin("GRANT reader TO master WITH ADMIN OPTION; GRANT `wri``ter TO x` TO master WITH ADMIN OPTION");
    cloned(&server).await;
    let door = pawl_tests::mariadb::Door::at(server.port());
    assert_eq!(door.run("app_clone", "clone-canary", "SELECT CURRENT_ROLE()").unwrap(), "reader");
    server.admin("REVOKE ADMIN OPTION FOR reader FROM app; SET DEFAULT ROLE NONE FOR app; REVOKE `wri``ter TO x` FROM app");
    cloned(&server).await;
    assert_eq!(door.run("app_clone", "clone-canary", "SELECT CURRENT_ROLE()").unwrap(), "NULL");
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_6_hostile_names_and_every_scope_are_copied() {
    let server = server();
    // Who may pass on the right to act as anybody is known to the server's table alone.
    for user in ["'127.0.0.1', 'pawl_admin'", "'%', 'master'"] {
        let row = format!("INSERT INTO mysql.proxies_priv VALUES ({user}, '', '', 1, '', NOW())");
        server.admin(&format!("{row}; FLUSH PRIVILEGES"));
    }
    server.admin(
        "CREATE DATABASE `x TO y`; CREATE TABLE `x TO y`.`t TO u ON v` (`a,b` INT, `q)(` INT, `d``e` INT); \
         CREATE FUNCTION shop.f() RETURNS INT RETURN 1; CREATE PROCEDURE shop.p() SELECT 1; \
         CREATE USER acted; CREATE USER `we``i'r\"d`@`%`; \
         GRANT ALL ON `x TO y`.* TO app; GRANT ALL ON `shop\\_%`.* TO app; GRANT SELECT ON `sh_p`.* TO app; \
         GRANT SELECT (`a,b`, `q)(`), INSERT (`d``e`), REFERENCES ON `x TO y`.`t TO u ON v` TO app; \
         GRANT EXECUTE, ALTER ROUTINE ON FUNCTION shop.f TO app; GRANT EXECUTE ON PROCEDURE shop.p TO app; \
         GRANT CREATE, SELECT, UPDATE ON shop.absent TO app WITH GRANT OPTION; \
         REVOKE CREATE ON shop.absent FROM app; \
         GRANT PROXY ON acted TO app WITH GRANT OPTION; GRANT PROXY ON `we``i'r\"d`@`%` TO app;",
    );
    server.admin(
        "SET SESSION sql_mode = ORACLE;\ndelimiter //\nCREATE PACKAGE shop.pack AS PROCEDURE q(); END //\n\
         CREATE PACKAGE BODY shop.pack AS PROCEDURE q() AS BEGIN NULL; END; END //\n\
         GRANT EXECUTE ON PACKAGE shop.pack TO app //\nGRANT EXECUTE, ALTER ROUTINE ON PACKAGE BODY shop.pack TO app //",
    );
    cloned(&server).await;
    assert!(is_shown(
        &server,
        "app_clone",
        "GRANT SELECT, UPDATE ON `shop`.`absent` TO ACCOUNT WITH GRANT OPTION"
    ));
    assert!(is_shown(&server, "app_clone", "PACKAGE BODY"));
    // Less of everything: what was one word is taken apart.
    server.admin(
        "REVOKE DROP, DELETE HISTORY ON `x TO y`.* FROM app; REVOKE SELECT (`a,b`) ON `x TO y`.`t TO u ON v` FROM app; \
         REVOKE ALTER ROUTINE ON FUNCTION shop.f FROM app; REVOKE PROXY ON acted FROM app; REVOKE ALL ON `shop\\_%`.* FROM app",
    );
    cloned(&server).await;

    let hostile = "a`b' TO 'master'@'%' WITH GRANT OPTION -- \\\"";
    let other = format!("{hostile}_clone");
    server.create_user(hostile, "x");
    server.admin(&format!("GRANT INSERT ON shop.* TO `{}`", hostile.replace('`', "``")));
    let session = master(&server).await;
    mirror(&*session, hostile, &other, "hostile-canary").await.unwrap();
    assert!(session.differences(hostile, &other).await.unwrap().is_empty());
    assert!(accepts(&server, &other, "hostile-canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_6_a_revoked_right_is_revoked_from_the_other_user_and_does_not_come_back() {
    let server = server();
    server.admin("GRANT ALL ON shop.* TO app; GRANT SELECT, INSERT ON warehouse.* TO app; GRANT PROCESS, FILE ON *.* TO app");
    cloned(&server).await;
    server.admin("REVOKE DROP, DELETE ON shop.* FROM app; REVOKE ALL ON warehouse.* FROM app; REVOKE FILE ON *.* FROM app");
    let session = master(&server).await;
    let differences = session.differences("app", "app_clone").await.unwrap();
    assert_eq!(
        differences,
        [
            "`app_clone`@`%` has FILE on *.*, which `app`@`%` has not",
            "`app_clone`@`%` has DELETE, DROP on `shop`.*, which `app`@`%` has not",
            "`app_clone`@`%` has INSERT, SELECT on `warehouse`.*, which `app`@`%` has not",
        ]
    );
    // Back and forth, as two rotations do.
    mirror(&*session, "app", "app_clone", "second-canary").await.unwrap();
    mirror(&*session, "app_clone", "app", "third-canary").await.unwrap();
    mirror(&*session, "app", "app_clone", "fourth-canary").await.unwrap();
    for user in ["app", "app_clone"] {
        for gone in ["DROP", "DELETE,", "warehouse", "FILE", "ALL PRIVILEGES"] {
            assert!(!is_shown(&server, user, gone), "{user} {gone}");
        }
        assert!(is_shown(&server, user, "INSERT"));
    }
    assert!(accepts(&server, "app", "third-canary") && accepts(&server, "app_clone", "fourth-canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_6_conditions_of_the_login_are_copied() {
    let server = server();
    server.unlogged(
        "ALTER USER app IDENTIFIED VIA mysql_native_password USING PASSWORD('app-canary') OR ed25519 USING PASSWORD('app-canary') \
         WITH MAX_QUERIES_PER_HOUR 5000 MAX_UPDATES_PER_HOUR 600 MAX_CONNECTIONS_PER_HOUR 700 MAX_USER_CONNECTIONS 8 \
         MAX_STATEMENT_TIME 1.5 PASSWORD EXPIRE INTERVAL 30 DAY; \
         CREATE USER app@'10.0.0.5' IDENTIFIED BY 'x' REQUIRE ISSUER 'a''b\\\\c' AND SUBJECT '/CN=\"x\" WITH GRANT OPTION' AND CIPHER 'y'; \
         CREATE USER app@'10.0.0.6' IDENTIFIED VIA ed25519 USING PASSWORD('y') REQUIRE X509 ACCOUNT LOCK PASSWORD EXPIRE NEVER; \
         CREATE USER app@'10.0.0.7' IDENTIFIED BY 'z' REQUIRE SSL",
    );
    cloned(&server).await;
    for (host, text) in [
        ("%", "OR ed25519 USING"),
        ("%", "MAX_STATEMENT_TIME 1.5"),
        ("%", "PASSWORD EXPIRE INTERVAL 30 DAY"),
        ("10.0.0.5", "SUBJECT '/CN=\"x\" WITH GRANT OPTION'"),
        ("10.0.0.6", "ACCOUNT LOCK"),
        ("10.0.0.7", "REQUIRE SSL"),
    ] {
        let shown = shown(&server, "app_clone", host);
        assert!(shown.iter().any(|line| line.contains(text)), "{host} {shown:?}");
    }
    assert!(accepts(&server, "app_clone", "clone-canary"));
    // Each of them taken back.
    server.unlogged(
        "ALTER USER app IDENTIFIED BY 'app-canary' WITH MAX_QUERIES_PER_HOUR 0 MAX_STATEMENT_TIME 0 PASSWORD EXPIRE DEFAULT; \
         ALTER USER app@'10.0.0.5' REQUIRE NONE; ALTER USER app@'10.0.0.6' ACCOUNT UNLOCK; ALTER USER app@'10.0.0.7' ACCOUNT LOCK",
    );
    let session = master(&server).await;
    let differences = session.differences("app", "app_clone").await.unwrap();
    for text in [
        "REQUIRE NONE",
        "is locked, and",
        "is not locked, and",
        "logs in by mysql_native_password or ed25519",
    ] {
        assert!(differences.iter().any(|line| line.contains(text)), "{text}: {differences:?}");
    }
    cloned(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weakness_7_every_host_of_the_user_is_copied_and_all_change_together() {
    let server = server();
    // A user that has no account for `%` at all, which AWS's function cannot copy.
    server.admin("DROP USER app");
    for (host, right) in [("127.0.0.1", "SELECT"), ("10.%", "INSERT"), ("192.168.0.0/255.255.0.0", "DELETE")]
    {
        server.create_user_at("app", host, "ed25519", &format!("{host}-canary"));
        server.admin(&format!("GRANT {right} ON shop.* TO app@'{host}'"));
    }
    cloned(&server).await;
    assert_eq!(hosts(&server, "app_clone"), hosts(&server, "app"));
    let kept = "SELECT COUNT(DISTINCT JSON_VALUE(Priv, '$.authentication_string')) FROM mysql.global_priv WHERE User = 'app_clone'";
    assert_eq!(server.admin(kept), "1");
    assert!(accepts(&server, "app_clone", "clone-canary"));
    let session = master(&server).await;
    mirror(&*session, "app", "app_clone", "second-canary").await.unwrap();
    assert_eq!(server.admin(kept), "1");
    assert!(accepts(&server, "app_clone", "second-canary") && !accepts(&server, "app_clone", "clone-canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_other_user_has_not_is_locked_or_stands_in_the_way_and_is_never_dropped() {
    let server = server();
    server.admin("RENAME USER app TO app@'127.0.0.1'; GRANT SELECT ON shop.* TO app@'127.0.0.1'");
    server.unlogged("CREATE USER app_clone IDENTIFIED BY 'stale-canary'; GRANT DROP ON shop.* TO app_clone");
    let session = master(&server).await;
    let differences = session.differences("app", "app_clone").await.unwrap();
    assert_eq!(
        differences,
        [
            "there is no `app_clone`@`127.0.0.1`",
            "`app_clone`@`%` may log in from a host that the user `app` has no account for",
        ]
    );
    mirror(&*session, "app", "app_clone", "new-canary").await.unwrap();
    assert!(session.differences("app", "app_clone").await.unwrap().is_empty());
    assert!(accepts(&server, "app_clone", "new-canary"));
    let stale = shown(&server, "app_clone", "%");
    assert!(stale.iter().any(|line| line.contains("ACCOUNT LOCK")), "{stale:?}");
    assert!(
        stale.iter().any(|line| line.contains("DROP")),
        "what its owner may want is left to it: {stale:?}"
    );

    // The other way round, the account for one host would be picked before the one for all of them.
    server.admin("RENAME USER app@'127.0.0.1' TO app; DROP USER app_clone");
    let before = server.admin("SELECT * FROM mysql.global_priv ORDER BY 1, 2");
    let stands = mirror(&*session, "app", "app_clone", "third-canary").await.unwrap_err();
    assert!(
        matches!(&stands, StatementFailure::Unfit(text) if text.contains("stands in the way")),
        "{stands}"
    );
    assert_eq!(server.admin("SELECT * FROM mysql.global_priv ORDER BY 1, 2"), before);
    assert!(session.differences("app", "app_clone").await.unwrap()[0].contains("stands in the way"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_has_a_password_and_an_equal_user_gets_one_statement() {
    let server = server();
    server.admin("GRANT SELECT ON shop.* TO app");
    cloned(&server).await;
    let changes = |log: &str| {
        let words = ["\tGRANT ", "\tREVOKE ", "\tCREATE ", "\tALTER ", "\tDROP "];
        let is_change = |line: &&str| words.iter().any(|word| line.contains(word));
        log.lines().filter(is_change).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = changes(&server.log()).len();
    let session = master(&server).await;
    mirror(&*session, "app", "app_clone", "second-canary").await.unwrap();
    let log = server.log();
    assert!(!log.contains("canary"), "{log}");
    let changes = changes(&log).split_off(before);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(
        changes[0].contains("ALTER USER `app_clone`@`%` IDENTIFIED VIA mysql_native_password USING '*"),
        "{changes:?}"
    );

    let no: LastWord<'_> = Box::pin(async { false });
    let taken_back =
        session.mirror_account("app", "app_clone", &secret("third-canary"), no).await.unwrap_err();
    assert_eq!(taken_back, StatementFailure::TakenBack);
    assert!(accepts(&server, "app_clone", "second-canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_the_master_lacks_is_named_and_nothing_is_done_by_halves() {
    let server = server();
    server.admin("GRANT SELECT ON shop.* TO app; CREATE ROLE reader; GRANT reader TO app");
    server.create_user("poor", "poor-canary");
    let attempt = async |rights: &str| {
        server.admin(rights);
        let session =
            login(server.port(), "poor", "poor-canary").await.unwrap_or_else(|failure| panic!("{failure}"));
        let failure = mirror(&*session, "app", "app_clone", "new-canary").await.unwrap_err();
        assert!(!accepts(&server, "app_clone", "new-canary"));
        match failure {
            StatementFailure::Rejected(text) => text,
            other => panic!("{other}"),
        }
    };
    for (rights, needs) in [
        ("GRANT SELECT ON shop.* TO poor", "needs SELECT ON `mysql`.*"),
        ("GRANT SELECT ON mysql.* TO poor", "needs CREATE USER"),
        ("GRANT CREATE USER ON *.* TO poor", "needs SELECT ON `shop`.* WITH GRANT OPTION"),
        ("GRANT SELECT ON shop.* TO poor WITH GRANT OPTION", "needs the role `reader` WITH ADMIN OPTION"),
    ] {
        let text = attempt(rights).await;
        assert!(text.contains(needs), "{text}");
    }
    server.admin("GRANT reader TO poor WITH ADMIN OPTION");
    let session =
        login(server.port(), "poor", "poor-canary").await.unwrap_or_else(|failure| panic!("{failure}"));
    mirror(&*session, "app", "app_clone", "new-canary").await.unwrap();
    cloned(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_refused_before_anything_changes() {
    let server = server();
    server.unlogged(
        "CREATE USER socket IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('x'); CREATE ROLE reader",
    );
    server.create_user("same", "x");
    let session = master(&server).await;
    let before = server.admin("SELECT * FROM mysql.global_priv ORDER BY 1, 2");
    let long = "n".repeat(81);
    for (like, account, text) in [
        ("absent", "absent_clone", "no user `absent`"),
        ("reader", "reader_clone", "no user `reader`"),
        ("socket", "socket_clone", "unix_socket"),
        ("same", "same", "like itself"),
        ("same", "", "empty"),
        ("", "same", "empty"),
        ("same", "a\0b", "NUL"),
        ("same", &long, "longer than the 80"),
    ] {
        let unfit = mirror(&*session, like, account, "new-canary").await.unwrap_err();
        assert!(matches!(&unfit, StatementFailure::Unfit(said) if said.contains(text)), "{unfit}");
    }
    let empty = mirror(&*session, "same", "same_clone", "").await.unwrap_err();
    assert!(matches!(empty, StatementFailure::Unfit(_)), "{empty}");
    assert_eq!(server.admin("SELECT * FROM mysql.global_priv ORDER BY 1, 2"), before);
    let elsewhere =
        MariaDb::start_with(Setup { options: vec!["--read-only=1".to_owned()], ..Setup::default() });
    elsewhere.create_user("app", "x");
    elsewhere.create_user("master", MASTER);
    elsewhere.admin("GRANT ALL ON *.* TO master WITH GRANT OPTION");
    let session = master(&elsewhere).await;
    let read_only = mirror(&*session, "app", "app_clone", "new-canary").await.unwrap_err();
    assert!(
        matches!(&read_only, StatementFailure::Rejected(text) if text.contains("read-only")),
        "{read_only}"
    );
}

// A wire that breaks at the n-th statement that changes something.

struct Cutter {
    port: u16,
}

impl Cutter {
    /// Before the server on `port`. Where `answered`, the server carries the statement out, and its answer is lost.
    #[expect(clippy::disallowed_methods, reason = "the other half of a wire")]
    fn start(server: u16, cut_at: usize, answered: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut answers, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let seen = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&seen);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = answers.read(&mut bytes) {
                    if counted.load(Ordering::SeqCst) == cut_at {
                        break;
                    }
                    drop(to_client.write_all(&bytes[..length]));
                }
                drop(to_client.shutdown(Shutdown::Both));
            });
            while let Some(packet) = packet(&mut client) {
                // Behind its header, and the byte that says what it is.
                let text = String::from_utf8_lossy(packet.get(5..).unwrap_or_default());
                if ["CREATE ", "GRANT ", "REVOKE ", "ALTER ", "SET DEFAULT "]
                    .iter()
                    .any(|word| text.starts_with(word))
                {
                    let now = seen.fetch_add(1, Ordering::SeqCst) + 1;
                    if now == cut_at && !answered {
                        break;
                    }
                }
                drop(server.write_all(&packet));
            }
            drop((client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both)));
        });
        Self { port }
    }
}

/// One packet of the client's, with its header.
fn packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).ok()?;
    let length = usize::from(packet[0]) + 256 * usize::from(packet[1]) + 65_536 * usize::from(packet[2]);
    packet.resize(4 + length, 0);
    stream.read_exact(&mut packet[4..]).ok()?;
    Some(packet)
}
