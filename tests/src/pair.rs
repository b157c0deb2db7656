//! A synchronous pair of PostgreSQL servers, the store of several hosts: a primary, a standby that has on its disk whatever was
//! acknowledged, and the promotion of the one when the other dies.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::postgres::{
    BOOT_LIMIT, Door, SUPERUSER, SUPERUSER_PASSWORD, free_port, other_user, program, unprivileged,
};
use crate::process;
use crate::scratch::Scratch;
use crate::wait::eventually;

/// The role that hosts log in as.
pub const ROLE: &str = "pawl";
/// Its password.
pub const PASSWORD: &str = "the-stores-own-password";
/// Its database.
pub const DATABASE: &str = "pawl";

/// The two servers.
#[derive(Debug)]
pub struct Pair {
    scratch: Scratch,
    nodes: [Node; 2],
    /// Whether the second of them is the primary.
    turned: bool,
}

#[derive(Debug)]
struct Node {
    name: &'static str,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Pair {
    /// Makes a primary and its standby, and waits until a commit on the one waits for the other.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new("pair");
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(scratch.path(), Some(user), Some(group)).unwrap();
        }
        let mut pair = Self {
            nodes: ["east", "west"].map(|name| Node {
                name,
                data: scratch.path().join(name),
                log: scratch.path().join(format!("{name}.log")),
                port: free_port(),
                server: None,
            }),
            scratch,
            turned: false,
        };
        let password_file = pair.scratch.path().join("superuser-password");
        std::fs::write(&password_file, SUPERUSER_PASSWORD).unwrap();
        let [first, _] = &mut pair.nodes;
        ran(unprivileged(&program("initdb"))
            .args(["--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C"])
            .args(["--username", SUPERUSER, "--pwfile"])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(&first.data));
        let main = first.data.join("postgresql.conf");
        let text = std::fs::read_to_string(&main).unwrap();
        std::fs::write(&main, format!("{text}\ninclude '{SETTINGS}'\n")).unwrap();
        first.settle("");
        first.start();
        let role = format!("CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{PASSWORD}'");
        pair.admin("postgres", &[&role, &format!("CREATE DATABASE {DATABASE} OWNER {ROLE}")]);
        pair.rejoin();
        pair
    }

    fn primary(&self) -> &Node {
        let [first, second] = &self.nodes;
        if self.turned { second } else { first }
    }

    /// The primary and the other.
    fn both(&mut self) -> (&mut Node, &mut Node) {
        let [first, second] = &mut self.nodes;
        if self.turned { (second, first) } else { (first, second) }
    }

    /// The ports of both, in an order that promotion does not change.
    #[must_use]
    pub fn ports(&self) -> [u16; 2] {
        self.nodes.each_ref().map(|node| node.port)
    }

    /// Which of [`Pair::ports`] is the primary's.
    #[must_use]
    pub fn primary_at(&self) -> usize {
        usize::from(self.turned)
    }

    /// The URL of the store, over both servers.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_through(self.ports())
    }

    /// The URL of the store, through what stands before the two servers.
    #[must_use]
    pub fn url_through(&self, [first, second]: [u16; 2]) -> String {
        format!(
            "postgres://{ROLE}:{PASSWORD}@127.0.0.1:{first},127.0.0.1:{second}/{DATABASE}?sslmode=disable"
        )
    }

    /// Runs statements on the primary as its superuser and gives what they print.
    ///
    /// # Errors
    /// What psql says.
    pub fn try_admin(&self, database: &str, statements: &[&str]) -> Result<String, String> {
        Door::at(self.primary().port).admin(database, statements)
    }

    /// As [`Pair::try_admin`], where nothing can be wrong.
    ///
    /// # Panics
    /// When the primary does not answer or refuses one.
    pub fn admin(&self, database: &str, statements: &[&str]) -> String {
        self.try_admin(database, statements).unwrap_or_else(|why| panic!("psql: {why}"))
    }

    /// What both have logged.
    #[must_use]
    pub fn log(&self) -> String {
        let logs = self.nodes.iter().map(|node| std::fs::read(&node.log).unwrap_or_default());
        logs.map(|log| String::from_utf8_lossy(&log).into_owned()).collect()
    }

    /// `kill -9` of the primary with all its processes at once, as when its machine loses power.
    pub fn kill9_primary(&mut self) {
        self.both().0.kill9();
    }

    /// Makes the standby the primary; gives the moment at which it was seen to take writes.
    ///
    /// # Panics
    /// When it does not become one.
    pub fn promote(&mut self) -> Instant {
        self.turned = !self.turned;
        let standby = self.primary();
        let mut promote = unprivileged(&program("pg_ctl"));
        ran(promote.args(["promote", "--no-wait", "--silent", "--pgdata"]).arg(&standby.data));
        eventually("the promoted standby takes writes", BOOT_LIMIT, || {
            self.try_admin("postgres", &["SELECT txid_current()"]).ok()
        });
        Instant::now()
    }

    /// Makes a standby of the server that is not the primary, from nothing but the primary's data, and waits until a commit on the
    /// primary waits for it.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn rejoin(&mut self) {
        let (primary, standby) = self.both();
        standby.kill9();
        let _ = std::fs::remove_dir_all(&standby.data);
        let source = format!(
            "host=127.0.0.1 port={} user={SUPERUSER} password={SUPERUSER_PASSWORD} sslmode=disable",
            primary.port
        );
        ran(unprivileged(&program("pg_basebackup"))
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
                &source,
                "--pgdata",
            ])
            .arg(&standby.data));
        // What is copied would make the copy, once promoted, wait for itself.
        standby.settle("");
        standby.start();
        primary.settle(standby.name);
        let mut reload = unprivileged(&program("pg_ctl"));
        ran(reload.args(["reload", "--silent", "--pgdata"]).arg(&primary.data));
        eventually("the standby is a synchronous one", BOOT_LIMIT, || {
            let state = self.try_admin("postgres", &["SELECT sync_state FROM pg_stat_replication"]);
            (state.as_deref() == Ok("sync")).then_some(())
        });
    }
}

/// The file with what the harness sets, in a data directory.
const SETTINGS: &str = "pair.conf";

impl Node {
    /// Writes the settings of this server; `standbys` are those that a commit waits for.
    fn settle(&self, standbys: &str) {
        let Self { name, port, .. } = self;
        let text = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
             cluster_name = '{name}'\nsynchronous_standby_names = '{standbys}'\n\
             synchronous_commit = on\nmax_connections = 120\nshared_buffers = 32MB\n\
             log_line_prefix = '%m [%p] %q%a '\n"
        );
        std::fs::write(self.data.join(SETTINGS), text).unwrap();
    }

    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let server = unprivileged(&program("postgres"))
            .arg("-D")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres can be run");
        self.server = Some(server);
        eventually("PostgreSQL takes connections", BOOT_LIMIT, || {
            let ended = self.server.as_mut().and_then(|server| server.try_wait().unwrap());
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "PostgreSQL has ended:\n{}", log());
            Door::at(self.port).admin("postgres", &["SELECT 1"]).ok()
        });
    }

    /// The postmaster is stopped first, so that nothing it starts or says comes between the deaths.
    fn kill9(&mut self) {
        if let Some(mut server) = self.server.take() {
            process::signal("STOP", &[server.id()]);
            process::signal("KILL", &process::children_of(server.id()));
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Runs a program of PostgreSQL that must do its work.
fn ran(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("PostgreSQL's programs can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}: {told}",
        command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    );
}
