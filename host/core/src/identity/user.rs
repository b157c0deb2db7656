//! Users.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::credential::{AccessKeyRecord, KeyStatus};
use super::error::IdentityError;
use super::mint::{IdKind, mint_id};
use super::policies::Policies;
use crate::limits;
use crate::secret::Tag;
use crate::world::{Rng, Timestamp};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The path, which begins and ends with a slash.
    pub path: String,
    /// Tells the user from every other one, earlier ones of the same name included.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The ARN of the policy beyond which no other lets the user go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Policies.
    #[serde(flatten)]
    pub policies: Policies,
    /// The names of the groups that the user is in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Access keys, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<AccessKeyRecord>,
}

impl User {
    /// A new user, who may do nothing.
    #[must_use]
    pub fn new(name: &str, path: &str, now: Timestamp, rng: &dyn Rng) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            id: mint_id(IdKind::User, rng),
            created_at: now,
            tags: Vec::new(),
            boundary: None,
            policies: Policies::default(),
            groups: BTreeSet::new(),
            keys: Vec::new(),
        }
    }

    /// Adds an access key.
    ///
    /// # Errors
    /// When the user has as many as there may be.
    pub fn add_key(&mut self, id: &str, now: Timestamp) -> Result<(), IdentityError> {
        let most = limits::USER_KEYS_MAX;
        if self.keys.len() >= most {
            return Err(IdentityError::Quota { what: "AccessKeysPerUser", most });
        }
        self.keys.push(AccessKeyRecord { id: id.to_owned(), status: KeyStatus::Active, created_at: now });
        Ok(())
    }

    /// Sets whether an access key can be used.
    ///
    /// # Errors
    /// When the user has no such key.
    pub fn set_key(&mut self, id: &str, status: KeyStatus) -> Result<(), IdentityError> {
        let missing = || IdentityError::NoSuchKey(id.to_owned());
        self.keys.iter_mut().find(|key| key.id == id).ok_or_else(missing)?.status = status;
        Ok(())
    }

    /// Takes an access key away.
    ///
    /// # Errors
    /// When the user has no such key.
    pub fn delete_key(&mut self, id: &str) -> Result<(), IdentityError> {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        if self.keys.len() < before { Ok(()) } else { Err(IdentityError::NoSuchKey(id.to_owned())) }
    }

    /// Puts the user into a group; being in it already is no mistake.
    ///
    /// # Errors
    /// When the user is in too many.
    pub fn join(&mut self, group: &str) -> Result<(), IdentityError> {
        let most = limits::USER_GROUPS_MAX;
        if !self.groups.contains(group) && self.groups.len() >= most {
            return Err(IdentityError::Quota { what: "GroupsPerUser", most });
        }
        self.groups.insert(group.to_owned());
        Ok(())
    }

    /// Whether the user can be deleted.
    ///
    /// # Errors
    /// When something still belongs to it.
    pub fn must_be_bare(&self) -> Result<(), IdentityError> {
        if !self.keys.is_empty() {
            return Err(IdentityError::InUse("delete access keys"));
        }
        self.policies.must_be_none()?;
        if self.groups.is_empty() { Ok(()) } else { Err(IdentityError::InUse("remove users from group")) }
    }
}
