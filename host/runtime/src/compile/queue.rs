//! Who compiles next. Compiling takes gigabytes at worst, and up to minutes, so few do it at once; and who has much to compile waits
//! behind himself, not before others.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use pawl_core::limits;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// The places for compilations, and who waits for them.
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    /// One lock for each who compiles or waits.
    askers: std::sync::Mutex<HashMap<String, Weak<Mutex<()>>>>,
}

/// A place. Given back when it is dropped.
pub(crate) struct Turn {
    // In this order: who waits for the place is woken before the same asker's next.
    _place: Option<OwnedSemaphorePermit>,
    _own: OwnedMutexGuard<()>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(limits::COMPILES_AT_ONCE)), askers: <_>::default() }
    }
}

impl Queue {
    /// Waits for a place. An asker has one at most, and stands in the queue once: so another waits for one compilation of each who
    /// came before, and with one heavy asker for none.
    pub(crate) async fn turn(&self, asker: &str) -> Turn {
        let own = self.own(asker).lock_owned().await;
        // Nobody closes it: without an error there is a place.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        Turn { _place: place, _own: own }
    }

    fn own(&self, asker: &str) -> Arc<Mutex<()>> {
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        askers.retain(|_, lock| lock.strong_count() > 0);
        let known = askers.get(asker).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let lock = Arc::default();
            askers.insert(asker.to_owned(), Arc::downgrade(&lock));
            lock
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn has_turn<F: Future<Output = Turn>>(waiting: &mut std::pin::Pin<&mut F>) -> Option<Turn> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn who_has_much_to_compile_holds_nobody_up() {
        let queue = Queue::default();
        let heavy = queue.turn("heavy").await;
        let (mut second, mut third) = (pin!(queue.turn("heavy")), pin!(queue.turn("heavy")));
        assert!(has_turn(&mut second).is_none() && has_turn(&mut third).is_none(), "one of each asker");
        let light = has_turn(&mut pin!(queue.turn("light"))).expect("another is not held up");
        // With both places taken, who comes is before the heavy one's next.
        let mut late = pin!(queue.turn("late"));
        assert!(has_turn(&mut late).is_none());
        drop(heavy);
        assert!(has_turn(&mut second).is_none());
        let late = has_turn(&mut late).expect("the place of the one that ended");
        drop(light);
        let second = has_turn(&mut second).expect("its turn");
        assert!(has_turn(&mut third).is_none());
        drop((late, second));
        drop(has_turn(&mut third).expect("its turn"));
        assert_eq!(queue.askers.lock().unwrap().values().filter(|lock| lock.strong_count() > 0).count(), 0);
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_leaves_no_trace() {
        let queue = Queue::default();
        let (one, two) = (queue.turn("one").await, queue.turn("two").await);
        {
            let mut gone = pin!(queue.turn("gone"));
            assert!(has_turn(&mut gone).is_none());
        }
        drop((one, two));
        let first = queue.turn("gone").await;
        let second = queue.turn("other").await;
        drop((first, second));
    }
}
