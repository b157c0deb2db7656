//! What a rotation costs beside the database: worker, wasm, state machine, durable commits, against a stub that answers at
//! once.

use std::time::{Duration, Instant};

use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use serde_json::{Value, json};

use crate::rotation::login;
use crate::{Row, median, stub};

const ROTATIONS: usize = 100;
const WARM_UP: usize = 5;
/// Secrets that take turns: one that rotates a hundred times within seconds keeps the versions of the last day, and what it costs is
/// to write all of them down.
const SECRETS: usize = 20;
/// Values that are stored before anything is measured: then the store's log has come round, as it has in a host's first day, and is
/// written in place.
const STORED_BEFORE: usize = 400;
const LIMIT: Duration = Duration::from_secs(60);

/// From the request to the end of a rotation by the server's own clock, in milliseconds.
pub(crate) fn rotate(pawl: &Pawl, name: &str) -> f64 {
    let token = pawl.rotate(name, POSTGRES_ROTATOR);
    pawl.await_rotation(name, &token, LIMIT);
    let rotation = pawl.rotation(name);
    let date = |field: &str| rotation.get(field).and_then(Value::as_f64).expect("a date");
    (date("FinishedDate") - date("RequestedDate")) * 1e3
}

/// A secret for a database on `port`.
pub(crate) fn secret(pawl: &Pawl, name: &str, port: u16, password: &str) {
    let value = json!({"engine": "postgres", "host": "127.0.0.1", "port": port, "username": name,
                       "password": password, "dbname": "postgres", "ssl": false});
    let _ = pawl.create(name, &value.to_string());
}

/// What the rotator has the host do at the database, by native Rust: a login, a password change whose verifier is computed, and a
/// login with the new password. In milliseconds.
async fn native(port: u16) -> f64 {
    let from = Instant::now();
    let session = login(port, "stubbed", "old").await.unwrap();
    let verifier = postgres_protocol::password::scram_sha_256(b"a-password-of-32-characters-0000");
    session.batch_execute(&format!("ALTER ROLE \"stubbed\" PASSWORD '{verifier}'")).await.unwrap();
    drop(session);
    login(port, "stubbed", "new").await.unwrap().batch_execute("").await.unwrap();
    from.elapsed().as_secs_f64() * 1e3
}

/// Rotations of secrets of these names by turns, and beside each what native Rust needs.
fn by_turns(pawl: &Pawl, port: u16, names: &[String]) -> (Vec<f64>, Vec<f64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _ = runtime.block_on(native(port));
    let turn = |name: &String| (rotate(pawl, name), runtime.block_on(native(port)));
    names.iter().cycle().take(ROTATIONS).map(turn).unzip()
}

pub(crate) fn run() -> Vec<Row> {
    let port = stub::start();
    let pawl = Pawl::start(Options::default());
    let names: Vec<String> = (0..SECRETS).map(|number| format!("stubbed-{number}")).collect();
    for name in &names {
        secret(&pawl, name, port, "password");
    }
    for number in 0..STORED_BEFORE {
        let _ = pawl.create(&format!("before-{number}"), &"x".repeat(1_000));
    }
    for name in names.iter().take(WARM_UP) {
        let _ = rotate(&pawl, name);
    }
    let (times, natives) = by_turns(&pawl, port, &names);
    let (again, _) = by_turns(&pawl, port, names.get(..1).unwrap());
    // The dates have whole milliseconds: over many rotations the mean is finer than the median.
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let (median, native, again) = (median(times), median(natives), median(again));
    let n = format!("n = {ROTATIONS}");
    vec![
        Row::new(
            format!(
                "a rotation whose database answers at once, from the request to its end, {SECRETS} secrets by turns, {n}"
            ),
            format!("p50 {median:.0} ms, mean {mean:.1} ms"),
            "",
        ),
        Row::new(
            format!("what it does at the database, by native Rust at the same one, {n}"),
            format!("p50 {native:.1} ms"),
            "",
        ),
        Row::new(
            "platform overhead of a rotation: the difference",
            format!("p50 {:.1} ms, mean {:.1} ms", median - native, mean - native),
            "<= 5 ms p50",
        ),
        Row::new(
            format!("the same of one secret, again and again, {n}"),
            format!("p50 {:.1} ms", again - native),
            "",
        ),
    ]
}
