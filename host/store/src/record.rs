//! What the store keeps, and what it answers.

use std::fmt;

use pawl_core::arn::SecretArn;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mac::RowMac;

/// A secret as it is stored: its aggregate as one document, and what queries need beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    /// Tells it from every other secret, earlier ones of the same name included.
    pub arn: SecretArn,
    /// Its region.
    pub region: Region,
    /// Its name, which is its own within the region.
    pub name: SecretName,
    /// Goes up by one with every change, from 1.
    pub revision: u64,
    /// The aggregate, as JSON.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is purged; none unless it is scheduled for deletion.
    pub purge_at: Option<Timestamp>,
    /// When its schedule next begins a rotation.
    pub next_rotation_at: Option<Timestamp>,
    /// From when its live rotation may be worked on; none when no rotation is live.
    pub rotation_due_at: Option<Timestamp>,
    /// When anything about it was last changed.
    pub last_changed_at: Timestamp,
    /// When a value of it was last read; none when never.
    pub last_accessed_at: Option<Timestamp>,
    /// The region of its primary, when it is a replica.
    pub replica_of: Option<Region>,
    /// How its rotation stands; none when nobody need know.
    pub rotation_state: Option<RotationState>,
    /// Its code.
    pub mac: RowMac,
}

/// How the rotation of a secret stands, where somebody may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RotationState {
    /// On its way.
    Running,
    /// A try has failed, and the next one is to come.
    Waiting,
    /// Given up: a person must act.
    Failed,
    /// Given up after the database took the new password: a person must act soon.
    Stranded,
}

impl RotationState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Waiting, Self::Failed, Self::Stranded];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Stranded => "stranded",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How many secrets' rotations stand how, in all regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationStates {
    /// On their way.
    pub running: u64,
    /// Waiting for the next try after one that failed.
    pub waiting: u64,
    /// Given up.
    pub failed: u64,
    /// Given up after the database took the new password.
    pub stranded: u64,
}

impl RotationStates {
    /// How many stand so.
    #[must_use]
    pub const fn of(&self, state: RotationState) -> u64 {
        match state {
            RotationState::Running => self.running,
            RotationState::Waiting => self.waiting,
            RotationState::Failed => self.failed,
            RotationState::Stranded => self.stranded,
        }
    }

    pub(crate) const fn set(&mut self, state: RotationState, secrets: u64) {
        match state {
            RotationState::Running => self.running = secrets,
            RotationState::Waiting => self.waiting = secrets,
            RotationState::Failed => self.failed = secrets,
            RotationState::Stranded => self.stranded = secrets,
        }
    }
}

/// A rotation that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRotation {
    /// The version that it made, or was to make.
    pub token: VersionId,
    /// How it ended, in a word.
    pub status: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// All of it, as JSON.
    pub document: String,
}

/// One of a secret's rotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRotation {
    /// Its number among the secret's, from 1.
    pub number: u64,
    /// The rotation.
    pub rotation: EndedRotation,
}

/// Where a sealed value stands, for [`crate::Store::sealed_heads`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadPlace {
    /// The secret's number in the store.
    pub secret: i64,
    /// The version.
    pub version: String,
}

/// The beginning of a sealed value, which says what sealed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedHead {
    /// Where it stands.
    pub place: HeadPlace,
    /// The secret's region.
    pub region: Region,
    /// The secret's name.
    pub name: SecretName,
    /// Its first bytes: [`pawl_core::limits::SEALED_HEAD_BYTES`] of them.
    pub head: Vec<u8>,
}

/// The sealed value of one version.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedVersion {
    /// Which.
    pub version_id: VersionId,
    /// Its value, sealed.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedVersion({}, {} bytes)", self.version_id, self.sealed.len())
    }
}

/// Who works on a secret's rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseState {
    /// Goes up with every claim and every release: the fencing token.
    pub epoch: u64,
    /// The host that holds it; none when nobody does.
    pub owner: Option<String>,
    /// Until when, by the wall clock.
    pub until: Option<Timestamp>,
}

/// A secret and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The secret.
    pub head: SecretRow,
    /// Who works on its rotation.
    pub lease: LeaseState,
}

/// A secret with every value, as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// The secret.
    pub head: SecretRow,
    /// Who works on its rotation.
    pub lease: LeaseState,
    /// The values of those versions that have one.
    pub values: Vec<SealedVersion>,
}

/// What a list is sorted by. The name tells apart those that are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortBy {
    /// The date of creation.
    #[default]
    Created,
    /// The name, by its bytes.
    Name,
    /// The date of the last change.
    LastChanged,
    /// The date of the last access; those never accessed are the oldest.
    LastAccessed,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The oldest, or the first by name.
    #[default]
    Ascending,
    /// The other end. Those that are alike go backwards as well.
    Descending,
}

/// In which order a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// From which end.
    pub direction: Direction,
}

/// The place of one secret in a list: the next page begins after it, whatever was added, changed or purged meanwhile. A secret
/// that a change moves from before the place to after it is listed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What the list is sorted by; a place means nothing in another one.
    pub by: SortBy,
    /// The moment by which the secret is sorted; none when by name, and when never accessed.
    pub at: Option<Timestamp>,
    /// Its name.
    pub name: SecretName,
}

impl Cursor {
    /// The place of `row` in a list sorted so.
    #[must_use]
    pub fn of(row: &SecretRow, by: SortBy) -> Self {
        let at = match by {
            SortBy::Created => Some(row.created_at),
            SortBy::Name => None,
            SortBy::LastChanged => Some(row.last_changed_at),
            SortBy::LastAccessed => row.last_accessed_at,
        };
        Self { by, at, name: row.name.clone() }
    }
}

/// Which page of which list.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// Of this region.
    pub region: &'a Region,
    /// After this place of a list sorted the same way; from the beginning without it.
    pub after: Option<&'a Cursor>,
    /// In this order.
    pub order: Order,
    /// So many at most.
    pub limit: u32,
    /// Also those that are scheduled for deletion.
    pub include_deleted: bool,
}

/// A secret with which something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub arn: SecretArn,
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: SecretName,
}

/// The right to work on one secret's rotation, as long as nobody took it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub arn: SecretArn,
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: SecretName,
    /// The fencing token to name with every deed.
    pub epoch: u64,
}

/// A claim as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose rotation.
    pub arn: SecretArn,
    /// Its holder.
    pub owner: String,
    /// The claim's number.
    pub epoch: u64,
    /// Until when.
    pub until: Timestamp,
}

/// A numbered record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number. They only go up, and one may be missing.
    pub seq: u64,
    /// The record, as JSON, exactly as it was given.
    pub record: String,
}

/// How a store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// What is wrong with its files; nothing when it is sound.
    pub problems: Vec<String>,
    /// The version of its schema.
    pub schema: i64,
    /// How it keeps its promises at a crash: `wal`.
    pub journal: String,
    /// Bytes of its data.
    pub bytes: u64,
    /// Bytes of it that are free for new data.
    pub free_bytes: u64,
    /// Secrets, those scheduled for deletion included.
    pub secrets: u64,
    /// Values of versions.
    pub versions: u64,
    /// The number of the latest audit record.
    pub audit: u64,
    /// The number of the latest event.
    pub events: u64,
}
