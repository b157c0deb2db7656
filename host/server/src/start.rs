//! From an empty or used data directory to a serving host.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::{Clock, Rng};
use pawl_keyring::{Keyring, RootKey, SealedKek, UnlockError, root_file};
use pawl_runtime::database::postgres::PostgresDriver;
use pawl_runtime::database::{Driver, Drivers, TlsRoots, TlsRootsError};
use pawl_runtime::{Runtime, RuntimeConfig, StepLimits};
use pawl_store::{Options, SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{App, Parts};
use crate::edge;
use crate::functions::{Functions, FunctionsError};
use crate::host::{DevClock, Host, SigningKeys};
use crate::identity::{IdentityError, root_key};
use crate::ops::PageTokens;
use crate::rotation::run_scheduler;
use crate::settings::Settings;
use crate::world::{SystemClock, SystemRng, uuid};

/// Why the host does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file or directory.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Two hosts on one directory.
    #[error(
        "another pawl serves the data directory `{0}`; stop it first, or name another directory with --data-dir"
    )]
    InUse(PathBuf),
    /// The store holds sealed values, and the key to them is not there.
    #[error(
        "the store in `{data_dir}` was sealed under a root key, and the root key file `{key_file}` is not there; \
         put it back (nothing has been written)"
    )]
    RootKeyMissing {
        /// The data directory.
        data_dir: PathBuf,
        /// Where the key should be.
        key_file: PathBuf,
    },
    /// The root key opens something else.
    #[error("the root key file `{key_file}` does not open this store: {source} (nothing has been written)")]
    RootKeyWrong {
        /// The key's file.
        key_file: PathBuf,
        /// Which way.
        source: UnlockError,
    },
    /// The root key file.
    #[error(transparent)]
    RootKeyFile(#[from] root_file::RootFileError),
    /// A new keyring could not be sealed.
    #[error(transparent)]
    Seal(#[from] pawl_keyring::SealError),
    /// The store.
    #[error(transparent)]
    Store(#[from] pawl_store::StoreError),
    /// The root identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The functions.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The certificate authorities for databases.
    #[error(transparent)]
    DatabaseCa(#[from] TlsRootsError),
    /// The port.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Serves until `shutdown` ends. `listening` is told the address as soon as connections are accepted.
///
/// # Errors
/// When the host cannot start.
pub async fn serve(
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let address = settings.listen;
    let opened = open(settings).await?;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Listen { address, source })?;
    let host = opened.host.clone();
    let (stop, stopping) = watch::channel(false);
    let scheduler = tokio::spawn(run_scheduler(host.clone(), stopping));
    let warming = tokio::spawn(warm(host.clone()));
    let noting = tokio::spawn(note_accesses(host.clone()));
    listening(bound);
    edge::serve(listener, edge::router(host.clone()), shutdown).await;
    stop.send_replace(true);
    warming.abort();
    noting.abort();
    host.app.write_accesses().await;
    if scheduler.await.is_err() {
        tracing::error!("the scheduler ended badly; what it did is resumed at the next start");
    }
    Ok(())
}

/// A host that is ready to serve, and the lock on its directory.
pub struct Opened {
    /// The host.
    pub host: Arc<Host>,
    _lock: File,
}

/// Opens the data directory: the root key first, and nothing is written before it has proved to be the right one.
///
/// # Errors
/// When anything is not as it must be; the texts say what to do.
pub async fn open(settings: Settings) -> Result<Opened, ServeError> {
    let roots = TlsRoots::load(settings.database_ca.as_deref())?;
    let postgres: Arc<dyn Driver> = Arc::new(PostgresDriver::new(roots));
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let dir = settings.data_dir.clone();
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|source| io(&dir, source))?;
    let lock = lock(&dir)?;
    let database = dir.join("pawl.db");
    let key_file = settings.root_key_file.clone().unwrap_or_else(|| dir.join("root-key"));
    let sealed_kek = SqliteStore::inspect(&database).await?;
    let root = find_root_key(&dir, &key_file, sealed_kek.is_some(), &*rng)?;
    let unlocked = sealed_kek.map(|bytes| unlock(&root, bytes, &key_file)).transpose()?;
    let store = SqliteStore::open(&database, Options::default()).await?;
    let keyring = match unlocked {
        Some(keyring) => keyring,
        None => {
            let (keyring, sealed) = Keyring::create(&root, &*rng)?;
            store.store_keyring(sealed.as_bytes()).await?;
            keyring
        }
    };
    // The lock on the directory proves that whoever held a lease here is gone.
    store.break_leases(None).await?;
    let functions = Functions::load(settings.account.clone(), settings.functions_dir.as_deref())?;
    let root_key = root_key(&dir, settings.bootstrap, &*rng)?;
    let (clock, dev_clock) = clocks(&dir, settings.dev_clock)?;
    let runtime = Runtime::new(RuntimeConfig {
        worker_program: settings.worker_program,
        artifact_dir: dir.join("artifacts"),
        artifact_key: keyring.subkey("artifacts"),
        limits: StepLimits::default(),
        drivers: Arc::new(Drivers::new([postgres])),
        egress: Arc::default(),
        rng: rng.clone(),
    });
    let pages = PageTokens::new(keyring.subkey("page tokens"));
    let owner = uuid(&*rng);
    let account = settings.account;
    let store: Arc<dyn Store> = Arc::new(store);
    let app =
        App::new(Parts { store, keyring, cache_bytes: settings.cache_bytes, clock, rng, account, functions });
    let host = Host {
        app,
        runtime,
        pages,
        root_key,
        region: settings.region,
        owner,
        dev_clock,
        data_dir: dir,
        signing_keys: SigningKeys::default(),
    };
    Ok(Opened { host: Arc::new(host), _lock: lock })
}

fn io(path: &Path, source: std::io::Error) -> ServeError {
    ServeError::Io { path: path.to_owned(), source }
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

fn find_root_key(dir: &Path, key_file: &Path, sealed: bool, rng: &dyn Rng) -> Result<RootKey, ServeError> {
    match root_file::load(key_file)? {
        Some(root) => Ok(root),
        None if sealed => {
            Err(ServeError::RootKeyMissing { data_dir: dir.to_owned(), key_file: key_file.to_owned() })
        }
        None => {
            tracing::info!(file = %key_file.display(), "a root key was made; keep a copy of it in a safe place");
            Ok(root_file::create(key_file, rng)?)
        }
    }
}

fn unlock(root: &RootKey, sealed: Vec<u8>, key_file: &Path) -> Result<Keyring, ServeError> {
    Keyring::unlock(root, &SealedKek::from_bytes(sealed))
        .map_err(|source| ServeError::RootKeyWrong { key_file: key_file.to_owned(), source })
}

fn clocks(dir: &Path, dev: bool) -> Result<(Arc<dyn Clock>, Option<DevClock>), ServeError> {
    let file = dir.join("dev-clock");
    if !dev {
        return Ok((Arc::new(SystemClock::default()), None));
    }
    let offset = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(source) => return Err(io(&file, source)),
    };
    let clock = Arc::new(SystemClock::ahead_by(offset));
    tracing::warn!(
        "this host runs on a development clock: dates can be moved, so it must not hold secrets that matter"
    );
    Ok((clock.clone(), Some(DevClock { clock, file })))
}

/// Writes dates of access down, a moment after they are noted.
async fn note_accesses(host: Arc<Host>) {
    loop {
        tokio::time::sleep(limits::ACCESS_WRITE_EVERY).await;
        host.app.write_accesses().await;
    }
}

/// Compiles what is not compiled yet and starts a worker, so that the first rotation does not wait for it.
async fn warm(host: Arc<Host>) {
    for function in host.app.functions().all() {
        if let Err(error) = host.runtime.prepare(&function.component).await {
            tracing::error!(function = %function.name, %error, "the function cannot be run");
        }
    }
    host.runtime.prestart().await;
}
