//! The main job on MariaDB: what `rotations.rs` shows of PostgreSQL, and that no password reaches the server's files.

use std::path::Path;
use std::time::Duration;

use pawl_tests::mariadb::{Login, MariaDb};
use pawl_tests::needles::Needles;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const MARIADB_ROTATOR: &str = "arn:aws:lambda:us-east-1:000000000000:function:pawl-mariadb-single-user";

/// A secret for the account `user` of the MariaDB on `port`, as AWS's templates want it.
fn secret(port: u16, user: &str, password: &str) -> String {
    json!({
        "engine": "mariadb", "host": "127.0.0.1", "port": port, "username": user, "password": password,
        "ssl": false, "note": "kept as it is",
    })
    .to_string()
}

#[test]
fn a_rotation_turns_the_password_of_every_kind_of_account() {
    let mariadb = MariaDb::start();
    let pawl = Pawl::start(Options::default());
    for (name, user, plugin) in
        [("native", "app", "mysql_native_password"), ("signs", "o'ne `two\\", "ed25519")]
    {
        mariadb.create_user_at(user, "%", plugin, "first-password");
        let _ = pawl.create(name, &secret(mariadb.port(), user, "first-password"));
        let mut old = "first-password".to_owned();
        for _ in 0..2 {
            pawl.await_rotation(name, &pawl.rotate(name, MARIADB_ROTATOR), SOON);
            let new = pawl.password(name, "AWSCURRENT");
            assert_eq!(new.len(), 32);
            assert!(!new.contains(['/', '@', '"', '\'', '\\']), "a character that AWS leaves out");
            assert_eq!(mariadb.login(user, &new), Login::Accepted);
            assert_eq!(mariadb.login(user, &old), Login::Refused);
            old = new;
        }
        let (_, value) = pawl.value(name, "AWSCURRENT").unwrap();
        let value: Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["note"], "kept as it is");
        assert!(value["port"].is_u64() && value["ssl"].is_boolean(), "kinds are kept");
    }
}

#[test]
fn a_wrong_stored_password_is_healed_through_the_previous_one() {
    let mariadb = MariaDb::start();
    let pawl = Pawl::start(Options::default());
    mariadb.create_user("app", "first-password");
    let _ = pawl.create("db", &secret(mariadb.port(), "app", "first-password"));
    pawl.await_rotation("db", &pawl.rotate("db", MARIADB_ROTATOR), SOON);
    // As after a restore from a backup that was taken before the rotation.
    mariadb.alter_user("app", "first-password");
    pawl.await_rotation("db", &pawl.rotate("db", MARIADB_ROTATOR), SOON);
    assert_eq!(mariadb.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
    assert_eq!(mariadb.login("app", "first-password"), Login::Refused);
}

#[test]
fn a_database_that_is_down_is_waited_for() {
    let mut mariadb = MariaDb::start();
    let pawl = Pawl::start(Options::default());
    mariadb.create_user("app", "first-password");
    let _ = pawl.create("db", &secret(mariadb.port(), "app", "first-password"));
    mariadb.stop();
    let token = pawl.rotate("db", MARIADB_ROTATOR);
    let waiting = eventually("a second try", SOON, || {
        let rotation = pawl.rotation("db");
        (rotation["Attempt"].as_u64().unwrap_or(0) >= 2).then_some(rotation)
    });
    assert_eq!(waiting["Status"], "Running", "an absent database is nobody's fault: {waiting}");
    assert_eq!(pawl.password("db", "AWSCURRENT"), "first-password");
    mariadb.resume();
    pawl.await_rotation("db", &token, SOON);
    assert_eq!(mariadb.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
    assert_eq!(mariadb.login("app", "first-password"), Login::Refused);
}

#[test]
fn a_replica_is_named_and_left_alone() {
    let mariadb = MariaDb::start();
    let pawl = Pawl::start(Options::default());
    mariadb.create_user("app", "first-password");
    mariadb.admin("SET GLOBAL read_only = 1");
    let _ = pawl.create("db", &secret(mariadb.port(), "app", "first-password"));
    let _ = pawl.rotate("db", MARIADB_ROTATOR);
    let reason = eventually("a failure", SOON, || {
        let rotation = pawl.rotation("db");
        rotation["Failure"]["Reason"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("read-only"), "{reason}");
    assert_eq!(mariadb.login("app", "first-password"), Login::Accepted);
    assert_eq!(pawl.password("db", "AWSCURRENT"), "first-password");
}

#[test]
fn no_password_reaches_a_file_of_the_server() {
    let mut mariadb = MariaDb::start();
    let pawl = Pawl::start(Options::default());
    let mut hidden = vec!["first-password-of-the-canary".to_owned()];
    for (user, plugin) in [("native", "mysql_native_password"), ("signs", "ed25519")] {
        mariadb.create_user_at(user, "%", plugin, &hidden[0]);
        let _ = pawl.create(user, &secret(mariadb.port(), user, &hidden[0]));
        for _ in 0..2 {
            pawl.await_rotation(user, &pawl.rotate(user, MARIADB_ROTATOR), SOON);
            hidden.push(pawl.password(user, "AWSCURRENT"));
        }
    }
    mariadb.stop();
    let log = mariadb.log();
    assert!(log.matches("SET PASSWORD = '").count() >= 4, "the log is not one of every statement: {log}");
    let needles = Needles::of(&hidden);
    assert_eq!(needles.first_in(log.as_bytes()), None);
    look_below(&mariadb.data_dir(), &needles);
}

fn look_below(folder: &Path, needles: &Needles<'_>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            look_below(&entry.path(), needles);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert_eq!(needles.first_in(&bytes), None, "{}", entry.path().display());
        }
    }
}
