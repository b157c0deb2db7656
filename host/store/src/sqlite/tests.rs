use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use std::path::PathBuf;
use std::sync::mpsc;

use pawl_core::function::{Digest, FunctionArn};
use pawl_core::rotation::{Rotation, Status, Step};
use pawl_core::secret::Secret;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _, Executor, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::authentic::tests::{Tampered, authentic_suite};
use crate::change::Expect;
use crate::conformance::Backend;
use crate::conformance_suite;
use crate::mac::RowMac;
use crate::record::{Order, SealedVersion, SortBy};

struct TempFile(TempDir);

impl TempFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("pawl.db")
    }

    async fn store(&self, options: Options) -> SqliteStore {
        SqliteStore::open(&self.path(), options).await.unwrap()
    }

    /// A connection beside the store, for what the store would never do.
    async fn raw(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }
}

impl Backend for TempFile {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store(Options::default()).await)
    }
}

conformance_suite!(TempFile::new());

impl Tampered for TempFile {
    async fn sql(&self, text: String) -> u64 {
        let mut connection = self.raw().await;
        let done = connection.execute(sqlx::AssertSqlSafe(text)).await.unwrap();
        connection.close().await.unwrap();
        done.rows_affected()
    }
}

authentic_suite!(TempFile::new());

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

fn creation(number: usize, bytes: usize) -> Change {
    let version_id = format!("{number:032}").parse().unwrap();
    let mut change = Change::new(Expect::New, row(number));
    change.put = vec![SealedVersion { version_id, sealed: vec![1; bytes] }];
    change.audit = vec![format!("{{\"made\":{number}}}")];
    change
}

#[tokio::test]
async fn every_statement_prepares() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    let prepare = |connection: &Connection| {
        for &(name, statement) in sql::ALL {
            let prepared = connection.prepare(statement);
            assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
        }
        Ok(())
    };
    store.writer.with(prepare).await.unwrap();
}

async fn plan(store: &SqliteStore, statement: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let read = move |connection: &Connection| {
        let mut explained = connection.prepare(&explain).unwrap();
        let mut rows = explained.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get("detail").unwrap());
        }
        Ok(plan)
    };
    let plan: Vec<String> = store.writer.with(read).await.unwrap();
    let dear =
        |step: &String| step.contains("TEMP B-TREE") || (step.starts_with("SCAN") && !step.contains("USING"));
    assert!(!plan.iter().any(dear), "{statement}: {plan:?}");
    plan
}

#[tokio::test]
async fn queries_cost_what_they_answer() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    for (statement, index) in [
        (sql::LOAD, "sqlite_autoindex_secrets_2"),
        (sql::SEALED, "sqlite_autoindex_versions_1"),
        (sql::LOAD_FULL, "sqlite_autoindex_versions_1"),
        (sql::DUE_SCHEDULES, "secrets_scheduled"),
        (sql::DUE_PURGES, "secrets_deleted"),
        (sql::CLAIM_ROTATIONS, "secrets_rotating"),
        (sql::BREAK_LEASES, "secrets_leased"),
        (sql::UPDATE_SECRET, "sqlite_autoindex_secrets_1"),
        (sql::UPDATE_DOCUMENT, "sqlite_autoindex_secrets_1"),
        (sql::UPDATE_SECRET_AND_RELEASE, "sqlite_autoindex_secrets_1"),
        (sql::UPDATE_SECRET_AND_PLACE, "sqlite_autoindex_secrets_1"),
        (sql::UPDATE_SECRET_AND_PLACE_AND_RELEASE, "sqlite_autoindex_secrets_1"),
        (sql::DELETE_SECRET, "sqlite_autoindex_secrets_1"),
        (sql::CLAIMED_UNTIL, "sqlite_autoindex_secrets_1"),
        (sql::UNCHANGED, "sqlite_autoindex_secrets_1"),
        (sql::LEASES, "secrets_leased"),
        (sql::ROTATIONS_BEFORE, "sqlite_autoindex_rotations_1"),
        (sql::KEEP_ROTATION, "sqlite_autoindex_rotations_1"),
        (sql::FORGET_ROTATIONS, "sqlite_autoindex_rotations_1"),
        (sql::ROTATION_STATES, "secrets_by_rotation_state"),
        (sql::SECRETS_IN, "secrets_by_rotation_state"),
        (sql::FORGET_EVENTS, "INTEGER PRIMARY KEY"),
        (sql::FORGET_AUDIT, "INTEGER PRIMARY KEY"),
        (sql::RENEW_LEASE, "sqlite_autoindex_secrets_1"),
        (sql::FUNCTION, "sqlite_autoindex_functions_2"),
        (sql::FUNCTIONS, "sqlite_autoindex_functions_2"),
        (sql::CODE, "sqlite_autoindex_code_1"),
        (sql::NAME_CODE, "sqlite_autoindex_functions_1"),
        (sql::MARK_USED, "function_code_by_digest"),
        (sql::SWEEP_CODE, "secrets_rotating"),
        (sql::SWEEP_CODE, "code_unused"),
        (sql::APPROVALS, "PRIMARY KEY"),
        (sql::ENTITY, "sqlite_autoindex_entities_1"),
        (sql::ENTITIES, "sqlite_autoindex_entities_1"),
        (sql::ENTITY_BY_KEY, "PRIMARY KEY"),
        (sql::FORGET_KEYS, "entity_keys_of"),
        (sql::UPDATE_ENTITY, "sqlite_autoindex_entities_1"),
    ] {
        let plan = plan(&store, statement).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}: {plan:?}");
    }
}

/// A page begins where its cursor is, in the live ones and in the deleted ones, and nothing is sorted: each order twice.
#[tokio::test]
async fn lists_are_read_off_an_index() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    for (by, index, place) in [
        (SortBy::Created, "by_created", "(created_at,name)%(?,?)"),
        (SortBy::Name, "by_name", "name%?"),
        (SortBy::LastChanged, "by_changed", "(last_changed_at,name)%(?,?)"),
        (SortBy::LastAccessed, "by_accessed", "(last_accessed_at,name)%(?,?)"),
    ] {
        for (direction, than) in [(Direction::Ascending, ">"), (Direction::Descending, "<")] {
            let statement = sql::list(Order { by, direction });
            let place = place.replace('%', than);
            let search =
                |which: &str| format!("SEARCH secrets USING INDEX {which}_{index} (region=? AND {place})");
            let expected = ["MERGE (UNION ALL)", "LEFT", &search("live"), "RIGHT", &search("deleted")]
                .map(str::to_owned);
            assert_eq!(plan(&store, statement).await, expected, "{statement}");
        }
    }
}

#[tokio::test]
async fn connections_keep_their_promises() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    let check = |connection: &Connection| {
        for (pragma, expected) in [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("wal_autocheckpoint", i64::from(limits::STORE_WAL_PAGES)),
        ] {
            let found: i64 = scalar(connection, &format!("PRAGMA {pragma}")).unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
        Ok(())
    };
    store.writer.with(check).await.unwrap();
    let delete = |connection: &Connection| run(connection, "DELETE FROM secrets", &[]);
    let read_only = Err(StoreError::Unavailable(Outage::ReadOnly));
    assert_eq!(store.readers.inline(delete).await, read_only);
    assert_eq!(store.readers.aside(delete).await, read_only);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    store.commit(creation(1, 10)).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(file.0.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn inspecting_finds_the_keyring_and_writes_nothing() {
    let file = TempFile::new();
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap(), None);
    assert!(!file.path().exists());
    create_file(&file.path()).unwrap();
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap(), None);
    assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 0);

    let store = file.store(Options::default()).await;
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap(), None);
    store.store_keyring(b"wrapped").await.unwrap();

    // What a killed process leaves behind: the newest pages are in the log only.
    let killed = TempFile::new();
    for end in ["", "-wal"] {
        let name = format!("pawl.db{end}");
        std::fs::copy(file.0.path().join(&name), killed.0.path().join(&name)).unwrap();
    }
    let files = |end: &str| std::fs::read(killed.0.path().join(format!("pawl.db{end}"))).unwrap();
    let before = (files(""), files("-wal"));
    assert!(!before.1.is_empty());
    assert_eq!(SqliteStore::inspect(&killed.path()).await.unwrap().unwrap(), b"wrapped");
    assert!(before == (files(""), files("-wal")));

    // And after an orderly end.
    store.close().await;
    let before = std::fs::read(file.path()).unwrap();
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap().unwrap(), b"wrapped");
    assert!(before == std::fs::read(file.path()).unwrap());
}

#[tokio::test]
async fn a_newer_schema_is_refused_untouched() {
    let file = TempFile::new();
    file.store(Options::default()).await.close().await;
    let mut connection = file.raw().await;
    connection
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (7, 'of the future', TRUE, x'00', 0)",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    let newer = StoreError::NewerSchema { found: 7, known: schema::known() };
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap_err(), newer);
    assert_eq!(SqliteStore::open(&file.path(), Options::default()).await.unwrap_err(), newer);
    assert_eq!(
        newer.to_string(),
        "the store has schema 7 and this program knows 6: run the newer pawl that made it, or restore a backup"
    );
}

/// A store that the first release made has its secrets in every list once this one has opened it.
#[tokio::test]
async fn a_store_of_the_first_schema_is_brought_up_to_date() {
    let file = TempFile::new();
    create_file(&file.path()).unwrap();
    let mut connection = file.raw().await;
    schema::run(&mut connection, &schema::MIGRATIONS[..1]).await.unwrap();
    let mut secret =
        Secret::new(row(0).arn, row(0).region, row(0).name, Timestamp::from_millis(1_700_000_000_000));
    let never = serde_json::to_string(&secret).unwrap();
    secret.touch(Timestamp::from_millis(1_700_000_000_500));
    secret.last_accessed_day = Some(Timestamp::from_millis(1_800_000_000_000).day());
    let accessed = serde_json::to_string(&secret).unwrap();
    for (number, document, purge_at) in [
        (0, never.as_str(), None),
        (1, &accessed, None),
        (2, &accessed, Some(9)),
        (3, "{}", None),
        (4, "no document at all", None),
    ] {
        let row = row(number);
        sqlx::query(
            "INSERT INTO secrets (arn, region, name, revision, document, created_at, purge_at) \
             VALUES ($1, $2, $3, 3, $4, 1600000000000, $5)",
        )
        .bind(row.arn.as_str())
        .bind(row.region.as_str())
        .bind(row.name.as_str())
        .bind(document)
        .bind(purge_at)
        .execute(&mut connection)
        .await
        .unwrap();
    }
    connection.execute("INSERT INTO versions VALUES (2, 'v', x'01')").await.unwrap();
    connection.close().await.unwrap();

    let store = file.store(Options::default()).await;
    let region = row(0).region;
    let order = Order { by: SortBy::LastAccessed, direction: Direction::Ascending };
    let query = ListQuery { region: &region, after: None, order, limit: 10, include_deleted: true };
    let moments = |row: SecretRow| {
        let millis = (row.last_changed_at.millis(), row.last_accessed_at.map(Timestamp::millis));
        (row.name.to_string(), row.revision, millis, row.purge_at, row.replica_of)
    };
    let seen: Vec<_> = store.list(query).await.unwrap().into_iter().map(moments).collect();
    let expected = |name: &str, changed, accessed, purge_at: Option<i64>| {
        (name.to_owned(), 3, (changed, accessed), purge_at.map(Timestamp::from_millis), None)
    };
    let day = Some(1_800_000_000_000 - 1_800_000_000_000 % 86_400_000);
    assert_eq!(
        seen,
        [
            expected("s0", 1_700_000_000_000, None, None),
            expected("s3", 1_600_000_000_000, None, None),
            expected("s4", 1_600_000_000_000, None, None),
            expected("s1", 1_700_000_000_500, day, None),
            expected("s2", 1_700_000_000_500, day, Some(9)),
        ]
    );
    for by in [SortBy::Created, SortBy::Name, SortBy::LastChanged] {
        let order = Order { by, ..order };
        assert_eq!(store.list(ListQuery { order, include_deleted: false, ..query }).await.unwrap().len(), 4);
    }
    let health = store.check().await.unwrap();
    assert_eq!((health.problems, health.schema, health.versions), (vec![], 6, 1));
    let mut change = Change::new(Expect::Revision(3), SecretRow { revision: 4, ..row(1) });
    change.put = creation(1, 10).put;
    store.commit(change).await.unwrap();
}

/// A store of the release before says which of its rotations wait for somebody.
#[tokio::test]
async fn rotations_of_an_older_schema_are_counted() {
    let file = TempFile::new();
    create_file(&file.path()).unwrap();
    let mut connection = file.raw().await;
    schema::run(&mut connection, &schema::MIGRATIONS[..2]).await.unwrap();
    let secret = Secret::new(row(0).arn, row(0).region, row(0).name, Timestamp::from_millis(0));
    let step = Step::SetSecret;
    for (number, status, due) in [
        (0, Status::Running { step }, Some(7)),
        (1, Status::Failed { step }, None),
        (2, Status::Stranded { step }, None),
        (3, Status::Succeeded, None),
    ] {
        // A text that looks like the state is none.
        let function = FunctionArn::given("\"status\":{\"is\":\"stranded\",".to_owned());
        let digest = Digest::from_bytes([0; 32]);
        let begun = Rotation::begin("0".repeat(32).parse().unwrap(), function, digest, secret.created_at);
        let rotation = Some(Box::new(Rotation { status, ..begun }));
        let document = serde_json::to_string(&Secret { rotation, ..secret.clone() }).unwrap();
        let insert = sqlx::query(
            "INSERT INTO secrets (arn, region, name, revision, document, created_at, rotation_due_at) \
             VALUES ($1, 'us-east-1', $2, 3, $3, 0, $4)",
        );
        let insert = insert.bind(row(number).arn.to_string()).bind(row(number).name.to_string());
        insert.bind(document).bind(due).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = file.store(Options::default()).await;
    let states = store.rotation_states().await.unwrap();
    assert_eq!(states, RotationStates { running: 1, waiting: 0, failed: 1, stranded: 1 });
    assert_eq!(store.secrets_in(RotationState::Stranded, 9).await.unwrap()[0].name.as_str(), "s2");
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let file = TempFile::new();
    std::fs::write(
        file.path(),
        "this is no database, but it is long enough to be looked at as one ".repeat(20),
    )
    .unwrap();
    assert_eq!(SqliteStore::inspect(&file.path()).await.unwrap_err(), StoreError::Corrupt);
    assert_eq!(SqliteStore::open(&file.path(), Options::default()).await.unwrap_err(), StoreError::Corrupt);
    let nowhere = file.0.path().join("no-such-directory").join("pawl.db");
    let refused = SqliteStore::open(&nowhere, Options::default()).await.unwrap_err();
    assert_eq!(refused, StoreError::Unavailable(Outage::CannotOpen));
}

#[tokio::test]
async fn a_migration_that_was_edited_is_refused() {
    let file = TempFile::new();
    file.store(Options::default()).await.close().await;
    let mut connection = file.raw().await;
    connection.execute("UPDATE _sqlx_migrations SET checksum = x'00'").await.unwrap();
    connection.close().await.unwrap();
    let refused = SqliteStore::open(&file.path(), Options::default()).await.unwrap_err();
    assert_eq!(refused, StoreError::Inconsistent { table: "_sqlx_migrations", column: "checksum" });
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let file = TempFile::new();
    let store = file.store(Options { pages_max: Some(100), ..Options::default() }).await;
    let full = StoreError::Unavailable(Outage::DiskFull);
    let mut acknowledged = 0;
    let refused = loop {
        match store.commit(creation(acknowledged, 20_000)).await {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(acknowledged > 3);
    assert_eq!(refused, CommitError::Store(full.clone()));
    assert_eq!(
        refused.to_string(),
        "the store is unavailable: no space left on its disk; free some, nothing was written"
    );
    // A batch of records fails alike, whole, and so does the next change: the store says so every time, and does not wedge.
    let records = vec![format!("\"{}\"", "x".repeat(1000)); 600];
    assert_eq!(store.append_audit(&records).await, Err(full.clone()));
    assert_eq!(store.commit(creation(acknowledged, 20_000)).await, Err(CommitError::Store(full)));
    let health = store.check().await.unwrap();
    assert_eq!(health.problems, [""; 0]);
    assert_eq!((health.secrets, health.audit), (acknowledged as u64, acknowledged as u64));

    // Once there is room, it goes on.
    let purged = row(0);
    let mut change = Change::new(Expect::Revision(1), purged);
    change.delete = true;
    store.commit(change).await.unwrap();
    store.commit(creation(acknowledged, 20_000)).await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_leaves_no_transaction_behind() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    for polls in 0..40 {
        let number = polls;
        let mut call = store.commit(creation(number, 10));
        let mut left = polls;
        // Gives the call up after so many turns, wherever it then is.
        let _done = std::future::poll_fn(|context| match call.as_mut().poll(context) {
            std::task::Poll::Ready(outcome) => std::task::Poll::Ready(Some(outcome)),
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
            std::task::Poll::Pending => {
                left -= 1;
                std::task::Poll::Pending
            }
        })
        .await;
        drop(call);
        store.commit(creation(1000 + number, 10)).await.unwrap();
    }
    let health = store.check().await.unwrap();
    assert_eq!((health.secrets, health.secrets), (health.versions, health.audit), "all of a change or none");
}

/// The transactions that the write-ahead log holds: its frames that say how large the database is after them.
fn transactions(file: &TempFile) -> usize {
    let log = std::fs::read(file.0.path().join("pawl.db-wal")).unwrap();
    log[32..].chunks_exact(24 + 4096).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// Keeps the writer from everything else until what it answers is dropped.
async fn hold(store: &SqliteStore) -> mpsc::Sender<()> {
    let (held, until) = mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let writer = Arc::clone(&store.writer);
    tokio::spawn(async move {
        writer
            .with(move |_| {
                began.send(()).unwrap();
                let _dropped = until.recv();
                Ok(())
            })
            .await
    });
    begun.await.unwrap();
    held
}

/// Polls each of `calls` once, in their order, while the writer is busy: they line up.
async fn line_up<T>(store: &SqliteStore, calls: &mut [Answer<'_, T, CommitError>]) {
    let held = hold(store).await;
    poll_each(calls).await;
    drop(held);
}

async fn poll_each<T>(calls: &mut [Answer<'_, T, CommitError>]) {
    for call in calls {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    }
}

#[tokio::test]
async fn those_who_wait_share_one_transaction() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    for waiting in [1, 2, 20, limits::STORE_COMMITS_AT_ONCE, limits::STORE_COMMITS_AT_ONCE + 1] {
        let before = transactions(&file);
        let mut calls: Vec<_> =
            (0..waiting).map(|number| store.commit(creation(1000 * waiting + number, 10))).collect();
        line_up(&store, &mut calls).await;
        for call in calls {
            call.await.unwrap();
        }
        let rounds = waiting.div_ceil(limits::STORE_COMMITS_AT_ONCE);
        assert_eq!(transactions(&file) - before, rounds, "{waiting} waiting");
    }
}

/// A change of a secret that is at `revision`, with a value, a record and an event.
fn replacement(number: usize, revision: u64) -> Change {
    let mut change =
        Change::new(Expect::Revision(revision), SecretRow { revision: revision + 1, ..row(number) });
    change.put = creation(number, 10).put;
    change.audit = vec![format!("{{\"changed\":{number}}}")];
    change
}

/// Who is refused, before he has changed anything or after, disturbs none of those who share his transaction: each verdict is
/// as if he had come alone, and nothing of a refused call is there.
#[tokio::test]
async fn refused_calls_leave_the_others_alone() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    for number in 0..3 {
        store.commit(creation(number, 10)).await.unwrap();
    }
    let too_large = Change { audit: vec![String::new()], ..replacement(2, 1) };
    let mut held = replacement(2, 1);
    held.fence = Some(7);
    let cases: [(Vec<Change>, Verdict); 5] = [
        // Refused at once.
        (vec![replacement(0, 9)], Err(CommitError::LostRace)),
        (vec![creation(1, 10)], Err(CommitError::NameTaken)),
        (vec![held], Err(CommitError::Fenced)),
        // Refused half-way: by the second change, and by a row that breaks the schema's rules.
        (vec![creation(50, 10), creation(1, 10)], Err(CommitError::NameTaken)),
        (vec![too_large], Err(CommitError::Store(StoreError::Refused { code: 275 }))),
    ];
    let mut revision = 1;
    for (refused, expected) in cases {
        let before = transactions(&file);
        let mut calls = vec![
            store.commit(replacement(0, revision)),
            store.commit_all(refused),
            store.commit(replacement(1, revision)),
        ];
        line_up(&store, &mut calls).await;
        let mut verdicts = Vec::new();
        for call in calls {
            verdicts.push(call.await);
        }
        assert_eq!(verdicts, [Ok(()), expected.clone(), Ok(())]);
        assert_eq!(transactions(&file) - before, 1, "{expected:?}");
        revision += 1;
        for (number, revision) in [(0, revision), (1, revision), (2, 1)] {
            let row = row(number);
            assert_eq!(store.load(&row.region, &row.name).await.unwrap().unwrap().head.revision, revision);
        }
    }
    let health = store.check().await.unwrap();
    assert_eq!((health.problems, health.secrets, health.versions), (vec![], 3, 3));
    let audit = store.audit(0, 100).await.unwrap();
    assert_eq!(audit.len(), 3 + 2 * 5);
    assert_eq!(audit.last().map(|entry| entry.record.as_str()), Some("{\"changed\":1}"));
}

type Verdict = Result<(), CommitError>;

/// Every read begins after the commits that were acknowledged before it, whichever connection it gets, and none leaves a
/// transaction open that would keep the log from being folded in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_sees_what_was_acknowledged_and_holds_nothing() {
    let file = TempFile::new();
    let store = Arc::new(file.store(Options::default()).await);
    let tasks = (0..8).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let row = row(number);
            store.commit(creation(number, 10)).await.unwrap();
            for revision in 1..50 {
                store.commit(replacement(number, revision)).await.unwrap();
                let (full, seen) =
                    (store.load_full(&row.region, &row.name), [(row.arn.clone(), revision + 1)]);
                assert_eq!(full.await.unwrap().unwrap().head.revision, revision + 1);
                assert_eq!(store.unchanged(&seen).await.unwrap(), [true]);
                let loaded = store.load(&row.region, &row.name).await.unwrap().unwrap();
                assert_eq!(loaded.head.revision, revision + 1);
                assert_eq!(
                    store.sealed(&row.arn, &creation(number, 10).put[0].version_id).await.unwrap(),
                    Some(vec![1; 10])
                );
                assert_eq!(store.claim_left(&row.arn, 1, Timestamp::from_millis(0)).await.unwrap(), None);
                if revision % 10 == 0 {
                    assert!(!store.audit(0, 1).await.unwrap().is_empty());
                    let order = Order { by: SortBy::Name, direction: Direction::Ascending };
                    let query = ListQuery {
                        region: &row.region,
                        after: None,
                        order,
                        limit: 10,
                        include_deleted: true,
                    };
                    assert!(!store.list(query).await.unwrap().is_empty());
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // Busy, pages in the log, pages folded in: with one reader left in the middle, the log could not be cut.
    let fold = |connection: &Connection| {
        let cut = one(connection, "PRAGMA wal_checkpoint(TRUNCATE)", &[], |row| {
            Ok((row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap()))
        });
        Ok::<Option<(i64, i64, i64)>, _>(cut.unwrap())
    };
    assert_eq!(store.writer.with(fold).await.unwrap(), Some((0, 0, 0)));
    assert_eq!(std::fs::metadata(file.0.path().join("pawl.db-wal")).unwrap().len(), 0);
}

/// While another process has the file for itself, reads wait without keeping their thread, and then answer.
#[tokio::test]
async fn a_read_waits_while_the_file_is_locked() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    store.commit(creation(1, 10)).await.unwrap();
    store.close().await;
    let holder = Connection::open(file.path()).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM meta; COMMIT;")
        .unwrap();

    let readers = Readers::of(&file.path(), 1).unwrap();
    let mut read = Box::pin(readers.inline(keyring));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(read.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    drop(holder);
    assert_eq!(read.await, Ok(None));
}

/// Whoever puts another file in the place of a running store's gets none of it read.
#[tokio::test]
async fn another_file_in_its_place_is_not_read() {
    let (file, other) = (TempFile::new(), TempFile::new());
    let readers = Readers::of(
        &{
            file.store(Options::default()).await.close().await;
            file.path()
        },
        1,
    )
    .unwrap();
    assert_eq!(readers.inline(keyring).await, Ok(None));
    let store = other.store(Options::default()).await;
    store.store_keyring(b"another").await.unwrap();
    store.close().await;
    std::fs::rename(other.path(), file.path()).unwrap();
    assert_eq!(readers.inline(keyring).await, Ok(None), "the file that it has is the one that it opened");
    readers.idle().clear();
    assert_eq!(readers.inline(keyring).await, Err(StoreError::Unavailable(Outage::CannotOpen)));
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_closed() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    store.commit(creation(1, 10)).await.unwrap();
    store.close().await;
    assert!(!file.0.path().join("pawl.db-wal").exists(), "the log is folded in");
    let closed = StoreError::Unavailable(Outage::Closed);
    let row = row(1);
    assert_eq!(store.load(&row.region, &row.name).await, Err(closed.clone()));
    assert_eq!(store.audit(0, 1).await, Err(closed.clone()));
    assert_eq!(store.put_meta("key", b"value").await, Err(closed.clone()));
    assert_eq!(store.commit(creation(2, 10)).await, Err(CommitError::Store(closed)));
    store.close().await;
}

#[tokio::test]
async fn a_store_that_fails_fails_all_who_share_a_transaction() {
    let file = TempFile::new();
    let store = file.store(Options { pages_max: Some(100), ..Options::default() }).await;
    let full = Err(CommitError::Store(StoreError::Unavailable(Outage::DiskFull)));
    let sizes = [10, 10, 1_000_000, 10];
    let mut calls: Vec<_> = (0..4).map(|number| store.commit(creation(number, sizes[number]))).collect();
    line_up(&store, &mut calls).await;
    let mut verdicts = Vec::new();
    for call in calls {
        verdicts.push(call.await);
    }
    assert_eq!(verdicts, [full.clone(), full.clone(), full.clone(), full]);
    let health = store.check().await.unwrap();
    assert_eq!((health.problems, health.secrets, health.versions, health.audit), (vec![], 0, 0, 0));
    store.commit(creation(1, 10)).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_tells_all_who_wait() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    let mut calls: Vec<_> = (0..3).map(|number| store.commit(creation(number, 10))).collect();
    let held = hold(&store).await;
    poll_each(&mut calls).await;
    let closing = store.close();
    let closed = Err(CommitError::Store(StoreError::Unavailable(Outage::Closed)));
    let told = async {
        for call in calls {
            assert_eq!(call.await, closed);
        }
        drop(held);
    };
    tokio::join!(closing, told);
}

/// Whoever gives up, wherever he then is, the others get what they asked for; and he does when he had his turn already, or not.
#[tokio::test]
async fn a_dropped_call_does_not_hurt_those_who_wait() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    let mut stored = 0;
    for quitter in 0..3 {
        for polls in 0..30 {
            let base = 10_000 * (quitter + 1) + 10 * polls;
            let mut calls: Vec<_> = (0..4).map(|number| store.commit(creation(base + number, 10))).collect();
            line_up(&store, &mut calls).await;
            let mut given_up = calls.remove(quitter);
            for _ in 0..polls {
                let polled =
                    std::future::poll_fn(|context| std::task::Poll::Ready(given_up.as_mut().poll(context)));
                if polled.await.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(given_up);
            for call in calls {
                call.await.unwrap();
            }
            for number in (0..4).filter(|number| *number != quitter) {
                let row = row(base + number);
                assert!(store.load(&row.region, &row.name).await.unwrap().is_some());
            }
            stored += 3;
        }
    }
    let health = store.check().await.unwrap();
    assert_eq!((health.secrets, health.secrets), (health.versions, health.audit), "all of a change or none");
    assert!(health.secrets >= stored);
}

#[tokio::test]
async fn a_value_from_elsewhere_is_named() {
    let file = TempFile::new();
    let store = file.store(Options::default()).await;
    store.commit(creation(1, 10)).await.unwrap();
    file.raw().await.execute("UPDATE secrets SET region = 'nowhere'").await.unwrap();
    let refused = store.due_purges(Timestamp::from_millis(0), 1).await;
    assert_eq!(refused, Ok(vec![]));
    file.raw().await.execute("UPDATE secrets SET purge_at = -1").await.unwrap();
    let refused = store.due_purges(Timestamp::from_millis(0), 1).await;
    assert_eq!(refused, Err(StoreError::Inconsistent { table: "secrets", column: "region" }));
}

const CHILD: &str = "PAWL_STORE_TEST_CHILD";

/// Not a test by itself: the process that [`acknowledged_outlives_a_kill`] kills.
#[tokio::test]
#[ignore = "run by acknowledged_outlives_a_kill"]
async fn child_that_writes_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how the parent tells this process where to write")]
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = SqliteStore::open(Path::new(&path), Options::default()).await.unwrap();
    for number in (0..).step_by(3) {
        // One goes alone, and two share a transaction.
        let [one, two, three] = [0, 1, 2].map(|more| store.commit(creation(number + more, 5000)));
        let (one, two, three) = tokio::join!(one, two, three);
        one.and(two).and(three).unwrap();
        store.append_audit(&vec![format!("{{\"read\":{number}}}"); 3]).await.unwrap();
        println!("\nacknowledged {}", number + 2);
    }
}

#[tokio::test]
async fn acknowledged_outlives_a_kill() {
    let file = TempFile::new();
    let mut acknowledged = 0;
    for round in 1..=3 {
        if round > 1 {
            std::fs::remove_file(file.path()).ok();
            std::fs::remove_file(file.0.path().join("pawl.db-wal")).ok();
            std::fs::remove_file(file.0.path().join("pawl.db-shm")).ok();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--nocapture",
                "--exact",
                "sqlite::tests::child_that_writes_until_it_is_killed",
            ])
            .env(CHILD, file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged = number.parse().unwrap();
                if acknowledged >= 40 * round {
                    // Closing the pipe happens with the kill; what comes after this line is not counted.
                    child.kill().unwrap();
                    break;
                }
            }
        }
        child.wait().unwrap();
        assert!(acknowledged >= 40 * round, "the child died at {acknowledged}");

        let store = file.store(Options::default()).await;
        for number in 0..=acknowledged {
            let row = row(number);
            let full = store.load_full(&row.region, &row.name).await.unwrap();
            assert_eq!(full.unwrap().values.len(), 1, "{number} was acknowledged");
        }
        let health = store.check().await.unwrap();
        assert_eq!(health.problems, [""; 0]);
        assert_eq!(health.secrets, health.versions);
        let done = acknowledged as u64 + 1;
        assert!(health.secrets >= done && health.audit >= 2 * done, "{health:?}");
        store.close().await;
    }
}
