//! From the start of the process to "listening", and what it holds in memory with nothing to do.

use pawl_tests::pawl::{Options, Pawl};

use crate::{Row, median};

const STARTS: usize = 7;

pub(crate) fn run() -> Vec<Row> {
    let mut pawl = Pawl::start(Options::default());
    let first = pawl.started_in().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        pawl.kill9();
        pawl.resume();
        times.push(pawl.started_in().as_secs_f64() * 1e3);
    }
    let own = pawl.resident_bytes() as f64 / 1e6;
    vec![
        Row::new("start to listening, existing data", format!("{:.0} ms", median(times)), "<= 300 ms"),
        Row::new("start to listening, first start", format!("{first:.0} ms"), ""),
        Row::new("idle memory, all processes", format!("{own:.0} MB"), "<= 60 MB"),
    ]
}
