//! The schema and its migrations, embedded. A migration that was released is never edited: its checksum is stored.
//!
//! Several hosts run on one schema, and for a while of every upgrade not all of them are of one release. So a migration only
//! *expands*: it adds tables, indexes, and columns that may be left out, and what the release before reads and writes keeps
//! working. What is no longer used is *contracted* away a release later, when no host that knows it can still be running. A host
//! that starts on a schema newer than it knows stops before it has written; one that runs already goes on.
//!
//! One expansion is more than that: once a host has given rows their codes (`signed.rs`), what hosts of the release before write
//! is refused, row by row, by the database itself. They go on reading.
//!
//! Hosts that start at the same time take turns: they lock the one row of a table of its own, which every database of this
//! dialect can do (advisory locks do nothing on CockroachDB), and the first does the work.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Executor, PgConnection, SqlSafeStr};

use super::fault::{Failure, fault, is_race, of_migration};
use super::primary::{Limit, Work};
use super::sql;
use crate::error::StoreError;

/// Number, name and text, in their order.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("migrations/0001_initial.sql")),
    (2, "rotations", include_str!("migrations/0002_rotations.sql")),
    (3, "functions", include_str!("migrations/0003_functions.sql")),
    (4, "entities", include_str!("migrations/0004_entities.sql")),
    (5, "macs", include_str!("migrations/0005_macs.sql")),
];

/// How often the making of what must be locked may collide with others who make it.
const TRIES: usize = 16;

/// The newest schema that this program knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.last().map_or(0, |&(version, _, _)| version)
}

/// The store's schema; none when it is empty. A schema that is newer than this program is refused before anything is written.
pub(super) async fn found(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    // Asked first, for in a transaction the failure of one statement is that of all.
    let is_made: bool =
        sqlx::query_scalar(sql::HAS_MIGRATIONS).fetch_one(&mut *connection).await.map_err(fault)?;
    if !is_made {
        return Ok(None);
    }
    let found: Option<i64> =
        sqlx::query_scalar(sql::SCHEMA_VERSION).fetch_one(connection).await.map_err(fault)?;
    match found {
        Some(found) if found > known() => Err(StoreError::NewerSchema { found, known: known() }),
        found => Ok(found),
    }
}

/// Brings the schema up to what this program knows. As work that may be done again: what is there is left alone.
pub(super) struct Upgrade {
    /// What is to be there.
    pub(super) migrations: &'static [(i64, &'static str, &'static str)],
}

impl Work for Upgrade {
    type Answer = ();
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Long;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        let newest = self.migrations.last().map(|&(version, _, _)| version);
        if found(connection).await? == newest {
            return Ok(());
        }
        make_lock(connection).await?;
        connection.execute(sql::BEGIN).await?;
        let done = migrate(connection, self.migrations).await;
        let last = if done.is_ok() { sql::COMMIT } else { sql::ROLLBACK };
        connection.execute(last).await?;
        Ok(done?)
    }
}

/// Makes the row that is locked. PostgreSQL's IF NOT EXISTS still fails when two do it at the same moment.
async fn make_lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tries = 0;
    for statement in [sql::MAKE_LOCK, sql::MAKE_LOCK_ROW] {
        while let Err(error) = connection.execute(statement).await {
            tries += 1;
            if tries > TRIES || !is_race(&error) {
                return Err(error);
            }
        }
    }
    Ok(())
}

async fn migrate(
    connection: &mut PgConnection,
    migrations: &[(i64, &'static str, &'static str)],
) -> Result<(), StoreError> {
    // Others may need longer for their turn than a row is waited for otherwise.
    connection.execute("SET LOCAL lock_timeout = 0").await.map_err(fault)?;
    connection.execute(sql::LOCK_SCHEMA).await.map_err(fault)?;
    // By whoever had the turn before.
    found(connection).await?;
    let migrations = migrations
        .iter()
        .map(|&(version, name, text)| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), true)
        })
        .collect();
    // Each without a transaction of its own: all are in the one that holds the lock.
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_locking(false);
    migrator.run_direct(None, connection, false).await.map_err(|error| of_migration(&error, known()))
}
