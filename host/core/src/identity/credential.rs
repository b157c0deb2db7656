//! Access keys of users. Their secret parts are kept elsewhere, sealed.

use serde::{Deserialize, Serialize};

use crate::world::Timestamp;

/// An access key, without its secret part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKeyRecord {
    /// Its id.
    pub id: String,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether an access key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It can.
    Active,
    /// It cannot, until it is made active again.
    Inactive,
}

impl KeyStatus {
    /// AWS's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}
