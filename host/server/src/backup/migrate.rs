//! `pawl migrate`.

use std::path::Path;
use std::sync::Arc;

use pawl_core::limits;
use pawl_store::{HALT, HALT_IMPORTING, HALT_MOVED, Store};
use tokio::sync::mpsc;

use super::line::Counts;
use super::place::{Place, keyring};
use super::restore::{digest, hold, same};
use super::{BackupError, Progress};
use crate::epoch::EpochError;
use crate::root_key::RootKeys;

/// A store that was moved.
#[derive(Debug)]
pub struct Migrated {
    /// What both stores hold.
    pub counts: Counts,
}

/// Moves everything from the embedded store in `dir` to the empty one at `to`, and proves that both hold the same: each is read
/// and digested by itself. The embedded store stays as it is, and is not served any more.
///
/// # Errors
/// When it was not moved. The embedded store is then as it was, and the other one empty or not served.
pub async fn migrate(
    dir: &Path,
    to: &Place,
    roots: &Arc<RootKeys>,
    progress: Progress,
) -> Result<Migrated, BackupError> {
    let from = Place::Directory(dir.to_owned());
    from.must_exist()?;
    let _lock = hold(dir)?;
    // Beside nobody: this brings its schema up to date as well.
    let source = from.to_write().await?;
    keyring(&*source, roots).await?;
    let halt = source.meta(HALT).await.map_err(BackupError::Read)?.unwrap_or_default();
    // One that was moved may be moved again: the last try may have ended after that was noted.
    if halt == HALT_IMPORTING {
        return Err(EpochError::Importing.into());
    }
    let target = to.to_write().await?;
    let outcome = copy(&*source, &*target, &progress).await;
    target.close().await;
    source.close().await;
    outcome.map(|counts| Migrated { counts })
}

async fn copy(source: &dyn Store, target: &dyn Store, progress: &Progress) -> Result<Counts, BackupError> {
    progress("moving", 0);
    let (to, pieces) = mpsc::channel(limits::ARCHIVE_PAGES_AHEAD);
    let (exported, imported) = tokio::join!(source.export(to), target.import(pieces));
    exported.map_err(BackupError::Read)?;
    imported?;
    let (given, found) = tokio::join!(
        digest(source, 0, "comparing", progress),
        digest(target, limits::IMPORT_EPOCHS, "comparing", progress)
    );
    let given = given?;
    same(&given, &found?)?;
    // In this order: at no moment can both be served.
    source.put_meta(HALT, HALT_MOVED).await.map_err(BackupError::Write)?;
    target.put_meta(HALT, b"").await.map_err(BackupError::Write)?;
    Ok(given)
}
