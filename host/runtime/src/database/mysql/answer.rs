//! What a server's error says, without its text: that can hold what was sent.

use std::fmt;

use super::wire::Reader;
use crate::database::{Login, LoginFailure, StatementFailure};
use crate::dial::Destination;

/// SQLSTATE where the server gives none, or none that is one.
const GENERAL: [u8; 5] = *b"HY000";

/// An error by its number and SQLSTATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerError {
    pub(super) number: u16,
    state: [u8; 5],
}

/// Errors by what they mean here. MySQL and MariaDB share the numbers below 1900; beyond, each has its own.
mod number {
    pub(super) const DENIED: u16 = 1045;
    pub(super) const DENIED_NO_PASSWORD: u16 = 1698;
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
    pub(super) const DEADLOCK: u16 = 1213;
    pub(super) const READ_ONLY: u16 = 1290;
    pub(super) const INTERRUPTED: u16 = 1317;
    /// MariaDB's `max_statement_time`.
    pub(super) const STATEMENT_TIMEOUT: u16 = 1969;
    /// Too many connections, for the server or this user; too many of its attempts; a shutdown; a host that is blocked for its
    /// failed connections; a lock for failed logins that ends by itself (MySQL).
    pub(super) const NOT_NOW: &[u16] = &[1040, 1053, 1129, 1203, 1226, 3955];
    /// A session that was ended: by an administrator, or for its silence.
    pub(super) const ENDED: &[u16] = &[1053, 1927, 4031];
}

impl ServerError {
    /// Reads an ERR packet, its first byte included.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.byte().filter(|kind| *kind == 0xff)?;
        let number = reader.u16()?;
        // Before the login a server may leave the state out.
        let state = match reader.byte() {
            Some(b'#') => reader.bytes(5).and_then(|state| state.try_into().ok()),
            _ => None,
        };
        let valid = |state: &[u8; 5]| state.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        Some(Self { number, state: state.filter(valid).unwrap_or(GENERAL) })
    }

    fn state(&self) -> &str {
        std::str::from_utf8(&self.state).unwrap_or_default()
    }

    /// Whether the connection, or the server, is gone or not there yet.
    pub(super) fn is_end(&self) -> bool {
        self.state().starts_with("08") || number::ENDED.contains(&self.number)
    }

    /// What it means as the answer to a login.
    pub(super) fn at_login(self, to: &Destination, login: &Login) -> LoginFailure {
        let user = &login.username;
        if matches!(self.number, number::DENIED | number::DENIED_NO_PASSWORD) || self.state() == "28000" {
            return LoginFailure::Refused(format!(
                "the database at {to} refused the login of user `{user}` ({self})"
            ));
        }
        if self.is_end() || number::NOT_NOW.contains(&self.number) {
            return LoginFailure::Unreachable(format!("the database at {to} takes no logins now ({self})"));
        }
        let place =
            login.database.as_ref().map_or_else(String::new, |name| format!(" in the database `{name}`"));
        LoginFailure::Rejected(format!("the server at {to} gave user `{user}` no session{place} ({self})"))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}, SQLSTATE {}", self.number, self.state())
    }
}

/// Why a statement has no answer, or another than hoped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryError {
    /// The server refused it: nothing has changed, but where the error is an end or an interruption.
    Server(ServerError),
    /// The connection is gone, for the reason that follows "the connection to the database".
    Lost(&'static str),
}

impl From<QueryError> for StatementFailure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Lost(why) => Self::Lost(format!("the connection to the database {why}")),
            QueryError::Server(error) if error.is_end() => {
                Self::Lost(format!("the connection to the database ended ({error})"))
            }
            QueryError::Server(error) => match error.number {
                // Whether an interrupted statement had effect is the server's secret. A lock is worth another try.
                number::LOCK_WAIT_TIMEOUT
                | number::DEADLOCK
                | number::INTERRUPTED
                | number::STATEMENT_TIMEOUT => Self::Lost(format!(
                    "the database gave up waiting before the statement had ended ({error})"
                )),
                number::READ_ONLY => Self::Rejected(format!(
                    "the server is read-only, or forbids password hashes (strict_password_validation): {error}"
                )),
                _ => Self::Rejected(error.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_number_and_state_and_never_its_text() {
        let error = ServerError::parse(b"\xff\x15\x04#28000Access denied, canary").unwrap();
        assert_eq!(error.to_string(), "error 1045, SQLSTATE 28000");
        for (packet, text) in [
            (&b"\xff\x10\x04Too many connections"[..], "error 1040, SQLSTATE HY000"),
            (b"\xff\x10\x04", "error 1040, SQLSTATE HY000"),
            (b"\xff\x10\x04#cana", "error 1040, SQLSTATE HY000"),
            (b"\xff\x10\x04#canary", "error 1040, SQLSTATE HY000"),
        ] {
            assert_eq!(ServerError::parse(packet).unwrap().to_string(), text);
        }
        assert_eq!(ServerError::parse(b"\x00\x10\x04"), None);
        assert_eq!(ServerError::parse(b"\xff\x10"), None);
    }

    #[test]
    fn what_may_have_had_effect_is_lost_and_what_cannot_is_rejected() {
        let failure = |number: u16, state: &[u8; 5]| {
            StatementFailure::from(QueryError::Server(ServerError { number, state: *state }))
        };
        for (number, state) in [
            (1205, b"HY000"),
            (1213, b"40001"),
            (1317, b"70100"),
            (1969, b"70100"),
            (1927, b"70100"),
            (1047, b"08S01"),
        ] {
            assert!(matches!(failure(number, state), StatementFailure::Lost(_)), "{number}");
        }
        for (number, state) in [(1227, b"42000"), (1290, b"HY000"), (1372, b"HY000"), (1819, b"HY000")] {
            assert!(matches!(failure(number, state), StatementFailure::Rejected(_)), "{number}");
        }
    }
}
