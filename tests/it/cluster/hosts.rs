//! Two hosts on one PostgreSQL, in peace: what one is told the other knows, and who may be a host at all.

use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::cut::{Cut, State};
use pawl_tests::database::Database;
use pawl_tests::http::{Answer, Request};
use pawl_tests::pair::{PASSWORD, Pair};
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::wait::eventually;
use serde_json::json;

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);
/// Writes on one host that are read on the other at once.
const ROUNDS: usize = 1_000;

fn on(url: &str, root_key: Option<Vec<u8>>) -> Options {
    Options { store: Store::Shared(url.to_owned()), root_key, ..Options::default() }
}

fn two(database: &Database) -> (Pawl, Pawl) {
    let first = Pawl::start(on(database.url(), None));
    let second = Pawl::start(on(database.url(), first.root_key()));
    (first, second)
}

#[test]
fn a_write_on_one_host_is_read_on_the_other_at_once() {
    let database = Database::new();
    let (first, second) = two(&database);
    let made = first.create("shared", "value 0");
    assert_eq!(second.value("shared", "AWSCURRENT").unwrap().1, "value 0");
    let mut previous = made["VersionId"].as_str().unwrap().to_owned();
    for round in 1..=ROUNDS {
        let (writer, reader) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let (token, value) = (aws::token(), format!("value {round}"));
        writer.call(
            "PutSecretValue",
            json!({"SecretId": "shared", "SecretString": value, "ClientRequestToken": token}),
        );
        assert_eq!(reader.value("shared", "AWSCURRENT"), Some((token.clone(), value)), "round {round}");
        if round % 50 == 0 {
            assert_eq!(reader.value("shared", "AWSPREVIOUS").unwrap().0, previous, "round {round}");
        }
        previous = token;
    }
}

#[test]
fn what_is_done_on_one_host_is_so_on_the_other() {
    let database = Database::new();
    let (first, second) = two(&database);
    let token = aws::token();
    let make = json!({"Name": "a", "SecretString": "b", "ClientRequestToken": token});
    let made = first.call("CreateSecret", make.clone());
    assert_eq!(second.call("CreateSecret", make)["ARN"], made["ARN"], "the same request is the same secret");
    let taken = second.try_call(
        "CreateSecret",
        &json!({"Name": "a", "SecretString": "c", "ClientRequestToken": aws::token()}),
    );
    assert_eq!(taken.code(), "ResourceExistsException");
    second.call("TagResource", json!({"SecretId": "a", "Tags": [{"Key": "k", "Value": "v"}]}));
    assert_eq!(
        first.call("DescribeSecret", json!({"SecretId": "a"}))["Tags"],
        json!([{"Key": "k", "Value": "v"}])
    );
    first.call("DeleteSecret", json!({"SecretId": "a"}));
    assert_eq!(
        second.try_call("GetSecretValue", &json!({"SecretId": "a"})).code(),
        "InvalidRequestException"
    );
    second.call("RestoreSecret", json!({"SecretId": "a"}));
    assert_eq!(first.value("a", "AWSCURRENT").unwrap().1, "b");
    second.call("DeleteSecret", json!({"SecretId": "a", "ForceDeleteWithoutRecovery": true}));
    assert_eq!(first.value("a", "AWSCURRENT"), None);
    // Made anew, it is another secret, and what was remembered of the old one is not its.
    let anew = second.create("a", "anew");
    assert_ne!(anew["ARN"], made["ARN"]);
    assert_eq!(first.value("a", "AWSCURRENT").unwrap().1, "anew");
}

#[test]
fn a_rotation_is_finished_by_whoever_is_there() {
    let (database, postgres) = (Database::new(), Postgres::start());
    let (mut first, second) = two(&database);
    postgres.create_role("app", "first-password");
    let _ = first.create("db", &database_secret(postgres.port(), "app", "first-password"));
    for round in 0..6 {
        let (asked, other) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let before = asked.password("db", "AWSCURRENT");
        let token = asked.rotate("db", POSTGRES_ROTATOR);
        other.await_rotation("db", &token, SOON);
        assert_eq!(postgres.login("app", &other.password("db", "AWSCURRENT")), Login::Accepted);
        assert_eq!(postgres.login("app", &before), Login::Refused);
    }
    // Asked for, and killed at once: the other goes on with it, or it had ended.
    let token = first.rotate("db", POSTGRES_ROTATOR);
    first.kill9();
    second.await_rotation("db", &token, SOON);
    assert_eq!(postgres.login("app", &second.password("db", "AWSCURRENT")), Login::Accepted);
    first.resume();
    assert_eq!(first.value("db", "AWSCURRENT"), second.value("db", "AWSCURRENT"));
}

#[test]
fn a_host_with_another_root_key_is_refused_and_changes_nothing() {
    let database = Database::new();
    let first = Pawl::start(on(database.url(), None));
    let _ = first.create("kept", "value");
    let keyring = database.admin("SELECT md5(wrapped) FROM keyring");
    let stranger = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let mut other = Pawl::prepare(on(database.url(), stranger.root_key()));
    let why = other.try_resume().unwrap_err();
    assert!(why.contains("does not open"), "{why}");
    assert!(!why.contains(PASSWORD), "the store's password is in the log: {why}");
    // Nor does one without a key make itself one.
    let mut bare = Pawl::prepare(on(database.url(), None));
    let why = bare.try_resume().unwrap_err();
    assert!(why.contains("root key") && why.contains("not there"), "{why}");
    assert!(!bare.data_dir().join("root-key").exists(), "a new key was made over sealed values");
    assert_eq!(database.admin("SELECT md5(wrapped) FROM keyring"), keyring);
    assert_eq!(first.value("kept", "AWSCURRENT").unwrap().1, "value");
}

#[test]
fn hosts_that_start_at_the_same_moment_on_an_empty_database_are_one_installation() {
    let key = Pawl::start(Options { store: Store::Embedded, ..Options::default() }).root_key();
    for _ in 0..3 {
        let database = Database::new();
        let mut hosts: Vec<Pawl> = (0..3).map(|_| Pawl::prepare(on(database.url(), key.clone()))).collect();
        std::thread::scope(|scope| {
            for host in &mut hosts {
                scope.spawn(|| host.resume());
            }
        });
        assert_eq!(database.admin("SELECT count(*) FROM keyring"), "1");
        for (number, host) in hosts.iter().enumerate() {
            let _ = host.create(&format!("of-{number}"), "value");
            for other in &hosts {
                assert_eq!(other.value(&format!("of-{number}"), "AWSCURRENT").unwrap().1, "value");
            }
        }
    }
}

fn ready(pawl: &Pawl) -> Option<Answer> {
    let request = Request {
        method: "GET".to_owned(),
        path: "/readyz".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    request.header("host", &pawl.address().to_string()).try_send(pawl.address()).ok()
}

#[test]
fn readiness_follows_the_store() {
    let mut pair = Pair::start();
    let wires = pair.ports().map(Cut::start);
    let url = pair.url_through([wires[0].port(), wires[1].port()]);
    let pawl = Pawl::start(on(&url, None));
    let _ = pawl.create("kept", "value");
    let turns = |status: u16| {
        eventually(&format!("readiness is {status}"), SOON, || {
            ready(&pawl).filter(|answer| answer.status == status)
        })
    };
    turns(200);
    for how in [State::Closed, State::Silent] {
        for wire in &wires {
            wire.set(how);
        }
        let said = turns(503);
        assert!(!said.body.contains(PASSWORD), "{}", said.body);
        let read = pawl.try_call("GetSecretValue", &json!({"SecretId": "kept"}));
        assert_eq!((read.status, read.code().as_str()), (500, "InternalServiceError"), "{}", read.body);
        for wire in &wires {
            wire.set(State::Open);
        }
        turns(200);
        assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
    }
    pair.kill9_primary();
    turns(503);
    let _ = pair.promote();
    turns(200);
    assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
    assert!(!pawl.log().contains(PASSWORD), "the store's password is in the log");
}
