//! What another store has exported, taken over in one transaction.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use super::commit::{exactly, integer, run};
use super::creation::{add, head};
use super::fault::fault;
use super::sql::{self, BATCH};
use crate::archive::{ArchivedSecret, HALT, HALT_IMPORTING, ImportError, Piece, raised};
use crate::error::StoreError;
use crate::record::Entry;

/// Takes everything over, or nothing.
pub(super) async fn import(writer: &SqlitePool, from: mpsc::Receiver<Piece>) -> Result<(), ImportError> {
    let mut connection: PoolConnection<Sqlite> = writer.acquire().await.map_err(fault)?;
    let outcome = halt_and_fill(&mut connection, from).await;
    if outcome.is_err() {
        // As after a failed change: the driver may count a transaction that SQLite has ended by itself.
        connection.close_on_drop();
    }
    outcome
}

async fn halt_and_fill(
    connection: &mut SqliteConnection,
    from: mpsc::Receiver<Piece>,
) -> Result<(), ImportError> {
    // The halt is durable before anything else is.
    let mut transaction = connection.begin_with(sql::BEGIN_WRITE).await.map_err(fault)?;
    let halt: Option<Vec<u8>> =
        sqlx::query_scalar(sql::META).bind(HALT).fetch_optional(&mut *transaction).await.map_err(fault)?;
    let broke_off = halt.as_deref() == Some(HALT_IMPORTING);
    let empty: bool = sqlx::query_scalar(sql::IS_EMPTY).fetch_one(&mut *transaction).await.map_err(fault)?;
    if !empty && !broke_off {
        return Err(ImportError::NotEmpty);
    }
    run(&mut transaction, sqlx::query(sql::PUT_META).bind(HALT).bind(HALT_IMPORTING)).await?;
    transaction.commit().await.map_err(fault)?;

    let mut transaction = connection.begin_with(sql::BEGIN_WRITE).await.map_err(fault)?;
    for statement in [sql::CLEAR_SECRETS, sql::CLEAR_AUDIT, sql::CLEAR_EVENTS, sql::CLEAR_KEYRING] {
        run(&mut transaction, sqlx::query(statement)).await?;
    }
    run(&mut transaction, sqlx::query(sql::CLEAR_META).bind(HALT)).await?;
    fill(&mut transaction, from).await?;
    Ok(transaction.commit().await.map_err(fault)?)
}

async fn fill(connection: &mut SqliteConnection, mut from: mpsc::Receiver<Piece>) -> Result<(), ImportError> {
    let mut id = 0;
    loop {
        match from.recv().await.ok_or(ImportError::Incomplete)? {
            Piece::Begin { .. } => {}
            Piece::Keyring(wrapped) => {
                exactly(1, run(connection, sqlx::query(sql::STORE_KEYRING).bind(wrapped)).await?)?;
            }
            Piece::Setting { key, value } => {
                exactly(1, run(connection, sqlx::query(sql::ADD_META).bind(key).bind(value)).await?)?;
            }
            Piece::Secrets(page) => {
                secrets(connection, &page, id).await?;
                id = id.saturating_add(i64::try_from(page.len()).unwrap_or(i64::MAX));
            }
            Piece::Audit(page) => {
                entries(connection, sql::IMPORT_AUDITS, sql::IMPORT_AUDIT, &page).await?;
            }
            Piece::Events(page) => {
                entries(connection, sql::IMPORT_EVENTS, sql::IMPORT_EVENT, &page).await?;
            }
            Piece::End => return Ok(()),
        }
    }
}

/// Adds secrets under the numbers after `last`, with their values.
async fn secrets(
    connection: &mut SqliteConnection,
    page: &[ArchivedSecret],
    last: i64,
) -> Result<(), StoreError> {
    let numbered: Vec<_> = page.iter().zip(last.saturating_add(1)..).collect();
    insert(connection, sql::IMPORT_SECRETS, sql::IMPORT_SECRET, &numbered, |values, (secret, id)| {
        head(values, &secret.head, integer(secret.head.revision)?)?;
        add(values, *id)?;
        add(values, integer(raised(secret.lease_epoch))?)
    })
    .await?;
    let versions: Vec<_> = numbered
        .iter()
        .flat_map(|(secret, id)| secret.values.iter().map(move |version| (version, *id)))
        .collect();
    insert(connection, sql::IMPORT_VERSIONS, sql::IMPORT_VERSION, &versions, |values, (version, id)| {
        add(values, *id)?;
        add(values, version.version_id.as_str())?;
        add(values, version.sealed.as_slice())
    })
    .await
}

async fn entries(
    connection: &mut SqliteConnection,
    many: &'static str,
    one: &'static str,
    page: &[Entry],
) -> Result<(), StoreError> {
    insert(connection, many, one, page, |values, entry| {
        add(values, integer(entry.seq)?)?;
        add(values, entry.record.as_str())
    })
    .await
}

/// Inserts `rows`, as many at once as a statement takes and the rest one by one.
async fn insert<T>(
    connection: &mut SqliteConnection,
    many: &'static str,
    one: &'static str,
    rows: &[T],
    bind: impl Fn(&mut SqliteArguments, &T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (batches, rest) = rows.as_chunks::<BATCH>();
    for batch in batches {
        let mut values = SqliteArguments::default();
        for row in batch {
            bind(&mut values, row)?;
        }
        exactly(BATCH, run(connection, sqlx::query_with(many, values)).await?)?;
    }
    for row in rest {
        let mut values = SqliteArguments::default();
        bind(&mut values, row)?;
        exactly(1, run(connection, sqlx::query_with(one, values)).await?)?;
    }
    Ok(())
}
