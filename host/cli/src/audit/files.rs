//! The records of several hosts as one stream, by time; memory is that of a line of each.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use pawl_audit::{Chain, Segment, Shown, chains_in, read_line, segments};

use crate::CommandError;

pub(super) fn failed(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Failed(format!("`{}`: {error}", path.display()))
}

/// The logs in a directory.
pub(super) fn chains(dir: &Path) -> Result<Vec<Chain>, CommandError> {
    let chains = chains_in(dir).map_err(|error| failed(dir, &error))?;
    if chains.is_empty() {
        let dir = dir.display();
        return Err(CommandError::Failed(format!(
            "there is no audit log in `{dir}`; name the data directory with --data-dir"
        )));
    }
    Ok(chains)
}

/// A host's records.
pub(super) struct HostRecords {
    dir: PathBuf,
    left: VecDeque<Segment>,
    file: Option<(BufReader<File>, u64)>,
    line: Vec<u8>,
}

impl HostRecords {
    pub(super) fn new(chain: Chain) -> Self {
        Self { dir: chain.dir, left: chain.segments.into(), file: None, line: Vec::new() }
    }

    /// The next record that is there; a line that is being written waits.
    pub(super) fn next(&mut self) -> Result<Option<Shown>, CommandError> {
        loop {
            if let Some((file, _)) = &mut self.file {
                loop {
                    if self.line.ends_with(b"\n") {
                        self.line.clear();
                    }
                    let mut more = Vec::new();
                    if !read_line(file, &mut more).map_err(|error| failed(&self.dir, &error))? {
                        break;
                    }
                    self.line.append(&mut more);
                    let shown = self.line.strip_suffix(b"\n").and_then(Shown::read);
                    if shown.is_some() {
                        return Ok(shown);
                    }
                }
            }
            let Some(next) = self.left.pop_front() else { return Ok(None) };
            self.line.clear();
            let opened = File::open(&next.path).map_err(|error| failed(&next.path, &error))?;
            self.file = Some((BufReader::with_capacity(1 << 18, opened), next.number));
        }
    }

    /// Looks for segments that were begun since.
    pub(super) fn look(&mut self) -> Result<(), CommandError> {
        let last = self.left.back().map(|segment| segment.number);
        let last = last.or(self.file.as_ref().map(|(_, number)| *number)).unwrap_or(0);
        let found = segments(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        self.left.extend(found.into_iter().filter(|segment| segment.number > last));
        Ok(())
    }
}

/// The records of all hosts, the oldest first.
pub(super) struct Records(Vec<(HostRecords, Option<Shown>)>);

impl Records {
    pub(super) fn of(chains: Vec<Chain>) -> Result<Self, CommandError> {
        let mut hosts = Vec::new();
        for chain in chains {
            let mut records = HostRecords::new(chain);
            let first = records.next()?;
            hosts.push((records, first));
        }
        Ok(Self(hosts))
    }

    pub(super) fn next(&mut self) -> Result<Option<Shown>, CommandError> {
        let time = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.text("/eventTime").to_owned());
        let waiting = self.0.iter_mut().filter(|(_, next)| next.is_some());
        let Some((records, next)) = waiting.min_by_key(|(_, next)| time(next)) else { return Ok(None) };
        Ok(std::mem::replace(next, records.next()?))
    }
}
