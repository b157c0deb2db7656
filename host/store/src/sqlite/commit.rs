//! Changes that happen together, in one transaction.

use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::query::QueryScalar;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};

use super::fault::fault;
use super::{rows, sql};
use crate::change::{Change, CommitError, Expect};
use crate::error::StoreError;
use crate::record::SecretRow;

/// Commits all of `changes`, or nothing of them.
pub(super) async fn commit(writer: &SqlitePool, changes: &[Change]) -> Result<(), CommitError> {
    if changes.is_empty() {
        return Ok(());
    }
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
    for change in changes {
        apply(&mut transaction, change).await?;
    }
    let audit = changes.iter().flat_map(|change| &change.audit).collect();
    append(&mut transaction, sql::APPEND_AUDIT, audit).await?;
    let events = changes.iter().flat_map(|change| &change.events).collect();
    append(&mut transaction, sql::APPEND_EVENTS, events).await?;
    transaction.commit().await.map_err(|error| CommitError::Store(fault(error)))
}

/// Does what `change` does to its secret.
async fn apply(connection: &mut SqliteConnection, change: &Change) -> Result<(), CommitError> {
    let id = match change.expect {
        Expect::New => insert(connection, change).await?.ok_or(CommitError::NameTaken)?,
        Expect::Revision(seen) => match replace(connection, change, seen).await? {
            Some(id) => id,
            None => return Err(why_not(connection, change).await?),
        },
    };
    if !change.delete {
        put_versions(connection, change, id).await?;
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, change: &Change) -> Result<Option<i64>, StoreError> {
    let row = &change.row;
    if change.delete {
        return Err(StoreError::Broken("purging a new secret"));
    }
    sqlx::query_scalar(sql::INSERT_SECRET)
        .bind(row.arn.as_str())
        .bind(row.region.as_str())
        .bind(row.name.as_str())
        .bind(revision(row, 0)?)
        .bind(&row.document)
        .bind(row.created_at.millis())
        .bind(row.purge_at.map(Timestamp::millis))
        .bind(row.next_rotation_at.map(Timestamp::millis))
        .bind(row.rotation_due_at.map(Timestamp::millis))
        .bind(row.last_changed_at.millis())
        .bind(rows::moment_or_never(row.last_accessed_at))
        .bind(row.replica_of.as_ref().map(Region::as_str))
        .fetch_optional(connection)
        .await
        .map_err(fault)
}

/// Updates or purges the secret at revision `seen`; none when it is not there, or not under the change's fence.
async fn replace(
    connection: &mut SqliteConnection,
    change: &Change,
    seen: u64,
) -> Result<Option<i64>, StoreError> {
    if change.delete {
        let query = expected(sql::DELETE_SECRET, change, seen)?;
        return query.fetch_optional(connection).await.map_err(fault);
    }
    let updated = update(sql::UPDATE_SECRET, change, seen)?.fetch_optional(&mut *connection).await;
    if let Some(id) = updated.map_err(fault)? {
        return Ok(Some(id));
    }
    let query = update(sql::UPDATE_SECRET_AND_PLACE, change, seen)?;
    query.fetch_optional(connection).await.map_err(fault)
}

type IdQuery<'q> = QueryScalar<'q, Sqlite, i64, SqliteArguments>;

fn expected<'q>(statement: &'static str, change: &'q Change, seen: u64) -> Result<IdQuery<'q>, StoreError> {
    let fence = change.fence.map(integer).transpose()?;
    Ok(sqlx::query_scalar(statement).bind(change.row.arn.as_str()).bind(integer(seen)?).bind(fence))
}

fn update<'q>(statement: &'static str, change: &'q Change, seen: u64) -> Result<IdQuery<'q>, StoreError> {
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

async fn put_versions(connection: &mut SqliteConnection, change: &Change, id: i64) -> Result<(), StoreError> {
    for version in &change.put {
        let done = sqlx::query(sql::PUT_VERSION)
            .bind(id)
            .bind(version.version_id.as_str())
            .bind(version.sealed.as_slice())
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
        exactly(1, done.rows_affected())?;
    }
    for version_id in &change.remove_versions {
        sqlx::query(sql::REMOVE_VERSION)
            .bind(id)
            .bind(version_id.as_str())
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
    }
    Ok(())
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
    let done = sqlx::query(statement).bind(batch).execute(connection).await.map_err(fault)?;
    exactly(records.len(), done.rows_affected())
}

fn exactly(expected: usize, done: u64) -> Result<(), StoreError> {
    if u64::try_from(expected) == Ok(done) {
        Ok(())
    } else {
        Err(StoreError::Broken("a statement that changed too many rows, or too few"))
    }
}

/// The row's revision, which must follow the one that was seen.
fn revision(row: &SecretRow, seen: u64) -> Result<i64, StoreError> {
    if seen.checked_add(1) != Some(row.revision) {
        return Err(StoreError::Broken("a revision that does not follow"));
    }
    integer(row.revision)
}

/// SQL knows signed integers only.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Broken("a number that is too large"))
}
