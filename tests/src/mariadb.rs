//! A private MariaDB: its own data directory, port and logs, gone when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

pub use crate::postgres::Login;
use crate::postgres::{free_port, other_user, unprivileged};
use crate::scratch::Scratch;
use crate::wait::eventually;

const BOOT_LIMIT: Duration = Duration::from_secs(60);
const ADMIN: &str = "pawl_admin";
const ADMIN_PASSWORD: &str = "the-administrators-own-password";
/// "Access denied": a wrong password, or no such user.
const DENIED: [&str; 2] = ["ERROR 1045 ", "ERROR 1698 "];

/// What keeps a server small.
const SMALL: [&str; 4] = [
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=4M",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=8M",
];

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Whether what it acknowledges is on the disk, and not only with the operating system.
    pub durable: bool,
    /// The certificate and the key that it has, in PEM; without, it has no TLS.
    pub tls: Option<(String, String)>,
    /// More options of its command line.
    pub options: Vec<String>,
}

/// A running (or stopped) server.
#[derive(Debug)]
pub struct MariaDb {
    scratch: Scratch,
    port: u16,
    setup: Setup,
    server: Option<Child>,
}

/// A session of the administrator's that stays until it is dropped, and keeps what it holds: locks, a transaction.
#[derive(Debug)]
pub struct Held {
    client: Child,
    statements: ChildStdin,
    rows: BufReader<ChildStdout>,
}

/// A way in to a server: its port, or that of a proxy before it.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    port: u16,
}

impl MariaDb {
    /// Makes a server that logs every statement and knows the plugin `ed25519`, and starts it.
    ///
    /// # Panics
    /// When MariaDB is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Setup::default())
    }

    /// One that is started in another way.
    ///
    /// # Panics
    /// When MariaDB is not installed or does not start.
    #[must_use]
    pub fn start_with(setup: Setup) -> Self {
        let scratch = Scratch::new("mariadb");
        let own = |path: &Path| {
            if let Some((user, group)) = other_user() {
                chown(path, Some(user), Some(group)).unwrap();
            }
        };
        own(scratch.path());
        let file = |name: &str, text: &str| {
            let path = scratch.path().join(name);
            std::fs::write(&path, text).unwrap();
            own(&path);
        };
        if let Some((certificate, key)) = &setup.tls {
            file("server.crt", certificate);
            file("server.key", key);
        }
        // Repeated at every start, and harmless then.
        file(
            "init.sql",
            &format!(
                "CREATE USER IF NOT EXISTS {ADMIN}@'127.0.0.1' IDENTIFIED BY '{ADMIN_PASSWORD}';\n\
                 GRANT ALL ON *.* TO {ADMIN}@'127.0.0.1' WITH GRANT OPTION;\n"
            ),
        );
        let output = unprivileged(&program("mariadb-install-db"))
            .current_dir(scratch.path())
            // A server that starts clears the folder for temporary tables, those of others included.
            .env("TMPDIR", scratch.path())
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(SMALL)
            .args(["--debug-no-sync"])
            .arg(format!("--datadir={}", scratch.path().join("data").display()))
            .output()
            .expect("mariadb-install-db can be run");
        assert!(
            output.status.success(),
            "mariadb-install-db failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut mariadb = Self { scratch, port: free_port(), setup, server: None };
        mariadb.resume();
        mariadb
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// All that the server has logged, of all its runs: every statement, then what it says of itself.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| std::fs::read(self.scratch.path().join(name)).unwrap();
        String::from_utf8_lossy(&[read("general.log"), read("error.log")].concat()).into_owned()
    }

    /// The identifier of its process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
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
        let mut command = self.command();
        eventually("MariaDB has started", BOOT_LIMIT, || {
            let mut server = command.spawn().expect("mariadbd can be run");
            loop {
                // The last one's files can still be locked for a moment.
                if server.try_wait().unwrap().is_some() {
                    return None;
                }
                if self.login(ADMIN, ADMIN_PASSWORD) == Login::Accepted {
                    self.server = Some(server);
                    return Some(());
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
    }

    /// Starts it again with these options besides.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume_with(&mut self, options: &[&str]) {
        let usual = self.setup.options.clone();
        self.setup.options.extend(options.iter().map(|option| (*option).to_owned()));
        self.resume();
        self.setup.options = usual;
    }

    fn command(&self) -> Command {
        let here = self.scratch.path();
        let at = |option: &str, name: &str| format!("--{option}={}", here.join(name).display());
        let log = File::options().create(true).append(true).open(here.join("error.log")).unwrap();
        let mut command = unprivileged(&program("mariadbd"));
        command
            .current_dir(here)
            .env("TMPDIR", here)
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"])
            .args([
                at("datadir", "data"),
                at("socket", "socket"),
                at("pid-file", "pid"),
                at("init-file", "init.sql"),
            ])
            .args(["--general-log=1", "--log-output=FILE", &at("general-log-file", "general.log")])
            .args(["--plugin-load-add=auth_ed25519", "--character-set-server=utf8mb4"])
            .args(SMALL)
            .args(["--max-connections=200", "--performance-schema=off"])
            .arg(format!("--port={}", self.port));
        if !self.setup.durable {
            // What is acknowledged survives the server, and not the machine.
            command.args(["--debug-no-sync", "--innodb-flush-log-at-trx-commit=2"]);
        }
        if self.setup.tls.is_some() {
            command.args([at("ssl-cert", "server.crt"), at("ssl-key", "server.key")]);
        } else {
            command.arg("--skip-ssl");
        }
        command.args(&self.setup.options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// The same server, through a proxy on another port.
    #[must_use]
    pub const fn behind(&self, port: u16) -> Door {
        Door { port }
    }

    const fn door(&self) -> Door {
        Door { port: self.port }
    }

    /// Tries to log in, with MariaDB's own client.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Login {
        self.door().login(user, password)
    }

    /// Runs statements as the administrator, each ended by `;` where there are several, and gives the rows that they answer:
    /// a line each, with tabulators between the columns.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn admin(&self, sql: &str) -> String {
        self.door().admin(sql).unwrap_or_else(|said| panic!("mariadb: {said}"))
    }

    /// Makes an account for logins from everywhere, with the plugin `mysql_native_password`.
    pub fn create_user(&self, user: &str, password: &str) {
        let (user, password) = (literal(user), literal(password));
        self.unlogged(&format!("CREATE USER {user}@'%' IDENTIFIED BY {password}"));
    }

    /// Makes an account for logins from `host`, with the plugin `plugin` (`ed25519` or `mysql_native_password`).
    pub fn create_user_at(&self, user: &str, host: &str, plugin: &str, password: &str) {
        let (user, host, password) = (literal(user), literal(host), literal(password));
        self.unlogged(&format!(
            "CREATE USER {user}@{host} IDENTIFIED VIA {plugin} USING PASSWORD({password})"
        ));
    }

    /// Gives an account another password behind everybody's back.
    pub fn alter_user(&self, user: &str, password: &str) {
        let (user, password) = (literal(user), literal(password));
        self.unlogged(&format!("ALTER USER {user}@'%' IDENTIFIED BY {password}"));
    }

    /// Runs a statement of the harness's own, whose password must not be in the log that a test searches.
    pub fn unlogged(&self, sql: &str) {
        let _ = self.admin(&format!("SET SESSION sql_log_off = 1;\n{sql};"));
    }
}

impl Door {
    /// The server on this port of 127.0.0.1.
    #[must_use]
    pub const fn at(port: u16) -> Self {
        Self { port }
    }

    /// Runs statements as the administrator, and gives the rows that they answer.
    ///
    /// # Errors
    /// What the client says when the server does not answer or refuses one.
    pub fn admin(&self, sql: &str) -> Result<String, String> {
        self.run(ADMIN, ADMIN_PASSWORD, sql)
    }

    /// Runs statements as another user, and gives the rows that they answer.
    ///
    /// # Errors
    /// What the client says when the server does not answer or refuses one.
    pub fn run(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let output = self.output(user, password, sql);
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        let said = String::from_utf8_lossy(said).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// Tries to log in, with MariaDB's own client.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Login {
        match self.run(user, password, "SELECT 1") {
            Ok(_) => Login::Accepted,
            Err(why) if DENIED.iter().any(|code| why.contains(code)) => Login::Refused,
            Err(why) => Login::Failed(why),
        }
    }

    /// Runs statements as the administrator in a session that stays.
    ///
    /// # Panics
    /// When the server does not answer or refuses one.
    #[must_use]
    pub fn hold(&self, sql: &str) -> Held {
        let mut client = self.client(ADMIN, ADMIN_PASSWORD);
        let mut client = client.arg("--unbuffered").spawn().expect("mariadb can be run");
        let statements = client.stdin.take().unwrap();
        let rows = BufReader::new(client.stdout.take().unwrap());
        let mut held = Held { client, statements, rows };
        held.run(sql);
        held
    }

    fn output(&self, user: &str, password: &str, sql: &str) -> Output {
        let mut client = self.client(user, password).spawn().expect("mariadb can be run");
        // One that could not log in does not read it.
        let _ = client.stdin.take().unwrap().write_all(sql.as_bytes());
        client.wait_with_output().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the client is found as a shell would find it")]
    fn client(&self, user: &str, password: &str) -> Command {
        let mut command = Command::new(program("mariadb"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("MYSQL_PWD", password)
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--connect-timeout=10"])
            .args(["--batch", "--skip-column-names", "--binary-mode", "--default-character-set=utf8mb4"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--user={user}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Held {
    /// Runs statements, and comes back when they are done.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn run(&mut self, sql: &str) {
        const DONE: &str = "done with what was asked";
        writeln!(self.statements, "{sql};\nSELECT '{DONE}';").unwrap();
        let mut line = String::new();
        while line.trim() != DONE {
            line.clear();
            assert!(self.rows.read_line(&mut line).unwrap() > 0, "the server has refused: {sql}");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `text` as a literal of the administrator's sessions, which have the server's own `sql_mode`.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// MariaDB's programs: in the path, or where a shell that is not root's does not look.
#[expect(clippy::disallowed_methods, reason = "the harness finds its tools as a shell would")]
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder: PathBuf| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: `cargo xtask test` installs it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_accounts_when_it_is_killed_and_tells_logins_apart() {
        let mut server = MariaDb::start();
        let hostile = "o'ne\\ \"two`";
        server.create_user("app", "one-canary");
        server.create_user_at(hostile, "127.0.0.1", "ed25519", "a'\\b\"; -- c");
        assert_eq!(server.login("app", "one-canary"), Login::Accepted);
        assert_eq!(server.login("app", "two-canary"), Login::Refused);
        assert_eq!(server.login(hostile, "a'\\b\"; -- c"), Login::Accepted);
        server.alter_user("app", "two-canary");
        server.stop();
        assert!(matches!(server.login("app", "two-canary"), Login::Failed(_)));
        server.resume();
        assert_eq!(server.login("app", "two-canary"), Login::Accepted);
        assert_eq!(server.admin("SELECT 1; SELECT 2, 'x'"), "1\n2\tx");
        assert!(server.log().contains("SELECT 2, 'x'") && !server.log().contains("canary"));
    }
}
