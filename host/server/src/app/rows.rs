//! Between rows and secrets.

use std::sync::Arc;

use litemap::LiteMap;
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Rotation, Status};
use pawl_core::secret::Secret;
use pawl_iam::policy::PolicyDocument;
use pawl_keyring::Sealed;
use pawl_store::{RotationState, RowMac, SecretRow, StoreError};
use serde::Serialize;

use crate::cache::{Held, Policy};
use crate::error::AppError;

pub(super) fn hold(row: &SecretRow, sealed: LiteMap<VersionId, Arc<Sealed>>) -> Result<Held, AppError> {
    let secret = decode(row)?;
    let (policy, weight) = (policy(&secret), weight(row, &sealed));
    Ok(Held { revision: row.revision, secret, sealed, policy, sealed_under: None, weight })
}

/// A secret's policy, ready to decide.
pub(super) fn policy(secret: &Secret) -> Policy {
    let Some(text) = &secret.policy else { return Policy::None };
    match PolicyDocument::parse(text) {
        Ok(policy) => Policy::Document(Arc::new(policy.bound(&secret.principals))),
        Err(error) => {
            tracing::error!(secret.arn = %secret.arn, %error, "the policy of a secret cannot be read, so it denies everything");
            Policy::Unreadable
        }
    }
}

/// Bytes of memory that a secret takes when it is held, roughly.
pub(super) fn weight(row: &SecretRow, sealed: &LiteMap<VersionId, Arc<Sealed>>) -> u64 {
    let values: usize = sealed.values().map(|sealed| sealed.as_bytes().len() + 64).sum();
    // What a document says takes about as much again for what holds it; a policy is compiled, text by text.
    let policy = match row.document.contains("\"policy\":") {
        true => row.document.matches("\\\"").count() / 2 * limits::CACHE_POLICY_TEXT_BYTES,
        false => 0,
    };
    (limits::CACHE_SECRET_BYTES + row.document.len() * 2 + values + policy) as u64
}

pub(super) fn decode(row: &SecretRow) -> Result<Secret, AppError> {
    if row.mac.is_refused() {
        return Err(StoreError::Altered { table: "secrets" }.into());
    }
    serde_json::from_str(&row.document).map_err(|error| AppError::Inconsistent {
        what: format!(
            "the document of {} cannot be read (line {}, column {})",
            row.arn,
            error.line(),
            error.column()
        ),
    })
}

pub(super) fn row(revision: u64, secret: &Secret) -> Result<SecretRow, AppError> {
    Ok(SecretRow {
        arn: secret.arn.clone(),
        region: secret.region.clone(),
        name: secret.name.clone(),
        revision,
        document: encode(secret)?,
        created_at: secret.created_at,
        last_changed_at: secret.last_changed_at,
        last_accessed_at: secret.last_accessed_day,
        replica_of: secret.replica_of.clone(),
        purge_at: secret.purge_at,
        next_rotation_at: secret.next_rotation_at,
        rotation_due_at: secret.rotation_due_at(),
        rotation_state: secret.rotation.as_deref().and_then(state),
        // The store in front of the store makes it.
        mac: RowMac::None,
    })
}

/// How a rotation stands, where somebody may want to know. A trial that failed counts as well: nothing else would say so.
fn state(rotation: &Rotation) -> Option<RotationState> {
    match rotation.status {
        Status::Running { .. } if rotation.failed_tries > 0 => Some(RotationState::Waiting),
        Status::Running { .. } => Some(RotationState::Running),
        Status::Failed { .. } => Some(RotationState::Failed),
        Status::Stranded { .. } => Some(RotationState::Stranded),
        Status::Succeeded | Status::Cancelled | Status::Abandoned => None,
    }
}

/// How the rotation of the secret in a document stands; none when the document cannot be read, which others report.
pub(crate) fn rotation_state(document: &str) -> Option<RotationState> {
    let secret: Secret = serde_json::from_str(document).ok()?;
    secret.rotation.as_deref().and_then(state)
}

pub(super) fn encode(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::Inconsistent { what: error.to_string() })
}
