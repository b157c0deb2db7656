//! What goes wrong, and whose move it is then.

use std::fmt;

use crate::bindings::exports::pawl::rotation::steps;
use crate::bindings::pawl::rotation::{database, secrets};

/// Why a step did not succeed, and whose move it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Worth another try by itself: the host calls the step again after a while.
    Transient(String),
    /// A person must act.
    Permanent(String),
}

/// Why the host did not read or write a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// The version does not exist, or holds no value yet.
    NotFound(String),
    /// The stored value is not what a rotator can work with: not a JSON object, a field absent or of the wrong kind.
    Malformed(String),
    /// The host refuses. Asking again gives the same answer.
    Refused(String),
    /// Another rotation, or a person, has taken over this secret. Nothing that this step does has effect any more.
    Superseded,
    /// The host could not, this time.
    Unavailable(String),
}

/// Why a login did not succeed: each asks for a different next move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The server answered, and refused this user name and password.
    Refused(String),
    /// Nothing answered in time at this host and port, or the server takes no connections now.
    Unreachable(String),
    /// The server's certificate was not accepted, it offers no TLS, or it asks for the password in clear.
    Untrusted(String),
    /// The function's grants do not cover this engine or target.
    NotGranted(String),
    /// More failed logins than this rotation may spend.
    LockoutBudgetSpent(String),
    /// The version lacks a field, or a field makes no sense.
    Malformed(String),
    /// The server refused for another reason (no such database, ...).
    Rejected(String),
    /// Another rotation, or a person, has taken over this secret.
    Superseded,
}

/// Why a statement did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseError {
    /// The server's error code (SQLSTATE or number).
    Rejected(String),
    /// Outside the grant, a rule of the contract, or a limit.
    Refused(String),
    /// Another rotation, or a person, has taken over this secret. The statement was not sent.
    Superseded,
    /// The connection broke; whether the statement had effect is not known.
    Lost(String),
}

pub(crate) const SUPERSEDED: &str = "another rotation, or a person, has taken over this secret";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient(text) | Self::Permanent(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound(text) | Self::Malformed(text) | Self::Refused(text) | Self::Unavailable(text) => {
                text
            }
            Self::Superseded => SUPERSEDED,
        })
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(text)
            | Self::Unreachable(text)
            | Self::Untrusted(text)
            | Self::NotGranted(text)
            | Self::LockoutBudgetSpent(text)
            | Self::Malformed(text)
            | Self::Rejected(text) => text,
            Self::Superseded => SUPERSEDED,
        })
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(code) => write!(f, "the server rejected the statement with code {code}"),
            Self::Refused(text) | Self::Lost(text) => f.write_str(text),
            Self::Superseded => f.write_str(SUPERSEDED),
        }
    }
}

impl std::error::Error for Failure {}
impl std::error::Error for SecretError {}
impl std::error::Error for LoginError {}
impl std::error::Error for DatabaseError {}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        let text = error.to_string();
        match error {
            SecretError::Unavailable(_) => Self::Transient(text),
            SecretError::NotFound(_)
            | SecretError::Malformed(_)
            | SecretError::Refused(_)
            | SecretError::Superseded => Self::Permanent(text),
        }
    }
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        let text = error.to_string();
        match error {
            LoginError::Unreachable(_) => Self::Transient(text),
            LoginError::Refused(_)
            | LoginError::Untrusted(_)
            | LoginError::NotGranted(_)
            | LoginError::LockoutBudgetSpent(_)
            | LoginError::Malformed(_)
            | LoginError::Rejected(_)
            | LoginError::Superseded => Self::Permanent(text),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let text = error.to_string();
        match error {
            DatabaseError::Lost(_) => Self::Transient(text),
            DatabaseError::Rejected(_) | DatabaseError::Refused(_) | DatabaseError::Superseded => {
                Self::Permanent(text)
            }
        }
    }
}

impl From<Failure> for steps::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Transient(text) => Self::Transient(text),
            Failure::Permanent(text) => Self::Permanent(text),
        }
    }
}

impl From<secrets::Error> for SecretError {
    fn from(error: secrets::Error) -> Self {
        match error {
            secrets::Error::NotFound(text) => Self::NotFound(text),
            secrets::Error::Malformed(text) => Self::Malformed(text),
            secrets::Error::Refused(text) => Self::Refused(text),
            secrets::Error::Superseded => Self::Superseded,
            secrets::Error::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<database::LoginError> for LoginError {
    fn from(error: database::LoginError) -> Self {
        match error {
            database::LoginError::Refused(text) => Self::Refused(text),
            database::LoginError::Unreachable(text) => Self::Unreachable(text),
            database::LoginError::Untrusted(text) => Self::Untrusted(text),
            database::LoginError::NotGranted(text) => Self::NotGranted(text),
            database::LoginError::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            database::LoginError::Malformed(text) => Self::Malformed(text),
            database::LoginError::Rejected(text) => Self::Rejected(text),
            database::LoginError::Superseded => Self::Superseded,
        }
    }
}

impl From<database::Error> for DatabaseError {
    fn from(error: database::Error) -> Self {
        match error {
            database::Error::Rejected(code) => Self::Rejected(code),
            database::Error::Refused(text) => Self::Refused(text),
            database::Error::Superseded => Self::Superseded,
            database::Error::Lost(text) => Self::Lost(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_heal_by_itself_is_transient_and_keeps_its_text() {
        let text = || "db.internal:5432 did not answer".to_owned();
        assert_eq!(Failure::from(LoginError::Unreachable(text())), Failure::Transient(text()));
        assert_eq!(Failure::from(SecretError::Unavailable(text())), Failure::Transient(text()));
        assert_eq!(Failure::from(DatabaseError::Lost(text())), Failure::Transient(text()));
        assert_eq!(Failure::from(LoginError::Refused(text())), Failure::Permanent(text()));
        assert_eq!(Failure::from(SecretError::Superseded), Failure::Permanent(SUPERSEDED.to_owned()));
        assert_eq!(
            Failure::from(DatabaseError::Rejected("42501".to_owned())),
            Failure::Permanent("the server rejected the statement with code 42501".to_owned())
        );
    }
}
