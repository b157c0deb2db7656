//! The log as calls see it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use pawl_core::limits;
use pawl_core::world::Clock;

use crate::chain::{ZERO_HASH, split};
use crate::key::{AuditKey, PublicKey};
use crate::note::Anchor;
use crate::place::{PUBLIC_KEY_FILE, segments};
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
    /// Bytes of a line that was never finished.
    pub unfinished_bytes: u64,
    /// What is missing, if the store knows of more than was found: up to which line there were lines, and up to which there are.
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
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io(&dir))?;
        let public = options.key.public();
        publish(&options.dir, &public).map_err(io(&options.dir.join(PUBLIC_KEY_FILE)))?;
        let found = last_line(&dir)?;
        let (mut seq, mut segment) = (found.seq, found.segment);
        let missing = options.anchor.as_ref().filter(|anchor| anchor.seq > found.seq);
        let missing = missing.map(|anchor| {
            // Numbers are never given twice.
            (seq, segment) = (anchor.seq, segment.max(anchor.segment));
            (anchor.seq, found.seq)
        });
        let head = Head { segment, seq, hash: found.hash, len: 0, uncovered: 0 };
        let shared = Arc::new(Shared::new());
        let (clock, dir_kept, path) = (Arc::clone(&options.clock), options.dir.clone(), dir.clone());
        let syncer = Syncer::start(Arc::clone(&shared), Arc::clone(&clock), sync).map_err(io(&path))?;
        let mut writer = Writer::new(Arc::clone(&shared), options, dir, head, (syncer, sync));
        let begun = writer.begin(found.unfinished_bytes, missing);
        begun.map_err(io(&path))?;
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
        Ok(Opened { log, unfinished_bytes: found.unfinished_bytes, missing })
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

/// The end of what is there.
struct LastLine {
    segment: u64,
    seq: u64,
    hash: [u8; 32],
    unfinished_bytes: u64,
}

/// Looks for the last whole line. Whether it is the right one is what `verify` says.
fn last_line(dir: &Path) -> Result<LastLine, LogError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| LogError::Io { path, source }
    };
    let found = segments(dir).map_err(io(dir))?;
    let segment = found.last().map_or(0, |last| last.number);
    let mut unfinished_bytes = 0;
    for (place, file) in found.iter().rev().enumerate() {
        let (line, rest) = end_of(&file.path).map_err(io(&file.path))?;
        if place == 0 {
            unfinished_bytes = rest;
        }
        if let Some((seq, hash)) = line {
            return Ok(LastLine { segment, seq, hash, unfinished_bytes });
        }
    }
    Ok(LastLine { segment, seq: 0, hash: ZERO_HASH, unfinished_bytes })
}

/// The number and hash of a file's last line, and the bytes that come after its last line feed.
#[expect(clippy::type_complexity, reason = "a pair of what there is and what is too much")]
fn end_of(path: &Path) -> io::Result<(Option<(u64, [u8; 32])>, u64)> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut window = 64 * 1024;
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = bytes.split_at(whole);
        let mut lines = lines.split(|byte| *byte == b'\n').rev();
        if let Some(line) = lines.find_map(split) {
            return Ok((Some((line.seq, line.hash)), u64::try_from(rest.len()).unwrap_or(u64::MAX)));
        }
        if from == 0 {
            return Ok((None, u64::try_from(rest.len()).unwrap_or(u64::MAX)));
        }
        window = window.saturating_mul(8);
    }
}

/// Writes the public key where an auditor finds it.
fn publish(dir: &Path, key: &PublicKey) -> io::Result<()> {
    let path = dir.join(PUBLIC_KEY_FILE);
    if std::fs::read_to_string(&path).is_ok_and(|text| text == key.pem()) {
        return Ok(());
    }
    let partial = dir.join("public-key.partial");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(&partial)?;
    file.write_all(key.pem().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&partial, &path)
}
