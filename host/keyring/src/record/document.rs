//! What a key record says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::limits;
use pawl_core::world::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::keyring::KekId;
use crate::root::RootId;

/// A root key that opens the record, and how it is had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Which.
    pub root: RootId,
    /// The kind of its provider: `file`, `passphrase`, `kms`, ...
    pub provider: String,
    /// What the provider needs to have it again, and is no secret: the parameters of a passphrase, or the root key wrapped by
    /// another service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// When it came in.
    pub created_at: Timestamp,
}

impl Slot {
    /// The provider that needs nothing else.
    pub const FILE: &'static str = "file";
}

/// What a key-encryption key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Hosts are learning it; nothing is sealed by it yet.
    Announced,
    /// It seals.
    Active,
    /// It still opens, until this moment: what is in nobody's store, such as the tokens of sessions, was sealed by it.
    Former {
        /// Until when.
        until: Timestamp,
    },
}

/// Where a rotation of the root key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Both root keys open the record; hosts are learning the new one and the new key-encryption key.
    Publishing,
    /// The new key-encryption key seals, and what the one before it sealed is sealed anew.
    Rewrapping,
}

/// A rotation of the root key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootRotation {
    /// The root key that goes.
    pub from: RootId,
    /// The one that comes.
    pub to: RootId,
    /// The new key-encryption key.
    pub key: KekId,
    /// When it began.
    pub began_at: Timestamp,
    /// Where it is.
    pub phase: Phase,
}

/// A rotation of the root key that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The root key that went: nothing in the store is under it.
    pub from: RootId,
    /// The one that came.
    pub to: RootId,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// A key under a root key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wrapped(pub(super) Vec<u8>);

/// A key under each root key that opens the record.
pub(super) type Wraps = BTreeMap<RootId, Wrapped>;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredKey {
    pub(super) id: KekId,
    pub(super) state: KeyState,
    pub(super) created_at: Timestamp,
    pub(super) wraps: Wraps,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) serial: u64,
    pub(super) seed_id: KekId,
    pub(super) seed: Wraps,
    pub(super) slots: Vec<Slot>,
    pub(super) keys: Vec<StoredKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotation: Option<RootRotation>,
    /// The new root key under the one before it, for hosts that keep root keys in files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) handover: Option<Wrapped>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Ended>,
    /// Since when every row of the store has a code; none when rows are of a time before there were codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rows_signed_at: Option<Timestamp>,
}

impl Document {
    pub(super) fn new(seed_id: KekId, slot: Slot, key: StoredKey) -> Self {
        Self {
            serial: 1,
            seed_id,
            seed: Wraps::new(),
            slots: vec![slot],
            keys: vec![key],
            rotation: None,
            handover: None,
            ended: None,
            rows_signed_at: None,
        }
    }

    /// Whether it is one that a program could have written.
    pub(super) fn is_sane(&self) -> bool {
        let roots: BTreeSet<RootId> = self.slots.iter().map(|slot| slot.root).collect();
        let ids: BTreeSet<KekId> = self.keys.iter().map(|key| key.id).collect();
        let active = self.keys.iter().filter(|key| key.state == KeyState::Active).count();
        active == 1
            && roots.len() == self.slots.len()
            && ids.len() == self.keys.len()
            && (1..=limits::ROOT_SLOTS_MAX).contains(&self.slots.len())
            && self.keys.len() <= limits::KEKS_MAX
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({} bytes)", self.0.len())
    }
}

impl Serialize for Wrapped {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
