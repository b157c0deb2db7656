//! What a restored store may be wrong about: passwords that were rotated after its backup was made.

use pawl_core::arn::SecretArn;
use pawl_core::secret::Secret;
use pawl_core::world::Timestamp;
use serde::Serialize;

/// Why a secret's AWSCURRENT may be older than the password that its database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Reason {
    /// A rotation was under way when the backup was made; it goes on when the store is served.
    Rotating,
    /// Its schedule was due after the backup was made; it is rotated when the store is served.
    Due,
    /// It is rotated, and may have been by hand.
    Possible,
}

/// A secret that is rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Drift {
    /// Which.
    #[serde(rename = "ARN")]
    pub arn: SecretArn,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Why it is named.
    pub reason: Reason,
    /// When a rotation of it last succeeded, as far as the backup knows.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub last_rotated: Option<Timestamp>,
    /// When its schedule is due, as far as the backup knows.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub next_rotation: Option<Timestamp>,
}

#[expect(clippy::ref_option, reason = "the form that serde wants")]
fn as_text<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

impl Drift {
    /// What a secret of a backup is to be looked at for, at `now`; nothing for one that is not rotated.
    pub(super) fn of(secret: &Secret, now: Timestamp) -> Option<Self> {
        let rotates = secret.rotation_config.as_ref().is_some_and(|config| config.enabled);
        let running = secret.rotation_due_at().is_some();
        if secret.replica_of.is_some() || !rotates && !running {
            return None;
        }
        let reason = if running {
            Reason::Rotating
        } else if secret.next_rotation_at.is_some_and(|due| due <= now) {
            Reason::Due
        } else {
            Reason::Possible
        };
        Some(Self {
            arn: secret.arn.clone(),
            name: secret.name.to_string(),
            region: secret.region.to_string(),
            reason,
            last_rotated: secret.last_rotated_at,
            next_rotation: secret.next_rotation_at,
        })
    }
}
