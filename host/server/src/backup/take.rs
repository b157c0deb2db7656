//! `pawl backup`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::Clock;
use pawl_store::Store;
use tokio::sync::mpsc;

use super::examine::examine;
use super::file::{self, Origin};
use super::line::{Counts, Header};
use super::place::{Place, keyring};
use super::{BackupError, Progress};
use crate::epoch::{self, EpochError};
use crate::root_key::RootKeys;
use crate::world::SystemClock;

/// A backup that was made.
#[derive(Debug)]
pub struct Taken {
    /// What it is of.
    pub header: Header,
    /// What is in it.
    pub counts: Counts,
    /// Its size.
    pub bytes: u64,
    /// Whether every value was read back and opened.
    pub verified: bool,
}

/// Writes what the store at `place` holds at one moment to a new file, whoever else works with the store. The file gets its name
/// only when it is whole, on disk and, unless `verify` is false, was read back with every value opened.
///
/// # Errors
/// When there is no backup; then there is no such file either.
pub async fn backup(
    place: &Place,
    roots: &Arc<RootKeys>,
    to: &Path,
    verify: bool,
    progress: Progress,
) -> Result<Taken, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let store = place.to_read().await?;
    let partial = partial(to);
    let outcome = write_and_verify(&store, roots, to, &partial, verify, progress).await;
    if outcome.is_err() {
        // What is in it is no backup. That it stays is not worth another error.
        let _ = std::fs::remove_file(&partial);
    }
    store.close().await;
    outcome
}

/// The name under which a backup is written until it is one.
fn partial(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

async fn write_and_verify(
    store: &Arc<dyn Store>,
    roots: &Arc<RootKeys>,
    to: &Path,
    partial: &Path,
    verify: bool,
    progress: Progress,
) -> Result<Taken, BackupError> {
    match epoch::refuse_halted(&**store).await {
        // What was moved away is all here.
        Ok(()) | Err(EpochError::Moved) => {}
        Err(error) => return Err(error.into()),
    }
    let keyring = keyring(&**store, roots).await?;
    let created_at = SystemClock::default().wall();
    let origin = Origin { created_at, store: epoch::mark(&**store, &keyring).await? };
    let (pieces, receiver) = mpsc::channel(limits::ARCHIVE_PAGES_AHEAD);
    let writing = tokio::task::spawn_blocking({
        let (path, roots, progress) = (partial.to_owned(), roots.clone(), progress.clone());
        move || {
            let file = create(&path)?;
            file::write(&path, file, origin, &roots, receiver, &progress)
        }
    });
    let exported = store.export(pieces).await;
    let written = writing.await.map_err(|_| BackupError::Broken("the writer of a backup panicked"))?;
    exported.map_err(BackupError::Read)?;
    let Some((header, counts)) = written? else {
        return Err(BackupError::Broken("an export that has no end"));
    };
    let (path, to, roots) = (partial.to_owned(), to.to_owned(), roots.clone());
    tokio::task::spawn_blocking(move || {
        if verify {
            let remedy = "put that right, or have a backup all the same with --no-verify";
            let mut examined = examine(&path, &roots, true, created_at, &progress)?;
            examined.must_be_sound(remedy)?;
            if examined.counts != counts {
                return Err(BackupError::Differs { given: counts.digest, found: examined.counts.digest });
            }
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| BackupError::Io { path, source }
        };
        let bytes = std::fs::metadata(&path).map_err(io(&path))?.len();
        rename(&path, &to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::Exists(to.clone()),
            _ => io(&to)(error),
        })?;
        Ok(Taken { header, counts, bytes, verified: verify })
    })
    .await
    .map_err(|_| BackupError::Broken("the verification of a backup panicked"))?
}

/// A new file for its owner only; what a backup that was killed has left is replaced.
fn create(path: &Path) -> Result<File, BackupError> {
    let io = |source| BackupError::Io { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)
}

/// Gives a file its name, if that is still free, for good.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    // A second name fails where there is one already, which renaming does not.
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
        // A file system that has one name for each file.
        Err(_) if to.symlink_metadata().is_ok() => return Err(std::io::ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to)?,
    }
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
