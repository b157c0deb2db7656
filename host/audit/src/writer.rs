//! Writes the log: many calls' records in one write. One at a time does it: the call whose turn it is, for all who wait, or the
//! thread, where it may take long. That the disk has them is another's to wait for (`syncer`), but where the log begins, ends or tells
//! of itself.

mod retention;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pawl_core::limits;
use pawl_core::world::Timestamp;

use crate::chain::{self, Hash};
use crate::log::Options;
use crate::note::{Anchor, Note, moment};
use crate::place::Segment;
use crate::queue::{Records, Shared, Taken};
use crate::syncer::{Sync, Syncer, Wish};

/// Where the log ends.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) segment: u64,
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
    /// Bytes of the segment so far.
    pub(crate) len: u64,
    /// Lines that no checkpoint covers.
    pub(crate) uncovered: u64,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    options: Options,
    dir: PathBuf,
    /// Where the log ends on the disk.
    head: Head,
    file: Option<(Arc<File>, Segment)>,
    /// The beginning of that segment's day.
    today: Timestamp,
    syncer: Syncer,
    sync: Sync,
    records: Records,
    out: Vec<u8>,
    checkpointed: Instant,
    /// Since when the system has lines that the disk may not have.
    unsynced: Option<Instant>,
    looked_for_old: Option<Instant>,
    failed_at: Option<Timestamp>,
    /// Whether the disk may lack what the system had.
    rewrites: bool,
    /// Whether the last line was written.
    closed: bool,
    /// Refused calls of which a line tells.
    refused_noted: u64,
}

pub(crate) fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        options: Options,
        dir: PathBuf,
        head: Head,
        (syncer, sync): (Syncer, Sync),
    ) -> Self {
        Self {
            shared,
            options,
            dir,
            head,
            file: None,
            today: Timestamp::from_millis(i64::MIN),
            syncer,
            sync,
            records: Records::default(),
            out: Vec::new(),
            checkpointed: Instant::now(),
            unsynced: None,
            looked_for_old: None,
            failed_at: None,
            rewrites: false,
            closed: false,
            refused_noted: 0,
        }
    }

    fn now(&self) -> Timestamp {
        self.options.clock.wall()
    }

    /// Begins the first segment of this process.
    pub(crate) fn begin(&mut self, unfinished: u64, missing: Option<(u64, u64)>) -> io::Result<()> {
        self.next_segment("start", unfinished)?;
        if let Some((written_through, found_through)) = missing {
            let at = moment(self.now());
            self.write_notes(&[Note::Missing { written_through, found_through, at }])?;
        }
        Ok(())
    }

    /// The thread: what calls do not write themselves, and what is to be done when nobody calls.
    pub(crate) fn run(writer: &Mutex<Self>, shared: &Shared) {
        loop {
            let patience = lock(writer).patience();
            shared.sleep(patience);
            if lock(writer).turn() {
                return;
            }
        }
    }

    /// Writes what there is; whether that was the end.
    fn turn(&mut self) -> bool {
        let mut records = mem::take(&mut self.records);
        let taken = self.shared.take(&mut records);
        if self.failed_at.is_none()
            && let Some(error) = self.syncer.take_failure()
        {
            self.rewrites = true;
            self.fail(&error);
        }
        if self.failed_at.is_some() {
            taken.refuse();
            self.recover();
        } else {
            self.write(&records, &taken);
            self.retire_old();
        }
        self.records = records;
        self.closed = taken.closing;
        taken.closing
    }

    fn write(&mut self, records: &Records, taken: &Taken) {
        match self.write_all(records, taken) {
            Ok(()) => taken.written.finish(true),
            Err(error) => {
                taken.refuse();
                self.fail(&error);
            }
        }
    }

    /// A call writes its record itself, with those of others who wait: no thread has to be woken for it. Not when that might take
    /// long: then it is for the thread.
    pub(crate) fn write_inline(&mut self) -> bool {
        let at_hand = self.file.is_some() && self.head.len < self.options.segment_bytes;
        if !at_hand
            || self.closed
            || self.failed_at.is_some()
            || self.day_is_over()
            || self.syncer.is_troubled()
        {
            return false;
        }
        let was_synced = self.unsynced.is_none();
        let mut records = mem::take(&mut self.records);
        let taken = self.shared.take(&mut records);
        // The log is ended by the thread.
        self.write(&records, &Taken { closing: false, ..taken });
        self.records = records;
        if self.failed_at.is_some() || (was_synced && self.unsynced.is_some()) {
            self.shared.wake_writer();
        }
        true
    }

    fn day_is_over(&self) -> bool {
        self.today != self.now().day()
    }

    /// How long nothing has to be done when nobody asks for it.
    fn patience(&self) -> Duration {
        if self.failed_at.is_some() {
            return limits::AUDIT_RETRY_EVERY;
        }
        if let Some(since) = self.unsynced {
            return limits::AUDIT_SYNC_EVERY.saturating_sub(since.elapsed());
        }
        if self.head.uncovered == 0 && self.shared.suppressed.load(Ordering::Relaxed) == 0 {
            return limits::AUDIT_RETENTION_EVERY;
        }
        limits::AUDIT_CHECKPOINT_EVERY.saturating_sub(self.checkpointed.elapsed())
    }

    fn write_all(&mut self, records: &Records, taken: &Taken) -> io::Result<()> {
        let closing = taken.closing;
        self.syncer.keep_up();
        self.look_at_file()?;
        let full = self.head.len >= self.options.segment_bytes;
        if self.file.is_none() || full || self.day_is_over() {
            let because = if full { "size" } else { "day" };
            self.close_segment()?;
            self.next_segment(because, 0)?;
        }
        let mut head = self.head.clone();
        self.out.clear();
        for record in records.iter() {
            self.line(&mut head, record);
            if head.uncovered >= limits::AUDIT_CHECKPOINT_RECORDS {
                self.checkpoint(&mut head, false);
            }
        }
        if closing || self.checkpointed.elapsed() >= limits::AUDIT_CHECKPOINT_EVERY {
            let calls = self.shared.suppressed.swap(0, Ordering::Relaxed);
            if calls > 0 {
                let note = Note::Suppressed { calls, at: moment(self.now()) };
                self.line(&mut head, &note.to_json());
            }
            if head.uncovered > 0 || closing {
                self.checkpoint(&mut head, closing);
            }
            self.checkpointed = Instant::now();
        }
        let late = self.unsynced.is_some_and(|since| since.elapsed() >= limits::AUDIT_SYNC_EVERY);
        // The store is told of a checkpoint, and must not know of an end that the disk does not have.
        let signed = head.uncovered == 0 && !self.out.is_empty();
        if closing {
            self.put_for_good(head)?;
            if let Some(durable) = &taken.durable {
                durable.finish(true);
            }
        } else {
            self.put(head)?;
            if late || signed || taken.durable.is_some() {
                self.ask_for_disk(signed, taken);
            }
        }
        let count = u64::try_from(records.ends.len()).unwrap_or(u64::MAX);
        self.shared.records.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    fn line(&mut self, head: &mut Head, record: &[u8]) {
        head.seq += 1;
        head.hash = chain::append(&mut self.out, record, head.seq, &head.hash);
        head.uncovered += 1;
    }

    fn checkpoint(&mut self, head: &mut Head, closed: bool) {
        let (host, at, hash) = (self.options.host.clone(), moment(self.now()), hex::encode(head.hash));
        let text = Note::signed_text(&host, head.segment, head.seq, &hash, &at, closed);
        let signature = self.options.key.sign(text.as_bytes());
        let (segment, through) = (head.segment, head.seq);
        let note = Note::Checkpoint { host, segment, through, head: hash, at, closed, signature };
        self.line(head, &note.to_json());
        head.uncovered = 0;
    }

    /// Writes what was put together; only then is the log's end where `head` says.
    fn put(&mut self, mut head: Head) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let Some((file, _)) = &self.file else { return Err(io::Error::from(ErrorKind::NotFound)) };
        let began = Instant::now();
        self.shared.writing_since.store(self.options.clock.wall().millis(), Ordering::Relaxed);
        let written = (&**file).write_all(&self.out);
        self.shared.writing_since.store(0, Ordering::Relaxed);
        written?;
        let bytes = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        head.len = head.len.saturating_add(bytes);
        let shared = &self.shared;
        shared.writes.fetch_add(1, Ordering::Relaxed);
        shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unsynced.get_or_insert(began);
        self.head = head;
        Ok(())
    }

    /// Has the disk take what was written.
    fn ask_for_disk(&mut self, signed: bool, taken: &Taken) {
        let Some((file, _)) = &self.file else { return };
        let head = &self.head;
        self.syncer.ask(Wish {
            file: Arc::clone(file),
            segment: head.segment,
            seq: head.seq,
            len: head.len,
            anchor: signed.then(|| Anchor::of(head.segment, head.seq, &head.hash)),
            waiting: taken.durable.iter().cloned().collect(),
        });
        self.unsynced = None;
    }

    /// [`Writer::put`], and waits until the disk has it and all before.
    fn put_for_good(&mut self, head: Head) -> io::Result<()> {
        self.syncer.settle().inspect_err(|_| self.rewrites = true)?;
        let before = self.head.clone();
        self.put(head)?;
        let Some((file, _)) = &self.file else { return Err(io::Error::from(ErrorKind::NotFound)) };
        let began = Instant::now();
        self.shared.syncing_since.store(self.options.clock.wall().millis(), Ordering::Relaxed);
        let synced = (self.sync)(file);
        self.shared.syncing_since.store(0, Ordering::Relaxed);
        if let Err(error) = synced {
            // It is written anew by the next try; what was there before may be missing on the disk now.
            (self.head, self.rewrites) = (before, true);
            return Err(error);
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (shared, head) = (&self.shared, &self.head);
        shared.write_micros.fetch_add(took, Ordering::Relaxed);
        self.syncer.note_synced(head.segment, head.len);
        if head.uncovered == 0 {
            shared.set_anchor(Anchor::of(head.segment, head.seq, &head.hash));
        }
        shared.seq.store(head.seq, Ordering::Release);
        shared.segment.store(head.segment, Ordering::Release);
        self.unsynced = None;
        Ok(())
    }

    /// Writes notes and a checkpoint after them.
    fn write_notes(&mut self, notes: &[Note]) -> io::Result<()> {
        self.out.clear();
        let mut head = self.head.clone();
        for note in notes {
            self.line(&mut head, &note.to_json());
        }
        self.checkpoint(&mut head, false);
        self.put_for_good(head)
    }

    /// Ends the segment with a checkpoint that says so.
    fn close_segment(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            self.out.clear();
            let mut head = self.head.clone();
            self.checkpoint(&mut head, true);
            self.put_for_good(head)?;
            self.file = None;
        }
        Ok(())
    }

    /// Makes the next segment's file, with its first line.
    fn next_segment(&mut self, because: &str, unfinished_bytes: u64) -> io::Result<()> {
        let now = self.now();
        let segment = Segment::new(&self.dir, self.head.segment + 1, now);
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&segment.path)?;
        self.today = now.day();
        let mut head = Head { segment: segment.number, len: 0, uncovered: 0, ..self.head.clone() };
        let note = Note::Segment {
            version: 1,
            host: self.options.host.clone(),
            segment: segment.number,
            at: moment(now),
            previous_hash: hex::encode(head.hash),
            public_key: self.options.key.public().hex(),
            because: because.to_owned(),
            unfinished_bytes,
        };
        let path = segment.path.clone();
        self.file = Some((Arc::new(file), segment));
        self.out.clear();
        self.line(&mut head, &note.to_json());
        let begun = self.put_for_good(head).and_then(|()| File::open(&self.dir)?.sync_all());
        if begun.is_err() {
            // Nothing was recorded in it; the next try makes it again.
            self.file = None;
            let _ = std::fs::remove_file(path);
        }
        begun
    }

    /// Whether the file is still what was written: removed, replaced, cut or added to by somebody else, it is left as it is, and
    /// the log goes on in a new segment, which says so.
    fn look_at_file(&mut self) -> io::Result<()> {
        let Some((file, segment)) = &self.file else { return Ok(()) };
        let ours = file.metadata()?;
        let what = match std::fs::metadata(&segment.path) {
            Ok(there) if there.ino() != ours.ino() || there.dev() != ours.dev() => {
                "another file is in its place".to_owned()
            }
            Ok(_) if ours.len() != self.head.len => {
                format!("it has {} bytes, and {} were written", ours.len(), self.head.len)
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => "it was removed".to_owned(),
            Err(error) => return Err(error),
        };
        let path = segment.path.display().to_string();
        tracing::error!(path, what, "a segment of the audit log was changed by somebody else");
        self.file = None;
        self.next_segment("disturbed", 0)?;
        let at = moment(self.now());
        self.write_notes(&[Note::Disturbed {
            what: format!("segment {}: {what}", self.head.segment - 1),
            at,
        }])
    }

    fn fail(&mut self, error: &io::Error) {
        tracing::error!(%error, "the audit log cannot be written: no call is answered until it can");
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        self.shared.unrecorded.store(true, Ordering::Release);
        self.shared.fail(error.to_string());
        self.failed_at = Some(self.now());
        self.cut_back();
    }

    /// Takes away what was written only in part.
    fn cut_back(&mut self) {
        if let Some((file, _)) = &self.file
            && file.metadata().is_ok_and(|there| there.len() > self.head.len)
            && let Err(error) = file.set_len(self.head.len)
        {
            tracing::warn!(%error, "a part of a line stays in the audit log; the next segment says so");
        }
    }

    /// Tries to write again: a note of what was not recorded.
    fn recover(&mut self) {
        let Some(failed_at) = self.failed_at else { return };
        self.cut_back();
        if !self.has_room() {
            return;
        }
        let total = self.shared.refused.load(Ordering::Relaxed);
        let refused = total.saturating_sub(self.refused_noted);
        let written = match &self.file {
            Some(_) => self.look_at_file(),
            None => self.next_segment("failure", 0),
        };
        let written = written.and_then(|()| self.rewrite()).and_then(|()| {
            let (at, failed_at) = (moment(self.now()), moment(failed_at));
            self.write_notes(&[Note::Resumed { failed_at, at, refused }])
        });
        match written {
            Ok(()) => {
                tracing::warn!(
                    calls = refused,
                    "the audit log can be written again; calls were refused meanwhile"
                );
                self.refused_noted = total;
                self.failed_at = None;
                self.shared.recovered();
            }
            Err(error) => {
                tracing::debug!(%error, "the audit log cannot be written yet");
                self.shared.fail(error.to_string());
                self.cut_back();
            }
        }
    }

    /// Gives the disk once more what it may not have taken: a system that could not write its pages may hold them for clean, and would
    /// say well of the next sync.
    fn rewrite(&mut self) -> io::Result<()> {
        let Some((_, segment)) = self.file.as_ref().filter(|_| self.rewrites) else { return Ok(()) };
        let file = OpenOptions::new().read(true).write(true).open(&segment.path)?;
        let mut from = self.syncer.synced(segment.number);
        let mut bytes = Vec::new();
        while from < self.head.len {
            let left = usize::try_from(self.head.len - from).unwrap_or(usize::MAX);
            bytes.resize(left.min(limits::AUDIT_REWRITE_BYTES), 0);
            file.read_exact_at(&mut bytes, from)?;
            file.write_all_at(&bytes, from)?;
            from = from.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        (self.sync)(&file)?;
        self.syncer.note_synced(segment.number, self.head.len);
        self.rewrites = false;
        Ok(())
    }

    /// Whether the disk has room for more than the next line: else it would fail again at once.
    fn has_room(&self) -> bool {
        let free = rustix::fs::statvfs(&self.dir).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        free.is_ok_and(|free| free >= limits::AUDIT_ROOM_BYTES)
    }
}
