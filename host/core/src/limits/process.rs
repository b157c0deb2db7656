//! A host's process.

use std::time::Duration;

/// Threads that run calls, at least: one may stand still on a disk that hangs, and somebody must still say so.
pub const RUNTIME_WORKERS_MIN: usize = 2;
/// How long a start waits for a store that is slow, or away.
pub const START_STORE_WAIT: Duration = Duration::from_secs(30);
/// Time between two tries meanwhile.
pub const START_STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a host that stops waits for the steps that are under way.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How long a start waits for the lock on its data directory: that of a host which was killed a moment ago goes with the last of its
/// processes.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often it looks meanwhile.
pub const LOCK_LOOK: Duration = Duration::from_millis(50);
