//! Logins that are tried for their own sake: whether what a secret holds still opens its database.

use std::sync::Arc;

use pawl_core::document::Document;
use pawl_core::function::Grants;
use pawl_core::names::VersionId;

use super::handles::Of;
use super::{Capabilities, journal};
use crate::port::{SecretsPort, StoredVersion};
use crate::wire::LoginError;

/// Logins to try.
pub struct LoginJob {
    /// The secret.
    pub port: Arc<dyn SecretsPort>,
    /// What the function that rotates it may reach.
    pub grants: Arc<Grants>,
    /// The versions, in the order in which they are to be tried.
    pub versions: Vec<StoredVersion>,
}

/// A login that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedLogin {
    /// With this version.
    pub version: VersionId,
    /// As this user, if the version names one.
    pub username: Option<String>,
    /// Whether the server accepted it.
    pub result: Result<(), NoLogin>,
}

/// Why a login did not succeed. For people; never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLogin {
    /// The server refused the credentials.
    Refused(String),
    /// The server could not be asked.
    Unreachable(String),
    /// It was not tried.
    NotTried(String),
}

impl Capabilities {
    pub(crate) async fn try_login(&mut self, version: &StoredVersion) -> TriedLogin {
        let id = version.id.clone();
        let document = match Document::parse(&version.value) {
            Ok(document) => document,
            Err(error) => {
                let result = Err(NoLogin::NotTried(journal::line(&error.to_string())));
                return TriedLogin { version: id, username: None, result };
            }
        };
        let username = document.text("username").map(|name| journal::line(&name));
        let result = match self.logged_in(&document, Of::Own).await {
            Ok(_session) => Ok(()),
            Err(LoginError::Refused(text)) => Err(NoLogin::Refused(text)),
            Err(LoginError::Unreachable(text)) => Err(NoLogin::Unreachable(text)),
            Err(LoginError::Superseded) => {
                Err(NoLogin::NotTried("the secret has changed meanwhile".to_owned()))
            }
            Err(
                LoginError::Untrusted(text)
                | LoginError::NotGranted(text)
                | LoginError::LockoutBudgetSpent(text)
                | LoginError::Malformed(text)
                | LoginError::Rejected(text),
            ) => Err(NoLogin::NotTried(text)),
        };
        TriedLogin { version: id, username, result }
    }
}
