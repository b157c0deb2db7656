//! A whole store as it is at one moment, read in one transaction that sees one snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use pawl_core::limits;
use sqlx::{Executor, PgConnection};
use tokio::sync::mpsc;

use super::fault::{Failure, fault};
use super::journal::Journal;
use super::primary::{Limit, Primary, Work};
use super::rows::{self, Reader};
use super::{schema, sql};
use crate::archive::{ArchivedRotation, ArchivedSecret, HALT, Page, Piece};
use crate::error::StoreError;
use crate::record::Entry;

/// Sends everything.
pub(super) async fn export(primary: &Arc<Primary>, to: mpsc::Sender<Piece>) -> Result<(), StoreError> {
    let work = Export { to, why: Mutex::default() };
    let outcome = primary.ask(&work).await;
    let why = work.why.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.map_err(|error| why.unwrap_or(error))
}

struct Export {
    to: mpsc::Sender<Piece>,
    /// Why it ended early: it is not tried again, for a part has been sent.
    why: Mutex<Option<StoreError>>,
}

enum Stop {
    Gone,
    Failed(StoreError),
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

impl Work for Export {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Archive;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::BEGIN_SNAPSHOT).await?;
        let stopped = match self.send_all(connection).await {
            Ok(()) | Err(Stop::Gone) => None,
            Err(Stop::Failed(error)) => Some(error),
        };
        // Rows may still be on their way to nobody; if so, the connection is not used again.
        let undone = connection.execute(sql::ROLLBACK).await;
        match stopped.or_else(|| undone.err().map(fault)) {
            None => Ok(()),
            Some(error) => {
                *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(Failure::Unknown)
            }
        }
    }
}

impl Export {
    async fn send(&self, piece: Piece) -> Result<(), Stop> {
        self.to.send(piece).await.map_err(|_| Stop::Gone)
    }

    async fn send_all(&self, connection: &mut PgConnection) -> Result<(), Stop> {
        connection.execute(sql::PATIENT).await?;
        let schema = schema::found(connection).await?.unwrap_or(0);
        self.send(Piece::Begin { schema }).await?;
        if let Some(row) = sqlx::query(sql::KEYRING).fetch_optional(&mut *connection).await? {
            self.send(Piece::Keyring(Reader::new(&row, "keyring").get("wrapped")?)).await?;
        }
        for row in sqlx::query(sql::EXPORT_META).bind(HALT).fetch_all(&mut *connection).await? {
            let reader = Reader::new(&row, "meta");
            self.send(Piece::Setting { key: reader.get("key")?, value: reader.get("value")? }).await?;
        }
        self.functions(connection).await?;
        self.entities(connection).await?;
        let mut after = (String::new(), String::new());
        while let Some(last) = self.secrets(connection, &after).await? {
            after = last;
        }
        self.rotations(connection).await?;
        self.entries(connection, Journal::Audit, Piece::Audit).await?;
        self.entries(connection, Journal::Events, Piece::Events).await?;
        self.send(Piece::End).await
    }

    /// Sends some secrets after a place, with their values; answers the place of the last.
    async fn secrets(
        &self,
        connection: &mut PgConnection,
        (region, name): &(String, String),
    ) -> Result<Option<(String, String)>, Stop> {
        let limit = i64::try_from(limits::ARCHIVE_PAGE_ROWS).unwrap_or(i64::MAX);
        let query = sqlx::query(sql::EXPORT_SECRETS).bind(region).bind(name).bind(limit);
        let rows = query.fetch_all(&mut *connection).await?;
        let mut secrets = Vec::with_capacity(rows.len());
        for row in &rows {
            let reader = Reader::new(row, "secrets");
            secrets.push((reader.get::<i64>("id")?, reader.archived()?));
        }
        let last =
            secrets.last().map(|(_, secret)| (secret.head.region.to_string(), secret.head.name.to_string()));
        let ids: Vec<i64> = secrets.iter().map(|(id, _)| *id).collect();
        let mut page: Page<ArchivedSecret> = Page::default();
        let mut secrets = secrets.into_iter();
        let mut current = None;
        // Streamed: the values of one page can be more than fits into memory.
        let mut rows = sqlx::query(sql::EXPORT_VERSIONS).bind(ids).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let reader = Reader::new(&row, "versions");
            let its: i64 = reader.get("secret_id")?;
            while current != Some(its) {
                let (id, secret) =
                    secrets.next().ok_or(StoreError::Broken("a value of a secret that is not there"))?;
                self.push(&mut page, secret).await?;
                current = Some(id);
            }
            let version = reader.version()?;
            if let Some(secret) = page.last(version.sealed.len()) {
                secret.values.push(version);
            }
        }
        for (_, secret) in secrets {
            self.push(&mut page, secret).await?;
        }
        if let Some(secrets) = page.take() {
            self.send(Piece::Secrets(secrets)).await?;
        }
        Ok(last)
    }

    /// Adds a secret to the page, which is sent first if it is full.
    async fn push(&self, page: &mut Page<ArchivedSecret>, secret: ArchivedSecret) -> Result<(), Stop> {
        if page.is_full()
            && let Some(secrets) = page.take()
        {
            self.send(Piece::Secrets(secrets)).await?;
        }
        let bytes = secret.head.document.len();
        page.push(secret, bytes);
        Ok(())
    }

    async fn functions(&self, connection: &mut PgConnection) -> Result<(), Stop> {
        {
            let mut rows = sqlx::query(sql::EXPORT_CODE).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                self.send(Piece::Code(Reader::new(&row, "code").code()?)).await?;
            }
        }
        let mut page = Page::default();
        {
            let mut rows = sqlx::query(sql::EXPORT_FUNCTIONS).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                let function = Reader::new(&row, "functions").archived_function()?;
                let bytes = function.row.document.len();
                page.push(function, bytes);
                if page.is_full()
                    && let Some(functions) = page.take()
                {
                    self.send(Piece::Functions(functions)).await?;
                }
            }
        }
        if let Some(functions) = page.take() {
            self.send(Piece::Functions(functions)).await?;
        }
        let rows = sqlx::query(sql::EXPORT_APPROVALS).fetch_all(connection).await?;
        let approvals = rows::all(&rows, "approvals", Reader::approval)?;
        if approvals.is_empty() { Ok(()) } else { self.send(Piece::Approvals(approvals)).await }
    }

    async fn entities(&self, connection: &mut PgConnection) -> Result<(), Stop> {
        let mut page = Page::default();
        let mut rows = sqlx::query(sql::EXPORT_ENTITIES).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let entity = Reader::new(&row, "entities").archived_entity()?;
            let bytes = entity.row.document.len();
            page.push(entity, bytes);
            if page.is_full()
                && let Some(entities) = page.take()
            {
                self.send(Piece::Entities(entities)).await?;
            }
        }
        match page.take() {
            Some(entities) => self.send(Piece::Entities(entities)).await,
            None => Ok(()),
        }
    }

    async fn rotations(&self, connection: &mut PgConnection) -> Result<(), Stop> {
        let mut page: Page<ArchivedRotation> = Page::default();
        let mut rows = sqlx::query(sql::EXPORT_ROTATIONS).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let rotation = Reader::new(&row, "rotations").archived_rotation()?;
            let bytes = rotation.kept.rotation.document.len();
            page.push(rotation, bytes);
            if page.is_full()
                && let Some(rotations) = page.take()
            {
                self.send(Piece::Rotations(rotations)).await?;
            }
        }
        match page.take() {
            Some(rotations) => self.send(Piece::Rotations(rotations)).await,
            None => Ok(()),
        }
    }

    /// Those that have no number yet come last, under the numbers that they will have.
    async fn entries(
        &self,
        connection: &mut PgConnection,
        of: Journal,
        piece: impl Fn(Vec<Entry>) -> Piece + Sync,
    ) -> Result<(), Stop> {
        let mut page = Page::default();
        let mut last = 0;
        for (statement, numbered) in [(of.export(), true), (of.export_unnumbered(), false)] {
            let mut rows = sqlx::query(statement).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                let reader = Reader::new(&row, of.table());
                let entry = if numbered {
                    reader.entry()?
                } else {
                    Entry { seq: last + 1, record: reader.get("record")? }
                };
                last = entry.seq;
                let bytes = entry.record.len();
                page.push(entry, bytes);
                if page.is_full()
                    && let Some(entries) = page.take()
                {
                    self.send(piece(entries)).await?;
                }
            }
        }
        match page.take() {
            Some(entries) => self.send(piece(entries)).await,
            None => Ok(()),
        }
    }
}
