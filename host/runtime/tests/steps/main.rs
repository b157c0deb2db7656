//! Steps of real components in real worker processes, against a secret and a database that live in this process.
//!
//! This program is its own `pawl`: run as `PROGRAM worker` or `PROGRAM compile` it does what those subcommands do.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod attacks;
mod connections;
// Of what `escape` confines as the product does.
#[path = "../../src/courtesy.rs"]
mod courtesy;
mod escape;
mod hostile;
mod pace;
mod reads;
mod residue;
mod sandbox;
mod stage;
mod steps;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("worker") => return pawl_runtime::worker_main(),
        Some("compile") => return pawl_runtime::compile_main(),
        Some("escaped") => {
            return match arguments.get(1) {
                Some(how) if how.ends_with("descriptor") => escape::descriptor(how),
                _ => escape::attempt(),
            };
        }
        Some(mode) if mode.starts_with("hostile-") => return hostile::worker(mode),
        _ => {}
    }
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let all: Vec<Test> = [
        steps::TESTS,
        sandbox::TESTS,
        hostile::TESTS,
        escape::TESTS,
        attacks::TESTS,
        connections::TESTS,
        reads::TESTS,
        pace::TESTS,
        residue::TESTS,
    ]
    .concat();
    let chosen: Vec<_> = all
        .iter()
        .filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())))
        .collect();

    println!("\nrunning {} tests", chosen.len());
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(*name);
        }
    }
    let passed = chosen.len() - failed.len();
    println!("\ntest result: {passed} passed; {} failed {failed:?}\n", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
