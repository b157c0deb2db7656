//! Users, groups, roles and managed policies: what AWS's IAM calls entities, and what may be done with each.
//!
//! They know each other by name only. What concerns several of them (that a policy which is attached cannot be deleted) is
//! decided by who has all of them before him.

mod built_in;
mod credential;
mod error;
mod group;
mod managed;
mod mint;
mod policies;
mod provider;
mod role;
mod tags;
mod user;

pub use self::built_in::{BUILT_IN, BuiltIn};
pub use self::credential::{AccessKeyRecord, KeyStatus};
pub use self::error::IdentityError;
pub use self::group::Group;
pub use self::managed::{ManagedPolicy, PolicyVersion, version_id};
pub use self::mint::{IdKind, mint_id, mint_key_id, mint_secret};
pub use self::policies::{Holder, Policies};
pub use self::provider::OidcProvider;
pub use self::role::Role;
pub use self::tags::{put_tags, take_tags};
pub use self::user::User;

use crate::names::AccountId;

/// The ARN of what has a path and a name: `arn:aws:iam::000000000000:user/team/ann`.
#[must_use]
pub fn arn(account: &AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

#[cfg(test)]
mod tests;
