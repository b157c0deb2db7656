//! AWS Secrets Manager's model, 2017-10-17, as botocore 1.44.5 has it: every operation, member, limit and modelled error, and how
//! far Pawl honours each. `tests/it/model.rs` compares it with the model that is installed.

mod kind;
mod policy;
mod replica;
mod rotation;
mod secret;
mod value;

use super::Operation;
use crate::error::ErrorCode;
use crate::model::Structure;

/// What the model says of an operation.
#[derive(Debug)]
pub struct OperationModel {
    /// Which operation.
    pub operation: Operation,
    /// What it takes.
    pub request: Structure,
    /// What it answers.
    pub response: Structure,
    /// The errors that AWS's model gives it.
    pub errors: &'static [ErrorCode],
    /// Whether it came with botocore 1.44.
    pub new: bool,
    /// What differs from AWS as a whole, as sentences; empty when nothing is known to.
    pub remark: &'static str,
}

macro_rules! models {
    ($($operation:ident = $place:path;)*) => {
        /// Every operation's model, in the operations' order.
        pub static ALL: &[&OperationModel] = &[$(&$place),*];

        /// An operation's model.
        #[must_use]
        pub const fn of(operation: Operation) -> &'static OperationModel {
            match operation { $(Operation::$operation => &$place,)* }
        }
    };
}

models! {
    AssociateCrossAccountReplica = replica::ASSOCIATE_CROSS_ACCOUNT_REPLICA;
    BatchGetSecretValue = value::BATCH_GET_SECRET_VALUE;
    CancelRotateSecret = rotation::CANCEL_ROTATE_SECRET;
    CreateSecret = secret::CREATE_SECRET;
    DeleteResourcePolicy = policy::DELETE_RESOURCE_POLICY;
    DeleteSecret = secret::DELETE_SECRET;
    DescribeSecret = secret::DESCRIBE_SECRET;
    DisassociateCrossAccountReplica = replica::DISASSOCIATE_CROSS_ACCOUNT_REPLICA;
    GetRandomPassword = value::GET_RANDOM_PASSWORD;
    GetResourcePolicy = policy::GET_RESOURCE_POLICY;
    GetSecretValue = value::GET_SECRET_VALUE;
    ListResourcePolicies = policy::LIST_RESOURCE_POLICIES;
    ListSecretVersionIds = value::LIST_SECRET_VERSION_IDS;
    ListSecrets = secret::LIST_SECRETS;
    PutResourcePolicy = policy::PUT_RESOURCE_POLICY;
    PutSecretValue = value::PUT_SECRET_VALUE;
    RemoveRegionsFromReplication = replica::REMOVE_REGIONS_FROM_REPLICATION;
    ReplicateSecretToRegions = replica::REPLICATE_SECRET_TO_REGIONS;
    RestoreSecret = secret::RESTORE_SECRET;
    RotateSecret = rotation::ROTATE_SECRET;
    StopReplicationToReplica = replica::STOP_REPLICATION_TO_REPLICA;
    TagResource = secret::TAG_RESOURCE;
    UntagResource = secret::UNTAG_RESOURCE;
    UpdateSecret = secret::UPDATE_SECRET;
    UpdateSecretVersionStage = value::UPDATE_SECRET_VERSION_STAGE;
    ValidateResourcePolicy = policy::VALIDATE_RESOURCE_POLICY;
}

/// Declares operations' models.
macro_rules! model {
    ($($name:ident = $operation:ident {
        takes [$($request:expr),* $(,)?]
        answers [$($response:expr),* $(,)?]
        errors [$($error:ident),* $(,)?]
        $(new $new:literal)?
        $(remark $remark:literal)?
    })*) => {$(
        pub(super) static $name: $crate::secrets_manager::model::OperationModel =
            $crate::secrets_manager::model::OperationModel {
                operation: $crate::secrets_manager::Operation::$operation,
                request: $crate::model::Structure {
                    name: concat!(stringify!($operation), "Request"),
                    members: &[$($request),*],
                },
                response: $crate::model::Structure {
                    name: concat!(stringify!($operation), "Response"),
                    members: &[$($response),*],
                },
                errors: &[$($crate::error::ErrorCode::$error),*],
                new: false $(|| $new)?,
                remark: concat!("" $(, $remark)?),
            };
    )*};
}
use model;

/// The kind of a list.
macro_rules! list {
    ($length:expr, $element:expr) => {{
        // A constant of its own, for a reference to it must outlive the expression.
        const LIST: $crate::model::Kind =
            $crate::model::Kind::List(&$crate::model::List { length: $length, element: $element });
        LIST
    }};
}
use list;

/// Declares structures that others hold.
macro_rules! structures {
    ($($name:ident = $wire:literal [$($member:expr),* $(,)?])*) => {$(
        pub(super) static $name: $crate::model::Structure =
            $crate::model::Structure { name: $wire, members: &[$($member),*] };
    )*};
}
use structures;

#[cfg(test)]
mod tests;
