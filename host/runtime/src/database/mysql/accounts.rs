//! Accounts that are made like other accounts: what alternating users need.
//!
//! An account of these servers is a user's name and a host, with its rights, its conditions and its password; a user is all the
//! accounts of one name. `mirror` makes one user like another, account by account, and gives it a password. Every account
//! statement commits by itself, so that the order is what protects whoever uses the accounts:
//!
//! 1. What the server says about both users is read and understood to the last word, or nothing is begun.
//! 2. Accounts that are missing are made, locked.
//! 3. Rights and conditions are changed by difference, what is missing before what is too much, until both read the same.
//! 4. Only then the password, of all accounts at once, which unlocks them.
//!
//! A crash anywhere leaves a user that is locked, or that still has its old password and whose every right was either one that it
//! should have or one that it had: the next call goes on from there.
//!
//! Accounts for hosts that the other user has no account for are a way in with an old password. They are locked, and not dropped:
//! that keeps what their owner may still want, and the definer of every view and routine that names them. Where a locked account
//! would be picked by the server in the place of one that must work, nothing is begun, and a person is told.

mod credential;
mod dialect;
mod grant;
mod hosts;
mod mirror;
mod refusal;
mod rights;
mod spelling;
mod state;
mod statement;
mod terms;

use zeroize::Zeroizing;

use super::MysqlSession;
use super::answer::QueryError;
use crate::database::{LastWord, StatementFailure, Work};

pub(super) use self::mirror::{differences, mirror};

/// A row of an answer, in text.
pub(super) type Fields = Vec<Option<Zeroizing<String>>>;

/// Why a server did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It said so, with this error number.
    Code(u16),
    /// The connection broke, or the answer did not come in time.
    Lost(String),
}

/// A session on which statements without parameters are sent.
pub(super) trait Talk: Send + Sync {
    /// Runs a statement that answers no rows.
    fn execute<'a>(&'a self, statement: &'a str) -> Work<'a, (), Refusal>;

    /// Runs a statement, and gives its rows.
    fn rows<'a>(&'a self, statement: &'a str) -> Work<'a, Vec<Fields>, Refusal>;

    /// Asks for the last word, and runs a statement that cannot be taken back.
    fn finally<'a>(&'a self, statement: &'a str, last_word: LastWord<'a>) -> Work<'a, (), StatementFailure>;
}

impl Talk for MysqlSession {
    fn execute<'a>(&'a self, statement: &'a str) -> Work<'a, (), Refusal> {
        Box::pin(async move { Ok(self.connection.execute(statement).await?) })
    }

    fn rows<'a>(&'a self, statement: &'a str) -> Work<'a, Vec<Fields>, Refusal> {
        Box::pin(async move {
            let rows = self.connection.query(statement).await?;
            // Some of them hold password hashes.
            Ok(rows
                .into_iter()
                .map(|row| row.into_iter().map(|text| text.map(Zeroizing::new)).collect())
                .collect())
        })
    }

    fn finally<'a>(&'a self, statement: &'a str, last_word: LastWord<'a>) -> Work<'a, (), StatementFailure> {
        Box::pin(self.finally(statement, last_word))
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match (StatementFailure::from(error), error) {
            (StatementFailure::Rejected(_), QueryError::Server(error)) => Self::Code(error.number),
            (failure, _) => Self::Lost(failure.to_string()),
        }
    }
}
