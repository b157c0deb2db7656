//! Where the log is: `DIR/audit/HOST/000000001-20261123.jsonl`, a directory for each host.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pawl_core::limits;
use pawl_core::world::Timestamp;

/// The file beside the hosts' directories that holds the public key.
pub const PUBLIC_KEY_FILE: &str = "public-key.pem";
const SUFFIX: &str = ".jsonl";

/// A segment's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// The day on which it was begun, as `20261123`.
    pub day: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Segment {
    pub(crate) fn new(dir: &Path, number: u64, at: Timestamp) -> Self {
        let day = day(at);
        let path = dir.join(format!("{number:09}-{day}{SUFFIX}"));
        Self { number, day, path }
    }

    /// What a file's name says; none when it is no segment's.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let (number, day) = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (number.len() >= 9 && digits(number) && day.len() == 8 && digits(day)).then_some(())?;
        Some(Self { number: number.parse().ok()?, day: day.to_owned(), path: path.to_owned() })
    }
}

pub(crate) fn day(at: Timestamp) -> String {
    at.utc().format("%Y%m%d").to_string()
}

/// The segments in a host's directory, by their numbers.
///
/// # Errors
/// When the directory cannot be read. One that is not there has none.
pub fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(Segment::of(&entry?.path()));
    }
    found.sort();
    Ok(found)
}

/// A host's segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Where they are.
    pub dir: PathBuf,
    /// They.
    pub segments: Vec<Segment>,
    /// Whether these are all that there are of the host, so that one that is not here is missing.
    pub whole: bool,
}

/// The chains in `DIR/audit`.
///
/// # Errors
/// When a directory cannot be read.
pub fn chains_in(audit: &Path) -> io::Result<Vec<Chain>> {
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(audit)? {
        let path = entry?.path();
        if path.is_dir() {
            dirs.push(path);
        }
    }
    dirs.sort();
    dirs.into_iter().map(|dir| Ok(Chain { segments: segments(&dir)?, dir, whole: true })).collect()
}

/// The chains that these files are of: those in one directory are one.
///
/// # Errors
/// The file whose name is no segment's.
pub fn chains_of(files: &[PathBuf]) -> Result<Vec<Chain>, PathBuf> {
    let mut chains: Vec<Chain> = Vec::new();
    for file in files {
        let segment = Segment::of(file).ok_or_else(|| file.clone())?;
        let dir = file.parent().unwrap_or_else(|| Path::new("")).to_owned();
        match chains.iter_mut().find(|chain| chain.dir == dir) {
            Some(chain) => chain.segments.push(segment),
            None => chains.push(Chain { dir, segments: vec![segment], whole: false }),
        }
    }
    for chain in &mut chains {
        chain.segments.sort();
        chain.segments.dedup();
    }
    Ok(chains)
}

/// Reads one line with its line feed, if it has one, into `line`; false at the end. No more than
/// [`limits::AUDIT_LINE_BYTES_MAX`] is read at once: what is longer comes in pieces, none of which is a line.
///
/// # Errors
/// When the file cannot be read.
pub fn read_line(from: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = u64::try_from(limits::AUDIT_LINE_BYTES_MAX).unwrap_or(u64::MAX);
    let read = from.by_ref().take(most).read_until(b'\n', line)?;
    Ok(read > 0)
}
