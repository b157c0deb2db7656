//! What calls hand to the writer, and how they learn that it is on the disk.

use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pawl_core::limits;
use tokio::sync::Notify;

use crate::note::Anchor;

const WAITING: u8 = 0;
const WRITTEN: u8 = 1;
const FAILED: u8 = 2;

/// Records that are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    outcome: AtomicU8,
    done: Notify,
}

impl Batch {
    pub(crate) fn finish(&self, written: bool) {
        self.outcome.store(if written { WRITTEN } else { FAILED }, Ordering::Release);
        self.done.notify_waiters();
    }

    /// Whether it was written, if that is known.
    pub(crate) fn outcome(&self) -> Option<bool> {
        match self.outcome.load(Ordering::Acquire) {
            WAITING => None,
            outcome => Some(outcome == WRITTEN),
        }
    }

    /// Whether it was written, once that is known.
    pub(crate) async fn wait(&self) -> bool {
        let mut done = pin!(self.done.notified());
        // From here on no news is missed.
        done.as_mut().enable();
        if self.outcome.load(Ordering::Acquire) == WAITING {
            done.await;
        }
        self.outcome.load(Ordering::Acquire) == WRITTEN
    }
}

/// Records one after the other, and where each ends.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<usize>,
}

impl Records {
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).filter_map(|(from, to)| self.bytes.get(from..*to))
    }
}

#[derive(Debug, Default)]
struct Waiting {
    records: Records,
    /// Those who wait until the system has them.
    written: Arc<Batch>,
    /// Those who wait until the disk has them.
    durable: Option<Arc<Batch>>,
    /// Whether there is something for the writer's thread.
    nudged: bool,
    sleeping: bool,
    closing: bool,
}

/// What the writer was given.
pub(crate) struct Taken {
    pub(crate) written: Arc<Batch>,
    pub(crate) durable: Option<Arc<Batch>>,
    pub(crate) closing: bool,
}

impl Taken {
    /// None of them is written.
    pub(crate) fn refuse(&self) {
        self.written.finish(false);
        if let Some(durable) = &self.durable {
            durable.finish(false);
        }
    }
}

/// How many calls of strangers are still written down.
#[derive(Debug)]
struct Bucket {
    left: u32,
    second: i64,
}

/// What the calls and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    failing: AtomicBool,
    why: Mutex<String>,
    strangers: Mutex<Bucket>,
    anchor: Mutex<Option<Anchor>>,
    epoch: Mutex<Arc<()>>,
    pub(crate) unrecorded: AtomicBool,
    pub(crate) refused: AtomicU64,
    pub(crate) suppressed: AtomicU64,
    pub(crate) segment: AtomicU64,
    pub(crate) seq: AtomicU64,
    /// When the write that is under way began, in milliseconds by the machine's clock; 0 when none is.
    pub(crate) writing_since: AtomicI64,
    /// The same of the disk's having it.
    pub(crate) syncing_since: AtomicI64,
    pub(crate) records: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) write_micros: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            failing: AtomicBool::new(false),
            why: Mutex::default(),
            strangers: Mutex::new(Bucket { left: limits::AUDIT_STRANGERS_BURST, second: 0 }),
            anchor: Mutex::default(),
            epoch: Mutex::default(),
            unrecorded: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
            segment: AtomicU64::new(0),
            seq: AtomicU64::new(0),
            writing_since: AtomicI64::new(0),
            syncing_since: AtomicI64::new(0),
            records: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            write_micros: AtomicU64::new(0),
        }
    }

    /// Hands records in as one; none when they cannot be written now.
    pub(crate) fn submit(&self, records: &[&[u8]], durable: bool) -> Option<Arc<Batch>> {
        let mut waiting = lock(&self.waiting);
        let full = waiting.records.bytes.len() > limits::AUDIT_WAITING_BYTES_MAX;
        if full || waiting.closing || self.failing.load(Ordering::Relaxed) {
            drop(waiting);
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.unrecorded.store(true, Ordering::Release);
            return None;
        }
        for record in records {
            waiting.records.push(record);
        }
        let batch = if durable {
            Arc::clone(waiting.durable.get_or_insert_default())
        } else {
            Arc::clone(&waiting.written)
        };
        if durable {
            self.nudge(waiting);
        }
        Some(batch)
    }

    fn nudge(&self, mut waiting: MutexGuard<'_, Waiting>) {
        waiting.nudged = true;
        if mem::take(&mut waiting.sleeping) {
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// There is something for the writer's thread: records that nobody else writes, or a failure.
    pub(crate) fn wake_writer(&self) {
        self.nudge(lock(&self.waiting));
    }

    /// The writer's thread waits for something to do, or for so long.
    pub(crate) fn sleep(&self, most: Duration) {
        let mut waiting = lock(&self.waiting);
        if !waiting.nudged && !waiting.closing {
            waiting.sleeping = true;
            let asleep = |waiting: &mut Waiting| !waiting.nudged && !waiting.closing;
            let waited = self.wake.wait_timeout_while(waiting, most, asleep);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            waiting.sleeping = false;
        }
        waiting.nudged = false;
    }

    /// Takes what there is.
    pub(crate) fn take(&self, into: &mut Records) -> Taken {
        into.clear();
        let mut waiting = lock(&self.waiting);
        mem::swap(into, &mut waiting.records);
        Taken {
            written: mem::take(&mut waiting.written),
            durable: waiting.durable.take(),
            closing: waiting.closing,
        }
    }

    pub(crate) fn close(&self) {
        lock(&self.waiting).closing = true;
        self.wake.notify_one();
    }

    pub(crate) fn fail(&self, why: String) {
        *lock(&self.why) = why;
        self.failing.store(true, Ordering::Release);
    }

    pub(crate) fn recovered(&self) {
        self.failing.store(false, Ordering::Release);
    }

    /// Why nothing can be written; none when it can.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failing.load(Ordering::Acquire).then(|| lock(&self.why).clone())
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Whether one more call of a stranger is written down at this moment; else it is counted.
    pub(crate) fn admits_stranger(&self, millis: i64) -> bool {
        let second = millis.div_euclid(1_000);
        let mut bucket = lock(&self.strangers);
        // A clock that was put back, or a call that comes late to the lock, gains nothing.
        let passed = u32::try_from(second.saturating_sub(bucket.second).max(0)).unwrap_or(u32::MAX);
        let gained = passed.saturating_mul(limits::AUDIT_STRANGERS_PER_SECOND);
        bucket.left = bucket.left.saturating_add(gained).min(limits::AUDIT_STRANGERS_BURST);
        bucket.second = second;
        match bucket.left.checked_sub(1) {
            Some(left) => {
                bucket.left = left;
                true
            }
            None => {
                self.suppressed.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    pub(crate) fn set_anchor(&self, anchor: Anchor) {
        *lock(&self.anchor) = Some(anchor);
    }

    pub(crate) fn anchor(&self) -> Option<Anchor> {
        lock(&self.anchor).clone()
    }

    pub(crate) fn epoch(&self) -> Arc<()> {
        Arc::clone(&lock(&self.epoch))
    }

    /// The epoch of the calls that are under way; later ones are of another.
    pub(crate) fn turn_epoch(&self) -> Arc<()> {
        mem::take(&mut *lock(&self.epoch))
    }
}
