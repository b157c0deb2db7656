//! The WIT's `database`: logins, and passwords changed.

use std::sync::Arc;

use pawl_core::document::Document;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use tokio::time::timeout;

use super::handles::{Held, SessionHeld};
use super::secret::PASSWORD;
use super::{Capabilities, Violation, journal};
use crate::database::{Driver, Login, LoginFailure, StatementFailure};
use crate::dial::Destination;
use crate::port::{PortError, Which};
use crate::wire::{DatabaseError, Handle, LoginError, SecretError};

impl Capabilities {
    pub(super) async fn login(&mut self, version: Handle) -> Result<Result<Handle, LoginError>, Violation> {
        let version = self.held_version(version)?;
        let session = match self.logged_in(&version.document).await {
            Ok(session) => session,
            Err(error) => return Ok(Err(error)),
        };
        self.handles.insert(Held::Session(Arc::new(session))).map(Ok)
    }

    async fn logged_in(&mut self, document: &Document) -> Result<SessionHeld, LoginError> {
        let login = Login::parse(document).map_err(|error| LoginError::Malformed(error.to_string()))?;
        let driver = self.driver(&login)?;
        let own = self.own_target().await?;
        let own = own.as_ref().map(|(host, port)| (host.as_str(), *port));
        let egress = Arc::clone(&self.config.egress);
        let to = Destination::granted(&self.config.grants, own, &login.host, login.port, egress)
            .map_err(|error| LoginError::NotGranted(journal::line(&error.to_string())))?;
        if self.handles.sessions() >= limits::GUEST_SESSIONS_MAX {
            let text = format!("a step may hold {} database sessions at once", limits::GUEST_SESSIONS_MAX);
            return Err(LoginError::NotGranted(text));
        }
        if !self.config.budget.allows(&login) {
            return Err(LoginError::LockoutBudgetSpent(journal::line(&format!(
                "the database at {to} has refused user `{}` {} times in a row; another try could lock the account",
                login.username,
                limits::FAILED_LOGINS_MAX
            ))));
        }
        self.fence().await.map_err(login_error)?;
        // Drivers hold to the time by themselves; this is for the one that does not.
        let tried = timeout(limits::LOGIN_TIMEOUT * 2, driver.login(&to, &login)).await;
        let late = || LoginFailure::Unreachable(format!("the database at {to} did not answer in time"));
        match tried.unwrap_or_else(|_| Err(late())) {
            Ok(session) => {
                self.config.budget.succeeded(&login);
                Ok(SessionHeld { session, host: login.host, port: login.port })
            }
            Err(failure) => {
                if matches!(failure, LoginFailure::Refused(_)) {
                    self.config.budget.refused(&login);
                }
                Err(told(&failure))
            }
        }
    }

    fn driver(&self, login: &Login) -> Result<Arc<dyn Driver>, LoginError> {
        if !self.config.grants.engines.contains(&login.engine) {
            let text = "the function's grants do not cover this secret's database engine";
            return Err(LoginError::NotGranted(text.to_owned()));
        }
        let none =
            || LoginError::NotGranted("this host has no driver for this secret's database engine".to_owned());
        self.config.drivers.get(login.engine).cloned().ok_or_else(none)
    }

    /// The host and port that AWSCURRENT names. Not those of the version at hand: a pending or previous version could name another.
    async fn own_target(&mut self) -> Result<Option<(String, u16)>, LoginError> {
        if !self.config.grants.own_target {
            return Ok(None);
        }
        let current = match self.document(Which::Current).await {
            Ok(current) => current,
            Err(SecretError::Superseded) => return Err(LoginError::Superseded),
            Err(SecretError::Unavailable(text)) => return Err(LoginError::Unreachable(text)),
            Err(SecretError::Refused(text)) => return Err(LoginError::NotGranted(text)),
            // Then there is no target that is the secret's own.
            Err(SecretError::NotFound(_) | SecretError::Malformed(_)) => None,
        };
        Ok(current.and_then(|current| Login::parse(&current).ok()).map(|login| (login.host, login.port)))
    }

    pub(super) async fn ping(&mut self, session: Handle) -> Result<Result<(), DatabaseError>, Violation> {
        let held = self.handles.session(session)?;
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        Ok(in_time(held.session.ping()).await)
    }

    pub(super) async fn set_password(
        &mut self,
        session: Handle,
        account: &str,
        password: Handle,
    ) -> Result<Result<(), DatabaseError>, Violation> {
        let held = self.handles.session(session)?;
        let password = self.handles.sensitive(password)?;
        if let Err(error) = self.may_set(&held, account, &password.value).await {
            return Ok(Err(error));
        }
        // Before the statement, so that nothing is sent for a rotation that is lost; and once more at its very end.
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        let (port, mut lost) = (self.config.port.clone(), None);
        let last_word = Box::pin(async {
            lost = port.fence().await.err();
            lost.is_none()
        });
        let done = in_time(held.session.set_password(account, &password.value, last_word)).await;
        if let Some(error) = lost {
            return Ok(Err(database_error(self.noted(error))));
        }
        // A server that rejects the statement has not taken it; of one that is lost, nobody knows.
        self.exposed |= matches!(done, Ok(()) | Err(DatabaseError::Lost(_)));
        Ok(done)
    }

    /// Checks that a password may be given to an account: what is stored now decides, not what the guest has read before.
    async fn may_set(
        &mut self,
        at: &SessionHeld,
        account: &str,
        password: &SecretBytes,
    ) -> Result<(), DatabaseError> {
        let refused = |text: &str| Err(DatabaseError::Refused(text.to_owned()));
        let Some(pending) = self.document(Which::Pending).await.map_err(from_secret)? else {
            return refused("a password must be stored as AWSPENDING before it reaches the database");
        };
        let described = match Login::parse(&pending) {
            Ok(login) => login,
            Err(error) => return refused(&error.to_string()),
        };
        if described.username != account {
            return refused("only the password of the pending version's `username` may be set");
        }
        if !described.host.eq_ignore_ascii_case(&at.host) || described.port != at.port {
            return refused("this session is not on the server that the pending version names");
        }
        let mut stored = password.same_as(&described.password);
        for which in [Which::Current, Which::Previous] {
            if stored {
                break;
            }
            let document = match self.document(which).await {
                Ok(document) => document,
                // A version that is no JSON object holds no password.
                Err(SecretError::Malformed(_)) => None,
                Err(error) => return Err(from_secret(error)),
            };
            stored =
                document.and_then(|it| it.sensitive(PASSWORD)).is_some_and(|held| held.same_as(password));
        }
        if stored {
            Ok(())
        } else {
            refused("a password must be stored as AWSPENDING before it reaches the database")
        }
    }
}

/// Drivers hold to the time by themselves; this is for the one that does not.
async fn in_time(work: impl Future<Output = Result<(), StatementFailure>>) -> Result<(), DatabaseError> {
    match timeout(limits::STATEMENT_TIMEOUT * 2, work).await {
        Ok(done) => done.map_err(|failure| match failure {
            StatementFailure::Rejected(text) => DatabaseError::Rejected(journal::line(&text)),
            StatementFailure::Unfit(text) => DatabaseError::Refused(journal::line(&text)),
            StatementFailure::Lost(text) => DatabaseError::Lost(journal::line(&text)),
            StatementFailure::TakenBack => DatabaseError::Superseded,
        }),
        Err(_) => Err(DatabaseError::Lost("the database did not answer in time".to_owned())),
    }
}

fn told(failure: &LoginFailure) -> LoginError {
    let text = journal::line(&failure.to_string());
    match failure {
        LoginFailure::Refused(_) => LoginError::Refused(text),
        LoginFailure::Unreachable(_) => LoginError::Unreachable(text),
        LoginFailure::Untrusted(_) => LoginError::Untrusted(text),
        LoginFailure::NotGranted(_) => LoginError::NotGranted(text),
        LoginFailure::Rejected(_) => LoginError::Rejected(text),
    }
}

fn login_error(error: PortError) -> LoginError {
    match error {
        PortError::Superseded => LoginError::Superseded,
        PortError::Refused(text) => LoginError::NotGranted(text),
        // The guest tries again later, as with a database that is down.
        PortError::Unavailable(text) => LoginError::Unreachable(text),
    }
}

fn database_error(error: PortError) -> DatabaseError {
    match error {
        PortError::Superseded => DatabaseError::Superseded,
        PortError::Refused(text) => DatabaseError::Refused(text),
        PortError::Unavailable(text) => DatabaseError::Lost(text),
    }
}

fn from_secret(error: SecretError) -> DatabaseError {
    match error {
        SecretError::Superseded => DatabaseError::Superseded,
        SecretError::Unavailable(text) => DatabaseError::Lost(text),
        SecretError::NotFound(text) | SecretError::Malformed(text) | SecretError::Refused(text) => {
            DatabaseError::Refused(text)
        }
    }
}
