//! One function per operation: wire shape in, wire shape out.

mod batch;
mod check;
mod grants;
mod host;
pub(crate) mod iam;
mod kms;
pub mod lambda;
mod listing;
mod logs;
pub(crate) mod page;
mod password;
mod plan;
mod policies;
mod replication;
mod root_key;
mod rotation;
mod scan;
mod secrets;
pub(crate) mod sts;
mod tags;
mod versions;

use pawl_api::error::ApiError;
use pawl_api::pawl::Operation as PawlOperation;
use pawl_api::secrets_manager::Operation;
use pawl_api::{Request, Target};
use zeroize::Zeroizing;

pub(crate) use self::check::Looking;
pub use self::page::PageTokens;
pub use self::rotation::start_scheduled;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::{events, history};

/// An answer's bytes, which may hold a secret: wiped when sent.
pub type Body = Zeroizing<Vec<u8>>;

/// Does what the target names.
///
/// # Errors
/// What AWS would answer; the host's own failures are logged here, once, under the request's id.
pub async fn perform(host: &Host, caller: &Caller, target: Target, body: &[u8]) -> Result<Body, ApiError> {
    macro_rules! op {
        ($function:path) => {{
            let request = pawl_api::decode(body)?;
            let answer = $function(host, caller, request).await;
            encode(answer.map_err(|error| told(caller, target.name(), error))?)
        }};
    }
    match target {
        Target::SecretsManager(operation) => match operation {
            Operation::AssociateCrossAccountReplica => op!(replication::associate_cross_account_replica),
            Operation::BatchGetSecretValue => op!(batch::batch_get_secret_value),
            Operation::CancelRotateSecret => op!(rotation::cancel_rotate_secret),
            Operation::CreateSecret => op!(secrets::create_secret),
            Operation::DeleteResourcePolicy => op!(policies::delete_resource_policy),
            Operation::DeleteSecret => op!(secrets::delete_secret),
            Operation::DescribeSecret => op!(secrets::describe_secret),
            Operation::DisassociateCrossAccountReplica => {
                op!(replication::disassociate_cross_account_replica)
            }
            Operation::GetRandomPassword => op!(password::get_random_password),
            Operation::GetResourcePolicy => op!(policies::get_resource_policy),
            Operation::GetSecretValue => op!(versions::get_secret_value),
            Operation::ListResourcePolicies => op!(policies::list_resource_policies),
            Operation::ListSecretVersionIds => op!(versions::list_secret_version_ids),
            Operation::ListSecrets => op!(listing::list_secrets),
            Operation::PutResourcePolicy => op!(policies::put_resource_policy),
            Operation::PutSecretValue => op!(versions::put_secret_value),
            Operation::RemoveRegionsFromReplication => op!(replication::remove_regions_from_replication),
            Operation::ReplicateSecretToRegions => op!(replication::replicate_secret_to_regions),
            Operation::RestoreSecret => op!(secrets::restore_secret),
            Operation::RotateSecret => op!(rotation::rotate_secret),
            Operation::StopReplicationToReplica => op!(replication::stop_replication_to_replica),
            Operation::TagResource => op!(tags::tag_resource),
            Operation::UntagResource => op!(tags::untag_resource),
            Operation::UpdateSecret => op!(secrets::update_secret),
            Operation::UpdateSecretVersionStage => op!(versions::update_secret_version_stage),
            Operation::ValidateResourcePolicy => op!(policies::validate_resource_policy),
        },
        Target::Pawl(operation) => match operation {
            PawlOperation::AdvanceClock => op!(host::advance_clock),
            PawlOperation::ApproveFunction => op!(grants::approve_function),
            PawlOperation::CheckSecret => op!(check::check_secret),
            PawlOperation::DescribeFunctionGrants => op!(grants::describe_function_grants),
            PawlOperation::DescribeHost => op!(host::describe_host),
            PawlOperation::DescribeRootKey => op!(root_key::describe_root_key),
            PawlOperation::DescribeRotation => op!(rotation::describe_rotation),
            PawlOperation::ForgetRootKeys => op!(root_key::forget_root_keys),
            PawlOperation::ListEvents => op!(events::list_events),
            PawlOperation::ListFunctionLogs => op!(logs::list_function_logs),
            PawlOperation::PlanRotations => op!(plan::plan_rotations),
            PawlOperation::RotateRootKey => op!(root_key::rotate_root_key),
            PawlOperation::ListRotations => op!(history::list_rotations),
        },
        // They are named by paths and forms, and come by other ways.
        Target::Lambda(_) | Target::Iam(_) | Target::Sts(_) => Err(ApiError::internal()),
        Target::Kms(operation) => kms::perform(host, caller, operation, body).await,
    }
}

fn encode(answer: impl serde::Serialize) -> Result<Body, ApiError> {
    // Room for most answers at once: growing would leave unwiped copies of a secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let mut counting = Counting(0);
    serde_json::to_writer(&mut counting, &answer).map_err(|_| ApiError::internal())?;
    bytes.reserve_exact(counting.0);
    serde_json::to_writer(&mut *bytes, &answer).map_err(|_| ApiError::internal())?;
    // TagResource and UntagResource answer with nothing at all, as AWS does.
    if *bytes == b"{}" {
        bytes.clear();
    }
    Ok(bytes)
}

/// Counts what is written to it.
struct Counting(usize);

impl std::io::Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(caller: &Caller, operation: &str, error: AppError) -> ApiError {
    if error.is_hosts() {
        tracing::error!(request.id = %caller.request_id, operation, %error, "the operation failed");
    }
    error.into_api()
}

/// What an operation's request is called with its answer.
pub(crate) type Answer<R> = Result<<R as Request>::Response, AppError>;
