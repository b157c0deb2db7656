//! The crash matrix: one rotation after the other on real servers, something that goes wrong in the middle of each, and a judge.
//!
//! No login that the store knows may be dead at any moment, one rotation makes one password, and it ends well by itself.

mod arguments;
mod board;
mod draw;
mod engine;
mod errand;
mod fault;
mod ground;
mod host;
mod judge;
mod lanes;
mod run;
mod table;
mod wire;

use std::time::Instant;

pub(crate) use self::arguments::{Arguments, USAGE};
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
        "{} runs from seed {} in {:.0} s; {went_wrong} went wrong",
        outcomes.len(),
        arguments.seed,
        began.elapsed().as_secs_f64()
    );
    for outcome in outcomes.iter().filter(|outcome| !outcome.violations.is_empty()) {
        println!("again: {}", outcome.case.replay());
    }
    went_wrong == 0 && outcomes.len() == cases.len()
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
