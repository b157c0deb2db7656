//! `cargo xtask`: everything that is done to this repository, by one command each.

mod bench;
mod compat;
mod crash_matrix;
mod demo;
mod fuzz;
mod guests;
mod machine;
mod metadata;
mod stage;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo     builds Pawl, rotates a real PostgreSQL password with it, and shows what happened
  test     installs what is missing and runs every check there is; what CI runs
  crash-matrix
           rotates with something going wrong in the middle, many times: [--runs N] [--seed S] [--engine E]
           [--strategy S] [--fault F] [--jobs J] [--turns N] [--markdown] [--verbose]
  bench    measures, and prints a table for docs/measurements.md
  fuzz     looks for inputs that a parser cannot bear: [--seconds N] [TARGET]
  guests   builds every WebAssembly guest and prints its digest
  compat   writes docs/aws-compat.md from the table of AWS's model
  tidy     checks the house rules that no compiler knows
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let done = match command.as_deref() {
        Some("demo") if rest.is_empty() => demo::run(),
        Some("test") if rest.is_empty() => test::run(),
        Some("crash-matrix") => crash_matrix::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("fuzz") => fuzz::run(&rest),
        Some("guests") if rest.is_empty() => guests::run(),
        Some("compat") if rest.is_empty() => compat::run(),
        Some("tidy") if rest.is_empty() => tidy::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
