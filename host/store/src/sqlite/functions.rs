//! Functions, their code, and what operators approve of them.

use std::time::Duration;

use pawl_core::function::{Digest, FunctionName};
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use rusqlite::{Connection, Row};

use super::commit::{append, exactly_one, integer};
use super::connection::{Value, all, blob, one, run, transact};
use super::rows::Reader;
use super::{rows_max, sql};
use crate::change::{CommitError, Expect};
use crate::error::StoreError;
use crate::function::{
    ApprovalChange, ApprovalRow, ArchivedFunction, FunctionChange, FunctionRow, StoredCode,
};

/// A row of a function.
pub(super) const fn function<'a>(row: &'a Row<'a>) -> Reader<'a> {
    Reader::new(row, "functions")
}

/// A row of an approval.
pub(super) const fn approval<'a>(row: &'a Row<'a>) -> Reader<'a> {
    Reader::new(row, "approvals")
}

/// What a page begins after: nothing is before every name.
fn after(name: Option<&FunctionName>) -> Value<'_> {
    Value::from(name.map_or("", FunctionName::as_str))
}

pub(super) fn load(
    connection: &Connection,
    region: &Region,
    name: &FunctionName,
) -> Result<Option<FunctionRow>, StoreError> {
    let values = [Value::from(region.as_str()), Value::from(name.as_str())];
    one(connection, sql::FUNCTION, &values, |row| function(row).function())
}

pub(super) fn list(
    connection: &Connection,
    region: &Region,
    name: Option<&FunctionName>,
    limit: u32,
) -> Result<Vec<FunctionRow>, StoreError> {
    let values = [Value::from(region.as_str()), after(name), rows_max(limit)];
    all(connection, sql::FUNCTIONS, &values, |row| function(row).function())
}

pub(super) fn code(connection: &Connection, digest: &Digest) -> Result<Option<StoredCode>, StoreError> {
    let digest = digest.to_string();
    one(connection, sql::CODE, &[Value::from(digest.as_str())], |row| Reader::new(row, "code").code())
}

pub(super) fn load_approval(
    connection: &Connection,
    region: &Region,
    name: &FunctionName,
) -> Result<Option<ApprovalRow>, StoreError> {
    let values = [Value::from(region.as_str()), Value::from(name.as_str())];
    one(connection, sql::APPROVAL, &values, |row| approval(row).approval())
}

pub(super) fn list_approvals(
    connection: &Connection,
    region: &Region,
    name: Option<&FunctionName>,
    limit: u32,
) -> Result<Vec<ApprovalRow>, StoreError> {
    let values = [Value::from(region.as_str()), after(name), rows_max(limit)];
    all(connection, sql::APPROVALS, &values, |row| approval(row).approval())
}

/// Does all of `change`, or nothing.
pub(super) fn commit(connection: &Connection, change: &FunctionChange) -> Result<(), CommitError> {
    transact(connection, |connection| {
        if let Some(code) = change.code.as_ref().filter(|_| !change.delete) {
            put_code(connection, code)?;
        }
        match change.expect {
            Expect::New => insert(connection, change)?,
            Expect::Revision(seen) => replace(connection, change, seen)?,
        }
        if !change.delete {
            name_code(connection, &change.row.id, &change.names)?;
        }
        append(connection, sql::APPEND_AUDIT, &change.audit)?;
        append(connection, sql::APPEND_EVENT, &change.events)?;
        Ok(())
    })
}

fn put_code(connection: &Connection, code: &StoredCode) -> Result<(), StoreError> {
    let digest = code.digest.to_string();
    let values = [
        Value::from(digest.as_str()),
        Value::from(code.document.as_str()),
        Value::Blob(&code.component),
        blob(code.mac.bytes()),
    ];
    exactly_one(run(connection, sql::PUT_CODE, &values)?)
}

fn insert(connection: &Connection, change: &FunctionChange) -> Result<(), CommitError> {
    if change.delete {
        return Err(StoreError::Broken("deleting a new function").into());
    }
    match run(connection, sql::INSERT_FUNCTION, &columns(&change.row, revision(&change.row, 0)?))? {
        0 => Err(CommitError::NameTaken),
        done => Ok(exactly_one(done)?),
    }
}

fn columns(row: &FunctionRow, revision: i64) -> [Value<'_>; 6] {
    [
        Value::from(row.id.as_str()),
        Value::from(row.region.as_str()),
        Value::from(row.name.as_str()),
        Value::Integer(revision),
        Value::from(row.document.as_str()),
        blob(row.mac.bytes()),
    ]
}

fn replace(connection: &Connection, change: &FunctionChange, seen: u64) -> Result<(), CommitError> {
    let row = &change.row;
    let expected = [Value::from(row.id.as_str()), Value::Integer(integer(seen)?)];
    let done = if change.delete {
        run(connection, sql::DELETE_FUNCTION, &expected)?
    } else {
        let [id, seen_revision] = expected;
        let next = Value::Integer(revision(row, seen)?);
        let values = [id, seen_revision, next, Value::from(row.document.as_str()), blob(row.mac.bytes())];
        run(connection, sql::UPDATE_FUNCTION, &values)?
    };
    if done == 0 { Err(CommitError::LostRace) } else { Ok(exactly_one(done)?) }
}

/// The row's revision, which must follow the one that was seen.
fn revision(row: &FunctionRow, seen: u64) -> Result<i64, StoreError> {
    if seen.checked_add(1) != Some(row.revision) {
        return Err(StoreError::Broken("a revision that does not follow"));
    }
    integer(row.revision)
}

fn name_code<'a>(
    connection: &Connection,
    id: &str,
    names: impl IntoIterator<Item = &'a Digest>,
) -> Result<(), StoreError> {
    let id = Value::from(id);
    run(connection, sql::FORGET_NAMES, &[id])?;
    for digest in names {
        let digest = digest.to_string();
        exactly_one(run(connection, sql::NAME_CODE, &[id, Value::from(digest.as_str())])?)?;
        run(connection, sql::USE_CODE, &[Value::from(digest.as_str())])?;
    }
    Ok(())
}

/// Notes what is not named since now, and deletes what was not for long and runs nowhere.
pub(super) fn sweep(connection: &Connection, wall: Timestamp, kept: Duration) -> Result<u64, StoreError> {
    transact(connection, |connection| {
        run(connection, sql::MARK_USED, &[])?;
        run(connection, sql::MARK_UNUSED, &[Value::Integer(wall.millis())])?;
        let swept = run(connection, sql::SWEEP_CODE, &[Value::Integer((wall - kept).millis())])?;
        Ok(u64::try_from(swept).unwrap_or(u64::MAX))
    })
}

/// Gives or takes back an approval.
pub(super) fn approve(connection: &Connection, change: &ApprovalChange) -> Result<(), StoreError> {
    transact(connection, |connection| {
        let (region, name) = (Value::from(change.region.as_str()), Value::from(change.name.as_str()));
        match &change.document {
            Some(document) => {
                let values = [region, name, Value::from(document.as_str()), blob(change.mac.bytes())];
                exactly_one(run(connection, sql::PUT_APPROVAL, &values)?)?;
            }
            None => {
                run(connection, sql::DELETE_APPROVAL, &[region, name])?;
            }
        }
        append(connection, sql::APPEND_AUDIT, &change.audit)?;
        append(connection, sql::APPEND_EVENT, &change.events)
    })
}

/// Takes over code of an export.
pub(super) fn import_code(connection: &Connection, code: &StoredCode) -> Result<(), StoreError> {
    put_code(connection, code)
}

/// Takes over functions of an export.
pub(super) fn import(connection: &Connection, page: &[ArchivedFunction]) -> Result<(), StoreError> {
    for ArchivedFunction { row, names } in page {
        exactly_one(run(connection, sql::INSERT_FUNCTION, &columns(row, integer(row.revision)?))?)?;
        name_code(connection, &row.id, names)?;
    }
    Ok(())
}

/// Takes over approvals of an export.
pub(super) fn import_approvals(connection: &Connection, page: &[ApprovalRow]) -> Result<(), StoreError> {
    for row in page {
        let [region, name, document] =
            [row.region.as_str(), row.name.as_str(), row.document.as_str()].map(Value::from);
        let values = [region, name, document, blob(row.mac.bytes())];
        exactly_one(run(connection, sql::PUT_APPROVAL, &values)?)?;
    }
    Ok(())
}
