//! Who has the places for connections, and who gives his up when there is none left.
//!
//! Whoever has proved nothing goes before whoever has signed something, and among those whoever has been silent for longest. Whose
//! request is being answered stays. So a crowd that holds connections and says nothing drives out itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// A connection's place.
#[derive(Debug)]
pub(in crate::edge) struct Seat {
    /// [`ANSWERING`], or since when it is silent, above [`KNOWN`].
    state: AtomicU64,
    began: Instant,
    leave: Notify,
}

/// A request with a right signature is being answered.
const ANSWERING: u64 = u64::MAX;
/// Whoever is there has signed something rightly: such a place is given up last.
const KNOWN: u64 = 1 << 62;

impl Seat {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(KNOWN - 1).min(KNOWN - 1)
    }

    /// Whoever is there has signed a request, which is answered now.
    pub(in crate::edge) fn answering(&self) {
        self.state.store(ANSWERING, Ordering::Relaxed);
    }

    /// A request has been answered.
    pub(super) fn answered(&self) {
        let known = self.state.load(Ordering::Relaxed) & KNOWN;
        self.state.store(self.now() | known, Ordering::Relaxed);
    }

    /// Ends when the place is to be given up.
    pub(super) async fn taken(&self) {
        loop {
            self.leave.notified().await;
            // It may have begun to say something meanwhile.
            if self.state.load(Ordering::Relaxed) != ANSWERING {
                return;
            }
        }
    }
}

/// All places that are taken.
#[derive(Debug)]
pub(super) struct Seats {
    began: Instant,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Arc<Seat>>>,
}

/// A place until this is dropped.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) seat: Arc<Seat>,
    number: u64,
    of: Arc<Seats>,
}

impl Seats {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), next: AtomicU64::new(0), taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more connection.
    pub(super) fn sit(self: &Arc<Self>) -> Seated {
        let seat = Seat { state: AtomicU64::new(0), began: self.began, leave: Notify::new() };
        seat.answered();
        let (seat, number) = (Arc::new(seat), self.next.fetch_add(1, Ordering::Relaxed));
        self.taken().insert(number, Arc::clone(&seat));
        Seated { seat, number, of: Arc::clone(self) }
    }

    /// Has one connection leave; whether there was one that can.
    pub(super) fn make_room(&self) -> bool {
        let mut taken = self.taken();
        let state = |seat: &Seat| seat.state.load(Ordering::Relaxed);
        let first = taken.iter().map(|(number, seat)| (state(seat), *number)).min();
        let Some((_, number)) = first.filter(|(state, _)| *state != ANSWERING) else { return false };
        // It is asked once; whoever asks next has another one leave.
        if let Some(seat) = taken.remove(&number) {
            seat.leave.notify_one();
        }
        true
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.of.taken().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place that is given up next, by its order of arrival.
    fn leaves(seats: &Seats, seated: &[Seated]) -> Option<usize> {
        let before: Vec<u64> = seats.taken().keys().copied().collect();
        seats.make_room().then_some(())?;
        let after = seats.taken();
        let gone = before.into_iter().find(|number| !after.contains_key(number)).unwrap();
        seated.iter().position(|held| held.number == gone)
    }

    #[test]
    fn strangers_go_first_and_the_silent_before_those_who_spoke_and_nobody_who_is_answered() {
        let seats = Seats::new();
        let seated: Vec<Seated> = (0..5).map(|_| seats.sit()).collect();
        // The first has signed something long ago, the second is being answered, the third has asked for `/healthz` just now.
        seated[0].seat.answering();
        seated[0].seat.answered();
        seated[1].seat.answering();
        seated[2].seat.answered();
        let order: Vec<Option<usize>> = (0..5).map(|_| leaves(&seats, &seated)).collect();
        assert_eq!(order, [Some(3), Some(4), Some(2), Some(0), None]);
        seated[1].seat.answered();
        assert_eq!(leaves(&seats, &seated), Some(1));
        drop(seated);
        assert!(seats.taken().is_empty());
    }

    #[tokio::test]
    async fn who_has_begun_to_speak_meanwhile_stays() {
        let seats = Seats::new();
        let held = seats.sit();
        assert!(seats.make_room());
        held.seat.answering();
        let left = tokio::select! {
            biased;
            () = held.seat.taken() => true,
            () = tokio::task::yield_now() => false,
        };
        assert!(!left);
        held.seat.answered();
        held.seat.leave.notify_one();
        held.seat.taken().await;
    }
}
