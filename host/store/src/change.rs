//! A change: what is committed together or not at all.

use pawl_core::names::VersionId;

use crate::error::StoreError;
use crate::record::{EndedRotation, SealedVersion, SecretRow};

/// What must hold of the stored secret for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// That there is none of this name.
    New,
    /// That it is at this revision.
    Revision(u64),
}

/// A secret's next state, with the values, rotations, audit records and events that belong to it.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the caller has seen.
    pub expect: Expect,
    /// The next state. Its revision is 1 for a new secret, else the expected one plus 1. ARN, region, name and date of creation
    /// never change.
    pub row: SecretRow,
    /// Values to keep; one that is there already is replaced (a rewrap).
    pub put: Vec<SealedVersion>,
    /// Versions whose values go. One that never had a value is no mistake.
    pub remove_versions: Vec<VersionId>,
    /// Purges the secret with all of its values, instead of storing `row`.
    pub delete: bool,
    /// The epoch of the caller's claim, for changes that only the claim's holder may make.
    pub fence: Option<u64>,
    /// Ends the lease and fences its holder off: when a rotation waits or has ended, and when somebody stops it.
    pub release_lease: bool,
    /// Audit records, as JSON, in their order.
    pub audit: Vec<String>,
    /// Events, as JSON, in their order.
    pub events: Vec<String>,
    /// Rotations of the secret that have ended, in their order. The newest [`pawl_core::limits::ROTATIONS_KEPT`] are kept.
    pub rotations: Vec<EndedRotation>,
}

impl Change {
    /// A change that stores `row` and nothing else yet.
    #[must_use]
    pub const fn new(expect: Expect, row: SecretRow) -> Self {
        Self {
            expect,
            row,
            put: Vec::new(),
            remove_versions: Vec::new(),
            delete: false,
            fence: None,
            release_lease: false,
            audit: Vec::new(),
            events: Vec::new(),
            rotations: Vec::new(),
        }
    }
}

/// Why a change did not happen. Nothing of it did, nor of those that were to happen with it.
///
/// It does not say which of several it was: after a lost race a caller must load all of them again, and then sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed or purged the secret first: load it again and decide anew.
    #[error("the secret has changed since it was read")]
    LostRace,
    /// There is a secret of this name.
    #[error("a secret of this name exists")]
    NameTaken,
    /// The claim is no longer the caller's: stop.
    #[error("the rotation is no longer this host's")]
    Fenced,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
