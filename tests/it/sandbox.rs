//! Guests that mean no good: each ends as a failed step with a clear reason, and the server goes on serving.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use pawl_tests::artifacts;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::Value;

use crate::database_secret;

/// A guest's limit of processor time or wall-clock time, with room for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

/// Rotates a secret by a guest that fails, and gives what the service tells of it.
fn rotate(pawl: &Pawl, postgres: &Postgres, guest: &str) -> Value {
    postgres.create_role(guest, "first-password");
    let _ = pawl.create(guest, &database_secret(postgres.port(), guest, "first-password"));
    let before = pawl.value(guest, "AWSCURRENT");
    let asked = Instant::now();
    let _ = pawl.rotate(guest, &arn(guest));
    let mut slowest = Duration::ZERO;
    let failed = eventually(&format!("{guest} is stopped"), LIMIT, || {
        // It goes on serving while the guest does its worst.
        let from = Instant::now();
        let rotation = pawl.rotation(guest);
        slowest = slowest.max(from.elapsed());
        (rotation["Status"] == "Failed").then_some(rotation)
    });
    assert!(slowest < Duration::from_secs(5), "{guest} held the server for {slowest:?}");
    println!("{guest}: stopped after {:?}: {}", asked.elapsed(), failed["Failure"]["Reason"]);
    assert_eq!(pawl.value(guest, "AWSCURRENT"), before, "{guest} touched AWSCURRENT");
    assert_eq!(postgres.login(guest, "first-password"), Login::Accepted, "{guest} touched the database");
    failed
}

fn reason(rotation: &Value) -> String {
    rotation["Failure"]["Reason"].as_str().unwrap_or_default().to_lowercase()
}

#[test]
fn bad_guests_are_stopped_and_the_server_goes_on() {
    let scratch = artifacts::functions();
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options { functions: Some(scratch.path().to_path_buf()), ..Options::default() });

    let loops = reason(&rotate(&pawl, &postgres, "guest-loops"));
    assert!(["time", "fuel", "processor"].iter().any(|word| loops.contains(word)), "{loops}");

    let hoards = reason(&rotate(&pawl, &postgres, "guest-hoards"));
    assert!(hoards.contains("memory"), "{hoards}");

    let panics = reason(&rotate(&pawl, &postgres, "guest-panics"));
    assert!(["panic", "trap", "unreachable"].iter().any(|word| panics.contains(word)), "{panics}");

    // It is to be stopped before it has a socket: nobody comes to this door.
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let _ =
        pawl.create("closed", &database_secret(door.local_addr().unwrap().port(), "app", "first-password"));
    let _ = pawl.rotate("closed", &arn("guest-trespasses"));
    let trespasses = eventually("guest-trespasses is stopped", LIMIT, || {
        let rotation = pawl.rotation("closed");
        (rotation["Status"] == "Failed").then_some(rotation)
    });
    assert!(reason(&trespasses).contains("grant"), "{trespasses}");
    assert!(reason(&trespasses).contains("127.0.0.1"), "it does not name the target: {trespasses}");
    assert!(door.accept().is_err(), "a connection was made without a grant");

    // The same server still does its work.
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), LIMIT);
    assert_eq!(postgres.login("app", &pawl.password("db", "AWSCURRENT")), Login::Accepted);
}

#[test]
fn a_guest_that_looks_at_everything_sees_no_password() {
    let scratch = artifacts::functions();
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options { functions: Some(scratch.path().to_path_buf()), ..Options::default() });
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    pawl.await_rotation("db", &pawl.rotate("db", &arn("guest-peeks")), LIMIT);
    let new = pawl.password("db", "AWSCURRENT");
    let told = pawl.rotation("db").to_string();
    assert!(told.contains("username = app") && told.contains("a handle without text"), "{told}");
    assert!(told.contains("login refused"), "{told}");
    assert!(!told.contains("first-password") && !told.contains(&new), "{told}");
    assert_eq!(postgres.login("app", &new), Login::Accepted);
}

#[test]
fn a_file_that_is_no_component_is_refused_by_its_name() {
    let scratch = Scratch::new("functions");
    std::fs::write(scratch.path().join("broken.wasm"), b"\0asm and then nothing of sense").unwrap();
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options { functions: Some(scratch.path().to_path_buf()), ..Options::default() });
    let failed = rotate(&pawl, &postgres, "broken");
    assert!(reason(&failed).contains("component"), "{failed}");
    assert!(pawl.data_dir().exists());
}
