//! Components that break worker after worker: the next one is a while in coming.
//!
//! A process costs some twenty milliseconds to start, and a guest one to break.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pawl_core::function::Digest;
use pawl_core::limits;

/// Who has broken workers, how often in a row, and until when it waits.
pub(crate) struct Respites {
    longest: Duration,
    broken: Mutex<BTreeMap<Digest, Broken>>,
}

#[derive(Clone, Copy)]
struct Broken {
    times: u32,
    until: Instant,
}

impl Respites {
    /// Of at most so long.
    pub(crate) const fn new(longest: Duration) -> Self {
        Self { longest, broken: Mutex::new(BTreeMap::new()) }
    }

    /// Notes that a worker of this component had to be killed.
    pub(crate) fn broke(&self, component: Digest) {
        self.broke_at(component, Instant::now());
    }

    fn broke_at(&self, component: Digest, now: Instant) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has let some time pass begins anew; so nobody stays here for ever.
        broken.retain(|_, of| now.saturating_duration_since(of.until) < limits::RESPITE_MEMORY);
        let of = broken.entry(component).or_insert(Broken { times: 0, until: now });
        let doubled = limits::RESPITE_FIRST.saturating_mul(1_u32.checked_shl(of.times).unwrap_or(u32::MAX));
        *of = Broken {
            times: of.times.saturating_add(1),
            until: now.checked_add(doubled.min(self.longest)).unwrap_or(now),
        };
    }

    /// Notes that a worker was given back as good as before.
    pub(crate) fn kept(&self, component: Digest) {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).remove(&component);
    }

    /// How long the component waits for its next worker.
    pub(crate) fn left(&self, component: Digest) -> Duration {
        self.left_at(component, Instant::now())
    }

    fn left_at(&self, component: Digest, now: Instant) -> Duration {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get(&component).map_or(Duration::ZERO, |of| of.until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: Digest = Digest::from_bytes([1; 32]);
    const OTHER: Digest = Digest::from_bytes([2; 32]);

    #[test]
    fn who_breaks_one_worker_after_the_other_waits_longer_each_time_and_nobody_else_does() {
        let (respites, now) = (Respites::new(Duration::from_secs(1)), Instant::now());
        assert_eq!(respites.left_at(HOSTILE, now), Duration::ZERO);
        let mut waits = Vec::new();
        for _ in 0..50 {
            respites.broke_at(HOSTILE, now);
            waits.push(respites.left_at(HOSTILE, now));
        }
        assert_eq!(waits.first(), Some(&limits::RESPITE_FIRST));
        assert_eq!(waits.get(1), Some(&(limits::RESPITE_FIRST * 2)));
        assert_eq!(waits.last(), Some(&Duration::from_secs(1)));
        assert_eq!(respites.left_at(OTHER, now), Duration::ZERO);
        respites.kept(HOSTILE);
        assert_eq!(respites.left_at(HOSTILE, now), Duration::ZERO);
    }

    #[test]
    fn it_is_forgotten_after_a_while() {
        let (respites, now) = (Respites::new(Duration::from_secs(1)), Instant::now());
        for _ in 0..10 {
            respites.broke_at(HOSTILE, now);
        }
        let later = now + limits::RESPITE_MEMORY + Duration::from_secs(2);
        respites.broke_at(OTHER, later);
        assert_eq!(respites.broken.lock().unwrap().len(), 1);
        respites.broke_at(HOSTILE, later);
        assert_eq!(respites.left_at(HOSTILE, later), limits::RESPITE_FIRST);
    }
}
