//! The policies of a user, group or role: those written into it, and those attached to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::IdentityError;
use crate::limits;

/// What has policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
}

impl Holder {
    /// The word for it: `user`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }

    const fn inline_chars_max(self) -> usize {
        match self {
            Self::User => limits::USER_POLICY_CHARS_MAX,
            Self::Group => limits::GROUP_POLICY_CHARS_MAX,
            Self::Role => limits::ROLE_POLICY_CHARS_MAX,
        }
    }

    const fn attached_quota(self) -> &'static str {
        match self {
            Self::User => "PoliciesPerUser",
            Self::Group => "PoliciesPerGroup",
            Self::Role => "PoliciesPerRole",
        }
    }
}

/// The policies of one holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// The texts of those written into it, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inline: BTreeMap<String, String>,
    /// The ARNs of those attached to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attached: BTreeSet<String>,
}

/// Characters that count: white space does not.
pub(super) fn chars(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

impl Policies {
    /// Writes a policy into the holder, in the place of one of the same name.
    ///
    /// # Errors
    /// When all of them are too long then.
    pub fn put(&mut self, holder: Holder, of: &str, name: &str, text: &str) -> Result<(), IdentityError> {
        let others = self.inline.iter().filter(|(held, _)| *held != name);
        let all: usize = others.map(|(_, text)| chars(text)).sum();
        let most = holder.inline_chars_max();
        if all.saturating_add(chars(text)) > most {
            return Err(IdentityError::PolicySize { most, kind: holder.as_str(), name: of.to_owned() });
        }
        self.inline.insert(name.to_owned(), text.to_owned());
        Ok(())
    }

    /// The text of a policy that is written into the holder.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn text(&self, holder: Holder, name: &str) -> Result<&str, IdentityError> {
        let missing = || IdentityError::NoSuchInline { kind: holder.as_str(), name: name.to_owned() };
        self.inline.get(name).map(String::as_str).ok_or_else(missing)
    }

    /// Takes away a policy that is written into the holder.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn delete(&mut self, holder: Holder, name: &str) -> Result<(), IdentityError> {
        self.text(holder, name)?;
        self.inline.remove(name);
        Ok(())
    }

    /// Attaches a policy. One that is attached stays so.
    ///
    /// # Errors
    /// When there are too many.
    pub fn attach(&mut self, holder: Holder, arn: &str) -> Result<(), IdentityError> {
        let (what, most) = (holder.attached_quota(), limits::ATTACHED_MAX);
        if !self.attached.contains(arn) && self.attached.len() >= most {
            return Err(IdentityError::Quota { what, most });
        }
        self.attached.insert(arn.to_owned());
        Ok(())
    }

    /// Detaches a policy.
    ///
    /// # Errors
    /// When it is not attached.
    pub fn detach(&mut self, arn: &str) -> Result<(), IdentityError> {
        if self.attached.remove(arn) { Ok(()) } else { Err(IdentityError::NotAttached(arn.to_owned())) }
    }

    /// Whether the holder can be deleted as far as policies are concerned.
    ///
    /// # Errors
    /// When it has some.
    pub fn must_be_none(&self) -> Result<(), IdentityError> {
        if !self.attached.is_empty() {
            return Err(IdentityError::InUse("detach all policies"));
        }
        if self.inline.is_empty() { Ok(()) } else { Err(IdentityError::InUse("delete policies")) }
    }
}
