//! Where a store is, and where its root key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pawl_keyring::Keyring;
use pawl_store::{DatabaseUrl, Options, PostgresOptions, PostgresStore, SqliteStore, Store};

use super::BackupError;
use crate::root_key::RootKeys;

/// The file of an embedded store in its data directory.
const DATABASE: &str = "pawl.db";

/// A store, as an operator names it.
#[derive(Clone, Debug)]
pub enum Place {
    /// An embedded one, in a data directory.
    Directory(PathBuf),
    /// One in a PostgreSQL database.
    Database(DatabaseUrl),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "{}", dir.join(DATABASE).display()),
            // Without its password.
            Self::Database(url) => write!(f, "{url}"),
        }
    }
}

impl Place {
    /// Refuses an embedded store that is not there: opening it would make it.
    pub(super) fn must_exist(&self) -> Result<(), BackupError> {
        match self {
            Self::Directory(dir) if !dir.join(DATABASE).exists() => {
                Err(BackupError::NoStore(self.to_string()))
            }
            Self::Directory(_) | Self::Database(_) => Ok(()),
        }
    }

    /// Opens the store to read it, beside whoever serves it.
    pub(crate) async fn to_read(&self) -> Result<Arc<dyn Store>, BackupError> {
        match self {
            Self::Directory(dir) => {
                self.must_exist()?;
                let store =
                    SqliteStore::open_to_read(&dir.join(DATABASE)).await.map_err(BackupError::Read)?;
                Ok(Arc::new(store))
            }
            Self::Database(url) => {
                if PostgresStore::inspect(url).await.map_err(BackupError::Read)?.is_none() {
                    return Err(BackupError::NoStore(self.to_string()));
                }
                let options = PostgresOptions::default();
                Ok(Arc::new(PostgresStore::open(url, options).await.map_err(BackupError::Read)?))
            }
        }
    }

    /// Opens the store to write it; makes it when there is none.
    pub(super) async fn to_write(&self) -> Result<Arc<dyn Store>, BackupError> {
        match self {
            Self::Directory(dir) => {
                let path = dir.join(DATABASE);
                let store = SqliteStore::open(&path, Options::default()).await.map_err(BackupError::Write)?;
                Ok(Arc::new(store))
            }
            Self::Database(url) => {
                let options = PostgresOptions::default();
                Ok(Arc::new(PostgresStore::open(url, options).await.map_err(BackupError::Write)?))
            }
        }
    }

    /// The data directory, when it is the store's own.
    pub(super) const fn directory(&self) -> Option<&PathBuf> {
        match self {
            Self::Directory(dir) => Some(dir),
            Self::Database(_) => None,
        }
    }
}

/// The keys of a store that has some.
pub(super) async fn keyring(store: &dyn Store, roots: &Arc<RootKeys>) -> Result<Keyring, BackupError> {
    let wrapped = store.keyring().await.map_err(BackupError::Read)?.ok_or(BackupError::NoKeys)?;
    let roots = roots.clone();
    let opened = tokio::task::spawn_blocking(move || roots.keyring(&wrapped)).await;
    Ok(opened.map_err(|_| BackupError::Broken("a provider of the root key panicked"))??)
}
