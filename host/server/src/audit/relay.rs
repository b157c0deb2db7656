//! Brings into the log what is in the store's transactions and not in it: Pawl's own deeds always, and calls whose record could not
//! be written before the host was killed.
//!
//! The store's `audit` rows are read in their order. How far they have been is kept in the store as a [`Cursor`], with a place in the
//! log before which their lines need not be looked for. After a start, or when a call has ended without its record, the lines after
//! that place are read first, so that no line is written twice.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use pawl_audit::{Unwritable, read_line, segments, split};
use pawl_core::limits;
use pawl_store::{Entry, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::anchor::note_anchor;
use super::outbox::{ROOT_KEY, Row};
use super::record::{SERVICE, ServiceEvent};
use super::sweep::Sweep;
use crate::host::Host;

/// The setting of the store, before the host's id.
const CURSOR: &str = "audit cursor ";

/// How far the rows have been looked at, and where in the log the lines of later ones begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    row: u64,
    segment: u64,
    seq: u64,
}

/// What keeps it from going on; it tries again.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] Unwritable),
    #[error("the audit log could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("calls are under way")]
    Busy,
}

/// What the lines after a place in the log are of.
#[derive(Default)]
struct Known {
    requests: HashSet<String>,
    rows: HashSet<u64>,
    /// Of rows up to this one: whoever made them has ended before the lines were read.
    through: u64,
    /// A place in the log before the lines of all later rows: the segment, and the number of a line.
    from: (u64, u64),
}

/// Relays until it is ended, and once more at the end.
pub(crate) async fn relay(host: Arc<Host>, mut stopping: tokio::sync::watch::Receiver<bool>) {
    let (noted, sweep) = (Instant::now(), Sweep::default());
    let mut relay = Relay { host, cursor: None, at: 0, known: None, noted, anchor: None, sweep };
    loop {
        let ending = *stopping.borrow();
        if let Err(error) = relay.turn(ending).await {
            tracing::debug!(%error, "what the store has for the audit log waits");
        }
        if ending {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(limits::AUDIT_RELAY_EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }
}

struct Relay {
    host: Arc<Host>,
    /// As it is in the store; none before that was asked.
    cursor: Option<Cursor>,
    /// The last row that was looked at.
    at: u64,
    /// The lines that there are already, while it is not known that every call has its line.
    known: Option<Known>,
    noted: Instant,
    anchor: Option<pawl_audit::Anchor>,
    sweep: Sweep,
}

impl Relay {
    async fn turn(&mut self, ending: bool) -> Result<(), Halt> {
        let cursor = match self.cursor {
            Some(cursor) => cursor,
            None => self.begin().await?,
        };
        if !self.host.audit.is_on() {
            return Ok(());
        }
        self.host.audit.check()?;
        if self.known.is_none() && self.host.audit.take_unrecorded() {
            // The rows since the cursor are looked at again, now with care.
            if let Err(halt) = self.look_back(cursor).await {
                self.host.audit.note_unrecorded();
                return Err(halt);
            }
        }
        self.rows().await?;
        if self.known.is_some() || ending || self.noted.elapsed() >= limits::AUDIT_CURSOR_EVERY {
            self.note_cursor(cursor).await?;
        }
        note_anchor(&self.host, &mut self.anchor).await;
        // Only what the store knows to be in the log: after a kill nothing is looked for before that.
        let through = self.cursor.map_or(0, |cursor| cursor.row);
        Ok(self.sweep.turn(&self.host, through).await?)
    }

    async fn begin(&mut self) -> Result<Cursor, Halt> {
        let stored = self.host.app.queue().meta(&format!("{CURSOR}{}", self.host.owner)).await?;
        let cursor = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if self.host.audit.is_on() {
            self.look_back(cursor).await?;
        }
        self.cursor = Some(cursor);
        Ok(cursor)
    }

    /// Begins anew at the cursor, with what the log has since. The calls that are under way are waited for: none of them is to be
    /// taken for one that was forgotten.
    async fn look_back(&mut self, cursor: Cursor) -> Result<(), Halt> {
        let from = self.host.audit.position();
        let mut through = cursor.row;
        loop {
            let rows = self.host.app.queue().audit(through, limits::AUDIT_RELAY_ROWS).await?;
            let Some(last) = rows.last() else { break };
            through = last.seq;
        }
        if !self.calls_have_ended().await {
            return Err(Halt::Busy);
        }
        let mut known = self.read_log(cursor).await?;
        (known.through, known.from) = (through, from);
        self.known = Some(known);
        self.at = cursor.row;
        Ok(())
    }

    /// Waits a while until every call has ended that is under way now.
    async fn calls_have_ended(&self) -> bool {
        let epoch = self.host.audit.turn_epoch();
        let patience = Instant::now() + limits::AUDIT_DRAIN_TIMEOUT;
        while Arc::strong_count(&epoch) > 1 {
            if Instant::now() >= patience {
                return false;
            }
            tokio::time::sleep(limits::AUDIT_DRAIN_LOOK).await;
        }
        true
    }

    /// Looks at the rows that are new, and writes the lines that are missing.
    async fn rows(&mut self) -> Result<(), Halt> {
        loop {
            let rows = self.host.app.queue().audit(self.at, limits::AUDIT_RELAY_ROWS).await?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            let lines: Vec<Vec<u8>> = rows.iter().flat_map(|row| self.lines(row)).collect();
            if !lines.is_empty() {
                let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                self.host.audit.submit(&lines)?.written().await?;
            }
            self.at = last;
        }
    }

    /// The lines that a row needs.
    fn lines(&self, entry: &Entry) -> Vec<Vec<u8>> {
        let Ok(row) = serde_json::from_str::<Row<'_>>(&entry.record) else { return Vec::new() };
        if row.host.as_deref() != Some(self.host.owner.as_str()) {
            return Vec::new();
        }
        let has_line = |known: &Known| match (row.own, entry.seq > known.through) {
            (own, true) => !own,
            (true, false) => known.rows.contains(&entry.seq),
            (false, false) => known.rows.contains(&entry.seq) || known.requests.contains(&*row.request_id),
        };
        if self.known.as_ref().map_or(!row.own, has_line) {
            return Vec::new();
        }
        if row.own { self.own(entry.seq, &row) } else { vec![self.forgotten(entry.seq, &row)] }
    }

    /// A change whose caller was never answered.
    fn forgotten(&self, seq: u64, row: &Row<'_>) -> Vec<u8> {
        let (service, name) = row.action.split_once(':').unwrap_or(("secretsmanager", &row.action));
        let mut details = row.about.clone();
        let why = "the host stopped, or could not write, before this call had its record: made from what the store keeps of the \
                   change; whether it was answered is not known";
        details.insert("recovered".to_owned(), json!(why));
        self.line(seq, row, (service, name), details, None)
    }

    fn own(&self, seq: u64, row: &Row<'_>) -> Vec<Vec<u8>> {
        let (service, name) = row.action.split_once(':').unwrap_or(("secretsmanager", &row.action));
        if service == "kms" {
            return vec![self.line(seq, row, (service, name), row.about.clone(), None)];
        }
        let source = if row.action == ROOT_KEY { "pawl" } else { "secretsmanager" };
        let told = |event: &Value| {
            let mut details = event.as_object().cloned().unwrap_or_default();
            let name = details.remove("name").and_then(|name| name.as_str().map(str::to_owned))?;
            details.extend(row.about.clone());
            let reason = details.get("reason").and_then(Value::as_str).map(str::to_owned);
            let failed = ["Failed", "Stranded", "CircuitOpened"].iter().any(|end| name.ends_with(end))
                || details.get("outcome").is_some_and(|outcome| outcome != "Done");
            let error = failed.then(|| reason.unwrap_or_default());
            Some(self.line(seq, row, (source, name.as_str()), details, error.as_deref()))
        };
        row.events.iter().filter_map(told).collect()
    }

    fn line(
        &self,
        seq: u64,
        row: &Row<'_>,
        (service, name): (&str, &str),
        mut details: Map<String, Value>,
        error: Option<&str>,
    ) -> Vec<u8> {
        if row.arn.contains(":secretsmanager:") {
            details.insert("SecretId".to_owned(), json!(row.arn));
        }
        if let Some(revision) = row.revision {
            details.insert("revision".to_owned(), json!(revision));
        }
        details.insert("storeRecord".to_owned(), json!(seq));
        let details = serde_json::to_vec(&details).unwrap_or_else(|_| b"{}".to_vec());
        let source = match service {
            "secretsmanager" => SERVICE.to_owned(),
            // Not AWS's, so not under AWS's name.
            "pawl" => service.to_owned(),
            service => format!("{service}.amazonaws.com"),
        };
        let mut line = Vec::with_capacity(1_024);
        let event = ServiceEvent {
            account: self.host.app.account(),
            at: row.at,
            source: &source,
            name,
            arn: &row.arn,
            principal: &row.principal,
            by_caller: !row.own,
            request_id: &row.request_id,
            event_id: &self.host.request_ids.next(),
            error: error.map(|reason| ("RotationFailed", reason)),
            details: &details,
        };
        event.write(&mut line);
        line
    }

    /// Notes how far it is, once every call that was under way has ended with its record.
    async fn note_cursor(&mut self, before: Cursor) -> Result<(), Halt> {
        self.noted = Instant::now();
        let cursor = if let Some(known) = &self.known {
            // All of these were looked at with care. Of later ones a call may have ended without its record meanwhile.
            Cursor { row: known.through, segment: known.from.0, seq: known.from.1 }
        } else {
            // First the place in the log: lines of rows that come after are behind it.
            let (segment, seq) = self.host.audit.position();
            self.rows().await?;
            if self.at == before.row || !self.calls_have_ended().await {
                return Ok(());
            }
            if self.host.audit.take_unrecorded() {
                // Looked for with the next turn, from the old cursor.
                self.host.audit.note_unrecorded();
                return Ok(());
            }
            Cursor { row: self.at, segment, seq }
        };
        let Ok(bytes) = serde_json::to_vec(&cursor) else { return Ok(()) };
        self.host.app.queue().put_meta(&format!("{CURSOR}{}", self.host.owner), &bytes).await?;
        self.cursor = Some(cursor);
        self.known = None;
        Ok(())
    }

    /// What the log has after the cursor's place.
    async fn read_log(&self, cursor: Cursor) -> Result<Known, Halt> {
        let dir = self.host.audit.dir().join(&self.host.owner);
        let read = tokio::task::spawn_blocking(move || read_log(&dir, cursor));
        Ok(read.await.map_err(|_| std::io::Error::from(std::io::ErrorKind::Other))??)
    }
}

fn read_log(dir: &Path, cursor: Cursor) -> std::io::Result<Known> {
    let mut known = Known::default();
    for segment in segments(dir)?.iter().filter(|segment| segment.number >= cursor.segment) {
        let mut file = BufReader::with_capacity(1 << 18, File::open(&segment.path)?);
        let mut bytes = Vec::new();
        while read_line(&mut file, &mut bytes)? {
            let Some(line) = bytes.strip_suffix(b"\n") else { continue };
            if split(line).is_none_or(|sealed| sealed.seq <= cursor.seq) {
                continue;
            }
            // Reads change nothing, so they have no row.
            let changes = b"\"readOnly\":false";
            if !line.windows(changes.len()).any(|part| part == changes) {
                continue;
            }
            let Ok(record) = serde_json::from_slice::<Value>(line) else { continue };
            if let Some(row) = record.pointer("/additionalEventData/storeRecord").and_then(Value::as_u64) {
                known.rows.insert(row);
            } else if record.get("errorCode").is_none_or(|code| code != "RequestAborted")
                && let Some(request) = record.get("requestID").and_then(Value::as_str)
            {
                known.requests.insert(request.to_owned());
            }
        }
    }
    Ok(known)
}
