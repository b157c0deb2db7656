//! What another store has exported, taken over in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use sqlx::{Executor, PgConnection};
use tokio::sync::mpsc;

use super::commit::{exactly, finish, integer, undo};
use super::fault::Failure;
use super::journal::Journal;
use super::primary::{Limit, Primary, Work};
use super::rows::{self, Reader};
use super::{entities, functions, sql};
use crate::archive::{ArchivedRotation, ArchivedSecret, HALT, HALT_IMPORTING, ImportError, Piece, raised};
use crate::error::StoreError;
use crate::record::{EndedRotation, Entry, RotationState, SecretRow};

/// Takes everything over, or nothing.
pub(super) async fn import(primary: &Arc<Primary>, from: mpsc::Receiver<Piece>) -> Result<(), ImportError> {
    // The halt is durable before anything else is.
    if !primary.ask(&Halt).await? {
        return Err(ImportError::NotEmpty);
    }
    let work = Import { from: tokio::sync::Mutex::new(from), why: Mutex::default() };
    let outcome = primary.ask(&work).await;
    let why = work.why.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.map_err(|error| why.unwrap_or_else(|| error.into()))
}

/// Halts a store that is empty, or whose import broke off. False when it is neither.
struct Halt;

impl Work for Halt {
    type Answer = bool;
    // Twice is once.
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<bool, Failure> {
        let held = sqlx::query(sql::META).bind(HALT).fetch_optional(&mut *connection).await?;
        let held: Option<Vec<u8>> = held.map(|row| Reader::new(&row, "meta").get("value")).transpose()?;
        if held.as_deref() != Some(HALT_IMPORTING) {
            let row = sqlx::query(sql::IS_EMPTY).fetch_one(&mut *connection).await?;
            if !Reader::new(&row, "secrets").get::<bool>("empty")? {
                return Ok(false);
            }
        }
        sqlx::query(sql::PUT_META).bind(HALT).bind(HALT_IMPORTING).fetch_all(connection).await?;
        Ok(true)
    }
}

struct Import {
    from: tokio::sync::Mutex<mpsc::Receiver<Piece>>,
    /// Why it ended early, when that was not the database's doing.
    why: Mutex<Option<ImportError>>,
}

impl Work for Import {
    type Answer = ();
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Archive;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::BEGIN).await?;
        match self.fill(connection).await {
            Ok(()) => finish(connection).await,
            Err(failure) => match undo(connection, failure).await {
                // Not to be tried again: what came is gone.
                Failure::Undone(error) => {
                    self.tell(super::fault::fault(error).into());
                    Err(Failure::Unknown)
                }
                failure => Err(failure),
            },
        }
    }
}

impl Import {
    fn tell(&self, why: ImportError) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    async fn fill(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        connection.execute(sql::PATIENT).await?;
        connection.execute(sql::IMPORTING).await?;
        for statement in [
            sql::CLEAR_SECRETS,
            sql::CLEAR_FUNCTIONS,
            sql::CLEAR_CODE,
            sql::CLEAR_APPROVALS,
            sql::CLEAR_ENTITIES,
            sql::CLEAR_AUDIT,
            sql::CLEAR_EVENTS,
            sql::CLEAR_KEYRING,
        ] {
            sqlx::query(statement).execute(&mut *connection).await?;
        }
        sqlx::query(sql::CLEAR_META).bind(HALT).execute(&mut *connection).await?;
        let mut from = self.from.lock().await;
        loop {
            match from.recv().await {
                None => {
                    self.tell(ImportError::Incomplete);
                    return Err(StoreError::Broken("an import that has no end").into());
                }
                Some(Piece::Begin { .. }) => {}
                Some(Piece::Keyring(wrapped)) => {
                    sqlx::query(sql::STORE_KEYRING).bind(wrapped).execute(&mut *connection).await?;
                }
                Some(Piece::Setting { key, value }) => {
                    sqlx::query(sql::PUT_META).bind(key).bind(value).execute(&mut *connection).await?;
                }
                Some(Piece::Code(code)) => functions::import_code(connection, &code).await?,
                Some(Piece::Functions(page)) => functions::import(connection, &page).await?,
                Some(Piece::Approvals(page)) => functions::import_approvals(connection, &page).await?,
                Some(Piece::Entities(page)) => entities::import(connection, &page).await?,
                Some(Piece::Secrets(page)) => secrets(connection, &page).await?,
                Some(Piece::Rotations(page)) => rotations(connection, &page).await?,
                Some(Piece::Audit(page)) => entries(connection, Journal::Audit, &page).await?,
                Some(Piece::Events(page)) => entries(connection, Journal::Events, &page).await?,
                Some(Piece::End) => break,
            }
        }
        sqlx::query(sql::COUNT_ENTITIES_ON).execute(&mut *connection).await?;
        for journal in [Journal::Audit, Journal::Events] {
            sqlx::query(journal.count_on()).bind(journal.table()).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

async fn secrets(connection: &mut PgConnection, page: &[ArchivedSecret]) -> Result<(), Failure> {
    let texts = |of: fn(&SecretRow) -> &str| page.iter().map(|secret| of(&secret.head)).collect::<Vec<_>>();
    let moments = |of: fn(&SecretRow) -> Option<Timestamp>| {
        page.iter().map(|secret| of(&secret.head).map(Timestamp::millis)).collect::<Vec<_>>()
    };
    let (mut revisions, mut epochs) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
    for secret in page {
        revisions.push(integer(secret.head.revision)?);
        epochs.push(integer(raised(secret.lease_epoch))?);
    }
    let accessed: Vec<i64> =
        page.iter().map(|secret| rows::moment_or_never(secret.head.last_accessed_at)).collect();
    let replica_of: Vec<Option<&str>> =
        page.iter().map(|secret| secret.head.replica_of.as_ref().map(Region::as_str)).collect();
    let rotation_state: Vec<Option<&str>> =
        page.iter().map(|secret| secret.head.rotation_state.map(RotationState::as_str)).collect();
    let added = sqlx::query(sql::IMPORT_SECRETS)
        .bind(texts(|row| row.arn.as_str()))
        .bind(texts(|row| row.region.as_str()))
        .bind(texts(|row| row.name.as_str()))
        .bind(revisions)
        .bind(texts(|row| &row.document))
        .bind(moments(|row| Some(row.created_at)))
        .bind(moments(|row| row.purge_at))
        .bind(moments(|row| row.next_rotation_at))
        .bind(moments(|row| row.rotation_due_at))
        .bind(moments(|row| Some(row.last_changed_at)))
        .bind(accessed)
        .bind(replica_of)
        .bind(rotation_state)
        .bind(epochs)
        .bind(page.iter().map(|secret| secret.head.mac.bytes()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let mut ids = HashMap::with_capacity(added.len());
    for row in &added {
        let reader = Reader::new(row, "secrets");
        ids.insert(reader.get::<&str>("arn")?, reader.get::<i64>("id")?);
    }
    versions(connection, page, &ids).await
}

async fn versions(
    connection: &mut PgConnection,
    page: &[ArchivedSecret],
    ids: &HashMap<&str, i64>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    for secret in page {
        let id =
            ids.get(secret.head.arn.as_str()).ok_or(StoreError::Broken("a secret that was not added"))?;
        all.extend(secret.values.iter().map(|version| (*id, version)));
    }
    if all.is_empty() {
        return Ok(());
    }
    let secret_ids: Vec<i64> = all.iter().map(|(id, _)| *id).collect();
    let version_ids: Vec<&str> = all.iter().map(|(_, version)| version.version_id.as_str()).collect();
    let sealed: Vec<&[u8]> = all.iter().map(|(_, version)| version.sealed.as_slice()).collect();
    let query = sqlx::query(sql::IMPORT_VERSIONS).bind(secret_ids).bind(version_ids).bind(sealed);
    let done = query.execute(connection).await?.rows_affected();
    Ok(exactly(all.len(), done)?)
}

async fn rotations(connection: &mut PgConnection, page: &[ArchivedRotation]) -> Result<(), Failure> {
    let mut numbers = Vec::with_capacity(page.len());
    for rotation in page {
        numbers.push(integer(rotation.kept.number)?);
    }
    let arns: Vec<&str> = page.iter().map(|rotation| rotation.arn.as_str()).collect();
    let texts = |of: fn(&EndedRotation) -> &str| {
        page.iter().map(|rotation| of(&rotation.kept.rotation)).collect::<Vec<_>>()
    };
    let moments = |of: fn(&EndedRotation) -> Timestamp| {
        page.iter().map(|rotation| of(&rotation.kept.rotation).millis()).collect::<Vec<_>>()
    };
    let query = sqlx::query(sql::IMPORT_ROTATIONS)
        .bind(arns)
        .bind(numbers)
        .bind(texts(|rotation| rotation.token.as_str()))
        .bind(texts(|rotation| &rotation.status))
        .bind(moments(|rotation| rotation.requested_at))
        .bind(moments(|rotation| rotation.finished_at))
        .bind(texts(|rotation| &rotation.document));
    Ok(exactly(page.len(), query.execute(connection).await?.rows_affected())?)
}

async fn entries(connection: &mut PgConnection, of: Journal, page: &[Entry]) -> Result<(), Failure> {
    let mut numbers = Vec::with_capacity(page.len());
    for entry in page {
        numbers.push(integer(entry.seq)?);
    }
    let records: Vec<&str> = page.iter().map(|entry| entry.record.as_str()).collect();
    let done =
        sqlx::query(of.import()).bind(numbers).bind(records).execute(connection).await?.rows_affected();
    Ok(exactly(page.len(), done)?)
}
