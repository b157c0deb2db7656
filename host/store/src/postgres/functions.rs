//! Functions, their code, and what operators approve of them.

use std::time::Duration;

use pawl_core::function::Digest;
use pawl_core::world::Timestamp;
use sqlx::{Executor, PgConnection};

use super::commit::{append, exactly, finish, integer, undo};
use super::fault::Failure;
use super::primary::{Limit, Work};
use super::sql;
use crate::change::{CommitError, Expect};
use crate::error::StoreError;
use crate::function::{
    ApprovalChange, ApprovalRow, ArchivedFunction, FunctionChange, FunctionRow, StoredCode,
};

/// All of the change, or nothing of it.
pub(super) struct Commit(pub(super) FunctionChange);

impl Work for Commit {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::BEGIN).await?;
        match apply(connection, &self.0).await {
            Ok(()) => finish(connection).await,
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

async fn apply(connection: &mut PgConnection, change: &FunctionChange) -> Result<(), Failure> {
    if let Some(code) = change.code.as_ref().filter(|_| !change.delete) {
        put_code(connection, code).await?;
    }
    match change.expect {
        Expect::New => insert(connection, change).await?,
        Expect::Revision(seen) => replace(connection, change, seen).await?,
    }
    if !change.delete {
        name_code(connection, &change.row.id, change.names.iter()).await?;
    }
    append(connection, sql::APPEND_AUDIT, change.audit.iter()).await?;
    append(connection, sql::APPEND_EVENTS, change.events.iter()).await
}

async fn put_code(connection: &mut PgConnection, code: &StoredCode) -> Result<(), Failure> {
    let query = sqlx::query(sql::PUT_CODE)
        .bind(code.digest.to_string())
        .bind(&code.document)
        .bind(code.component.as_slice())
        .bind(code.mac.bytes());
    Ok(exactly(1, query.execute(connection).await?.rows_affected())?)
}

async fn insert(connection: &mut PgConnection, change: &FunctionChange) -> Result<(), Failure> {
    if change.delete {
        return Err(StoreError::Broken("deleting a new function").into());
    }
    match add(connection, &change.row, revision(&change.row, 0)?).await? {
        0 => Err(Failure::Verdict(CommitError::NameTaken)),
        done => Ok(exactly(1, done)?),
    }
}

async fn add(connection: &mut PgConnection, row: &FunctionRow, revision: i64) -> Result<u64, Failure> {
    let query = sqlx::query(sql::INSERT_FUNCTION)
        .bind(&row.id)
        .bind(row.region.as_str())
        .bind(row.name.as_str())
        .bind(revision)
        .bind(&row.document)
        .bind(row.mac.bytes());
    Ok(query.execute(connection).await?.rows_affected())
}

async fn replace(connection: &mut PgConnection, change: &FunctionChange, seen: u64) -> Result<(), Failure> {
    let row = &change.row;
    let query = if change.delete {
        sqlx::query(sql::DELETE_FUNCTION).bind(&row.id).bind(integer(seen)?)
    } else {
        let next = revision(row, seen)?;
        let query = sqlx::query(sql::UPDATE_FUNCTION).bind(&row.id).bind(integer(seen)?).bind(next);
        query.bind(&row.document).bind(row.mac.bytes())
    };
    match query.execute(connection).await?.rows_affected() {
        0 => Err(Failure::Verdict(CommitError::LostRace)),
        done => Ok(exactly(1, done)?),
    }
}

/// The row's revision, which must follow the one that was seen.
fn revision(row: &FunctionRow, seen: u64) -> Result<i64, StoreError> {
    if seen.checked_add(1) != Some(row.revision) {
        return Err(StoreError::Broken("a revision that does not follow"));
    }
    integer(row.revision)
}

async fn name_code(
    connection: &mut PgConnection,
    id: &str,
    names: impl Iterator<Item = &Digest>,
) -> Result<(), Failure> {
    let names: Vec<String> = names.map(Digest::to_string).collect();
    sqlx::query(sql::FORGET_NAMES).bind(id).execute(&mut *connection).await?;
    // First, so that a sweep which is about to delete it looks again.
    sqlx::query(sql::USE_CODE).bind(&names).execute(&mut *connection).await?;
    let done = sqlx::query(sql::NAME_CODE).bind(id).bind(&names).execute(connection).await?.rows_affected();
    Ok(exactly(names.len(), done)?)
}

/// Notes what is not named since now, and deletes what was not for long and runs nowhere.
pub(super) struct Sweep {
    pub(super) wall: Timestamp,
    pub(super) kept: Duration,
}

impl Work for Sweep {
    type Answer = u64;
    // What is gone is not counted twice, but nothing else comes of it.
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        // Each is a transaction of its own: nothing is wrong if only the first is done.
        connection.execute(sql::MARK_USED).await?;
        sqlx::query(sql::MARK_UNUSED).bind(self.wall.millis()).execute(&mut *connection).await?;
        let before = (self.wall - self.kept).millis();
        Ok(sqlx::query(sql::SWEEP_CODE).bind(before).execute(connection).await?.rows_affected())
    }
}

/// Gives or takes back an approval.
pub(super) struct Approve(pub(super) ApprovalChange);

impl Work for Approve {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::BEGIN).await?;
        match approve(connection, &self.0).await {
            Ok(()) => finish(connection).await,
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

async fn approve(connection: &mut PgConnection, change: &ApprovalChange) -> Result<(), Failure> {
    let (region, name) = (change.region.as_str(), change.name.as_str());
    match &change.document {
        Some(document) => {
            let query = sqlx::query(sql::PUT_APPROVAL).bind(region).bind(name).bind(document);
            let query = query.bind(change.mac.bytes());
            exactly(1, query.execute(&mut *connection).await?.rows_affected())?;
        }
        None => {
            sqlx::query(sql::DELETE_APPROVAL).bind(region).bind(name).execute(&mut *connection).await?;
        }
    }
    append(connection, sql::APPEND_AUDIT, change.audit.iter()).await?;
    append(connection, sql::APPEND_EVENTS, change.events.iter()).await
}

/// Takes over code of an export.
pub(super) async fn import_code(connection: &mut PgConnection, code: &StoredCode) -> Result<(), Failure> {
    put_code(connection, code).await
}

/// Takes over functions of an export.
pub(super) async fn import(connection: &mut PgConnection, page: &[ArchivedFunction]) -> Result<(), Failure> {
    for ArchivedFunction { row, names } in page {
        exactly(1, add(connection, row, integer(row.revision)?).await?)?;
        name_code(connection, &row.id, names.iter()).await?;
    }
    Ok(())
}

/// Takes over approvals of an export.
pub(super) async fn import_approvals(
    connection: &mut PgConnection,
    page: &[ApprovalRow],
) -> Result<(), Failure> {
    for row in page {
        let query = sqlx::query(sql::PUT_APPROVAL)
            .bind(row.region.as_str())
            .bind(row.name.as_str())
            .bind(&row.document)
            .bind(row.mac.bytes());
        exactly(1, query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}
