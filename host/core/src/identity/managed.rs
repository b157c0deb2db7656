//! Managed policies: policies with a name of their own, and with versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::IdentityError;
use super::mint::{IdKind, mint_id};
use super::policies::chars;
use crate::limits;
use crate::secret::Tag;
use crate::world::{Rng, Timestamp};

/// A managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// The name.
    pub name: String,
    /// The path, which begins and ends with a slash.
    pub path: String,
    /// Tells the policy from every other one.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its latest version was made.
    pub updated_at: Timestamp,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Its versions, by their numbers.
    pub versions: BTreeMap<u32, PolicyVersion>,
    /// The number of the version that is in force.
    pub default: u32,
    /// The highest number that there ever was.
    pub latest: u32,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Its text.
    pub text: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The id of a version.
#[must_use]
pub fn version_id(number: u32) -> String {
    format!("v{number}")
}

impl ManagedPolicy {
    /// A new policy, whose first version is in force.
    ///
    /// # Errors
    /// When it is too long.
    pub fn new(
        name: &str,
        path: &str,
        text: &str,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Self, IdentityError> {
        let mut policy = Self {
            name: name.to_owned(),
            path: path.to_owned(),
            id: mint_id(IdKind::Policy, rng),
            created_at: now,
            updated_at: now,
            description: None,
            tags: Vec::new(),
            versions: BTreeMap::new(),
            default: 0,
            latest: 0,
        };
        policy.add(text, true, now)?;
        Ok(policy)
    }

    /// Adds a version, and puts it into force or not; answers its number.
    ///
    /// # Errors
    /// When it is too long, or there are too many.
    pub fn add(&mut self, text: &str, in_force: bool, now: Timestamp) -> Result<u32, IdentityError> {
        let most = limits::MANAGED_POLICY_CHARS_MAX;
        if chars(text) > most {
            return Err(IdentityError::Quota { what: "PolicySize", most });
        }
        if self.versions.len() >= limits::POLICY_VERSIONS_MAX {
            return Err(IdentityError::Versions(limits::POLICY_VERSIONS_MAX));
        }
        self.latest = self.latest.saturating_add(1);
        self.versions.insert(self.latest, PolicyVersion { text: text.to_owned(), created_at: now });
        if in_force {
            self.default = self.latest;
        }
        self.updated_at = now;
        Ok(self.latest)
    }

    /// The number and the version of this id.
    ///
    /// # Errors
    /// When there is none.
    pub fn version(&self, arn: &str, id: &str) -> Result<(u32, &PolicyVersion), IdentityError> {
        let number: Option<u32> = id.strip_prefix('v').and_then(|number| number.parse().ok());
        let found = number.and_then(|number| Some((number, self.versions.get(&number)?)));
        found.ok_or_else(|| IdentityError::NoSuchVersion { arn: arn.to_owned(), version: id.to_owned() })
    }

    /// Puts a version into force.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn put_in_force(&mut self, arn: &str, id: &str) -> Result<(), IdentityError> {
        self.default = self.version(arn, id)?.0;
        Ok(())
    }

    /// Deletes a version.
    ///
    /// # Errors
    /// When there is none of this id, or it is in force.
    pub fn delete(&mut self, arn: &str, id: &str) -> Result<(), IdentityError> {
        let (number, _) = self.version(arn, id)?;
        if number == self.default {
            return Err(IdentityError::DefaultVersion);
        }
        self.versions.remove(&number);
        Ok(())
    }

    /// The text that is in force.
    #[must_use]
    pub fn in_force(&self) -> &str {
        self.versions.get(&self.default).map_or("", |version| version.text.as_str())
    }
}
