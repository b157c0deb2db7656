//! Between rows and secrets.

use std::sync::Arc;

use litemap::LiteMap;
use pawl_core::names::VersionId;
use pawl_core::secret::Secret;
use pawl_iam::policy::PolicyDocument;
use pawl_keyring::Sealed;
use pawl_store::SecretRow;
use serde::Serialize;

use crate::cache::Held;
use crate::error::AppError;

pub(super) fn hold(row: &SecretRow, sealed: LiteMap<VersionId, Arc<Sealed>>) -> Result<Held, AppError> {
    let secret = decode(row)?;
    let policy = policy(&secret)?;
    Ok(Held { revision: row.revision, secret, sealed, policy, sealed_under: None })
}

/// A secret's policy, ready to decide. One that cannot be read is the host's fault, and nothing is served under it.
pub(super) fn policy(secret: &Secret) -> Result<Option<Arc<PolicyDocument>>, AppError> {
    let Some(text) = &secret.policy else { return Ok(None) };
    match PolicyDocument::parse(text) {
        Ok(policy) => Ok(Some(Arc::new(policy))),
        Err(error) => Err(AppError::Inconsistent {
            what: format!("the policy stored with {} cannot be read: {error}", secret.arn),
        }),
    }
}

pub(super) fn decode(row: &SecretRow) -> Result<Secret, AppError> {
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
    })
}

pub(super) fn encode(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::Inconsistent { what: error.to_string() })
}
