//! The WIT's `tcp`: connections that the host makes for protocols that it does not know, with sensitive values in what is said.
//!
//! What a guest cannot do here: dial what was not granted, read a value (it names one, and the host writes it down), send one that is
//! stored nowhere, give a server the pending value before that is noted, and get an answer that holds a value. What it can do is told in
//! ADR 27: it chooses every other byte.

mod answer;
mod part;

use std::sync::Arc;

use pawl_core::function::{TcpGrant, TcpPlace};
use pawl_core::limits;
use pawl_core::rotation::Account;
use tokio::sync::Mutex;

use self::answer::Asked;
use self::part::Written;
use super::handles::{Held, Origin};
use super::http::{from_port, from_secret};
use super::values::{Values, holds};
use super::{Capabilities, Violation, journal};
use crate::dial::{Destination, DialError};
use crate::stream::{self, OpenError};
use crate::tcp::{Line, LineError};
use crate::wire::{Call, HttpError, TcpAnswer, TcpError, TcpPart};

/// What is remembered of a step's connections.
pub(super) struct Lines {
    dials: u32,
    answers: u32,
    sent: usize,
    /// Bytes that may still be taken from servers.
    left: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self { dials: 0, answers: 0, sent: 0, left: limits::TCP_RECEIVED_BYTES_MAX }
    }
}

/// A connection that a guest has opened.
pub(super) struct Connected {
    place: TcpPlace,
    grant: TcpGrant,
    talk: Mutex<Talk>,
}

/// What goes on over a connection.
#[derive(Default)]
pub(super) struct Talk {
    /// None once it is of no more use.
    line: Option<Line>,
    /// What was sent and not answered yet, as far as values go.
    asked: Option<Asked>,
    /// Whether something was sent since all that came was taken.
    is_owed: bool,
}

type Answered<T> = Result<T, TcpError>;

impl Capabilities {
    pub(super) async fn tcp(&mut self, call: Call) -> Result<Answered<TcpAnswer>, Violation> {
        match call {
            Call::TcpOpen { host, port } => self.tcp_open(&host, port).await,
            Call::TcpSend { connection, parts } => {
                let connection = self.handles.connection(connection)?;
                let written = match self.written_parts(&parts)? {
                    Ok(written) => written,
                    Err(error) => return Ok(Err(error)),
                };
                Ok(self.tcp_send(&connection, &parts, written).await.map(|()| TcpAnswer::Done))
            }
            Call::TcpExpect { connection, beginnings, end } => {
                let connection = self.handles.connection(connection)?;
                self.tcp_expect(&connection, &beginnings, &end).await
            }
            Call::TcpReceive { connection, most } => {
                let connection = self.handles.connection(connection)?;
                self.tcp_receive(&connection, most).await
            }
            Call::TcpFinish { connection } => {
                let connection = self.handles.connection(connection)?;
                Ok(self.tcp_finish(&connection).await.map(|()| TcpAnswer::Done))
            }
            _ => Err(Violation("the call is none of a connection's".to_owned())),
        }
    }

    async fn tcp_open(&mut self, host: &str, port: u16) -> Result<Answered<TcpAnswer>, Violation> {
        let (line, place, grant) = match self.dialled(host, port).await {
            Ok(dialled) => dialled,
            Err(error) => return Ok(Err(error)),
        };
        let talk = Mutex::new(Talk { line: Some(line), ..Talk::default() });
        let held = Held::Connection(Arc::new(Connected { place, grant, talk }));
        Ok(Ok(TcpAnswer::Opened(self.handles.insert(held)?)))
    }

    /// Checks a place against the grants, and dials it. A rehearsal does that too: nothing is said.
    async fn dialled(&mut self, host: &str, port: u16) -> Answered<(Line, TcpPlace, TcpGrant)> {
        let place = TcpPlace::new(host, port).ok_or_else(|| {
            refused(
                "a connection goes to a host name in lower case, or an address in its usual form, and a port",
            )
        })?;
        let egress = Arc::clone(&self.config.egress);
        let (to, grant) = match Destination::of_tcp(&self.config.grants, &place, egress) {
            Ok((to, grant)) => (to, grant.clone()),
            Err(DialError::NotGranted(text) | DialError::Unreachable(text)) => {
                return Err(TcpError::NotGranted(journal::line(&text)));
            }
        };
        if self.handles.connections() >= limits::TCP_CONNECTIONS_MAX {
            let max = limits::TCP_CONNECTIONS_MAX;
            return Err(refused(&format!("a step may have {max} connections open at once")));
        }
        self.tcp.dials = self.tcp.dials.saturating_add(1);
        if self.tcp.dials > limits::TCP_DIALS_MAX {
            return Err(refused(&format!("a step may open {} connections", limits::TCP_DIALS_MAX)));
        }
        self.fence_known().await.map_err(from_port)?;
        let tls = grant.is_tls().then(|| self.config.tls.clone());
        let opened = stream::open(&to, tls.as_ref(), None).await;
        let line = Line::over(opened.map_err(not_open)?, place.to_string(), self.config.patience);
        Ok((line, place, grant))
    }

    /// Notes what is about to happen, and sends.
    async fn tcp_send(
        &mut self,
        connection: &Connected,
        parts: &[TcpPart],
        written: Written,
    ) -> Answered<()> {
        let place = &connection.place;
        self.tcp.sent = self.tcp.sent.saturating_add(written.bytes.len());
        if self.tcp.sent > limits::TCP_SENT_BYTES_MAX {
            return Err(refused(&format!("a step may send {} bytes", limits::TCP_SENT_BYTES_MAX)));
        }
        let mut talk = connection.talk.lock().await;
        if talk.line.as_ref().is_some_and(Line::has_finished) {
            return Err(refused("it was said of this connection that no more will be sent"));
        }
        let carried = self.may_carry(connection, &written).await?;
        self.hear(parts);
        if self.config.rehearsal {
            let values = if written.values.is_empty() { "" } else { ", sensitive values among them" };
            self.would(&format!("send {} bytes to {place}{values}", written.bytes.len()));
            return Ok(());
        }
        if talk.line.is_none() {
            return Err(gone(place));
        }
        if carried.is_new && !self.exposed().await.map_err(from_secret)? {
            // Before a byte of it is sent, so that no crash makes the rotation forget what a server may have.
            let noted = self.config.port.expose().await;
            noted.map_err(|error| from_port(self.noted(error)))?;
        }
        self.fence().await.map_err(from_port)?;
        talk.sends(carried.asked);
        let sent = match talk.line.as_mut() {
            Some(line) => line.send(&written.bytes).await,
            None => return Err(gone(place)),
        };
        sent.map_err(|error| talk.ended(error))
    }

    /// Whether what was written may be sent there, and what its answer would say.
    async fn may_carry(&mut self, connection: &Connected, written: &Written) -> Answered<Carried> {
        let Connected { grant, place, .. } = connection;
        if written.values.is_empty() {
            return Ok(Carried { is_new: false, asked: None });
        }
        if !grant.sends_sensitive() {
            return Err(TcpError::NotGranted(journal::line(&format!(
                "the function's grants let no sensitive value be sent to {place} (`sensitive` in its entry of `tcp`)"
            ))));
        }
        let shortest = written.values.iter().map(|carried| carried.value.len()).min().unwrap_or_default();
        if grant.reads_answers() && shortest < limits::HTTP_SENSITIVE_BYTES_MIN {
            return Err(refused(&format!(
                "a sensitive value of less than {} bytes is not sent where answers may be read: it could not be looked for in them",
                limits::HTTP_SENSITIVE_BYTES_MIN
            )));
        }
        let values = self.values().await.map_err(from_secret)?;
        let lost = |carried: &part::Carried| {
            carried.origin != Origin::Stored
                && !values.pending.as_ref().is_some_and(|pending| holds(pending, &carried.value))
        };
        if written.values.iter().any(lost) {
            return Err(refused("a value must be stored as AWSPENDING before it reaches a server"));
        }
        let accounts = self.may_try_there(place, written, &values).await?;
        let new = written.values.iter().filter(|carried| values.is_new(&carried.value));
        let is_new = new.clone().next().is_some();
        // That a server has taken a hash of a value does not say that it knows the value.
        let plain = new.filter(|carried| !carried.is_hashed).map(|carried| carried.value.duplicate());
        let asked = Asked { plain: plain.collect(), accounts, heard: Vec::new() };
        Ok(Carried { is_new, asked: Some(asked) })
    }

    /// Whose refusals are counted; an error when there were too many. Servers lock accounts for that.
    async fn may_try_there(
        &mut self,
        place: &TcpPlace,
        written: &Written,
        values: &Values,
    ) -> Answered<Vec<Account>> {
        let mut accounts = Vec::new();
        for carried in &written.values {
            let user = match &carried.user {
                Some(user) => user.clone(),
                None => values.current.text("username").unwrap_or_default(),
            };
            let account = Account::new(&user, place.host(), place.port());
            if accounts.contains(&account) {
                continue;
            }
            let refusals = self.config.port.refusals(&account).await;
            let refusals = refusals.map_err(|error| from_port(self.noted(error)))?;
            if refusals >= limits::FAILED_LOGINS_MAX {
                return Err(TcpError::LockoutBudgetSpent(journal::line(&format!(
                    "{place} has refused `{user}` {refusals} times in a row; another try could lock the account. Put right what the \
                     secret or the server has, then rotate again"
                ))));
            }
            accounts.push(account);
        }
        Ok(accounts)
    }

    /// Keeps what the guest says, where it may take keys from answers over HTTP: none of it may be a key.
    fn hear(&mut self, parts: &[TcpPart]) {
        if !self.may_take_keys() {
            return;
        }
        for part in parts {
            match part {
                TcpPart::Bytes(bytes) | TcpPart::Base64 { before: bytes, .. } => {
                    self.requests.said.extend_from_slice(bytes);
                }
                TcpPart::Sensitive(_)
                | TcpPart::Length { .. }
                | TcpPart::Json(_)
                | TcpPart::Sha256(_)
                | TcpPart::Field { .. } => {}
            }
        }
        self.requests.said.push(b'\n');
    }

    async fn tcp_finish(&mut self, connection: &Connected) -> Answered<()> {
        let mut talk = connection.talk.lock().await;
        if self.config.rehearsal {
            return Ok(());
        }
        let finished = match talk.line.as_mut() {
            Some(line) if line.has_finished() => Ok(()),
            Some(line) => line.finish().await,
            None => return Err(gone(&connection.place)),
        };
        finished.map_err(|error| talk.ended(error))
    }
}

/// What a send carries.
struct Carried {
    /// Whether a value is among it that only the pending version has.
    is_new: bool,
    asked: Option<Asked>,
}

impl Talk {
    /// Remembers what is asked by a send. What is sent before an earlier question was answered cannot be told by its answer.
    fn sends(&mut self, asked: Option<Asked>) {
        if !self.is_owed && asked.is_some() {
            self.asked = asked;
        }
        self.is_owed = true;
    }

    /// What an error means, and the end of the connection where it is one.
    fn ended(&mut self, error: LineError) -> TcpError {
        match error {
            LineError::Lost(text) => {
                self.line = None;
                TcpError::Lost(journal::line(&text))
            }
            LineError::TooMuch(text) => refused(&text),
        }
    }
}

fn gone(place: &TcpPlace) -> TcpError {
    TcpError::Lost(format!("the connection to {place} has broken before"))
}

fn refused(text: &str) -> TcpError {
    TcpError::Refused(journal::line(text))
}

fn not_open(error: OpenError) -> TcpError {
    match error {
        OpenError::NotGranted(text) => TcpError::NotGranted(journal::line(&text)),
        OpenError::Unreachable(text) => TcpError::Unreachable(journal::line(&text)),
        OpenError::Untrusted(text) => TcpError::Untrusted(journal::line(&text)),
    }
}

impl From<HttpError> for TcpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotGranted(text) => Self::NotGranted(text),
            HttpError::Refused(text) => Self::Refused(text),
            HttpError::Unreachable(text) => Self::Unreachable(text),
            HttpError::Untrusted(text) => Self::Untrusted(text),
            HttpError::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            HttpError::Lost(text) => Self::Lost(text),
            HttpError::Unreadable(status) => Self::Lost(format!("the answer {status} cannot be read")),
            HttpError::Superseded => Self::Superseded,
        }
    }
}
