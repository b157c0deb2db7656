//! `pawl demo`: a PostgreSQL role's password, rotated before one's eyes, on servers that are there for nothing else.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pawl_api::secrets_manager::shapes::GetSecretValueRequest;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_server::world::{SystemRng, uuid};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{CreateArgs, DemoArgs, RotateArgs, SecretCommand};
use crate::client::Client;
use crate::output::{Format, Printer};
use crate::settings::{ConnectionArgs, Environment};
use crate::{CommandError, connect, rotate, secret, span};

const SECRET: &str = "demo/shop";
const ROLE: &str = "shop";
const FIRST_PASSWORD: &str = "kept-in-a-wiki-since-2019";
const ROTATOR: &str = "pawl-postgres-single-user";
const REGION: &str = "us-east-1";
const SUPERUSER: &str = "postgres";
/// Where Debian keeps each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Characters of a statement that are shown.
const STATEMENT_CHARS: usize = 100;

/// Plays the demo. Whatever comes of it, its servers and its directory are gone afterwards.
pub(crate) fn run(args: &DemoArgs, environment: &Environment<'_>) -> Result<(), CommandError> {
    let programs = Programs::find(&folders(&search_path(), Path::new(DEBIAN)))?;
    let stage = Arc::new(Stage::build()?);
    let _cleared = Cleared(&stage);
    clear_on_signals(Arc::clone(&stage))?;
    let mut demo =
        Demo { stage: &stage, programs, environment, printer: Printer::of_process(Format::Text) };
    let servers = demo.play()?;
    if args.keep { demo.keep(&servers) } else { Ok(()) }
}

/// Where the two servers are.
struct Servers {
    postgres: Postgres,
    endpoint: String,
}

struct Demo<'a> {
    stage: &'a Stage,
    programs: Programs,
    environment: &'a Environment<'a>,
    printer: Printer,
}

impl Demo<'_> {
    /// From nothing to a rotated password, and the proof of it.
    fn play(&mut self) -> Result<Servers, CommandError> {
        let from = Instant::now();
        self.printer.line("starting a PostgreSQL and a Pawl of their own ...")?;
        let postgres = Postgres::start(self.stage, &self.programs)?;
        let endpoint = start_pawl(self.stage)?;
        let servers = Servers { postgres, endpoint };
        let postgres = &servers.postgres;
        postgres
            .admin(self.stage, &format!("CREATE ROLE \"{ROLE}\" LOGIN PASSWORD '{FIRST_PASSWORD}'"))?;
        let version = postgres.admin(self.stage, "SHOW server_version")?;
        let old = SecretBytes::from(FIRST_PASSWORD.to_owned());
        self.say(&format!(
            "PostgreSQL {version}, scram-sha-256, on 127.0.0.1:{}: role `{ROLE}`, password {}",
            postgres.port,
            hint(&old)
        ))?;
        self.say(&format!("pawl serve, on {}", servers.endpoint))?;

        self.rotate(&servers)?;
        let client = connect(&self.connection(&servers.endpoint), self.environment)?;
        let right = self.prove(postgres, &client, &old)?;
        self.say(&format!("\n{} in all", span::show(from.elapsed())))?;
        if right {
            Ok(servers)
        } else {
            Err(CommandError::Failed("something is not as it should be: see above".to_owned()))
        }
    }

    /// What a person would do, by the same commands.
    fn rotate(&mut self, servers: &Servers) -> Result<(), CommandError> {
        let value = serde_json::json!({
            "engine": "postgres", "host": "127.0.0.1", "port": servers.postgres.port, "username": ROLE,
            "password": FIRST_PASSWORD, "dbname": "postgres", "ssl": false,
        });
        self.say(&format!("\n$ pawl secret create {SECRET} --value-stdin"))?;
        let create = CreateArgs {
            name: SECRET.to_owned(),
            value: Some(value.to_string()),
            value_file: None,
            value_stdin: false,
            generate: false,
            description: None,
            tags: Vec::new(),
            connection: self.connection(&servers.endpoint),
        };
        secret::run(SecretCommand::Create(create), self.environment, &mut self.printer)?;
        self.say(&format!("\n$ pawl rotate {SECRET} --function {ROTATOR} --wait"))?;
        let rotate = RotateArgs {
            name: SECRET.to_owned(),
            function: Some(ROTATOR.to_owned()),
            schedule: None,
            every: None,
            wait: true,
            timeout: None,
            connection: self.connection(&servers.endpoint),
        };
        rotate::run(&rotate, self.environment, &mut self.printer)
    }

    /// Whether all is as it should be, by what PostgreSQL itself says; each finding is shown.
    fn prove(
        &mut self,
        postgres: &Postgres,
        client: &Client,
        old: &SecretBytes,
    ) -> Result<bool, CommandError> {
        let new = password(client, "AWSCURRENT")?;
        let previous = password(client, "AWSPREVIOUS")?;
        let old_login = postgres.login(self.stage, old)?;
        let new_login = postgres.login(self.stage, &new)?;
        let is_kept = previous.expose() == old.expose();
        self.say("\nwhat psql is told now")?;
        self.say(&format!("  with the old password {}  {}", hint(old), old_login.text()))?;
        self.say(&format!("  with the new password {}  {}", hint(&new), new_login.text()))?;
        let kept = if is_kept { "the old password" } else { "something else" };
        self.say(&format!("  AWSPREVIOUS holds {kept}, {}", hint(&previous)))?;

        let log = read(&self.stage.dir.join(POSTGRES_LOG))?;
        let statement = log.lines().rev().find(|line| line.contains("ALTER ROLE")).unwrap_or_default();
        let (_, statement) = statement.split_once("statement: ").unwrap_or(("", "nothing"));
        let shown: String = statement.chars().take(STATEMENT_CHARS).collect();
        let leaked = [old, &new].into_iter().any(|password| log.contains(&*text(password)));
        self.say("\nwhat PostgreSQL's log has of it (log_statement = all)")?;
        self.say(&format!("  {shown}…"))?;
        let found = if leaked { "a password is in this log" } else { "neither password is in this log" };
        self.say(&format!("  {found}"))?;
        Ok(matches!((old_login, new_login), (Login::Refused, Login::Accepted)) && is_kept && !leaked)
    }

    /// Leaves everything running until a signal ends the process, or a server ends by itself.
    fn keep(&mut self, servers: &Servers) -> Result<(), CommandError> {
        let pawl = own_name(&folders(&search_path(), Path::new(DEBIAN)))?;
        let (port, endpoint) = (servers.postgres.port, &servers.endpoint);
        let credentials = self.data_dir().join("root-credentials");
        self.say("\nThis is left running. To play with it, in another terminal:\n")?;
        self.say(&format!("  export AWS_ENDPOINT_URL={endpoint} AWS_REGION={REGION}"))?;
        self.say(&format!("  export AWS_SHARED_CREDENTIALS_FILE={}", credentials.display()))?;
        self.say(&format!("  {pawl} secret describe {SECRET}"))?;
        self.say(&format!("  {pawl} rotate {SECRET} --wait"))?;
        self.say(&format!("  aws secretsmanager get-secret-value --secret-id {SECRET}"))?;
        self.say(&format!(
            "  PGPASSWORD=$({pawl} secret get {SECRET} --field password) \
             psql -h 127.0.0.1 -p {port} -U {ROLE} -d postgres"
        ))?;
        self.say(&format!("  tail -f {}", self.stage.dir.join(POSTGRES_LOG).display()))?;
        self.say(&format!("\nCtrl-C ends it and removes {}", self.stage.dir.display()))?;
        self.stage.keeping.store(true, Ordering::SeqCst);
        loop {
            if let Some(name) = self.stage.ended() {
                return Err(CommandError::Failed(format!("{name} has ended by itself")));
            }
            pause(limits::ROTATION_POLL);
        }
    }

    fn connection(&self, endpoint: &str) -> ConnectionArgs {
        ConnectionArgs {
            endpoint_url: Some(endpoint.to_owned()),
            region: Some(REGION.to_owned()),
            profile: None,
            data_dir: Some(self.data_dir()),
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.stage.dir.join(DATA_DIR)
    }

    fn say(&mut self, line: &str) -> Result<(), CommandError> {
        Ok(self.printer.line(line)?)
    }
}

/// Enough of a password to tell it from another.
fn hint(password: &SecretBytes) -> String {
    let shown: String = text(password).chars().take(3).collect();
    format!("{shown}…")
}

fn text(password: &SecretBytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(password.expose())
}

/// The password of the version that has a label.
fn password(client: &Client, label: &str) -> Result<SecretBytes, CommandError> {
    let found = client.call(&GetSecretValueRequest {
        secret_id: SECRET.to_owned(),
        version_id: None,
        version_stage: Some(label.to_owned()),
    })?;
    secret::field_of(&found, "password")
}

/// The name under which a shell finds this program.
fn own_name(folders: &[PathBuf]) -> Result<String, CommandError> {
    let own = std::env::current_exe().map_err(|error| failed("could not find the pawl binary itself", &error))?;
    let in_path = find("pawl", folders).and_then(|found| found.canonicalize().ok());
    Ok(if in_path.as_ref() == Some(&own) { "pawl".to_owned() } else { own.display().to_string() })
}

const DATA_DIR: &str = "pawl";
const PAWL_LOG: &str = "pawl.log";
const POSTGRES_LOG: &str = "postgres.log";

/// Starts `pawl serve`; its address.
fn start_pawl(stage: &Stage) -> Result<String, CommandError> {
    let own = std::env::current_exe().map_err(|error| failed("could not find the pawl binary itself", &error))?;
    let log = stage.dir.join(PAWL_LOG);
    let mut command = clean(&own);
    command.args(["serve", "--listen", "127.0.0.1:0", "--region", REGION, "--data-dir"]);
    command.arg(stage.dir.join(DATA_DIR));
    stage.start("pawl serve", command, Signal::TERM, &log)?;
    stage.await_line("pawl serve", &log, "pawl: listening on ")
}

/// PostgreSQL's programs.
#[derive(Debug)]
struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
}

impl Programs {
    /// The first server whose two programs are together, and the first client.
    fn find(folders: &[PathBuf]) -> Result<Self, CommandError> {
        let server = folders.iter().find_map(|folder| {
            let here = std::slice::from_ref(folder);
            Some((find("initdb", here)?, find("postgres", here)?))
        });
        let (initdb, postgres) = server.ok_or_else(|| {
            missing("initdb` and `postgres", "postgresql", "postgresql-server", "postgresql")
        })?;
        let psql = find("psql", folders)
            .ok_or_else(|| missing("psql", "postgresql-client", "postgresql", "postgresql-client"))?;
        Ok(Self { initdb, postgres, psql })
    }
}

fn missing(programs: &str, debian: &str, fedora: &str, alpine: &str) -> CommandError {
    CommandError::Failed(format!(
        "the demo needs PostgreSQL's `{programs}`, which this machine does not have; install it, then run this again: \
         `apt-get install {debian}` (Debian, Ubuntu), `dnf install {fedora}` (Fedora), `apk add {alpine}` (Alpine)"
    ))
}

#[expect(clippy::disallowed_methods, reason = "the search path of programs is no setting of Pawl's")]
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Where to look for programs: the search path, then Debian's folders, the newest version first.
fn folders(path: &OsStr, debian: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let entries = std::fs::read_dir(debian).into_iter().flatten().flatten();
    let mut versions: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let numbers: Result<_, _> = entry.file_name().to_str()?.split('.').map(str::parse).collect();
            Some((numbers.ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// The first program of this name.
fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// A program that no setting of its caller's reaches.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", search_path()).stdin(Stdio::null());
    command
}

/// A PostgreSQL of the demo's own.
struct Postgres {
    psql: PathBuf,
    port: u16,
    superuser_password: SecretBytes,
}

enum Login {
    Accepted,
    Refused,
    Failed(String),
}

impl Login {
    fn text(&self) -> &str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed(why) => why,
        }
    }
}

impl Postgres {
    /// Makes a cluster that takes `scram-sha-256` only and logs every statement, and starts it.
    fn start(stage: &Stage, programs: &Programs) -> Result<Self, CommandError> {
        let owner = stage.other_user.map_or((None, None), |(user, group)| (Some(user), Some(group)));
        let dir = stage.dir.join("postgres");
        let password_file = dir.join("superuser-password");
        let superuser_password = SecretBytes::from(uuid(&SystemRng));
        let prepared = make_dir(&dir, 0o700).and_then(|()| {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&password_file)?;
            file.write_all(superuser_password.expose())?;
            chown(&password_file, owner.0, owner.1)?;
            chown(&dir, owner.0, owner.1)
        });
        prepared.map_err(|error| failed("could not prepare PostgreSQL's directory", &error))?;
        let data = dir.join("data");
        let mut initdb = stage.unprivileged(&programs.initdb);
        initdb.args(["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C"]);
        initdb.args(["--username", SUPERUSER, "--pwfile"]).arg(&password_file).arg("--pgdata").arg(&data);
        let made = stage.output(initdb, b"")?;
        if !made.status.success() {
            return Err(CommandError::Failed(format!("initdb failed: {}", said(&made.stderr))));
        }
        let port = free_port().map_err(|error| failed("found no free port", &error))?;
        let log = stage.dir.join(POSTGRES_LOG);
        let mut server = stage.unprivileged(&programs.postgres);
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "logging_collector=off",
            "log_statement=all",
            "fsync=off",
            "shared_buffers=16MB",
        ] {
            server.args(["-c", setting]);
        }
        // At once, and yet with its shared memory given back.
        stage.start("PostgreSQL", server, Signal::QUIT, &log)?;
        stage.await_line("PostgreSQL", &log, "database system is ready to accept connections")?;
        Ok(Self { psql: programs.psql.clone(), port, superuser_password })
    }

    /// Runs a statement as the superuser, past the log; what it prints.
    fn admin(&self, stage: &Stage, sql: &str) -> Result<String, CommandError> {
        let ran = self.psql(stage, SUPERUSER, &self.superuser_password, "-c log_statement=none", sql)?;
        if ran.status.success() {
            return Ok(said(&ran.stdout));
        }
        Err(CommandError::Failed(format!("PostgreSQL's superuser was refused a statement: {}", said(&ran.stderr))))
    }

    /// Tries to log in as the demo's role, with PostgreSQL's own client.
    fn login(&self, stage: &Stage, password: &SecretBytes) -> Result<Login, CommandError> {
        let ran = self.psql(stage, ROLE, password, "", "SELECT 1")?;
        let why = said(&ran.stderr);
        Ok(match (ran.status.success(), why.contains("password authentication failed")) {
            (true, _) => Login::Accepted,
            (false, true) => Login::Refused,
            (false, false) => Login::Failed(format!("failed: {why}")),
        })
    }

    fn psql(
        &self,
        stage: &Stage,
        user: &str,
        password: &SecretBytes,
        options: &str,
        sql: &str,
    ) -> Result<Output, CommandError> {
        let mut psql = clean(&self.psql);
        psql.env("PGPASSWORD", OsStr::from_bytes(password.expose()))
            .env("PGOPTIONS", options)
            .env("PGSSLMODE", "disable")
            .env("PGCONNECT_TIMEOUT", limits::LOGIN_TIMEOUT.as_secs().to_string())
            .args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--quiet"])
            .args(["--set", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", user, "-d", "postgres"]);
        // Not as an argument, which others on this machine could see.
        stage.output(psql, sql.as_bytes())
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn said(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}

fn failed(what: &str, why: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("{what}: {why}"))
}

fn read(path: &Path) -> Result<String, CommandError> {
    let bytes =
        std::fs::read(path).map_err(|error| failed(&format!("could not read `{}`", path.display()), &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
