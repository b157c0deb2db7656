//! What the host does for a guest in one step: every call of the WIT, checked against the grants, the fence and the rules.

mod accounts;
mod capture;
mod check;
mod database;
mod early;
mod handles;
mod http;
mod journal;
mod reveal;
mod secret;
pub(crate) mod spelling;
mod statements;
mod tcp;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pawl_core::document::{Document, DocumentError};
use pawl_core::function::{Environment, Grants};
use pawl_core::limits;
use pawl_core::rotation::{Account, Proof, Step};
use pawl_core::world::Rng;

use self::handles::{Handles, Held, Of, VersionHeld};
use self::journal::Journal;
use crate::database::{Drivers, TlsRoots};
use crate::dial::Egress;
use crate::port::{PortError, SecretsPort, StoredVersion, Which};
use crate::wire::{Call, Handle, Reply, SecretError, VersionHandle};

pub use self::check::{LoginJob, NoLogin, TriedLogin};
pub use self::early::EarlyLogin;
pub use self::journal::{LogLine, Severity};

/// What a step's capabilities are made of.
pub(crate) struct CapabilityConfig {
    pub(crate) port: Arc<dyn SecretsPort>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) drivers: Arc<Drivers>,
    pub(crate) egress: Arc<Egress>,
    pub(crate) tls: TlsRoots,
    /// Which step; none for what is done outside of one.
    pub(crate) step: Option<Step>,
    pub(crate) rng: Arc<dyn Rng>,
    /// Whether accounts are left as they are.
    pub(crate) rehearsal: bool,
    /// A login that was begun before it is asked for.
    pub(crate) early: EarlyLogin,
    /// How long one call over a connection of the guest's may take.
    pub(crate) patience: Duration,
}

/// The host's side of one step. It holds what the guest's handles stand for; what the guest gets are handles, names, texts of
/// readable fields and errors, never a sensitive value.
pub(crate) struct Capabilities {
    config: CapabilityConfig,
    handles: Handles,
    journal: Journal,
    calls: u32,
    superseded: bool,
    /// What the host has seen the pending version do in this step.
    proof: Proof,
    /// Accounts that this step has logged in as, with versions of the secret under rotation.
    own_logins: BTreeSet<Account>,
    changed_at: Option<Instant>,
    requests: self::http::Requests,
    revealed: self::reveal::Revealed,
    tcp: self::tcp::Lines,
    /// Statements of the guest's own.
    statements: u32,
    /// What a rehearsal has not done.
    would: Vec<String>,
}

/// The worker broke the rules of the pipe; the step ends with this text.
#[derive(Debug, PartialEq, Eq)]
struct Violation(String);

impl Capabilities {
    /// The capabilities of one step, without any handle.
    pub(crate) fn new(config: CapabilityConfig) -> Self {
        let (handles, journal) = (Handles::default(), Journal::default());
        Self {
            config,
            handles,
            journal,
            calls: 0,
            superseded: false,
            proof: Proof::default(),
            own_logins: BTreeSet::new(),
            changed_at: None,
            requests: self::http::Requests::default(),
            revealed: self::reveal::Revealed::default(),
            tcp: self::tcp::Lines::default(),
            statements: 0,
            would: Vec::new(),
        }
    }

    /// Does what the guest asks for. The answer to [`Call::Drop`], [`Reply::Logged`], is not for the worker.
    pub(crate) async fn answer(&mut self, call: Call) -> Reply {
        self.calls = self.calls.saturating_add(1);
        if self.calls > limits::HOSTCALLS_MAX {
            return Reply::Violation(format!(
                "more than {} calls to the host in one step",
                limits::HOSTCALLS_MAX
            ));
        }
        // The work that waits for databases is large, and rare.
        let answered = match call {
            Call::Current => self.version(Which::Current).await.map(Reply::Version),
            Call::Pending => self.version(Which::Pending).await.map(Reply::Version),
            Call::Previous => self.version(Which::Previous).await.map(Reply::Version),
            Call::Others => self.others().await.map(Reply::Versions),
            Call::Exposed => Ok(Reply::Exposed(self.exposed().await)),
            Call::Open { secret_id } => self.open(&secret_id).await.map(Reply::Version),
            Call::RandomPassword(rules) => self.random_password(rules).map(Reply::Sensitive),
            Call::PutPending { base, changes } => {
                Box::pin(self.put_pending(base, changes)).await.map(Reply::Version)
            }
            Call::Promote => Ok(Reply::Promoted(Box::pin(self.promote()).await)),
            Call::Text { version, field } => self.text(version, &field).map(Reply::Text),
            Call::Sensitive { version, field } => self.sensitive(version, &field).map(Reply::Sensitive),
            Call::Login { version } => Box::pin(self.login(version)).await.map(Reply::Session),
            Call::Ping { session } => Box::pin(self.ping(session)).await.map(Reply::Statement),
            Call::SetPassword { session, account, password } => {
                Box::pin(self.set_password(session, &account, password)).await.map(Reply::Statement)
            }
            Call::MirrorAccount { session, like, account, password } => {
                Box::pin(self.mirror_account(session, (&like, &account), password))
                    .await
                    .map(Reply::Statement)
            }
            Call::Differences { session, like, account } => {
                Box::pin(self.differences(session, &like, &account)).await.map(Reply::Differences)
            }
            Call::Run { session, statement, parameters, rows } => {
                Box::pin(self.run(session, (&statement, &parameters), rows)).await.map(Reply::Ran)
            }
            Call::Id => Ok(Reply::Id(self.config.port.token().to_owned())),
            Call::Http(request) => Box::pin(self.http(request)).await.map(Reply::Http),
            Call::Capture { request, places } => {
                Box::pin(self.capture(request, places)).await.map(Reply::Captured)
            }
            call @ (Call::TcpOpen { .. }
            | Call::TcpSend { .. }
            | Call::TcpExpect { .. }
            | Call::TcpReceive { .. }
            | Call::TcpFinish { .. }) => Box::pin(self.tcp(call)).await.map(Reply::Tcp),
            Call::Reveal { value } => self.reveal(value).await.map(Reply::Revealed),
            Call::Log { level, message } => {
                self.journal.write(level, &self.kept(message));
                Ok(Reply::Logged)
            }
            Call::Drop(handle) => self.handles.remove(handle).map(|()| Reply::Logged),
        };
        answered.unwrap_or_else(|Violation(text)| Reply::Violation(text))
    }

    /// Whether any call was answered with "superseded": then the rotation is over, whatever the guest says.
    pub(crate) const fn was_superseded(&self) -> bool {
        self.superseded
    }

    /// What the host has seen the pending version do.
    pub(crate) const fn proof(&self) -> Proof {
        self.proof
    }

    /// When a server took the pending version's password in place of the current one's.
    pub(crate) const fn changed_at(&self) -> Option<Instant> {
        self.changed_at
    }

    /// What a rehearsal has not done, in words, and forgets it.
    pub(crate) fn take_would(&mut self) -> Vec<String> {
        std::mem::take(&mut self.would)
    }

    /// Notes what is not done because this is a rehearsal.
    fn would(&mut self, text: &str) {
        if self.would.len() < limits::LOG_LINES_MAX {
            self.would.push(journal::line(text));
        }
    }

    /// The lines that the guest has logged, and forgets them.
    pub(crate) fn take_log(&mut self) -> Vec<LogLine> {
        self.journal.take()
    }

    /// Remembers when a port's error is the end of this rotation.
    const fn noted(&mut self, error: PortError) -> PortError {
        if matches!(error, PortError::Superseded) {
            self.superseded = true;
        }
        error
    }

    /// Before whatever leaves the host: the rotation is still ours, and the pending version is stored.
    async fn fence(&mut self) -> Result<(), PortError> {
        self.settle().await?;
        self.fence_known().await
    }

    /// Before a deed that has nothing of the pending version in it.
    async fn fence_known(&mut self) -> Result<(), PortError> {
        self.config.port.fence().await.map_err(|error| self.noted(error))
    }

    /// Has the pending version stored, if it is not yet.
    async fn settle(&mut self) -> Result<(), PortError> {
        self.config.port.settle().await.map_err(|error| self.noted(error))
    }

    /// Writes a line into the rotation's history before what it tells of happens. Whether it was there already.
    async fn notice(&mut self, text: &str) -> Result<bool, PortError> {
        let text = journal::line(text);
        self.config.port.notice(&text).await.map_err(|error| self.noted(error))
    }

    async fn read(&mut self, which: Which) -> Result<Option<StoredVersion>, PortError> {
        self.config.port.read(which).await.map_err(|error| self.noted(error))
    }

    /// A version as it is stored now, as a document.
    async fn document(&mut self, which: Which) -> Result<Option<Document>, SecretError> {
        let stored = self.read(which).await.map_err(secret_error)?;
        stored.map(|version| Document::parse(&version.value)).transpose().map_err(|error| malformed(&error))
    }

    fn keep_version(
        &mut self,
        stored: &StoredVersion,
        of: Of,
    ) -> Result<Result<VersionHandle, SecretError>, Violation> {
        let document = match Document::parse(&stored.value) {
            Ok(document) => document,
            Err(error) => return Ok(Err(malformed(&error))),
        };
        let texts = document.texts();
        let bytes: usize = texts.iter().map(|(name, text)| name.len() + text.len()).sum();
        let texts = Some(texts).filter(|_| bytes <= limits::VERSION_TEXT_BYTES_MAX);
        let id = stored.id.as_str().to_owned();
        let held = VersionHeld { document, of, id: id.clone() };
        let handle = self.handles.insert(Held::Version(Arc::new(held)))?;
        Ok(Ok(VersionHandle { handle, id, texts }))
    }

    fn held_version(&self, handle: Handle) -> Result<Arc<VersionHeld>, Violation> {
        match self.handles.get(handle)? {
            Held::Version(version) => Ok(Arc::clone(version)),
            Held::Sensitive(_) | Held::Session(_) | Held::Connection(_) => {
                Err(handles::wrong_kind(handle, "version"))
            }
        }
    }
}

fn secret_error(error: PortError) -> SecretError {
    match error {
        PortError::Superseded => SecretError::Superseded,
        PortError::Refused(text) => SecretError::Refused(text),
        PortError::Unavailable(text) => SecretError::Unavailable(text),
    }
}

fn malformed(error: &DocumentError) -> SecretError {
    SecretError::Malformed(journal::line(&error.to_string()))
}
