//! What a rotation costs beside the database: worker, wasm, state machine, durable commits, against a stub that answers at
//! once.

use std::time::Duration;

use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use serde_json::{Value, json};

use crate::{Row, median, stub};

const ROTATIONS: usize = 100;
const WARM_UP: usize = 5;
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

pub(crate) fn run() -> Vec<Row> {
    let port = stub::start();
    let pawl = Pawl::start(Options::default());
    secret(&pawl, "stubbed", port, "password");
    for _ in 0..WARM_UP {
        let _ = rotate(&pawl, "stubbed");
    }
    let times: Vec<f64> = (0..ROTATIONS).map(|_| rotate(&pawl, "stubbed")).collect();
    // The dates have whole milliseconds: over many rotations the mean is finer than the median.
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    vec![Row::new(
        format!("platform overhead of a rotation, stub database, n = {ROTATIONS}"),
        format!("p50 {:.0} ms, mean {mean:.1} ms", median(times)),
        "<= 5 ms p50",
    )]
}
