//! How often somebody may ask: each in a budget of his own, and nobody waits for anybody.
//!
//! The budget is a virtual schedule (GCRA): one number says when the next request would be due at the allowed rate, and who is
//! further ahead of it than the burst is refused. That is one compare-and-swap for a request, on a number that nobody else uses.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pawl_core::limits;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

/// Rates by whom they are of.
#[derive(Debug)]
pub(crate) struct Rates<K> {
    /// Nanoseconds from one request to the next at the allowed rate.
    every: u64,
    /// Nanoseconds by which somebody may be ahead.
    burst: u64,
    began: Instant,
    due: Cache<K, Arc<AtomicU64>>,
}

const NANOS: u64 = 1_000_000_000;

impl<K: Eq + Hash + Clone> Rates<K> {
    /// So many requests a second; none where that is 0.
    pub(crate) fn new(per_second: u32) -> Option<Self> {
        let every = NANOS.checked_div(u64::from(per_second))?;
        let burst = every.max(NANOS.saturating_mul(u64::from(limits::RATE_BURST_SECONDS)));
        Some(Self { every, burst, began: Instant::now(), due: Cache::new(limits::RATES_KEPT_MAX) })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn of<Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized>(&self, who: &Q) -> Arc<AtomicU64> {
        if let Some(found) = self.due.get(who) {
            return found;
        }
        let made = Arc::new(AtomicU64::new(0));
        // Of two that come at once, one number stays.
        match self.due.get_or_insert_with(who, || Ok::<_, ()>(Arc::clone(&made))) {
            Ok(kept) => kept,
            Err(()) => made,
        }
    }

    /// Takes a request out of a budget, if it is in there.
    pub(crate) fn take<Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized>(&self, who: &Q) -> bool {
        self.take_at(who, self.now())
    }

    fn take_at<Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized>(&self, who: &Q, now: u64) -> bool {
        let due = self.of(who);
        let next = |due: u64| {
            let next = due.max(now).saturating_add(self.every);
            (next.saturating_sub(now) <= self.burst).then_some(next)
        };
        due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// Whether a budget is used up; nothing is taken, and nobody new is remembered.
    pub(crate) fn is_out<Q: Hash + Equivalent<K> + ?Sized>(&self, who: &Q) -> bool {
        let now = self.now();
        self.due.get(who).is_some_and(|due| {
            let next = due.load(Ordering::Relaxed).max(now).saturating_add(self.every);
            next.saturating_sub(now) > self.burst
        })
    }
}

/// The client that an address stands for: whoever has one address of version 6 has all of its network.
pub(crate) fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::MAX << (u128::BITS - limits::ADDRESS_BITS_V6);
            Ipv6Addr::from_bits(address.to_bits() & bits).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(per_second: u32) -> Rates<String> {
        Rates::new(per_second).unwrap()
    }

    #[test]
    fn a_rate_is_held_over_time_and_a_burst_at_once() {
        let rates = rates(10);
        let count = |from: u64, until: u64, step: usize| {
            (from..until).step_by(step).filter(|&now| rates.take_at("a", now)).count()
        };
        assert_eq!((0..1_000).filter(|_| rates.take_at("a", 0)).count(), 20, "two seconds' worth at once");
        let hour = 3_600 * NANOS;
        let over = count(0, hour, 7_000_000);
        assert!((35_900..=36_010).contains(&over), "{over}");
        assert!(rates.take_at("b", hour), "another has his own");
    }

    #[test]
    fn a_slow_rate_still_lets_one_through() {
        let rates = rates(1);
        assert!(rates.take_at("a", 0) && rates.take_at("a", 0));
        assert!(!rates.take_at("a", 0));
        assert!(!rates.take_at("a", NANOS / 2));
        assert!(rates.take_at("a", NANOS));
    }

    #[test]
    fn asking_whether_a_budget_is_out_takes_nothing_of_it() {
        let rates = rates(1);
        for _ in 0..9 {
            assert!(!rates.is_out("a"));
        }
        while rates.take("a") {}
        assert!(rates.is_out("a") && !rates.is_out("b"));
        assert!(Rates::<String>::new(0).is_none(), "0 is no rate");
    }

    #[test]
    fn many_at_once_take_no_more_than_one_would() {
        let rates = rates(1_000);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        taken.fetch_add(u64::from(rates.take_at("a", NANOS)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 2_000);
    }

    #[test]
    fn addresses_stand_for_clients() {
        let client = |text: &str| client(text.parse().unwrap()).to_string();
        assert_eq!(client("10.1.2.3"), "10.1.2.3");
        assert_eq!(client("::ffff:10.1.2.3"), "10.1.2.3");
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
