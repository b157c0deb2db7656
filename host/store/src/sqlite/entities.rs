//! Entities, found by their names and keys, and changed together.

use rusqlite::{Connection, Row};

use super::commit::{append, exactly_one, integer};
use super::connection::{Value, all, blob, one, run, transact};
use super::fault::fault;
use super::rows::Reader;
use super::{rows_max, sql};
use crate::change::{CommitError, Expect};
use crate::entity::{ArchivedEntity, EntityChange, EntityRow};
use crate::error::StoreError;

/// A row of an entity.
pub(super) const fn entity<'a>(row: &'a Row<'a>) -> Reader<'a> {
    Reader::new(row, "entities")
}

/// The entity that `statement` finds by kind, region, and name or key.
pub(super) fn find(
    connection: &Connection,
    statement: &str,
    place: [&str; 3],
) -> Result<Option<EntityRow>, StoreError> {
    one(connection, statement, &place.map(Value::from), |row| entity(row).entity())
}

pub(super) fn list(
    connection: &Connection,
    place: [&str; 3],
    limit: u32,
) -> Result<Vec<EntityRow>, StoreError> {
    let [kind, region, after] = place.map(Value::from);
    all(connection, sql::ENTITIES, &[kind, region, after, rows_max(limit)], |row| entity(row).entity())
}

pub(super) fn sealed(
    connection: &Connection,
    after: &[String; 3],
    limit: u32,
) -> Result<Vec<EntityRow>, StoreError> {
    let [kind, region, name] = after.each_ref().map(|text| Value::from(text.as_str()));
    all(connection, sql::SEALED_ENTITIES, &[kind, region, name, rows_max(limit)], |row| entity(row).entity())
}

pub(super) fn version(connection: &Connection) -> Result<u64, StoreError> {
    let found = one(connection, sql::ENTITIES_VERSION, &[], |row| entity(row).number("numbered"))?;
    found.ok_or(StoreError::Corrupt)
}

/// Does all of `changes`, or nothing.
pub(super) fn commit(
    connection: &Connection,
    changes: &[EntityChange],
    audit: &[String],
) -> Result<(), CommitError> {
    transact(connection, |connection| {
        let revision = one(connection, sql::COUNT_ENTITIES, &[], |row| row.get::<_, i64>(0).map_err(fault))?
            .ok_or(StoreError::Corrupt)?;
        for change in changes {
            apply(connection, change, revision)?;
        }
        Ok(append(connection, sql::APPEND_AUDIT, audit)?)
    })
}

fn apply(connection: &Connection, change: &EntityChange, revision: i64) -> Result<(), CommitError> {
    let [kind, region, name] =
        [&change.kind, &change.region, &change.name].map(|text| Value::from(text.as_str()));
    let row = change.row(u64::try_from(revision).map_err(|_| StoreError::Corrupt)?);
    match (change.expect, &row) {
        (Expect::New, None) => return Err(StoreError::Broken("deleting a new entity").into()),
        (Expect::New, Some(row)) => match run(connection, sql::INSERT_ENTITY, &columns(row, revision))? {
            0 => return Err(CommitError::NameTaken),
            done => exactly_one(done)?,
        },
        (Expect::Revision(seen), row) => {
            let expected = [kind, region, name, Value::Integer(integer(seen)?)];
            let done = match row {
                None => run(connection, sql::DELETE_ENTITY, &expected)?,
                Some(row) => {
                    let [kind, region, name, seen] = expected;
                    let [_, _, _, next, document, sealed, mac] = columns(row, revision);
                    let values = [kind, region, name, seen, next, document, sealed, mac];
                    run(connection, sql::UPDATE_ENTITY, &values)?
                }
            };
            match done {
                0 => return Err(CommitError::LostRace),
                done => exactly_one(done)?,
            }
        }
    }
    let keys = change.put.as_ref().and_then(|put| put.keys.as_deref());
    keys.map_or(Ok(()), |keys| name_keys(connection, [kind, region, name], keys))
}

/// A row's columns, in the order in which they are inserted.
fn columns(row: &EntityRow, revision: i64) -> [Value<'_>; 7] {
    [
        Value::from(row.kind.as_str()),
        Value::from(row.region.as_str()),
        Value::from(row.name.as_str()),
        Value::Integer(revision),
        Value::from(row.document.as_str()),
        blob(row.sealed.as_deref()),
        blob(row.mac.bytes()),
    ]
}

/// Gives the entity these keys, and no others.
fn name_keys(connection: &Connection, place: [Value<'_>; 3], keys: &[String]) -> Result<(), CommitError> {
    run(connection, sql::FORGET_KEYS, &place)?;
    add_keys(connection, place, keys)
}

fn add_keys(connection: &Connection, place: [Value<'_>; 3], keys: &[String]) -> Result<(), CommitError> {
    let [kind, region, name] = place;
    for key in keys {
        match run(connection, sql::ADD_KEY, &[kind, region, name, Value::from(key.as_str())])? {
            0 => return Err(CommitError::NameTaken),
            done => exactly_one(done)?,
        }
    }
    Ok(())
}

/// Takes over entities of an export.
pub(super) fn import(connection: &Connection, page: &[ArchivedEntity]) -> Result<(), StoreError> {
    for ArchivedEntity { row, keys } in page {
        let [kind, region, name] = [&row.kind, &row.region, &row.name].map(|text| Value::from(text.as_str()));
        exactly_one(run(connection, sql::INSERT_ENTITY, &columns(row, integer(row.revision)?))?)?;
        add_keys(connection, [kind, region, name], keys)
            .map_err(|_| StoreError::Broken("two entities with the same key"))?;
    }
    Ok(())
}
