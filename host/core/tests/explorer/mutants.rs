//! Machines that are wrong in one place: the explorer must find each of them out, or it proves nothing.

use crate::judge::Violation;
use crate::moves::Setting;
use crate::search::explore;
use crate::told;
use crate::world::{Broken, Budget};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The host asks nobody before it changes a password.
    SkipFence,
    /// AWSCURRENT moves before the new login was tried.
    PromoteBeforeTest,
    /// createSecret makes a new password each time.
    RegenerateOnRetry,
    /// A password is sent before it is stored.
    SendUnstored,
    /// The exposure is noted after the change instead of before.
    ExposeAfter,
    /// CancelRotateSecret ends a rotation whose password the database may have.
    CancelEnds,
    /// Rotations that somebody ended in the middle are forgotten.
    ForgetAdrift,
    /// ADR 11 without its fourth point: the change is one statement, and has effect whenever it arrives.
    LateEffect,
    /// No lock makes a statement wait for what a dead host has sent. That is how MySQL and MariaDB are: there, nothing but the time
    /// that a whole other rotation takes, asked for by a person, keeps the two apart.
    NoLock,
    /// A login as pending that was refused is not tried again, although a COMMIT may have been on its way.
    ProbeOnce,
    /// The schedule takes a rotation up as a person would, and forgets what servers have refused.
    ScheduleForgets,
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
fn a_password_that_is_sent_before_it_is_stored_is_found_out() {
    let violation = caught(Mutant::SendUnstored, true, just(0, 0, 0, 0));
    assert_eq!(violation, Violation::Rule(Broken::UnstoredPassword));
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

#[test]
fn a_database_without_the_lock_is_found_out() {
    assert_eq!(caught(Mutant::NoLock, false, just(1, 0, 2, 0)), Violation::Rule(Broken::LatePassword));
}

#[test]
fn a_login_that_is_not_tried_again_is_found_out() {
    assert_eq!(caught(Mutant::ProbeOnce, false, just(1, 0, 0, 0)), Violation::GivenUpForNothing);
}

#[test]
fn a_schedule_that_forgets_refusals_is_found_out() {
    assert_eq!(caught(Mutant::ScheduleForgets, false, just(0, 0, 3, 0)), Violation::TooManyRefusals);
}
