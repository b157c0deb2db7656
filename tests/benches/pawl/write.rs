//! PutSecretValue, each durable before it is acknowledged, against what SQLite alone makes durable in the same run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use rusqlite::Connection;
use serde_json::json;

use crate::load::{self, Throughput};
use crate::{Row, median, read};

const ROUNDS: usize = 3;
const CONNECTIONS: [usize; 2] = [1, 64];
/// For each of the above.
const REQUESTS: [usize; 2] = [1_000, 20_000];
/// Rows of the floor that share a transaction: as many as clients who wait at once.
const TOGETHER: usize = 64;
const TRANSACTIONS: usize = 100;
/// About what a secret of two versions comes to.
const ROW_BYTES: usize = 2_048;

pub(crate) fn run() -> Vec<Row> {
    let pawl = Pawl::start(Options::default());
    let names = read::fill(&pawl);
    let scratch = Scratch::new("write-floor");
    let floor = Floor::new(&scratch.path().join("floor.db"));
    let mut floors = Vec::new();
    let mut puts = CONNECTIONS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor.rows_per_second());
        for ((connections, count), puts) in CONNECTIONS.into_iter().zip(REQUESTS).zip(&mut puts) {
            puts.push(Puts::of(&pawl, &names, connections, count));
        }
    }
    let floor = median(floors);
    let name = format!("floor: SQLite alone, rows of {ROW_BYTES} bytes, {TOGETHER} in a durable transaction");
    let mut rows = vec![Row::new(name, format!("{floor:.0} /s"), "")];
    for (connections, puts) in CONNECTIONS.into_iter().zip(&puts) {
        let middle = |of: fn(&Puts) -> f64| median(puts.iter().map(of).collect());
        let rate = middle(|puts| puts.throughput.per_second);
        let figure = format!(
            "{rate:.0} /s, {:.0} % of the floor (p50 {:.1} ms, p99 {:.1} ms; processor {:.0} us)",
            100.0 * rate / floor,
            middle(|puts| puts.throughput.p50.as_secs_f64() * 1e3),
            middle(|puts| puts.throughput.p99.as_secs_f64() * 1e3),
            middle(|puts| puts.processor.as_secs_f64() * 1e6),
        );
        let hold = if connections == TOGETHER { ">= 10000 /s" } else { "" };
        rows.push(Row::new(format!("PutSecretValue, durable, {connections} connections"), figure, hold));
    }
    rows
}

struct Puts {
    throughput: Throughput,
    /// The server's, of each.
    processor: Duration,
}

impl Puts {
    fn of(pawl: &Pawl, names: &[String], connections: usize, count: usize) -> Self {
        let put = |name: &String| {
            let body = json!({"SecretId": name, "SecretString": "another value",
                              "ClientRequestToken": aws::token()});
            pawl.signed("PutSecretValue", &body).bytes(true)
        };
        let requests = Arc::new(names.iter().cycle().take(count).map(put).collect());
        let before = pawl.processor_time();
        let throughput = load::over(connections, pawl.address(), &requests, count);
        let processor = (pawl.processor_time() - before) / u32::try_from(count).unwrap();
        Self { throughput, processor }
    }
}

/// A table without an index, as durable as the product's.
struct Floor(Connection);

impl Floor {
    fn new(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        let settings = "PRAGMA journal_mode = wal; PRAGMA synchronous = full; CREATE TABLE rows (value BLOB)";
        connection.execute_batch(settings).unwrap();
        Self(connection)
    }

    fn rows_per_second(&self) -> f64 {
        let value = vec![7_u8; ROW_BYTES];
        let mut insert = self.0.prepare("INSERT INTO rows VALUES (?1)").unwrap();
        let from = Instant::now();
        for _ in 0..TRANSACTIONS {
            let transaction = self.0.unchecked_transaction().unwrap();
            for _ in 0..TOGETHER {
                let _row = insert.execute([&value]).unwrap();
            }
            transaction.commit().unwrap();
        }
        (TRANSACTIONS * TOGETHER) as f64 / from.elapsed().as_secs_f64()
    }
}
