//! Every way in which two hosts, one secret, one database and the people around them can get into each other's ways.
//!
//! The secret and its rotation are the product's own, changed by its own functions. What drives them is modelled move by move as the
//! host's runner, its capabilities and the built-in rotators do it: the store's compare-and-swap and leases (one stored change is
//! one move), the database and its transactions, processes that die, sleep and wake. Disturbances are bounded in number; within
//! that bound, every order of everything is visited, and a judge who knows all looks at each state. Not with `stateright`: what is
//! asked here is that hosts left in peace come to a good end from *every* state, which needs the graph of the hosts' own moves;
//! its `eventually` properties are sound for trees only.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod judge;
mod ledger;
mod moves;
mod mutants;
mod search;
mod value;
mod world;

use self::judge::Violation;
use self::moves::Setting;
use self::mutants::Mutant;
use self::search::{Explored, explore};
use self::world::{Broken, Budget};

const DISTURBED: Budget = Budget { crashes: 2, expiries: 2, deeds: 2, faults: 2, all: 3 };

fn told(what: &str, explored: &Explored) {
    let Explored { states, transitions, secrets, rests, depth, .. } = explored;
    println!(
        "{what}: {states} states, {transitions} transitions, {secrets} stored secrets, {rests} rests, {depth} moves deep"
    );
}

fn holds(alternating: bool) {
    let explored = explore(Setting { alternating, mutant: None }, DISTURBED);
    told(if alternating { "alternating users" } else { "single user" }, &explored);
    if let Some((violation, way)) = explored.found {
        panic!("{violation:?}, by this way:\n{way}");
    }
}

#[test]
fn a_single_user_is_never_locked_out() {
    holds(false);
}

#[test]
fn alternating_users_are_never_locked_out() {
    holds(true);
}

/// A machine with this fault is found out, in this way.
fn caught(mutant: Mutant, alternating: bool, budget: Budget) -> Violation {
    let explored = explore(Setting { alternating, mutant: Some(mutant) }, budget);
    told(&format!("{mutant:?}"), &explored);
    let (violation, way) = explored.found.unwrap_or_else(|| panic!("{mutant:?} was not found out"));
    println!("{violation:?}, by this way:\n{way}");
    violation
}

/// What it takes: so much of each.
const fn just(crashes: u8, expiries: u8, deeds: u8, faults: u8) -> Budget {
    Budget { crashes, expiries, deeds, faults, all: crashes + expiries + deeds + faults }
}

#[test]
fn a_host_that_skips_the_fence_is_found_out() {
    let violation = caught(Mutant::SkipFence, false, just(0, 1, 1, 0));
    assert_eq!(violation, Violation::Rule(Broken::LatePassword));
    assert_eq!(caught(Mutant::SkipFence, true, just(0, 1, 2, 0)), Violation::Rule(Broken::LatePassword));
}

#[test]
fn a_promotion_before_the_test_is_found_out() {
    assert_eq!(caught(Mutant::PromoteBeforeTest, false, just(0, 0, 0, 0)), Violation::Rule(Broken::Untested));
}

#[test]
fn a_second_password_is_found_out() {
    assert_eq!(
        caught(Mutant::RegenerateOnRetry, false, just(1, 0, 0, 0)),
        Violation::Rule(Broken::SecondPassword)
    );
}

#[test]
fn an_exposure_noted_too_late_is_found_out() {
    assert_eq!(caught(Mutant::ExposeAfter, false, just(1, 0, 0, 0)), Violation::GivenUpForNothing);
}

#[test]
fn a_cancellation_in_the_middle_is_found_out() {
    assert_eq!(caught(Mutant::CancelEnds, false, just(0, 0, 1, 0)), Violation::CurrentDead);
}

#[test]
fn a_password_that_was_forgotten_is_found_out() {
    assert_eq!(caught(Mutant::ForgetAdrift, false, just(0, 0, 3, 0)), Violation::LockedOut);
}

#[test]
fn a_statement_without_a_transaction_is_found_out() {
    assert_eq!(caught(Mutant::LateEffect, false, just(0, 1, 1, 0)), Violation::Rule(Broken::LatePassword));
}
