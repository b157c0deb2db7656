//! One connection to the file, and statements on it. Everything here is done in the calling thread.

use std::path::Path;
use std::time::Duration;

use pawl_core::limits;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row};

use super::fault::fault;
use super::sql;
use crate::error::{Outage, StoreError};

/// Opens the file for one who never writes. He does not wait for locks: that is for his caller to decide.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, limits::STORE_CACHE_KIB, |connection| {
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "query_only", true)
    })
}

/// Opens the file for the one who writes.
pub(super) fn open_to_write(path: &Path, pages_max: Option<u32>) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = open(path, flags, limits::STORE_WRITER_CACHE_KIB, |connection| {
        connection.busy_timeout(limits::STORE_BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What a change that fails would have to undo is kept in memory: it is more pages than SQLite would leave there.
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", limits::STORE_WAL_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", limits::STORE_WAL_BYTES_KEPT)?;
        match pages_max {
            Some(pages) => connection.pragma_update(None, "max_page_count", pages),
            None => Ok(()),
        }
    })?;
    // SQLite keeps the old journal without a word where a file system has no shared memory.
    let journal: String = scalar(&connection, sql::JOURNAL_MODE)?;
    if journal == "wal" { Ok(connection) } else { Err(StoreError::Unavailable(Outage::NoWal)) }
}

fn open(
    path: &Path,
    flags: OpenFlags,
    cache_kib: u32,
    set: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Connection, StoreError> {
    // A connection is used by one thread at a time.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(limits::STORE_STATEMENTS_MAX);
    // Negative means KiB.
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib)).map_err(fault)?;
    set(&connection).map_err(fault)?;
    Ok(connection)
}

/// A value for a statement, borrowed.
pub(super) type Value<'a> = ValueRef<'a>;

/// A text, or nothing.
pub(super) fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, Value::from)
}

/// Bytes, or nothing.
pub(super) fn blob(bytes: Option<&[u8]>) -> Value<'_> {
    bytes.map_or(Value::Null, Value::Blob)
}

/// A number, or nothing.
pub(super) fn number(number: Option<i64>) -> Value<'static> {
    number.map_or(Value::Null, Value::Integer)
}

/// The statement, prepared once for each connection, with its values: `$1` is the first of them, wherever it stands.
fn bound<'c>(
    connection: &'c Connection,
    statement: &str,
    values: &[Value<'_>],
) -> Result<CachedStatement<'c>, StoreError> {
    let mut prepared = connection.prepare_cached(statement).map_err(fault)?;
    for index in 1..=prepared.parameter_count() {
        let name = prepared.parameter_name(index).and_then(|name| name.get(1..));
        let place: Option<usize> = name.and_then(|digits| digits.parse().ok());
        let value = place.and_then(|place| values.get(place.checked_sub(1)?));
        let value = *value.ok_or(StoreError::Broken("a statement with too few values"))?;
        prepared.raw_bind_parameter(index, ToSqlOutput::Borrowed(value)).map_err(fault)?;
    }
    Ok(prepared)
}

/// Runs a statement that answers nothing; how many rows it has changed.
pub(super) fn run(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
) -> Result<usize, StoreError> {
    bound(connection, statement, values)?.raw_execute().map_err(fault)
}

/// Reads every row that the statement answers. Its end is the end of the read: no transaction is left open.
pub(super) fn all<T>(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut prepared = bound(connection, statement, values)?;
    let mut rows = prepared.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        answer.push(read(row)?);
    }
    Ok(answer)
}

/// Reads the only row that the statement answers, if it answers one.
pub(super) fn one<T>(
    connection: &Connection,
    statement: &str,
    values: &[Value<'_>],
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut prepared = bound(connection, statement, values)?;
    let mut rows = prepared.raw_query();
    rows.next().map_err(fault)?.map(read).transpose()
}

/// The first column of the only row that the statement must answer.
pub(super) fn scalar<T: rusqlite::types::FromSql>(
    connection: &Connection,
    statement: &str,
) -> Result<T, StoreError> {
    one(connection, statement, &[], |row| row.get(0).map_err(fault))?
        .ok_or(StoreError::Broken("a statement that answers nothing"))
}

/// Does all of `deed`, or nothing.
pub(super) fn transact<T, E: From<StoreError>>(
    connection: &Connection,
    deed: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    run(connection, sql::BEGIN_WRITE, &[])?;
    let outcome = deed(connection).and_then(|done| {
        run(connection, sql::COMMIT, &[])?;
        Ok(done)
    });
    // A full disk makes SQLite roll back by itself.
    if outcome.is_err() && !connection.is_autocommit() {
        run(connection, sql::ROLLBACK, &[])?;
    }
    outcome
}
