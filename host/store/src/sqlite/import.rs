//! What another store has exported, taken over in one transaction.

use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::commit::{exactly_one, integer};
use super::connection::{Value, blob, number, one, run, scalar, text, transact};
use super::rows::{self, Reader};
use super::{entities, functions, sql};
use crate::archive::{ArchivedRotation, ArchivedSecret, HALT, HALT_IMPORTING, ImportError, Piece, raised};
use crate::error::StoreError;
use crate::record::{Entry, RotationState};

/// Takes everything over, or nothing. Blocks the thread while nothing comes.
pub(super) fn import(connection: &Connection, from: mpsc::Receiver<Piece>) -> Result<(), ImportError> {
    // The halt is durable before anything else is.
    transact(connection, halt)?;
    transact(connection, |connection| {
        for statement in [
            sql::CLEAR_SECRETS,
            sql::CLEAR_FUNCTIONS,
            sql::CLEAR_CODE,
            sql::CLEAR_APPROVALS,
            sql::CLEAR_ENTITIES,
            sql::CLEAR_AUDIT,
            sql::CLEAR_EVENTS,
            sql::CLEAR_KEYRING,
        ] {
            run(connection, statement, &[])?;
        }
        run(connection, sql::CLEAR_META, &[Value::from(HALT)])?;
        fill(connection, from)
    })
}

fn halt(connection: &Connection) -> Result<(), ImportError> {
    let held =
        one(connection, sql::META, &[Value::from(HALT)], |row| Reader::new(row, "meta").bytes("value"))?;
    let broke_off = held.as_deref() == Some(HALT_IMPORTING);
    if !broke_off && scalar::<i64>(connection, sql::IS_EMPTY)? == 0 {
        return Err(ImportError::NotEmpty);
    }
    run(connection, sql::PUT_META, &[Value::from(HALT), Value::Blob(HALT_IMPORTING)])?;
    Ok(())
}

fn fill(connection: &Connection, mut from: mpsc::Receiver<Piece>) -> Result<(), ImportError> {
    let mut id = 0;
    loop {
        match from.blocking_recv().ok_or(ImportError::Incomplete)? {
            Piece::Begin { .. } => {}
            Piece::Keyring(wrapped) => {
                run(connection, sql::STORE_KEYRING, &[Value::Blob(&wrapped)])?;
            }
            Piece::Setting { key, value } => {
                run(connection, sql::ADD_META, &[Value::from(key.as_str()), Value::Blob(&value)])?;
            }
            Piece::Code(code) => functions::import_code(connection, &code)?,
            Piece::Functions(page) => functions::import(connection, &page)?,
            Piece::Approvals(page) => functions::import_approvals(connection, &page)?,
            Piece::Entities(page) => entities::import(connection, &page)?,
            Piece::Secrets(page) => {
                for secret in &page {
                    id += 1;
                    add(connection, secret, id)?;
                }
            }
            Piece::Rotations(page) => rotations(connection, &page)?,
            Piece::Audit(page) => entries(connection, sql::IMPORT_AUDIT, &page)?,
            Piece::Events(page) => entries(connection, sql::IMPORT_EVENT, &page)?,
            Piece::End => {
                run(connection, sql::COUNT_ENTITIES_ON, &[])?;
                return Ok(());
            }
        }
    }
}

/// Adds a secret under the number `id`, with its values.
fn add(connection: &Connection, secret: &ArchivedSecret, id: i64) -> Result<(), StoreError> {
    let row = &secret.head;
    let values = [
        Value::from(row.arn.as_str()),
        Value::from(row.region.as_str()),
        Value::from(row.name.as_str()),
        Value::Integer(integer(row.revision)?),
        Value::from(row.document.as_str()),
        Value::Integer(row.created_at.millis()),
        number(row.purge_at.map(Timestamp::millis)),
        number(row.next_rotation_at.map(Timestamp::millis)),
        number(row.rotation_due_at.map(Timestamp::millis)),
        Value::Integer(row.last_changed_at.millis()),
        Value::Integer(rows::moment_or_never(row.last_accessed_at)),
        text(row.replica_of.as_ref().map(Region::as_str)),
        text(row.rotation_state.map(RotationState::as_str)),
        Value::Integer(id),
        Value::Integer(integer(raised(secret.lease_epoch))?),
        blob(row.mac.bytes()),
    ];
    run(connection, sql::IMPORT_SECRET, &values)?;
    for version in &secret.values {
        let values =
            [Value::Integer(id), Value::from(version.version_id.as_str()), Value::Blob(&version.sealed)];
        run(connection, sql::IMPORT_VERSION, &values)?;
    }
    Ok(())
}

fn rotations(connection: &Connection, page: &[ArchivedRotation]) -> Result<(), StoreError> {
    for ArchivedRotation { arn, kept } in page {
        let values = [
            Value::from(arn.as_str()),
            Value::Integer(integer(kept.number)?),
            Value::from(kept.rotation.token.as_str()),
            Value::from(kept.rotation.status.as_str()),
            Value::Integer(kept.rotation.requested_at.millis()),
            Value::Integer(kept.rotation.finished_at.millis()),
            Value::from(kept.rotation.document.as_str()),
        ];
        exactly_one(run(connection, sql::IMPORT_ROTATION, &values)?)?;
    }
    Ok(())
}

fn entries(connection: &Connection, statement: &str, page: &[Entry]) -> Result<(), StoreError> {
    for entry in page {
        let values = [Value::Integer(integer(entry.seq)?), Value::from(entry.record.as_str())];
        run(connection, statement, &values)?;
    }
    Ok(())
}
