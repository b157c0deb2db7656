//! Whether the log is what was written: reads files once, from the first line to the last, and says which is not.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use pawl_core::limits;

use crate::chain::{Hash, Sealed, ZERO_HASH, split};
use crate::key::PublicKey;
use crate::note::{Anchor, Note};
use crate::place::{Chain, Segment, read_line};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which file; a directory when a file is missing.
    pub file: PathBuf,
    /// On which line, from 1.
    pub line: Option<u64>,
    /// What.
    pub what: String,
}

/// What was read of a host's log.
#[derive(Clone, Debug, Default)]
pub struct ChainReport {
    /// The host.
    pub host: String,
    /// Segments.
    pub segments: u64,
    /// Lines, the log's own among them.
    pub lines: u64,
    /// The number of the last line.
    pub last: u64,
    /// The number of the last line that a signature covers.
    pub signed_through: u64,
    /// What is not wrong, and worth to be known.
    pub remarks: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Of each host.
    pub chains: Vec<ChainReport>,
    /// How much was found to be wrong.
    pub findings: u64,
}

/// Reads chains; tells what is wrong as it is found. `anchor` is what the store knows of a host's log, where somebody asked it: it must
/// have been asked before.
///
/// # Errors
/// When a file cannot be read.
pub fn verify(
    chains: &[Chain],
    keys: &[PublicKey],
    anchor: &dyn Fn(&str) -> Option<Anchor>,
    tell: &mut dyn FnMut(&Finding),
) -> io::Result<Report> {
    let mut report = Report::default();
    for chain in chains {
        let mut reader = Reader::new(chain, keys, tell);
        reader.anchor = anchor(&host_of(chain));
        for (place, segment) in chain.segments.iter().enumerate() {
            reader.segment(segment, place + 1 == chain.segments.len())?;
        }
        reader.end();
        report.findings += reader.findings;
        report.chains.push(reader.report);
    }
    Ok(report)
}

/// A host's directory bears its name.
fn host_of(chain: &Chain) -> String {
    chain.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

struct Reader<'a> {
    chain: &'a Chain,
    keys: &'a [PublicKey],
    tell: &'a mut dyn FnMut(&Finding),
    report: ChainReport,
    findings: u64,
    anchor: Option<Anchor>,
    /// What the hash of the line before may be: several after a line that was changed, none when nothing is known of it.
    before: Vec<Hash>,
    /// What the next line's number may be.
    next: Vec<u64>,
    file: PathBuf,
    line: u64,
    segment: u64,
    /// The day that the segment's name says.
    day: String,
    /// The segment that should come next.
    next_segment: Option<u64>,
    /// Bytes at the end of the segment before that are no whole line.
    unfinished: u64,
    uncovered: u64,
    /// Lines that are not the log's own.
    records: u64,
    retired_through: u64,
}

impl<'a> Reader<'a> {
    fn new(chain: &'a Chain, keys: &'a [PublicKey], tell: &'a mut dyn FnMut(&Finding)) -> Self {
        let report = ChainReport { host: host_of(chain), ..ChainReport::default() };
        Self {
            chain,
            keys,
            tell,
            report,
            findings: 0,
            anchor: None,
            before: Vec::new(),
            next: Vec::new(),
            file: PathBuf::new(),
            line: 0,
            segment: 0,
            day: String::new(),
            next_segment: None,
            unfinished: 0,
            uncovered: 0,
            records: 0,
            retired_through: 0,
        }
    }

    fn found(&mut self, line: Option<u64>, what: impl Into<String>) {
        let file = self.file.clone();
        self.found_in(&file, line, what);
    }

    fn found_in(&mut self, file: &Path, line: Option<u64>, what: impl Into<String>) {
        self.findings += 1;
        (self.tell)(&Finding { file: file.to_owned(), line, what: what.into() });
    }

    fn here(&mut self, what: impl Into<String>) {
        self.found(Some(self.line), what);
    }

    fn remark(&mut self, what: String) {
        // Constant memory, whatever the files hold.
        if self.report.remarks.len() < 100 {
            self.report.remarks.push(what);
        }
    }

    fn segment(&mut self, segment: &Segment, is_last: bool) -> io::Result<()> {
        let dir = self.chain.dir.clone();
        match self.next_segment {
            None if segment.number == 1 => {
                (self.before, self.next) = (vec![ZERO_HASH], vec![1]);
            }
            Some(next) if segment.number > next => {
                let what = format!("segments {next} to {} are missing", segment.number - 1);
                self.found_in(&dir, None, what);
            }
            Some(next) if segment.number < next => {
                self.found_in(&segment.path, None, format!("there is another segment {}", segment.number));
            }
            _ => {}
        }
        (self.file, self.segment, self.day) = (segment.path.clone(), segment.number, segment.day.clone());
        self.next_segment = Some(segment.number + 1);
        self.report.segments += 1;
        let mut file = BufReader::with_capacity(1 << 18, File::open(&segment.path)?);
        let (mut bytes, unfinished_before) = (Vec::new(), std::mem::take(&mut self.unfinished));
        self.line = 0;
        while read_line(&mut file, &mut bytes)? {
            self.line += 1;
            match bytes.split_last() {
                Some((b'\n', line)) => self.one(line, unfinished_before),
                _ if bytes.len() >= limits::AUDIT_LINE_BYTES_MAX => {
                    self.here("is longer than any line of the log");
                    (self.before, self.next) = (Vec::new(), Vec::new());
                }
                _ => self.unfinished_line(&bytes),
            }
        }
        if self.line == 0 && !is_last && self.unfinished == 0 {
            self.remark(format!("segment {} is empty: a start was cut off", segment.number));
        }
        Ok(())
    }

    /// A line without an end.
    fn unfinished_line(&mut self, bytes: &[u8]) {
        // A whole line with another byte in the place of its line feed is no line that was cut off.
        let is_whole = |line: &[u8]| split(line).is_some_and(|line| self.follows(&line));
        if bytes.split_last().is_some_and(|(_, line)| is_whole(line)) {
            return self.here("was changed: it does not end with a line feed");
        }
        self.line -= 1;
        self.unfinished = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    fn follows(&self, line: &Sealed<'_>) -> bool {
        self.before.iter().any(|before| line.expected(before) == line.hash)
    }

    fn one(&mut self, bytes: &[u8], unfinished_before: u64) {
        self.report.lines += 1;
        let Some(line) = split(bytes) else {
            self.here("is no line of the log: it was changed, and the next line cannot be compared with it");
            self.before.clear();
            self.next = self.next.iter().map(|next| next + 1).collect();
            return;
        };
        let note = Note::is_in(bytes).then(|| serde_json::from_slice::<Note>(bytes).ok());
        if self.line == 1 {
            self.header(&line, note.as_ref().and_then(Option::as_ref), unfinished_before);
        }
        let known = !self.before.is_empty();
        let follows = !known || self.follows(&line);
        let counted = self.next.is_empty() || self.next.contains(&line.seq);
        let next = self.next.first().copied().unwrap_or(line.seq);
        match (follows, counted) {
            (true, true) => {}
            (false, true) => self.here("was changed: its hash is not that of what it says"),
            (_, false) if line.seq > next => {
                let or = if follows { "" } else { " (or this line was changed)" };
                let missing = if line.seq - 1 == next {
                    format!("line number {next} of the log is missing before this one{or}")
                } else {
                    format!(
                        "line numbers {next} to {} of the log are missing before this one{or}",
                        line.seq - 1
                    )
                };
                self.here(missing);
            }
            (_, false) => {
                let what = format!("has the number {}, where {next} should be", line.seq);
                self.here(format!("{what}: it was changed, put in, or is here twice"));
            }
        }
        let expected: Vec<Hash> = self.before.iter().map(|before| line.expected(before)).collect();
        if let Some(note) = note {
            match note {
                Some(note) => self.note(&line, note),
                None => self.here("is no line of the log that this program knows"),
            }
        } else {
            self.uncovered += 1;
            self.records += 1;
        }
        if self.uncovered == limits::AUDIT_CHECKPOINT_RECORDS + 64 {
            self.here("no checkpoint has come for so long that some must have been taken out");
        }
        self.compare_anchor(&line);
        self.next = vec![line.seq + 1];
        if !counted {
            self.next.push(next + 1);
        }
        self.before = vec![line.hash];
        if known && !follows {
            self.before.extend(expected);
        }
        self.report.last = line.seq;
    }

    fn compare_anchor(&mut self, line: &Sealed<'_>) {
        let differs = |anchor: &&Anchor| anchor.seq == line.seq && anchor.hash != hex::encode(line.hash);
        if self.anchor.as_ref().filter(differs).is_some() {
            self.here("is not the line of this number that the store knows: the log was written anew");
        }
    }

    /// The first line of a segment.
    fn header(&mut self, line: &Sealed<'_>, note: Option<&Note>, unfinished_before: u64) {
        let Some(Note::Segment {
            version,
            host,
            segment,
            at,
            previous_hash,
            public_key,
            unfinished_bytes,
            ..
        }) = note
        else {
            return self.here("is not the beginning of a segment: lines before it are missing");
        };
        if self.report.segments == 1 && self.segment != 1 {
            // What was before is not here: it begins with what it says of it.
            let mut before = ZERO_HASH;
            if hex::decode_to_slice(previous_hash, &mut before).is_ok() {
                (self.before, self.next) = (vec![before], vec![line.seq]);
            }
        }
        if *version != 1 {
            self.here(format!("is of form {version}, which this program does not know"));
        }
        if *segment != self.segment || *host != self.report.host {
            self.here(format!("is the beginning of segment {segment} of host {host}, not of this file"));
        }
        // Segments are deleted by the day in their names: who renames one has the host itself delete it.
        if at.get(..10).is_none_or(|day| day.replace('-', "") != self.day) {
            self.here(format!(
                "was begun at {at}, and the name of its file says another day: it was renamed"
            ));
        }
        if !self.keys.is_empty() && !self.keys.iter().any(|key| key.hex() == *public_key) {
            self.here("names another public key than the one that it is verified by");
        }
        let truly: Vec<String> = self.before.iter().map(hex::encode).collect();
        if !truly.is_empty() && !truly.contains(previous_hash) {
            self.here("goes on after another line than the last one of the segment before");
        }
        if *unfinished_bytes != unfinished_before {
            let (said, there) = (unfinished_bytes, unfinished_before);
            self.here(format!("says that the segment before ended in {said} bytes of an unfinished line, and there are {there}"));
        } else if unfinished_before > 0 {
            self.remark(format!(
                "the segment before {} ends in {unfinished_before} bytes of a line that was never finished: the host was \
                 killed while it wrote, and nobody was answered because of that line",
                self.segment
            ));
        }
    }

    fn note(&mut self, line: &Sealed<'_>, note: Note) {
        match note {
            Note::Segment { .. } if self.line != 1 => self.here("is the beginning of another segment"),
            // Whoever was killed has left lines without a checkpoint, and his successor counts anew.
            Note::Segment { .. } => self.uncovered = 0,
            Note::Checkpoint { host, segment, through, head, at, closed, signature } => {
                let text = Note::signed_text(&host, segment, through, &head, &at, closed);
                let is_signed = self.keys.iter().any(|key| key.has_signed(text.as_bytes(), &signature));
                let is_here = host == self.report.host && segment == self.segment && through + 1 == line.seq;
                let is_of_before = self.before.is_empty() || self.before.iter().any(|at| hex::encode(at) == head);
                if !is_signed {
                    self.here("is a checkpoint whose signature is not by the key: what is before it, or it, was written anew");
                } else if !is_here || !is_of_before {
                    self.here("is a checkpoint of other lines than those before it");
                } else {
                    self.report.signed_through = line.seq;
                }
                self.uncovered = 0;
            }
            Note::Retired { through, .. } => self.retired_through = self.retired_through.max(through),
            Note::Missing { written_through, found_through, at } if found_through >= written_through => {
                self.here(format!(
                    "says that at a start ({at}) line number {written_through} was not the one that the store knew: the end of \
                     the log was written anew while the host did not run"
                ));
            }
            Note::Missing { written_through, found_through, at } => self.here(format!(
                "says that at a start ({at}) the log ended with line number {found_through}, though {written_through} had been \
                 written: the end was cut off while the host did not run"
            )),
            Note::Disturbed { what, at } => {
                self.here(format!("says that somebody changed a file while the host wrote it ({at}): {what}"));
            }
            Note::Resumed { failed_at, at, refused } => self.remark(format!(
                "from {failed_at} to {at} the log could not be written; {refused} calls were refused without a record"
            )),
            Note::Suppressed { calls, at } => self.remark(format!(
                "{calls} calls of strangers up to {at} were refused and only counted"
            )),
        }
    }

    fn end(&mut self) {
        let dir = self.chain.dir.clone();
        let first = self.chain.segments.first().map_or(1, |first| first.number);
        if self.chain.segments.is_empty() {
            // A host begins its first segment with its directory.
            self.found_in(&dir, None, "holds no segment of a log");
        }
        // A host's very first second has no signature yet, and little else; what the store knows proves more.
        let is_young = self.report.segments <= 1 && self.records <= limits::AUDIT_UNSIGNED_RECORDS_MAX;
        if self.records > 0 && self.report.signed_through == 0 && self.anchor.is_none() && !is_young {
            self.found_in(
                &dir,
                None,
                "not one line is signed: whoever can write files can have written all of them",
            );
        }
        if self.chain.whole && first > 1 && self.retired_through + 1 < first {
            let what = format!("segments {} to {} are missing", self.retired_through + 1, first - 1);
            self.found_in(
                &dir,
                None,
                format!("{what}, and no line says that they were kept for long enough"),
            );
        }
        if self.unfinished > 0 {
            let (bytes, line) = (self.unfinished, self.line + 1);
            self.remark(format!(
                "the last line ({line}) has no end after {bytes} bytes: it is being written, or the host was killed while it \
                 wrote; nobody was answered because of it"
            ));
        }
        match self.anchor.take() {
            Some(anchor) if anchor.seq > self.report.last => {
                let last = self.report.last;
                let what = format!("ends with line number {last}, and the store knows of {}", anchor.seq);
                self.found(None, format!("{what}: the end was cut off"));
            }
            _ => {}
        }
        let unsigned = self.report.last.saturating_sub(self.report.signed_through);
        if unsigned > 0 {
            self.remark(format!("the last {unsigned} lines are chained, and no signature covers them yet"));
        }
    }
}
