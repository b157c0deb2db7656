//! Entities, found by their names and keys, and changed together.

use rusqlite::{Connection, Row};

use super::commit::{append, exactly_one, integer};
use super::connection::{Value, all, one, run, transact};
use super::fault::fault;
use super::rows::Reader;
use super::{rows_max, sql};
use crate::change::{CommitError, Expect};
use crate::entity::{ArchivedEntity, EntityChange, EntityPut, EntityRow};
use crate::error::StoreError;

/// A row of an entity.
pub(super) const fn entity<'a>(row: &'a Row<'a>) -> Reader<'a> {
    Reader::new(row, "entities")
}

fn blob(bytes: Option<&Vec<u8>>) -> Value<'_> {
    bytes.map_or(Value::Null, |bytes| Value::Blob(bytes))
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

/// Replaces what is sealed of an entity that is as `row` has it.
pub(super) fn reseal(connection: &Connection, row: &EntityRow, sealed: &[u8]) -> Result<bool, StoreError> {
    transact(connection, |connection| {
        let revision = one(connection, sql::COUNT_ENTITIES, &[], |row| row.get::<_, i64>(0).map_err(fault))?
            .ok_or(StoreError::Corrupt)?;
        let [kind, region, name] = [&row.kind, &row.region, &row.name].map(|text| Value::from(text.as_str()));
        let values = [
            kind,
            region,
            name,
            Value::Integer(integer(row.revision)?),
            Value::Integer(revision),
            Value::Blob(sealed),
        ];
        Ok(run(connection, sql::RESEAL_ENTITY, &values)? == 1)
    })
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
    let EntityChange { kind, region, name, expect, put } = change;
    let [kind, region, name] = [kind, region, name].map(|text| Value::from(text.as_str()));
    match (expect, put) {
        (Expect::New, None) => return Err(StoreError::Broken("deleting a new entity").into()),
        (Expect::New, Some(put)) => {
            let document = Value::from(put.document.as_str());
            let values = [kind, region, name, Value::Integer(revision), document, blob(put.sealed.as_ref())];
            match run(connection, sql::INSERT_ENTITY, &values)? {
                0 => return Err(CommitError::NameTaken),
                done => exactly_one(done)?,
            }
        }
        (Expect::Revision(seen), put) => {
            let expected = [kind, region, name, Value::Integer(integer(*seen)?)];
            let done = match put {
                None => run(connection, sql::DELETE_ENTITY, &expected)?,
                Some(put) => {
                    let [kind, region, name, seen] = expected;
                    let (next, document) = (Value::Integer(revision), Value::from(put.document.as_str()));
                    let values = [kind, region, name, seen, next, document, blob(put.sealed.as_ref())];
                    run(connection, sql::UPDATE_ENTITY, &values)?
                }
            };
            match done {
                0 => return Err(CommitError::LostRace),
                done => exactly_one(done)?,
            }
        }
    }
    put.as_ref().map_or(Ok(()), |put| name_keys(connection, [kind, region, name], put))
}

/// Gives the entity these keys, and no others.
fn name_keys(connection: &Connection, place: [Value<'_>; 3], put: &EntityPut) -> Result<(), CommitError> {
    run(connection, sql::FORGET_KEYS, &place)?;
    add_keys(connection, place, &put.keys)
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
        let EntityRow { kind, region, name, .. } = row;
        let [kind, region, name] = [kind, region, name].map(|text| Value::from(text.as_str()));
        let revision = Value::Integer(integer(row.revision)?);
        let document = Value::from(row.document.as_str());
        let values = [kind, region, name, revision, document, blob(row.sealed.as_ref())];
        exactly_one(run(connection, sql::INSERT_ENTITY, &values)?)?;
        add_keys(connection, [kind, region, name], keys)
            .map_err(|_| StoreError::Broken("two entities with the same key"))?;
    }
    Ok(())
}
