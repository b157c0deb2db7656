//! The store in one SQLite file, for one host.
//!
//! Two pools: one connection that writes, for SQLite has one writer anyway and waiting for a connection is fairer than waiting
//! for its lock; and a few that only read, which the write-ahead log keeps out of the writer's way.

mod commit;
mod creation;
mod export;
mod fault;
mod import;
mod queue;
mod rows;
mod schema;
mod sql;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use self::commit::integer;
use self::fault::fault;
use self::queue::Queue;
use self::rows::Reader;
use crate::archive::{ImportError, Piece};
use crate::change::{Change, CommitError};
use crate::error::{Outage, StoreError};
use crate::record::{Claim, Direction, Due, Entry, Full, Health, Lease, ListQuery, Loaded, SecretRow};
use crate::{Answer, Store};

/// After every name.
const BEYOND_NAMES: &str = "\u{10ffff}";

/// How an embedded store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections that read at once.
    pub readers: u32,
    /// Pages of 4 KiB that the file may have, for a quota; none for as many as the disk holds.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: limits::STORE_READERS, pages_max: None }
    }
}

/// A store in one SQLite file. Its process must be alone on the file (the host locks its data directory).
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    commits: Arc<Queue>,
}

impl SqliteStore {
    /// Reads the wrapped data keys of the store at `path` and changes nothing of it, so that a host with the wrong root key
    /// can stop before it has written. None when there is no store yet.
    ///
    /// # Errors
    /// When the file cannot be read, is no store, or was made by a newer program.
    pub async fn inspect(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match std::fs::metadata(path) {
            Ok(file) if file.len() > 0 => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault::of_file(&error)),
        }
        let mut connection =
            connect_options(path, limits::STORE_CACHE_KIB).read_only(true).connect().await.map_err(fault)?;
        let keyring = match schema::found(&mut connection).await? {
            None => None,
            Some(_) => {
                sqlx::query_scalar(sql::KEYRING).fetch_optional(&mut connection).await.map_err(fault)?
            }
        };
        connection.close().await.map_err(fault)?;
        Ok(keyring)
    }

    /// Opens the store at `path` to read it, beside the process that serves it.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or another version of the program made its schema.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let read = connect_options(path, limits::STORE_CACHE_KIB).read_only(true).pragma("query_only", "ON");
        let reader = SqlitePoolOptions::new()
            .acquire_timeout(limits::STORE_ACQUIRE_TIMEOUT)
            .max_connections(1)
            .connect_with(read)
            .await
            .map_err(fault)?;
        let mut connection = reader.acquire().await.map_err(fault)?;
        let (found, known) = (schema::found(&mut connection).await?.unwrap_or(0), schema::known());
        drop(connection);
        if found < known {
            reader.close().await;
            return Err(StoreError::OlderSchema { found, known });
        }
        // Whoever writes to it is told that it is read-only.
        Ok(Self { writer: reader.clone(), reader, commits: Arc::default() })
    }

    /// Opens the store at `path`, makes it (mode 0600) when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or written, is damaged or no store, or was made by a newer program.
    pub async fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        create_file(path).map_err(|error| fault::of_file(&error))?;
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(limits::STORE_ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                // A connection to a file does not go stale, and the test costs a fifth of a read.
                .test_before_acquire(false)
        };
        let mut write = connect_options(path, limits::STORE_WRITER_CACHE_KIB)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What a change that fails would have to undo is kept in memory: it is more pages than SQLite would leave there.
            .pragma("temp_store", "MEMORY")
            .pragma("secure_delete", "ON")
            .pragma("wal_autocheckpoint", limits::STORE_WAL_PAGES.to_string())
            .pragma("journal_size_limit", limits::STORE_WAL_BYTES_KEPT.to_string());
        if let Some(pages) = options.pages_max {
            write = write.pragma("max_page_count", pages.to_string());
        }
        let writer = pool().max_connections(1).connect_with(write).await.map_err(fault)?;
        let opened = prepare(&writer).await;
        if let Err(error) = opened {
            writer.close().await;
            return Err(error);
        }
        let read = connect_options(path, limits::STORE_CACHE_KIB).read_only(true).pragma("query_only", "ON");
        let reader = pool().max_connections(options.readers.max(1)).connect_lazy_with(read);
        Ok(Self { writer, reader, commits: Arc::default() })
    }

    async fn one(
        &self,
        query: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<Option<SqliteRow>, StoreError> {
        query.fetch_optional(&self.reader).await.map_err(fault)
    }

    async fn entries(
        &self,
        statement: &'static str,
        table: &'static str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        // No record has a number beyond what SQL can hold, so none comes after it either.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = sqlx::query(statement)
            .bind(after)
            .bind(rows_max(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(fault)?;
        rows::all(&rows, table, Reader::entry)
    }

    async fn due(&self, statement: &'static str, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query(statement)
            .bind(now.millis())
            .bind(rows_max(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(fault)?;
        rows::all(&rows, "secrets", Reader::due)
    }
}

impl Store for SqliteStore {
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>> {
        Box::pin(async move {
            let query = sqlx::query(sql::LOAD).bind(region.as_str()).bind(name.as_str());
            self.one(query).await?.map(|row| Reader::new(&row, "secrets").loaded()).transpose()
        })
    }

    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>> {
        Box::pin(async move {
            let rows = sqlx::query(sql::LOAD_FULL)
                .bind(region.as_str())
                .bind(name.as_str())
                .fetch_all(&self.reader)
                .await
                .map_err(fault)?;
            let (mut secret, mut values) = (None, Vec::with_capacity(rows.len()));
            for row in &rows {
                let reader = Reader::new(row, "secrets");
                if reader.is_version()? {
                    values.push(Reader::new(row, "versions").version()?);
                } else {
                    secret = Some(reader.loaded()?);
                }
            }
            Ok(secret.map(|Loaded { head, lease }| Full { head, lease, values }))
        })
    }

    fn sealed<'a>(&'a self, arn: &'a SecretArn, version: &'a VersionId) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let query = sqlx::query(sql::SEALED).bind(arn.as_str()).bind(version.as_str());
            let row = self.one(query).await?;
            row.map(|row| Ok(Reader::new(&row, "versions").version()?.sealed)).transpose()
        })
    }

    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError> {
        Box::pin(async move { self.commits.commit(&self.writer, changes).await })
    }

    fn list<'a>(&'a self, query: ListQuery<'a>) -> Answer<'a, Vec<SecretRow>> {
        Box::pin(async move {
            let (moment, name) = match query.after {
                Some(cursor) if cursor.by == query.order.by => {
                    (rows::moment_or_never(cursor.at), cursor.name.as_str())
                }
                Some(_) => return Err(StoreError::Broken("a place in a list that is sorted otherwise")),
                None => match query.order.direction {
                    Direction::Ascending => (i64::MIN, ""),
                    Direction::Descending => (i64::MAX, BEYOND_NAMES),
                },
            };
            let rows = sqlx::query(sql::list(query.order))
                .bind(query.region.as_str())
                .bind(moment)
                .bind(name)
                .bind(query.include_deleted)
                .bind(rows_max(query.limit))
                .fetch_all(&self.reader)
                .await
                .map_err(fault)?;
            rows::all(&rows, "secrets", Reader::head)
        })
    }

    fn due_schedules(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        Box::pin(self.due(sql::DUE_SCHEDULES, now, limit))
    }

    fn due_purges(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        Box::pin(self.due(sql::DUE_PURGES, now, limit))
    }

    fn claim_rotations<'a>(
        &'a self,
        now: Timestamp,
        wall: Timestamp,
        owner: &'a str,
        lease: Duration,
        limit: u32,
    ) -> Answer<'a, Vec<Claim>> {
        Box::pin(async move {
            let rows = sqlx::query(sql::CLAIM_ROTATIONS)
                .bind(owner)
                .bind((wall + lease).millis())
                .bind(now.millis())
                .bind(wall.millis())
                .bind(rows_max(limit))
                .fetch_all(&self.writer)
                .await
                .map_err(fault)?;
            rows::all(&rows, "secrets", Reader::claim)
        })
    }

    fn renew_lease<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
        lease: Duration,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let done = sqlx::query(sql::RENEW_LEASE)
                .bind(arn.as_str())
                .bind(integer(epoch)?)
                .bind((wall + lease).millis())
                .execute(&self.writer)
                .await
                .map_err(fault)?;
            Ok(done.rows_affected() == 1)
        })
    }

    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>> {
        Box::pin(async move {
            let query = sqlx::query(sql::CLAIMED_UNTIL).bind(arn.as_str()).bind(integer(epoch)?);
            let row = self.one(query).await?;
            row.map(|row| Reader::new(&row, "secrets").lease_left(wall)).transpose()
        })
    }

    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move {
            let query = sqlx::query(sql::BREAK_LEASES).bind(owner);
            Ok(query.execute(&self.writer).await.map_err(fault)?.rows_affected())
        })
    }

    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>> {
        Box::pin(async move {
            let query = sqlx::query(sql::LEASES).bind(rows_max(limit));
            rows::all(&query.fetch_all(&self.reader).await.map_err(fault)?, "secrets", Reader::lease)
        })
    }

    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>> {
        Box::pin(async move {
            let mut transaction = self.reader.begin().await.map_err(fault)?;
            let mut unchanged = Vec::with_capacity(seen.len());
            for (arn, revision) in seen {
                let query = sqlx::query(sql::UNCHANGED).bind(arn.as_str()).bind(integer(*revision)?);
                unchanged.push(query.fetch_optional(&mut *transaction).await.map_err(fault)?.is_some());
            }
            Ok(unchanged)
        })
    }

    fn time(&self) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async { Ok(None) })
    }

    fn ready(&self) -> Answer<'_, ()> {
        // A file is there or the process would not be; whether the disk has room shows when it is written.
        Box::pin(async {
            self.meta("").await?;
            Ok(())
        })
    }

    fn keyring(&self) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(
            async move { sqlx::query_scalar(sql::KEYRING).fetch_optional(&self.reader).await.map_err(fault) },
        )
    }

    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(async move {
            let done =
                sqlx::query(sql::STORE_KEYRING).bind(wrapped).execute(&self.writer).await.map_err(fault)?;
            Ok(done.rows_affected() == 1)
        })
    }

    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            sqlx::query_scalar(sql::META).bind(key).fetch_optional(&self.reader).await.map_err(fault)
        })
    }

    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move {
            sqlx::query(sql::PUT_META).bind(key).bind(value).execute(&self.writer).await.map_err(fault)?;
            Ok(())
        })
    }

    fn swap_meta<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a [u8]>,
        value: &'a [u8],
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let query = match expected {
                None => sqlx::query(sql::ADD_META).bind(key).bind(value),
                Some(expected) => sqlx::query(sql::SWAP_META).bind(key).bind(value).bind(expected),
            };
            Ok(query.execute(&self.writer).await.map_err(fault)?.rows_affected() == 1)
        })
    }

    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut connection = self.writer.acquire().await.map_err(fault)?;
            commit::append(&mut connection, sql::APPEND_AUDIT, records.iter().collect()).await
        })
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(sql::AUDIT_AFTER, "audit", after, limit))
    }

    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(sql::EVENTS_AFTER, "events", after, limit))
    }

    fn check(&self) -> Answer<'_, Health> {
        Box::pin(async move {
            let mut connection = self.reader.acquire().await.map_err(fault)?;
            health(&mut connection).await
        })
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.reader.close().await;
            // The last to close folds the write-ahead log in.
            self.writer.close().await;
        })
    }

    fn export(&self, to: mpsc::Sender<Piece>) -> Answer<'_, ()> {
        Box::pin(export::export(&self.reader, to))
    }

    fn import(&self, from: mpsc::Receiver<Piece>) -> Answer<'_, (), ImportError> {
        Box::pin(import::import(&self.writer, from))
    }
}

fn connect_options(path: &Path, cache_kib: u32) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(PathBuf::from(path))
        .busy_timeout(limits::STORE_BUSY_TIMEOUT)
        .statement_cache_capacity(limits::STORE_STATEMENTS_MAX)
        // Negative means KiB.
        .pragma("cache_size", format!("-{cache_kib}"))
        // Statements are nobody's business but ours.
        .disable_statement_logging()
}

/// Makes the file, readable by its owner only, before SQLite would make it readable by more. The files beside it inherit this.
fn create_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            // The directory's entry must outlive a power cut as well.
            match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => std::fs::File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

async fn prepare(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await.map_err(fault)?;
    // SQLite keeps the old journal without a word where a file system has no shared memory.
    let journal: String =
        sqlx::query_scalar(sql::JOURNAL_MODE).fetch_one(&mut *connection).await.map_err(fault)?;
    if journal != "wal" {
        return Err(StoreError::Unavailable(Outage::NoWal));
    }
    schema::migrate(&mut connection).await
}

async fn health(connection: &mut SqliteConnection) -> Result<Health, StoreError> {
    let verdicts: Vec<String> =
        sqlx::query_scalar(sql::QUICK_CHECK).fetch_all(&mut *connection).await.map_err(fault)?;
    let mut problems: Vec<String> = verdicts.into_iter().filter(|verdict| verdict != "ok").collect();
    let orphans = sqlx::query(sql::FOREIGN_KEY_CHECK).fetch_all(&mut *connection).await.map_err(fault)?.len();
    if orphans > 0 {
        problems.push(format!("{orphans} values belong to no secret"));
    }
    problems.truncate(limits::STORE_PROBLEMS_MAX);
    let journal = sqlx::query_scalar(sql::JOURNAL_MODE).fetch_one(&mut *connection).await.map_err(fault)?;
    let page = pragma(connection, sql::PAGE_SIZE).await?;
    let pages = pragma(connection, sql::PAGE_COUNT).await?;
    let free = pragma(connection, sql::FREE_PAGES).await?;
    let counts = sqlx::query(sql::COUNTS).fetch_one(&mut *connection).await.map_err(fault)?;
    let counts = Reader::new(&counts, "sqlite_schema");
    Ok(Health {
        problems,
        schema: schema::found(connection).await?.unwrap_or(0),
        journal,
        bytes: page.saturating_mul(pages),
        free_bytes: page.saturating_mul(free),
        secrets: counts.number("secrets")?,
        versions: counts.number("versions")?,
        audit: counts.number("audit")?,
        events: counts.number("events")?,
    })
}

async fn pragma(connection: &mut SqliteConnection, statement: &'static str) -> Result<u64, StoreError> {
    let number: i64 = sqlx::query_scalar(statement).fetch_one(connection).await.map_err(fault)?;
    u64::try_from(number).map_err(|_| StoreError::Corrupt)
}

/// How many rows a statement may answer.
fn rows_max(limit: u32) -> i64 {
    i64::from(limit.min(limits::STORE_ROWS_MAX))
}
