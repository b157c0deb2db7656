//! Rotations at work: who begins them, who runs them, and the door through which a rotator reaches its secret.

mod ahead;
mod port;
mod rehearsal;
mod runner;
mod scheduler;

pub use self::rehearsal::{Ended, Opens, Ran, Rehearsal, RehearsalError};
pub(crate) use self::scheduler::run as run_scheduler;
