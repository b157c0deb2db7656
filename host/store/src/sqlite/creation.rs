//! New secrets, many at once: a statement for each would cost more than what it does.

use pawl_core::arn::SecretArn;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Sqlite, SqliteConnection, Type};

use super::commit::{exactly, put_version, revision, run};
use super::sql::BATCH;
use super::{rows, sql};
use crate::change::{Change, CommitError, Expect};
use crate::error::StoreError;
use crate::record::{SealedVersion, SecretRow};

/// Whether `change` makes a secret and does nothing else, as those that [`create`] takes.
pub(super) fn is_plain(change: &Change) -> bool {
    change.expect == Expect::New && change.remove_versions.is_empty()
}

/// Stores new secrets with their values, as if each had come alone.
pub(super) async fn create(
    connection: &mut SqliteConnection,
    changes: &[Change; BATCH],
) -> Result<(), CommitError> {
    let mut values = SqliteArguments::default();
    for change in changes {
        values = arguments(values, change)?;
    }
    let done = run(connection, sqlx::query_with(sql::INSERT_SECRETS, values)).await?;
    if exactly(BATCH, done).is_err() {
        return Err(CommitError::NameTaken);
    }
    let put: Vec<_> = changes
        .iter()
        .flat_map(|change| change.put.iter().map(|version| (&change.row.arn, version)))
        .collect();
    let (batches, rest) = put.as_chunks();
    for batch in batches {
        put_versions(connection, batch).await?;
    }
    for (arn, version) in rest {
        put_version(connection, arn, version).await?;
    }
    Ok(())
}

async fn put_versions(
    connection: &mut SqliteConnection,
    put: &[(&SecretArn, &SealedVersion); BATCH],
) -> Result<(), StoreError> {
    let mut values = SqliteArguments::default();
    for (arn, version) in put {
        add(&mut values, arn.as_str())?;
        add(&mut values, version.version_id.as_str())?;
        add(&mut values, version.sealed.as_slice())?;
    }
    exactly(BATCH, run(connection, sqlx::query_with(sql::PUT_VERSIONS, values)).await?)
}

/// Adds the values of a new secret's row, in the order of its columns.
pub(super) fn arguments(mut values: SqliteArguments, change: &Change) -> Result<SqliteArguments, StoreError> {
    if change.delete {
        return Err(StoreError::Broken("purging a new secret"));
    }
    let revision = revision(&change.row, 0)?;
    head(&mut values, &change.row, revision)?;
    Ok(values)
}

/// Adds the values of a secret's row, in the order of its columns.
pub(super) fn head(values: &mut SqliteArguments, row: &SecretRow, revision: i64) -> Result<(), StoreError> {
    add(values, row.arn.as_str())?;
    add(values, row.region.as_str())?;
    add(values, row.name.as_str())?;
    add(values, revision)?;
    add(values, row.document.as_str())?;
    add(values, row.created_at.millis())?;
    add(values, row.purge_at.map(Timestamp::millis))?;
    add(values, row.next_rotation_at.map(Timestamp::millis))?;
    add(values, row.rotation_due_at.map(Timestamp::millis))?;
    add(values, row.last_changed_at.millis())?;
    add(values, rows::moment_or_never(row.last_accessed_at))?;
    add(values, row.replica_of.as_ref().map(Region::as_str))
}

pub(super) fn add<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(
    values: &mut SqliteArguments,
    value: T,
) -> Result<(), StoreError> {
    values.add(value).map_err(|_| StoreError::Broken("a value that SQL cannot hold"))
}
