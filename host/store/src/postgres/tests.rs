mod failover;
mod server;

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use tokio::sync::OnceCell;

use self::server::{Server, shared};
use super::*;
use crate::authentic::tests::{Tampered, authentic_suite};
use crate::change::Expect;
use crate::conformance::Backend;
use crate::conformance_suite;
use crate::error::Outage;
use crate::mac::RowMac;

/// A database of its own on a server.
struct Database<'s> {
    server: &'s Server,
    name: OnceCell<String>,
}

impl Database<'static> {
    fn new() -> Self {
        Database { server: shared(), name: OnceCell::new() }
    }
}

impl Database<'_> {
    async fn name(&self) -> &str {
        self.name.get_or_init(|| self.server.database()).await
    }

    async fn url(&self) -> DatabaseUrl {
        self.server.url(self.name().await)
    }

    async fn store(&self, lease_clock: LeaseClock) -> PostgresStore {
        let options = PostgresOptions { lease_clock, ..PostgresOptions::default() };
        PostgresStore::open(&self.url().await, options).await.unwrap()
    }

    async fn raw(&self) -> PgConnection {
        self.server.admin(self.name().await).await.unwrap()
    }
}

impl Backend for Database<'_> {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store(LeaseClock::Caller).await)
    }
}

conformance_suite!(Database::new());

impl Tampered for Database<'_> {
    async fn sql(&self, text: String) -> u64 {
        let done = self.raw().await.execute(AssertSqlSafe(text)).await.unwrap();
        done.rows_affected()
    }
}

authentic_suite!(Database::new());

#[tokio::test]
async fn every_statement_prepares() {
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let mut connection = database.raw().await;
    for &(name, statement) in sql::ALL.iter().chain(sql::signed::ALL) {
        let prepared = connection.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
    store.close().await;
    assert_eq!(store.meta("a").await, Err(StoreError::Unavailable(Outage::Closed)));
}

fn row(number: usize) -> SecretRow {
    let region: Region = "us-east-1".parse().unwrap();
    let arn = format!("\"arn:aws:secretsmanager:us-east-1:000000000000:secret:s{number}-aaaaaa\"");
    SecretRow {
        arn: serde_json::from_str(&arn).unwrap(),
        region,
        name: format!("s{number}").parse().unwrap(),
        revision: 1,
        document: "{}".to_owned(),
        created_at: Timestamp::from_millis(0),
        purge_at: None,
        next_rotation_at: None,
        rotation_due_at: None,
        last_changed_at: Timestamp::from_millis(0),
        last_accessed_at: None,
        replica_of: None,
        rotation_state: None,
        mac: RowMac::None,
    }
}

/// The change to the revision after `row`'s.
fn change(row: &SecretRow) -> Change {
    Change::new(Expect::Revision(row.revision), SecretRow { revision: row.revision + 1, ..row.clone() })
}

async fn records(store: &PostgresStore, after: u64) -> Vec<(u64, String)> {
    let entries = store.audit(after, 100).await.unwrap();
    entries.into_iter().map(|entry| (entry.seq, entry.record)).collect()
}

/// A host of the release before runs on while the first one of this release gives rows their codes: it reads, claims and holds leases,
/// and what it would write without a code is refused, row by row.
#[tokio::test]
async fn hosts_that_know_no_codes_do_not_write_any_more() {
    let database = Database::new();
    let store = database.store(LeaseClock::Caller).await;
    store.store_keyring(b"of before").await.unwrap();
    let due = SecretRow { rotation_due_at: Some(Timestamp::from_millis(0)), ..row(1) };
    store.commit(Change::new(Expect::New, due.clone())).await.unwrap();
    let signer: Signer = Arc::new(Fixed);
    assert_eq!(store.adopt(b"of before", b"of after", &signer).await, Ok(1));
    let (wall, lease) = (Timestamp::from_millis(0), Duration::from_secs(30));
    let claims = store.claim_rotations(wall, wall, "before", lease, 10).await.unwrap();
    assert_eq!(claims.len(), 1, "claims go by");
    assert!(store.renew_lease(&due.arn, claims[0].epoch, wall, lease).await.unwrap());
    let mut before = database.raw().await;
    for statement in [
        "UPDATE secrets SET revision = 2, document = '{\"changed\":1}' WHERE revision = 1",
        "INSERT INTO secrets (arn, region, name, revision, document, created_at, last_changed_at, last_accessed_at) \
         VALUES ('arn', 'r', 'n', 1, '{}', 0, 0, 0)",
        "INSERT INTO entities (kind, region, name, revision, document) VALUES ('k', '', 'n', 1, '{}')",
        "INSERT INTO functions (uid, region, name, revision, document) VALUES ('u', 'r', 'n', 1, '{}')",
        "INSERT INTO approvals (region, name, document) VALUES ('r', 'n', '{}') \
         ON CONFLICT (region, name) DO UPDATE SET document = excluded.document",
        "INSERT INTO code (digest, document, component) VALUES ('d', '{}', 'x')",
    ] {
        let refused = before.execute(statement).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code()).unwrap().into_owned();
        assert_eq!(code, "23514", "{statement}");
    }
    let unsigned = store.commit(Change::new(Expect::New, row(2))).await;
    assert!(matches!(unsigned, Err(CommitError::Store(StoreError::Refused { .. }))), "{unsigned:?}");
    // This release's own change goes through, and so does its taking over of a store of before.
    let mac = RowMac::Kept(b"another".to_vec());
    let next = SecretRow { revision: 2, document: "{\"next\":1}".to_owned(), mac, ..due };
    store.commit(Change::new(Expect::Revision(1), next)).await.unwrap();
    let (sending, receiving) = tokio::sync::mpsc::channel(10);
    let older = Database::new().store(LeaseClock::Caller).await;
    older.commit(Change::new(Expect::New, row(3))).await.unwrap();
    let export = async { older.export(sending).await };
    before.execute("DELETE FROM secrets").await.unwrap();
    let (exported, imported) = tokio::join!(export, store.import(receiving));
    assert_eq!((exported, imported), (Ok(()), Ok(())));
    assert_eq!(store.load(&row(3).region, &row(3).name).await.unwrap().unwrap().head.mac, RowMac::None);
}

#[derive(Debug)]
struct Fixed;

impl crate::RowSigner for Fixed {
    fn sign(&self, _: &[u8]) -> Vec<u8> {
        b"a code".to_vec()
    }

    fn is_signed(&self, _: &[u8], code: &[u8]) -> bool {
        code == b"a code"
    }
}

/// A record whose transaction began first and ended last comes last: a reader that has gone on after the other one still meets it.
#[tokio::test]
async fn a_record_is_numbered_when_it_is_committed() {
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let mut slow = database.raw().await;
    slow.execute("BEGIN; INSERT INTO audit (record) VALUES ('slow')").await.unwrap();
    store.append_audit(&["quick".to_owned()]).await.unwrap();
    assert_eq!(records(&store, 0).await, [(1, "quick".to_owned())]);
    slow.execute("COMMIT").await.unwrap();
    assert_eq!(store.check().await.unwrap().audit, 2, "counted before anybody has read it");
    assert_eq!(records(&store, 1).await, [(2, "slow".to_owned())]);
    assert_eq!(records(&store, 0).await.len(), 2);
    assert_eq!(store.check().await.unwrap().problems, [""; 0]);
}

/// However many write and read at the same time, who reads on from the last number meets every record once.
#[tokio::test]
async fn readers_miss_no_record() {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    store.append_audit(&[format!("{writer}-{number}"), "x".to_owned()]).await.unwrap();
                }
            })
        })
        .collect();
    let reader = |store: PostgresStore| async move {
        let mut seen: Vec<(u64, String)> = Vec::new();
        while seen.len() < 2 * WRITERS * EACH {
            let after = seen.last().map_or(0, |(seq, _)| *seq);
            seen.extend(records(&store, after).await);
        }
        seen
    };
    let readers = [(); 3].map(|()| tokio::spawn(reader(store.clone())));
    for writer in writers {
        writer.await.unwrap();
    }
    let all = records(&store, 0).await.len() + records(&store, 100).await.len();
    assert!(all > 100);
    for reader in readers {
        let seen = reader.await.unwrap();
        let numbers: Vec<u64> = seen.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (1..=400).collect::<Vec<_>>(), "without a gap as well");
        for writer in 0..WRITERS {
            let own: Vec<_> =
                seen.iter().filter(|(_, text)| text.starts_with(&format!("{writer}-"))).collect();
            let expected: Vec<_> = (0..EACH).map(|number| format!("{writer}-{number}")).collect();
            assert!(own.iter().map(|(_, text)| text).eq(&expected), "in its order: {own:?}");
        }
    }
}

/// Leases live by the clock that all hosts share, and by nobody's own.
#[tokio::test]
async fn leases_live_by_the_databases_clock() {
    const LEASE: Duration = Duration::from_secs(90);
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let before = store.time().await.unwrap().unwrap();
    assert_eq!(database.store(LeaseClock::Caller).await.time().await.unwrap(), None);
    for number in 0..2 {
        let due = SecretRow { rotation_due_at: Some(Timestamp::from_millis(0)), ..row(number) };
        store.commit(Change::new(Expect::New, due)).await.unwrap();
    }
    let now = Timestamp::from_millis(1);
    let [past, future] = [Timestamp::from_millis(0), before + Duration::from_secs(1_000_000)];

    let claim = store.claim_rotations(now, past, "slow clock", LEASE, 1).await.unwrap().remove(0);
    for wall in [past, future] {
        let left = store.claim_left(&claim.arn, claim.epoch, wall).await.unwrap().unwrap();
        assert!(left > Duration::ZERO && left <= LEASE, "{left:?}");
    }
    let lease = store.leases(1).await.unwrap().remove(0);
    assert!(lease.until >= before + LEASE && lease.until < future);
    let other = store.claim_rotations(now, future, "fast clock", Duration::ZERO, 10).await.unwrap();
    assert_eq!(other.len(), 1, "the first one is held");
    assert_eq!(store.claim_left(&other[0].arn, other[0].epoch, past).await.unwrap(), Some(Duration::ZERO));
    assert!(store.renew_lease(&claim.arn, claim.epoch, past, Duration::ZERO).await.unwrap());
    let again = store.claim_rotations(now, past, "next", LEASE, 10).await.unwrap();
    assert_eq!(again.len(), 2, "both are over");
    assert!(!store.renew_lease(&claim.arn, claim.epoch, past, LEASE).await.unwrap());
}

/// Hosts that start at the same time on an empty database make its schema once, and all of them start.
#[tokio::test]
async fn many_hosts_start_at_once() {
    let database = Database::new();
    let url = database.url().await;
    assert_eq!(PostgresStore::inspect(&url).await.unwrap(), None);
    let mut admin = database.raw().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    let made: i64 = sqlx::query_scalar(tables).fetch_one(&mut admin).await.unwrap();
    assert_eq!(made, 0, "looking changes nothing");

    let hosts: Vec<_> = (0..8)
        .map(|host| {
            let url = url.clone();
            tokio::spawn(async move {
                let store = PostgresStore::open(&url, PostgresOptions::default()).await.unwrap();
                store.store_keyring(format!("{host}").as_bytes()).await.unwrap()
            })
        })
        .collect();
    let mut first = 0;
    for host in hosts {
        first += usize::from(host.await.unwrap());
    }
    assert_eq!(first, 1, "one has stored its keys");
    assert!(PostgresStore::inspect(&url).await.unwrap().is_some());
    let runs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&mut admin).await.unwrap();
    assert_eq!(usize::try_from(runs).unwrap(), schema::MIGRATIONS.len());
}

/// A store that a newer program made is left as it is.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    store.store_keyring(b"keys").await.unwrap();
    let mut admin = database.raw().await;
    admin
        .execute("UPDATE _sqlx_migrations SET version = 99 WHERE version = 2; DROP TABLE pawl_migrating")
        .await
        .unwrap();
    let url = database.url().await;
    let newer = StoreError::NewerSchema { found: 99, known: schema::known() };
    assert_eq!(PostgresStore::inspect(&url).await, Err(newer.clone()));
    assert_eq!(PostgresStore::open(&url, PostgresOptions::default()).await.unwrap_err(), newer);
    let lock: bool = sqlx::query_scalar("SELECT to_regclass('pawl_migrating') IS NULL")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(lock, "nothing was made");
}

/// Two hosts that change the same secrets in opposite orders do not wait for each other for ever, and one of them wins.
#[tokio::test]
async fn groups_in_any_order_do_not_deadlock() {
    let database = Database::new();
    let stores = [database.store(LeaseClock::Database).await, database.store(LeaseClock::Database).await];
    let mut rows: Vec<_> = (0..10).map(row).collect();
    stores[0]
        .commit_all(rows.iter().cloned().map(|row| Change::new(Expect::New, row)).collect())
        .await
        .unwrap();
    for _ in 0..10 {
        let orders = [rows.iter().map(change).collect(), rows.iter().rev().map(change).collect::<Vec<_>>()];
        let [one, other] = orders;
        let (one, other) = tokio::join!(stores[0].commit_all(one), stores[1].commit_all(other));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert!([one, other].contains(&Err(CommitError::LostRace)));
        rows = rows.iter().map(|row| change(row).row).collect();
    }
}

/// Secrets as an installation has them: few of many are deleted, scheduled or rotating.
async fn fill(connection: &mut PgConnection) {
    let rows = "INSERT INTO secrets (arn, region, name, revision, created_at, last_changed_at, last_accessed_at, purge_at, \
                                     next_rotation_at, rotation_due_at, lease_owner, lease_until, document) \
         SELECT 'arn:' || n, CASE WHEN n % 4 = 0 THEN 'eu-west-1' ELSE 'us-east-1' END, 's' || n, 1, n, n, n, \
                CASE WHEN n % 3 = 0 THEN n END, CASE WHEN n % 10 = 1 THEN n END, CASE WHEN n % 100 = 3 THEN n END, \
                CASE WHEN n % 500 = 3 THEN 'host' END, CASE WHEN n % 500 = 3 THEN n END, repeat('x', 600) \
         FROM generate_series(1, 20000) AS n; \
         INSERT INTO versions (secret_id, version_id, sealed) SELECT id, v::text, 'x' FROM secrets, generate_series(1, 2) AS v; \
         INSERT INTO rotations SELECT id, n, 't', 'Failed', n, n, 'x' FROM secrets, generate_series(1, 2) AS n WHERE id % 5 = 0; \
         UPDATE secrets SET rotation_state = 'failed' WHERE id % 100 = 0; \
         INSERT INTO audit (seq, record) SELECT n, 'x' FROM generate_series(1, 20000) AS n; \
         INSERT INTO events (seq, record) SELECT n, 'x' FROM generate_series(1, 20000) AS n; \
         ANALYZE";
    connection.execute(rows).await.unwrap();
}

/// How the server does a statement whose values it does not know, as it does one that is used often.
async fn plan(connection: &mut PgConnection, statement: &str) -> String {
    let values = (1..=18).rev().find(|number| statement.contains(&format!("${number}"))).unwrap_or(0);
    connection.execute(AssertSqlSafe(format!("PREPARE looked_at AS {statement}"))).await.unwrap();
    let values = if values > 0 { format!("({})", vec!["NULL"; values].join(", ")) } else { String::new() };
    let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE looked_at {values}"));
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.unwrap();
    connection.execute("DEALLOCATE looked_at").await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn queries_cost_what_they_answer() {
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let mut connection = database.raw().await;
    fill(&mut connection).await;
    connection.execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    let mut wrong = Vec::new();
    for (statement, index) in [
        (sql::LOAD, "secrets_region_name_key"),
        (sql::LOAD_FULL, "versions_pkey"),
        (sql::SEALED, "versions_pkey"),
        (sql::CHANGED, "secrets_arn_key"),
        (sql::DUE_SCHEDULES, "secrets_scheduled"),
        (sql::DUE_PURGES, "secrets_deleted"),
        (sql::CLAIM_ROTATIONS, "secrets_rotating"),
        (sql::RENEW_LEASE, "secrets_arn_key"),
        (sql::CLAIM_LEFT, "secrets_arn_key"),
        (sql::BREAK_LEASES, "secrets_leased"),
        (sql::LEASES, "secrets_leased"),
        (sql::LOCK_SECRETS, "secrets_arn_key"),
        (sql::UPDATE_SECRET, "secrets_arn_key"),
        (sql::CHANGE_ONE, "secrets_arn_key"),
        (sql::DELETE_SECRET, "secrets_arn_key"),
        (sql::EPOCH, "secrets_arn_key"),
        (sql::PUT_VERSIONS, "secrets_arn_key"),
        (sql::REMOVE_VERSIONS, "versions_pkey"),
        (sql::AUDIT_AFTER, "audit_seq_key"),
        (sql::EVENTS_AFTER, "events_seq_key"),
        (sql::AUDIT_UNNUMBERED, "audit_unnumbered"),
        (sql::NUMBER_AUDIT, "audit_unnumbered"),
        (sql::NUMBER_EVENTS, "events_unnumbered"),
        (sql::FORGET_EVENTS, "events_seq_key"),
        (sql::FORGET_AUDIT, "audit_seq_key"),
        (sql::ROTATIONS_BEFORE, "rotations_pkey"),
        (sql::KEEP_ROTATION, "rotations_pkey"),
        (sql::FORGET_ROTATIONS, "rotations_pkey"),
        (sql::ROTATION_STATES, "secrets_by_rotation_state"),
        (sql::SECRETS_IN, "secrets_by_rotation_state"),
    ] {
        let plan = plan(&mut connection, statement).await;
        if !plan.contains(index)
            || plan.contains("Seq Scan on secrets")
            || plan.contains("Seq Scan on versions")
            || plan.contains("Seq Scan on rotations")
        {
            wrong.push(format!("{statement}:\n{plan}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    store.close().await;
}

/// A page begins where its cursor is, in the live ones and in the deleted ones, and nothing is sorted: each order twice.
#[tokio::test]
async fn lists_are_read_off_an_index() {
    use crate::record::{Order, SortBy};
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let mut connection = database.raw().await;
    fill(&mut connection).await;
    let mut wrong = Vec::new();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        connection.execute(AssertSqlSafe(format!("SET plan_cache_mode = {mode}"))).await.unwrap();
        for (by, index) in [
            (SortBy::Created, "by_created"),
            (SortBy::Name, "by_name"),
            (SortBy::LastChanged, "by_changed"),
            (SortBy::LastAccessed, "by_accessed"),
        ] {
            for direction in [Direction::Ascending, Direction::Descending] {
                let statement = order::list(Order { by, direction });
                let plan = plan_of_page(&mut connection, statement).await;
                assert_eq!(statement.matches(&format!("LIMIT {})", limits::STORE_ROWS_MAX)).count(), 2);
                let is_right = plan.contains(&format!("live_{index}"))
                    && plan.contains(&format!("deleted_{index}"))
                    && !plan.contains("Sort\n")
                    && !plan.contains("Seq Scan")
                    && plan.contains("Index Cond: ((region = ");
                if !is_right {
                    wrong.push(format!("{mode} {statement}:\n{plan}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    store.close().await;
}

async fn plan_of_page(connection: &mut PgConnection, statement: &str) -> String {
    connection.execute(AssertSqlSafe(format!("PREPARE page AS {statement}"))).await.unwrap();
    let explain = "EXPLAIN (COSTS OFF) EXECUTE page ('us-east-1', 10000, 's5', true, 100)";
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.unwrap();
    connection.execute("DEALLOCATE page").await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}
