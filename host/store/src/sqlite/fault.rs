//! What a driver's error means here.

use sqlx::migrate::MigrateError;

use crate::error::{Outage, StoreError};

// SQLite's primary result codes: the low byte of the extended ones. https://www.sqlite.org/rescode.html
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;

/// Keeps of a driver's error what may be told.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(super) fn fault(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error() {
        Some(error) => by_code(error.extended_code),
        None => StoreError::Unavailable(Outage::Io { code: 0 }),
    }
}

/// The same of the driver that migrates.
pub(super) fn of_migrating(error: &sqlx::Error) -> StoreError {
    let outage = match error {
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            return by_code(code);
        }
        sqlx::Error::Migrate(migrate) => return of_migration(migrate, 0),
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Outage::DiskFull,
        _ => Outage::Io { code: 0 },
    };
    StoreError::Unavailable(outage)
}

const fn by_code(code: i32) -> StoreError {
    StoreError::Unavailable(match code & 0xff {
        BUSY | LOCKED => Outage::Locked,
        READONLY => Outage::ReadOnly,
        FULL => Outage::DiskFull,
        CANTOPEN => Outage::CannotOpen,
        CORRUPT | NOTADB => return StoreError::Corrupt,
        CONSTRAINT => return StoreError::Refused { code },
        _ => Outage::Io { code },
    })
}

/// What a failed migration means to a program that knows schemas up to `known`.
pub(super) fn of_migration(error: &MigrateError, known: i64) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of_migrating(error),
        MigrateError::VersionMissing(found) if *found > known => {
            StoreError::NewerSchema { found: *found, known }
        }
        _ => StoreError::Inconsistent { table: "_sqlx_migrations", column: "checksum" },
    }
}

/// What failing to make the file means.
pub(super) fn of_file(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(match error.kind() {
        std::io::ErrorKind::StorageFull => Outage::DiskFull,
        std::io::ErrorKind::ReadOnlyFilesystem => Outage::ReadOnly,
        _ => Outage::CannotOpen,
    })
}
