//! The schema and its migrations, embedded. A migration that was released is never edited: its checksum is stored.

use std::borrow::Cow;
use std::path::Path;

use pawl_core::limits;
use rusqlite::Connection;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqlSafeStr, SqliteConnection};

use super::connection::scalar;
use super::fault::{of_migrating, of_migration};
use super::sql;
use crate::error::StoreError;

/// Number, name and text, in their order.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("migrations/0001_initial.sql")),
    (2, "lists", include_str!("migrations/0002_lists.sql")),
    (3, "rotations", include_str!("migrations/0003_rotations.sql")),
    (4, "functions", include_str!("migrations/0004_functions.sql")),
    (5, "entities", include_str!("migrations/0005_entities.sql")),
    (6, "macs", include_str!("migrations/0006_macs.sql")),
];

/// The newest schema that this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.last().map_or(0, |&(version, _, _)| version)
}

/// The store's schema; none when it is empty. A schema that is newer than this program is refused before anything is written.
pub(super) fn found(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let tables: i64 = scalar(connection, sql::HAS_MIGRATIONS)?;
    if tables == 0 {
        return Ok(None);
    }
    match scalar(connection, sql::SCHEMA_VERSION)? {
        Some(found) if found > known() => Err(StoreError::NewerSchema { found, known: known() }),
        found => Ok(found),
    }
}

/// Brings the schema of the file at `path` up to what this program knows.
pub(super) async fn migrate(path: &Path) -> Result<(), StoreError> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(limits::STORE_BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("temp_store", "MEMORY")
        .pragma("secure_delete", "ON")
        // Statements are nobody's business but ours.
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| of_migrating(&error))?;
    let outcome = run(&mut connection, MIGRATIONS).await;
    connection.close().await.map_err(|error| of_migrating(&error))?;
    outcome
}

/// Runs those of `migrations` that have not been run.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    migrations: &[(i64, &'static str, &'static str)],
) -> Result<(), StoreError> {
    let migrations = migrations
        .iter()
        .map(|&(version, name, text)| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations)
        .run_direct(None, connection, false)
        .await
        .map_err(|error| of_migration(&error, known()))
}
