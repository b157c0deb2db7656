//! Changes that happen together, in one transaction.

use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use sqlx::postgres::PgArguments;
use sqlx::{Executor, PgConnection, Postgres};
use std::collections::BTreeMap;

use super::fault::{Failure, is_lost};
use super::primary::{Limit, Work};
use super::{rows, sql};
use crate::change::{Change, CommitError, Expect};
use crate::error::StoreError;
use crate::record::{RotationState, SecretRow};

/// All of these changes, or nothing of them.
pub(super) struct Commit(pub(super) Vec<Change>);

impl Work for Commit {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        if let [change] = self.0.as_slice()
            && is_one_statement(change)
        {
            return alone(connection, change).await;
        }
        connection.execute(sql::BEGIN).await?;
        match apply_all(connection, &self.0).await {
            Ok(()) => finish(connection).await,
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

/// The last word of a transaction.
pub(super) async fn finish(connection: &mut PgConnection) -> Result<(), Failure> {
    connection.execute(sql::COMMIT).await.map_err(Failure::of_last_word)?;
    Ok(())
}

/// Ends a transaction after a failure, which it answers, or the worse one of not even that being possible.
pub(super) async fn undo(connection: &mut PgConnection, failure: Failure) -> Failure {
    match failure {
        Failure::Undone(error) if is_lost(&error) => Failure::Undone(error),
        failure => match connection.execute(sql::ROLLBACK).await {
            Ok(_) => failure,
            Err(error) => Failure::Undone(error),
        },
    }
}

fn verdict(error: CommitError) -> Failure {
    Failure::Verdict(error)
}

async fn apply_all(connection: &mut PgConnection, changes: &[Change]) -> Result<(), Failure> {
    lock(connection, changes).await?;
    // New ones in a row go in many at once.
    for alike in changes.chunk_by(|one, next| is_plain(one) && is_plain(next)) {
        match alike {
            [change] if !is_plain(change) => apply(connection, change).await?,
            plain => {
                for batch in plain.chunks(limits::STORE_PG_ROWS_AT_ONCE) {
                    create(connection, batch).await?;
                }
            }
        }
    }
    append(connection, sql::APPEND_AUDIT, changes.iter().flat_map(|change| &change.audit)).await?;
    append(connection, sql::APPEND_EVENTS, changes.iter().flat_map(|change| &change.events)).await
}

/// Whether `change` makes a secret and does nothing else.
fn is_plain(change: &Change) -> bool {
    change.expect == Expect::New && change.remove_versions.is_empty() && change.rotations.is_empty()
}

/// Whether the whole change is one statement: the common ones are. Removing values beside putting others is not, for the parts
/// of one statement do not see each other; nor is keeping a rotation, whose number and whose secret's oldest are to be found.
const fn is_one_statement(change: &Change) -> bool {
    !change.delete && change.remove_versions.is_empty() && change.rotations.is_empty()
}

/// Does a change that is one statement, and commits itself.
async fn alone(connection: &mut PgConnection, change: &Change) -> Result<(), Failure> {
    let query = match change.expect {
        Expect::New => insert(change)?,
        Expect::Revision(seen) => update(sql::CHANGE_ONE, change, seen)?,
    };
    let put = last_of_each(std::slice::from_ref(change));
    let query = query
        .bind(put.iter().map(|((_, version), _)| *version).collect::<Vec<_>>())
        .bind(put.iter().map(|(_, sealed)| *sealed).collect::<Vec<_>>())
        .bind(&change.audit)
        .bind(&change.events);
    let done = query.fetch_all(&mut *connection).await.map_err(Failure::of_last_word)?;
    match (done.len(), change.expect) {
        (0, Expect::New) => Err(verdict(CommitError::NameTaken)),
        (0, Expect::Revision(_)) => Err(verdict(why_not(connection, change).await?)),
        _ => Ok(()),
    }
}

fn insert(change: &Change) -> Result<Query<'_>, StoreError> {
    let row = &change.row;
    Ok(sqlx::query(sql::CREATE_ONE)
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
        .bind(row.rotation_state.map(RotationState::as_str))
        .bind(row.mac.bytes()))
}

/// Locks the secrets that several changes will touch, in one order for all hosts. One alone is locked by being changed.
async fn lock(connection: &mut PgConnection, changes: &[Change]) -> Result<(), Failure> {
    let there = changes.iter().filter(|change| change.expect != Expect::New);
    let arns: Vec<&str> = there.map(|change| change.row.arn.as_str()).collect();
    if arns.len() > 1 {
        sqlx::query(sql::LOCK_SECRETS).bind(arns).fetch_all(connection).await?;
    }
    Ok(())
}

/// Does what `change` does to its secret.
async fn apply(connection: &mut PgConnection, change: &Change) -> Result<(), Failure> {
    match change.expect {
        Expect::New => create(connection, std::slice::from_ref(change)).await?,
        Expect::Revision(seen) => replace(connection, change, seen).await?,
    }
    if change.delete {
        return Ok(());
    }
    if change.expect != Expect::New {
        put_versions(connection, std::slice::from_ref(change)).await?;
    }
    if !change.remove_versions.is_empty() {
        let gone: Vec<&str> = change.remove_versions.iter().map(|version| version.as_str()).collect();
        run(connection, sqlx::query(sql::REMOVE_VERSIONS).bind(change.row.arn.as_str()).bind(gone)).await?;
    }
    keep_rotations(connection, change).await
}

/// Adds the rotations that have ended, and forgets the oldest for them.
async fn keep_rotations(connection: &mut PgConnection, change: &Change) -> Result<(), Failure> {
    let arn = change.row.arn.as_str();
    for ended in &change.rotations {
        let query = sqlx::query(sql::KEEP_ROTATION)
            .bind(arn)
            .bind(ended.token.as_str())
            .bind(&ended.status)
            .bind(ended.requested_at.millis())
            .bind(ended.finished_at.millis())
            .bind(&ended.document);
        exactly(1, run(connection, query).await?)?;
    }
    if !change.rotations.is_empty() {
        let kept = i64::from(limits::ROTATIONS_KEPT);
        run(connection, sqlx::query(sql::FORGET_ROTATIONS).bind(arn).bind(kept)).await?;
    }
    Ok(())
}

/// Stores new secrets with their values, as if each had come alone.
async fn create(connection: &mut PgConnection, changes: &[Change]) -> Result<(), Failure> {
    if changes.iter().any(|change| change.delete) {
        return Err(StoreError::Broken("purging a new secret").into());
    }
    let mut revisions = Vec::with_capacity(changes.len());
    for change in changes {
        revisions.push(revision(&change.row, 0)?);
    }
    let texts = |of: fn(&SecretRow) -> &str| changes.iter().map(|change| of(&change.row)).collect::<Vec<_>>();
    let moments = |of: fn(&SecretRow) -> Option<Timestamp>| {
        changes.iter().map(|change| of(&change.row).map(Timestamp::millis)).collect::<Vec<_>>()
    };
    let accessed: Vec<i64> =
        changes.iter().map(|change| rows::moment_or_never(change.row.last_accessed_at)).collect();
    let replica_of: Vec<Option<&str>> =
        changes.iter().map(|change| change.row.replica_of.as_ref().map(Region::as_str)).collect();
    let rotation_state: Vec<Option<&str>> =
        changes.iter().map(|change| change.row.rotation_state.map(RotationState::as_str)).collect();
    let query = sqlx::query(sql::INSERT_SECRETS)
        .bind(texts(|row| row.arn.as_str()))
        .bind(texts(|row| row.region.as_str()))
        .bind(texts(|row| row.name.as_str()))
        .bind(revisions)
        .bind(texts(|row| &row.document))
        .bind(moments(|row| Some(row.created_at)))
        .bind(moments(|row| row.purge_at))
        .bind(moments(|row| row.next_rotation_at))
        .bind(moments(|row| row.rotation_due_at))
        .bind(moments(|row| Some(row.last_changed_at)))
        .bind(accessed)
        .bind(replica_of)
        .bind(rotation_state)
        .bind(changes.iter().map(|change| change.row.mac.bytes()).collect::<Vec<_>>());
    let done = run(connection, query).await?;
    if exactly(changes.len(), done).is_err() {
        return Err(verdict(CommitError::NameTaken));
    }
    put_versions(connection, changes).await
}

/// Updates or purges the secret at revision `seen`, under the change's fence.
async fn replace(connection: &mut PgConnection, change: &Change, seen: u64) -> Result<(), Failure> {
    let query = if change.delete {
        expected(sql::DELETE_SECRET, change, seen)?
    } else {
        update(sql::UPDATE_SECRET, change, seen)?
    };
    match run(connection, query).await? {
        0 => Err(verdict(why_not(connection, change).await?)),
        done => Ok(exactly(1, done)?),
    }
}

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

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
        .bind(change.release_lease)
        .bind(row.rotation_state.map(RotationState::as_str))
        .bind(row.mac.bytes()))
}

/// How many rows the query has changed.
async fn run(connection: &mut PgConnection, query: Query<'_>) -> Result<u64, sqlx::Error> {
    Ok(query.execute(connection).await?.rows_affected())
}

/// Why nothing was replaced: another holder, or another change.
async fn why_not(connection: &mut PgConnection, change: &Change) -> Result<CommitError, Failure> {
    let Some(fence) = change.fence else { return Ok(CommitError::LostRace) };
    let query = sqlx::query_scalar(sql::EPOCH).bind(change.row.arn.as_str());
    let epoch: Option<i64> = query.fetch_all(connection).await?.pop();
    let held = epoch == Some(integer(fence)?);
    Ok(if held { CommitError::LostRace } else { CommitError::Fenced })
}

type Value<'a> = ((&'a str, &'a str), &'a [u8]);

/// The values of `changes`, by ARN and version. Of one that is put twice the last counts, as if they came one after the other.
fn last_of_each(changes: &[Change]) -> Vec<Value<'_>> {
    let put: BTreeMap<_, _> = changes
        .iter()
        .flat_map(|change| change.put.iter().map(|version| (&change.row.arn, version)))
        .map(|(arn, version)| {
            ((SecretArn::as_str(arn), version.version_id.as_str()), version.sealed.as_slice())
        })
        .collect();
    put.into_iter().collect()
}

async fn put_versions(connection: &mut PgConnection, changes: &[Change]) -> Result<(), Failure> {
    let put = last_of_each(changes);
    for batch in put.chunks(limits::STORE_PG_ROWS_AT_ONCE) {
        let arns: Vec<&str> = batch.iter().map(|((arn, _), _)| *arn).collect();
        let versions: Vec<&str> = batch.iter().map(|((_, version), _)| *version).collect();
        let sealed: Vec<&[u8]> = batch.iter().map(|(_, sealed)| *sealed).collect();
        let query = sqlx::query(sql::PUT_VERSIONS).bind(arns).bind(versions).bind(sealed);
        exactly(batch.len(), run(connection, query).await?)?;
    }
    Ok(())
}

/// Adds `records` to a table, in their order.
pub(super) async fn append<'a>(
    connection: &mut PgConnection,
    statement: &'static str,
    records: impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    let records: Vec<&str> = records.map(String::as_str).collect();
    if records.is_empty() {
        return Ok(());
    }
    let added = records.len();
    Ok(exactly(added, run(connection, sqlx::query(statement).bind(records)).await?)?)
}

pub(super) fn exactly(expected: usize, done: u64) -> Result<(), StoreError> {
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
