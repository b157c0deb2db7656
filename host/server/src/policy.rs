//! The policy's door, and the record of who went through it.

use pawl_core::arn::SecretArn;
use pawl_core::world::Timestamp;
use serde::Serialize;

use crate::error::AppError;
use crate::identity::{Caller, Standing};

/// What a caller wants to do; AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the operation of its name")]
pub enum Action {
    CancelRotateSecret,
    CreateSecret,
    DeleteSecret,
    DescribeSecret,
    GetSecretValue,
    ListSecretVersionIds,
    ListSecrets,
    PutSecretValue,
    RestoreSecret,
    RotateSecret,
    TagResource,
    UntagResource,
    UpdateSecret,
    UpdateSecretVersionStage,
    /// A step of a rotation, by the rotation's own function.
    RotationStep,
    /// Purging what was scheduled for deletion.
    PurgeSecret,
    /// Pawl's own operations: the state of the host, the development clock.
    Administer,
}

/// The record that is stored in one transaction with every change. Never a value.
#[derive(Serialize)]
pub(crate) struct AuditRecord<'a> {
    pub(crate) at: Timestamp,
    pub(crate) request_id: &'a str,
    pub(crate) principal: &'a str,
    pub(crate) action: Action,
    pub(crate) arn: &'a SecretArn,
    pub(crate) revision: u64,
}

/// The policy's door. Until policies exist, it says yes to root, and to Pawl's own work what that work is.
pub(crate) fn authorise(caller: &Caller, action: Action) -> Result<(), AppError> {
    let allowed = match caller.standing {
        Standing::Root => true,
        Standing::Scheduler => matches!(action, Action::RotateSecret | Action::PurgeSecret),
        Standing::Rotation => action == Action::RotationStep,
    };
    if allowed { Ok(()) } else { Err(AppError::Denied { principal: caller.principal.clone(), action }) }
}
