//! Logins to the database that a version of the secret describes.

use crate::bindings::pawl::rotation::{database, statements};
use crate::failure::{DatabaseError, LoginError};
use crate::rotation::{Sensitive, Version};

/// A login. The host read the credentials and dialled; it ends when this is dropped.
#[derive(Debug)]
pub struct Session(database::Session);

impl Session {
    /// Logs in with a version's credentials.
    ///
    /// # Errors
    /// When it could not, with a reason that tells the next move.
    pub fn login(credentials: &Version) -> Result<Self, LoginError> {
        Ok(Self(database::Session::login(credentials.raw())?))
    }

    /// Logs in with the first version whose password the server accepts.
    ///
    /// Only [`LoginError::Refused`] leads to the next: a server that does not answer will not answer the next one either, and
    /// every failed login costs a part of the account's lockout budget. Takes versions, or options of them.
    ///
    /// # Errors
    /// [`LoginError::Refused`] with each different answer when none was accepted; any other error as it came.
    pub fn login_first<V: Into<Option<Version>>>(
        candidates: impl IntoIterator<Item = V>,
    ) -> Result<Self, LoginError> {
        let mut refusals = Vec::new();
        for version in candidates.into_iter().filter_map(Into::into) {
            match Self::login(&version) {
                // The same account on the same server says the same of each password.
                Err(LoginError::Refused(text)) if refusals.contains(&text) => {}
                Err(LoginError::Refused(text)) => refusals.push(text),
                Err(other) => return Err(other),
                Ok(session) => return Ok(session),
            }
        }
        Err(match refusals.is_empty() {
            true => LoginError::Malformed("there is no version to log in with".to_owned()),
            false => LoginError::Refused(refusals.join("; ")),
        })
    }

    /// A round trip that needs no privilege.
    ///
    /// # Errors
    /// When the server did not answer as it should.
    pub fn ping(&self) -> Result<(), DatabaseError> {
        Ok(self.0.ping()?)
    }

    /// Changes `account`'s password. The host takes only a value that is stored in this secret, and only the account of the
    /// pending version.
    ///
    /// # Errors
    /// When the host or the server refuses, or the connection broke.
    pub fn set_password(&self, account: &str, password: &Sensitive) -> Result<(), DatabaseError> {
        Ok(self.0.set_password(account, password.raw())?)
    }

    /// Makes `account` able to do exactly what `like` can, and gives it a password: creates it, or repairs it. `like` is the user
    /// name of AWSCURRENT, `account` the pending version's ([`alternate`](crate::alternate) of it).
    ///
    /// # Errors
    /// When the host or the server refuses, or the connection broke.
    pub fn mirror_account(
        &self,
        like: &str,
        account: &str,
        password: &Sensitive,
    ) -> Result<(), DatabaseError> {
        Ok(self.0.mirror_account(like, account, password.raw())?)
    }

    /// What `account` can or cannot do otherwise than `like`, in words for people; empty when nothing.
    ///
    /// # Errors
    /// When the host or the server refuses, or the connection broke.
    pub fn differences(&self, like: &str, account: &str) -> Result<Vec<String>, DatabaseError> {
        Ok(self.0.differences(like, account)?)
    }

    /// Runs a statement of the rotator's own; how many rows it has touched. Needs the grant `statements`.
    ///
    /// Parameters stand beside it: `$1`, `$2`, ... on PostgreSQL, `?` on MySQL and MariaDB; each is text, or nothing for NULL. No
    /// sensitive value is one. After this the session takes no [`Session::set_password`], [`Session::mirror_account`] and
    /// [`Session::differences`]: log in anew for them.
    ///
    /// # Errors
    /// When the host or the server refuses, or the connection broke.
    pub fn execute(&self, statement: &str, parameters: &[Option<&str>]) -> Result<u32, DatabaseError> {
        Ok(statements::execute(&self.0, statement, &owned(parameters))?)
    }

    /// As [`Session::execute`], and gives the rows: each column as text, or nothing for NULL. An answer that holds a sensitive value of
    /// the secret ends the step.
    ///
    /// # Errors
    /// When the host or the server refuses, the answer is too long, or the connection broke.
    pub fn query(
        &self,
        statement: &str,
        parameters: &[Option<&str>],
    ) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
        Ok(statements::query(&self.0, statement, &owned(parameters))?)
    }
}

fn owned(parameters: &[Option<&str>]) -> Vec<Option<String>> {
    parameters.iter().map(|text| text.map(str::to_owned)).collect()
}
