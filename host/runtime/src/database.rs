//! Databases that the host logs in to on behalf of guests.

pub mod login;
pub mod mysql;
pub mod postgres;
pub mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pawl_core::function::Engine;
use pawl_core::value::SecretBytes;

use crate::dial::{Destination, DialError};

pub use login::{Login, MalformedLogin, Protection};
pub use tls::{TlsRoots, TlsRootsError};

/// What a driver's functions give.
pub type Work<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Why a login did not succeed. The texts name user, database, host, port and code: never a password or the server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFailure {
    /// The server answered, and refused this user and password.
    #[error("{0}")]
    Refused(String),
    /// No answer in time, or the server takes no connections now.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not prove who it is, or asks for the password in a way that gives it away.
    #[error("{0}")]
    Untrusted(String),
    /// The grants or the egress rule do not cover the place.
    #[error("{0}")]
    NotGranted(String),
    /// The server refused for another reason.
    #[error("{0}")]
    Rejected(String),
}

impl From<DialError> for LoginFailure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NotGranted(text) => Self::NotGranted(text),
            DialError::Unreachable(text) => Self::Unreachable(text),
        }
    }
}

/// Why a statement did not succeed. Never the server's message or the statement: both can hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementFailure {
    /// The server's code.
    #[error("{0}")]
    Rejected(String),
    /// The engine cannot take this account or password; nothing was sent.
    #[error("{0}")]
    Unfit(String),
    /// The connection broke: whether the statement had effect is not known.
    #[error("{0}")]
    Lost(String),
    /// The last word was no: nothing has changed.
    #[error("the change was taken back before it took effect")]
    TakenBack,
}

/// Asked when everything is done but the last irrevocable thing: whether to do that.
pub type LastWord<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Logs in to the servers of one engine.
pub trait Driver: Send + Sync {
    /// The engine that it speaks to.
    fn engine(&self) -> Engine;

    /// Whether a server says nothing before its client has: a connection can then be opened ahead of a login, and a client that
    /// never speaks is no failed login.
    fn waits_for_clients(&self) -> bool {
        false
    }

    /// Dials `to` and logs in, both within `limits::LOGIN_TIMEOUT`.
    fn login<'a>(&'a self, to: &'a Destination, login: &'a Login)
    -> Work<'a, Box<dyn Session>, LoginFailure>;
}

/// A login that stands. Dropped, it ends.
pub trait Session: Send + Sync {
    /// A round trip that needs no privilege.
    fn ping(&self) -> Work<'_, (), StatementFailure>;

    /// Gives `account` a new password, in the form in which the password reaches no log. `last_word` is asked as late as the
    /// engine allows. Where that is inside of a transaction, the server itself takes the change back when the word is followed
    /// by silence for `limits::LAST_WORD_VALID`: a host that was stopped meanwhile, and wakes, changes nothing.
    fn set_password<'a>(
        &'a self,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure>;

    /// Creates or repairs `account` so that it can do exactly what `like` can, and gives it the password. Asks `last_word` as
    /// [`Session::set_password`] does, before the password. Repeated after it broke off anywhere, it completes what was begun.
    fn mirror_account<'a>(
        &'a self,
        _like: &'a str,
        _account: &'a str,
        _password: &'a SecretBytes,
        _last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async { Err(no_alternating_users()) })
    }

    /// Runs one statement of a rotator's own, and gives how many rows it has touched. Of several in one text none is run.
    fn execute<'a>(
        &'a self,
        _statement: &'a str,
        _parameters: &'a [Option<String>],
    ) -> Work<'a, u64, StatementFailure> {
        Box::pin(async { Err(no_statements()) })
    }

    /// The same, and gives its rows. What a server may say in one session is bounded.
    fn query<'a>(
        &'a self,
        _statement: &'a str,
        _parameters: &'a [Option<String>],
    ) -> Work<'a, Vec<TextRow>, StatementFailure> {
        Box::pin(async { Err(no_statements()) })
    }

    /// What `account` can or cannot do otherwise than `like`, in words for people; empty when nothing.
    fn differences<'a>(
        &'a self,
        _like: &'a str,
        _account: &'a str,
    ) -> Work<'a, Vec<String>, StatementFailure> {
        Box::pin(async { Err(no_alternating_users()) })
    }
}

/// A row: its columns as text, nothing for NULL.
pub type TextRow = Vec<Option<String>>;

fn no_statements() -> StatementFailure {
    StatementFailure::Unfit("this host runs no statements of rotators on this database engine".to_owned())
}

fn no_alternating_users() -> StatementFailure {
    StatementFailure::Unfit("this host has no alternating users for this database engine".to_owned())
}

/// The drivers of a host, one for each engine.
#[derive(Clone, Default)]
pub struct Drivers(BTreeMap<Engine, Arc<dyn Driver>>);

impl Drivers {
    /// These drivers; of two for one engine the later is kept.
    #[must_use]
    pub fn new(drivers: impl IntoIterator<Item = Arc<dyn Driver>>) -> Self {
        Self(drivers.into_iter().map(|driver| (driver.engine(), driver)).collect())
    }

    /// The driver for `engine`.
    #[must_use]
    pub fn get(&self, engine: Engine) -> Option<&Arc<dyn Driver>> {
        self.0.get(&engine)
    }
}

impl fmt::Debug for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
