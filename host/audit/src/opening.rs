//! Where a log was left: what a start looks at before it goes on.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::chain::{ZERO_HASH, split};
use crate::key::PublicKey;
use crate::log::LogError;
use crate::note::Anchor;
use crate::place::{PUBLIC_KEY_FILE, read_line, segments};

/// The end of what is there.
pub(crate) struct LastLine {
    pub(crate) segment: u64,
    pub(crate) seq: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) unfinished_bytes: u64,
}

/// Looks for the last whole line. Whether it is the right one is what `verify` says.
pub(crate) fn last_line(dir: &Path) -> Result<LastLine, LogError> {
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

/// Whether the line is there that the store knows. Were only its number looked for, an end that was written anew would get the
/// next checkpoint's signature. A line of a segment that is gone cannot be looked for; that it is gone is what `verify` says.
pub(crate) fn holds(dir: &Path, anchor: &Anchor) -> io::Result<bool> {
    let found = segments(dir)?;
    if found.first().is_some_and(|first| first.number > anchor.segment) {
        return Ok(true);
    }
    for segment in found.iter().rev() {
        let mut file = BufReader::with_capacity(1 << 18, File::open(&segment.path)?);
        let (mut bytes, mut first) = (Vec::new(), None);
        while read_line(&mut file, &mut bytes)? {
            let Some(line) = bytes.strip_suffix(b"\n").and_then(split) else { continue };
            if line.seq == anchor.seq {
                return Ok(hex::encode(line.hash) == anchor.hash);
            }
            first.get_or_insert(line.seq);
        }
        if first.is_some_and(|first| first < anchor.seq) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Makes the directories, whose names are on the disk when this returns, and looks whether they are a log's.
pub(crate) fn make(all: &Path, own: &Path) -> Result<(), LogError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| LogError::Io { path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(own).map_err(io(own))?;
    if std::fs::symlink_metadata(own).map_err(io(own))?.file_type().is_symlink() {
        return Err(LogError::Link { path: own.to_owned() });
    }
    for path in [all, own] {
        let mode = std::fs::metadata(path).map_err(io(path))?.mode() & 0o777;
        if mode & 0o002 != 0 {
            return Err(LogError::TooOpen { path: path.to_owned(), mode });
        }
    }
    // Else a power cut could take the directory, with everything in it that was answered for.
    let parent = all.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for path in [all, parent] {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(io(path))?;
    }
    Ok(())
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
pub(crate) fn publish(dir: &Path, key: &PublicKey) -> io::Result<()> {
    let path = dir.join(PUBLIC_KEY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if text == key.pem() => return Ok(()),
        Ok(_) => tracing::warn!(
            path = %path.display(),
            "another public key of the audit log was here than this store's: somebody has changed it, or it is another store; \
             verify by the copy that you keep elsewhere"
        ),
        Err(_) => {}
    }
    let partial = dir.join("public-key.partial");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(&partial)?;
    file.write_all(key.pem().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&partial, &path)
}
