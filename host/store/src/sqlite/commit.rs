//! Changes that happen together, in one transaction.

use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use rusqlite::Connection;

use super::connection::{Value, blob, number, one, run, text, transact};
use super::{rows, sql};
use crate::change::{Change, CommitError, Expect};
use crate::error::StoreError;
use crate::record::{RotationState, SecretRow};
use pawl_core::limits;

type Verdict = Result<(), CommitError>;

/// Commits each of several calls' changes, or nothing of that call, in one transaction; answers how each went. The error is that
/// of the store, and of all of them.
pub(super) fn commit(connection: &Connection, calls: &[&[Change]]) -> Result<Vec<Verdict>, StoreError> {
    match calls {
        [] => Ok(Vec::new()),
        [alone] => Ok(vec![transact(connection, |connection| apply_all(connection, alone))]),
        several => match transact(connection, |connection| together(connection, several)) {
            Ok(verdicts) => Ok(verdicts),
            Err(Stopped::Failed(error)) => Err(error),
            Err(Stopped::HalfDone) => transact(connection, |connection| apart(connection, several)),
        },
    }
}

/// Why calls did not go together.
enum Stopped {
    Failed(StoreError),
    /// One call was refused after it had changed something, which must be undone without the others.
    HalfDone,
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// The common case: who is refused has changed nothing yet, so nothing must be undone for him. What would undo it costs more than
/// the change: a copy of every page.
fn together(connection: &Connection, calls: &[&[Change]]) -> Result<Vec<Verdict>, Stopped> {
    let mut verdicts = Vec::with_capacity(calls.len());
    for changes in calls {
        let before = connection.total_changes();
        let verdict = apply_all(connection, changes);
        match &verdict {
            Ok(()) => {}
            Err(CommitError::Store(error)) if error.is_of_the_store() => {
                return Err(Stopped::Failed(error.clone()));
            }
            Err(CommitError::Store(_)) => return Err(Stopped::HalfDone),
            Err(_) if connection.total_changes() != before => return Err(Stopped::HalfDone),
            Err(_) => {}
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Each call so that it can be undone alone.
fn apart(connection: &Connection, calls: &[&[Change]]) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts = Vec::with_capacity(calls.len());
    for changes in calls {
        run(connection, sql::SAVEPOINT, &[])?;
        let verdict = apply_all(connection, changes);
        match &verdict {
            Ok(()) => {}
            Err(CommitError::Store(error)) if error.is_of_the_store() => return Err(error.clone()),
            Err(_) => {
                run(connection, sql::ROLLBACK_TO_SAVEPOINT, &[])?;
            }
        }
        run(connection, sql::RELEASE_SAVEPOINT, &[])?;
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

fn apply_all(connection: &Connection, changes: &[Change]) -> Verdict {
    for change in changes {
        apply(connection, change)?;
    }
    append(connection, sql::APPEND_AUDIT, changes.iter().flat_map(|change| &change.audit))?;
    append(connection, sql::APPEND_EVENT, changes.iter().flat_map(|change| &change.events))?;
    Ok(())
}

/// Does what `change` does to its secret.
fn apply(connection: &Connection, change: &Change) -> Verdict {
    match change.expect {
        Expect::New => insert(connection, change)?,
        Expect::Revision(seen) => replace(connection, change, seen)?,
    }
    if change.delete {
        return Ok(());
    }
    let arn = Value::from(change.row.arn.as_str());
    for version in &change.put {
        let values = [arn, Value::from(version.version_id.as_str()), Value::Blob(version.sealed.as_slice())];
        exactly_one(run(connection, sql::PUT_VERSION, &values)?)?;
    }
    for version_id in &change.remove_versions {
        run(connection, sql::REMOVE_VERSION, &[arn, Value::from(version_id.as_str())])?;
    }
    keep_rotations(connection, change)
}

/// Adds the rotations that have ended, and forgets the oldest for them.
fn keep_rotations(connection: &Connection, change: &Change) -> Verdict {
    let arn = Value::from(change.row.arn.as_str());
    for ended in &change.rotations {
        let values = [
            arn,
            Value::from(ended.token.as_str()),
            Value::from(ended.status.as_str()),
            Value::Integer(ended.requested_at.millis()),
            Value::Integer(ended.finished_at.millis()),
            Value::from(ended.document.as_str()),
        ];
        exactly_one(run(connection, sql::KEEP_ROTATION, &values)?)?;
    }
    if !change.rotations.is_empty() {
        let kept = Value::Integer(i64::from(limits::ROTATIONS_KEPT));
        run(connection, sql::FORGET_ROTATIONS, &[arn, kept])?;
    }
    Ok(())
}

fn insert(connection: &Connection, change: &Change) -> Verdict {
    if change.delete {
        return Err(StoreError::Broken("purging a new secret").into());
    }
    let row = &change.row;
    let done = run(
        connection,
        sql::INSERT_SECRET,
        &[
            Value::from(row.arn.as_str()),
            Value::from(row.region.as_str()),
            Value::from(row.name.as_str()),
            Value::Integer(revision(row, 0)?),
            Value::from(row.document.as_str()),
            Value::Integer(row.created_at.millis()),
            number(row.purge_at.map(Timestamp::millis)),
            number(row.next_rotation_at.map(Timestamp::millis)),
            number(row.rotation_due_at.map(Timestamp::millis)),
            Value::Integer(row.last_changed_at.millis()),
            Value::Integer(rows::moment_or_never(row.last_accessed_at)),
            text(row.replica_of.as_ref().map(Region::as_str)),
            text(row.rotation_state.map(RotationState::as_str)),
            blob(row.mac.bytes()),
        ],
    )?;
    if done == 0 { Err(CommitError::NameTaken) } else { Ok(exactly_one(done)?) }
}

/// Updates or purges the secret at revision `seen`, under the change's fence.
fn replace(connection: &Connection, change: &Change, seen: u64) -> Verdict {
    let row = &change.row;
    let expected = [
        Value::from(row.arn.as_str()),
        Value::Integer(integer(seen)?),
        number(change.fence.map(integer).transpose()?),
    ];
    let done = if change.delete {
        run(connection, sql::DELETE_SECRET, &expected)?
    } else {
        let [arn, seen_revision, fence] = expected;
        let values = [
            arn,
            seen_revision,
            fence,
            Value::Integer(revision(row, seen)?),
            Value::from(row.document.as_str()),
            number(row.purge_at.map(Timestamp::millis)),
            Value::Integer(rows::moment_or_never(row.last_accessed_at)),
            Value::Integer(row.last_changed_at.millis()),
            number(row.next_rotation_at.map(Timestamp::millis)),
            number(row.rotation_due_at.map(Timestamp::millis)),
            text(row.replica_of.as_ref().map(Region::as_str)),
            text(row.rotation_state.map(RotationState::as_str)),
            blob(row.mac.bytes()),
        ];
        update(connection, change.release_lease, &values)?
    };
    if done == 0 { Err(why_not(connection, change)?) } else { Ok(exactly_one(done)?) }
}

/// Updates the secret's row with as few of its columns as will do: the first statement that finds it as it is to be. One that does
/// not find it costs a look.
fn update(connection: &Connection, release_lease: bool, values: &[Value<'_>]) -> Result<usize, StoreError> {
    let statements: &[&str] = if release_lease {
        &[sql::UPDATE_SECRET_AND_RELEASE, sql::UPDATE_SECRET_AND_PLACE_AND_RELEASE]
    } else {
        &[sql::UPDATE_DOCUMENT, sql::UPDATE_SECRET, sql::UPDATE_SECRET_AND_PLACE]
    };
    for statement in statements {
        let done = run(connection, statement, values)?;
        if done > 0 {
            return Ok(done);
        }
    }
    Ok(0)
}

/// Why nothing was replaced: another holder, or another change.
fn why_not(connection: &Connection, change: &Change) -> Result<CommitError, StoreError> {
    let Some(fence) = change.fence else { return Ok(CommitError::LostRace) };
    let held = one(connection, sql::EPOCH, &[Value::from(change.row.arn.as_str())], |row| {
        rows::Reader::new(row, "secrets").number("lease_epoch")
    })?;
    Ok(if held == Some(fence) { CommitError::LostRace } else { CommitError::Fenced })
}

/// Adds `records` to a table, in their order.
pub(super) fn append<'a>(
    connection: &Connection,
    statement: &str,
    records: impl IntoIterator<Item = &'a String>,
) -> Result<(), StoreError> {
    for record in records {
        exactly_one(run(connection, statement, &[Value::from(record.as_str())])?)?;
    }
    Ok(())
}

pub(super) const fn exactly_one(done: usize) -> Result<(), StoreError> {
    if done == 1 {
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
