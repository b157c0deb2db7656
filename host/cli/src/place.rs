//! Which store a command is for that works on one without a server.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use pawl_core::limits;
use pawl_server::backup::{BackupError, Place, Progress};
use pawl_server::root_key::RootKeys;

use crate::CommandError;
use crate::root_key::{RootKeyArgs, RootKeySettings};
use crate::settings::{self, Environment, SettingsError};

/// The store, and where its root key is.
#[derive(Args, Default)]
#[command(next_help_heading = "Store")]
pub(crate) struct PlaceArgs {
    /// The data directory: of an embedded store, or of a host on a database, for its root key. [env: PAWL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The PostgreSQL database that holds the store, as for `pawl serve`. [env: PAWL_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArgs,
}

/// What the arguments and the environment say.
pub(crate) struct Found {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) database: Option<Place>,
    pub(crate) roots: Arc<RootKeys>,
}

impl PlaceArgs {
    pub(crate) fn find(&self, environment: &Environment<'_>) -> Result<Found, CommandError> {
        let env = *environment;
        let path = |flag: &Option<PathBuf>, name| flag.clone().or_else(|| env.path(name));
        let data_dir = path(&self.data_dir, "PAWL_DATA_DIR");
        let database = settings::database_url(env, self.database_url.as_deref(), None)?.map(Place::Database);
        let named = RootKeySettings::find(&self.root_key, env, None, None)?.roots();
        let usual = || data_dir.as_ref().map(|dir| RootKeys::of_file(&dir.join("root-key")));
        let roots = named.or_else(usual).ok_or_else(|| failed(&BackupError::RootKeyUnnamed))?;
        Ok(Found { data_dir, database, roots: Arc::new(roots) })
    }
}

impl Found {
    /// The store: the database if one is named, else the one in the data directory, as `pawl serve` has it.
    pub(crate) fn place(&self) -> Result<Place, CommandError> {
        let embedded = self.data_dir.clone().map(Place::Directory);
        Ok(self.database.clone().or(embedded).ok_or(SettingsError::NoDataDir)?)
    }
}

pub(crate) fn failed(error: &BackupError) -> CommandError {
    CommandError::Failed(error.to_string())
}

/// Runs `work` with a line on a terminal that says how far it is.
pub(crate) fn run<T>(work: impl FnOnce(Progress) -> Result<T, CommandError>) -> Result<T, CommandError> {
    let terminal = std::io::stderr().is_terminal();
    let last: Mutex<Option<Instant>> = Mutex::default();
    let progress: Progress = Arc::new(move |what, secrets| {
        if !terminal {
            return;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= limits::PROGRESS_EVERY) {
            *last = Some(Instant::now());
            // Nothing is lost with it.
            let _ = write!(std::io::stderr(), "\r{what}: {secrets} secrets\x1b[K");
        }
    });
    let outcome = work(progress);
    if terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    outcome
}

/// Waits for `future` on a runtime of its own.
pub(crate) fn wait<T>(future: impl Future<Output = Result<T, BackupError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(format!("could not start: {error}")))?;
    runtime.block_on(future).map_err(|error| failed(&error))
}
