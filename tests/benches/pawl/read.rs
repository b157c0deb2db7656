//! GetSecretValue, signed and decrypted, against the floor.

use std::sync::Arc;

use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use serde_json::json;

use crate::floor::Floor;
use crate::{Row, load, median};

const SECRETS: usize = 1_000;
const REQUESTS: usize = 60_000;
const WARM_UP: usize = 6_000;
const ROUNDS: usize = 5;

/// A value of the size that database secrets have.
fn value(number: usize) -> String {
    json!({"engine": "postgres", "host": "db.internal", "port": 5432, "username": format!("app{number}"),
           "password": format!("a-password-of-32-characters-{number:04}"), "dbname": "app"})
    .to_string()
}

/// Makes the secrets that the benches work on.
pub(crate) fn fill(pawl: &Pawl) -> Vec<String> {
    let names: Vec<String> = (0..SECRETS).map(|number| format!("bench/secret-{number:04}")).collect();
    for (number, name) in names.iter().enumerate() {
        let _ = pawl.create(name, &value(number));
    }
    names
}

pub(crate) fn run() -> Vec<Row> {
    let pawl = Pawl::start(Options::default());
    let scratch = Scratch::new("floor");
    let names = fill(&pawl);
    let signed = |name: &String| pawl.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
    let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": names.first()})).body;
    let floor = Floor::start(scratch.path(), &answer);

    let (mut floors, mut reads, mut p50s, mut p99s) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Signed anew for each round: a signature lives for five minutes.
    let requests = Arc::new(names.iter().map(signed).collect::<Vec<_>>());
    let _ = load::run(floor.address, &requests, WARM_UP);
    let _ = load::run(pawl.address(), &requests, WARM_UP);
    for _ in 0..ROUNDS {
        let requests = Arc::new(names.iter().map(signed).collect::<Vec<_>>());
        floors.push(load::run(floor.address, &requests, REQUESTS).per_second);
        let read = load::run(pawl.address(), &requests, REQUESTS);
        reads.push(read.per_second);
        p50s.push(read.p50.as_secs_f64() * 1e6);
        p99s.push(read.p99.as_secs_f64() * 1e6);
    }
    let (floor, read) = (median(floors), median(reads));
    vec![
        Row::new(
            format!("floor: bare axum POST, {} connections", load::CONNECTIONS),
            format!("{:.1} k/s", floor / 1e3),
            "",
        ),
        Row::new(
            format!("GetSecretValue, {SECRETS} secrets, SigV4, policy, decryption"),
            format!("{:.1} k/s (p50 {:.0} us, p99 {:.0} us)", read / 1e3, median(p50s), median(p99s)),
            "",
        ),
        Row::new("GetSecretValue / floor", format!("{:.0} %", 100.0 * read / floor), ">= 50 %"),
    ]
}
