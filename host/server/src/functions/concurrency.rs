//! Reserved concurrency: how many steps of a function run at once on this host, all of its versions together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::names::Region;

/// A function, whichever version of it.
pub type FunctionKey = (Region, String);

/// What runs of each function now.
#[derive(Clone, Debug, Default)]
pub struct Concurrency(Arc<Mutex<BTreeMap<FunctionKey, u32>>>);

/// A step that runs, until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    running: Concurrency,
    of: FunctionKey,
}

impl Concurrency {
    /// A permit for one more step of a function; none when as many run as are reserved for it. No reservation is no limit.
    #[must_use]
    pub fn take(&self, of: &FunctionKey, reserved: Option<u32>) -> Option<Permit> {
        let mut running = self.lock();
        let now = running.get(of).copied().unwrap_or(0);
        if reserved.is_some_and(|most| now >= most) {
            return None;
        }
        running.insert(of.clone(), now.saturating_add(1));
        drop(running);
        Some(Permit { running: self.clone(), of: of.clone() })
    }

    /// How many steps of a function run.
    #[must_use]
    pub fn of(&self, function: &FunctionKey) -> u32 {
        self.lock().get(function).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FunctionKey, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        match running.get_mut(&self.of) {
            Some(now) if *now > 1 => *now -= 1,
            _ => {
                running.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_reserved_run_at_once_and_the_rest_of_them_is_free_again() {
        let (running, of) = (Concurrency::default(), ("us-east-1".parse().unwrap(), "f".to_owned()));
        let first = running.take(&of, Some(2)).unwrap();
        let second = running.take(&of, Some(2)).unwrap();
        assert!(running.take(&of, Some(2)).is_none() && running.take(&of, Some(0)).is_none());
        let third = running.take(&of, None).unwrap();
        assert_eq!(running.of(&of), 3);
        drop((first, third));
        assert!(running.take(&of, Some(1)).is_none() && running.take(&of, Some(2)).is_some());
        let other = ("eu-west-1".parse().unwrap(), "f".to_owned());
        assert!(running.take(&other, Some(1)).is_some(), "a region is a world of its own");
        drop(second);
        assert!(running.lock().is_empty());
    }
}
