//! Groups. Who is in one is written in the users.

use serde::{Deserialize, Serialize};

use super::mint::{IdKind, mint_id};
use super::policies::Policies;
use crate::world::{Rng, Timestamp};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The path, which begins and ends with a slash.
    pub path: String,
    /// Tells the group from every other one.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Policies.
    #[serde(flatten)]
    pub policies: Policies,
}

impl Group {
    /// A new group.
    #[must_use]
    pub fn new(name: &str, path: &str, now: Timestamp, rng: &dyn Rng) -> Self {
        let (name, path) = (name.to_owned(), path.to_owned());
        Self { name, path, id: mint_id(IdKind::Group, rng), created_at: now, policies: Policies::default() }
    }
}
