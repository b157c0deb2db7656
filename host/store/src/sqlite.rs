//! The store in one SQLite file, for one host.
//!
//! SQLite is called where the work is: a read that follows a key in the thread that asks ([`readers`]), writes in the one thread
//! that owns the connection for them ([`writer`]). The write-ahead log keeps the ones out of the other's way.

mod commit;
mod connection;
mod entities;
mod export;
mod fault;
mod functions;
mod import;
mod readers;
mod rows;
mod schema;
mod signed;
mod sql;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::OpenOptions;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionName};
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use rusqlite::{Connection, Row};
use tokio::sync::mpsc;

use self::commit::integer;
use self::connection::{Value, all, one, run, scalar, text, transact};
use self::fault::fault;
use self::readers::Readers;
use self::rows::Reader;
use self::writer::{Source, Writer};
use crate::archive::{ImportError, Piece};
use crate::change::{Change, CommitError};
use crate::entity::{EntityChange, EntityRow};
use crate::error::{Outage, StoreError};
use crate::function::{ApprovalChange, ApprovalRow, FunctionChange, FunctionRow, StoredCode};
use crate::mac::{AdoptError, FoundRow, RowPlace, SignedTable, Signer};
use crate::record::{
    Claim, Direction, Due, Entry, Full, HeadPlace, Health, KeptRotation, Lease, ListQuery, Loaded,
    RotationState, RotationStates, SealedHead, SecretRow,
};
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
    readers: Arc<Readers>,
    writer: Arc<Writer>,
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
        let readers = Arc::new(Readers::of(path, 1)?);
        let keyring = readers
            .aside(|connection| match schema::found(connection)? {
                None => Ok(None),
                Some(_) => keyring(connection),
            })
            .await;
        readers.close().await;
        keyring
    }

    /// Opens the store at `path` to read it, beside the process that serves it.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or another version of the program made its schema.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let file = path.to_owned();
        let open = move || {
            let connection = connection::open_to_read(&file)?;
            connection.busy_timeout(limits::STORE_BUSY_TIMEOUT).map_err(fault)?;
            let (found, known) = (schema::found(&connection)?.unwrap_or(0), schema::known());
            if found < known { Err(StoreError::OlderSchema { found, known }) } else { Ok(connection) }
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let connection = opened.unwrap_or(Err(StoreError::Unavailable(Outage::Closed)))?;
        let readers = Arc::new(Readers::of(path, 1)?);
        let writer = Writer::start(Source { path: path.to_owned(), pages_max: None }, connection)?;
        // Whoever writes to it is told that it is shut down.
        writer.close().await;
        Ok(Self { readers, writer: Arc::new(writer) })
    }

    /// Opens the store at `path`, makes it (mode 0600) when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or written, is damaged or no store, or was made by a newer program.
    pub async fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        create_file(path).map_err(|error| fault::of_file(&error))?;
        let source = Source { path: path.to_owned(), pages_max: options.pages_max };
        let opening = source.clone();
        let open = move || {
            let connection = opening.open()?;
            schema::found(&connection)?;
            Ok(connection)
        };
        // What a crash has left in the log is read here, which may take a while.
        let opened = tokio::task::spawn_blocking(open).await;
        let connection = opened.unwrap_or(Err(StoreError::Unavailable(Outage::Closed)))?;
        schema::migrate(path).await?;
        Ok(Self {
            readers: Arc::new(Readers::of(path, options.readers)?),
            writer: Arc::new(Writer::start(source, connection)?),
        })
    }

    async fn entries(
        &self,
        statement: &'static str,
        table: &'static str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        // No record has a number beyond what SQL can hold, so none comes after it either.
        let values = [Value::Integer(i64::try_from(after).unwrap_or(i64::MAX)), rows_max(limit)];
        self.readers
            .aside(move |connection| {
                all(connection, statement, &values, |row| Reader::new(row, table).entry())
            })
            .await
    }

    async fn due(&self, statement: &'static str, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        let values = [Value::Integer(now.millis()), rows_max(limit)];
        self.readers
            .aside(move |connection| all(connection, statement, &values, |row| secret(row).due()))
            .await
    }
}

/// A row of a secret.
const fn secret<'a>(row: &'a Row<'a>) -> Reader<'a> {
    Reader::new(row, "secrets")
}

impl Store for SqliteStore {
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>> {
        Box::pin(self.readers.inline(|connection| {
            let values = [Value::from(region.as_str()), Value::from(name.as_str())];
            one(connection, sql::LOAD, &values, |row| secret(row).loaded())
        }))
    }

    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>> {
        Box::pin(self.readers.inline(|connection| {
            let values = [Value::from(region.as_str()), Value::from(name.as_str())];
            let (mut loaded, mut sealed) = (None, Vec::new());
            all(connection, sql::LOAD_FULL, &values, |row| {
                let reader = secret(row);
                if loaded.is_none() {
                    loaded = Some(reader.loaded()?);
                }
                // A secret without a value stands alone.
                if reader.is_version()? {
                    sealed.push(Reader::new(row, "versions").version()?);
                }
                Ok(())
            })?;
            Ok(loaded.map(|Loaded { head, lease }| Full { head, lease, values: sealed }))
        }))
    }

    fn sealed<'a>(&'a self, arn: &'a SecretArn, version: &'a VersionId) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(self.readers.inline(|connection| {
            let values = [Value::from(arn.as_str()), Value::from(version.as_str())];
            one(connection, sql::SEALED, &values, |row| Ok(Reader::new(row, "versions").version()?.sealed))
        }))
    }

    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError> {
        Box::pin(self.writer.commit(changes))
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
            let (region, name) = (query.region.clone(), name.to_owned());
            let (order, limit, deleted) = (query.order, query.limit, query.include_deleted);
            self.readers
                .aside(move |connection| {
                    let values = [
                        Value::from(region.as_str()),
                        Value::Integer(moment),
                        Value::from(name.as_str()),
                        Value::Integer(i64::from(deleted)),
                        rows_max(limit),
                    ];
                    all(connection, sql::list(order), &values, |row| secret(row).head())
                })
                .await
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
        let owner = owner.to_owned();
        // Whoever held a claim when the machine went down is gone as well.
        Box::pin(self.writer.with_unwaited(move |connection| {
            let values = [
                Value::from(owner.as_str()),
                Value::Integer((wall + lease).millis()),
                Value::Integer(now.millis()),
                Value::Integer(wall.millis()),
                rows_max(limit),
            ];
            all(connection, sql::CLAIM_ROTATIONS, &values, |row| secret(row).claim())
        }))
    }

    fn renew_lease<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
        lease: Duration,
    ) -> Answer<'a, bool> {
        let arn = arn.clone();
        Box::pin(self.writer.with(move |connection| {
            let until = (wall + lease).millis();
            let values = [Value::from(arn.as_str()), Value::Integer(integer(epoch)?), Value::Integer(until)];
            Ok(run(connection, sql::RENEW_LEASE, &values)? == 1)
        }))
    }

    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>> {
        Box::pin(self.readers.inline(move |connection| {
            let values = [Value::from(arn.as_str()), Value::Integer(integer(epoch)?)];
            one(connection, sql::CLAIMED_UNTIL, &values, |row| secret(row).lease_left(wall))
        }))
    }

    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64> {
        let owner = owner.map(str::to_owned);
        Box::pin(self.writer.with(move |connection| {
            let broken = run(connection, sql::BREAK_LEASES, &[text(owner.as_deref())])?;
            Ok(u64::try_from(broken).unwrap_or(u64::MAX))
        }))
    }

    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>> {
        Box::pin(self.readers.aside(move |connection| {
            all(connection, sql::LEASES, &[rows_max(limit)], |row| secret(row).lease())
        }))
    }

    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>> {
        Box::pin(self.readers.inline(move |connection| {
            // Ends with the read, however that ends.
            let _moment = connection.unchecked_transaction().map_err(fault)?;
            seen.iter()
                .map(|(arn, revision)| {
                    let values = [Value::from(arn.as_str()), Value::Integer(integer(*revision)?)];
                    Ok(one(connection, sql::UNCHANGED, &values, |_| Ok(()))?.is_some())
                })
                .collect()
        }))
    }

    fn is_shared(&self) -> bool {
        false
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
        Box::pin(self.readers.inline(keyring))
    }

    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool> {
        let wrapped = wrapped.to_vec();
        Box::pin(
            self.writer.with(move |connection| {
                Ok(run(connection, sql::STORE_KEYRING, &[Value::Blob(&wrapped)])? == 1)
            }),
        )
    }

    fn swap_keyring<'a>(
        &'a self,
        expected: &'a [u8],
        wrapped: &'a [u8],
        audit: &'a [String],
    ) -> Answer<'a, bool> {
        let (expected, wrapped, audit) = (expected.to_vec(), wrapped.to_vec(), audit.to_vec());
        Box::pin(self.writer.with(move |connection| {
            transact(connection, |connection| {
                let values = [Value::Blob(&expected), Value::Blob(&wrapped)];
                let swapped = run(connection, sql::SWAP_KEYRING, &values)? == 1;
                if swapped {
                    commit::append(connection, sql::APPEND_AUDIT, &audit)?;
                }
                Ok(swapped)
            })
        }))
    }

    fn sealed_heads<'a>(&'a self, after: Option<&'a HeadPlace>, limit: u32) -> Answer<'a, Vec<SealedHead>> {
        let (secret, version) =
            after.map_or((i64::MIN, String::new()), |place| (place.secret, place.version.clone()));
        Box::pin(self.readers.aside(move |connection| {
            let head = i64::try_from(limits::SEALED_HEAD_BYTES).unwrap_or(i64::MAX);
            let values = [
                Value::Integer(secret),
                Value::from(version.as_str()),
                rows_max(limit),
                Value::Integer(head),
            ];
            all(connection, sql::SEALED_HEADS, &values, |row| Reader::new(row, "versions").sealed_head())
        }))
    }

    fn sealed_entities<'a>(&'a self, after: [&'a str; 3], limit: u32) -> Answer<'a, Vec<EntityRow>> {
        let after = after.map(str::to_owned);
        Box::pin(self.readers.aside(move |connection| entities::sealed(connection, &after, limit)))
    }

    fn signed_rows<'a>(
        &'a self,
        table: SignedTable,
        after: &'a RowPlace,
        limit: u32,
    ) -> Answer<'a, Vec<FoundRow>> {
        let after = after.clone();
        Box::pin(self.readers.aside(move |connection| signed::page(connection, table, &after, limit)))
    }

    fn adopt<'a>(
        &'a self,
        expected: &'a [u8],
        next: &'a [u8],
        signer: &'a Signer,
    ) -> Answer<'a, u64, AdoptError> {
        let (records, signer) = ((expected.to_vec(), next.to_vec()), signer.clone());
        Box::pin(async move {
            self.writer.with(move |connection| Ok(signed::adopt(connection, &records, &signer))).await?
        })
    }

    /// Nobody else writes to the file, and no earlier release opens it.
    fn fence(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(self.readers.inline(move |connection| {
            one(connection, sql::META, &[Value::from(key)], |row| Reader::new(row, "meta").bytes("value"))
        }))
    }

    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        let (key, value) = (key.to_owned(), value.to_vec());
        Box::pin(self.writer.with(move |connection| {
            run(connection, sql::PUT_META, &[Value::from(key.as_str()), Value::Blob(&value)])?;
            Ok(())
        }))
    }

    fn swap_meta<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a [u8]>,
        value: &'a [u8],
    ) -> Answer<'a, bool> {
        let (key, value) = (key.to_owned(), value.to_vec());
        let expected = expected.map(<[u8]>::to_vec);
        Box::pin(self.writer.with(move |connection| {
            let (key, value) = (Value::from(key.as_str()), Value::Blob(&value));
            let done = match &expected {
                None => run(connection, sql::ADD_META, &[key, value])?,
                Some(expected) => run(connection, sql::SWAP_META, &[key, value, Value::Blob(expected)])?,
            };
            Ok(done == 1)
        }))
    }

    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()> {
        let records = records.to_vec();
        Box::pin(self.writer.with(move |connection| {
            transact(connection, |connection| commit::append(connection, sql::APPEND_AUDIT, &records))
        }))
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(sql::AUDIT_AFTER, "audit", after, limit))
    }

    fn forget_audit<'a>(&'a self, numbers: &'a [u64]) -> Answer<'a, u64> {
        let numbers = numbers.to_vec();
        Box::pin(self.writer.with(move |connection| {
            transact(connection, |connection| {
                let mut forgotten = 0;
                for number in numbers {
                    let Ok(number) = i64::try_from(number) else { continue };
                    let gone = run(connection, sql::FORGET_AUDIT, &[Value::Integer(number)])?;
                    forgotten += u64::try_from(gone).unwrap_or(u64::MAX);
                }
                Ok(forgotten)
            })
        }))
    }

    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(sql::EVENTS_AFTER, "events", after, limit))
    }

    fn last_event(&self) -> Answer<'_, u64> {
        Box::pin(self.readers.inline(|connection| {
            let last: i64 = scalar(connection, sql::LAST_EVENT)?;
            u64::try_from(last).map_err(|_| StoreError::Corrupt)
        }))
    }

    fn forget_events(&self, through: u64, limit: u32) -> Answer<'_, u64> {
        let values = [Value::Integer(i64::try_from(through).unwrap_or(i64::MAX)), rows_max(limit)];
        Box::pin(self.writer.with(move |connection| {
            let forgotten = run(connection, sql::FORGET_EVENTS, &values)?;
            Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
        }))
    }

    fn rotations<'a>(&'a self, arn: &'a SecretArn, before: u64, limit: u32) -> Answer<'a, Vec<KeptRotation>> {
        let (arn, before) = (arn.clone(), i64::try_from(before).unwrap_or(i64::MAX));
        Box::pin(self.readers.aside(move |connection| {
            let values = [Value::from(arn.as_str()), Value::Integer(before), rows_max(limit)];
            all(connection, sql::ROTATIONS_BEFORE, &values, |row| Reader::new(row, "rotations").rotation())
        }))
    }

    fn rotation_states(&self) -> Answer<'_, RotationStates> {
        Box::pin(self.readers.aside(|connection| {
            let mut states = RotationStates::default();
            for (state, secrets) in all(connection, sql::ROTATION_STATES, &[], |row| secret(row).in_state())?
            {
                if let Some(state) = state {
                    states.set(state, secrets);
                }
            }
            Ok(states)
        }))
    }

    fn secrets_in(&self, state: RotationState, limit: u32) -> Answer<'_, Vec<Due>> {
        Box::pin(self.readers.aside(move |connection| {
            let values = [Value::from(state.as_str()), rows_max(limit)];
            all(connection, sql::SECRETS_IN, &values, |row| secret(row).due())
        }))
    }

    fn function<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<FunctionRow>> {
        let (region, name) = (region.clone(), name.clone());
        Box::pin(self.readers.aside(move |connection| functions::load(connection, &region, &name)))
    }

    fn functions<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<FunctionRow>> {
        let (region, after) = (region.clone(), after.cloned());
        Box::pin(
            self.readers.aside(move |connection| functions::list(connection, &region, after.as_ref(), limit)),
        )
    }

    fn commit_function(&self, change: FunctionChange) -> Answer<'_, (), CommitError> {
        Box::pin(async move {
            self.writer.with(move |connection| Ok(functions::commit(connection, &change))).await?
        })
    }

    fn code<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<StoredCode>> {
        let digest = *digest;
        Box::pin(self.readers.aside(move |connection| functions::code(connection, &digest)))
    }

    fn sweep_code(&self, wall: Timestamp, kept: Duration) -> Answer<'_, u64> {
        Box::pin(self.writer.with(move |connection| functions::sweep(connection, wall, kept)))
    }

    fn approval<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<ApprovalRow>> {
        let (region, name) = (region.clone(), name.clone());
        Box::pin(self.readers.aside(move |connection| functions::load_approval(connection, &region, &name)))
    }

    fn approvals<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<ApprovalRow>> {
        let (region, after) = (region.clone(), after.cloned());
        Box::pin(
            self.readers.aside(move |connection| {
                functions::list_approvals(connection, &region, after.as_ref(), limit)
            }),
        )
    }

    fn commit_approval(&self, change: ApprovalChange) -> Answer<'_, ()> {
        Box::pin(self.writer.with(move |connection| functions::approve(connection, &change)))
    }

    fn entity<'a>(&'a self, kind: &'a str, region: &'a str, name: &'a str) -> Answer<'a, Option<EntityRow>> {
        let place = [kind, region, name];
        Box::pin(self.readers.inline(move |connection| entities::find(connection, sql::ENTITY, place)))
    }

    fn entity_by_key<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        key: &'a str,
    ) -> Answer<'a, Option<EntityRow>> {
        let place = [kind, region, key];
        Box::pin(self.readers.inline(move |connection| entities::find(connection, sql::ENTITY_BY_KEY, place)))
    }

    fn entities<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> Answer<'a, Vec<EntityRow>> {
        let place = [kind, region, after.unwrap_or_default()].map(str::to_owned);
        Box::pin(
            self.readers.aside(move |connection| {
                entities::list(connection, place.each_ref().map(String::as_str), limit)
            }),
        )
    }

    fn commit_entities(&self, changes: Vec<EntityChange>, audit: Vec<String>) -> Answer<'_, (), CommitError> {
        Box::pin(async move {
            self.writer.with(move |connection| Ok(entities::commit(connection, &changes, &audit))).await?
        })
    }

    fn entities_version(&self) -> Answer<'_, u64> {
        Box::pin(self.readers.inline(entities::version))
    }

    fn check(&self) -> Answer<'_, Health> {
        Box::pin(self.readers.aside(health))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.readers.close().await;
            // The last to close folds the write-ahead log in.
            self.writer.close().await;
        })
    }

    fn export(&self, to: mpsc::Sender<Piece>) -> Answer<'_, ()> {
        Box::pin(self.readers.aside(move |connection| export::export(connection, to)))
    }

    fn import(&self, from: mpsc::Receiver<Piece>) -> Answer<'_, (), ImportError> {
        Box::pin(
            async move { self.writer.with(move |connection| Ok(import::import(connection, from))).await? },
        )
    }
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

fn keyring(connection: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    one(connection, sql::KEYRING, &[], |row| Reader::new(row, "keyring").bytes("wrapped"))
}

fn health(connection: &Connection) -> Result<Health, StoreError> {
    let mut problems: Vec<String> =
        all(connection, sql::QUICK_CHECK, &[], |row| row.get::<_, String>(0).map_err(fault))?;
    problems.retain(|verdict| verdict != "ok");
    let orphans = all(connection, sql::FOREIGN_KEY_CHECK, &[], |_| Ok(()))?.len();
    if orphans > 0 {
        problems.push(format!("{orphans} values belong to no secret"));
    }
    problems.truncate(limits::STORE_PROBLEMS_MAX);
    let page = pragma(connection, sql::PAGE_SIZE)?;
    let pages = pragma(connection, sql::PAGE_COUNT)?;
    let free = pragma(connection, sql::FREE_PAGES)?;
    let (journal, schema) = (scalar(connection, sql::JOURNAL_MODE)?, schema::found(connection)?.unwrap_or(0));
    let counted = one(connection, sql::COUNTS, &[], |row| {
        let counts = Reader::new(row, "sqlite_schema");
        Ok(Health {
            problems,
            schema,
            journal,
            bytes: page.saturating_mul(pages),
            free_bytes: page.saturating_mul(free),
            secrets: counts.number("secrets")?,
            versions: counts.number("versions")?,
            audit: counts.number("audit")?,
            events: counts.number("events")?,
        })
    })?;
    counted.ok_or(StoreError::Corrupt)
}

fn pragma(connection: &Connection, statement: &'static str) -> Result<u64, StoreError> {
    u64::try_from(scalar::<i64>(connection, statement)?).map_err(|_| StoreError::Corrupt)
}

/// How many rows a statement may answer.
fn rows_max(limit: u32) -> Value<'static> {
    Value::Integer(i64::from(limit.min(limits::STORE_ROWS_MAX)))
}
