//! The store and the keys to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::world::Rng;
use pawl_keyring::{Keyring, RootKey, SealedKek, root_file};
use pawl_store::{DatabaseUrl, Options, PostgresOptions, PostgresStore, SqliteStore, Store, StoreError};

use super::ServeError;
use super::directory::DataDir;
use crate::epoch::WITNESS;

/// Where the store is. Printed without passwords.
#[derive(Debug)]
pub(super) enum StorePlace {
    /// In a file of the data directory.
    File(PathBuf),
    /// In a PostgreSQL database that other hosts may use as well.
    Database(DatabaseUrl),
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Database(url) => write!(f, "`{url}`"),
        }
    }
}

impl StorePlace {
    pub(super) fn of(url: Option<DatabaseUrl>, dir: &DataDir) -> Self {
        url.map_or_else(|| Self::File(dir.path().join("pawl.db")), Self::Database)
    }

    /// The wrapped data keys, without changing anything; none when there is no store yet.
    async fn inspect(&self) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::File(path) => SqliteStore::inspect(path).await,
            Self::Database(url) => PostgresStore::inspect(url).await,
        }
    }

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(path) => Arc::new(SqliteStore::open(path, Options::default()).await?),
            Self::Database(url) => Arc::new(PostgresStore::open(url, PostgresOptions::default()).await?),
        })
    }
}

/// Opens the store with the root key of `key_file`. On first start both are made.
pub(super) async fn open(
    place: &StorePlace,
    dir: &DataDir,
    key_file: &Path,
    rng: &dyn Rng,
) -> Result<(Arc<dyn Store>, Keyring), ServeError> {
    let (file, witness) = (dir.path().join("pawl.db"), dir.path().join(WITNESS));
    match place {
        // Whoever forgets to name the database, or loses the file, must not be served an empty store.
        StorePlace::File(path) if !path.exists() && witness.exists() => {
            return Err(ServeError::StoreGone { store: path.clone(), witness });
        }
        StorePlace::Database(_) if file.exists() => {
            tracing::warn!(file = %file.display(), "the store is in a database; this file is not used any more");
        }
        _ => {}
    }
    let sealed = place.inspect().await?;
    let had_key = key_file.exists();
    let root = find_root_key(place, key_file, sealed.is_some(), rng)?;
    let unlocked = sealed.map(|bytes| unlock(&root, bytes, place, key_file)).transpose()?;
    let store = match place.open().await {
        Ok(store) => store,
        Err(error) => {
            // Nothing was sealed under the key that was made a moment ago.
            if !had_key && unlocked.is_none() {
                let _gone = std::fs::remove_file(key_file);
            }
            return Err(error.into());
        }
    };
    let keyring = match unlocked {
        Some(keyring) => Ok(keyring),
        None => first_keyring(&*store, &root, place, key_file, rng).await,
    };
    match keyring {
        Ok(keyring) => Ok((store, keyring)),
        // The key that was made a moment ago opens nothing: another host was faster, and has made its own.
        Err(ServeError::RootKeyWrong { store, key_file, .. }) if !had_key => {
            std::fs::remove_file(&key_file).map_err(|source| super::io(&key_file, source))?;
            Err(ServeError::RootKeyMissing { store, key_file })
        }
        Err(error) => Err(error),
    }
}

/// The keyring of a new store: the one that is made here, or the one of a host that was faster.
async fn first_keyring(
    store: &dyn Store,
    root: &RootKey,
    place: &StorePlace,
    key_file: &Path,
    rng: &dyn Rng,
) -> Result<Keyring, ServeError> {
    let (keyring, sealed) = Keyring::create(root, rng)?;
    if store.store_keyring(sealed.as_bytes()).await? {
        return Ok(keyring);
    }
    let sealed = store.keyring().await?.ok_or(StoreError::Broken("a keyring that went away"))?;
    unlock(root, sealed, place, key_file)
}

fn find_root_key(
    place: &StorePlace,
    key_file: &Path,
    sealed: bool,
    rng: &dyn Rng,
) -> Result<RootKey, ServeError> {
    match root_file::load(key_file)? {
        Some(root) => Ok(root),
        None if sealed => {
            Err(ServeError::RootKeyMissing { store: place.to_string(), key_file: key_file.to_owned() })
        }
        None => {
            tracing::info!(file = %key_file.display(), "a root key was made; keep a copy of it in a safe place");
            Ok(root_file::create(key_file, rng)?)
        }
    }
}

fn unlock(
    root: &RootKey,
    sealed: Vec<u8>,
    place: &StorePlace,
    key_file: &Path,
) -> Result<Keyring, ServeError> {
    Keyring::unlock(root, &SealedKek::from_bytes(sealed)).map_err(|source| ServeError::RootKeyWrong {
        store: place.to_string(),
        key_file: key_file.to_owned(),
        source,
    })
}
