//! `pawl serve`.

use std::io::Write;
use std::sync::Arc;

use pawl_core::limits;
use pawl_server::Orders;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::CommandError;
use crate::settings::{self, Environment, LogFormat, ServeArgs, ServeSettings, SettingsError};
use crate::traces::Traces;

/// Runs the server until it is told to end.
pub(crate) fn serve(args: &ServeArgs, environment: &Environment<'_>) -> Result<(), CommandError> {
    let settings = settings::serve(args, environment)?;
    crate::root_key::scrub();
    let traces = settings.otlp_endpoint.as_ref().map(Traces::to).transpose();
    let traces = traces.map_err(|error| CommandError::Failed(error.to_string()))?;
    start_log(&settings, traces.as_ref())?;
    keep_memory_private().map_err(|error| {
        CommandError::Failed(format!("could not keep this process's memory out of core files: {error}"))
    })?;
    // Named before anything is written: a new binary under this name must not become a worker of this one.
    let worker_program = std::env::current_exe()
        .map_err(|error| CommandError::Failed(format!("could not find the pawl binary itself: {error}")))?;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.max(limits::RUNTIME_WORKERS_MIN))
        .enable_all()
        .build()
        .map_err(|error| CommandError::Failed(format!("could not start: {error}")))?;
    let settings = pawl_server::Settings {
        data_dir: settings.data_dir,
        database_url: settings.database_url,
        listen: settings.listen,
        doors: settings.doors,
        account: settings.account,
        region: settings.region,
        database_ca: settings.database_ca,
        functions_dir: settings.functions_dir,
        cache_bytes: u64::from(settings.cache_mib) * 1024 * 1024,
        dev_clock: settings.dev_clock,
        bootstrap: settings.bootstrap,
        root_key_sources: settings.root_key.sources,
        root_key_secrets: settings.root_key.secrets,
        webhook: settings.webhook,
        worker_program,
        unconfined_workers: settings.unconfined_workers,
        egress: settings.egress,
        audit: settings.audit,
    };
    let scheme = if settings.doors.tls.is_some() { "https" } else { "http" };
    let served = runtime.block_on(async {
        let orders = orders()
            .map_err(|error| CommandError::Failed(format!("could not listen for signals: {error}")))?;
        pawl_server::serve(settings, orders, |address| {
            // Whoever started this waits for the line; with nobody there, it serves all the same.
            let mut out = std::io::stdout();
            let _ = writeln!(out, "pawl: listening on {scheme}://{address}").and_then(|()| out.flush());
        })
        .await
        .map_err(|error| CommandError::Failed(error.to_string()))
    });
    if let Some(traces) = traces {
        traces.end();
    }
    served
}

/// SIGTERM or SIGINT ends the server, and a second one ends it at once; SIGHUP lets it look at its certificate's files. The handlers
/// are in place when this returns.
fn orders() -> std::io::Result<Orders<impl Future<Output = ()>>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let reload = Arc::new(Notify::new());
    let told = Arc::clone(&reload);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("told by SIGHUP to look at the certificate's files");
            told.notify_one();
        }
    });
    let end = async move {
        one_of(&mut terminate, &mut interrupt).await;
        tracing::info!("ending; a second signal ends at once");
        tokio::spawn(async move {
            one_of(&mut terminate, &mut interrupt).await;
            tracing::warn!("ended at once: what was under way is resumed at the next start");
            // Nothing is lost by it: what was acknowledged is durable, and a rotation goes on at its recorded step.
            std::process::exit(EXIT_AT_ONCE);
        });
    };
    Ok(Orders { end, reload })
}

/// The exit code of a server that was told to end twice.
const EXIT_AT_ONCE: i32 = 1;

async fn one_of(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// No core file and no debugger of the same user's sees what is in clear in memory.
fn keep_memory_private() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Log lines to stderr, and spans to the collector where there is one.
fn start_log(settings: &ServeSettings, traces: Option<&Traces>) -> Result<(), SettingsError> {
    let filter = EnvFilter::builder().parse(&settings.log).map_err(|error| SettingsError::Wrong {
        from: "the log filter".to_owned(),
        why: format!("`{}`: {error}", settings.log),
    })?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        // The spans around a line, from the outermost, so that the request's id is always at the same place.
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed()
        }
    };
    let traces = traces.map(Traces::layer);
    tracing_subscriber::registry().with(log.with_filter(filter)).with(traces).init();
    Ok(())
}
