//! The log as calls see it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use pawl_core::limits;
use pawl_core::world::Clock;

use crate::key::{AuditKey, PublicKey};
use crate::note::Anchor;
use crate::opening::{holds, last_line, make, publish};
use crate::place::PUBLIC_KEY_FILE;
use crate::queue::{Batch, Shared};
use crate::syncer::Syncer;
use crate::writer::{Head, Writer};

/// With what a log is opened.
pub struct Options {
    /// The directory of all hosts' logs: `DIR/audit`.
    pub dir: PathBuf,
    /// The host's id.
    pub host: String,
    /// What signs.
    pub key: AuditKey,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Days for which segments are kept; none: for ever.
    pub retention_days: Option<u32>,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// What the store knows of the log's end.
    pub anchor: Option<Anchor>,
}

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file or directory.
    #[error("the audit log: `{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Where it leads could be changed without touching it.
    #[error(
        "the audit log: `{path}` is a symbolic link; name the directory that holds all hosts' logs with --audit-dir"
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Anybody could rename and remove segments.
    #[error("the audit log: everybody may write to `{path}` (mode {mode:03o}); run `chmod o-w` on it")]
    TooOpen {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Nothing can be written now, so nothing may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct Unwritable;

/// The log of a host. Cheap to ask; one thread writes.
pub struct AuditLog {
    shared: Arc<Shared>,
    clock: ClockOf,
    public: Option<PublicKey>,
    dir: PathBuf,
    writer: Option<Arc<Mutex<Writer>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditLog").field("dir", &self.dir).finish_non_exhaustive()
    }
}

struct ClockOf(Option<Arc<dyn Clock>>);

/// What was found when a log was opened.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: AuditLog,
    /// The end of what this start has written: the store is to know of it before any call is answered.
    pub began: Anchor,
    /// Bytes of a line that was never finished.
    pub unfinished_bytes: u64,
    /// What is missing, if the store knows of a line that was not found: that line's number, and up to which there are lines. Where
    /// there are as many, another line has its number.
    pub missing: Option<(u64, u64)>,
}

/// Records that were handed in.
#[must_use = "what is not waited for may not be on the disk"]
pub struct Receipt(Option<Handed>);

struct Handed {
    batch: Arc<Batch>,
    /// Who writes them, if the call may do it itself and nobody else was asked to.
    own: Option<(Arc<Mutex<Writer>>, Arc<Shared>)>,
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receipt")
    }
}

impl Handed {
    /// Writes them together with those of the calls that this thread can go on with now; none when it is left to the thread.
    async fn write(&mut self) -> Option<bool> {
        for _ in 0..limits::AUDIT_INLINE_TURNS {
            tokio::task::yield_now().await;
            if let Some(outcome) = self.batch.outcome() {
                self.own = None;
                return Some(outcome);
            }
            let (writer, _) = self.own.as_ref()?;
            let written = match writer.try_lock() {
                Ok(mut writer) => writer.write_inline(),
                // Whoever writes now may have taken them.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Poisoned(_)) => false,
            };
            let outcome = self.batch.outcome();
            if !written || outcome.is_some() {
                return outcome.inspect(|_| self.own = None);
            }
        }
        None
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some((_, shared)) = self.own.take() {
            shared.wake_writer();
        }
    }
}

impl Receipt {
    /// Waits until they are on the disk, or with the system, as it was handed in.
    ///
    /// # Errors
    /// When they are not, and will not be.
    pub async fn written(self) -> Result<(), Unwritable> {
        let Some(mut handed) = self.0 else { return Ok(()) };
        let mut outcome = if handed.own.is_some() { handed.write().await } else { None };
        if outcome.is_none() {
            let batch = Arc::clone(&handed.batch);
            drop(handed);
            outcome = Some(batch.wait().await);
        }
        if outcome == Some(true) { Ok(()) } else { Err(Unwritable) }
    }
}

/// A call that is under way. One that is dropped without [`InFlight::recorded`] leaves the log incomplete, and is looked for.
#[derive(Debug)]
pub struct InFlight {
    shared: Arc<Shared>,
    epoch: Option<Arc<()>>,
    recorded: bool,
}

impl InFlight {
    /// Its record is on the disk, or nothing has to be recorded.
    pub const fn recorded(&mut self) {
        self.recorded = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.recorded && self.epoch.is_some() {
            self.shared.unrecorded.store(true, Ordering::Release);
        }
    }
}

/// How the log is, for those who watch.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Why nothing can be written; none when it can.
    pub failure: Option<String>,
    /// Records that were written.
    pub records: u64,
    /// Writes to the disk, each of many records.
    pub writes: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// How often writing has failed.
    pub failures: u64,
    /// Calls that were refused because nothing could be written.
    pub refused: u64,
    /// Microseconds that writes took, all together.
    pub write_micros: u64,
}

impl AuditLog {
    /// Opens the log of a host, and begins a new segment of it.
    ///
    /// # Errors
    /// When a directory or file cannot be read or written.
    pub fn open(options: Options) -> Result<Opened, LogError> {
        Self::open_on(options, File::sync_data)
    }

    /// [`AuditLog::open`] with a disk of the caller's, for tests of disks that fail or hang.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn open_on(options: Options, sync: fn(&File) -> io::Result<()>) -> Result<Opened, LogError> {
        let dir = options.dir.join(&options.host);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| LogError::Io { path, source }
        };
        make(&options.dir, &dir)?;
        let public = options.key.public();
        publish(&options.dir, &public).map_err(io(&options.dir.join(PUBLIC_KEY_FILE)))?;
        let found = last_line(&dir)?;
        let (mut seq, mut segment) = (found.seq, found.segment);
        let missing = match &options.anchor {
            Some(anchor) if !holds(&dir, anchor).map_err(io(&dir))? => {
                // Numbers are never given twice.
                (seq, segment) = (seq.max(anchor.seq), segment.max(anchor.segment));
                Some((anchor.seq, found.seq))
            }
            _ => None,
        };
        let head = Head { segment, seq, hash: found.hash, len: 0, uncovered: 0 };
        let shared = Arc::new(Shared::new());
        let (clock, dir_kept, path) = (Arc::clone(&options.clock), options.dir.clone(), dir.clone());
        let syncer = Syncer::start(Arc::clone(&shared), Arc::clone(&clock), sync).map_err(io(&path))?;
        let mut writer = Writer::new(Arc::clone(&shared), options, dir, head, (syncer, sync));
        let begun = writer.begin(found.unfinished_bytes, missing);
        begun.map_err(io(&path))?;
        let end = last_line(&path)?;
        let began = Anchor::of(end.segment, end.seq, &end.hash);
        let writer = Arc::new(Mutex::new(writer));
        let (of_thread, shared_too) = (Arc::clone(&writer), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || Writer::run(&of_thread, &shared_too)).map_err(io(&path))?;
        let log = Self {
            shared,
            clock: ClockOf(Some(clock)),
            public: Some(public),
            dir: dir_kept,
            writer: Some(writer),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Opened { log, began, unfinished_bytes: found.unfinished_bytes, missing })
    }

    /// A log that writes nothing: for benches, and for what has no data directory.
    #[must_use]
    pub fn off() -> Self {
        let shared = Arc::new(Shared::new());
        let clock = ClockOf(None);
        Self { shared, clock, public: None, dir: PathBuf::new(), writer: None, thread: Mutex::new(None) }
    }

    /// Whether anything is written.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.public.is_some()
    }

    /// Where the logs of all hosts are, as far as they are here.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A call begins. One that may change something is followed to its end.
    ///
    /// # Errors
    /// When nothing can be written: then nothing must be done either.
    pub fn begin(&self, may_change: bool) -> Result<InFlight, Unwritable> {
        if self.shared.is_failing() {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Unwritable);
        }
        let shared = Arc::clone(&self.shared);
        Ok(InFlight { epoch: may_change.then(|| shared.epoch()), shared, recorded: false })
    }

    /// Whether records can be written, as far as is known.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(&self) -> Result<(), Unwritable> {
        if self.shared.is_failing() { Err(Unwritable) } else { Ok(()) }
    }

    /// Hands in records, each a JSON object.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn submit(&self, records: &[&[u8]]) -> Result<Receipt, Unwritable> {
        self.hand_in(records, true)
    }

    /// [`AuditLog::submit`] for what has changed nothing: its receipt comes when the system has the records, which outlives this
    /// process, and the disk has them `AUDIT_SYNC_EVERY` later.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn submit_read(&self, records: &[&[u8]]) -> Result<Receipt, Unwritable> {
        self.hand_in(records, false)
    }

    fn hand_in(&self, records: &[&[u8]], durable: bool) -> Result<Receipt, Unwritable> {
        let Some(writer) = &self.writer else { return Ok(Receipt(None)) };
        let batch = self.shared.submit(records, durable).ok_or(Unwritable)?;
        let own = (!durable).then(|| (Arc::clone(writer), Arc::clone(&self.shared)));
        Ok(Receipt(Some(Handed { batch, own })))
    }

    /// Whether the refusal of somebody whom nobody knows is written down, or only counted: whoever floods the host with such calls
    /// must not fill its disk.
    #[must_use]
    pub fn admits_stranger(&self) -> bool {
        self.clock.0.as_ref().is_none_or(|clock| self.shared.admits_stranger(clock.wall().millis()))
    }

    /// The end of what is signed.
    #[must_use]
    pub fn anchor(&self) -> Option<Anchor> {
        self.shared.anchor()
    }

    /// A place in the log before everything that is handed in from now on: the segment, and the number of a line.
    #[must_use]
    pub fn position(&self) -> (u64, u64) {
        // In this order: a segment that is too early does no harm.
        let segment = self.shared.segment.load(Ordering::Acquire);
        (segment, self.shared.seq.load(Ordering::Acquire))
    }

    /// The calls that are under way: they have ended when nobody else holds it.
    #[must_use]
    pub fn turn_epoch(&self) -> Arc<()> {
        self.shared.turn_epoch()
    }

    /// Whether a call has ended without its record since this was asked last.
    #[must_use]
    pub fn take_unrecorded(&self) -> bool {
        self.shared.unrecorded.swap(false, Ordering::AcqRel)
    }

    /// To be looked for again: see [`AuditLog::take_unrecorded`].
    pub fn note_unrecorded(&self) {
        self.shared.unrecorded.store(true, Ordering::Release);
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> State {
        let get = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        let shared = &self.shared;
        State {
            failure: shared.failure().or_else(|| self.stalled()),
            records: get(&shared.records),
            writes: get(&shared.writes),
            bytes: get(&shared.bytes),
            failures: get(&shared.failures),
            refused: get(&shared.refused),
            write_micros: get(&shared.write_micros),
        }
    }

    fn stalled(&self) -> Option<String> {
        let shared = &self.shared;
        let begun = [&shared.writing_since, &shared.syncing_since].map(|since| since.load(Ordering::Relaxed));
        let since = begun.into_iter().filter(|since| *since != 0).min()?;
        let now = self.clock.0.as_ref()?.wall().millis();
        let most = i64::try_from(limits::AUDIT_STALLED_AFTER.as_millis()).unwrap_or(i64::MAX);
        let taken = now.saturating_sub(since);
        (taken > most).then(|| format!("a write has not ended for {taken} milliseconds"))
    }

    /// Writes what was handed in, signs it, and ends. Blocks.
    pub fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the audit log broke");
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}
