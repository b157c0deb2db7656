//! Which shapes an operation takes and answers, and what AWS checks beyond the model before the operation begins.

use super::shapes::*;
use super::{Operation, model, refusal};
use crate::error::ApiError;
use crate::model::Structure;
use crate::shape::Request;

macro_rules! requests {
    ($($operation:ident: $request:ident -> $response:ident $(, |$shape:ident| $check:expr)?;)*) => {
    $(
        impl Request for $request {
            type Response = $response;

            const TARGET: crate::Target = crate::Target::SecretsManager(Operation::$operation);
            const MODEL: &'static Structure = &model::of(Operation::$operation).request;
            $(
                fn check(&self) -> Result<(), ApiError> {
                    let $shape = self;
                    $check
                }
            )?
        }
    )*

        /// Decodes a request and encodes it again.
        #[cfg(test)]
        pub(super) fn through_request(operation: Operation, body: &[u8]) -> Result<serde_json::Value, ApiError> {
            match operation {
                $(Operation::$operation => {
                    crate::decode::<$request>(body).map(|request| serde_json::to_value(request).unwrap())
                })*
            }
        }

        /// Reads an answer and writes it again.
        #[cfg(test)]
        pub(super) fn through_response(operation: Operation, answer: &serde_json::Value) -> serde_json::Value {
            match operation {
                $(Operation::$operation => {
                    let answer: $response = serde_json::from_value(answer.clone()).unwrap();
                    serde_json::to_value(answer).unwrap()
                })*
            }
        }
    };
}

requests! {
    AssociateCrossAccountReplica: AssociateCrossAccountReplicaRequest -> AssociateCrossAccountReplicaResponse;
    BatchGetSecretValue: BatchGetSecretValueRequest -> BatchGetSecretValueResponse, |request| filters(request.filters.as_deref());
    CancelRotateSecret: CancelRotateSecretRequest -> RotateSecretResponse;
    CreateSecret: CreateSecretRequest -> CreateSecretResponse;
    DeleteResourcePolicy: DeleteResourcePolicyRequest -> PolicyOfSecretResponse;
    DeleteSecret: DeleteSecretRequest -> DeleteSecretResponse;
    DescribeSecret: DescribeSecretRequest -> DescribeSecretResponse;
    DisassociateCrossAccountReplica: DisassociateCrossAccountReplicaRequest -> DisassociateCrossAccountReplicaResponse;
    GetRandomPassword: GetRandomPasswordRequest -> GetRandomPasswordResponse;
    GetResourcePolicy: GetResourcePolicyRequest -> GetResourcePolicyResponse;
    GetSecretValue: GetSecretValueRequest -> GetSecretValueResponse;
    ListResourcePolicies: ListResourcePoliciesRequest -> ListResourcePoliciesResponse;
    ListSecretVersionIds: ListSecretVersionIdsRequest -> ListSecretVersionIdsResponse;
    ListSecrets: ListSecretsRequest -> ListSecretsResponse, |request| filters(request.filters.as_deref());
    PutResourcePolicy: PutResourcePolicyRequest -> PolicyOfSecretResponse;
    PutSecretValue: PutSecretValueRequest -> PutSecretValueResponse;
    RemoveRegionsFromReplication: RemoveRegionsFromReplicationRequest -> ReplicationResponse;
    ReplicateSecretToRegions: ReplicateSecretToRegionsRequest -> ReplicationResponse;
    RestoreSecret: RestoreSecretRequest -> NamedSecretResponse;
    RotateSecret: RotateSecretRequest -> RotateSecretResponse;
    StopReplicationToReplica: StopReplicationToReplicaRequest -> StopReplicationToReplicaResponse;
    TagResource: TagResourceRequest -> Empty;
    UntagResource: UntagResourceRequest -> Empty;
    UpdateSecret: UpdateSecretRequest -> UpdateSecretResponse;
    UpdateSecretVersionStage: UpdateSecretVersionStageRequest -> NamedSecretResponse;
    ValidateResourcePolicy: ValidateResourcePolicyRequest -> ValidateResourcePolicyResponse;
}

/// AWS's model requires nothing of a filter, and its operations require both.
fn filters(filters: Option<&[Filter]>) -> Result<(), ApiError> {
    for filter in filters.unwrap_or_default() {
        let key = filter.key.as_deref().ok_or_else(refusal::filter_key)?;
        if filter.values.as_deref().unwrap_or_default().is_empty() {
            return Err(refusal::filter_values(key));
        }
    }
    Ok(())
}
