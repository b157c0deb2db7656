//! Changes that happen together, in one transaction.

use pawl_core::arn::SecretArn;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

use super::fault::fault;
use super::{creation, rows, sql};
use crate::change::{Change, CommitError, Expect};
use crate::error::StoreError;
use crate::record::{SealedVersion, SecretRow};

/// Commits all of `changes`, or nothing of them.
pub(super) async fn commit(writer: &SqlitePool, changes: &[Change]) -> Result<(), CommitError> {
    let mut connection: PoolConnection<Sqlite> = writer.acquire().await.map_err(fault)?;
    let outcome = transact(&mut connection, changes).await;
    if matches!(outcome, Err(CommitError::Store(_))) {
        // A full disk makes SQLite roll back by itself. The driver's own rollback then fails, and it counts a transaction that
        // is not there ever after: no later one could begin. A new connection starts clean.
        connection.close_on_drop();
    }
    outcome
}

async fn transact(connection: &mut SqliteConnection, changes: &[Change]) -> Result<(), CommitError> {
    let mut transaction = connection.begin_with(sql::BEGIN_WRITE).await.map_err(fault)?;
    apply_all(&mut transaction, changes).await?;
    transaction.commit().await.map_err(|error| CommitError::Store(fault(error)))
}

/// Commits each of several calls' changes, or nothing of that call, in one transaction; answers how each went.
pub(super) async fn commit_group(
    writer: &SqlitePool,
    calls: &[&[Change]],
) -> Result<Vec<Result<(), CommitError>>, StoreError> {
    let mut connection: PoolConnection<Sqlite> = writer.acquire().await.map_err(fault)?;
    let outcome = transact_group(&mut connection, calls).await;
    if outcome.is_err() {
        connection.close_on_drop();
    }
    outcome
}

async fn transact_group(
    connection: &mut SqliteConnection,
    calls: &[&[Change]],
) -> Result<Vec<Result<(), CommitError>>, StoreError> {
    let mut transaction = connection.begin_with(sql::BEGIN_WRITE).await.map_err(fault)?;
    let mut verdicts = Vec::with_capacity(calls.len());
    for changes in calls {
        let mut savepoint = transaction.begin().await.map_err(fault)?;
        let verdict = apply_all(&mut savepoint, changes).await;
        match &verdict {
            Ok(()) => savepoint.commit().await.map_err(fault)?,
            Err(CommitError::Store(error)) if error.is_of_the_store() => return Err(error.clone()),
            Err(_) => savepoint.rollback().await.map_err(fault)?,
        }
        verdicts.push(verdict);
    }
    transaction.commit().await.map_err(fault)?;
    Ok(verdicts)
}

async fn apply_all(connection: &mut SqliteConnection, changes: &[Change]) -> Result<(), CommitError> {
    // New ones in a row go in many at once.
    for alike in changes.chunk_by(|one, next| creation::is_plain(one) && creation::is_plain(next)) {
        let (batches, rest) = alike.as_chunks();
        for batch in batches {
            creation::create(connection, batch).await?;
        }
        for change in rest {
            apply(connection, change).await?;
        }
    }
    let audit = changes.iter().flat_map(|change| &change.audit).collect();
    append(connection, sql::APPEND_AUDIT, audit).await?;
    let events = changes.iter().flat_map(|change| &change.events).collect();
    append(connection, sql::APPEND_EVENTS, events).await?;
    Ok(())
}

/// Does what `change` does to its secret.
async fn apply(connection: &mut SqliteConnection, change: &Change) -> Result<(), CommitError> {
    match change.expect {
        Expect::New => insert(connection, change).await?,
        Expect::Revision(seen) => replace(connection, change, seen).await?,
    }
    if change.delete {
        return Ok(());
    }
    for version in &change.put {
        put_version(connection, &change.row.arn, version).await?;
    }
    for version_id in &change.remove_versions {
        let query = sqlx::query(sql::REMOVE_VERSION).bind(change.row.arn.as_str()).bind(version_id.as_str());
        run(connection, query).await?;
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, change: &Change) -> Result<(), CommitError> {
    let arguments = creation::arguments(SqliteArguments::default(), change)?;
    match run(connection, sqlx::query_with(sql::INSERT_SECRET, arguments)).await? {
        0 => Err(CommitError::NameTaken),
        done => Ok(exactly(1, done)?),
    }
}

/// Updates or purges the secret at revision `seen`, under the change's fence.
async fn replace(connection: &mut SqliteConnection, change: &Change, seen: u64) -> Result<(), CommitError> {
    let mut done = if change.delete {
        run(connection, expected(sql::DELETE_SECRET, change, seen)?).await?
    } else {
        run(connection, update(sql::UPDATE_SECRET, change, seen)?).await?
    };
    if done == 0 && !change.delete {
        done = run(connection, update(sql::UPDATE_SECRET_AND_PLACE, change, seen)?).await?;
    }
    if done == 0 { Err(why_not(connection, change).await?) } else { Ok(exactly(1, done)?) }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

fn expected<'q>(statement: &'static str, change: &'q Change, seen: u64) -> Result<Query<'q>, StoreError> {
    let fence = change.fence.map(integer).transpose()?;
    Ok(sqlx::query(statement).bind(change.row.arn.as_str()).bind(integer(seen)?).bind(fence))
}

fn update<'q>(statement: &'static str, change: &'q Change, seen: u64) -> Result<Query<'q>, StoreError> {
    let row = &change.row;
    Ok(expected(statement, change, seen)?
        .bind(revision(row, seen)?)
        .bind(&row.document)
        .bind(row.purge_at.map(Timestamp::millis))
        .bind(rows::moment_or_never(row.last_accessed_at))
        .bind(row.last_changed_at.millis())
        .bind(row.next_rotation_at.map(Timestamp::millis))
        .bind(row.rotation_due_at.map(Timestamp::millis))
        .bind(row.replica_of.as_ref().map(Region::as_str))
        .bind(change.release_lease))
}

/// How many rows the query has changed.
pub(super) async fn run(connection: &mut SqliteConnection, query: Query<'_>) -> Result<u64, StoreError> {
    Ok(query.execute(connection).await.map_err(fault)?.rows_affected())
}

/// Why nothing was replaced: another holder, or another change.
async fn why_not(connection: &mut SqliteConnection, change: &Change) -> Result<CommitError, StoreError> {
    let Some(fence) = change.fence else { return Ok(CommitError::LostRace) };
    let epoch: Option<i64> = sqlx::query_scalar(sql::EPOCH)
        .bind(change.row.arn.as_str())
        .fetch_optional(connection)
        .await
        .map_err(fault)?;
    let held = epoch == Some(integer(fence)?);
    Ok(if held { CommitError::LostRace } else { CommitError::Fenced })
}

pub(super) async fn put_version(
    connection: &mut SqliteConnection,
    arn: &SecretArn,
    version: &SealedVersion,
) -> Result<(), StoreError> {
    let query = sqlx::query(sql::PUT_VERSION)
        .bind(arn.as_str())
        .bind(version.version_id.as_str())
        .bind(version.sealed.as_slice());
    exactly(1, run(connection, query).await?)
}

/// Adds `records` to a table in one statement.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    statement: &'static str,
    records: Vec<&String>,
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    // Strings within an array: every record comes out byte for byte as it went in.
    let batch =
        serde_json::to_string(&records).map_err(|_| StoreError::Broken("records that are no text"))?;
    exactly(records.len(), run(connection, sqlx::query(statement).bind(batch)).await?)
}

pub(super) fn exactly(expected: usize, done: u64) -> Result<(), StoreError> {
    if u64::try_from(expected) == Ok(done) {
        Ok(())
    } else {
        Err(StoreError::Broken("a statement that changed too many rows, or too few"))
    }
}

/// The row's revision, which must follow the one that was seen.
pub(super) fn revision(row: &SecretRow, seen: u64) -> Result<i64, StoreError> {
    if seen.checked_add(1) != Some(row.revision) {
        return Err(StoreError::Broken("a revision that does not follow"));
    }
    integer(row.revision)
}

/// SQL knows signed integers only.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Broken("a number that is too large"))
}
