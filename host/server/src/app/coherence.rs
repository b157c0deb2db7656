//! What is remembered of a store that other hosts change as well: it is compared with the store before it is used.
//!
//! A read may be answered from memory when the secret is still at the revision that is remembered, by a comparison that began
//! after the read did. Then it answers what every change left that was acknowledged before, on whichever host. One comparison
//! serves all reads that wait for one: while it is under way, the next ones gather (ADR 10).

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_store::{Outage, StoreError};
use tokio::sync::oneshot;

/// A secret at the revision that is remembered.
pub(super) type Seen = (SecretArn, u64);

type Verdict = Result<bool, StoreError>;

/// Those who wait for a comparison.
#[derive(Default)]
pub(super) struct Comparisons(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    under_way: usize,
    calls: Vec<Call>,
}

struct Call {
    seen: Seen,
    verdict: oneshot::Sender<Verdict>,
}

impl Comparisons {
    /// Whether a secret is still there and at this revision, as `look` finds it for many at once.
    pub(super) async fn unchanged<L, F>(self: &Arc<Self>, seen: Seen, look: L) -> Verdict
    where
        L: Fn(Vec<Seen>) -> F + Send + 'static,
        F: Future<Output = Result<Vec<bool>, StoreError>> + Send + 'static,
    {
        let (verdict, answer) = oneshot::channel();
        if self.line_up(Call { seen, verdict }) {
            let round = Round { comparisons: self.clone(), over: false };
            // A task of its own: the others must not depend on the patience of any one of them.
            tokio::spawn(round.run(look));
        }
        answer.await.unwrap_or(Err(StoreError::Unavailable(Outage::Closed)))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller must begin a round for those who wait.
    fn line_up(&self, call: Call) -> bool {
        let mut waiting = self.waiting();
        waiting.calls.push(call);
        let begin = waiting.under_way < limits::COMPARISONS_AT_ONCE;
        waiting.under_way += usize::from(begin);
        begin
    }

    /// Those who are next; when there are none, the round that asks is over.
    fn next(&self) -> Option<Vec<Call>> {
        let mut waiting = self.waiting();
        if waiting.calls.is_empty() {
            waiting.under_way = waiting.under_way.saturating_sub(1);
            return None;
        }
        let many = waiting.calls.len().min(limits::COMPARED_AT_ONCE);
        let rest = waiting.calls.split_off(many);
        Some(mem::replace(&mut waiting.calls, rest))
    }
}

impl Comparisons {
    /// Everybody who waits.
    fn all(&self) -> Vec<Call> {
        mem::take(&mut self.waiting().calls)
    }
}

/// Compares until nobody waits.
struct Round {
    comparisons: Arc<Comparisons>,
    over: bool,
}

impl Round {
    async fn run<F>(mut self, look: impl Fn(Vec<Seen>) -> F)
    where
        F: Future<Output = Result<Vec<bool>, StoreError>>,
    {
        while let Some(calls) = self.comparisons.next() {
            let (seen, verdicts): (Vec<_>, Vec<_>) =
                calls.into_iter().map(|call| (call.seen, call.verdict)).unzip();
            let answers = look(seen).await;
            if let Err(error) = &answers {
                // Those who came meanwhile have waited as well, and need not wait for the next failure.
                for call in self.comparisons.all() {
                    let _left = call.verdict.send(Err(error.clone()));
                }
            }
            for (place, verdict) in verdicts.into_iter().enumerate() {
                let answer = match &answers {
                    // One that is not answered has not been looked at.
                    Ok(unchanged) => Ok(unchanged.get(place).copied().unwrap_or(false)),
                    Err(error) => Err(error.clone()),
                };
                // One who has left is not told.
                let _left = verdict.send(answer);
            }
        }
        self.over = true;
    }
}

impl Drop for Round {
    /// It broke off: those who wait are told by what they wait for being dropped.
    fn drop(&mut self) {
        if !self.over {
            let mut waiting = self.comparisons.waiting();
            waiting.under_way = waiting.under_way.saturating_sub(1);
            let left_behind = mem::take(&mut waiting.calls);
            drop(waiting);
            drop(left_behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    fn seen(revision: u64) -> Seen {
        let arn = "\"arn:aws:secretsmanager:us-east-1:000000000000:secret:s-aaaaaa\"";
        (serde_json::from_str(arn).unwrap(), revision)
    }

    /// Nobody is answered by a comparison that began before he asked; those who wait share the next one.
    #[tokio::test]
    async fn a_comparison_begins_after_those_whom_it_answers() {
        let comparisons: Arc<Comparisons> = Arc::default();
        let (began, mut begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let look = {
            let gate = gate.clone();
            move |seen: Vec<Seen>| {
                let (began, gate) = (began.clone(), gate.clone());
                async move {
                    let revisions: Vec<u64> = seen.iter().map(|(_, revision)| *revision).collect();
                    began.send(revisions.clone()).unwrap();
                    gate.acquire().await.unwrap().forget();
                    Ok(revisions.iter().map(|revision| revision % 2 == 0).collect())
                }
            }
        };
        let ask = |revision| {
            let (comparisons, look) = (comparisons.clone(), look.clone());
            tokio::spawn(async move { comparisons.unchanged(seen(revision), look).await })
        };
        let mut asked = Vec::new();
        for revision in 0..limits::COMPARISONS_AT_ONCE as u64 {
            asked.push(ask(revision));
            assert_eq!(begun.recv().await.unwrap(), [revision], "nobody waits when there is room");
        }
        for revision in [10, 11, 12] {
            asked.push(ask(revision));
            while !comparisons.waiting().calls.iter().any(|call| call.seen.1 == revision) {
                tokio::task::yield_now().await;
            }
        }
        assert!(begun.try_recv().is_err(), "they wait for the next one");
        gate.add_permits(1);
        assert_eq!(begun.recv().await.unwrap(), [10, 11, 12], "together");
        gate.add_permits(10);
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.unwrap().unwrap());
        }
        assert_eq!(answers, [true, false, true, false, true]);
        while comparisons.waiting().under_way > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_is_no_answer() {
        let comparisons: Arc<Comparisons> = Arc::default();
        let failing = |_| async { Err(StoreError::Unavailable(Outage::Locked)) };
        let answer = comparisons.unchanged(seen(1), failing).await;
        assert_eq!(answer, Err(StoreError::Unavailable(Outage::Locked)));
        let short = |_| async { Ok(Vec::new()) };
        assert_eq!(
            comparisons.unchanged(seen(1), short).await,
            Ok(false),
            "who is not answered must look himself"
        );
    }
}
