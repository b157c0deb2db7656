//! Two users that take turns on PostgreSQL: an application that never stops working meanwhile, and what a rotation does not do.

use std::time::Duration;

use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// The built-in rotator of alternating users.
pub(crate) const ALTERNATING: &str =
    "arn:aws:lambda:us-east-1:000000000000:function:pawl-postgres-alternating-users";
/// The master, which is no superuser.
pub(crate) const MASTER: &str = "dba";
const MASTER_PASSWORD: &str = "the-masters-own-password";
const SOON: Duration = Duration::from_secs(60);

/// A server, a host, a master and its secret, which the rotator may log in with.
pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    pub(crate) pawl: Pawl,
    /// Kept as long as the host runs.
    _functions: Scratch,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let functions = Scratch::new("alternating-functions");
        let manifest = functions.path().join("pawl-postgres-alternating-users.toml");
        std::fs::write(manifest, "[grants]\nsecrets = [\"master/*\"]\n").unwrap();
        let postgres = Postgres::start();
        let options = Options { functions: Some(functions.path().to_owned()), ..Options::default() };
        let pawl = Pawl::start(options);
        postgres.create_role(MASTER, MASTER_PASSWORD);
        let _ = postgres.admin(&format!("ALTER ROLE {MASTER} CREATEROLE CREATEDB"));
        let ground = Self { postgres, pawl, _functions: functions };
        let master = ground.master_at(ground.postgres.port());
        let _ = ground.pawl.create("master/postgres", &master);
        ground
    }

    /// The master's secret, for a server on this port.
    pub(crate) fn master_at(&self, port: u16) -> String {
        json!({
            "engine": "postgres", "host": "127.0.0.1", "port": port, "username": MASTER, "password": MASTER_PASSWORD,
            "dbname": "template1", "ssl": false,
        })
        .to_string()
    }

    /// What the application of `role` reads.
    pub(crate) fn value(&self, port: u16, role: &str, password: &str) -> String {
        json!({
            "engine": "postgres", "host": "127.0.0.1", "port": port, "username": role, "password": password,
            "dbname": "postgres", "ssl": false, "masterarn": "master/postgres", "note": "kept as it is",
        })
        .to_string()
    }

    /// Makes a role as the master does, and its secret.
    pub(crate) fn role(&self, role: &str, password: &str) {
        let _ = self.postgres.admin(&format!("SET ROLE {MASTER}; CREATE ROLE \"{role}\" LOGIN"));
        self.postgres.alter_role(role, password);
        let _ = self.postgres.admin(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\""));
        let _ = self.pawl.create(role, &self.value(self.postgres.port(), role, password));
    }

    /// Rotates, and gives what applications read then: user and password.
    pub(crate) fn turn(&self, secret: &str) -> (String, String) {
        let token = self.pawl.rotate(secret, ALTERNATING);
        self.pawl.await_rotation(secret, &token, SOON);
        self.login_of(secret, "AWSCURRENT").unwrap()
    }

    pub(crate) fn login_of(&self, secret: &str, label: &str) -> Option<(String, String)> {
        let (_, value) = self.pawl.value(secret, label)?;
        let value: Value = serde_json::from_str(&value).unwrap();
        Some((value["username"].as_str().unwrap().to_owned(), value["password"].as_str().unwrap().to_owned()))
    }

    /// Asks for a rotation that must end badly, and gives why it did.
    pub(crate) fn failure(&self, secret: &str) -> Value {
        let _ = self.pawl.rotate(secret, ALTERNATING);
        eventually("the rotation gives up", SOON, || {
            let rotation = self.pawl.rotation(secret);
            (rotation["Status"] == "Failed").then(|| rotation["Failure"].clone())
        })
    }
}

/// An application's sessions, which stay open.
pub(crate) struct Application {
    runtime: Runtime,
    port: u16,
}

impl Application {
    pub(crate) fn of(port: u16) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self { runtime: builder.worker_threads(1).enable_all().build().unwrap(), port }
    }

    pub(crate) fn connect(
        &self,
        (user, password): &(String, String),
    ) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(user).password(password).dbname("postgres");
        self.runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        })
    }

    pub(crate) fn run(&self, session: &Client, sql: &str) {
        let done = self.runtime.block_on(session.batch_execute(sql));
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub(crate) fn text(&self, session: &Client, sql: &str) -> String {
        self.runtime.block_on(session.query_one(sql, &[])).unwrap().get(0)
    }
}

#[test]
fn an_application_works_through_two_full_turns_and_reads_what_it_made_under_either_name() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    let application = Application::of(ground.postgres.port());
    let mut login = ("app".to_owned(), "first-password".to_owned());
    let mut sessions = Vec::new();
    for turn in 0..=4 {
        if turn > 0 {
            let before = login;
            login = ground.turn("app");
            assert_eq!(login.0, if turn % 2 == 1 { "app_clone" } else { "app" });
            // Whoever has read the secret just before keeps a login that works, until the next turn.
            drop(application.connect(&before).unwrap());
            assert_eq!(ground.login_of("app", "AWSPREVIOUS"), Some(before));
        }
        let session = application.connect(&login).unwrap();
        application.run(&session, &format!("CREATE TABLE made_{turn} (n integer)"));
        sessions.push(session);
        for session in &sessions {
            for table in 0..=turn {
                application.run(
                    session,
                    &format!(
                        "INSERT INTO made_{table} VALUES (1); ALTER TABLE made_{table} ALTER n SET DEFAULT 1"
                    ),
                );
                let count = application.text(session, &format!("SELECT count(*)::text FROM made_{table}"));
                assert_ne!(count, "0");
            }
        }
    }
    let owners =
        ground.postgres.admin("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'made%'");
    assert_eq!(owners, "app");
    let (_, value) = ground.pawl.value("app", "AWSCURRENT").unwrap();
    let mut value: Value = serde_json::from_str(&value).unwrap();
    assert_eq!(value["password"].take().as_str().unwrap().len(), 32);
    let mut first: Value = serde_json::from_str(&ground.value(ground.postgres.port(), "app", "")).unwrap();
    first["password"].take();
    assert_eq!(value, first, "nothing else has changed after two full turns");
    assert_eq!(ground.postgres.refused_logins(), Vec::<String>::new(), "no login failed in all this");
}

#[test]
fn a_secret_that_begins_at_a_clone_goes_to_the_plain_name_and_back() {
    let ground = Ground::new();
    ground.role("report_clone", "first-password");
    assert_eq!(ground.turn("report_clone").0, "report");
    assert_eq!(ground.turn("report_clone").0, "report_clone");
    let long = "n".repeat(58);
    ground.role(&long, "first-password");
    let failure = ground.failure(&long);
    assert_eq!(failure["Step"], "createSecret", "{failure}");
    assert!(failure["Reason"].as_str().unwrap().contains("63 bytes"), "{failure}");
}

#[test]
fn a_current_password_that_somebody_has_changed_is_healed_by_the_master_once_pawl_has_rotated_the_secret() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    let (user, _) = ground.turn("app");
    assert_eq!(user, "app_clone");
    ground.postgres.alter_role("app_clone", "changed-by-hand");
    ground.postgres.alter_role("app", "changed-by-hand-as-well");
    let (user, password) = ground.turn("app");
    assert_eq!(user, "app");
    assert_eq!(ground.postgres.login(&user, &password), Login::Accepted);
    let (user, password) = ground.turn("app");
    assert_eq!(ground.postgres.login(&user, &password), Login::Accepted);
}

#[test]
fn what_the_clone_has_of_its_own_stops_the_rotation_before_anything_has_changed() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    // As AWS's function has left it.
    let _ = ground.postgres.admin(&format!(
        "SET ROLE {MASTER}; CREATE ROLE app_clone LOGIN; GRANT app TO app_clone; RESET ROLE; CREATE TABLE theirs (n integer); ALTER TABLE theirs OWNER TO app_clone"
    ));
    let failure = ground.failure("app");
    assert_eq!(failure["Step"], "setSecret", "{failure}");
    let reason = failure["Reason"].as_str().unwrap();
    let statement = r#"REASSIGN OWNED BY "app_clone" TO "app""#;
    assert!(reason.contains("public.theirs") && reason.contains(statement), "{reason}");
    assert_eq!(ground.postgres.login("app", "first-password"), Login::Accepted);
    assert_eq!(ground.login_of("app", "AWSCURRENT").unwrap().1, "first-password");
    let _ = ground.postgres.admin(statement);
    // The same rotation goes on, with the password that it has made.
    let again = ground.pawl.cli(&["rotate", "app", "--wait"]);
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    let (user, password) = ground.login_of("app", "AWSCURRENT").unwrap();
    assert_eq!((user.as_str(), ground.postgres.login(&user, &password)), ("app_clone", Login::Accepted));
}
