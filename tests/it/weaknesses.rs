//! The weaknesses of AWS's own rotation functions, numbered as in their study (aws-samples/aws-secrets-manager-rotation-lambdas,
//! each read and most of them run), and for each a test that shows that Pawl does not have it. `table` lists them, with those of
//! the tests that stand elsewhere.

mod table;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::pair::Pair;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::{Door, Login, Postgres, free_port};
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::alternating_postgres::{ALTERNATING, Application, Ground, MASTER};
use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);

/// A single user's secret, and the host that rotates it.
fn single(postgres: &Postgres, pawl: &Pawl, role: &str) {
    postgres.create_role(role, "first-password");
    let _ = pawl.create(role, &database_secret(postgres.port(), role, "first-password"));
}

fn turned(pawl: &Pawl, name: &str) -> String {
    pawl.await_rotation(name, &pawl.rotate(name, POSTGRES_ROTATOR), SOON);
    pawl.password(name, "AWSCURRENT")
}

/// How a rotation that was asked for ends when it cannot succeed.
fn failure(pawl: &Pawl, name: &str, function: &str) -> Value {
    let _ = pawl.rotate(name, function);
    eventually("the rotation gives up", SOON, || {
        let rotation = pawl.rotation(name);
        // Stranded is failed after the server was asked to change the password that is in use.
        let failed = rotation["Status"] == "Failed" || rotation["Status"] == "Stranded";
        failed.then(|| rotation["Failure"].clone())
    })
}

/// Stores a value by hand, and gives its version.
fn put(pawl: &Pawl, name: &str, value: &str) -> String {
    let token = aws::token();
    let body = json!({"SecretId": name, "SecretString": value, "ClientRequestToken": token});
    let _ = pawl.call("PutSecretValue", body);
    token
}

fn reason(failure: &Value) -> &str {
    failure["Reason"].as_str().unwrap()
}

fn gives_a_password(event: &Event) -> bool {
    matches!(event, Event::Asked(_, sql) if sql.contains("SCRAM-SHA-256$"))
}

#[test]
fn weakness_01_no_password_in_any_log() {
    let ground = Ground::new();
    single(&ground.postgres, &ground.pawl, "solo");
    ground.role("app", "first-password");
    let mut passwords = vec![turned(&ground.pawl, "solo"), turned(&ground.pawl, "solo")];
    passwords.push(ground.turn("app").1);
    passwords.push(ground.turn("app").1);
    // What fails is logged by the defaults of every server.
    let _ = ground.postgres.admin(&format!("ALTER ROLE {MASTER} NOCREATEROLE"));
    let _ = ground.failure("app");
    passwords.extend(ground.login_of("app", "AWSPENDING").map(|(_, password)| password));
    let log = ground.postgres.log();
    assert!(
        log.contains("ALTER ROLE \"app_clone\" PASSWORD 'SCRAM-SHA-256$"),
        "the statement is logged: {log}"
    );
    assert!(log.contains("ERROR:  permission denied") || log.contains("ERROR:  must have"), "{log}");
    for password in passwords.iter().map(String::as_str).chain(["first-password"]) {
        assert!(!log.contains(password), "the log has a password");
    }
}

#[test]
fn weakness_02_whoever_reads_awscurrent_logs_in_at_every_moment() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    let (ended, logins) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let application = Application::of(ground.postgres.port());
            while !ended.load(Ordering::SeqCst) {
                let login = ground.login_of("app", "AWSCURRENT").unwrap();
                drop(application.connect(&login).unwrap_or_else(|error| panic!("{}: {error:?}", login.0)));
                logins.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..4 {
            let before = logins.load(Ordering::SeqCst);
            let _ = ground.turn("app");
            eventually("somebody has logged in meanwhile", SOON, || {
                (logins.load(Ordering::SeqCst) > before).then_some(())
            });
        }
        ended.store(true, Ordering::SeqCst);
    });
}

#[test]
fn weakness_03_a_half_done_rotation_whose_label_is_taken_away_locks_nobody_out() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    // The server has the new password; from then on nobody hears of it.
    let (given, closed): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
    let (its_given, its_closed) = (Arc::clone(&given), Arc::clone(&closed));
    let proxy = Proxy::start(postgres.port(), move |event| {
        if gives_a_password(event) {
            its_given.fetch_add(1, Ordering::SeqCst);
        }
        let committed = matches!(event, Event::Answered(_, sql) if sql.ends_with("COMMIT"));
        if committed && its_given.load(Ordering::SeqCst) == 1 {
            its_closed.store(true, Ordering::SeqCst);
        }
        if its_closed.load(Ordering::SeqCst) { Then::Cut } else { Then::Forward }
    });
    let _ = pawl.create("db", &database_secret(proxy.port(), "app", "first-password"));
    let token = pawl.rotate("db", POSTGRES_ROTATOR);
    eventually("the change is made", SOON, || closed.load(Ordering::SeqCst).then_some(()));
    assert_eq!(postgres.login("app", "first-password"), Login::Refused);
    // AWS's documented way out of a rotation that is stuck.
    let taken = json!({"SecretId": "db", "VersionStage": "AWSPENDING", "RemoveFromVersionId": token});
    let answer = pawl.try_call("UpdateSecretVersionStage", &taken);
    assert_eq!(answer.status, 200, "{}", answer.body);
    closed.store(false, Ordering::SeqCst);
    let token = pawl.rotate("db", POSTGRES_ROTATOR);
    pawl.await_rotation("db", &token, SOON);
    assert_eq!(postgres.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
    assert_eq!(postgres.login("app", &turned(&pawl, "db")), Login::Accepted);
}

#[test]
fn weakness_04_a_rotation_that_is_superseded_changes_nothing_any_more() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let held: Arc<(Mutex<Option<bool>>, Condvar)> = Arc::default();
    let its_held = Arc::clone(&held);
    let proxy = Proxy::start(postgres.port(), move |event| {
        if gives_a_password(event) {
            let (state, changed) = &*its_held;
            let mut state = state.lock().unwrap();
            if state.is_none() {
                *state = Some(true);
                changed.notify_all();
                drop(changed.wait_while(state, |state| *state == Some(true)).unwrap());
            }
        }
        Then::Forward
    });
    let value = database_secret(proxy.port(), "app", "first-password");
    let _ = pawl.create("db", &value);
    let old = pawl.rotate("db", POSTGRES_ROTATOR);
    let (state, changed) = &*held;
    drop(changed.wait_while(state.lock().unwrap(), |state| state.is_none()).unwrap());
    // While its statement is on the way, a person takes over.
    let by_hand = put(&pawl, "db", &value);
    *state.lock().unwrap() = Some(false);
    changed.notify_all();
    eventually("the older rotation is over", SOON, || {
        (pawl.rotation("db")["Status"] != "Running").then_some(())
    });
    assert_eq!(pawl.value("db", "AWSCURRENT").unwrap().0, by_hand);
    assert_eq!(
        postgres.login("app", "first-password"),
        Login::Accepted,
        "the older rotation's change came through"
    );
    assert_ne!(pawl.labels("db", &old), ["AWSCURRENT"]);
    let password = turned(&pawl, "db");
    assert_eq!(postgres.login("app", &password), Login::Accepted);
}

#[test]
fn weakness_05_a_try_that_broke_off_leaves_nothing_and_the_next_makes_all() {
    let ground = Ground::new();
    let hits = Arc::new(AtomicUsize::new(0));
    let its_hits = Arc::clone(&hits);
    // Once in the middle, once when all is done but the end.
    let proxy = Proxy::start(ground.postgres.port(), move |event| match event {
        Event::Asked(_, sql) if sql.starts_with("GRANT") && its_hits.load(Ordering::SeqCst) == 0 => {
            its_hits.fetch_add(1, Ordering::SeqCst);
            Then::Cut
        }
        Event::Asked(_, sql) if sql.ends_with("COMMIT") && its_hits.load(Ordering::SeqCst) == 1 => {
            its_hits.fetch_add(1, Ordering::SeqCst);
            Then::Cut
        }
        _ => Then::Forward,
    });
    ground.role("app", "first-password");
    let _ = put(&ground.pawl, "app", &ground.value(proxy.port(), "app", "first-password"));
    let _ = put(&ground.pawl, "master/postgres", &ground.master_at(proxy.port()));
    let _ = ground.postgres.admin(
        "CREATE TABLE theirs (n integer); GRANT SELECT ON theirs TO app; ALTER ROLE app SET work_mem = '7MB'",
    );
    let token = ground.pawl.rotate("app", ALTERNATING);
    ground.pawl.await_rotation("app", &token, SOON);
    assert_eq!(hits.load(Ordering::SeqCst), 2);
    let application = Application::of(ground.postgres.port());
    let session = application.connect(&ground.login_of("app", "AWSCURRENT").unwrap()).unwrap();
    application.run(&session, "SELECT * FROM theirs");
    assert_eq!(application.text(&session, "SHOW work_mem"), "7MB");
    assert_eq!(application.text(&session, "SELECT current_user::text"), "app");
}

#[test]
fn weakness_06_an_alternate_is_what_the_owner_is_at_every_turn() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    // As a person has made it beforehand, for AWS's function to fail on.
    let _ = ground.postgres.admin(&format!("SET ROLE {MASTER}; CREATE ROLE app_clone NOLOGIN"));
    let application = Application::of(ground.postgres.port());
    for (path, limit) in [("first, public", 5), ("second, public", 9), ("\"third one\"", -1)] {
        let _ = ground.postgres.admin(&format!(
            "ALTER ROLE app CONNECTION LIMIT {limit}; ALTER ROLE app SET search_path = {path}"
        ));
        for _ in 0..2 {
            let login = ground.turn("app");
            let session = application.connect(&login).unwrap();
            assert_eq!(application.text(&session, "SHOW search_path"), path, "{}", login.0);
            let limits =
                ground.postgres.admin("SELECT DISTINCT rolconnlimit FROM pg_roles WHERE rolname LIKE 'app%'");
            assert_eq!(limits, limit.to_string());
        }
    }
    // A right that was taken away stays away.
    let _ = ground.postgres.admin("CREATE TABLE theirs (n integer); GRANT SELECT ON theirs TO app");
    let _ = ground.turn("app");
    let _ = ground.postgres.admin("REVOKE SELECT ON theirs FROM app");
    for _ in 0..2 {
        let (user, _) = ground.turn("app");
        let may = ground.postgres.admin(&format!("SELECT has_table_privilege('{user}', 'theirs', 'SELECT')"));
        assert_eq!(may, "f");
    }
}

#[test]
fn weakness_08_no_login_without_tls_unless_the_secret_says_so() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let mut value: Value =
        serde_json::from_str(&database_secret(postgres.port(), "app", "first-password")).unwrap();
    let _ = value.as_object_mut().unwrap().remove("ssl");
    let _ = pawl.create("db", &value.to_string());
    let failure = failure(&pawl, "db", POSTGRES_ROTATOR);
    assert!(reason(&failure).contains("no TLS"), "{failure}");
    assert_eq!(pawl.password("db", "AWSCURRENT"), "first-password");
    assert!(!postgres.log().contains("user=app"), "it tried without: {}", postgres.log());
}

#[test]
fn weakness_09_a_rotation_makes_no_failed_login() {
    let ground = Ground::new();
    single(&ground.postgres, &ground.pawl, "solo");
    ground.role("app", "first-password");
    for _ in 0..3 {
        let _ = turned(&ground.pawl, "solo");
        let _ = ground.turn("app");
    }
    assert_eq!(ground.postgres.refused_logins(), Vec::<String>::new());
    let log = ground.postgres.log();
    assert!(log.contains(r#"identity="app""#), "it is told here who logs in: {log}");
}

#[test]
fn weakness_10_each_reason_has_its_own_words() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let base: Value =
        serde_json::from_str(&database_secret(postgres.port(), "app", "first-password")).unwrap();
    let with = |field: &str, value: Value| {
        let mut changed = base.clone();
        changed[field] = value;
        changed.to_string()
    };
    let nobody = free_port();
    let cases = [
        ("password", json!("wrong"), "refused the login of user `app`".to_owned()),
        ("dbname", json!("nowhere"), "no session in the database `nowhere`".to_owned()),
        ("ssl", json!(true), "offers no TLS".to_owned()),
        ("engine", json!("oracle"), "names no engine".to_owned()),
        ("port", json!(nobody), format!("127.0.0.1:{nobody}")),
    ];
    for (field, value, words) in cases {
        let _ = pawl.create(field, &with(field, value));
        let _ = pawl.rotate(field, POSTGRES_ROTATOR);
        let told = eventually("a reason is told", SOON, || {
            pawl.rotation(field)["Failure"]["Reason"].as_str().map(str::to_owned)
        });
        assert!(told.contains(&words), "{field}: {told}");
    }
}

#[test]
fn weakness_11_a_replica_is_named_as_the_reason() {
    let pair = Pair::start();
    let pawl = Pawl::start(Options::default());
    let _ = pair.admin("postgres", &["CREATE ROLE app LOGIN PASSWORD 'first-password'"]);
    let standby = pair.ports()[1 - pair.primary_at()];
    eventually("the standby has the role", SOON, || {
        (Door::at(standby).login("app", "first-password") == Login::Accepted).then_some(())
    });
    let _ = pawl.create("db", &database_secret(standby, "app", "first-password"));
    let failure = failure(&pawl, "db", POSTGRES_ROTATOR);
    assert!(reason(&failure).contains("read-only") && reason(&failure).contains("primary"), "{failure}");
    assert_eq!(pawl.password("db", "AWSCURRENT"), "first-password");
    assert_eq!(Door::at(standby).login("app", "first-password"), Login::Accepted);
}

#[test]
fn weakness_12_a_master_of_another_port_is_not_logged_in_with() {
    let ground = Ground::new();
    let other = Postgres::start();
    ground.role("app", "first-password");
    // The same host, and another server on it.
    let value = ground.master_at(other.port());
    let _ = put(&ground.pawl, "master/postgres", &value);
    let failure = ground.failure("app");
    assert!(reason(&failure).contains(&other.port().to_string()), "{failure}");
    assert!(!other.log().contains(&format!("user={MASTER}")), "{}", other.log());
    assert_eq!(ground.postgres.admin("SELECT count(*) FROM pg_roles WHERE rolname = 'app_clone'"), "0");
}

#[test]
fn weakness_13_open_sessions_survive_which_is_wanted() {
    let ground = Ground::new();
    single(&ground.postgres, &ground.pawl, "solo");
    ground.role("app", "first-password");
    let application = Application::of(ground.postgres.port());
    let first = |user: &str| application.connect(&(user.to_owned(), "first-password".to_owned())).unwrap();
    let sessions = [first("solo"), first("app")];
    application.run(&sessions[1], "BEGIN; CREATE TEMPORARY TABLE kept (n integer)");
    for _ in 0..2 {
        let _ = turned(&ground.pawl, "solo");
        let _ = ground.turn("app");
    }
    application.run(&sessions[0], "SELECT 1");
    application.run(&sessions[1], "INSERT INTO kept VALUES (1); COMMIT; SELECT * FROM kept");
}

#[test]
fn weakness_14_a_previous_version_of_another_user_is_not_tried() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("other", "the-others-password");
    postgres.create_role("app", "the-real-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "other", "the-others-password"));
    let value = database_secret(postgres.port(), "app", "wrong-password");
    let _ = put(&pawl, "db", &value);
    let failure = failure(&pawl, "db", POSTGRES_ROTATOR);
    assert!(reason(&failure).contains("refused the login of user `app`"), "{failure}");
    assert!(!postgres.log().contains("user=other"), "{}", postgres.log());
    assert_eq!(postgres.login("other", "the-others-password"), Login::Accepted);
}

#[test]
fn weakness_15_a_rejection_ends_the_rotation_and_a_person_may_have_another_password() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    let _ = ground.postgres.admin(&format!("ALTER ROLE {MASTER} NOCREATEROLE"));
    let failure = ground.failure("app");
    assert_eq!(failure["Step"], "setSecret", "{failure}");
    assert!(reason(&failure).contains("CREATEROLE"), "{failure}");
    assert_eq!(failure["Retryable"], false, "{failure}");
    assert_eq!(ground.postgres.login("app", "first-password"), Login::Accepted);
    let rejected = ground.login_of("app", "AWSPENDING").unwrap();
    // AWS's documented way: take the label away, and ask anew.
    let (token, _) = ground.pawl.value("app", "AWSPENDING").unwrap();
    let taken = json!({"SecretId": "app", "VersionStage": "AWSPENDING", "RemoveFromVersionId": token});
    let _ = ground.pawl.call("UpdateSecretVersionStage", taken);
    let _ = ground.postgres.admin(&format!("ALTER ROLE {MASTER} CREATEROLE"));
    let login = ground.turn("app");
    assert_ne!(login, rejected);
    assert_eq!(ground.postgres.login(&login.0, &login.1), Login::Accepted);
}

#[test]
fn weakness_16_a_secret_cannot_point_at_any_master_nor_use_one_without_a_login_of_its_own() {
    let ground = Ground::new();
    // Somebody else's secret, with rights that this secret's owner would like to have.
    let _ = ground.pawl.create("payments/dba", &ground.master_at(ground.postgres.port()));
    ground.role("app", "first-password");
    let mut value: Value =
        serde_json::from_str(&ground.value(ground.postgres.port(), "app", "first-password")).unwrap();
    value["masterarn"] = json!("payments/dba");
    let _ = ground.pawl.create("steered", &value.to_string());
    let failure = ground.failure("steered");
    assert!(reason(&failure).contains("grants do not cover"), "{failure}");

    // Anybody's role, named by somebody who does not know its password.
    ground.postgres.create_role("victim", "the-victims-password");
    let _ = ground.pawl.create("thief", &ground.value(ground.postgres.port(), "victim", "a-guess"));
    let failure = ground.failure("thief");
    assert_eq!(failure["Step"], "setSecret", "{failure}");
    assert_eq!(ground.postgres.admin("SELECT count(*) FROM pg_roles WHERE rolname = 'victim_clone'"), "0");
    assert!(!ground.postgres.log().contains("CREATE ROLE \"victim_clone\""));
}

#[test]
fn weakness_17_two_logins_for_one_user_and_three_for_two() {
    let ground = Ground::new();
    single(&ground.postgres, &ground.pawl, "solo");
    ground.role("app", "first-password");
    let logins = || ground.postgres.log().matches("connection authorized: user=").count();
    for _ in 0..2 {
        let before = logins();
        let _ = turned(&ground.pawl, "solo");
        assert_eq!(logins() - before, 2);
        let before = logins();
        let _ = ground.turn("app");
        assert_eq!(logins() - before, 3);
    }
}

#[test]
fn weakness_19_a_password_is_a_password_whatever_is_in_it() {
    let ground = Ground::new();
    let _ = ground.postgres.admin("CREATE ROLE victim LOGIN");
    let hostile = "a' b\"; DROP ROLE victim; --\\ %s $1 host=127.0.0.2 ;é";
    let _ = ground.postgres.admin("SELECT 1");
    ground.role("app", hostile);
    ground.postgres.create_role("solo", hostile);
    let _ = ground.pawl.create("solo", &database_secret(ground.postgres.port(), "solo", hostile));
    assert_eq!(ground.postgres.login("solo", &turned(&ground.pawl, "solo")), Login::Accepted);
    let (user, password) = ground.turn("app");
    assert_eq!(ground.postgres.login(&user, &password), Login::Accepted);
    assert_eq!(ground.postgres.admin("SELECT count(*) FROM pg_roles WHERE rolname = 'victim'"), "1");
}

#[test]
fn weakness_20_a_user_that_may_not_change_its_password_has_it_changed_by_the_master() {
    let ground = Ground::new();
    ground.role("app", "first-password");
    // Whose statement it was stands before each.
    let _ = ground.postgres.admin("ALTER SYSTEM SET log_line_prefix = '%u> '");
    let _ = ground.postgres.admin("SELECT pg_reload_conf()");
    let mark = ground.postgres.log().len();
    for _ in 0..2 {
        let (user, password) = ground.turn("app");
        assert_eq!(ground.postgres.login(&user, &password), Login::Accepted);
    }
    let log = ground.postgres.log();
    let changes: Vec<_> = log[mark..].lines().filter(|line| line.contains("PASSWORD 'SCRAM")).collect();
    assert!(!changes.is_empty(), "{log}");
    for change in changes {
        assert!(change.starts_with(&format!("{MASTER}> ")), "{change}");
    }
}
