//! A database of one's own, in a PostgreSQL that the tests of this process share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use crate::pair::{PASSWORD, ROLE};
use crate::postgres::{Door, Postgres, program};

/// The database; it goes away with its owner, and the server with the last database.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Arc<Shared>,
}

/// The server, kept by a thread of its own: a PostgreSQL ends with the thread that has started it, and a test may end before the
/// others that use it.
#[derive(Debug)]
struct Shared {
    port: u16,
    data_dir: PathBuf,
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Shared {
    fn start() -> Self {
        let (told, hear) = channel();
        let (end, ended) = channel::<()>();
        let keeper = std::thread::spawn(move || {
            let server = Postgres::start_durable();
            let _ = server.admin(&format!("CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{PASSWORD}'"));
            let _ = told.send((server.port(), server.data_dir()));
            // Its end is the end of whoever could have said something.
            let _ = ended.recv();
        });
        let (port, data_dir) = hear.recv().expect("PostgreSQL has started");
        Self { port, data_dir, keeper: Some((end, keeper)) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((end, keeper)) = self.keeper.take() {
            drop(end);
            let _ = keeper.join();
        }
    }
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Database {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a server is nobody's default")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Shared::start()));
        *shared = Arc::downgrade(&server);
        drop(shared);
        let name = format!("pawl{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = format!("postgres://{ROLE}:{PASSWORD}@127.0.0.1:{}/{name}?sslmode=disable", server.port);
        let database = Self { name, url, server };
        let _ = database.run("postgres", &format!("CREATE DATABASE {} OWNER {ROLE}", database.name));
        database
    }

    /// One for each server, where the tester has asked for it with `PAWL_TEST_STORE=postgres`.
    ///
    /// # Panics
    /// When the tester has asked for something else.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
    pub fn usual() -> Option<Self> {
        match std::env::var("PAWL_TEST_STORE").unwrap_or_default().as_str() {
            "" | "sqlite" => None,
            "postgres" => Some(Self::new()),
            other => panic!("PAWL_TEST_STORE is sqlite or postgres, not `{other}`"),
        }
    }

    /// How a host finds it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the server keeps this database and others.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.server.data_dir
    }

    /// All of it, as SQL: what `pg_dump` makes of it.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn dump(&self) -> String {
        let output =
            Command::new(program("pg_dump")).args(["--no-owner", "--dbname", &self.url]).output().unwrap();
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Replaces all of it by an earlier dump. Nobody may use it.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn restore(&self, dump: &str) {
        let _ = self.run("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let _ = self.run("postgres", &format!("CREATE DATABASE {} OWNER {ROLE}", self.name));
        let mut psql = Command::new(program("psql"))
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        psql.stdin.take().unwrap().write_all(dump.as_bytes()).unwrap();
        assert!(psql.wait().unwrap().success(), "psql refused the dump");
    }

    /// Runs a statement in it as the superuser and gives what it prints.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn admin(&self, sql: &str) -> String {
        self.run(&self.name, sql)
    }

    fn run(&self, database: &str, sql: &str) -> String {
        Door::at(self.server.port).admin(database, &[sql]).unwrap_or_else(|why| panic!("psql: {why}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // Litter in a server that goes away as well.
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            let _ = Door::at(self.server.port).admin("postgres", &[&drop]);
        }
    }
}
