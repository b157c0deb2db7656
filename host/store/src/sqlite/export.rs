//! A whole store as it is at one moment, read in one transaction: the write-ahead log keeps that moment while changes go on.

use futures_util::TryStreamExt;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use super::fault::fault;
use super::rows::Reader;
use super::{schema, sql};
use crate::archive::{ArchivedSecret, Gone, HALT, Outlet, Page, Piece};
use crate::error::StoreError;
use crate::record::Entry;

/// Why an export ends before its end.
enum Stop {
    Gone,
    Failed(StoreError),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(fault(error))
    }
}

/// Sends everything.
pub(super) async fn export(reader: &SqlitePool, to: mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let mut connection = reader.acquire().await.map_err(fault)?;
    match run(&mut connection, &Outlet::new(to)).await {
        Ok(()) | Err(Stop::Gone) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

async fn run(connection: &mut SqliteConnection, outlet: &Outlet) -> Result<(), Stop> {
    let mut transaction = connection.begin().await?;
    let schema = schema::found(&mut transaction).await?.unwrap_or(0);
    outlet.send(Piece::Begin { schema }).await?;
    if let Some(keyring) = sqlx::query_scalar(sql::KEYRING).fetch_optional(&mut *transaction).await? {
        outlet.send(Piece::Keyring(keyring)).await?;
    }
    let settings = sqlx::query(sql::EXPORT_META).bind(HALT).fetch_all(&mut *transaction).await?;
    for row in &settings {
        let (key, value) = Reader::new(row, "meta").setting()?;
        outlet.send(Piece::Setting { key, value }).await?;
    }
    secrets(&mut transaction, outlet).await?;
    entries(&mut transaction, sql::EXPORT_AUDIT, "audit", outlet, Piece::Audit).await?;
    entries(&mut transaction, sql::EXPORT_EVENTS, "events", outlet, Piece::Events).await?;
    outlet.send(Piece::End).await?;
    // Nothing was written.
    transaction.rollback().await?;
    Ok(())
}

/// One row is a secret with one of its values, or with none.
async fn secrets(connection: &mut SqliteConnection, outlet: &Outlet) -> Result<(), Stop> {
    let mut rows = sqlx::query(sql::EXPORT_SECRETS).fetch(connection);
    let mut page: Page<ArchivedSecret> = Page::default();
    let mut id = None;
    while let Some(row) = rows.try_next().await? {
        let reader = Reader::new(&row, "secrets");
        let its = reader.id()?;
        if id.replace(its) != Some(its) {
            if page.is_full()
                && let Some(secrets) = page.take()
            {
                outlet.send(Piece::Secrets(secrets)).await?;
            }
            let secret = reader.archived()?;
            let bytes = secret.head.document.len();
            page.push(secret, bytes);
        }
        if reader.is_version()? {
            let version = Reader::new(&row, "versions").version()?;
            if let Some(secret) = page.last(version.sealed.len()) {
                secret.values.push(version);
            }
        }
    }
    if let Some(secrets) = page.take() {
        outlet.send(Piece::Secrets(secrets)).await?;
    }
    Ok(())
}

async fn entries(
    connection: &mut SqliteConnection,
    statement: &'static str,
    table: &'static str,
    outlet: &Outlet,
    piece: impl Fn(Vec<Entry>) -> Piece,
) -> Result<(), Stop> {
    let mut rows = sqlx::query(statement).fetch(connection);
    let mut page = Page::default();
    while let Some(row) = rows.try_next().await? {
        let entry = Reader::new(&row, table).entry()?;
        let bytes = entry.record.len();
        page.push(entry, bytes);
        if page.is_full()
            && let Some(entries) = page.take()
        {
            outlet.send(piece(entries)).await?;
        }
    }
    if let Some(entries) = page.take() {
        outlet.send(piece(entries)).await?;
    }
    Ok(())
}
