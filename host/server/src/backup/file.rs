//! A backup file: written and read as a stream, and believed only when its last line says that nothing was changed.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_keyring::Keyring;
use pawl_store::Piece;
use sha2::Sha256;
use tokio::sync::mpsc;

use super::line::{Bytes, Content, Counts, FORMAT, Header, Line, Probe, append};
use super::{BackupError, Progress};
use crate::epoch;
use crate::root_key::{RootKeyError, RootKeys};

/// What the key under a file's last line is for; a new way to seal gets a new name.
const PURPOSE: &str = "backup 1";

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It does not begin as one.
    #[error("it is no backup of pawl's")]
    Other,
    /// A newer program has written it.
    #[error(
        "its format is {found} and this program knows {FORMAT}: use the pawl that wrote it, or a newer one"
    )]
    Newer {
        /// The file's.
        found: u32,
    },
    /// The root key is another one, or the record of the keys is damaged.
    #[error("its keys do not open: {0}")]
    Keys(#[from] RootKeyError),
    /// A line is not what is written there.
    #[error("line {0} is damaged; use another backup")]
    Line(u64),
    /// It has no end.
    #[error("it is cut off after line {0}; use another backup")]
    CutOff(u64),
    /// It is not what was written.
    #[error("it was changed since it was written (its authentication code is wrong); use another backup")]
    Changed,
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

pub(super) fn code(keyring: &Keyring) -> Hmac<Sha256> {
    let key = keyring.subkey(PURPOSE);
    // A key of 32 bytes, brought to the length of a block as HMAC has it.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block.iter_mut().zip(key.expose()).for_each(|(slot, byte)| *slot = *byte);
    Hmac::<Sha256>::new((&*block).into())
}

/// What is known before the first piece comes.
pub(super) struct Origin {
    pub(super) created_at: Timestamp,
    pub(super) store: Option<epoch::Mark>,
}

/// Writes all pieces to `file` and waits for the disk.
pub(super) fn write(
    path: &Path,
    file: File,
    origin: Origin,
    roots: &RootKeys,
    mut pieces: mpsc::Receiver<Piece>,
    progress: &Progress,
) -> Result<Option<(Header, Counts)>, BackupError> {
    let io = |source| BackupError::Io { path: path.to_owned(), source };
    let broken = |_| BackupError::Broken("a line that cannot be written");
    let mut out = BufWriter::with_capacity(limits::BACKUP_BUFFER_BYTES, file);
    let Some(Piece::Begin { schema }) = pieces.blocking_recv() else { return Ok(None) };
    let Some(Piece::Keyring(wrapped)) = pieces.blocking_recv() else { return Err(BackupError::NoKeys) };
    let keyring = roots.keyring(&wrapped)?;
    let mut mac = code(&keyring);
    let header = Header {
        format: FORMAT,
        pawl: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        created_at: origin.created_at,
        store: origin.store,
    };
    let (mut content, mut lines) = (Content::default(), Vec::new());
    append(&Line::Backup(header.clone()), &mut lines).map_err(broken)?;
    let mut next = Some(Piece::Keyring(wrapped));
    let mut ended = false;
    while let Some(piece) = next {
        ended = piece == Piece::End;
        content.lines(piece, &mut lines).map_err(broken)?;
        mac.update(&lines);
        out.write_all(&lines).map_err(io)?;
        lines.clear();
        progress("backing up", content.secrets());
        next = pieces.blocking_recv();
    }
    if !ended {
        return Ok(None);
    }
    let counts = content.counts();
    append(&Line::Counts(counts.clone()), &mut lines).map_err(broken)?;
    mac.update(&lines);
    append(&Line::Mac(hex::encode(mac.finalize().into_bytes())), &mut lines).map_err(broken)?;
    out.write_all(&lines).map_err(io)?;
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.sync_all().map_err(io)?;
    Ok(Some((header, counts)))
}

/// A backup that is being read. Nothing of it is proved before [`Source::next`] has answered that there is no more.
pub(super) struct Source {
    path: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    mac: Option<Hmac<Sha256>>,
    content: Content,
    pub(super) header: Header,
    pub(super) keyring: Keyring,
    wrapped: Option<Vec<u8>>,
}

impl Source {
    /// Opens a file and unlocks the keys in it.
    pub(super) fn open(path: &Path, roots: &RootKeys) -> Result<Self, BackupError> {
        let wrong = |source: FileError| BackupError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(|source| BackupError::Io { path: path.to_owned(), source })?;
        let mut lines = BufReader::with_capacity(limits::BACKUP_BUFFER_BYTES, file);
        let mut first = Vec::new();
        read_line(&mut lines, &mut first).map_err(wrong)?;
        let probe: Probe = serde_json::from_slice(&first).map_err(|_| wrong(FileError::Other))?;
        if !(1..=FORMAT).contains(&probe.backup.format) {
            return Err(wrong(FileError::Newer { found: probe.backup.format }));
        }
        let Ok(Line::Backup(header)) = serde_json::from_slice(&first) else {
            return Err(wrong(FileError::Line(1)));
        };
        let mut second = Vec::new();
        if !read_line(&mut lines, &mut second).map_err(wrong)? {
            return Err(wrong(FileError::CutOff(1)));
        }
        let keys = serde_json::from_slice(&second).map_err(|_| wrong(FileError::Line(2)))?;
        let Line::Keyring(Bytes(wrapped)) = &keys else { return Err(wrong(FileError::Line(2))) };
        let wrapped = wrapped.clone();
        let keyring = roots.keyring(&wrapped).map_err(|error| wrong(FileError::Keys(error)))?;
        let (mut mac, mut content) = (code(&keyring), Content::default());
        mac.update(&first);
        mac.update(&second);
        content.count(&keys, &second);
        Ok(Self {
            path: path.to_owned(),
            lines,
            line: second,
            number: 2,
            mac: Some(mac),
            content,
            header,
            keyring,
            wrapped: Some(wrapped),
        })
    }

    /// How many secrets were read so far.
    pub(super) const fn secrets(&self) -> u64 {
        self.content.secrets()
    }

    /// What there was, when the end has been read.
    pub(super) fn counts(&self) -> Counts {
        self.content.counts()
    }

    /// The next line of content; none at the end, when every line before has proved to be what was written.
    pub(super) fn next(&mut self) -> Result<Option<Line>, BackupError> {
        self.read().map_err(|source| BackupError::File { path: self.path.clone(), source })
    }

    fn read(&mut self) -> Result<Option<Line>, FileError> {
        if let Some(wrapped) = self.wrapped.take() {
            return Ok(Some(Line::Keyring(Bytes(wrapped))));
        }
        let line = self.line()?;
        match line {
            Line::Setting(_)
            | Line::Code(_)
            | Line::CodePart(_)
            | Line::Function(_)
            | Line::Approval(_)
            | Line::Entity(_)
            | Line::Secret(_)
            | Line::Version(_)
            | Line::Rotation(_)
            | Line::Audit(_)
            | Line::Event(_) => {
                if let Some(mac) = &mut self.mac {
                    mac.update(&self.line);
                }
                self.content.count(&line, &self.line);
                Ok(Some(line))
            }
            Line::Counts(counts) => self.end(&counts),
            Line::Backup(_) | Line::Keyring(_) | Line::Mac(_) => Err(FileError::Line(self.number)),
        }
    }

    fn line(&mut self) -> Result<Line, FileError> {
        if !read_line(&mut self.lines, &mut self.line)? {
            return Err(FileError::CutOff(self.number));
        }
        self.number += 1;
        serde_json::from_slice(&self.line).map_err(|_| FileError::Line(self.number))
    }

    fn end(&mut self, counts: &Counts) -> Result<Option<Line>, FileError> {
        let mut mac = self.mac.take().ok_or(FileError::Changed)?;
        mac.update(&self.line);
        let Line::Mac(expected) = self.line()? else { return Err(FileError::Line(self.number)) };
        let expected = hex::decode(expected).map_err(|_| FileError::Line(self.number))?;
        mac.verify_slice(&expected).map_err(|_| FileError::Changed)?;
        let more = read_line(&mut self.lines, &mut self.line)?;
        if more || *counts != self.content.counts() {
            return Err(FileError::Changed);
        }
        Ok(None)
    }
}

/// Reads a line with its line feed into `line`. False at the end of the file.
fn read_line(lines: &mut BufReader<File>, line: &mut Vec<u8>) -> Result<bool, FileError> {
    line.clear();
    let read = lines.take(limits::BACKUP_LINE_BYTES_MAX).read_until(b'\n', line)?;
    if read > 0 && line.last() != Some(&b'\n') {
        // The end is missing, or this was never a line of ours.
        line.clear();
        return Ok(false);
    }
    Ok(read > 0)
}
