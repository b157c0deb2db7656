//! The store in PostgreSQL, for several hosts at once.
//!
//! Every method is one transaction at READ COMMITTED, mostly of one statement. A change names the revision that it stands on, so
//! of two hosts that change a secret at once one finds no row; several secrets are locked in one order first. What a server has
//! acknowledged is on its disk, and on that of its synchronous standby if it has one (see `setup.rs`).
//!
//! The URL may name several servers, of which one takes writes at a time. When it is lost the next call finds the one that does
//! (`primary.rs`): reads, and changes that had not come to their COMMIT, are done again there; a change whose COMMIT was sent and
//! not answered is [`Outage::Unknown`] and never done twice. Two servers that both take writes are for the operator to prevent:
//! with a synchronous standby the one left behind acknowledges no change, but it can still be read.
//!
//! A server that dies is noticed at once; one that goes without a word (its machine loses power, the network swallows everything) by
//! the time limit of the call that waits for it. A pooler in front must give each connection a session of its own.
//!
//! Nothing here needs what the databases that speak this dialect lack: no LISTEN, no advisory locks, no gapless sequences. It is
//! tested with PostgreSQL 15; on CockroachDB and YugabyteDB it was not run.

mod commit;
mod entities;
mod export;
mod fault;
mod functions;
mod health;
mod import;
mod journal;
mod order;
mod passfile;
mod primary;
mod rows;
mod schema;
mod setup;
mod signed;
mod sql;
#[cfg(test)]
mod tests;
mod url;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionName};
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{PgConnection, Postgres, Row};
use tokio::sync::mpsc;

use self::commit::{Commit, append, integer};
use self::fault::Failure;
use self::health::Look;
use self::journal::{Journal, LastEvent, Page};
use self::primary::{Limit, Primary, Work};
use self::rows::Reader;
pub use self::url::{DatabaseUrl, DatabaseUrlError};
use crate::archive::{ImportError, Piece};
use crate::change::{Change, CommitError};
use crate::entity::{EntityChange, EntityRow};
use crate::error::StoreError;
use crate::function::{ApprovalChange, ApprovalRow, FunctionChange, FunctionRow, StoredCode};
use crate::mac::{AdoptError, FoundRow, RowPlace, SignedTable, Signer};
use crate::record::{
    Claim, Direction, Due, Entry, Full, HeadPlace, Health, KeptRotation, Lease, ListQuery, Loaded,
    RotationState, RotationStates, SealedHead, SecretRow,
};
use crate::{Answer, Store};

/// After every name.
const BEYOND_NAMES: &str = "\u{10ffff}";

/// By whose clock leases live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaseClock {
    /// The database's: hosts agree on that one, and not on theirs.
    #[default]
    Database,
    /// The `wall` of each call.
    Caller,
}

/// How a store in PostgreSQL is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections of this host, at most.
    pub connections: u16,
    /// Time for one change, the wait for the synchronous standby included. One that takes longer may or may not have happened.
    pub change_timeout: Duration,
    /// By whose clock leases live.
    pub lease_clock: LeaseClock,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: limits::STORE_PG_CONNECTIONS,
            change_timeout: limits::STORE_PG_CHANGE_TIMEOUT,
            lease_clock: LeaseClock::Database,
        }
    }
}

/// A store in PostgreSQL, which other hosts may use at the same time.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    primary: Arc<Primary>,
    lease_clock: LeaseClock,
}

impl PostgresStore {
    /// Reads the wrapped data keys of the store at `url` and changes nothing of it, so that a host with the wrong root key can
    /// stop before it has written. None when there is no store yet.
    ///
    /// # Errors
    /// When no server that takes writes can be logged in to, or the store was made by a newer program.
    pub async fn inspect(url: &DatabaseUrl) -> Result<Option<Vec<u8>>, StoreError> {
        let primary =
            Arc::new(Primary::new(url, PostgresOptions { connections: 1, ..PostgresOptions::default() })?);
        let keyring = primary.ask(&Inspection).await;
        primary.close().await;
        keyring
    }

    /// Opens the store at `url` and brings its schema up to date, as one host at a time.
    ///
    /// # Errors
    /// When no server that takes writes can be logged in to, the role may not make tables, or the store was made by a newer
    /// program.
    pub async fn open(url: &DatabaseUrl, options: PostgresOptions) -> Result<Self, StoreError> {
        let primary = Arc::new(Primary::new(url, options)?);
        primary.ask(&schema::Upgrade { migrations: schema::MIGRATIONS }).await?;
        primary.watch();
        Ok(Self { primary, lease_clock: options.lease_clock })
    }

    /// The moment for a statement that has the database's own if there is none.
    fn wall(&self, wall: Timestamp) -> Option<i64> {
        match self.lease_clock {
            LeaseClock::Database => None,
            LeaseClock::Caller => Some(wall.millis()),
        }
    }

    async fn rows<'q, F: Fn() -> Query<'q> + Sync>(&self, query: F) -> Result<Vec<PgRow>, StoreError> {
        self.primary.ask(&Statement::<F, true>(query)).await
    }

    /// The rows of a statement that writes: it must not be done twice without anybody knowing.
    async fn write<'q, F: Fn() -> Query<'q> + Sync>(&self, query: F) -> Result<Vec<PgRow>, StoreError> {
        self.primary.ask(&Statement::<F, false>(query)).await
    }

    async fn bytes<'q, F: Fn() -> Query<'q> + Sync>(
        &self,
        table: &'static str,
        column: &'static str,
        query: F,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows(query).await?;
        rows.first().map(|row| Reader::new(row, table).get(column)).transpose()
    }

    async fn entries(&self, of: Journal, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        // No record has a number beyond what SQL can hold, so none comes after it either.
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = self.primary.ask(&Page { of, after, limit: rows_max(limit) }).await?;
        rows::all(&rows, of.table(), Reader::entry)
    }

    /// Rows of a region after a name.
    async fn named(
        &self,
        statement: &'static str,
        region: &Region,
        after: Option<&FunctionName>,
        limit: u32,
    ) -> Result<Vec<PgRow>, StoreError> {
        // Nothing is before every name.
        let after = after.map_or("", FunctionName::as_str);
        self.rows(|| sqlx::query(statement).bind(region.as_str()).bind(after).bind(rows_max(limit))).await
    }

    /// The entity that `statement` finds by kind, region, and name or key.
    async fn entity_at(
        &self,
        statement: &'static str,
        [kind, region, name]: [&str; 3],
    ) -> Result<Option<EntityRow>, StoreError> {
        let rows = self.rows(|| sqlx::query(statement).bind(kind).bind(region).bind(name)).await?;
        rows.first().map(|row| Reader::new(row, "entities").entity()).transpose()
    }

    async fn due(&self, statement: &'static str, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        let rows = self.rows(|| sqlx::query(statement).bind(now.millis()).bind(rows_max(limit))).await?;
        rows::all(&rows, "secrets", Reader::due)
    }
}

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// One statement and its rows, all of them: a statement is over, and what it wrote committed, only when its last row is read.
struct Statement<F, const READS: bool>(F);

impl<'q, F: Fn() -> Query<'q> + Sync, const READS: bool> Work for Statement<F, READS> {
    type Answer = Vec<PgRow>;
    const REPEATABLE: bool = READS;
    const LIMIT: Limit = if READS { Limit::Read } else { Limit::Change };

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, Failure> {
        let failed = if READS { Failure::Undone } else { Failure::of_last_word };
        (self.0)().fetch_all(connection).await.map_err(failed)
    }
}

/// The wrapped data keys, whether or not there is a store.
struct Inspection;

impl Work for Inspection {
    type Answer = Option<Vec<u8>>;
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Read;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Failure> {
        if schema::found(connection).await?.is_none() {
            return Ok(None);
        }
        let rows = sqlx::query(sql::KEYRING).fetch_all(connection).await?;
        Ok(rows.first().map(|row| Reader::new(row, "keyring").get("wrapped")).transpose()?)
    }
}

/// Whether the server still takes writes.
struct Readiness;

impl Work for Readiness {
    type Answer = ();
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Read;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        let row = sqlx::query(sql::WRITABLE).fetch_one(&mut *connection).await?;
        if !row.try_get::<bool, _>("writable")? {
            return Err(Failure::Moved);
        }
        // Nothing is changed, and everything that a change needs is asked for.
        for statement in
            [sql::MAY_CHANGE_SECRETS, sql::MAY_CHANGE_VERSIONS, sql::MAY_KEEP_ROTATIONS, sql::MAY_ADD_AUDIT]
        {
            sqlx::query(statement).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Records that belong to no change.
struct Append<'a>(&'a [String]);

impl Work for Append<'_> {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        match append(connection, sql::APPEND_AUDIT, self.0.iter()).await {
            Err(Failure::Undone(error)) => Err(Failure::of_last_word(error)),
            other => other,
        }
    }
}

impl Store for PostgresStore {
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>> {
        Box::pin(async move {
            let rows = self.rows(|| sqlx::query(sql::LOAD).bind(region.as_str()).bind(name.as_str())).await?;
            rows.first().map(|row| Reader::new(row, "secrets").loaded()).transpose()
        })
    }

    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>> {
        Box::pin(async move {
            let rows =
                self.rows(|| sqlx::query(sql::LOAD_FULL).bind(region.as_str()).bind(name.as_str())).await?;
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
        let query = || sqlx::query(sql::SEALED).bind(arn.as_str()).bind(version.as_str());
        Box::pin(self.bytes("versions", "sealed", query))
    }

    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError> {
        Box::pin(async move {
            if changes.is_empty() {
                return Ok(());
            }
            self.primary.run(&Commit(changes)).await
        })
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
            let page = || {
                sqlx::query(order::list(query.order))
                    .bind(query.region.as_str())
                    .bind(moment)
                    .bind(name)
                    .bind(query.include_deleted)
                    .bind(rows_max(query.limit))
            };
            rows::all(&self.rows(page).await?, "secrets", Reader::head)
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
            let lease = millis(lease);
            let claim = || {
                sqlx::query(sql::CLAIM_ROTATIONS)
                    .bind(owner)
                    .bind(self.wall(wall))
                    .bind(lease)
                    .bind(now.millis())
                    .bind(rows_max(limit))
            };
            rows::all(&self.write(claim).await?, "secrets", Reader::claim)
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
            let epoch = integer(epoch)?;
            let renewal = || {
                sqlx::query(sql::RENEW_LEASE)
                    .bind(arn.as_str())
                    .bind(epoch)
                    .bind(self.wall(wall))
                    .bind(millis(lease))
            };
            // Renewed twice it is renewed once.
            Ok(self.rows(renewal).await?.len() == 1)
        })
    }

    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>> {
        Box::pin(async move {
            let epoch = integer(epoch)?;
            let query = || sqlx::query(sql::CLAIM_LEFT).bind(arn.as_str()).bind(epoch).bind(self.wall(wall));
            let rows = self.rows(query).await?;
            rows.first().map(|row| Reader::new(row, "secrets").time_left()).transpose()
        })
    }

    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move {
            let broken = self.write(|| sqlx::query(sql::BREAK_LEASES).bind(owner)).await?.len();
            Ok(u64::try_from(broken).unwrap_or(u64::MAX))
        })
    }

    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>> {
        Box::pin(async move {
            let rows = self.rows(|| sqlx::query(sql::LEASES).bind(rows_max(limit))).await?;
            rows::all(&rows, "secrets", Reader::lease)
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>> {
        Box::pin(async move {
            let mut unchanged = vec![true; seen.len()];
            if seen.is_empty() {
                return Ok(unchanged);
            }
            let mut revisions = Vec::with_capacity(seen.len());
            for (_, revision) in seen {
                revisions.push(integer(*revision)?);
            }
            let arns: Vec<&str> = seen.iter().map(|(arn, _)| arn.as_str()).collect();
            let rows =
                self.rows(|| sqlx::query(sql::CHANGED).bind(arns.as_slice()).bind(revisions.as_slice()));
            for row in &rows.await? {
                let place = Reader::new(row, "secrets").number("place")?;
                let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
                if let Some(unchanged) = place.and_then(|place| unchanged.get_mut(place)) {
                    *unchanged = false;
                }
            }
            Ok(unchanged)
        })
    }

    fn time(&self) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            match self.lease_clock {
                LeaseClock::Caller => Ok(None),
                LeaseClock::Database => {
                    let rows = self.rows(|| sqlx::query(sql::TIME)).await?;
                    let now = rows.first().map(|row| Reader::new(row, "clock").get("now")).transpose()?;
                    Ok(now.map(Timestamp::from_millis))
                }
            }
        })
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(self.primary.ask(&Readiness))
    }

    fn keyring(&self) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(self.bytes("keyring", "wrapped", || sqlx::query(sql::KEYRING)))
    }

    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(
            async move { Ok(self.write(|| sqlx::query(sql::STORE_KEYRING).bind(wrapped)).await?.len() == 1) },
        )
    }

    fn swap_keyring<'a>(
        &'a self,
        expected: &'a [u8],
        wrapped: &'a [u8],
        audit: &'a [String],
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let swap = || sqlx::query(sql::SWAP_KEYRING).bind(expected).bind(wrapped).bind(audit);
            Ok(self.write(swap).await?.len() == 1)
        })
    }

    fn sealed_heads<'a>(&'a self, after: Option<&'a HeadPlace>, limit: u32) -> Answer<'a, Vec<SealedHead>> {
        Box::pin(async move {
            let (secret, version) =
                after.map_or((i64::MIN, ""), |place| (place.secret, place.version.as_str()));
            let bytes = i32::try_from(limits::SEALED_HEAD_BYTES).unwrap_or(i32::MAX);
            let query = || {
                sqlx::query(sql::SEALED_HEADS).bind(secret).bind(version).bind(rows_max(limit)).bind(bytes)
            };
            rows::all(&self.rows(query).await?, "versions", Reader::sealed_head)
        })
    }

    fn sealed_entities<'a>(&'a self, after: [&'a str; 3], limit: u32) -> Answer<'a, Vec<EntityRow>> {
        Box::pin(async move {
            let [kind, region, name] = after;
            let query =
                || sqlx::query(sql::SEALED_ENTITIES).bind(kind).bind(region).bind(name).bind(rows_max(limit));
            rows::all(&self.rows(query).await?, "entities", Reader::entity)
        })
    }

    fn signed_rows<'a>(
        &'a self,
        table: SignedTable,
        after: &'a RowPlace,
        limit: u32,
    ) -> Answer<'a, Vec<FoundRow>> {
        Box::pin(
            async move { signed::found(&self.rows(|| signed::query(table, after, limit)).await?, table) },
        )
    }

    fn adopt<'a>(
        &'a self,
        expected: &'a [u8],
        next: &'a [u8],
        signer: &'a Signer,
    ) -> Answer<'a, u64, AdoptError> {
        Box::pin(async move { self.primary.ask(&signed::Adopt { expected, next, signer }).await? })
    }

    fn fence(&self) -> Answer<'_, ()> {
        Box::pin(self.primary.ask(&signed::Fence))
    }

    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(self.bytes("meta", "value", move || sqlx::query(sql::META).bind(key)))
    }

    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move {
            self.write(|| sqlx::query(sql::PUT_META).bind(key).bind(value)).await?;
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
            let swap = || match expected {
                None => sqlx::query(sql::ADD_META).bind(key).bind(value),
                Some(expected) => sqlx::query(sql::SWAP_META).bind(key).bind(value).bind(expected),
            };
            Ok(self.write(swap).await?.len() == 1)
        })
    }

    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            if records.is_empty() {
                return Ok(());
            }
            self.primary.ask(&Append(records)).await
        })
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(Journal::Audit, after, limit))
    }

    fn forget_audit<'a>(&'a self, numbers: &'a [u64]) -> Answer<'a, u64> {
        Box::pin(async move {
            let numbers: Vec<i64> = numbers.iter().filter_map(|number| i64::try_from(*number).ok()).collect();
            let forgotten = self.write(|| sqlx::query(sql::FORGET_AUDIT).bind(&numbers)).await?.len();
            Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
        })
    }

    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.entries(Journal::Events, after, limit))
    }

    fn last_event(&self) -> Answer<'_, u64> {
        Box::pin(self.primary.ask(&LastEvent))
    }

    fn forget_events(&self, through: u64, limit: u32) -> Answer<'_, u64> {
        Box::pin(async move {
            let through = i64::try_from(through).unwrap_or(i64::MAX);
            let forget = || sqlx::query(sql::FORGET_EVENTS).bind(through).bind(rows_max(limit));
            let forgotten = self.write(forget).await?.len();
            Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
        })
    }

    fn rotations<'a>(&'a self, arn: &'a SecretArn, before: u64, limit: u32) -> Answer<'a, Vec<KeptRotation>> {
        Box::pin(async move {
            let before = i64::try_from(before).unwrap_or(i64::MAX);
            let query =
                || sqlx::query(sql::ROTATIONS_BEFORE).bind(arn.as_str()).bind(before).bind(rows_max(limit));
            rows::all(&self.rows(query).await?, "rotations", Reader::rotation)
        })
    }

    fn rotation_states(&self) -> Answer<'_, RotationStates> {
        Box::pin(async move {
            let rows = self.rows(|| sqlx::query(sql::ROTATION_STATES)).await?;
            let mut states = RotationStates::default();
            for (state, secrets) in rows::all(&rows, "secrets", Reader::in_state)? {
                if let Some(state) = state {
                    states.set(state, secrets);
                }
            }
            Ok(states)
        })
    }

    fn secrets_in(&self, state: RotationState, limit: u32) -> Answer<'_, Vec<Due>> {
        Box::pin(async move {
            let query = || sqlx::query(sql::SECRETS_IN).bind(state.as_str()).bind(rows_max(limit));
            rows::all(&self.rows(query).await?, "secrets", Reader::due)
        })
    }

    fn function<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<FunctionRow>> {
        Box::pin(async move {
            let query = || sqlx::query(sql::FUNCTION).bind(region.as_str()).bind(name.as_str());
            let rows = self.rows(query).await?;
            rows.first().map(|row| Reader::new(row, "functions").function()).transpose()
        })
    }

    fn functions<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<FunctionRow>> {
        Box::pin(async move {
            let rows = self.named(sql::FUNCTIONS, region, after, limit).await?;
            rows::all(&rows, "functions", Reader::function)
        })
    }

    fn commit_function(&self, change: FunctionChange) -> Answer<'_, (), CommitError> {
        Box::pin(async move { self.primary.run(&functions::Commit(change)).await })
    }

    fn code<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<StoredCode>> {
        Box::pin(async move {
            let rows = self.rows(|| sqlx::query(sql::CODE).bind(digest.to_string())).await?;
            rows.first().map(|row| Reader::new(row, "code").code()).transpose()
        })
    }

    fn sweep_code(&self, wall: Timestamp, kept: Duration) -> Answer<'_, u64> {
        Box::pin(async move { self.primary.ask(&functions::Sweep { wall, kept }).await })
    }

    fn approval<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<ApprovalRow>> {
        Box::pin(async move {
            let query = || sqlx::query(sql::APPROVAL).bind(region.as_str()).bind(name.as_str());
            let rows = self.rows(query).await?;
            rows.first().map(|row| Reader::new(row, "approvals").approval()).transpose()
        })
    }

    fn approvals<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<ApprovalRow>> {
        Box::pin(async move {
            let rows = self.named(sql::APPROVALS, region, after, limit).await?;
            rows::all(&rows, "approvals", Reader::approval)
        })
    }

    fn commit_approval(&self, change: ApprovalChange) -> Answer<'_, ()> {
        Box::pin(async move { self.primary.ask(&functions::Approve(change)).await })
    }

    fn entity<'a>(&'a self, kind: &'a str, region: &'a str, name: &'a str) -> Answer<'a, Option<EntityRow>> {
        Box::pin(self.entity_at(sql::ENTITY, [kind, region, name]))
    }

    fn entity_by_key<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        key: &'a str,
    ) -> Answer<'a, Option<EntityRow>> {
        Box::pin(self.entity_at(sql::ENTITY_BY_KEY, [kind, region, key]))
    }

    fn entities<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> Answer<'a, Vec<EntityRow>> {
        Box::pin(async move {
            // Nothing is before every name.
            let after = after.unwrap_or_default();
            let page =
                || sqlx::query(sql::ENTITIES).bind(kind).bind(region).bind(after).bind(rows_max(limit));
            rows::all(&self.rows(page).await?, "entities", Reader::entity)
        })
    }

    fn commit_entities(&self, changes: Vec<EntityChange>, audit: Vec<String>) -> Answer<'_, (), CommitError> {
        Box::pin(async move { self.primary.run(&entities::Commit { changes, audit }).await })
    }

    fn entities_version(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let rows = self.rows(|| sqlx::query(sql::ENTITIES_VERSION)).await?;
            let counted = rows.first().ok_or(StoreError::Corrupt)?;
            Reader::new(counted, "counters").number("numbered")
        })
    }

    fn check(&self) -> Answer<'_, Health> {
        Box::pin(self.primary.ask(&Look))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.primary.close())
    }

    fn export(&self, to: mpsc::Sender<Piece>) -> Answer<'_, ()> {
        Box::pin(export::export(&self.primary, to))
    }

    fn import(&self, from: mpsc::Receiver<Piece>) -> Answer<'_, (), ImportError> {
        Box::pin(import::import(&self.primary, from))
    }
}

/// How many rows a statement may answer.
fn rows_max(limit: u32) -> i64 {
    i64::from(limit.min(limits::STORE_ROWS_MAX))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
