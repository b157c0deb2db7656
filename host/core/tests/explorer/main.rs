//! Every way in which two hosts, one secret, one database and the people around them can get into each other's ways.
//!
//! The secret and its rotation are the product's own, changed by its own functions. What drives them is modelled move by move as the
//! host's runner, its capabilities and the built-in rotators do it: the store's compare-and-swap and leases (one stored change is
//! one move), the database and its transactions, processes that die, sleep and wake. Disturbances are bounded in number; within
//! that bound, every order of everything is visited, and a judge who knows all looks at each state. Not with `stateright`: what is
//! asked here is that hosts left in peace come to a good end from *every* state, which needs the graph of the hosts' own moves;
//! its `eventually` properties are sound for trees only.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod disturbances;
mod judge;
mod ledger;
mod moves;
mod mutants;
mod search;
mod value;
mod world;

use self::moves::Setting;
use self::search::{Explored, explore};
use self::world::Budget;

/// Of each kind up to two, of all together three. `PAWL_EXPLORER_DISTURBANCES` makes it more, or fewer.
const DISTURBED: Budget = Budget { crashes: 2, expiries: 2, deeds: 2, faults: 2, all: 3 };

fn told(what: &str, explored: &Explored) {
    let Explored { states, transitions, secrets, depth, rests, .. } = explored;
    println!(
        "{what}: {states} states, {transitions} transitions, {secrets} stored secrets, {depth} moves deep"
    );
    println!("  at rest: {rests:?}");
}

#[expect(clippy::disallowed_methods, reason = "how a developer asks for a longer way")]
fn disturbed() -> Budget {
    let all = std::env::var("PAWL_EXPLORER_DISTURBANCES").ok().map(|count| count.parse().unwrap());
    Budget { all: all.unwrap_or(DISTURBED.all), ..DISTURBED }
}

fn holds(alternating: bool) {
    let explored = explore(Setting { alternating, mutant: None }, disturbed());
    told(if alternating { "alternating users" } else { "single user" }, &explored);
    if let Some((violation, way)) = explored.found {
        panic!("{violation:?}, by this way:\n{way}");
    }
    // It has been everywhere, and found every end.
    for stand in ["Succeeded", "Failed", "Stranded", "Cancelled", "Abandoned"] {
        assert!(explored.rests.contains_key(stand), "no rotation has {stand}");
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
