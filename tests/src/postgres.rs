//! A private PostgreSQL: its own data directory, port and log, gone when dropped.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::scratch::Scratch;
use crate::wait::eventually;

pub(crate) const BOOT_LIMIT: Duration = Duration::from_secs(60);
pub(crate) const SUPERUSER: &str = "postgres";
pub(crate) const SUPERUSER_PASSWORD: &str = "the-superusers-own-password";

/// A running (or stopped) server.
#[derive(Debug)]
pub struct Postgres {
    scratch: Scratch,
    port: u16,
    /// Whether it waits for the disk.
    fsync: bool,
    server: Option<Child>,
}

/// A way in to a server: its port, or that of a proxy before it.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    port: u16,
}

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The server let the role in.
    Accepted,
    /// The server refused the password.
    Refused,
    /// Something else, as psql said it.
    Failed(String),
}

impl Postgres {
    /// Makes a cluster that takes `scram-sha-256` only and logs every statement, and starts it.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(false)
    }

    /// One that is fit to be the store of a host: what it acknowledges is on the disk.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start_durable() -> Self {
        Self::start_with(true)
    }

    fn start_with(fsync: bool) -> Self {
        let scratch = Scratch::new("postgres");
        let password_file = scratch.path().join("superuser-password");
        std::fs::write(&password_file, SUPERUSER_PASSWORD).unwrap();
        if let Some((user, group)) = other_user() {
            chown(scratch.path(), Some(user), Some(group)).unwrap();
        }
        let output = unprivileged(&program("initdb"))
            .current_dir(scratch.path())
            .args(["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C"])
            .args(["--username", SUPERUSER, "--pwfile"])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(scratch.path().join("data"))
            .output()
            .expect("initdb can be run");
        assert!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        let mut postgres = Self { scratch, port: free_port(), fsync, server: None };
        postgres.resume();
        postgres
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's login to a database, as a URL.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{SUPERUSER_PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// All that the server has logged, of all its runs.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap()).into_owned()
    }

    /// The server's lines of logins that it refused. While it starts it refuses everybody, the harness's own first looks too:
    /// those are not among them.
    #[must_use]
    pub fn refused_logins(&self) -> Vec<String> {
        let log = self.log();
        let refused = log.lines().filter(|line| line.contains("FATAL"));
        refused
            .filter(|line| !line.contains("the database system is starting up"))
            .map(str::to_owned)
            .collect()
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("postgres.log")
    }

    /// Stops the server at once, as a crash would.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Starts it again on the same port, with the same data.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let data = self.scratch.path().join("data");
        // A server that was killed leaves its lock behind; its shared memory goes once its children have seen it die.
        eventually("the last PostgreSQL's children are gone", BOOT_LIMIT, || {
            let _ = std::fs::remove_file(data.join("postmaster.pid"));
            let mut server = unprivileged(&program("postgres"))
                .current_dir(self.scratch.path())
                .arg("-D")
                .arg(&data)
                .args(["-p", &self.port.to_string()])
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
                .args(["-c", if self.fsync { "fsync=on" } else { "fsync=off" }])
                .args(["-c", "log_statement=all", "-c", "log_connections=on"])
                .args(["-c", "shared_buffers=16MB", "-c", "max_connections=200", "-c", "autovacuum=off"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log.try_clone().unwrap())
                .spawn()
                .expect("postgres can be run");
            loop {
                if server.try_wait().unwrap().is_some() {
                    return None;
                }
                if self.login(SUPERUSER, SUPERUSER_PASSWORD) == Login::Accepted {
                    self.server = Some(server);
                    return Some(());
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
    }

    /// The same server, through a proxy on another port.
    #[must_use]
    pub const fn behind(&self, port: u16) -> Door {
        Door { port }
    }

    const fn door(&self) -> Door {
        Door { port: self.port }
    }

    /// Tries to log in, with PostgreSQL's own client.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Login {
        self.door().login(user, password)
    }

    /// Runs a statement as the superuser and gives what it prints.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn admin(&self, sql: &str) -> String {
        self.run(&[sql])
    }

    fn run(&self, statements: &[&str]) -> String {
        let output = self.door().psql(SUPERUSER, SUPERUSER_PASSWORD, statements);
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes a role that can log in.
    pub fn create_role(&self, role: &str, password: &str) {
        self.set_password(role, password, "CREATE");
    }

    /// Gives a role another password behind everybody's back.
    pub fn alter_role(&self, role: &str, password: &str) {
        self.set_password(role, password, "ALTER");
    }

    fn set_password(&self, role: &str, password: &str, verb: &str) {
        let quoted = format!("'{}'", password.replace('\'', "''"));
        // The harness's own statement must not put a password in the log that a test searches.
        let set = format!("{verb} ROLE \"{role}\" LOGIN PASSWORD {quoted}");
        self.run(&["SET log_statement = 'none'", &set]);
    }
}

impl Door {
    /// The server on this port of 127.0.0.1.
    #[must_use]
    pub const fn at(port: u16) -> Self {
        Self { port }
    }

    /// Runs statements as the superuser, one after the other, and gives what they print.
    ///
    /// # Errors
    /// What psql says when the server does not answer or refuses one.
    pub fn admin(&self, database: &str, statements: &[&str]) -> Result<String, String> {
        let output = self.psql_in(database, SUPERUSER, SUPERUSER_PASSWORD, statements);
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        let said = String::from_utf8_lossy(said).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn psql(&self, user: &str, password: &str, statements: &[&str]) -> std::process::Output {
        self.psql_in("postgres", user, password, statements)
    }

    #[expect(clippy::disallowed_methods, reason = "psql is found where the harness is told")]
    fn psql_in(
        &self,
        database: &str,
        user: &str,
        password: &str,
        statements: &[&str],
    ) -> std::process::Output {
        // Each by itself: what is sent together is logged together, before the first has had effect.
        let statements = statements.iter().flat_map(|statement| ["-c", statement]);
        Command::new(program("psql"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGSSLMODE", "disable")
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", database])
            .args(statements)
            .stdin(Stdio::null())
            .output()
            .expect("psql can be run")
    }

    /// Tries to log in, with PostgreSQL's own client.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Login {
        let output = self.psql(user, password, &["SELECT 1"]);
        if output.status.success() {
            return Login::Accepted;
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        if why.contains("password authentication failed") { Login::Refused } else { Login::Failed(why) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port on 127.0.0.1 that nobody listens on now.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port()
}

/// PostgreSQL's programs: in the path, or where Debian hides them.
#[expect(clippy::disallowed_methods, reason = "the harness finds its tools as a shell would")]
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = std::fs::read_dir(debian)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: `cargo xtask test` installs it"))
}

/// The user and group for a server that refuses to be root; none when this process is not root.
pub fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().expect("id can be run");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("an id")
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "nobody"]), id(&["-g", "nobody"])))
}

/// A command that does not run as root, and that dies with the thread that started it.
pub fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = other_user() {
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}
