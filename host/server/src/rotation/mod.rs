//! Rotations at work: who begins them, who runs them, and the door through which a rotator reaches its secret.

mod ahead;
mod drill;
pub(crate) mod login;
mod pinned;
mod port;
mod recorded;
mod runner;
mod scheduler;

pub use self::drill::{Drill, DrillError, Ended, Opens, Ran};
pub(crate) use self::scheduler::run as run_scheduler;
