//! What an instance costs in a worker, and a component until it is admitted, with nothing else in between.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use pawl_tests::artifacts;

use crate::{Row, median};

const INSTANCES: usize = 5_000;
const ADMISSIONS: usize = 15;

/// Runs `pawl ARGUMENTS` with `input`, and gives what it prints.
fn run(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(artifacts::pawl())
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "pawl {arguments:?}: {}", output.status);
    output.stdout
}

fn at(times: &[f64], share: usize) -> f64 {
    times.get(times.len() * share / 100).copied().unwrap()
}

pub(crate) fn run_bench() -> Vec<Row> {
    let rotator = pawl_rotators::Builtin::named("pawl-postgres-single-user").unwrap().bytes;
    let printed = run(&["worker", "gauge", &INSTANCES.to_string()], rotator);
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for line in String::from_utf8(printed).unwrap().lines() {
        for (column, nanos) in columns.iter_mut().zip(line.split_whitespace()) {
            column.push(nanos.parse::<f64>().unwrap() / 1e3);
        }
    }
    for column in &mut columns {
        column.sort_by(f64::total_cmp);
        assert_eq!(column.len(), INSTANCES);
    }
    let [bare, started, step] = columns;
    let row = |what: &str, times: &[f64], hold| {
        let (p50, p99, floor) = (at(times, 50), at(times, 99), at(&bare, 50));
        let figure = format!("p50 {p50:.1} us, p99 {p99:.1} us ({:.1} x the floor)", p50 / floor);
        Row::new(format!("{what}, n = {INSTANCES}"), figure, hold)
    };
    let admission = || {
        let from = Instant::now();
        let _ = run(&["compile"], rotator);
        from.elapsed().as_secs_f64() * 1e3
    };
    let admitted = median((0..ADMISSIONS).map(|_| admission()).collect());
    vec![
        row("floor: a bare Wasmtime store and an instance of an empty component", &bare, ""),
        row("store and instance of the PostgreSQL rotator, in a confined worker", &started, "p50 <= 50 us"),
        row("the same with finishSecret, its one call of the host answered at once", &step, ""),
        Row::new(
            format!(
                "admission of the PostgreSQL rotator ({} kB): process, checks, compilation, n = {ADMISSIONS}",
                rotator.len() / 1_000
            ),
            format!("p50 {admitted:.0} ms"),
            "<= 2 s",
        ),
    ]
}
