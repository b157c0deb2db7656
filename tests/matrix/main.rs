//! `cargo xtask crash-matrix`, as Cargo runs it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness: whatever fails here fails a run, with its reason"
)]

#[path = "mod.rs"]
mod matrix;

use std::process::ExitCode;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match matrix::parse(&given, pawl_tests::aws::now()) {
        Ok(arguments) if matrix::matrix(&arguments) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}\n{}", matrix::USAGE);
            ExitCode::from(2)
        }
    }
}
