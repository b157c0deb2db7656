//! The key: everything that is known of a KMS key but its material.

mod alias;
mod context;
mod id;
mod material;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::alias::{Alias, AliasName, AliasNameError, SECRETS_ALIAS};
pub use self::context::EncryptionContext;
pub use self::id::{KeyArn, KeyId, KeyIdError, KeyRef, KeyRefError};
pub use self::material::{AutomaticRotation, Material, MaterialId, RotationKind};
pub use self::spec::{KeySpec, KeyUsage};
use crate::limits;
use crate::names::{AccountId, Region};
use crate::secret::Tag;
use crate::world::{Rng, Timestamp};

/// Who answers for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyManager {
    /// The account's own.
    Customer,
    /// A service's: `alias/aws/...`. Nobody changes it.
    Aws,
}

/// What a key may be used for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// For all that its kind does.
    Enabled,
    /// For nothing, until it is enabled.
    Disabled,
    /// For nothing; it is gone at that moment, unless that is taken back.
    PendingDeletion {
        /// When it goes.
        purge_at: Timestamp,
        /// The days of waiting that were asked for.
        window_days: i64,
    },
}

/// A key without its material: the aggregate that is loaded, changed and stored as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Its ARN, to which its material is bound.
    pub arn: KeyArn,
    /// Its region.
    pub region: Region,
    /// What it is for, in its owner's words.
    pub description: String,
    /// What it is made of.
    pub spec: KeySpec,
    /// Who answers for it.
    pub manager: KeyManager,
    /// What it may be used for now.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// The policy on it, as JSON text, exactly as it was given.
    pub policy: String,
    /// The ids of the users and roles that the policy names, by the ARNs that they had when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// How its material is renewed by itself; none when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<AutomaticRotation>,
    /// Its materials, the oldest first and the one that encrypts last. There is always one.
    pub materials: Vec<Material>,
}

/// Why something could not be done with a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is disabled.
    #[error("{0} is disabled.")]
    Disabled(KeyArn),
    /// It is about to go.
    #[error("{0} is pending deletion.")]
    PendingDeletion(KeyArn),
    /// Only a deletion that is scheduled can be taken back.
    #[error("{0} is not pending deletion.")]
    NotPendingDeletion(KeyArn),
    /// It is made for something else.
    #[error("{arn} key usage is {usage} which is not valid for {operation}.")]
    Usage {
        /// The key.
        arn: KeyArn,
        /// What it is for.
        usage: KeyUsage,
        /// What was asked of it.
        operation: &'static str,
    },
    /// Its kind has no such thing.
    #[error("The operation is not supported for KMS keys with the key spec {0}.")]
    Unsupported(KeySpec),
    /// More tags than there may be.
    #[error("A KMS key can have at most {max} tags.", max = limits::KEY_TAGS_MAX)]
    TooManyTags,
    /// More rotations on demand than there may be.
    #[error("{arn} was rotated on demand {max} times, which is as often as there may be.", max = limits::KEY_ROTATIONS_ON_DEMAND_MAX)]
    TooManyRotations {
        /// The key.
        arn: KeyArn,
    },
    /// A waiting period that is not within AWS's.
    #[error(
        "PendingWindowInDays must be between {min} and {max} (inclusive).",
        min = limits::KEY_DELETION_DAYS_MIN,
        max = limits::KEY_DELETION_DAYS_MAX
    )]
    Window,
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its region.
    pub region: Region,
    /// Its account.
    pub account: AccountId,
    /// What it is made of.
    pub spec: KeySpec,
    /// Who answers for it.
    pub manager: KeyManager,
    /// What it is for, in its owner's words.
    pub description: String,
    /// The policy on it; none for the one that lets the account's own policies decide.
    pub policy: Option<String>,
    /// See [`Key::principals`].
    pub principals: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Key {
    /// A new key, with a material that is yet to be made.
    ///
    /// # Errors
    /// When it has more tags than there may be.
    pub fn new(new: NewKey, rng: &dyn Rng, now: Timestamp) -> Result<Self, KeyError> {
        let NewKey { region, account, spec, manager, description, policy, principals, tags } = new;
        let id = KeyId::random(rng);
        let policy = policy.unwrap_or_else(|| default_policy(&region, &account));
        let mut key = Self {
            arn: KeyArn::of(&region, &account, id),
            id,
            region,
            description,
            spec,
            manager,
            state: KeyState::Enabled,
            created_at: now,
            policy,
            principals,
            tags: Vec::new(),
            rotation: None,
            materials: vec![Material::first(rng, now)],
        };
        key.tag(tags)?;
        Ok(key)
    }

    /// Whether it encrypts now.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        matches!(self.state, KeyState::Enabled)
    }

    /// Whether it is gone: its waiting period is over.
    #[must_use]
    pub fn is_gone(&self, now: Timestamp) -> bool {
        matches!(self.state, KeyState::PendingDeletion { purge_at, .. } if purge_at <= now)
    }

    /// Refuses what a key does only when it is enabled.
    ///
    /// # Errors
    /// When it is disabled or about to go.
    pub fn must_be_enabled(&self) -> Result<(), KeyError> {
        match self.state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(KeyError::Disabled(self.arn.clone())),
            KeyState::PendingDeletion { .. } => Err(KeyError::PendingDeletion(self.arn.clone())),
        }
    }

    /// Refuses what a key that is about to go no longer does.
    ///
    /// # Errors
    /// When it is about to go.
    pub fn must_stay(&self) -> Result<(), KeyError> {
        match self.state {
            KeyState::Enabled | KeyState::Disabled => Ok(()),
            KeyState::PendingDeletion { .. } => Err(KeyError::PendingDeletion(self.arn.clone())),
        }
    }

    /// Refuses an operation for which the key is not made.
    ///
    /// # Errors
    /// When its usage is another one.
    pub fn must_be_for(&self, usage: KeyUsage, operation: &'static str) -> Result<(), KeyError> {
        let own = self.spec.usage();
        if own == usage {
            return Ok(());
        }
        Err(KeyError::Usage { arn: self.arn.clone(), usage: own, operation })
    }

    /// Lets it be used again.
    ///
    /// # Errors
    /// When it is about to go.
    pub fn enable(&mut self) -> Result<(), KeyError> {
        self.must_stay()?;
        self.state = KeyState::Enabled;
        Ok(())
    }

    /// Lets it be used no more.
    ///
    /// # Errors
    /// When it is about to go.
    pub fn disable(&mut self) -> Result<(), KeyError> {
        self.must_stay()?;
        self.state = KeyState::Disabled;
        Ok(())
    }

    /// Schedules its end; the moment at which it goes.
    ///
    /// # Errors
    /// When it is about to go already, or the waiting period is none of AWS's.
    pub fn schedule_deletion(&mut self, window_days: i64, now: Timestamp) -> Result<Timestamp, KeyError> {
        self.must_stay()?;
        if !(limits::KEY_DELETION_DAYS_MIN..=limits::KEY_DELETION_DAYS_MAX).contains(&window_days) {
            return Err(KeyError::Window);
        }
        let purge_at = now.plus_days(window_days);
        self.state = KeyState::PendingDeletion { purge_at, window_days };
        Ok(purge_at)
    }

    /// Takes a scheduled end back. The key is disabled then, as AWS has it.
    ///
    /// # Errors
    /// When none is scheduled.
    pub fn cancel_deletion(&mut self) -> Result<(), KeyError> {
        if !matches!(self.state, KeyState::PendingDeletion { .. }) {
            return Err(KeyError::NotPendingDeletion(self.arn.clone()));
        }
        self.state = KeyState::Disabled;
        Ok(())
    }

    /// Adds tags; one whose key is there already is replaced in its place.
    ///
    /// # Errors
    /// When there would be more than there may be.
    pub fn tag(&mut self, tags: Vec<Tag>) -> Result<(), KeyError> {
        let mut all = self.tags.clone();
        for tag in tags {
            match all.iter_mut().find(|held| held.key == tag.key) {
                Some(held) => held.value = tag.value,
                None => all.push(tag),
            }
        }
        if all.len() > limits::KEY_TAGS_MAX {
            return Err(KeyError::TooManyTags);
        }
        self.tags = all;
        Ok(())
    }

    /// Removes tags; one that is not there is no mistake.
    pub fn untag(&mut self, keys: &[String]) {
        self.tags.retain(|tag| !keys.contains(&tag.key));
    }
}

/// The policy of keys that were made without one: the account's own policies decide (AWS's "default key policy").
fn default_policy(region: &Region, account: &AccountId) -> String {
    let partition = region.partition();
    format!(
        "{{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {{\n    \"Sid\" : \
         \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {{\n      \"AWS\" : \
         \"arn:{partition}:iam::{account}:root\"\n    }},\n    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  }} ]\n}}"
    )
}
