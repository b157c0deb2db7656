//! Servers that die, stand still, or refuse.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::server::{PASSWORD, free_port, url};
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `condition` until it holds.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

async fn holds(server: &Server, question: &str) -> bool {
    let Ok(mut admin) = server.admin("postgres").await else { return false };
    sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut admin).await.unwrap_or(false)
}

/// A primary with a synchronous standby.
async fn pair() -> (Server, Server, String) {
    let primary = Server::start("").await;
    let database = primary.database().await;
    let standby = primary.standby("").await;
    primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
    primary.execute("postgres", "SELECT pg_reload_conf()").await;
    let follows = "SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync')";
    until("the standby follows", async || holds(&primary, follows).await).await;
    (primary, standby, database)
}

async fn open(url: &DatabaseUrl) -> PostgresStore {
    PostgresStore::open(url, PostgresOptions::default()).await.unwrap()
}

fn creation(number: usize) -> Change {
    let mut change = Change::new(Expect::New, row(number));
    change.audit = vec![format!("{number}")];
    change
}

/// What a writer was told of its changes.
#[derive(Default)]
struct Told {
    acknowledged: Vec<usize>,
    unknown: Vec<usize>,
}

/// The numbers go up; each is tried until it is known, or may have happened.
async fn write(
    store: PostgresStore,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
) -> Told {
    let mut told = Told::default();
    while !end.load(Ordering::Acquire) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        loop {
            match store.commit(creation(number)).await {
                Ok(()) => {
                    told.acknowledged.push(number);
                    done.fetch_add(1, Ordering::Release);
                }
                Err(CommitError::Store(StoreError::Unavailable(Outage::Unknown))) => {
                    told.unknown.push(number);
                }
                Err(CommitError::Store(StoreError::Unavailable(_))) => continue,
                Err(error) => panic!("{error:?}"),
            }
            break;
        }
    }
    told
}

/// A primary dies with everything on it. Its standby is promoted, the same store goes on there, and nothing that was
/// acknowledged is missing or there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_nothing_that_was_acknowledged() {
    let (mut primary, standby, database) = pair().await;
    let url = url(&[standby.port, primary.port], &database);
    let store = open(&url).await;
    assert_eq!(store.check().await.unwrap().journal, "synchronous_commit=on, 1 synchronous standby");
    let (next, done, end) = (Arc::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(write(store.clone(), Arc::clone(&next), Arc::clone(&done), Arc::clone(&end))))
        .collect();
    let count = || done.load(Ordering::Acquire);
    until("writes are under way", async || count() >= 100).await;

    primary.kill();
    let before = count();
    standby.promote();
    let writable = "SELECT NOT pg_is_in_recovery()";
    until("the standby is promoted", async || holds(&standby, writable).await).await;
    let promoted = Instant::now();
    let region: Region = "us-east-1".parse().unwrap();
    until("reads go on", async || store.load(&region, &row(0).name).await.is_ok()).await;
    until("writes go on", async || count() > before + 8).await;
    let waited = promoted.elapsed();
    println!("writes went on {waited:?} after the promotion");
    assert!(waited < Duration::from_secs(5), "{waited:?} after the promotion");
    until("writes go on for a while", async || count() >= before + 100).await;
    end.store(true, Ordering::Release);

    let mut all = Told::default();
    for writer in writers {
        let told = writer.await.unwrap();
        all.acknowledged.extend(told.acknowledged);
        all.unknown.extend(told.unknown);
    }
    for number in &all.acknowledged {
        assert!(
            store.load(&region, &row(*number).name).await.unwrap().is_some(),
            "{number} was acknowledged"
        );
    }
    let mut records = Vec::new();
    let mut after = 0;
    while let Some(last) = store.audit(after, 1000).await.unwrap().last().map(|entry| entry.seq) {
        records.extend(store.audit(after, 1000).await.unwrap().into_iter().map(|entry| entry.record));
        after = last;
    }
    let told = records.len();
    records.sort();
    records.dedup();
    assert_eq!(told, records.len(), "none is there twice");
    assert!(told >= all.acknowledged.len() && told <= all.acknowledged.len() + all.unknown.len());
    store.ready().await.unwrap();

    // The old one comes back and knows nothing of it. It takes writes as far as it knows, and is not the one.
    primary.revive().await;
    assert!(holds(&primary, writable).await);
    let last = *all.acknowledged.iter().max().unwrap();
    let url = super::server::url(&[primary.port, standby.port], &database);
    let late = open(&url).await;
    assert!(late.load(&region, &row(last).name).await.unwrap().is_some());
    late.commit(creation(usize::MAX)).await.unwrap();
}

/// A server that is killed and comes back is used again, by reads and by changes, with nothing done in between.
#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Server::start("").await;
    let database = server.database().await;
    let store = open(&server.url(&database)).await;
    store.commit(creation(1)).await.unwrap();
    store.commit(creation(2)).await.unwrap();
    server.kill();
    server.revive().await;
    // The first use of a connection that is dead already is no change that may have happened.
    store.commit(creation(3)).await.unwrap();
    let region: Region = "us-east-1".parse().unwrap();
    for number in 1..=3 {
        assert!(store.load(&region, &row(number).name).await.unwrap().is_some());
    }
    server.kill();
    server.revive().await;
    assert!(store.load(&region, &row(1).name).await.unwrap().is_some(), "a read is tried again");
    store.close().await;
}

/// A commit that waits for a standby which is not there ends in its time as one that may have happened. Nothing cancels it on the
/// server, which would then call it committed.
#[tokio::test]
async fn a_commit_that_nobody_confirms_is_unknown() {
    let server = Server::start("").await;
    let database = server.database().await;
    let options = PostgresOptions { change_timeout: Duration::from_secs(2), ..PostgresOptions::default() };
    let store = PostgresStore::open(&server.url(&database), options).await.unwrap();
    server.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    server.execute("postgres", "SELECT pg_reload_conf()").await;
    until("the standby is asked for", async || {
        holds(&server, "SELECT current_setting('synchronous_standby_names') = 'nobody'").await
    })
    .await;
    let commit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(creation(1)).await }
    });
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep')";
    until("the commit waits", async || holds(&server, waits).await).await;
    let unknown = CommitError::Store(StoreError::Unavailable(Outage::Unknown));
    assert_eq!(commit.await.unwrap(), Err(unknown));
    assert!(holds(&server, waits).await, "it still waits: nobody has cancelled it");
    // It has happened on the primary: who looks, sees it.
    let region: Region = "us-east-1".parse().unwrap();
    server.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names").await;
    server.execute("postgres", "SELECT pg_reload_conf()").await;
    until("it is there", async || store.load(&region, &row(1).name).await.unwrap().is_some()).await;
    store.commit(creation(2)).await.unwrap();
}

async fn refusal(url: &str) -> StoreError {
    let url: DatabaseUrl = url.parse().unwrap();
    PostgresStore::open(&url, PostgresOptions::default()).await.unwrap_err()
}

/// What keeps a store from being opened is told at once where waiting would not help, and with what to do about it.
#[tokio::test]
async fn why_a_store_cannot_be_opened() {
    let database = Database::new();
    let (port, name) = (shared().port, database.name().await);
    shared()
        .execute("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        .await;
    shared().execute("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'").await;
    let at = |login: &str, rest: &str| format!("postgres://{login}@127.0.0.1:{port}/{rest}");
    let root = format!("postgres:{PASSWORD}");
    let plain = format!("{name}?sslmode=disable");
    for (url, expected) in [
        (at("postgres:wrong", &plain), Outage::LoginRefused),
        (at("nobody:wrong", &plain), Outage::LoginRefused),
        (at(&root, "missing?sslmode=disable"), Outage::NoDatabase),
        (at(&root, "latin?sslmode=disable"), Outage::NotUtf8),
        (at(&root, name), Outage::TlsUntrusted),
        (at("guest:guest", &plain), Outage::NotAllowed { code: crate::SqlState::new("42501") }),
    ] {
        assert_eq!(refusal(&url).await, StoreError::Unavailable(expected), "{url}");
    }
    let nobody = format!("postgres://{root}@127.0.0.1:{}/{plain}", free_port());
    assert_eq!(refusal(&nobody).await, StoreError::Unavailable(Outage::Unreachable));
}

/// A server that takes no writes is none to work with, before and after it was found.
#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_ready() {
    let server = Server::start("").await;
    let database = server.database().await;
    let store = open(&server.url(&database)).await;
    store.ready().await.unwrap();
    server
        .execute("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"))
        .await;
    // A session that is there already keeps what it had.
    store.ready().await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pawl'";
    server.execute("postgres", end).await;
    assert_eq!(store.ready().await, Err(StoreError::Unavailable(Outage::NotPrimary)));
    let refused = store.commit(creation(1)).await;
    assert_eq!(refused, Err(CommitError::Store(StoreError::Unavailable(Outage::NotPrimary))));
    server
        .execute("postgres", &format!("ALTER DATABASE {database} RESET default_transaction_read_only"))
        .await;
    store.commit(creation(1)).await.unwrap();
    store.ready().await.unwrap();
}

/// A session promises durability whatever the server's settings are, and the look over the store tells them.
#[tokio::test]
async fn sessions_are_set_up() {
    let server =
        Server::start("synchronous_commit = off\nstatement_timeout = 1000\nfull_page_writes = off").await;
    let database = server.database().await;
    let store = open(&server.url(&database)).await;
    let health = store.check().await.unwrap();
    assert_eq!(health.journal, "synchronous_commit=on, no synchronous standby");
    assert_eq!(health.problems.len(), 2, "{:?}", health.problems);
    for (setting, expected) in [
        ("synchronous_commit", "on"),
        ("statement_timeout", "0"),
        ("lock_timeout", "4s"),
        ("idle_in_transaction_session_timeout", "3s"),
        ("default_transaction_isolation", "read committed"),
        ("application_name", "pawl"),
    ] {
        let query = || sqlx::query("SELECT current_setting($1) AS value").bind(setting);
        let rows = store.rows(query).await.unwrap();
        assert_eq!(rows[0].get::<String, _>("value"), expected, "{setting}");
    }
    server
        .execute("postgres", &format!("ALTER DATABASE {database} SET synchronous_commit = remote_apply"))
        .await;
    let strong = open(&server.url(&database)).await.check().await.unwrap();
    assert_eq!(strong.journal, "synchronous_commit=remote_apply, no synchronous standby");
}

/// A CA, and the certificate and key of a server of this name, as PEM.
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

/// Who can put a server of his own in the way is not talked to, unless the URL says that this does not matter.
#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let server = Server::start("").await;
    let database = server.database().await;
    let (ca, certificate, key) = certificates("127.0.0.1");
    let ca = server.file("ca.pem", &ca);
    server.file("server.crt", &certificate);
    server.file("server.key", &key);
    server.configure("ssl = on");
    server.execute("postgres", "SELECT pg_reload_conf()").await;
    until("it speaks TLS", async || holds(&server, "SELECT current_setting('ssl') = 'on'").await).await;

    let url = |host: &str, login: &str, options: &str| {
        format!("postgres://{login}@{host}:{}/{database}?{options}", server.port)
    };
    let root = format!("postgres:{PASSWORD}");
    let ca = format!("sslrootcert={}", ca.display());
    let untrusted = StoreError::Unavailable(Outage::TlsUntrusted);
    assert_eq!(refusal(&url("127.0.0.1", &root, "")).await, untrusted, "an unknown CA");
    assert_eq!(refusal(&url("localhost", &root, &ca)).await, untrusted, "another name");
    assert_eq!(refusal(&url("localhost", &root, "sslmode=verify-ca")).await, untrusted);
    let passfile = server.file("pass", &format!("127.0.0.1:*:*:postgres:{PASSWORD}\n"));
    let by_file = format!("{ca}&passfile={}", passfile.display());
    for (host, login, options) in [
        ("127.0.0.1", root.as_str(), ca.clone()),
        ("localhost", &root, format!("sslmode=verify-ca&{ca}")),
        ("localhost", &root, "sslmode=require".to_owned()),
        ("127.0.0.1", "postgres", by_file),
    ] {
        let store = open(&url(host, login, &options).parse().unwrap()).await;
        let tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let rows = store.rows(|| sqlx::query(tls)).await.unwrap();
        assert!(rows[0].get::<bool, _>("ssl"), "{host} {options}");
        store.close().await;
    }
}
