//! Roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::IdentityError;
use super::mint::{IdKind, mint_id};
use super::policies::{Policies, chars};
use crate::limits;
use crate::secret::Tag;
use crate::world::{Rng, Timestamp};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The name.
    pub name: String,
    /// The path, which begins and ends with a slash.
    pub path: String,
    /// Tells the role from every other one, earlier ones of the same name included: no session outlives its role.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seconds for which a session of it may last.
    pub session_seconds_max: u32,
    /// The text of the policy that says who may assume it.
    pub trust: String,
    /// The ids of the users and roles that this policy names, by the ARNs that they had when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The ARN of the policy beyond which no other lets its sessions go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Policies.
    #[serde(flatten)]
    pub policies: Policies,
}

impl Role {
    /// A new role.
    ///
    /// # Errors
    /// When its trust policy is too long.
    pub fn new(
        name: &str,
        path: &str,
        trust: &str,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Self, IdentityError> {
        let mut role = Self {
            name: name.to_owned(),
            path: path.to_owned(),
            id: mint_id(IdKind::Role, rng),
            created_at: now,
            description: None,
            session_seconds_max: limits::ROLE_SESSION_SECONDS_MIN,
            trust: String::new(),
            principals: BTreeMap::new(),
            tags: Vec::new(),
            boundary: None,
            policies: Policies::default(),
        };
        role.set_trust(trust)?;
        Ok(role)
    }

    /// Says anew who may assume it.
    ///
    /// # Errors
    /// When the policy is too long.
    pub fn set_trust(&mut self, text: &str) -> Result<(), IdentityError> {
        let most = limits::TRUST_POLICY_CHARS_MAX;
        if chars(text) > most {
            return Err(IdentityError::Quota { what: "ACLSizePerRole", most });
        }
        text.clone_into(&mut self.trust);
        Ok(())
    }
}
