//! The one thread that waits for the disk, so that the writer does not, and calls that only read need not.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use pawl_core::limits;
use pawl_core::world::Clock;

use crate::note::Anchor;
use crate::queue::{Batch, Shared};

/// What makes a file durable: `File::sync_data`, but for tests.
pub(crate) type Sync = fn(&File) -> io::Result<()>;

/// What the disk is to have.
pub(crate) struct Wish {
    pub(crate) file: Arc<File>,
    pub(crate) segment: u64,
    /// The number of the last line, and the bytes up to its end.
    pub(crate) seq: u64,
    pub(crate) len: u64,
    /// What the store may be told once it is so.
    pub(crate) anchor: Option<Anchor>,
    /// Those who wait for it.
    pub(crate) waiting: Vec<Arc<Batch>>,
}

impl Wish {
    /// A later wish includes the earlier one, of the same file.
    fn after(mut self, earlier: Self) -> Self {
        self.anchor = self.anchor.or(earlier.anchor);
        self.waiting.extend(earlier.waiting);
        self
    }

    fn end(&self, is_so: bool) {
        for batch in &self.waiting {
            batch.finish(is_so);
        }
    }
}

#[derive(Default)]
struct State {
    next: Option<Wish>,
    /// Since when the disk is busy with one.
    busy: Option<Instant>,
    failure: Option<io::Error>,
    /// The segment and its bytes that the disk has for certain.
    synced: (u64, u64),
    closing: bool,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's handle. Only the writer has one.
pub(crate) struct Syncer {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(crate) fn start(shared: Arc<Shared>, clock: Arc<dyn Clock>, sync: Sync) -> io::Result<Self> {
        let inner = Arc::new(Inner { state: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("audit-sync".to_owned());
        let thread = thread.spawn(move || run(&own, &shared, &*clock, sync))?;
        Ok(Self { inner, thread: Some(thread) })
    }

    /// Has it made so, some time soon. After a failure nothing is, until the writer has asked for the failure.
    pub(crate) fn ask(&self, wish: Wish) {
        let mut state = self.inner.lock();
        if state.failure.is_some() {
            drop(state);
            return wish.end(false);
        }
        state.next = Some(match state.next.take() {
            Some(earlier) => wish.after(earlier),
            None => wish,
        });
        drop(state);
        self.inner.changed.notify_all();
    }

    /// Waits until nothing is asked for any more.
    ///
    /// # Errors
    /// The failure that nobody has asked for.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let mut state = self.inner.lock();
        while state.next.is_some() || state.busy.is_some() {
            state = self.inner.wait(state);
        }
        state.failure.take().map_or(Ok(()), Err)
    }

    /// Whether the disk may hang, or has failed.
    pub(crate) fn is_troubled(&self) -> bool {
        let state = self.inner.lock();
        let since = state.busy.map(|since| since.elapsed());
        state.failure.is_some() || since.is_some_and(|since| since >= limits::AUDIT_INLINE_LAG_MAX)
    }

    /// Waits while the disk is too far behind. Calls are not answered meanwhile.
    pub(crate) fn keep_up(&self) {
        let mut state = self.inner.lock();
        while state.busy.is_some_and(|since| since.elapsed() >= limits::AUDIT_SYNC_LAG_MAX) {
            state = self.inner.wait(state);
        }
    }

    /// What went wrong, told once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.inner.lock().failure.take()
    }

    /// The disk has so many bytes of a segment.
    pub(crate) fn note_synced(&self, segment: u64, len: u64) {
        self.inner.lock().synced = (segment, len);
    }

    /// The bytes of a segment that the disk has for certain.
    pub(crate) fn synced(&self, segment: u64) -> u64 {
        let (of, len) = self.inner.lock().synced;
        if of == segment { len } else { 0 }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.inner.lock().closing = true;
        self.inner.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that waits for the audit log's disk broke");
        }
    }
}

fn run(inner: &Inner, shared: &Shared, clock: &dyn Clock, sync: Sync) {
    loop {
        let mut state = inner.lock();
        let wish = loop {
            if let Some(wish) = state.next.take() {
                break wish;
            }
            if state.closing {
                return;
            }
            state = inner.wait(state);
        };
        let began = Instant::now();
        state.busy = Some(began);
        drop(state);
        shared.syncing_since.store(clock.wall().millis(), Ordering::Relaxed);
        let done = sync(&wish.file);
        shared.syncing_since.store(0, Ordering::Relaxed);
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.write_micros.fetch_add(took, Ordering::Relaxed);
        let is_so = done.is_ok();
        let mut state = inner.lock();
        state.busy = None;
        let mut lost = None;
        match done {
            Ok(()) => {
                state.synced = (wish.segment, wish.len);
                if let Some(anchor) = &wish.anchor {
                    shared.set_anchor(anchor.clone());
                }
                shared.seq.store(wish.seq, Ordering::Release);
                shared.segment.store(wish.segment, Ordering::Release);
            }
            Err(error) => {
                // At once, so that no call is begun any more; the writer does the rest.
                shared.unrecorded.store(true, Ordering::Release);
                shared.fail(error.to_string());
                state.failure = Some(error);
                lost = state.next.take();
            }
        }
        drop(state);
        inner.changed.notify_all();
        wish.end(is_so);
        if !is_so {
            if let Some(lost) = lost {
                lost.end(false);
            }
            shared.wake_writer();
        }
    }
}
