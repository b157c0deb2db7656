//! Hostile rotators in a real `pawl serve`: whatever one tries, the server answers, other rotations go on, the password that
//! applications have still opens the database, and no password is anywhere that it should not be.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pawl_tests::artifacts;
use pawl_tests::aws;
use pawl_tests::http::Request;
use pawl_tests::needles::{Needles, holds};
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::process;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::canary::{files, passwords};
use crate::database_secret;

/// Room for a busy machine: nothing here is a measurement.
const LIMIT: Duration = Duration::from_secs(300);

/// Each attack, and what its end must speak of.
const ATTACKS: [(&str, &str); 25] = [
    // First, because it takes until the step's wall clock ends, beside all others.
    ("sleep", "did not end within"),
    ("loop", "fuel|processor time"),
    ("panic", "panicked"),
    ("exit", "exited"),
    ("memory", "memory"),
    ("recursion", "stack|out of bounds|unreachable"),
    ("call-flood", "10000 times"),
    ("log-flood", "10000 times|processor time|fuel"),
    ("byte-flood", "32 MiB"),
    ("log-giant", "1 MiB"),
    ("stderr-flood", "fuel|processor time"),
    ("list-giant", "1 MiB|memory"),
    ("handle-leak", "handles"),
    ("read", "\"password\" = None"),
    ("move-to-readable", "note refused"),
    ("plant", "refused"),
    ("weak-rules", "entropy"),
    ("reuse", "must come from random-password"),
    ("old-version", "must come from random-password"),
    ("redirect", "host: refused"),
    ("other-secret", "refused"),
    ("granted-secret", "is made of a version of its own secret"),
    ("other-account", "nor its alternate"),
    ("login", "egress"),
    ("host", "Err("),
];
/// What an attack needs besides the grants that all have.
const MORE_GRANTS: [(&str, &str); 2] = [
    (
        "redirect",
        "pending-fields = [\"username\", \"password\", \"host\", \"port\", \"ssl\", \"engine\"]\ntargets = [\"127.0.0.1:*\"]\n",
    ),
    ("granted-secret", "secrets = [\"another\"]\n"),
];
/// The metadata service as a number, which the name service reads as an address.
const METADATA: &str = "2852039166";

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

/// One component under a name for each attack.
fn functions(door: u16) -> Scratch {
    let scratch = Scratch::new("attacks");
    let guest = artifacts::guest("guest-attacks");
    for (attack, _) in ATTACKS {
        std::fs::copy(&guest, scratch.path().join(format!("{attack}.wasm"))).unwrap();
        let more = MORE_GRANTS.iter().find(|(name, _)| *name == attack).map_or("", |(_, more)| more);
        let manifest = format!(
            "[environment]\nATTACK = \"{attack}\"\nEVIL_PORT = \"{door}\"\n[grants]\nengines = [\"postgres\"]\nown-target = true\n{more}"
        );
        std::fs::write(scratch.path().join(format!("{attack}.toml")), manifest).unwrap();
    }
    scratch
}

/// A rotation's end, as soon as it has failed.
fn failed(pawl: &Pawl, name: &str) -> Value {
    eventually(&format!("`{name}` is stopped"), LIMIT, || {
        let rotation = pawl.rotation(name);
        (rotation["Status"] == "Failed").then_some(rotation)
    })
}

/// Rotates a secret of its own by the built-in rotator until told to stop, and counts.
fn keep_rotating(pawl: &Pawl, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Ordering::SeqCst) {
        pawl.await_rotation("bystander", &pawl.rotate("bystander", POSTGRES_ROTATOR), LIMIT);
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// One attack, and that nobody else has suffered from it.
fn attack(pawl: &Pawl, postgres: &Postgres, (name, because): (&str, &str), done: &AtomicUsize) -> String {
    let before = pawl.value(name, "AWSCURRENT").unwrap();
    let (asked, rotated) = (Instant::now(), done.load(Ordering::SeqCst));
    let _ = pawl.rotate(name, &arn(name));
    let rotation = failed(pawl, name);
    println!("    {name}: over after {:?}", asked.elapsed());
    let reason = rotation["Failure"]["Reason"].as_str().unwrap_or_default().to_owned();
    assert!(because.split('|').any(|part| reason.contains(part)), "{name}: {rotation}");
    assert!(!reason.contains("it was allowed") && !reason.contains("took it"), "{name}: {reason}");
    assert_eq!(pawl.value(name, "AWSCURRENT").unwrap(), before, "{name} changed AWSCURRENT");
    if name != "login" {
        let password = pawl.password(name, "AWSCURRENT");
        assert_eq!(postgres.login(name, &password), Login::Accepted, "{name} has locked applications out");
    }
    assert_eq!(pawl.value("another", "AWSCURRENT").unwrap().1, "{\"password\": \"canary-another\"}");
    eventually("other rotations go on", LIMIT, || (done.load(Ordering::SeqCst) > rotated).then_some(()));
    rotation.to_string()
}

#[test]
fn whatever_a_rotator_tries_the_server_goes_on_and_tells_no_password() {
    // Where a password goes that its rotator points elsewhere: nobody comes to this door.
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let functions = functions(door.local_addr().unwrap().port());
    let postgres = Postgres::start();
    let mut pawl = Pawl::start(Options {
        functions: Some(functions.path().to_path_buf()),
        trace: true,
        ..Options::default()
    });
    let mut hidden = vec!["canary-another".to_owned()];
    let _ = pawl.create("another", "{\"password\": \"canary-another\"}");
    postgres.create_role("bystander", "first-password");
    let _ = pawl.create("bystander", &database_secret(postgres.port(), "bystander", "first-password"));
    for (name, _) in ATTACKS {
        let first = format!("canary-{name}-{}", aws::token());
        postgres.create_role(name, &first);
        let mut value: Value = serde_json::from_str(&database_secret(postgres.port(), name, &first)).unwrap();
        if name == "login" {
            value["host"] = json!(METADATA);
        }
        let _ = pawl.create(name, &value.to_string());
        hidden.push(first);
    }
    // What was before the present password, for those that would bring it back.
    pawl.await_rotation("old-version", &pawl.rotate("old-version", POSTGRES_ROTATOR), LIMIT);

    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        // However a test of an attack ends, the bystander's rotations end with it.
        let _stop = Stop(&stop);
        scope.spawn(|| keep_rotating(&pawl, &stop, &done));
        let (sleeper, others) = ATTACKS.split_first().unwrap();
        let _ = pawl.rotate(sleeper.0, &arn(sleeper.0));
        for one in others {
            told.push(attack(&pawl, &postgres, *one, &done));
            look_into_workers(&pawl, &hidden);
        }
        let slept = failed(&pawl, sleeper.0);
        assert!(slept["Failure"]["Reason"].as_str().unwrap().contains(sleeper.1), "{slept}");
        told.push(slept.to_string());
    });
    assert!(door.accept().is_err(), "a connection was made to the guest's own server");
    assert!(done.load(Ordering::SeqCst) >= ATTACKS.len() - 1);

    for (name, _) in ATTACKS.iter().chain([&("bystander", "")]) {
        passwords(&pawl, name, &mut hidden);
    }
    look_into_workers(&pawl, &hidden);
    let headers = vec![("host".to_owned(), pawl.address().to_string())];
    let request =
        Request { method: "GET".to_owned(), path: "/metrics".to_owned(), headers, body: Vec::new() };
    let metrics = request.send(pawl.address()).body;
    assert!(metrics.contains("pawl_"), "{metrics}");
    told.push(metrics);
    nothing_is_left(&mut pawl, &postgres, told, &hidden);
}

/// Tells others to stop when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The memory of every worker that is there now.
fn look_into_workers(pawl: &Pawl, hidden: &[String]) {
    let needles = Needles::of(hidden);
    for worker in pawl.children() {
        for (region, bytes) in process::memory(worker) {
            if let Some((text, form)) = needles.first_in(&bytes) {
                panic!("`{text}` is in a worker's memory as {}: {region}", String::from_utf8_lossy(form));
            }
        }
    }
}

/// Histories, metrics, logs, the store's files and those of a crash.
fn nothing_is_left(pawl: &mut Pawl, postgres: &Postgres, told: Vec<String>, hidden: &[String]) {
    let mut places = Vec::new();
    files(pawl.data_dir(), &mut places);
    for worker in pawl.children() {
        process::signal("SEGV", &[worker]);
    }
    assert_eq!(pawl.terminate(), Some(0));
    files(pawl.data_dir(), &mut places);
    for (name, _) in &places {
        assert!(!name.rsplit('/').next().unwrap().starts_with("core"), "a core file: {name}");
    }
    let log = pawl.log();
    assert!(holds(log.as_bytes(), b"DEBUG"), "the log is a log of everything");
    places.push(("pawl's log".to_owned(), log.into_bytes()));
    places.push(("pawl's output".to_owned(), pawl.printed().into_bytes()));
    places.push(("PostgreSQL's log".to_owned(), postgres.log().into_bytes()));
    places.extend(told.into_iter().map(|text| ("an answer".to_owned(), text.into_bytes())));
    let needles = Needles::of(hidden);
    for (name, bytes) in &places {
        if let Some((text, form)) = needles.first_in(bytes) {
            panic!("`{text}` is in {name} as {}", String::from_utf8_lossy(form));
        }
    }
}
