//! The store and the keys to it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pawl_core::world::{Clock as _, Rng};
use pawl_keyring::{Keyring, UnlockedRecord};
use pawl_store::{DatabaseUrl, Options, PostgresOptions, PostgresStore, SqliteStore, Store, StoreError};

use super::ServeError;
use super::directory::DataDir;
use crate::epoch::WITNESS;
use crate::root_key::{RootKeyError, RootKeys, Source};
use crate::world::SystemClock;

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

/// A store that is open, its keys, and what opened them.
pub(super) struct Vault {
    pub(super) store: Arc<dyn Store>,
    pub(super) keyring: Keyring,
}

/// Opens the store by the root key of `roots`. On first start both are made.
pub(super) async fn open(
    place: &StorePlace,
    dir: &DataDir,
    roots: &Arc<RootKeys>,
    rng: &Arc<dyn Rng>,
) -> Result<Vault, ServeError> {
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
    if let (StorePlace::File(path), None, true) = (place, &sealed, witness.exists()) {
        // A file that was emptied is no new store either.
        return Err(ServeError::StoreGone { store: path.clone(), witness });
    }
    let new_file = new_file(roots);
    let (unlocked, fresh) = match sealed {
        Some(bytes) => (Some(unlock(place, roots, bytes).await?), None),
        // Before the store: what cannot be sealed must not be begun.
        None => (None, Some(first_record(place, roots, rng).await?)),
    };
    let store = match place.open().await {
        Ok(store) => store,
        Err(error) => {
            // Nothing was sealed under the key that was made a moment ago.
            if unlocked.is_none() {
                remove(new_file);
            }
            return Err(error.into());
        }
    };
    let keyring = match (unlocked, fresh) {
        (Some(keyring), _) => keyring,
        (None, fresh) => first_keyring(&*store, place, roots, fresh.unwrap_or_default(), new_file).await?,
    };
    Ok(Vault { store, keyring })
}

/// The keyring of a new store: the one that was made here, or the one of a host that was faster.
async fn first_keyring(
    store: &dyn Store,
    place: &StorePlace,
    roots: &Arc<RootKeys>,
    fresh: Vec<u8>,
    new_file: Option<PathBuf>,
) -> Result<Keyring, ServeError> {
    if store.store_keyring(&fresh).await? {
        return unlock(place, roots, fresh).await;
    }
    let sealed = store.keyring().await?.ok_or(StoreError::Broken("a keyring that went away"))?;
    match (unlock(place, roots, sealed).await, new_file) {
        // The key that was made a moment ago opens nothing.
        (Err(ServeError::RootKeyWrong { store, .. }), Some(key_file)) => {
            std::fs::remove_file(&key_file).map_err(|source| super::io(&key_file, source))?;
            Err(ServeError::RootKeyMissing { store, key_file })
        }
        (unlocked, _) => unlocked,
    }
}

/// The root key file that a first start would make.
fn new_file(roots: &RootKeys) -> Option<PathBuf> {
    match roots.first() {
        Some(Source::File(path)) if !path.exists() => Some(path.clone()),
        _ => None,
    }
}

fn remove(file: Option<PathBuf>) {
    if let Some(file) = file {
        let _gone = std::fs::remove_file(file);
    }
}

/// The key record of a new store.
async fn first_record(
    place: &StorePlace,
    roots: &Arc<RootKeys>,
    rng: &Arc<dyn Rng>,
) -> Result<Vec<u8>, ServeError> {
    if let Some(file) = new_file(roots) {
        tracing::info!(file = %file.display(), "a root key is made; keep a copy of it in a safe place");
    }
    let (roots, rng) = (roots.clone(), rng.clone());
    let made = blocking(move || {
        let now = SystemClock::default().wall();
        let (root, slot) = roots.next(None, now, &*rng)?;
        let record = UnlockedRecord::create(&root, slot, now, &*rng)?;
        Ok(record.to_bytes()?)
    });
    made.await.map_err(|error| told(place, error))
}

async fn unlock(place: &StorePlace, roots: &Arc<RootKeys>, sealed: Vec<u8>) -> Result<Keyring, ServeError> {
    let roots = roots.clone();
    blocking(move || roots.keyring(&sealed)).await.map_err(|error| told(place, error))
}

/// On a thread on which providers may be waited for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RootKeyError> + Send + 'static,
) -> Result<T, RootKeyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(RootKeyError::NothingNew("a provider of the root key broke off")),
    }
}

fn told(place: &StorePlace, error: RootKeyError) -> ServeError {
    let store = place.to_string();
    match error {
        RootKeyError::NoFile(key_file) => ServeError::RootKeyMissing { store, key_file },
        source @ RootKeyError::Wrong { .. } => ServeError::RootKeyWrong { store, source },
        source => ServeError::RootKey { store, source },
    }
}
