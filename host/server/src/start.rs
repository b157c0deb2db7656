//! From an empty or used data directory to a serving host.

mod audited;
pub(crate) mod directory;
mod patience;
mod stored;
mod vault;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pawl_core::limits;
use pawl_core::world::{Clock, Rng};
use pawl_keyring::Keyring;
use pawl_runtime::database::mysql::MysqlDriver;
use pawl_runtime::database::postgres::PostgresDriver;
use pawl_runtime::database::{Driver, Drivers, TlsRoots, TlsRootsError};
use pawl_runtime::dial::Egress;
use pawl_runtime::{Runtime, RuntimeConfig, StepLimits};
use pawl_store::Store;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::app::{App, Parts};
use crate::edge::{TlsDoor, TlsError};
use crate::epoch::{EpochError, StoreEpoch, Verdict};
use crate::events::webhook::{self, Receiver, WebhookError};
use crate::functions::{Functions, FunctionsError};
use crate::host::{DevClock, Host, SigningKeys};
use crate::identity::{self, AccessKey, Directory, IdentityError, shared_root_key};
use crate::metrics::Metrics;
use crate::oidc::{Issuers, OidcError};
use crate::ops::PageTokens;
use crate::root_key::{Keeper, RootKeyError, RootKeys, Source};
use crate::rotation::run_scheduler;
use crate::rows::RowsError;
use crate::settings::{DoorSettings, Settings};
use crate::world::{RequestIds, SystemClock, SystemRng};
use crate::{audit, edge, events, root_key};

use self::audited::{close_audit, open_audit};
use self::directory::DataDir;
use self::patience::Patience;
use self::stored::Stored;
use self::vault::StorePlace;

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
    /// The directory has served a store that is not there.
    #[error(
        "this data directory belongs to a store that is not here: there is no `{store}`. If the store is in a database, name it \
         with --database-url; if the file was lost, restore a backup; to begin an empty store, remove `{witness}` \
         (nothing has been written)"
    )]
    StoreGone {
        /// Where the store should be.
        store: PathBuf,
        /// What remembers it.
        witness: PathBuf,
    },
    /// The store is another account's.
    #[error(
        "the store {store} is of account {found}, and this host was given account {given}: start it with --account {found}"
    )]
    OtherAccount {
        /// The store.
        store: String,
        /// Its account.
        found: String,
        /// This host's.
        given: String,
    },
    /// The store holds sealed values, and the key to them is not there.
    #[error(
        "the store {store} was sealed under a root key, and the root key file `{key_file}` is not there; put it back, or \
         copy it from another host of this store (nothing has been written)"
    )]
    RootKeyMissing {
        /// The store.
        store: String,
        /// Where the key should be.
        key_file: PathBuf,
    },
    /// The root key opens something else.
    #[error(
        "the root key does not open the store {store}: {source}; all hosts of a store need the root key that it is under \
         (nothing has been written)"
    )]
    RootKeyWrong {
        /// The store.
        store: String,
        /// Which way.
        source: RootKeyError,
    },
    /// The root key is not to be had, or the store's key record is not what was written.
    #[error("the keys of the store {store} are not to be had: {source} (nothing has been written)")]
    RootKey {
        /// The store.
        store: String,
        /// Why.
        source: RootKeyError,
    },
    /// The host's id.
    #[error("`{0}` holds no id of a host; remove it to have a new one made")]
    HostId(PathBuf),
    /// The store.
    #[error(transparent)]
    Store(#[from] pawl_store::StoreError),
    /// The store's epoch, or a store that must not be served.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// The store's rows.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The root identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The functions.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The certificate authorities for databases.
    #[error(transparent)]
    DatabaseCa(#[from] TlsRootsError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] pawl_audit::LogError),
    /// The receiver of events.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// Identity providers.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// The server's certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// What a host is told while it serves.
pub struct Orders<E> {
    /// It is to end: when this does.
    pub end: E,
    /// It is to look at its certificate's files at once.
    pub reload: Arc<Notify>,
}

/// Serves until it is told to end. `listening` is told the address as soon as connections are accepted.
///
/// # Errors
/// When the host cannot start.
pub async fn serve(
    settings: Settings,
    orders: Orders<impl Future<Output = ()> + Send + 'static>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let address = settings.listen;
    let doors = settings.doors.clone();
    let receiver = settings.webhook.as_ref().map(Receiver::new).transpose()?;
    let mut end = Box::pin(orders.end);
    let opened = tokio::select! {
        opened = open(settings) => opened?,
        // A start that waits for its store, or for who has the root key, can be ended as well.
        () = &mut end => return Ok(()),
    };
    let listener =
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Listen { address, source })?;
    let host = opened.host.clone();
    let terms = terms(&host, &doors, bound)?;
    if receiver.is_some() {
        webhook::begin(&host).await?;
    }
    let (stop, stopping) = watch::channel(false);
    let scheduler = tokio::spawn(run_scheduler(host.clone(), stopping));
    let warming = tokio::spawn(warm(host.clone()));
    let noting = tokio::spawn(note_accesses(host.clone()));
    let watching = tokio::spawn(watch_epoch(host.clone()));
    let sending = receiver.map(|receiver| tokio::spawn(webhook::run(host.clone(), Arc::new(receiver))));
    let forgetting = tokio::spawn(events::forget_old(host.clone()));
    let sweeping = tokio::spawn(crate::functions::sweep(host.clone()));
    let looking = tokio::spawn(watch_directory(host.clone()));
    let overlooking = tokio::spawn(look_over_rows(host.clone()));
    let keeping = tokio::spawn(root_key::keep(host.clone()));
    let listening_on = tokio::spawn(events::watch_others(host.clone()));
    let renewing = terms.tls.clone().map(|tls| tokio::spawn(tls.watch(orders.reload, host.clock.clone())));
    let (end_relay, relay_ending) = watch::channel(false);
    let relaying = tokio::spawn(audit::relay(host.clone(), relay_ending));
    listening(bound);
    let shutdown = ending(host.clone(), end, doors.drain);
    edge::serve(listener, host.clone(), terms, shutdown).await;
    if let Some(renewing) = renewing {
        renewing.abort();
    }
    stop.send_replace(true);
    warming.abort();
    noting.abort();
    watching.abort();
    forgetting.abort();
    sweeping.abort();
    looking.abort();
    keeping.abort();
    overlooking.abort();
    if let Some(sending) = sending {
        // It gives its turn back, so that another host need not wait for it.
        let _ = tokio::time::timeout(limits::WEBHOOK_END_TIMEOUT, sending).await;
    }
    listening_on.abort();
    host.app.write_accesses().await;
    host.directory.write_uses().await;
    if scheduler.await.is_err() {
        tracing::error!("the scheduler ended badly; what it did is resumed at the next start");
    }
    end_relay.send_replace(true);
    close_audit(&host, relaying).await;
    let store = host.app.queue();
    if store.is_shared()
        && let Err(error) = store.break_leases(Some(&host.owner)).await
    {
        tracing::warn!(%error, "this host's leases could not be given back; other hosts wait until they end");
    }
    store.close().await;
    Ok(())
}

/// How connections are taken; says so when secrets would cross a network in clear.
fn terms(host: &Host, doors: &DoorSettings, bound: SocketAddr) -> Result<edge::Terms, TlsError> {
    let open = |settings| TlsDoor::open(settings, host.metrics.doors.clone(), &*host.clock).map(Arc::new);
    let tls = doors.tls.clone().map(open).transpose()?;
    if let Some(tls) = &tls {
        let _ = host.tls.set(Arc::clone(tls));
    }
    if tls.is_none() && !bound.ip().to_canonical().is_loopback() {
        tracing::warn!(
            address = %bound,
            "this host speaks plain HTTP to other machines: whoever sees the network sees every secret that is read. Give it a \
             certificate (--tls-cert and --tls-key), or let nothing but a proxy that speaks TLS reach this address"
        );
    }
    Ok(edge::Terms {
        tls,
        connections_max: doors.connections_max,
        connections_per_address: doors.connections_per_address,
    })
}

/// Ends when the host is to take no more connections: after it was told to end, and load balancers have had time to hear of it.
async fn ending(host: Arc<Host>, end: impl Future<Output = ()>, drain: Duration) {
    end.await;
    host.is_ending.store(true, Ordering::Relaxed);
    if !drain.is_zero() {
        tracing::info!(?drain, "still taking requests, while /readyz answers 503");
        tokio::time::sleep(drain).await;
    }
    // Calls that wait for events would wait on.
    host.app.stream().close();
}

/// A host that is ready to serve, and its directory, which is locked as long as this is there.
pub struct Opened {
    /// The host.
    pub host: Arc<Host>,
    _dir: DataDir,
}

/// Opens the data directory and the store: the root key first, and nothing is written before it has proved to be the right one.
///
/// # Errors
/// When anything is not as it must be; the texts say what to do.
pub async fn open(settings: Settings) -> Result<Opened, ServeError> {
    let roots = TlsRoots::load(settings.database_ca.as_deref())?;
    let issuers = Issuers::new(&settings.doors.oidc, settings.egress.clone())?;
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let dir = DataDir::open(&settings.data_dir, &*rng).await?;
    let place = StorePlace::of(settings.database_url, &dir);
    let sources = root_key_sources(settings.root_key_sources, &dir);
    let root_keys = Arc::new(RootKeys::new(sources, settings.root_key_secrets));
    let patience = Patience::begin();
    let of = (&place, &dir, &root_keys, &settings.account);
    let Stored { rows, keyring, epoch } = stored::open(of, &rng, &patience).await?;
    let store: Arc<dyn Store> = rows.clone();
    let functions = Functions::load(settings.account.clone(), settings.functions_dir.as_deref())?;
    let root_key = match settings.bootstrap {
        Some((id, secret)) => AccessKey { id, secret },
        None if store.is_shared() => {
            patience.with(async || shared_root_key(dir.path(), &*store, &keyring, &*rng).await).await?
        }
        None => identity::root_key(dir.path(), &*rng)?,
    };
    let (clock, dev_clock) = clocks(dir.path(), settings.dev_clock)?;
    patience.with(async || store.time().await).await?.into_iter().for_each(|time| clock.agree_with(time));
    let metrics = Metrics::new(clock.wall());
    let workers = (settings.worker_program, settings.unconfined_workers, settings.egress);
    let runtime = runtime(workers, (&dir, &keyring), (roots, &metrics), rng.clone());
    let request_ids = RequestIds::new(&*rng);
    let account = settings.account;
    let store = metrics.metered_store(store);
    let keyring = Arc::new(keyring);
    let keeper =
        Keeper::new(store.clone(), keyring.clone(), root_keys, dir.host_id().to_owned(), rng.clone());
    let open = async || Directory::open(store.clone(), keyring.clone(), account.clone(), rng.clone()).await;
    let directory = patience.with(open).await?;
    let audit = async || open_audit(&settings.audit, (&dir, &clock), &*store, &keyring).await;
    let audit = patience.with(audit).await?;
    let app = App::new(Parts {
        store,
        keyring: keyring.clone(),
        cache_bytes: settings.cache_bytes,
        clock: clock.clone(),
        rng,
        account,
        functions,
        host_id: dir.host_id().to_owned(),
    });
    let host = Host {
        audit,
        app,
        gate: edge::Gate::new(&settings.doors, metrics.doors.clone()),
        rows,
        metrics,
        runtime,
        pages: PageTokens::new(keyring.subkey("page tokens")),
        root_key,
        directory,
        region: settings.region,
        owner: dir.host_id().to_owned(),
        keeper,
        clock,
        dev_clock,
        store_place: place.to_string(),
        request_ids,
        signing_keys: SigningKeys::default(),
        epoch,
        issuers,
        tls: OnceLock::new(),
        is_ending: AtomicBool::new(false),
    };
    Ok(Opened { host: Arc::new(host), _dir: dir })
}

/// The file in the data directory, where nothing is said of the root key.
fn root_key_sources(mut said: Vec<Source>, dir: &DataDir) -> Vec<Source> {
    if said.is_empty() {
        said.push(Source::File(dir.path().join("root-key")));
    }
    said
}

/// What runs rotators.
fn runtime(
    (worker_program, unconfined_workers, egress): (PathBuf, bool, Egress),
    (dir, keyring): (&DataDir, &Keyring),
    (tls, metrics): (TlsRoots, &Metrics),
    rng: Arc<dyn Rng>,
) -> Runtime {
    Runtime::new(RuntimeConfig {
        worker_program,
        unconfined_workers,
        artifact_dir: dir.path().join("artifacts"),
        artifact_key: keyring.subkey("artifacts"),
        limits: StepLimits::default(),
        drivers: Arc::new(Drivers::new(drivers(&tls).map(|driver| metrics.metered_driver(driver)))),
        egress: Arc::new(egress),
        tls,
        rng,
    })
}

/// One for each kind of database.
fn drivers(roots: &TlsRoots) -> [Arc<dyn Driver>; 3] {
    [
        Arc::new(PostgresDriver::new(roots.clone())),
        Arc::new(MysqlDriver::mysql(roots.clone())),
        Arc::new(MysqlDriver::mariadb(roots.clone())),
    ]
}

fn io(path: &Path, source: std::io::Error) -> ServeError {
    ServeError::Io { path: path.to_owned(), source }
}

fn clocks(dir: &Path, dev: bool) -> Result<(Arc<SystemClock>, Option<DevClock>), ServeError> {
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

/// Finds rows that are not as they were written before somebody needs them.
async fn look_over_rows(host: Arc<Host>) {
    loop {
        match host.rows.look_over().await {
            Ok(rows) => tracing::debug!(rows, "the rows of the store were looked over"),
            // What keeps it from the store is told elsewhere.
            Err(error) => tracing::debug!(%error, "the rows of the store could not be looked over"),
        }
        tokio::time::sleep(limits::ROWS_LOOKED_OVER_EVERY).await;
    }
}

/// Sees what other hosts change of users, roles and policies.
async fn watch_directory(host: Arc<Host>) {
    host.directory.watch().await;
}

/// Raises the store's epoch every few minutes, and tells when the store is not the one that was there.
async fn watch_epoch(host: Arc<Host>) {
    let mut before = host.epoch.verdict();
    loop {
        tokio::time::sleep(limits::STORE_EPOCH_EVERY).await;
        match host.epoch.advance(host.app.queue()).await {
            Ok(verdict) => {
                if std::mem::discriminant(&verdict) != std::mem::discriminant(&before) {
                    tell(&host.epoch, &verdict);
                }
                before = verdict;
            }
            // Whatever keeps it from the store is told elsewhere.
            Err(error) => tracing::debug!(%error, "the store's epoch could not be raised"),
        }
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

fn tell(epoch: &StoreEpoch, verdict: &Verdict) {
    if let Some(remedy) = verdict.remedy(epoch.witness_file()) {
        tracing::error!("{verdict}; {remedy}");
    }
}
