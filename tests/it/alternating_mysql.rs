//! Two users that take turns on MariaDB: an application that never stops working meanwhile, and what a rotation does not do.

use std::time::Duration;

use pawl_tests::mariadb::{Login, MariaDb};
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

const ALTERNATING: &str = "arn:aws:lambda:us-east-1:000000000000:function:pawl-mariadb-alternating-users";
/// The master: it may make users and pass on what it has, and is no superuser.
const MASTER: &str = "dba";
const MASTER_PASSWORD: &str = "the-masters-own-password";
const SOON: Duration = Duration::from_secs(60);

struct Ground {
    mariadb: MariaDb,
    pawl: Pawl,
    /// Kept as long as the host runs.
    _functions: Scratch,
}

impl Ground {
    fn new() -> Self {
        let functions = Scratch::new("alternating-functions");
        let manifest = functions.path().join("pawl-mariadb-alternating-users.toml");
        std::fs::write(manifest, "[grants]\nsecrets = [\"master/*\"]\n").unwrap();
        let mariadb = MariaDb::start();
        let options = Options { functions: Some(functions.path().to_owned()), ..Options::default() };
        let pawl = Pawl::start(options);
        mariadb.create_user(MASTER, MASTER_PASSWORD);
        mariadb.admin(&format!(
            "CREATE DATABASE shop; GRANT CREATE USER ON *.* TO {MASTER}; GRANT SELECT ON mysql.* TO {MASTER}; \
             GRANT ALL ON shop.* TO {MASTER} WITH GRANT OPTION"
        ));
        let ground = Self { mariadb, pawl, _functions: functions };
        let master = json!({
            "engine": "mariadb", "host": "127.0.0.1", "port": ground.mariadb.port(), "username": MASTER,
            "password": MASTER_PASSWORD, "ssl": false,
        });
        let _ = ground.pawl.create("master/mariadb", &master.to_string());
        ground
    }

    /// What the application of `user` reads.
    fn value(&self, user: &str, password: &str) -> String {
        json!({
            "engine": "mariadb", "host": "127.0.0.1", "port": self.mariadb.port(), "username": user, "password": password,
            "dbname": "shop", "ssl": false, "masterarn": "master/mariadb", "note": "kept as it is",
        })
        .to_string()
    }

    /// Makes a user that works in the database `shop`, and its secret.
    fn user(&self, user: &str, password: &str) {
        self.mariadb.create_user(user, password);
        self.mariadb.admin(&format!("GRANT SELECT, INSERT, CREATE ON shop.* TO `{user}`"));
        let _ = self.pawl.create(user, &self.value(user, password));
    }

    /// Rotates, and gives what applications read then: user and password.
    fn turn(&self, secret: &str) -> (String, String) {
        let token = self.pawl.rotate(secret, ALTERNATING);
        self.pawl.await_rotation(secret, &token, SOON);
        self.login_of(secret, "AWSCURRENT").unwrap()
    }

    fn login_of(&self, secret: &str, label: &str) -> Option<(String, String)> {
        let (_, value) = self.pawl.value(secret, label)?;
        let value: Value = serde_json::from_str(&value).unwrap();
        Some((value["username"].as_str().unwrap().to_owned(), value["password"].as_str().unwrap().to_owned()))
    }

    fn runs(&self, (user, password): &(String, String), sql: &str) -> Result<String, String> {
        pawl_tests::mariadb::Door::at(self.mariadb.port()).run(user, password, sql)
    }

    /// Asks for a rotation that must end badly, and gives why it did.
    fn failure(&self, secret: &str) -> Value {
        let _ = self.pawl.rotate(secret, ALTERNATING);
        eventually("the rotation gives up", SOON, || {
            let rotation = self.pawl.rotation(secret);
            (rotation["Status"] == "Failed").then(|| rotation["Failure"].clone())
        })
    }
}

#[test]
fn an_application_works_through_two_full_turns_and_a_revoked_right_stays_revoked() {
    let ground = Ground::new();
    ground.user("app", "first-password");
    let mut login = ("app".to_owned(), "first-password".to_owned());
    for turn in 1..=4 {
        let before = login;
        login = ground.turn("app");
        assert_eq!(login.0, if turn % 2 == 1 { "app_clone" } else { "app" });
        assert_eq!(login.1.len(), 32);
        // Whoever has read the secret just before keeps a login that works, until the next turn.
        assert_eq!(ground.mariadb.login(&before.0, &before.1), Login::Accepted);
        assert_eq!(ground.login_of("app", "AWSPREVIOUS"), Some(before));
        let table = format!("CREATE TABLE shop.made_{turn} (n INT); INSERT INTO shop.made_{turn} VALUES (1)");
        let made = ground.runs(&login, &table);
        // The right to make tables is taken from the current user after the second turn.
        assert_eq!(made.is_ok(), turn <= 2, "{made:?}");
        assert_eq!(ground.runs(&login, "SELECT n FROM shop.made_1").unwrap(), "1");
        if turn == 2 {
            ground.mariadb.admin(&format!("REVOKE CREATE ON shop.* FROM `{}`", login.0));
        }
    }
    let (_, value) = ground.pawl.value("app", "AWSCURRENT").unwrap();
    let mut value: Value = serde_json::from_str(&value).unwrap();
    value["password"].take();
    let mut first: Value = serde_json::from_str(&ground.value("app", "")).unwrap();
    first["password"].take();
    assert_eq!(value, first, "nothing else has changed after two full turns");
    let log = ground.mariadb.log();
    assert!(!log.contains(&login.1) && !log.contains("Access denied"), "no login failed in all this: {log}");
}

#[test]
fn a_secret_that_begins_at_a_clone_goes_to_the_plain_name_and_back() {
    let ground = Ground::new();
    ground.user("report_clone", "first-password");
    assert_eq!(ground.turn("report_clone").0, "report");
    assert_eq!(ground.turn("report_clone").0, "report_clone");
    let long = "n".repeat(75);
    ground.user(&long, "first-password");
    let failure = ground.failure(&long);
    assert_eq!(failure["Step"], "createSecret", "{failure}");
    assert!(failure["Reason"].as_str().unwrap().contains("80 characters"), "{failure}");
}

#[test]
fn a_secret_whose_password_opens_nothing_steers_no_master() {
    let ground = Ground::new();
    ground.user("app", "first-password");
    ground.mariadb.create_user("boss", "nobody-knows-it");
    let _ = ground.pawl.create("thief", &ground.value("boss", "a-guess"));
    let failure = ground.failure("thief");
    assert_eq!(failure["Step"], "setSecret", "{failure}");
    assert_eq!(ground.mariadb.admin("SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'boss_clone'"), "0");
}

#[test]
fn a_master_that_lacks_a_right_is_told_which_and_nothing_is_promoted() {
    let ground = Ground::new();
    ground.user("app", "first-password");
    ground.mariadb.admin("CREATE DATABASE warehouse; GRANT DELETE ON warehouse.* TO app");
    let failure = ground.failure("app");
    assert_eq!(failure["Step"], "setSecret", "{failure}");
    let reason = failure["Reason"].as_str().unwrap();
    assert!(reason.contains("needs DELETE ON `warehouse`.* WITH GRANT OPTION"), "{reason}");
    assert_eq!(ground.login_of("app", "AWSCURRENT"), Some(("app".to_owned(), "first-password".to_owned())));
    assert_eq!(ground.mariadb.login("app", "first-password"), Login::Accepted);
}
