//! The WIT's `database`: logins, and passwords changed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use pawl_core::alternate::alternate;
use pawl_core::document::{Document, NewValue};
use pawl_core::limits;
use pawl_core::rotation::Account;
use pawl_core::value::SecretBytes;
use tokio::time::timeout;

use super::early::EarlyLogin;
use super::handles::{Handles, Held, Of, SessionHeld};
use super::secret::PASSWORD;
use super::{Capabilities, Violation, journal};
use crate::database::{Driver, Login, LoginFailure, StatementFailure};
use crate::dial::Destination;
use crate::port::{PortError, Which};
use crate::wire::{DatabaseError, Handle, LoginError, SecretError};

impl Capabilities {
    pub(super) async fn login(&mut self, version: Handle) -> Result<Result<Handle, LoginError>, Violation> {
        let version = self.held_version(version)?;
        let session = match self.logged_in(&version.document, version.of).await {
            Ok(session) => session,
            Err(error) => return Ok(Err(error)),
        };
        self.handles.insert(Held::Session(Arc::new(session))).map(Ok)
    }

    pub(super) async fn logged_in(&mut self, document: &Document, of: Of) -> Result<SessionHeld, LoginError> {
        let login = match of {
            Of::Pending | Of::Own => Login::parse(document),
            Of::Another => Login::parse(&self.at_own_database(document).await?),
        };
        let login = login.map_err(|error| LoginError::Malformed(error.to_string()))?;
        let (driver, to) = self.place_of(&login).await?;
        if self.handles.sessions() >= limits::GUEST_SESSIONS_MAX {
            let text = format!("a step may hold {} database sessions at once", limits::GUEST_SESSIONS_MAX);
            return Err(LoginError::NotGranted(text));
        }
        let account = Account::new(&login.username, &login.host, login.port);
        let refusals = self.config.port.refusals(&account).await.map_err(|e| login_error(self.noted(e)))?;
        if refusals >= limits::FAILED_LOGINS_MAX {
            return Err(LoginError::LockoutBudgetSpent(journal::line(&format!(
                "the database at {to} has refused user `{}` {refusals} times in a row; another try could lock the account. Put \
                 right what the secret or the database has, then rotate again",
                login.username
            ))));
        }
        // What the secret had before tells no server anything of the pending version.
        let may = if of == Of::Pending { self.fence().await } else { self.fence_known().await };
        may.map_err(login_error)?;
        let early = self.config.early.clone();
        let logging_in = async {
            match early.take(&login).await {
                Some(done) => done,
                None => driver.login(&to, &login).await,
            }
        };
        // Drivers hold to the time by themselves; this is for the one that does not.
        let tried = timeout(limits::LOGIN_TIMEOUT * 2, logging_in).await;
        let late = || LoginFailure::Unreachable(format!("the database at {to} did not answer in time"));
        match tried.unwrap_or_else(|_| Err(late())) {
            Ok(session) => {
                if refusals > 0 {
                    self.note_login(&account, false).await?;
                }
                self.proof.login |= of == Of::Pending;
                if of != Of::Another {
                    self.own_logins.insert(account);
                }
                let ran_own = AtomicBool::new(false);
                Ok(SessionHeld { session, host: login.host, port: login.port, ran_own })
            }
            Err(failure) => {
                if matches!(failure, LoginFailure::Refused(_)) {
                    self.note_login(&account, true).await?;
                }
                Err(told(&failure))
            }
        }
    }

    /// Where a login leads, if the grants cover it.
    async fn place_of(&mut self, login: &Login) -> Result<(Arc<dyn Driver>, Destination), LoginError> {
        let driver = self.driver(login)?;
        let own = self.own_target().await?;
        let own = own.as_ref().map(|(host, port)| (host.as_str(), *port));
        let egress = Arc::clone(&self.config.egress);
        let to = Destination::granted(&self.config.grants, own, &login.host, login.port, egress)
            .map_err(|error| LoginError::NotGranted(journal::line(&error.to_string())))?;
        Ok((driver, to))
    }

    async fn note_login(&mut self, account: &Account, refused: bool) -> Result<(), LoginError> {
        let noted = self.config.port.note_login(account, refused).await;
        noted.map_err(|error| login_error(self.noted(error)))
    }

    /// Another secret's login as it is used for this one: at the database that AWSCURRENT names, as AWS's functions have it, and
    /// wholly AWSCURRENT's place where the other secret holds nothing but a user and a password (those that RDS manages).
    async fn at_own_database(&mut self, other: &Document) -> Result<Document, LoginError> {
        let malformed = |text: &str| LoginError::Malformed(text.to_owned());
        let Some(current) = self.document(Which::Current).await.map_err(of_secret)? else {
            return Err(malformed("the secret has no AWSCURRENT version with a value"));
        };
        let (base, changes) = if other.kind("host").is_none() && other.kind("engine").is_none() {
            let username =
                other.text("username").ok_or_else(|| malformed("the other secret has no username"))?;
            let password = other.sensitive(PASSWORD);
            let password = password.ok_or_else(|| malformed("the other secret has no password"))?;
            let login = vec![
                ("username".to_owned(), NewValue::Text(username)),
                (PASSWORD.to_owned(), NewValue::Sensitive(password)),
            ];
            (&current, login)
        } else {
            let database = current.text("dbname").filter(|name| !name.is_empty());
            (other, database.map(|name| ("dbname".to_owned(), NewValue::Text(name))).into_iter().collect())
        };
        let allowed = ["username", PASSWORD, "dbname"].map(str::to_owned).into();
        let value = base.with(&changes, &allowed).map_err(|error| malformed(&error.to_string()))?;
        Document::parse(&value).map_err(|error| malformed(&error.to_string()))
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
            // Then there is no target that is the secret's own.
            Err(SecretError::NotFound(_) | SecretError::Malformed(_)) => None,
            Err(error) => return Err(of_secret(error)),
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
        let pending = match self.may_set(&held, account, &password.value).await {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        if self.config.rehearsal {
            self.would(&format!("change the password of {account} at {}:{}", held.host, held.port));
            return Ok(Ok(()));
        }
        // Before the statement, so that nothing is sent for a rotation that is lost; and once more at its very end. What AWSCURRENT
        // opens is about to change: that is noted first.
        let in_place = match self.replaces_current(&pending).await {
            Ok(in_place) => in_place,
            Err(error) => return Ok(Err(error)),
        };
        let may = if in_place { self.config.port.expose().await } else { Ok(()) };
        if let Err(error) = may.map_err(|error| self.noted(error)) {
            return Ok(Err(database_error(error)));
        }
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        let early = match self.place_of(&pending).await {
            Ok((driver, to)) if in_place => Some(EarlyLogin::prepare(driver, to, pending)),
            _ => None,
        };
        let (port, mut lost) = (self.config.port.clone(), None);
        let last_word = Box::pin(async {
            lost = port.fence().await.err();
            lost.is_none()
        });
        let done = in_time(held.session.set_password(account, &password.value, last_word)).await;
        if let Some(error) = lost {
            return Ok(Err(database_error(self.noted(error))));
        }
        if in_place && done.is_ok() {
            self.changed_at = Some(Instant::now());
            if let Some(early) = early {
                self.config.early.begin(early);
            }
        }
        Ok(done)
    }

    /// Whether the pending version's account is the one that applications use now.
    async fn replaces_current(&mut self, pending: &Login) -> Result<bool, DatabaseError> {
        let current = self.document(Which::Current).await.map_err(from_secret)?;
        Ok(current.and_then(|current| current.text("username")).as_ref() == Some(&pending.username))
    }

    /// Checks that a password may be given to an account: what is stored now decides, not what the guest has read before.
    pub(super) async fn may_set(
        &mut self,
        at: &SessionHeld,
        account: &str,
        password: &SecretBytes,
    ) -> Result<Login, DatabaseError> {
        let refused = |text: &str| Err(DatabaseError::Refused(text.to_owned()));
        Handles::unspoilt(at)?;
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
        let current = self.document(Which::Current).await.map_err(from_secret)?;
        let current = current.and_then(|current| current.text("username"));
        // A pending version may name any user, and a master's session may change each: rotation changes these two.
        if current.as_deref() != Some(account)
            && current.as_deref().and_then(alternate).as_deref() != Some(account)
        {
            return refused(
                "the pending version's `username` is neither AWSCURRENT's nor its alternate (`_clone` put on or taken off)",
            );
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
            Ok(described)
        } else {
            refused("a password must be stored as AWSPENDING before it reaches the database")
        }
    }
}

/// Drivers hold to the time by themselves; this is for the one that does not.
pub(super) async fn in_time<T>(
    work: impl Future<Output = Result<T, StatementFailure>>,
) -> Result<T, DatabaseError> {
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

fn of_secret(error: SecretError) -> LoginError {
    match error {
        SecretError::Superseded => LoginError::Superseded,
        SecretError::Unavailable(text) => LoginError::Unreachable(text),
        SecretError::Refused(text) => LoginError::NotGranted(text),
        SecretError::NotFound(text) | SecretError::Malformed(text) => LoginError::Malformed(text),
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

pub(super) fn database_error(error: PortError) -> DatabaseError {
    match error {
        PortError::Superseded => DatabaseError::Superseded,
        PortError::Refused(text) => DatabaseError::Refused(text),
        PortError::Unavailable(text) => DatabaseError::Lost(text),
    }
}

pub(super) fn from_secret(error: SecretError) -> DatabaseError {
    match error {
        SecretError::Superseded => DatabaseError::Superseded,
        SecretError::Unavailable(text) => DatabaseError::Lost(text),
        SecretError::NotFound(text) | SecretError::Malformed(text) | SecretError::Refused(text) => {
            DatabaseError::Refused(text)
        }
    }
}
