//! Entities, changed together. Whoever changes some holds the row that counts their changes: such changes are rare, and so they
//! take turns, and none of them is seen before one with a lower number.

use sqlx::{Executor, PgConnection};

use super::commit::{append, exactly, finish, integer, undo};
use super::fault::Failure;
use super::primary::{Limit, Work};
use super::rows::Reader;
use super::sql;
use crate::change::{CommitError, Expect};
use crate::entity::{ArchivedEntity, EntityChange, EntityRow};
use crate::error::StoreError;

/// All of the changes, or nothing of them.
pub(super) struct Commit {
    pub(super) changes: Vec<EntityChange>,
    pub(super) audit: Vec<String>,
}

impl Work for Commit {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::BEGIN).await?;
        match apply_all(connection, self).await {
            Ok(()) => finish(connection).await,
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

async fn apply_all(connection: &mut PgConnection, commit: &Commit) -> Result<(), Failure> {
    let counted = sqlx::query(sql::COUNT_ENTITIES).fetch_all(&mut *connection).await?;
    let counted = counted.first().ok_or(StoreError::Corrupt)?;
    let revision: i64 = Reader::new(counted, "counters").get("numbered")?;
    for change in &commit.changes {
        apply(connection, change, revision).await?;
    }
    append(connection, sql::APPEND_AUDIT, commit.audit.iter()).await
}

async fn apply(connection: &mut PgConnection, change: &EntityChange, revision: i64) -> Result<(), Failure> {
    let EntityChange { kind, region, name, expect, .. } = change;
    let row = change.row(u64::try_from(revision).map_err(|_| StoreError::Corrupt)?);
    let (query, otherwise) = match (expect, &row) {
        (Expect::New, None) => return Err(StoreError::Broken("deleting a new entity").into()),
        (Expect::New, Some(row)) => (insert(row)?, CommitError::NameTaken),
        (Expect::Revision(seen), row) => {
            let text = if row.is_some() { sql::UPDATE_ENTITY } else { sql::DELETE_ENTITY };
            let query = sqlx::query(text).bind(kind).bind(region).bind(name).bind(integer(*seen)?);
            let query = match row {
                Some(row) => {
                    query.bind(revision).bind(&row.document).bind(row.sealed.as_deref()).bind(row.mac.bytes())
                }
                None => query,
            };
            (query, CommitError::LostRace)
        }
    };
    match query.execute(&mut *connection).await?.rows_affected() {
        0 => return Err(Failure::Verdict(otherwise)),
        done => exactly(1, done)?,
    }
    let Some(keys) = change.put.as_ref().and_then(|put| put.keys.as_ref()) else { return Ok(()) };
    sqlx::query(sql::FORGET_KEYS).bind(kind).bind(region).bind(name).execute(&mut *connection).await?;
    if add_keys(connection, [kind, region, name], keys).await? {
        Ok(())
    } else {
        Err(Failure::Verdict(CommitError::NameTaken))
    }
}

fn insert(row: &EntityRow) -> Result<super::Query<'_>, StoreError> {
    Ok(sqlx::query(sql::INSERT_ENTITY)
        .bind(&row.kind)
        .bind(&row.region)
        .bind(&row.name)
        .bind(integer(row.revision)?)
        .bind(&row.document)
        .bind(row.sealed.as_deref())
        .bind(row.mac.bytes()))
}

/// Whether all of the keys were free.
async fn add_keys(
    connection: &mut PgConnection,
    [kind, region, name]: [&String; 3],
    keys: &[String],
) -> Result<bool, Failure> {
    let query = sqlx::query(sql::ADD_KEYS).bind(kind).bind(region).bind(name).bind(keys);
    Ok(exactly(keys.len(), query.execute(connection).await?.rows_affected()).is_ok())
}

/// Takes over entities of an export.
pub(super) async fn import(connection: &mut PgConnection, page: &[ArchivedEntity]) -> Result<(), Failure> {
    for ArchivedEntity { row, keys } in page {
        exactly(1, insert(row)?.execute(&mut *connection).await?.rows_affected())?;
        if !add_keys(connection, [&row.kind, &row.region, &row.name], keys).await? {
            return Err(StoreError::Broken("two entities with the same key").into());
        }
    }
    Ok(())
}
