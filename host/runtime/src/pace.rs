//! How fast a guest is served that asks without end.

use std::time::{Duration, Instant};

use pawl_core::limits;

/// Serving a call, and its bytes, counts as some time of the host's, more than it takes; a guest that is ahead of the clock by it waits.
/// Honest rotators never are: they have a start that their few dozen calls do not use up.
pub(crate) struct Pace {
    /// The moment up to which the host's time was given away.
    given: Instant,
}

impl Pace {
    /// Of a guest that begins now.
    pub(crate) fn begin() -> Self {
        Self { given: Instant::now() }
    }

    /// Counts a call of so many bytes, and tells how long the next one has to wait.
    pub(crate) fn after(&mut self, bytes: usize) -> Duration {
        self.at(Instant::now(), bytes)
    }

    fn at(&mut self, now: Instant, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let cost =
            limits::HOSTCALL_PACE.saturating_add(limits::HOSTCALL_KIBIBYTE_PACE.saturating_mul(bytes / 1024));
        // Time in which a guest asks for nothing is not saved up.
        self.given = self.given.max(now).checked_add(cost).unwrap_or(now);
        self.given.saturating_duration_since(now).saturating_sub(limits::HOSTCALL_START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time that a guest takes to make `calls` of so many bytes, if it does nothing else.
    fn time_for(calls: u32, bytes: usize) -> Duration {
        let begin = Instant::now();
        let (mut pace, mut now) = (Pace { given: begin }, begin);
        for _ in 0..calls {
            now += pace.at(now, bytes);
        }
        now - begin
    }

    #[test]
    fn a_rotator_that_does_its_work_never_waits() {
        assert_eq!(time_for(200, 500), Duration::ZERO);
        assert_eq!(time_for(1, limits::HOSTCALL_BYTES_MAX), Duration::ZERO);
    }

    #[test]
    fn a_flood_of_calls_or_bytes_is_slow_and_ends_within_a_step() {
        for (calls, bytes) in [(limits::HOSTCALLS_MAX, 10), (32, limits::HOSTCALL_BYTES_MAX)] {
            let took = time_for(calls, bytes);
            assert!(took > Duration::from_secs(2) && took < limits::STEP_WALL / 2, "{calls}: {took:?}");
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_saved_up() {
        let begin = Instant::now();
        let mut pace = Pace { given: begin };
        let later = begin + Duration::from_secs(3600);
        let calls = limits::HOSTCALL_START.as_micros() / limits::HOSTCALL_PACE.as_micros();
        for _ in 0..calls {
            assert_eq!(pace.at(later, 0), Duration::ZERO);
        }
        assert_eq!(pace.at(later, 0), limits::HOSTCALL_PACE);
    }
}
