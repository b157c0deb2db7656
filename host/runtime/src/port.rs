//! The door through which a step reaches the secret under rotation: implemented by the server, bound to one secret, one
//! token and one lease epoch.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use pawl_core::function::SecretPattern;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Account, Proof};
use pawl_core::value::SecretValue;

/// What a port's functions give.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PortError>> + Send + 'a>>;

/// Which version of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one with AWSCURRENT.
    Current,
    /// The one that this rotation makes.
    Pending,
    /// The one with AWSPREVIOUS.
    Previous,
}

/// A version with its value.
#[derive(Debug)]
pub struct StoredVersion {
    /// Its id.
    pub id: VersionId,
    /// Its value.
    pub value: SecretValue,
}

/// What is known of a rotation beside its versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether a server may have taken the pending version's password.
    pub exposed: bool,
    /// What testSecret has proved.
    pub proof: Proof,
    /// Whether AWSCURRENT was made by a rotation, so that its login was seen to work.
    pub current_was_rotated: bool,
}

/// Why the server did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// This rotation no longer owns the secret: another token, another host, a person.
    #[error("superseded")]
    Superseded,
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// It could not be done, this time.
    #[error("{0}")]
    Unavailable(String),
}

/// The secret under rotation, as one step may use it. Every function fails with [`PortError::Superseded`] once the rotation
/// has lost the secret.
pub trait SecretsPort: Send + Sync {
    /// The rotation's token: known before there is a pending version, and the same in every try. No secret.
    fn token(&self) -> &str;

    /// Reads a version; none when there is no such version or it has no value yet.
    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>>;

    /// Keeps the pending version's value. The first one stays: a repeated call gives what is kept. It may be stored later, with what
    /// is stored next: [`SecretsPort::settle`] is asked before it leaves the host.
    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion>;

    /// Has the pending version's value stored, durably, if there is one that is not yet.
    fn settle(&self) -> Answer<'_, ()>;

    /// Moves AWSCURRENT to the pending version.
    fn promote(&self) -> Answer<'_, ()>;

    /// Versions besides those three whose password a server may have, the likeliest first.
    fn others(&self) -> Answer<'_, Vec<StoredVersion>>;

    /// Another secret's current version, if it is among the granted ones.
    fn open<'a>(
        &'a self,
        secret_id: &'a str,
        granted: &'a BTreeSet<SecretPattern>,
    ) -> Answer<'a, StoredVersion>;

    /// What is known of this rotation.
    fn standing(&self) -> Answer<'_, Standing>;

    /// Notes, durably, that a server is about to be given the pending version's password.
    fn expose(&self) -> Answer<'_, ()>;

    /// How often in a row a server has refused this account.
    fn refusals<'a>(&'a self, account: &'a Account) -> Answer<'a, u32>;

    /// Notes, durably, how a login of this account went.
    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> Answer<'a, ()>;

    /// Writes a line of the host's own into the rotation's history, durably, once for each step. Whether an earlier call, in this try
    /// or in one before it, has written the same.
    fn notice<'a>(&'a self, text: &'a str) -> Answer<'a, bool>;

    /// Whether this rotation still owns the secret; asked before every call outside of Pawl.
    fn fence(&self) -> Answer<'_, ()>;
}
