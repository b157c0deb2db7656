//! GetSecretValue with the audit log on against the same with it off, by turns in one run.

use std::sync::Arc;

use pawl_tests::pawl::{Options, Pawl};
use serde_json::json;

use crate::{Row, load, median, read};

const CONNECTIONS: usize = 64;
const REQUESTS: usize = 60_000;
const WARM_UP: usize = 6_000;
const ROUNDS: usize = 5;

/// A host, and what was measured of it.
struct Side {
    pawl: Pawl,
    names: Vec<String>,
    per_second: Vec<f64>,
    p50: Vec<f64>,
}

impl Side {
    fn start(options: Options) -> Self {
        let pawl = Pawl::start(options);
        let names = read::fill(&pawl);
        Self { pawl, names, per_second: Vec::new(), p50: Vec::new() }
    }

    fn read(&self, count: usize) -> load::Throughput {
        let signed =
            |name: &String| self.pawl.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
        let requests = Arc::new(self.names.iter().map(signed).collect::<Vec<_>>());
        load::over(CONNECTIONS, self.pawl.address(), &requests, count)
    }

    fn measure(&mut self) {
        let read = self.read(REQUESTS);
        self.per_second.push(read.per_second);
        self.p50.push(read.p50.as_secs_f64() * 1e6);
    }

    fn shown(&self) -> (f64, String) {
        let (per_second, p50) = (median(self.per_second.clone()), median(self.p50.clone()));
        (per_second, format!("{:.1} k/s (p50 {p50:.0} us)", per_second / 1e3))
    }
}

pub(crate) fn run() -> Vec<Row> {
    let off = Options { environment: vec![("PAWL_AUDIT", "off".to_owned())], ..Options::default() };
    let (mut on, mut off) = (Side::start(Options::default()), Side::start(off));
    let _ = (on.read(WARM_UP), off.read(WARM_UP));
    for _ in 0..ROUNDS {
        on.measure();
        off.measure();
    }
    let ((per_second_on, on), (per_second_off, off)) = (on.shown(), off.shown());
    vec![
        Row::new(format!("GetSecretValue, audit on, {CONNECTIONS} connections"), on, ""),
        Row::new("the same, audit off", off, ""),
        Row::new(
            "audit on / audit off",
            format!("{:.0} %", 100.0 * per_second_on / per_second_off),
            ">= 80 %",
        ),
    ]
}
