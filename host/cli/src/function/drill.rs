//! `pawl function test`: the four steps on the server's own machinery, in this process, on a data directory that goes away: each
//! twice, with a crash between, and with a crash before each of its calls to the host.

mod account;
mod checks;
mod report;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pawl_core::function::Engine;
use pawl_core::limits;
use pawl_core::names::{AccountId, Region};
use pawl_core::value::SecretBytes;
use pawl_runtime::port::Which;
use pawl_server::{AuditSettings, DoorSettings, Drill, Settings};
use serde::Serialize;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use self::account::Account;
use self::checks::{Checks, Stop};
use self::report::Report;
use super::build::Built;
use super::failed;
use crate::CommandError;
use crate::arguments::FunctionTestArgs;
use crate::output::Printer;
use crate::settings::Environment;

/// The function's name on the test's host.
const FUNCTION: &str = "rotator-under-test";
/// The variable that names the database, for who does not want its password among the processes' arguments.
const DATABASE: &str = "PAWL_TEST_DATABASE";

/// What the rotator is tried on.
enum Target {
    /// An account of the test's own.
    Account(Box<Account>),
    /// What the user's file says.
    File(PathBuf),
}

/// Builds the project, tests it, and clears up.
pub(super) fn run(
    args: &FunctionTestArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let built = Built::of(&args.project, args.component.as_deref())?;
    let database = match (&args.database, &args.secret) {
        (Some(url), _) => Some(url.clone()),
        (None, Some(_)) => None,
        (None, None) => environment.text(DATABASE)?,
    };
    if database.is_some() && !built.manifest.grants.engines.contains(&Engine::Postgres) {
        return Err(CommandError::Failed(
            "--database is for rotators that ask for `engines = [\"postgres\"]`; for any other, write the first value of its \
             secret to a file, such as a throw-away account's login, and name that with --secret FILE"
                .to_owned(),
        ));
    }
    let directory = tempfile::Builder::new().prefix("pawl-test-").tempdir();
    let directory = directory.map_err(|error| failed(&std::env::temp_dir(), error))?;
    install(&built, &args.variables, directory.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::Failed(format!("could not start: {error}")))?;
    runtime.block_on(async {
        let target = match (database, &args.secret) {
            (Some(url), _) => {
                Target::Account(Box::new(Account::create(&url, args.database_ca.as_deref()).await?))
            }
            (None, Some(file)) => Target::File(file.clone()),
            (None, None) => {
                return Err(CommandError::Failed(format!(
                    "name a throw-away PostgreSQL with --database URL or {DATABASE}, or the first value of the secret with \
                     --secret FILE"
                )));
            }
        };
        let ended = interruptible(test(args, &built, &target, &directory, printer)).await;
        let removed = match target {
            Target::Account(account) => account.remove().await,
            Target::File(_) => Ok(()),
        };
        ended.and_then(|well| removed.map(|()| well))
    })?
    .then_some(())
    .ok_or(CommandError::Reported)
}

/// What is asked for is granted here: whether a server grants it is its operator's decision.
fn install(built: &Built, variables: &[(String, String)], directory: &Path) -> Result<(), CommandError> {
    #[derive(Serialize)]
    struct Beside<'a> {
        environment: std::collections::BTreeMap<&'a str, &'a str>,
        grants: &'a pawl_core::function::Grants,
    }
    let environment = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let functions = functions(directory);
    let beside = toml::to_string(&Beside { environment, grants: &built.manifest.grants })
        .map_err(|error| failed(&functions, error))?;
    fs::create_dir(&functions)
        .and_then(|()| fs::write(functions.join(format!("{FUNCTION}.wasm")), &built.bytes))
        .and_then(|()| fs::write(functions.join(format!("{FUNCTION}.toml")), beside))
        .map_err(|error| failed(&functions, error))
}

fn functions(directory: &Path) -> PathBuf {
    directory.join("functions")
}

/// Whether all checks were well.
async fn test(
    args: &FunctionTestArgs,
    built: &Built,
    target: &Target,
    directory: &TempDir,
    printer: &mut Printer,
) -> Result<bool, CommandError> {
    let told = |error: pawl_server::DrillError| CommandError::Failed(error.to_string());
    let mut stage = Drill::open(settings(args, directory.path())?, FUNCTION).await.map_err(told)?;
    let (value, name) = match target {
        Target::Account(account) => (account.value(), account.name()),
        Target::File(file) => (read(file)?, format!("what {} says", file.display())),
    };
    stage.create(value).await.map_err(told)?;
    let mut report = Report::new(printer);
    report.say(&format!("testing {} on {name}", built.file.display()))?;
    for asked in built.asks() {
        report.say(&format!("  granted here, as its manifest asks: {asked}"))?;
    }
    let stopped = Checks::new(&mut stage, &mut report).run().await;
    // The test has rotated what the file opens: it must go on to open it.
    if let Target::File(file) = target {
        keep(file, &stage, &mut report).await?;
    }
    match stopped {
        Ok(()) | Err(Stop::Failed) => Ok(report.end()?),
        Err(Stop::Drill(error)) => Err(told(error)),
        Err(Stop::Output(error)) => Err(error.into()),
    }
}

/// How a host is started, each time anew.
fn settings(
    args: &FunctionTestArgs,
    directory: &Path,
) -> Result<impl Fn() -> Settings + Send + Sync + 'static, CommandError> {
    let worker_program = std::env::current_exe()
        .map_err(|error| CommandError::Failed(format!("could not find the pawl binary itself: {error}")))?;
    let wrong = |error: pawl_core::names::NameError| CommandError::Failed(error.to_string());
    let account: AccountId = "000000000000".parse().map_err(wrong)?;
    let region: Region = "us-east-1".parse().map_err(wrong)?;
    let (data_dir, functions_dir) = (directory.join("data"), functions(directory));
    let (database_ca, unconfined_workers) = (args.database_ca.clone(), args.unconfined_workers);
    Ok(move || Settings {
        data_dir: data_dir.clone(),
        database_url: None,
        // Nothing listens.
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        doors: DoorSettings::default(),
        account: account.clone(),
        region: region.clone(),
        database_ca: database_ca.clone(),
        functions_dir: Some(functions_dir.clone()),
        egress: pawl_runtime::dial::Egress::default(),
        cache_bytes: limits::DRILL_CACHE_BYTES,
        dev_clock: false,
        bootstrap: None,
        root_key_sources: Vec::new(),
        root_key_secrets: pawl_server::root_key::ProviderSecrets::default(),
        webhook: None,
        worker_program: worker_program.clone(),
        unconfined_workers,
        // Nobody calls.
        audit: AuditSettings {
            is_on: false,
            dir: None,
            retention_days: None,
            segment_bytes: limits::AUDIT_SEGMENT_BYTES,
        },
    })
}

/// Ends with an error, and not with the process, when somebody presses Ctrl-C: what was made must be removed.
async fn interruptible<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let listen = |kind| {
        signal(kind).map_err(|error| CommandError::Failed(format!("could not listen for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let interrupted = || CommandError::Failed("interrupted".to_owned());
    tokio::select! {
        done = Box::pin(work) => done,
        _ = interrupt.recv() => Err(interrupted()),
        _ = terminate.recv() => Err(interrupted()),
    }
}

fn read(file: &Path) -> Result<SecretBytes, CommandError> {
    let most = limits::VALUE_BYTES_MAX + 1;
    let mut bytes = Vec::with_capacity(most + 1);
    fs::File::open(file)
        .and_then(|opened| opened.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes))
        .map_err(|error| failed(file, error))?;
    Ok(SecretBytes::new(bytes))
}

/// Writes what opens the target now over the first value, so that the next test begins with that. What may open it instead, after
/// a test that broke off, is written beside it.
async fn keep(file: &Path, stage: &Drill, report: &mut Report<'_>) -> Result<(), CommandError> {
    let told = |error: pawl_server::DrillError| CommandError::Failed(error.to_string());
    let current = stage.stored(Which::Current).await.map_err(told)?;
    if let Some((_, value)) = &current {
        replace(file, value.bytes().expose())?;
    }
    let pending = stage.stored(Which::Pending).await.map_err(told)?;
    if let Some((id, value)) = pending
        && current.is_none_or(|current| current.0 != id)
    {
        let beside = file.with_extension("pending.json");
        replace(&beside, value.bytes().expose())?;
        report.say(&format!(
            "{} holds what was AWSPENDING: if {} no longer opens the target, that does",
            beside.display(),
            file.display()
        ))?;
    }
    Ok(())
}

/// Whole, or not at all; and for the user's eyes only.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let partial = file.with_extension("partial");
    let mut options = fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut opened| opened.write_all(bytes).and_then(|()| opened.sync_all()))
        .and_then(|()| fs::rename(&partial, file))
        .map_err(|error| failed(file, error))
}
