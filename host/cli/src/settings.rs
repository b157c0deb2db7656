//! Settings, and the one place that reads the environment: flag, then `PAWL_*`, then the TOML file, then the default.

mod audit;
mod connection;
mod doors;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use pawl_core::limits;
use pawl_core::names::{AccountId, Region};
use pawl_core::value::SecretBytes;
use pawl_runtime::dial::Egress;
use pawl_server::{
    AuditSettings, DatabaseUrl, DatabaseUrlError, DoorSettings, WebhookSettings, WebhookUrl, WebhookUrlError,
};
use serde::Deserialize;

pub(crate) use self::audit::AuditArgs;
use crate::memory;
use crate::root_key::{Providers, RootKeyArgs, RootKeySettings};
use crate::traces::Endpoint;

pub(crate) use self::connection::{Connection, ConnectionArgs, Trust, connection};
pub(crate) use self::doors::DoorArgs;
use self::doors::{DoorKeys, doors};

/// P-A-W-L on a phone.
const LISTEN_DEFAULT: &str = "127.0.0.1:7295";
const REGION_DEFAULT: &str = "us-east-1";
const ACCOUNT_DEFAULT: &str = "000000000000";
const LOG_DEFAULT: &str = "info";

/// Arguments of `pawl serve`. Each is also an environment variable, `PAWL_` and its name, and a key of the settings file.
#[derive(Args, Default)]
pub(crate) struct ServeArgs {
    /// Where everything is kept. Made at the first start. [env: PAWL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database to keep the store in, for one host or several: postgres://USER:PASSWORD@HOST[:PORT][,HOST..]/NAME.
    /// The data directory then holds only what is this host's own. [env: PAWL_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Where to listen, 127.0.0.1:7295 when nothing is said; port 0 takes a free one. [env: PAWL_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) doors: DoorArgs,
    /// The account, twelve digits. [env: PAWL_ACCOUNT]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// The region of the built-in rotation functions. [env: PAWL_REGION]
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// A TOML file of these settings. [env: PAWL_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Certificate authorities (PEM) that databases are verified by, besides the system's. [env: PAWL_DATABASE_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) database_ca: Option<PathBuf>,
    /// A directory of further rotation functions. [env: PAWL_FUNCTIONS_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) functions_dir: Option<PathBuf>,
    /// Memory for secrets that are read often, in MiB; they are kept sealed. A quarter of what the machine or the container has when
    /// nothing is said. [env: PAWL_CACHE_MIB]
    #[arg(long, value_name = "MIB")]
    pub(crate) cache_mib: Option<String>,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArgs,
    /// Run rotators where the kernel cannot confine their processes, too. An escape has this machine. [env: PAWL_UNCONFINED_WORKERS]
    #[arg(long)]
    pub(crate) unconfined_workers: bool,
    /// Addresses that no rotator is connected to, besides those of metadata services: 10.0.0.0/8,fd00::/8,... [env: PAWL_EGRESS_DENY]
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) egress_deny: Option<String>,
    /// Let `pawl dev clock advance` move the clock. Never in production. [env: PAWL_DEV_CLOCK]
    #[arg(long)]
    pub(crate) dev_clock: bool,
    /// Send traces to this OpenTelemetry collector, by OTLP over HTTP: http://HOST:4318. [env: PAWL_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Tell this receiver of every event, in the form of Standard Webhooks: https://HOST/PATH. [env: PAWL_WEBHOOK_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) webhook_url: Option<String>,
    /// The file of the secret that the webhook's messages are signed with: `whsec_..`. [env: PAWL_WEBHOOK_SECRET_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Certificate authorities (PEM) that the receiver is verified by, besides the system's. [env: PAWL_WEBHOOK_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_ca: Option<PathBuf>,
    /// Let events go to a receiver on another machine in clear. [env: PAWL_WEBHOOK_ALLOW_HTTP]
    #[arg(long)]
    pub(crate) webhook_allow_http: bool,
    /// What to log: `info`, `warn,pawl_server=debug`, ... [env: PAWL_LOG]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How to log: lines of text, or one JSON object a line. [env: PAWL_LOG_FORMAT]
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
}

/// How the server logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What `pawl serve` is to do.
#[derive(Debug)]
pub(crate) struct ServeSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) database_url: Option<DatabaseUrl>,
    pub(crate) listen: SocketAddr,
    pub(crate) doors: DoorSettings,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) database_ca: Option<PathBuf>,
    pub(crate) functions_dir: Option<PathBuf>,
    pub(crate) cache_mib: u32,
    pub(crate) root_key: RootKeySettings,
    pub(crate) unconfined_workers: bool,
    pub(crate) egress: Egress,
    pub(crate) dev_clock: bool,
    pub(crate) bootstrap: Option<(String, SecretBytes)>,
    pub(crate) otlp_endpoint: Option<Endpoint>,
    pub(crate) webhook: Option<WebhookSettings>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) audit: AuditSettings,
}

/// Why the settings make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(
        "no data directory: give --data-dir DIR, or set PAWL_DATA_DIR, or `data-dir` in the settings file"
    )]
    NoDataDir,
    #[error("{from} is not right: {why}")]
    Wrong { from: String, why: String },
    #[error("`{path}` could not be read: {why}")]
    Unreadable { path: PathBuf, why: String },
    #[error("`{0}` has no profile `{1}` with aws_access_key_id and aws_secret_access_key")]
    NoSuchProfile(PathBuf, String),
    #[error(
        "PAWL_BOOTSTRAP_ACCESS_KEY_ID and PAWL_BOOTSTRAP_SECRET_ACCESS_KEY belong together: set both or neither"
    )]
    HalfBootstrap,
    #[error(
        "a webhook needs a secret to sign with: give --webhook-secret-file FILE, or set PAWL_WEBHOOK_SECRET_FILE, or \
         `webhook-secret-file` in the settings file"
    )]
    NoWebhookSecret,
    #[error(
        "a certificate and its key belong together: give both --tls-cert FILE and --tls-key FILE (PAWL_TLS_CERT, PAWL_TLS_KEY)"
    )]
    HalfTls,
    #[error(
        "--client-cert and --client-key (PAWL_CLIENT_CERT, PAWL_CLIENT_KEY) belong together: give both or neither"
    )]
    HalfClientCertificate,
    #[error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both or neither")]
    HalfCredentials,
}

/// The settings file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct SettingsFile {
    data_dir: Option<PathBuf>,
    database_url: Option<String>,
    listen: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_client_ca: Option<PathBuf>,
    connections_max: Option<u32>,
    connections_per_address: Option<u32>,
    requests_per_identity: Option<u32>,
    refusals_per_address: Option<u32>,
    oidc_ca: Option<PathBuf>,
    oidc_jwks: Option<String>,
    drain_seconds: Option<u32>,
    account: Option<String>,
    region: Option<String>,
    database_ca: Option<PathBuf>,
    functions_dir: Option<PathBuf>,
    cache_mib: Option<u32>,
    root_key_file: Option<PathBuf>,
    root_key_provider: Option<Providers>,
    unconfined_workers: Option<bool>,
    egress_deny: Option<String>,
    dev_clock: Option<bool>,
    otlp_endpoint: Option<String>,
    webhook_url: Option<String>,
    webhook_secret_file: Option<PathBuf>,
    webhook_ca: Option<PathBuf>,
    webhook_allow_http: Option<bool>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    audit_dir: Option<PathBuf>,
    audit_retention_days: Option<u32>,
}

impl SettingsFile {
    /// What is said of the port.
    fn doors(&mut self) -> DoorKeys {
        DoorKeys {
            tls_cert: self.tls_cert.take(),
            tls_key: self.tls_key.take(),
            tls_client_ca: self.tls_client_ca.take(),
            connections_max: self.connections_max,
            connections_per_address: self.connections_per_address,
            requests_per_identity: self.requests_per_identity,
            refusals_per_address: self.refusals_per_address,
            oidc_ca: self.oidc_ca.take(),
            oidc_jwks: self.oidc_jwks.take(),
            drain_seconds: self.drain_seconds,
        }
    }
}

/// The environment of the process, or a test's.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'a>(&'a dyn Fn(&str) -> Option<OsString>);

/// Calls `run` with the environment of the process.
pub(crate) fn with_environment<T>(run: impl FnOnce(&Environment<'_>) -> T) -> T {
    #[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
    let lookup = |name: &str| std::env::var_os(name);
    run(&Environment(&lookup))
}

impl<'a> Environment<'a> {
    /// An environment that `lookup` answers for.
    #[cfg(test)]
    pub(crate) fn of(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self(lookup)
    }

    /// A variable that is set to something.
    pub(crate) fn path(self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// As [`Environment::path`], for text.
    pub(crate) fn text(self, name: &str) -> Result<Option<String>, SettingsError> {
        let Some(value) = (self.0)(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value
            .into_string()
            .map(Some)
            .map_err(|_| SettingsError::Wrong { from: name.to_owned(), why: "it must be UTF-8".to_owned() })
    }

    /// The first of `names` that is set.
    fn first(self, names: &[&str]) -> Result<Option<String>, SettingsError> {
        for name in names {
            if let Some(value) = self.text(name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn flag(self, name: &str) -> Result<Option<bool>, SettingsError> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(SettingsError::Wrong {
                from: name.to_owned(),
                why: "it must be `true` or `false`".to_owned(),
            }),
        }
    }
}

/// The server's settings out of arguments, environment and file.
pub(crate) fn serve(args: &ServeArgs, environment: &Environment<'_>) -> Result<ServeSettings, SettingsError> {
    let env = *environment;
    let mut file = match args.config.clone().or_else(|| env.path("PAWL_CONFIG")) {
        Some(path) => settings_file(&path)?,
        None => SettingsFile::default(),
    };
    let path = |flag: &Option<PathBuf>, name, file| flag.clone().or_else(|| env.path(name)).or(file);
    let log_format = match env.text("PAWL_LOG_FORMAT")?.as_deref() {
        None => None,
        Some("text") => Some(LogFormat::Text),
        Some("json") => Some(LogFormat::Json),
        Some(_) => {
            let why = "it must be `text` or `json`".to_owned();
            return Err(SettingsError::Wrong { from: "PAWL_LOG_FORMAT".to_owned(), why });
        }
    };
    let bootstrap =
        match (env.text("PAWL_BOOTSTRAP_ACCESS_KEY_ID")?, env.text("PAWL_BOOTSTRAP_SECRET_ACCESS_KEY")?) {
            (Some(id), Some(secret)) => Some((id, SecretBytes::from(secret))),
            (None, None) => None,
            _ => return Err(SettingsError::HalfBootstrap),
        };
    let webhook = webhook(args, env, &mut file)?;
    let audit = audit::settings(&args.audit, env, (file.audit_dir.take(), file.audit_retention_days))?;
    Ok(ServeSettings {
        doors: doors(&args.doors, env, file.doors())?,
        webhook,
        audit,
        data_dir: path(&args.data_dir, "PAWL_DATA_DIR", file.data_dir).ok_or(SettingsError::NoDataDir)?,
        database_url: database_url(env, args.database_url.as_deref(), file.database_url)?,
        listen: parsed(env, "listen", args.listen.as_deref(), file.listen, LISTEN_DEFAULT)?,
        account: parsed(env, "account", args.account.as_deref(), file.account, ACCOUNT_DEFAULT)?,
        region: parsed(env, "region", args.region.as_deref(), file.region, REGION_DEFAULT)?,
        database_ca: path(&args.database_ca, "PAWL_DATABASE_CA", file.database_ca),
        functions_dir: path(&args.functions_dir, "PAWL_FUNCTIONS_DIR", file.functions_dir),
        cache_mib: parsed(
            env,
            "cache-mib",
            args.cache_mib.as_deref(),
            file.cache_mib.map(|mib| mib.to_string()),
            &cache_mib_default(memory::bytes()).to_string(),
        )?,
        root_key: RootKeySettings::find(&args.root_key, env, file.root_key_provider, file.root_key_file)?,
        unconfined_workers: args.unconfined_workers
            || env.flag("PAWL_UNCONFINED_WORKERS")?.or(file.unconfined_workers).unwrap_or(false),
        egress: parsed(env, "egress-deny", args.egress_deny.as_deref(), file.egress_deny, "")?,
        dev_clock: args.dev_clock || env.flag("PAWL_DEV_CLOCK")?.or(file.dev_clock).unwrap_or(false),
        bootstrap,
        otlp_endpoint: optional(env, "otlp-endpoint", args.otlp_endpoint.as_deref(), file.otlp_endpoint)?,
        log: parsed(env, "log", args.log.as_deref(), file.log, LOG_DEFAULT)?,
        log_format: args.log_format.or(log_format).or(file.log_format).unwrap_or(LogFormat::Text),
    })
}

/// A secret that was read takes memory until others need it more, so this is reached by those who have as many secrets.
fn cache_mib_default(memory: Option<u64>) -> u32 {
    let share = memory.map_or(0, |bytes| bytes / limits::CACHE_MEMORY_SHARE / (1024 * 1024));
    u32::try_from(share).unwrap_or(u32::MAX).max(limits::CACHE_MIB_MIN)
}

/// The receiver of events, where one is named. The error does not repeat the URL: its path may be a secret.
fn webhook(
    args: &ServeArgs,
    env: Environment<'_>,
    file: &mut SettingsFile,
) -> Result<Option<WebhookSettings>, SettingsError> {
    let (from, text) = if let Some(text) = &args.webhook_url {
        ("--webhook-url", text.clone())
    } else if let Some(text) = env.text("PAWL_WEBHOOK_URL")? {
        ("PAWL_WEBHOOK_URL", text)
    } else if let Some(text) = file.webhook_url.take() {
        ("`webhook-url` of the settings file", text)
    } else {
        return Ok(None);
    };
    let url: WebhookUrl = text.parse().map_err(|wrong: WebhookUrlError| SettingsError::Wrong {
        from: from.to_owned(),
        why: wrong.to_string(),
    })?;
    let path = |flag: &Option<PathBuf>, name, file: Option<PathBuf>| {
        flag.clone().or_else(|| env.path(name)).or(file)
    };
    let secret_file =
        path(&args.webhook_secret_file, "PAWL_WEBHOOK_SECRET_FILE", file.webhook_secret_file.take());
    let allow_http = args.webhook_allow_http
        || env.flag("PAWL_WEBHOOK_ALLOW_HTTP")?.or(file.webhook_allow_http).unwrap_or(false);
    Ok(Some(WebhookSettings {
        url,
        secret_file: secret_file.ok_or(SettingsError::NoWebhookSecret)?,
        ca: path(&args.webhook_ca, "PAWL_WEBHOOK_CA", file.webhook_ca.take()),
        allow_http,
    }))
}

/// The setting `name`, from the first place that has it. The error names that place.
fn optional<T: FromStr<Err: std::fmt::Display>>(
    env: Environment<'_>,
    name: &str,
    flag: Option<&str>,
    file: Option<String>,
) -> Result<Option<T>, SettingsError> {
    let variable = format!("PAWL_{}", name.to_uppercase().replace('-', "_"));
    let named = flag.is_some() || file.is_some() || env.text(&variable)?.is_some();
    if named { parsed(env, name, flag, file, "").map(Some) } else { Ok(None) }
}

/// As [`optional`], with a default.
fn parsed<T: FromStr<Err: std::fmt::Display>>(
    env: Environment<'_>,
    name: &str,
    flag: Option<&str>,
    file: Option<String>,
    default: &str,
) -> Result<T, SettingsError> {
    let variable = format!("PAWL_{}", name.to_uppercase().replace('-', "_"));
    let (from, text) = if let Some(text) = flag {
        (format!("--{name}"), text.to_owned())
    } else if let Some(text) = env.text(&variable)? {
        (variable, text)
    } else if let Some(text) = file {
        (format!("`{name}` of the settings file"), text)
    } else {
        ("the default".to_owned(), default.to_owned())
    };
    text.parse().map_err(|wrong: T::Err| SettingsError::Wrong { from, why: format!("`{text}`: {wrong}") })
}

/// The store's database, from the first place that names one. The error names that place and not the URL: it holds a password.
pub(crate) fn database_url(
    env: Environment<'_>,
    flag: Option<&str>,
    file: Option<String>,
) -> Result<Option<DatabaseUrl>, SettingsError> {
    let (from, text) = if let Some(text) = flag {
        ("--database-url", text.to_owned())
    } else if let Some(text) = env.text("PAWL_DATABASE_URL")? {
        ("PAWL_DATABASE_URL", text)
    } else if let Some(text) = file {
        ("`database-url` of the settings file", text)
    } else {
        return Ok(None);
    };
    let url = text.parse().map_err(|wrong: DatabaseUrlError| SettingsError::Wrong {
        from: from.to_owned(),
        why: wrong.to_string(),
    })?;
    Ok(Some(url))
}

fn settings_file(path: &Path) -> Result<SettingsFile, SettingsError> {
    let text = crate::credentials::read_file(path)?;
    toml::from_str(&text).map_err(|wrong| SettingsError::Wrong {
        from: format!("the settings file `{}`", path.display()),
        why: wrong.message().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    pub(super) fn with<T>(variables: &[(&str, &str)], run: impl FnOnce(&Environment<'_>) -> T) -> T {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        run(&Environment::of(&|name| variables.get(name).map(OsString::from)))
    }

    pub(super) fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flag_wins_over_environment_over_file_over_default() {
        let config =
            file("data-dir = '/file'\nregion = 'eu-central-1'\naccount = '111111111111'\nlog = 'warn'\n");
        let config = config.path().to_str().unwrap();
        let args = ServeArgs { data_dir: Some("/flag".into()), ..Default::default() };
        let variables = [
            ("PAWL_CONFIG", config),
            ("PAWL_DATA_DIR", "/environment"),
            ("PAWL_REGION", "eu-west-1"),
            ("PAWL_LOG", ""),
        ];
        let settings = with(&variables, |env| serve(&args, env)).unwrap();
        assert_eq!(settings.data_dir, Path::new("/flag"));
        assert_eq!(settings.region.as_str(), "eu-west-1");
        assert_eq!(settings.account.as_str(), "111111111111");
        assert_eq!(settings.log, "warn", "an empty variable is none");
        assert_eq!(settings.listen, LISTEN_DEFAULT.parse().unwrap());
        assert_eq!(settings.log_format, LogFormat::Text);
        assert!(
            !settings.unconfined_workers
                && !settings.dev_clock
                && settings.bootstrap.is_none()
                && settings.otlp_endpoint.is_none()
        );
    }

    #[test]
    fn every_option_is_a_variable_and_a_key() {
        let from_environment = with(
            &[
                ("PAWL_DATA_DIR", "/d"),
                ("PAWL_LISTEN", "127.0.0.1:0"),
                ("PAWL_TLS_CERT", "/c"),
                ("PAWL_TLS_KEY", "/p"),
                ("PAWL_TLS_CLIENT_CA", "/a"),
                ("PAWL_CONNECTIONS_MAX", "9"),
                ("PAWL_CONNECTIONS_PER_ADDRESS", "8"),
                ("PAWL_REQUESTS_PER_IDENTITY", "7"),
                ("PAWL_REFUSALS_PER_ADDRESS", "6"),
                ("PAWL_OIDC_CA", "/o"),
                ("PAWL_OIDC_JWKS", "https://a/b=/x, https://c=/y"),
                ("PAWL_DRAIN_SECONDS", "5"),
                ("PAWL_ACCOUNT", "222222222222"),
                ("PAWL_REGION", "ap-south-1"),
                ("PAWL_DATABASE_CA", "/ca"),
                ("PAWL_FUNCTIONS_DIR", "/f"),
                ("PAWL_ROOT_KEY_FILE", "/k"),
                ("PAWL_UNCONFINED_WORKERS", "true"),
                ("PAWL_EGRESS_DENY", "10.0.0.0/8, fd00::/8"),
                ("PAWL_DEV_CLOCK", "true"),
                ("PAWL_LOG", "debug"),
                ("PAWL_LOG_FORMAT", "json"),
                ("PAWL_OTLP_ENDPOINT", "http://c:4318"),
            ],
            |env| serve(&ServeArgs::default(), env),
        )
        .unwrap();
        let config = file(
            "data-dir = '/d'\nlisten = '127.0.0.1:0'\ntls-cert = '/c'\ntls-key = '/p'\ntls-client-ca = '/a'\nconnections-max = 9\n\
             connections-per-address = 8\nrequests-per-identity = 7\nrefusals-per-address = 6\noidc-ca = '/o'\noidc-jwks = 'https://a/b=/x,https://c=/y'\ndrain-seconds = 5\naccount = '222222222222'\nregion = 'ap-south-1'\n\
             database-ca = '/ca'\nfunctions-dir = '/f'\nroot-key-file = '/k'\nunconfined-workers = true\negress-deny = '10.0.0.0/8,fd00::/8'\ndev-clock = true\nlog = 'debug'\n\
             log-format = 'json'\notlp-endpoint = 'http://c:4318'\n",
        );
        let args = ServeArgs { config: Some(config.path().to_owned()), ..Default::default() };
        let from_file = with(&[], |env| serve(&args, env)).unwrap();
        assert_eq!(format!("{from_environment:?}"), format!("{from_file:?}"));
        assert!(from_file.unconfined_workers && from_file.dev_clock && from_file.otlp_endpoint.is_some());
        assert_eq!(from_file.root_key.sources, [pawl_server::root_key::Source::File("/k".into())]);
        let doors = &from_file.doors;
        assert!(doors.oidc.ca.is_some() && doors.oidc.key_sets.len() == 2);
        assert!(doors.tls.is_some() && doors.drain.as_secs() == 5);
        assert_eq!((doors.connections_max, doors.connections_per_address), (9, 8));
        assert_eq!((doors.requests_per_identity, doors.refusals_per_address), (7, 6));
        assert!(!from_file.egress.allows("10.1.2.3".parse().unwrap()));
        let wrong = with(&[("PAWL_DATA_DIR", "/d"), ("PAWL_EGRESS_DENY", "10.0.0.0/8;fd00::/8")], |env| {
            serve(&ServeArgs::default(), env)
        });
        assert!(wrong.unwrap_err().to_string().contains("PAWL_EGRESS_DENY"));
    }

    #[test]
    fn the_files_for_deployment_say_what_this_program_understands() {
        use clap::{CommandFactory as _, Parser as _};

        // What is commented out in them is meant to be used as well.
        let used =
            |line: &'static str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line);
        let whole: Vec<&str> = include_str!("../../../docs/deploy/pawl.toml").lines().map(used).collect();
        let config = file(&whole.join("\n"));
        let args = ServeArgs {
            config: Some(config.path().to_owned()),
            data_dir: Some("/d".into()),
            ..Default::default()
        };
        let settings = with(&[], |env| serve(&args, env)).unwrap();
        assert!(settings.database_url.is_some() && settings.otlp_endpoint.is_some());

        let unit = include_str!("../../../docs/deploy/pawl.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        assert!(crate::arguments::Cli::try_parse_from(start.split(' ')).is_ok(), "{start}");

        let mut command = crate::arguments::Cli::command();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let manifest = include_str!("../../../docs/deploy/kubernetes.yaml");
        let image = include_str!("../../../docs/deploy/Containerfile");
        let words = manifest.split_whitespace().chain(image.split(|c: char| c.is_whitespace() || c == '='));
        let variables: Vec<&str> = words.filter(|word| word.starts_with("PAWL_")).collect();
        assert!(variables.len() > 6, "{variables:?}");
        for variable in variables {
            assert!(help.contains(&format!("[env: {variable}]")), "{variable}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = |variables: &[(&str, &str)]| {
            let args = ServeArgs { data_dir: Some("/d".into()), ..Default::default() };
            with(variables, |env| serve(&args, env)).unwrap_err().to_string()
        };
        assert!(wrong(&[("PAWL_LISTEN", "7295")]).starts_with("PAWL_LISTEN is not right: `7295`"));
        assert!(wrong(&[("PAWL_DEV_CLOCK", "yes")]).starts_with("PAWL_DEV_CLOCK is not right"));
        assert!(wrong(&[("PAWL_OTLP_ENDPOINT", "c:4318")]).contains("it must be http://HOST:PORT"));
        assert!(wrong(&[("PAWL_TLS_KEY", "/k")]).contains("belong together"));
        assert!(wrong(&[("PAWL_TLS_CLIENT_CA", "/k")]).contains("belong together"));
        assert!(wrong(&[("PAWL_OIDC_JWKS", "http://a=/x")]).contains("https://ISSUER=FILE"));
        assert!(wrong(&[("PAWL_DRAIN_SECONDS", "3601")]).contains("at most 3600"));
        assert!(wrong(&[("PAWL_CONNECTIONS_MAX", "-1")]).starts_with("PAWL_CONNECTIONS_MAX is not right"));
        assert!(wrong(&[("PAWL_REGION", "Europe")]).contains("`Europe` is not a region"));
        assert!(wrong(&[("PAWL_BOOTSTRAP_ACCESS_KEY_ID", "AKIA")]).contains("belong together"));
        let config = file("data-dirr = '/d'\n");
        let message = wrong(&[("PAWL_CONFIG", config.path().to_str().unwrap())]);
        assert!(message.contains("unknown field `data-dirr`"), "{message}");
        let nothing = with(&[], |env| serve(&ServeArgs::default(), env)).unwrap_err();
        assert!(matches!(nothing, SettingsError::NoDataDir));
    }

    #[test]
    fn the_bootstrap_key_comes_from_the_environment_and_is_not_printed() {
        let args = ServeArgs { data_dir: Some("/d".into()), ..Default::default() };
        let variables =
            [("PAWL_BOOTSTRAP_ACCESS_KEY_ID", "AKIA1"), ("PAWL_BOOTSTRAP_SECRET_ACCESS_KEY", "canary")];
        let settings = with(&variables, |env| serve(&args, env)).unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
        let (id, secret) = settings.bootstrap.unwrap();
        assert_eq!((id.as_str(), secret.expose()), ("AKIA1", b"canary".as_slice()));
    }
}
