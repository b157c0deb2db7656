//! Commits that come while another is under way wait together, and share the next transaction: one wait for the disk for all of
//! them. A commit that comes alone is done at once, in its caller's own task.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::limits;
use sqlx::SqlitePool;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::commit;
use crate::change::{Change, CommitError};
use crate::error::{Outage, StoreError};

type Verdict = Result<(), CommitError>;

/// Those who commit, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    /// Whether a [`Turn`] or a [`Round`] is under way, which sees to those who wait when it ends.
    busy: bool,
    waiting: VecDeque<Call>,
    /// Counts those who had to wait.
    number: u64,
}

#[derive(Debug)]
struct Call {
    number: u64,
    changes: Vec<Change>,
    verdict: oneshot::Sender<Verdict>,
}

impl Queue {
    /// Commits all of `changes`, or nothing of them.
    pub(super) async fn commit(self: &Arc<Self>, writer: &SqlitePool, changes: Vec<Change>) -> Verdict {
        if changes.is_empty() {
            return Ok(());
        }
        let (number, mut answer) = match self.line_up(changes) {
            Ok(place) => place,
            Err(changes) => {
                let _turn = Turn { queue: self, writer };
                return commit::commit(writer, &changes).await;
            }
        };
        let lost = Err(CommitError::Store(StoreError::Unavailable(Outage::Closed)));
        match timeout(limits::STORE_ACQUIRE_TIMEOUT, &mut answer).await {
            Ok(verdict) => verdict.unwrap_or(lost),
            Err(_) if self.withdraw(number) => Err(CommitError::Store(StoreError::Unavailable(Outage::Busy))),
            // It is being committed: how it ends must be waited for.
            Err(_) => answer.await.unwrap_or(lost),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of one who must wait; his changes back when nobody is before him, and it is his turn.
    fn line_up(&self, changes: Vec<Change>) -> Result<(u64, oneshot::Receiver<Verdict>), Vec<Change>> {
        let mut calls = self.calls();
        if !mem::replace(&mut calls.busy, true) {
            return Err(changes);
        }
        let (verdict, answer) = oneshot::channel();
        calls.number += 1;
        let number = calls.number;
        calls.waiting.push_back(Call { number, changes, verdict });
        Ok((number, answer))
    }

    /// Takes back a call that nobody has begun with.
    fn withdraw(&self, number: u64) -> bool {
        let mut calls = self.calls();
        let place = calls.waiting.iter().position(|call| call.number == number);
        place.and_then(|place| calls.waiting.remove(place)).is_some()
    }

    /// Those who are next. When there are none, nobody is busy any more.
    fn next(&self) -> Vec<Call> {
        let mut calls = self.calls();
        let count = calls.waiting.len().min(limits::STORE_COMMITS_AT_ONCE);
        calls.busy = count > 0;
        calls.waiting.drain(..count).collect()
    }
}

/// The commit of a caller who found nobody before him. When it ends, or is given up, others may be waiting.
struct Turn<'a> {
    queue: &'a Arc<Queue>,
    writer: &'a SqlitePool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let calls = self.queue.next();
        if calls.is_empty() {
            return;
        }
        let round = Round { queue: Arc::clone(self.queue), writer: self.writer.clone(), over: false };
        // A task of its own: the others must not depend on the patience of any one of them.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(round.commit(calls));
        }
    }
}

/// Commits for those who wait until nobody does.
struct Round {
    queue: Arc<Queue>,
    writer: SqlitePool,
    over: bool,
}

impl Round {
    async fn commit(mut self, mut calls: Vec<Call>) {
        while !calls.is_empty() {
            // Who has left before it began wants nothing any more.
            calls.retain(|call| !call.verdict.is_closed());
            let changes: Vec<&[Change]> = calls.iter().map(|call| call.changes.as_slice()).collect();
            let verdicts = match changes.as_slice() {
                [] => Vec::new(),
                [alone] => vec![commit::commit(&self.writer, alone).await],
                several => match commit::commit_group(&self.writer, several).await {
                    Ok(verdicts) => verdicts,
                    Err(error) => vec![Err(CommitError::Store(error)); several.len()],
                },
            };
            for (call, verdict) in calls.into_iter().zip(verdicts) {
                // One who has left meanwhile is not told.
                let _left = call.verdict.send(verdict);
            }
            calls = self.queue.next();
        }
        self.over = true;
    }
}

impl Drop for Round {
    /// The runtime ends in the middle of it: those who wait are told by what they wait for being dropped.
    fn drop(&mut self) {
        if !self.over {
            let mut calls = self.queue.calls();
            calls.busy = false;
            let waiting = mem::take(&mut calls.waiting);
            drop(calls);
            drop(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Verdict = Err(CommitError::Store(StoreError::Unavailable(Outage::Closed)));

    fn writer() -> SqlitePool {
        sqlx::sqlite::SqlitePoolOptions::new().connect_lazy("sqlite::memory:").unwrap()
    }

    #[test]
    fn who_waited_too_long_is_not_committed() {
        let queue = Queue::default();
        assert!(queue.line_up(vec![]).is_err(), "nobody is before him");
        let [(first, _first), (second, _second)] = [(); 2].map(|()| queue.line_up(vec![]).unwrap());
        assert!(queue.withdraw(first));
        assert!(!queue.withdraw(first), "he has left");
        assert_eq!(queue.next().iter().map(|call| call.number).collect::<Vec<_>>(), [second]);
        assert!(!queue.withdraw(second), "it has begun");
        assert!(queue.next().is_empty());
        assert!(queue.line_up(vec![]).is_err(), "nobody is busy any more");
    }

    #[tokio::test]
    async fn a_round_that_breaks_off_lets_nobody_wait_for_ever() {
        let queue = Arc::new(Queue::default());
        assert!(queue.line_up(vec![]).is_err());
        let [(_, taken), (_, waiting)] = [(); 2].map(|()| queue.line_up(vec![]).unwrap());
        let mut calls = queue.next();
        queue.calls().waiting.extend(calls.pop());
        let round = Round { queue: Arc::clone(&queue), writer: writer(), over: false };
        drop(round.commit(calls));
        assert!(taken.await.is_err() && waiting.await.is_err());
        assert!(queue.line_up(vec![]).is_err(), "nobody is busy any more");
    }

    #[test]
    fn a_turn_that_ends_outside_of_any_runtime_lets_nobody_wait_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let queue = Arc::new(Queue::default());
        assert!(queue.line_up(vec![]).is_err());
        let (_, answer) = queue.line_up(vec![]).unwrap();
        let writer = runtime.block_on(async { writer() });
        drop(Turn { queue: &queue, writer: &writer });
        assert_eq!(runtime.block_on(answer).unwrap_or(LOST), LOST);
        assert!(queue.line_up(vec![]).is_err(), "nobody is busy any more");
    }
}
