//! What the store keeps, and what it answers.

use std::fmt;

use pawl_core::arn::SecretArn;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use serde::{Deserialize, Serialize};

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

/// In which order a list goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By date of creation.
    #[default]
    OldestFirst,
    /// By date of creation, backwards.
    NewestFirst,
}

/// The place of one secret in a list: the next page begins after it, whatever was added or purged meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When the secret was made.
    pub created_at: Timestamp,
    /// Its name, which tells apart those of the same moment.
    pub name: SecretName,
}

impl Cursor {
    /// The place of `row`.
    #[must_use]
    pub fn of(row: &SecretRow) -> Self {
        Self { created_at: row.created_at, name: row.name.clone() }
    }
}

/// Which page of which list.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// Of this region.
    pub region: &'a Region,
    /// After this place; from the beginning without it.
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
