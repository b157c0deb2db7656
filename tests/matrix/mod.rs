//! The crash matrix: one rotation after the other on real servers, something that goes wrong in the middle of each, and a judge.
//!
//! No login that the store knows may be dead at any moment, one rotation makes one password, and it ends well by itself.

mod arguments;
pub(crate) mod board;
mod command;
mod draw;
pub(crate) mod engine;
mod errand;
mod fault;
pub(crate) mod ground;
mod host;
pub(crate) mod judge;
mod lanes;
mod run;
mod table;
pub(crate) mod wire;

use std::time::Instant;

use self::arguments::Arguments;
pub(crate) use self::command::{USAGE, parse};
use self::run::Outcome;
use self::table::Table;

/// Runs what is asked for and prints what came of it; whether all went well.
pub(crate) fn matrix(arguments: &Arguments) -> bool {
    let began = Instant::now();
    let cases = lanes::cases(arguments);
    println!("crash matrix: {} runs from seed {}, {} at a time", cases.len(), arguments.seed, arguments.jobs);
    let outcomes = lanes::run_all(&cases, arguments.jobs, |outcome| tell(outcome, arguments.verbose));
    let table = Table::of(&outcomes);
    println!("\n{}", if arguments.markdown { table.markdown() } else { table.text() });
    let went_wrong = outcomes.iter().filter(|outcome| !outcome.violations.is_empty()).count();
    println!(
        "{} runs from seed {} in {:.0} s, {:.2} s of processor time each; {went_wrong} went wrong",
        outcomes.len(),
        arguments.seed,
        began.elapsed().as_secs_f64(),
        processor_seconds() / outcomes.len().max(1) as f64
    );
    for outcome in outcomes.iter().filter(|outcome| !outcome.violations.is_empty()) {
        println!("again: {}", outcome.case.replay());
    }
    went_wrong == 0 && outcomes.len() == cases.len()
}

/// Processor time that this process and those that it has started, and seen end, have taken.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name stands before, in parentheses, and may have blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace();
    fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Says what went wrong in a run.
fn tell(outcome: &Outcome, verbose: bool) {
    if outcome.violations.is_empty() && !verbose {
        return;
    }
    let case = &outcome.case;
    println!(
        "seed {}: {} {} {}, {} struck, resumed after {:?}",
        case.seed,
        case.engine.name(),
        case.strategy.name(),
        case.fault.name(),
        outcome.struck,
        outcome.resumed
    );
    for violation in &outcome.violations {
        println!("  {}: {}", violation.name().to_uppercase(), violation.text());
    }
    print!("{}", outcome.story);
}
