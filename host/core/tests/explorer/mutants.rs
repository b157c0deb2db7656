//! Machines that are wrong in one place: the explorer must find each of them out, or it proves nothing.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The host asks nobody before it changes a password.
    SkipFence,
    /// AWSCURRENT moves before the new login was tried.
    PromoteBeforeTest,
    /// createSecret makes a new password each time.
    RegenerateOnRetry,
    /// The exposure is noted after the change instead of before.
    ExposeAfter,
    /// CancelRotateSecret ends a rotation whose password the database may have.
    CancelEnds,
    /// Rotations that somebody ended in the middle are forgotten.
    ForgetAdrift,
    /// ADR 11 without its fourth point: the change is one statement, and has effect whenever it arrives.
    LateEffect,
}
