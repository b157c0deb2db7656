//! The one place in the tests where time passes.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// Looks again and again until `probe` gives something.
///
/// # Panics
/// When nothing came within `limit`; the message says `what` was awaited.
pub fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// Lets a client of a load think for a moment, so that its load is bounded. Nothing may depend on how long it takes.
pub fn pace(pause: Duration) {
    std::thread::park_timeout(pause);
}
