//! What a driver's error means here.

use std::io::ErrorKind;

use sqlx::migrate::MigrateError;

use crate::change::CommitError;
use crate::error::{Outage, SqlState, StoreError};

/// Why one try of a piece of work ended without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of it has happened.
    Undone(sqlx::Error),
    /// It may have happened: nobody said so before the connection was lost.
    Unknown,
    /// The server no longer takes writes.
    Moved,
    /// The work itself has an error for an answer, and its connection is as good as before.
    Verdict(CommitError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Undone(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Verdict(CommitError::Store(error))
    }
}

impl Failure {
    /// What the failure of the last statement means, the one that makes a change last. A server that refused has not done it;
    /// anything else leaves it open.
    pub(super) fn of_last_word(error: sqlx::Error) -> Self {
        match code(&error).as_deref() {
            Some("40003") | None => Self::Unknown,
            Some(code)
                if ["40", "23", "25", "22", "53", "55"].iter().any(|class| code.starts_with(class)) =>
            {
                Self::Undone(error)
            }
            // The database is too old for the statement, or the role too weak: told before anything is done.
            Some(code) if code.starts_with("42") => Self::Undone(error),
            Some(_) => Self::Unknown,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned)
}

/// Whether the transaction collided with another one, and may do better if it is tried again.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}

/// Whether the connection, or the server's leadership, is gone.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match code(error).as_deref() {
        Some(code) => {
            code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "25006" | "25P03")
        }
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_)),
    }
}

/// Keeps of a driver's error what may be told.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(super) fn fault(error: sqlx::Error) -> StoreError {
    judge(&error)
}

pub(super) fn judge(error: &sqlx::Error) -> StoreError {
    let outage = match error {
        sqlx::Error::Database(database) => {
            return by_code(database.code().as_deref().unwrap_or_default());
        }
        sqlx::Error::Migrate(migrate) => return of_migration(migrate, 0),
        sqlx::Error::Encode(_) => return StoreError::Broken("a value that SQL cannot hold"),
        // A refused certificate comes as data that is not valid.
        sqlx::Error::Io(io) if io.kind() == ErrorKind::InvalidData => Outage::TlsUntrusted,
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => Outage::TlsUntrusted,
        sqlx::Error::Protocol(_) => Outage::NotPostgres,
        sqlx::Error::Io(_) => Outage::Unreachable,
        _ => Outage::Database { code: SqlState::new("") },
    };
    StoreError::Unavailable(outage)
}

/// What a SQLSTATE means. <https://www.postgresql.org/docs/15/errcodes-appendix.html>
fn by_code(text: &str) -> StoreError {
    let code = SqlState::new(text);
    StoreError::Unavailable(match text {
        // Starting, stopping, or in recovery: it is there, and takes no writes yet or any more.
        "25006" | "57P01" | "57P02" | "57P03" => Outage::NotPrimary,
        "53100" => Outage::DiskFull,
        "53300" => Outage::TooManyConnections,
        "3D000" => Outage::NoDatabase,
        "42501" => Outage::NotAllowed { code },
        "55P03" | "57014" | "25P03" => Outage::TooSlow,
        "XX001" | "XX002" => return StoreError::Corrupt,
        _ if text.starts_with("08") => Outage::Unreachable,
        _ if text.starts_with("28") => Outage::LoginRefused,
        _ if text.starts_with("40") => Outage::Busy,
        _ if text.starts_with("23") => return StoreError::Refused { code: text.parse().unwrap_or(23_000) },
        _ => Outage::Database { code },
    })
}

/// Whether waiting cannot cure it: somebody must change the URL, the server's settings, or a grant.
pub(super) const fn needs_hands(error: &StoreError) -> bool {
    !matches!(
        error,
        StoreError::Unavailable(
            Outage::Unreachable
                | Outage::NotPrimary
                | Outage::TooSlow
                | Outage::TooManyConnections
                | Outage::Busy
        )
    )
}

/// What a failed migration means to a program that knows schemas up to `known`.
pub(super) fn of_migration(error: &MigrateError, known: i64) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => judge(error),
        MigrateError::VersionMissing(found) if *found > known => {
            StoreError::NewerSchema { found: *found, known }
        }
        _ => StoreError::Inconsistent { table: "_sqlx_migrations", column: "checksum" },
    }
}

/// Whether a statement named what the database does not have.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("42P01" | "42883" | "42704" | "42703" | "0A000"))
}

/// Whether others made the same thing at the same time.
pub(super) fn is_race(error: &sqlx::Error) -> bool {
    is_conflict(error) || matches!(code(error).as_deref(), Some("23505" | "42P07" | "XX000" | "42710"))
}
