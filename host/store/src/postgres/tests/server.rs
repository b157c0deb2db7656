//! Real PostgreSQL servers for the tests of this module.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use crate::DatabaseUrl;

pub(super) const PASSWORD: &str = "superuser-canary";
const USER: &str = "postgres";
/// The user that runs the servers where the tests run as root, which PostgreSQL refuses.
const NOBODY: u32 = 65_534;
const START_LIMIT: Duration = Duration::from_secs(60);

/// A server, running or killed. It ends with the process that started it, however that ends, and takes its directory along.
pub(super) struct Server {
    directory: PathBuf,
    pub(super) port: u16,
    /// A shell that waits for the end of its input.
    keeper: Option<Child>,
}

/// PostgreSQL's programs: on the path, or where Debian has them.
fn program(name: &str) -> PathBuf {
    let search = format!("command -v {name} || ls /usr/lib/postgresql/*/bin/{name} | tail -n 1");
    let found = Command::new("sh").args(["-c", &search]).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    assert!(!path.trim().is_empty(), "PostgreSQL's `{name}` is missing: `cargo xtask test` installs it");
    PathBuf::from(path.trim())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn directory() -> PathBuf {
    let directory = TempDir::with_prefix("pawl-store-").unwrap().keep();
    if is_root() {
        chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    directory
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port()
}

impl Server {
    /// Makes a server of its own, with these lines in its configuration.
    pub(super) async fn start(settings: &str) -> Self {
        let directory = directory();
        let password = directory.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        run(unprivileged(&program("initdb"))
            .current_dir(&directory)
            .args(["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C.UTF-8"])
            .args(["--username", USER, "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(directory.join("data")));
        let mut server = Self { directory, port: free_port(), keeper: None };
        let hba = server.data().join("pg_hba.conf");
        let rules = std::fs::read_to_string(&hba).unwrap();
        std::fs::write(hba, format!("{rules}host replication all 127.0.0.1/32 scram-sha-256\n")).unwrap();
        server.configure(settings);
        server.resume();
        server.until_up().await;
        server
    }

    /// Makes a standby of this server, which follows it under the name `standby`.
    pub(super) async fn standby(&self, settings: &str) -> Self {
        let directory = directory();
        run(unprivileged(&program("pg_basebackup"))
            .current_dir(&directory)
            .args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--pgdata"])
            .arg(directory.join("data"))
            .arg("--dbname")
            .arg(format!(
                "host=127.0.0.1 port={} user={USER} password={PASSWORD} application_name=standby",
                self.port
            )));
        let mut standby = Self { directory, port: free_port(), keeper: None };
        standby.configure(settings);
        standby.resume();
        standby.until_up().await;
        standby
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Puts a file beside its data, for its eyes only.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.data().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if is_root() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        path
    }

    pub(super) fn configure(&self, settings: &str) {
        let file = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}\n{settings}\n")).unwrap();
    }

    /// Starts it again after it was killed, and waits until it answers.
    pub(super) async fn revive(&mut self) {
        // Its keeper has nobody left to wait for, and would take the directory along.
        if let Some(mut keeper) = self.keeper.take() {
            keeper.kill().unwrap();
            keeper.wait().unwrap();
        }
        self.resume();
        self.until_up().await;
    }

    fn resume(&mut self) {
        let script = "\"$@\" & server=$!; read end; kill -9 $server; wait $server; rm -rf \"$0\"";
        let keeper = unprivileged(Path::new("sh"))
            .current_dir(&self.directory)
            .args(["-c", script])
            .arg(&self.directory)
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=200", "-c", "autovacuum=off"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
    }

    /// Ends it at once, with all of its processes, as a power cut would.
    pub(super) fn kill(&self) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let server = file.lines().next().unwrap();
        // The children first would make it clean up; it first leaves them to find out that it is gone.
        run(Command::new("kill").args(["-STOP", server]));
        let children = Command::new("pgrep").args(["-P", server]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        run(Command::new("kill").arg("-KILL").args(children.split_whitespace()).arg(server));
        std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
    }

    /// Makes a standby a primary.
    pub(super) fn promote(&self) {
        run(unprivileged(&program("pg_ctl"))
            .current_dir(&self.directory)
            .args(["promote", "--no-wait", "-D"])
            .arg(self.data()));
    }

    async fn until_up(&self) {
        let up = async {
            while self.admin("postgres").await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(START_LIMIT, up).await.is_err() {
            panic!("{}", std::fs::read_to_string(self.directory.join("log")).unwrap());
        }
    }

    /// A connection beside the store, for what the store would never do.
    pub(super) async fn admin(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(USER)
            .password(PASSWORD)
            .database(database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
            .disable_statement_logging()
            .connect()
            .await
    }

    pub(super) async fn execute(&self, database: &str, statement: &str) {
        let mut admin = self.admin(database).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
    }

    /// Makes a new database and answers its name.
    pub(super) async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pawl{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        name
    }

    pub(super) fn url(&self, database: &str) -> DatabaseUrl {
        url(&[self.port], database)
    }
}

/// The URL of servers on this machine.
pub(super) fn url(ports: &[u16], database: &str) -> DatabaseUrl {
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let text = format!("postgres://{USER}:{PASSWORD}@{}/{database}?sslmode=disable", hosts.join(","));
    text.parse().unwrap()
}

/// The one server for all tests that do not kill theirs.
pub(super) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Server::start(""))
        })
        .join()
        .unwrap()
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ended = keeper.wait();
        }
    }
}
