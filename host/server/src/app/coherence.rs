//! What is remembered of a store that other hosts change as well: it is compared with the store before it is used.
//!
//! A read may be answered from memory when the secret is still at the revision that is remembered, by a comparison that began
//! after the read did. Then it answers what every change left that was acknowledged before, on whichever host. One comparison
//! serves all reads that wait for one: while it is under way, the next ones gather (ADR 10).

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_store::{Outage, Store, StoreError};
use tokio::sync::oneshot;

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
    seen: (SecretArn, u64),
    verdict: oneshot::Sender<Verdict>,
}

impl Comparisons {
    /// Whether a secret is still there and at this revision.
    pub(super) async fn unchanged(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        arn: &SecretArn,
        revision: u64,
    ) -> Verdict {
        let (verdict, answer) = oneshot::channel();
        if self.line_up(Call { seen: (arn.clone(), revision), verdict }) {
            // A task of its own: the others must not depend on the patience of any one of them.
            let round = Round { comparisons: self.clone(), over: false };
            tokio::spawn(round.run(store.clone()));
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

/// Compares until nobody waits.
struct Round {
    comparisons: Arc<Comparisons>,
    over: bool,
}

impl Round {
    async fn run(mut self, store: Arc<dyn Store>) {
        while let Some(calls) = self.comparisons.next() {
            let (seen, verdicts): (Vec<_>, Vec<_>) =
                calls.into_iter().map(|call| (call.seen, call.verdict)).unzip();
            let answers = store.unchanged(&seen).await;
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
