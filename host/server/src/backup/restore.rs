//! `pawl restore`.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::Clock;
use pawl_store::{
    ApprovalRow, ArchivedEntity, ArchivedFunction, ArchivedRotation, ArchivedSecret, Entry, HALT,
    ImportError, Piece, SealedVersion, Store, StoredCode,
};
use tokio::sync::mpsc;

use super::drift::Drift;
use super::examine::{Examined, examine};
use super::file::Source;
use super::line::{Content, Counts, Header, Line, append};
use super::place::Place;
use super::{BackupError, Progress};
use crate::epoch;
use crate::root_key::RootKeys;
use crate::start::directory::lock;
use crate::world::{SystemClock, SystemRng};

/// A backup that was restored.
#[derive(Debug)]
pub struct Restored {
    /// What it is of.
    pub header: Header,
    /// What the store holds now.
    pub counts: Counts,
    /// Secrets whose AWSCURRENT may be older than the password that their database has.
    pub drift: Vec<Drift>,
}

/// Fills the empty store at `place` with the backup `from`: all of it, or nothing. Every value is opened before anything is
/// written, unless `verify` is false, and the store is read back before it may be served. `witness` is the data directory of the
/// host that is to serve it.
///
/// # Errors
/// When nothing was restored, or what was is not what the backup holds; such a store is not served.
pub async fn restore(
    place: &Place,
    witness: Option<&Path>,
    roots: &Arc<RootKeys>,
    from: &Path,
    verify: bool,
    progress: Progress,
) -> Result<Restored, BackupError> {
    let now = SystemClock::default().wall();
    let mut examined = blocking({
        let (from, roots, progress) = (from.to_owned(), roots.clone(), progress.clone());
        move || examine(&from, &roots, verify, now, &progress)
    })
    .await?;
    examined.must_be_sound("use another backup, or restore this one as it is with --no-verify")?;

    // The host of an embedded store is the one whose directory it is in.
    let witness = place.directory().map(PathBuf::as_path).or(witness);
    let _lock = witness.map(hold).transpose()?;
    let store = place.to_write().await?;
    let outcome = fill(&store, &examined, from, roots.clone(), &progress).await;
    let outcome = match outcome {
        Ok(counts) => serve_again(&*store, &examined, witness, now).await.map(|()| counts),
        Err(error) => Err(error),
    };
    store.close().await;
    let Examined { header, drift, .. } = examined;
    Ok(Restored { header, counts: outcome?, drift })
}

/// Makes the data directory and takes its lock.
pub(super) fn hold(dir: &Path) -> Result<File, BackupError> {
    let io = |source| BackupError::Io { path: dir.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    lock(dir).map_err(|error| match error {
        crate::start::ServeError::Io { path, source } => BackupError::Io { path, source },
        _ => BackupError::InUse(dir.to_owned()),
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| BackupError::Broken("a part of it panicked"))?
}

async fn fill(
    store: &Arc<dyn Store>,
    examined: &Examined,
    from: &Path,
    roots: Arc<RootKeys>,
    progress: &Progress,
) -> Result<Counts, BackupError> {
    let (pieces, receiver) = mpsc::channel(limits::ARCHIVE_PAGES_AHEAD);
    let feeding = tokio::spawn(blocking({
        let (from, progress) = (PathBuf::from(from), progress.clone());
        move || feed(&from, &roots, &pieces, &progress)
    }));
    let imported = store.import(receiver).await;
    let fed = feeding.await.map_err(|_| BackupError::Broken("the reader of a backup panicked"))?;
    match imported {
        Ok(()) => {}
        // Why it ended too early is known here.
        Err(ImportError::Incomplete) => {
            fed?;
            return Err(ImportError::Incomplete.into());
        }
        Err(error) => return Err(error.into()),
    }
    let (in_file, given) = fed?;
    if in_file != examined.counts {
        return Err(BackupError::Differs { given: examined.counts.digest.clone(), found: in_file.digest });
    }
    same(&given, &digest(&**store, limits::IMPORT_EPOCHS, "reading back", progress).await?)?;
    Ok(given)
}

pub(super) fn same(given: &Counts, found: &Counts) -> Result<(), BackupError> {
    if given == found {
        return Ok(());
    }
    Err(BackupError::Differs { given: given.digest.clone(), found: found.digest.clone() })
}

/// Reads the store and says what is in it, as if the epochs of its leases had never been raised.
pub(super) async fn digest(
    store: &dyn Store,
    epochs_raised: u64,
    what: &'static str,
    progress: &Progress,
) -> Result<Counts, BackupError> {
    let (to, mut pieces) = mpsc::channel(limits::ARCHIVE_PAGES_AHEAD);
    let progress = progress.clone();
    let digesting = tokio::spawn(blocking(move || {
        let mut content = Content::with_epochs_raised(epochs_raised);
        let (mut lines, mut ended) = (Vec::new(), false);
        while let Some(piece) = pieces.blocking_recv() {
            ended = piece == Piece::End;
            lines.clear();
            content
                .lines(piece, &mut lines)
                .map_err(|_| BackupError::Broken("a line that cannot be written"))?;
            progress(what, content.secrets());
        }
        if ended { Ok(content.counts()) } else { Err(BackupError::Broken("an export that has no end")) }
    }));
    store.export(to).await.map_err(BackupError::Read)?;
    digesting.await.map_err(|_| BackupError::Broken("a part of it panicked"))?
}

/// Sends the pieces of a backup; the last only if everything before it is what was written. Answers what was in the file, and
/// what that is in this program's own form.
fn feed(
    from: &Path,
    roots: &RootKeys,
    to: &mpsc::Sender<Piece>,
    progress: &Progress,
) -> Result<(Counts, Counts), BackupError> {
    let mut source = Source::open(from, roots)?;
    let (mut given, mut scratch) = (Content::default(), Vec::new());
    let mut feed = Feed { to, page: Page::None, rows: 0, bytes: 0, taken: true };
    feed.send(Piece::Begin { schema: source.header.schema });
    while let Some(line) = source.next()? {
        scratch.clear();
        append(&line, &mut scratch).map_err(|_| BackupError::Broken("a line that cannot be written"))?;
        given.count(&line, &scratch);
        feed.line(line, scratch.len());
        if !feed.taken {
            // When nobody takes any more, whoever did says why.
            break;
        }
        progress("restoring", given.secrets());
    }
    feed.flush();
    feed.send(Piece::End);
    Ok((source.counts(), given.counts()))
}

/// Lines on their way to a store, gathered to pages.
struct Feed<'a> {
    to: &'a mpsc::Sender<Piece>,
    page: Page,
    rows: usize,
    bytes: usize,
    taken: bool,
}

enum Page {
    None,
    Code(StoredCode),
    Functions(Vec<ArchivedFunction>),
    Approvals(Vec<ApprovalRow>),
    Entities(Vec<ArchivedEntity>),
    Secrets(Vec<ArchivedSecret>),
    Rotations(Vec<ArchivedRotation>),
    Audit(Vec<Entry>),
    Events(Vec<Entry>),
}

impl Feed<'_> {
    fn send(&mut self, piece: Piece) {
        self.taken = self.taken && self.to.blocking_send(piece).is_ok();
    }

    fn flush(&mut self) {
        (self.rows, self.bytes) = (0, 0);
        match std::mem::replace(&mut self.page, Page::None) {
            Page::None => {}
            Page::Code(code) => self.send(Piece::Code(code)),
            Page::Functions(page) => self.send(Piece::Functions(page)),
            Page::Approvals(page) => self.send(Piece::Approvals(page)),
            Page::Entities(page) => self.send(Piece::Entities(page)),
            Page::Secrets(page) => self.send(Piece::Secrets(page)),
            Page::Rotations(page) => self.send(Piece::Rotations(page)),
            Page::Audit(page) => self.send(Piece::Audit(page)),
            Page::Events(page) => self.send(Piece::Events(page)),
        }
    }

    fn line(&mut self, line: Line, bytes: usize) {
        let full = self.rows >= limits::ARCHIVE_PAGE_ROWS || self.bytes >= limits::ARCHIVE_PAGE_BYTES;
        if full && !matches!(line, Line::Version(_) | Line::CodePart(_)) {
            self.flush();
        }
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        match (line, &mut self.page) {
            (Line::CodePart(part), Page::Code(code)) => code.component.extend_from_slice(&part.0),
            (Line::Function(function), Page::Functions(page)) => page.push((*function).into()),
            (Line::Approval(approval), Page::Approvals(page)) => page.push(approval.into()),
            (Line::Entity(entity), Page::Entities(page)) => page.push((*entity).into()),
            (Line::Secret(secret), Page::Secrets(page)) => page.push(secret.archived()),
            (Line::Version(version), Page::Secrets(page)) => {
                if let Some(secret) = page.last_mut() {
                    secret.values.push(SealedVersion::from(version));
                }
            }
            (Line::Rotation(rotation), Page::Rotations(page)) => page.push((*rotation).into()),
            (Line::Audit(entry), Page::Audit(page)) | (Line::Event(entry), Page::Events(page)) => {
                page.push(entry.into());
            }
            (line, _) => {
                self.flush();
                match line {
                    Line::Keyring(wrapped) => self.send(Piece::Keyring(wrapped.0)),
                    Line::Setting(setting) => self.send(setting.into()),
                    Line::Code(code) => self.page = Page::Code(code.stored()),
                    Line::Function(function) => self.page = Page::Functions(vec![(*function).into()]),
                    Line::Approval(approval) => self.page = Page::Approvals(vec![approval.into()]),
                    Line::Entity(entity) => self.page = Page::Entities(vec![(*entity).into()]),
                    Line::Secret(secret) => self.page = Page::Secrets(vec![secret.archived()]),
                    Line::Rotation(rotation) => self.page = Page::Rotations(vec![(*rotation).into()]),
                    Line::Audit(entry) => self.page = Page::Audit(vec![entry.into()]),
                    Line::Event(entry) => self.page = Page::Events(vec![entry.into()]),
                    // A value of no secret, a part of no code: what is read back will differ.
                    Line::Version(_)
                    | Line::CodePart(_)
                    | Line::Backup(_)
                    | Line::Counts(_)
                    | Line::Mac(_) => {}
                }
            }
        }
    }
}

/// Says what the store is now, and lets it be served.
async fn serve_again(
    store: &dyn Store,
    examined: &Examined,
    witness: Option<&Path>,
    now: pawl_core::world::Timestamp,
) -> Result<(), BackupError> {
    epoch::restored(store, &examined.keyring, witness, examined.header.created_at, now, &SystemRng).await?;
    store.put_meta(HALT, b"").await.map_err(BackupError::Write)
}
