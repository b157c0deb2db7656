//! A whole store as it is at one moment, read in one transaction: the write-ahead log keeps that moment while changes go on.

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::connection::{Value, all};
use super::entities::entity;
use super::fault::fault;
use super::functions::{approval, function};
use super::rows::Reader;
use super::{keyring, schema, secret, sql};
use crate::archive::{ArchivedRotation, ArchivedSecret, HALT, Page, Piece};
use crate::error::{Outage, StoreError};
use crate::record::Entry;

/// Nobody takes any more. It leaves through every error's door, and is none.
const GONE: StoreError = StoreError::Unavailable(Outage::Closed);

/// Sends everything. Blocks the thread while nobody takes.
pub(super) fn export(connection: &Connection, to: mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let outlet = Outlet(to);
    match run(connection, &outlet) {
        Err(GONE) if outlet.0.is_closed() => Ok(()),
        other => other,
    }
}

struct Outlet(mpsc::Sender<Piece>);

impl Outlet {
    fn send(&self, piece: Piece) -> Result<(), StoreError> {
        self.0.blocking_send(piece).map_err(|_| GONE)
    }
}

fn run(connection: &Connection, outlet: &Outlet) -> Result<(), StoreError> {
    // Ends with the export, however that ends.
    let _moment = connection.unchecked_transaction().map_err(fault)?;
    outlet.send(Piece::Begin { schema: schema::found(connection)?.unwrap_or(0) })?;
    if let Some(keyring) = keyring(connection)? {
        outlet.send(Piece::Keyring(keyring))?;
    }
    all(connection, sql::EXPORT_META, &[Value::from(HALT)], |row| {
        let (key, value) = Reader::new(row, "meta").setting()?;
        outlet.send(Piece::Setting { key, value })
    })?;
    functions(connection, outlet)?;
    entities(connection, outlet)?;
    secrets(connection, outlet)?;
    rotations(connection, outlet)?;
    entries(connection, sql::EXPORT_AUDIT, "audit", outlet, Piece::Audit)?;
    entries(connection, sql::EXPORT_EVENTS, "events", outlet, Piece::Events)?;
    outlet.send(Piece::End)
}

/// One row is a secret with one of its values, or with none.
fn secrets(connection: &Connection, outlet: &Outlet) -> Result<(), StoreError> {
    let mut page: Page<ArchivedSecret> = Page::default();
    let mut id = None;
    all(connection, sql::EXPORT_SECRETS, &[], |row| {
        let reader = secret(row);
        let its = reader.id()?;
        if id.replace(its) != Some(its) {
            if page.is_full()
                && let Some(secrets) = page.take()
            {
                outlet.send(Piece::Secrets(secrets))?;
            }
            let secret = reader.archived()?;
            let bytes = secret.head.document.len();
            page.push(secret, bytes);
        }
        if reader.is_version()? {
            let version = Reader::new(row, "versions").version()?;
            if let Some(secret) = page.last(version.sealed.len()) {
                secret.values.push(version);
            }
        }
        Ok(())
    })?;
    page.take().map_or(Ok(()), |secrets| outlet.send(Piece::Secrets(secrets)))
}

fn functions(connection: &Connection, outlet: &Outlet) -> Result<(), StoreError> {
    all(connection, sql::EXPORT_CODE, &[], |row| outlet.send(Piece::Code(Reader::new(row, "code").code()?)))?;
    let mut page = Page::default();
    all(connection, sql::EXPORT_FUNCTIONS, &[], |row| {
        let function = function(row).archived_function()?;
        let bytes = function.row.document.len();
        page.push(function, bytes);
        match page.is_full().then(|| page.take()).flatten() {
            Some(functions) => outlet.send(Piece::Functions(functions)),
            None => Ok(()),
        }
    })?;
    page.take().map_or(Ok(()), |functions| outlet.send(Piece::Functions(functions)))?;
    let approvals = all(connection, sql::EXPORT_APPROVALS, &[], |row| approval(row).approval())?;
    if approvals.is_empty() { Ok(()) } else { outlet.send(Piece::Approvals(approvals)) }
}

fn entities(connection: &Connection, outlet: &Outlet) -> Result<(), StoreError> {
    let mut page = Page::default();
    all(connection, sql::EXPORT_ENTITIES, &[], |row| {
        let entity = entity(row).archived_entity()?;
        let bytes = entity.row.document.len();
        page.push(entity, bytes);
        match page.is_full().then(|| page.take()).flatten() {
            Some(entities) => outlet.send(Piece::Entities(entities)),
            None => Ok(()),
        }
    })?;
    page.take().map_or(Ok(()), |entities| outlet.send(Piece::Entities(entities)))
}

fn rotations(connection: &Connection, outlet: &Outlet) -> Result<(), StoreError> {
    let mut page: Page<ArchivedRotation> = Page::default();
    all(connection, sql::EXPORT_ROTATIONS, &[], |row| {
        let rotation = Reader::new(row, "rotations").archived_rotation()?;
        let bytes = rotation.kept.rotation.document.len();
        page.push(rotation, bytes);
        match page.is_full().then(|| page.take()).flatten() {
            Some(rotations) => outlet.send(Piece::Rotations(rotations)),
            None => Ok(()),
        }
    })?;
    page.take().map_or(Ok(()), |rotations| outlet.send(Piece::Rotations(rotations)))
}

fn entries(
    connection: &Connection,
    statement: &str,
    table: &'static str,
    outlet: &Outlet,
    piece: impl Fn(Vec<Entry>) -> Piece,
) -> Result<(), StoreError> {
    let mut page = Page::default();
    all(connection, statement, &[], |row| {
        let entry = Reader::new(row, table).entry()?;
        let bytes = entry.record.len();
        page.push(entry, bytes);
        match page.is_full().then(|| page.take()).flatten() {
            Some(entries) => outlet.send(piece(entries)),
            None => Ok(()),
        }
    })?;
    page.take().map_or(Ok(()), |entries| outlet.send(piece(entries)))
}
