//! The main job: a real password turned, by hand and by schedule, and what happens when the database does not play along.

use std::time::Duration;

use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_rotation_through_boto3_turns_the_password() {
    turn_through_boto3(Options::default());
}

#[test]
fn a_rotation_on_postgresql_turns_the_password() {
    turn_through_boto3(Options { store: Store::Private, ..Options::default() });
}

fn turn_through_boto3(options: Options) {
    let postgres = Postgres::start();
    let pawl = Pawl::start(options);
    postgres.create_role("app", "first-password");
    let outcome = pawl.boto3(
        include_str!("boto3/rotation.py"),
        &json!({"value": database_secret(postgres.port(), "app", "first-password"), "function": POSTGRES_ROTATOR}),
    );
    let new = outcome["password"].as_str().unwrap();
    assert_eq!(postgres.login("app", new), Login::Accepted);
    assert_eq!(postgres.login("app", "first-password"), Login::Refused);
}

#[test]
fn a_rotation_through_the_aws_command_line_turns_the_password() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("App User", "first-password");
    let value = database_secret(postgres.port(), "App User", "first-password");
    let created = pawl.aws(&["create-secret", "--name", "prod/app", "--secret-string", &value]).json();
    let rules = r#"{"ScheduleExpression": "rate(30 days)"}"#;
    let asked = pawl
        .aws(&["rotate-secret", "--secret-id", "prod/app", "--rotation-lambda-arn", POSTGRES_ROTATOR])
        .json();
    let token = asked["VersionId"].as_str().unwrap();
    pawl.await_rotation("prod/app", token, SOON);
    let got = pawl.aws(&["get-secret-value", "--secret-id", created["ARN"].as_str().unwrap()]).json();
    assert_eq!(got["VersionId"], token);
    let value: Value = serde_json::from_str(got["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(postgres.login("App User", value["password"].as_str().unwrap()), Login::Accepted);
    assert_eq!(postgres.login("App User", "first-password"), Login::Refused);
    let previous =
        pawl.aws(&["get-secret-value", "--secret-id", "prod/app", "--version-stage", "AWSPREVIOUS"]).json();
    assert!(previous["SecretString"].as_str().unwrap().contains("first-password"));
    let again = pawl.aws(&["rotate-secret", "--secret-id", "prod/app", "--rotation-rules", rules]).json();
    pawl.await_rotation("prod/app", again["VersionId"].as_str().unwrap(), SOON);
    let described = pawl.aws(&["describe-secret", "--secret-id", "prod/app"]).json();
    assert_eq!(described["RotationRules"]["ScheduleExpression"], "rate(30 days)");
    assert_eq!(described["RotationEnabled"], true);
    assert_eq!(postgres.login("App User", &pawl.password("prod/app", "AWSCURRENT")), Login::Accepted);
}

#[test]
fn the_command_line_creates_rotates_and_tells_each_step() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let value = database_secret(postgres.port(), "app", "first-password");
    let _ = pawl.cli(&["secret", "create", "db", "--value", &value]).ok();
    let told = pawl.cli(&["rotate", "db", "--function", "pawl-postgres-single-user", "--wait"]).ok();
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        assert!(told.contains(step), "{step} is missing in: {told}");
    }
    let new = pawl.password("db", "AWSCURRENT");
    assert!(!told.contains(&new) && !told.contains("first-password"));
    assert_eq!(postgres.login("app", &new), Login::Accepted);
    assert_eq!(postgres.login("app", "first-password"), Login::Refused);
}

#[test]
fn a_schedule_rotates_when_its_time_comes_and_not_before() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), SOON);
    let first = pawl.value("db", "AWSCURRENT").unwrap();

    let _ = pawl.cli(&["dev", "clock", "advance", "20d"]).ok();
    // A second secret's whole rotation: whatever the scheduler wants to do for the first it has had time for.
    postgres.create_role("other", "first-password");
    let _ = pawl.create("other", &database_secret(postgres.port(), "other", "first-password"));
    pawl.await_rotation("other", &pawl.rotate("other", POSTGRES_ROTATOR), SOON);
    assert_eq!(pawl.value("db", "AWSCURRENT").unwrap(), first, "rotated ten days early");

    let _ = pawl.cli(&["dev", "clock", "advance", "11d"]).ok();
    let second = eventually("the scheduled rotation has promoted a version", SOON, || {
        pawl.value("db", "AWSCURRENT").filter(|value| *value != first)
    });
    assert_eq!(pawl.value("db", "AWSPREVIOUS").unwrap(), first);
    assert_ne!(second.0, first.0);
    assert_eq!(postgres.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
}

#[test]
fn a_wrong_stored_password_is_named_and_healed_by_repair() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "the-real-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "a-wrong-password"));
    let before = pawl.value("db", "AWSCURRENT").unwrap();

    let _ = pawl.rotate("db", POSTGRES_ROTATOR);
    let failed = eventually("the rotation gives up", SOON, || {
        let rotation = pawl.rotation("db");
        (rotation["Status"] == "Failed").then_some(rotation)
    });
    let failure = &failed["Failure"];
    assert_eq!(failure["Step"], "setSecret", "{failed}");
    let reason = failure["Reason"].as_str().unwrap();
    assert!(
        reason.contains("refused") && reason.contains("app"),
        "it does not name the refused login: {reason}"
    );
    assert!(!reason.contains("a-wrong-password"));
    assert_eq!(pawl.value("db", "AWSCURRENT").unwrap(), before, "AWSCURRENT was touched");
    assert_eq!(postgres.login("app", "the-real-password"), Login::Accepted, "the database was touched");
    let told = pawl.cli(&["rotate", "db", "--wait"]);
    assert_ne!(told.code, Some(0), "pawl rotate --wait must fail as the rotation does: {}", told.stdout);
    assert!(format!("{}{}", told.stdout, told.stderr).contains("refused"), "{}{}", told.stdout, told.stderr);

    postgres.alter_role("app", "a-wrong-password");
    let healed = pawl.cli(&["rotate", "db", "--wait"]);
    assert_eq!(healed.code, Some(0), "{}{}", healed.stdout, healed.stderr);
    assert_eq!(postgres.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
    assert_eq!(postgres.login("app", "a-wrong-password"), Login::Refused);
}

#[test]
fn a_database_that_is_down_is_waited_for() {
    wait_for_a_database(Options::default());
}

#[test]
fn a_database_that_is_down_is_waited_for_on_postgresql() {
    wait_for_a_database(Options { store: Store::Private, ..Options::default() });
}

fn wait_for_a_database(options: Options) {
    let mut postgres = Postgres::start();
    let pawl = Pawl::start(options);
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    postgres.stop();
    let token = pawl.rotate("db", POSTGRES_ROTATOR);
    let waiting = eventually("a third try", SOON, || {
        let rotation = pawl.rotation("db");
        (rotation["Attempt"].as_u64().unwrap_or(0) >= 3).then_some(rotation)
    });
    assert_eq!(waiting["Status"], "Running", "an absent database is nobody's fault: {waiting}");
    assert_eq!(waiting["Failure"]["Retryable"], true, "{waiting}");
    let reason = waiting["Failure"]["Reason"].as_str().unwrap();
    assert!(reason.contains("127.0.0.1"), "it does not name the target: {reason}");
    assert_eq!(pawl.password("db", "AWSCURRENT"), "first-password");
    postgres.resume();
    pawl.await_rotation("db", &token, SOON);
    assert_eq!(postgres.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
    assert_eq!(postgres.login("app", "first-password"), Login::Refused);
}

#[test]
fn what_a_rotation_does_not_change_survives_it() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), SOON);
    let (_, value) = pawl.value("db", "AWSCURRENT").unwrap();
    let mut value: Value = serde_json::from_str(&value).unwrap();
    let password = value["password"].take();
    assert_eq!(password.as_str().unwrap().len(), 32);
    let mut before: Value =
        serde_json::from_str(&database_secret(postgres.port(), "app", "first-password")).unwrap();
    before["password"].take();
    assert_eq!(value, before);
    assert!(value["port"].is_u64() && value["ssl"].is_boolean(), "kinds are kept: {value}");
}
