//! A host's data directory: one process at a time, and the id by which other hosts know it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pawl_core::limits;
use pawl_core::world::Rng;

use super::{ServeError, io};
use crate::world::uuid;

/// A data directory, locked for this process as long as this is there.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    host_id: String,
    _lock: File,
}

impl DataDir {
    /// Makes the directory when it is not there, and locks it.
    pub(super) async fn open(path: &Path, rng: &dyn Rng) -> Result<Self, ServeError> {
        let builder = DirBuilder::new().recursive(true).mode(0o700).create(path);
        builder.map_err(|source| io(path, source))?;
        let lock = lock_soon(path).await?;
        Ok(Self { path: path.to_owned(), host_id: host_id(path, rng)?, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The host's id: the same at every start in this directory.
    pub(super) fn host_id(&self) -> &str {
        &self.host_id
    }
}

/// The lock on a data directory that another process may still be leaving: one that was killed holds it until the last child that it was
/// about to start is gone.
async fn lock_soon(dir: &Path) -> Result<File, ServeError> {
    let looks = limits::LOCK_WAIT.as_millis() / limits::LOCK_LOOK.as_millis();
    for _ in 0..looks {
        match lock(dir) {
            Err(ServeError::InUse(_)) => tokio::time::sleep(limits::LOCK_LOOK).await,
            done => return done,
        }
    }
    lock(dir)
}

/// The lock on a data directory, as long as the file is held.
pub(crate) fn lock(dir: &Path) -> Result<File, ServeError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|source| io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(&path, source)),
    }
}

fn host_id(dir: &Path, rng: &dyn Rng) -> Result<String, ServeError> {
    let path = dir.join("host-id");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            let whole = id.len() == 36 && id.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
            if whole { Ok(id.to_owned()) } else { Err(ServeError::HostId(path)) }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = uuid(rng);
            // Under another name first: a start that is cut off leaves no half of an id.
            let partial = dir.join("host-id.partial");
            let written = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&partial)
                .and_then(|mut file| {
                    file.write_all(format!("{id}\n").as_bytes()).and_then(|()| file.sync_all())
                })
                .and_then(|()| std::fs::rename(&partial, &path));
            written.map_err(|source| io(&path, source))?;
            Ok(id)
        }
        Err(source) => Err(io(&path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemRng;

    #[tokio::test]
    async fn a_directory_is_one_process_s_and_keeps_its_id() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("data");
        let first = DataDir::open(&dir, &SystemRng).await.unwrap();
        assert!(matches!(lock(&dir), Err(ServeError::InUse(_))));
        let id = first.host_id().to_owned();
        drop(first);
        assert_eq!(DataDir::open(&dir, &SystemRng).await.unwrap().host_id(), id);
        std::fs::write(dir.join("host-id"), "half-an").unwrap();
        assert!(matches!(DataDir::open(&dir, &SystemRng).await, Err(ServeError::HostId(_))));
    }
}
