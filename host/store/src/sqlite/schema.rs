//! The schema and its migrations, embedded. A migration that was released is never edited: its checksum is stored.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection};

use super::fault::{fault, of_migration};
use super::sql;
use crate::error::StoreError;

/// Number, name and text, in their order.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("migrations/0001_initial.sql")),
    (2, "lists", include_str!("migrations/0002_lists.sql")),
];

/// The newest schema that this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.last().map_or(0, |&(version, _, _)| version)
}

/// The store's schema; none when it is empty. A schema that is newer than this program is refused before anything is written.
pub(super) async fn found(connection: &mut SqliteConnection) -> Result<Option<i64>, StoreError> {
    let tables: i64 =
        sqlx::query_scalar(sql::HAS_MIGRATIONS).fetch_one(&mut *connection).await.map_err(fault)?;
    if tables == 0 {
        return Ok(None);
    }
    let found: Option<i64> =
        sqlx::query_scalar(sql::SCHEMA_VERSION).fetch_one(&mut *connection).await.map_err(fault)?;
    match found {
        Some(found) if found > known() => Err(StoreError::NewerSchema { found, known: known() }),
        found => Ok(found),
    }
}

/// Brings the schema up to what this program knows.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    found(connection).await?;
    run(connection, MIGRATIONS).await
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
