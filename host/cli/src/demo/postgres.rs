//! A PostgreSQL of the demo's own.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::PathBuf;
use std::process::Output;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_server::world::{SystemRng, uuid};
use rustix::process::Signal;

use crate::CommandError;
use crate::demo::programs::Programs;
use crate::demo::stage::{Stage, failed, make_dir};

const SUPERUSER: &str = "postgres";
/// What the server logs when it takes connections.
const READY: &str = "database system is ready to accept connections";

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    psql: PathBuf,
    port: u16,
    superuser_password: SecretBytes,
}

/// How a login ended.
#[derive(Debug)]
pub(crate) enum Login {
    Accepted,
    Refused,
    Failed(String),
}

impl Login {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed(why) => why,
        }
    }
}

impl Postgres {
    /// Makes a cluster that takes `scram-sha-256` only and logs every statement, and starts it.
    pub(crate) fn start(stage: &Stage, programs: &Programs) -> Result<Self, CommandError> {
        let owner = stage.other_user().map_or((None, None), |(user, group)| (Some(user), Some(group)));
        let dir = stage.dir().join("postgres");
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
        stage.start("PostgreSQL", server, Signal::QUIT, &log_file(stage), READY)?;
        Ok(Self { psql: programs.psql.clone(), port, superuser_password })
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement as the superuser, past the log; what it prints.
    pub(crate) fn admin(&self, stage: &Stage, sql: &str) -> Result<String, CommandError> {
        let ran = self.psql(stage, SUPERUSER, &self.superuser_password, "-c log_statement=none", sql)?;
        if ran.status.success() {
            return Ok(said(&ran.stdout));
        }
        Err(CommandError::Failed(format!(
            "PostgreSQL's superuser was refused a statement: {}",
            said(&ran.stderr)
        )))
    }

    /// Tries to log in as a role, with PostgreSQL's own client.
    pub(crate) fn login(
        &self,
        stage: &Stage,
        role: &str,
        password: &SecretBytes,
    ) -> Result<Login, CommandError> {
        let ran = self.psql(stage, role, password, "", "SELECT 1")?;
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
        let mut psql = stage.program(&self.psql);
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

/// The log of the demo's server.
pub(crate) fn log_file(stage: &Stage) -> PathBuf {
    stage.dir().join("postgres.log")
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn said(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}
