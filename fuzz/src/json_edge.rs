//! Targets and bodies.

use pawl_api::kms::{Operation as KmsOperation, shapes as kms};
use pawl_api::pawl::Operation as PawlOperation;
use pawl_api::pawl::{
    AdvanceClockRequest, ApproveFunctionRequest, CheckSecretRequest, DescribeFunctionGrantsRequest,
    DescribeHostRequest, DescribeRootKeyRequest, DescribeRotationRequest, ForgetRootKeysRequest,
    ListEventsRequest, ListFunctionLogsRequest, ListRotationsRequest, PlanRotationsRequest,
    RotateRootKeyRequest,
};
use pawl_api::secrets_manager::Operation;
use pawl_api::secrets_manager::shapes::{
    AssociateCrossAccountReplicaRequest, BatchGetSecretValueRequest, CancelRotateSecretRequest,
    CreateSecretRequest, DeleteResourcePolicyRequest, DeleteSecretRequest, DescribeSecretRequest,
    DisassociateCrossAccountReplicaRequest, GetRandomPasswordRequest, GetResourcePolicyRequest,
    GetSecretValueRequest, ListResourcePoliciesRequest, ListSecretVersionIdsRequest, ListSecretsRequest,
    PutResourcePolicyRequest, PutSecretValueRequest, RemoveRegionsFromReplicationRequest,
    ReplicateSecretToRegionsRequest, RestoreSecretRequest, RotateSecretRequest,
    StopReplicationToReplicaRequest, TagResourceRequest, UntagResourceRequest, UpdateSecretRequest,
    UpdateSecretVersionStageRequest, ValidateResourcePolicyRequest,
};
use pawl_api::{ApiError, Request, Target, decode};
use serde_json::Value;

/// The first line is `X-Amz-Target`, the rest the body. A target is known or refused by its error; a body is refused without a
/// word of the secret in it, or becomes a shape that is written and read again as itself. Under a target that is not known, the
/// body goes to every operation.
pub fn check_json_edge(data: &[u8]) -> bool {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, rest) = data.split_at(end);
    let body = rest.get(1..).unwrap_or_default();
    match std::str::from_utf8(first).map(Target::from_header) {
        Ok(Ok(target)) => {
            let name = target.action();
            assert_eq!(name, format!("{}:{}", target.signing_name(), target.name()));
            check_body(target, body)
        }
        Ok(Err(error)) => {
            assert_eq!(error.code.status(), 400, "{error}");
            let aws = Operation::ALL.iter().map(|operation| Target::SecretsManager(*operation));
            let own = PawlOperation::ALL.iter().map(|operation| Target::Pawl(*operation));
            let kms = KmsOperation::ALL.iter().map(|operation| Target::Kms(*operation));
            aws.chain(own).chain(kms).map(|target| check_body(target, body)).filter(|taken| *taken).count()
                > 0
        }
        Err(_) => false,
    }
}

/// The shape that each operation takes; the compiler finds one that is missing.
fn check_body(target: Target, body: &[u8]) -> bool {
    match target {
        Target::SecretsManager(Operation::AssociateCrossAccountReplica) => {
            check_shape::<AssociateCrossAccountReplicaRequest>(target, body)
        }
        Target::SecretsManager(Operation::BatchGetSecretValue) => {
            check_shape::<BatchGetSecretValueRequest>(target, body)
        }
        Target::SecretsManager(Operation::CancelRotateSecret) => {
            check_shape::<CancelRotateSecretRequest>(target, body)
        }
        Target::SecretsManager(Operation::CreateSecret) => check_shape::<CreateSecretRequest>(target, body),
        Target::SecretsManager(Operation::DeleteResourcePolicy) => {
            check_shape::<DeleteResourcePolicyRequest>(target, body)
        }
        Target::SecretsManager(Operation::DeleteSecret) => check_shape::<DeleteSecretRequest>(target, body),
        Target::SecretsManager(Operation::DescribeSecret) => {
            check_shape::<DescribeSecretRequest>(target, body)
        }
        Target::SecretsManager(Operation::DisassociateCrossAccountReplica) => {
            check_shape::<DisassociateCrossAccountReplicaRequest>(target, body)
        }
        Target::SecretsManager(Operation::GetRandomPassword) => {
            check_shape::<GetRandomPasswordRequest>(target, body)
        }
        Target::SecretsManager(Operation::GetResourcePolicy) => {
            check_shape::<GetResourcePolicyRequest>(target, body)
        }
        Target::SecretsManager(Operation::GetSecretValue) => {
            check_shape::<GetSecretValueRequest>(target, body)
        }
        Target::SecretsManager(Operation::ListResourcePolicies) => {
            check_shape::<ListResourcePoliciesRequest>(target, body)
        }
        Target::SecretsManager(Operation::ListSecretVersionIds) => {
            check_shape::<ListSecretVersionIdsRequest>(target, body)
        }
        Target::SecretsManager(Operation::ListSecrets) => check_shape::<ListSecretsRequest>(target, body),
        Target::SecretsManager(Operation::PutResourcePolicy) => {
            check_shape::<PutResourcePolicyRequest>(target, body)
        }
        Target::SecretsManager(Operation::PutSecretValue) => {
            check_shape::<PutSecretValueRequest>(target, body)
        }
        Target::SecretsManager(Operation::RemoveRegionsFromReplication) => {
            check_shape::<RemoveRegionsFromReplicationRequest>(target, body)
        }
        Target::SecretsManager(Operation::ReplicateSecretToRegions) => {
            check_shape::<ReplicateSecretToRegionsRequest>(target, body)
        }
        Target::SecretsManager(Operation::RestoreSecret) => check_shape::<RestoreSecretRequest>(target, body),
        Target::SecretsManager(Operation::RotateSecret) => check_shape::<RotateSecretRequest>(target, body),
        Target::SecretsManager(Operation::StopReplicationToReplica) => {
            check_shape::<StopReplicationToReplicaRequest>(target, body)
        }
        Target::SecretsManager(Operation::TagResource) => check_shape::<TagResourceRequest>(target, body),
        Target::SecretsManager(Operation::UntagResource) => check_shape::<UntagResourceRequest>(target, body),
        Target::SecretsManager(Operation::UpdateSecret) => check_shape::<UpdateSecretRequest>(target, body),
        Target::SecretsManager(Operation::UpdateSecretVersionStage) => {
            check_shape::<UpdateSecretVersionStageRequest>(target, body)
        }
        Target::SecretsManager(Operation::ValidateResourcePolicy) => {
            check_shape::<ValidateResourcePolicyRequest>(target, body)
        }
        Target::Pawl(operation) => check_own(operation, target, body),
        Target::Kms(operation) => check_kms(operation, target, body),
        // Their operations are named by paths and forms, and no header leads to them.
        Target::Lambda(_) | Target::Iam(_) | Target::Sts(_) => false,
    }
}

/// The same for Pawl's own operations.
fn check_own(operation: PawlOperation, target: Target, body: &[u8]) -> bool {
    match operation {
        PawlOperation::ApproveFunction => check_shape::<ApproveFunctionRequest>(target, body),
        PawlOperation::DescribeFunctionGrants => check_shape::<DescribeFunctionGrantsRequest>(target, body),
        PawlOperation::AdvanceClock => check_shape::<AdvanceClockRequest>(target, body),
        PawlOperation::DescribeHost => check_shape::<DescribeHostRequest>(target, body),
        PawlOperation::DescribeRotation => check_shape::<DescribeRotationRequest>(target, body),
        PawlOperation::ListEvents => check_shape::<ListEventsRequest>(target, body),
        PawlOperation::ListFunctionLogs => check_shape::<ListFunctionLogsRequest>(target, body),
        PawlOperation::ListRotations => check_shape::<ListRotationsRequest>(target, body),
        PawlOperation::CheckSecret => check_shape::<CheckSecretRequest>(target, body),
        PawlOperation::PlanRotations => check_shape::<PlanRotationsRequest>(target, body),
        PawlOperation::DescribeRootKey => check_shape::<DescribeRootKeyRequest>(target, body),
        PawlOperation::RotateRootKey => check_shape::<RotateRootKeyRequest>(target, body),
        PawlOperation::ForgetRootKeys => check_shape::<ForgetRootKeysRequest>(target, body),
    }
}

/// The same for keys.
fn check_kms(operation: KmsOperation, target: Target, body: &[u8]) -> bool {
    match operation {
        KmsOperation::CancelKeyDeletion => check_shape::<kms::CancelKeyDeletionRequest>(target, body),
        KmsOperation::CreateAlias => check_shape::<kms::CreateAliasRequest>(target, body),
        KmsOperation::CreateKey => check_shape::<kms::CreateKeyRequest>(target, body),
        KmsOperation::Decrypt => check_shape::<kms::DecryptRequest>(target, body),
        KmsOperation::DeleteAlias => check_shape::<kms::DeleteAliasRequest>(target, body),
        KmsOperation::DescribeKey => check_shape::<kms::DescribeKeyRequest>(target, body),
        KmsOperation::DisableKey => check_shape::<kms::DisableKeyRequest>(target, body),
        KmsOperation::DisableKeyRotation => check_shape::<kms::DisableKeyRotationRequest>(target, body),
        KmsOperation::EnableKey => check_shape::<kms::EnableKeyRequest>(target, body),
        KmsOperation::EnableKeyRotation => check_shape::<kms::EnableKeyRotationRequest>(target, body),
        KmsOperation::Encrypt => check_shape::<kms::EncryptRequest>(target, body),
        KmsOperation::GenerateDataKey => check_shape::<kms::GenerateDataKeyRequest>(target, body),
        KmsOperation::GenerateDataKeyWithoutPlaintext => {
            check_shape::<kms::GenerateDataKeyWithoutPlaintextRequest>(target, body)
        }
        KmsOperation::GenerateMac => check_shape::<kms::GenerateMacRequest>(target, body),
        KmsOperation::GenerateRandom => check_shape::<kms::GenerateRandomRequest>(target, body),
        KmsOperation::GetKeyPolicy => check_shape::<kms::GetKeyPolicyRequest>(target, body),
        KmsOperation::GetKeyRotationStatus => check_shape::<kms::GetKeyRotationStatusRequest>(target, body),
        KmsOperation::ListAliases => check_shape::<kms::ListAliasesRequest>(target, body),
        KmsOperation::ListKeyPolicies => check_shape::<kms::ListKeyPoliciesRequest>(target, body),
        KmsOperation::ListKeyRotations => check_shape::<kms::ListKeyRotationsRequest>(target, body),
        KmsOperation::ListKeys => check_shape::<kms::ListKeysRequest>(target, body),
        KmsOperation::ListResourceTags => check_shape::<kms::ListResourceTagsRequest>(target, body),
        KmsOperation::PutKeyPolicy => check_shape::<kms::PutKeyPolicyRequest>(target, body),
        KmsOperation::ReEncrypt => check_shape::<kms::ReEncryptRequest>(target, body),
        KmsOperation::RotateKeyOnDemand => check_shape::<kms::RotateKeyOnDemandRequest>(target, body),
        KmsOperation::ScheduleKeyDeletion => check_shape::<kms::ScheduleKeyDeletionRequest>(target, body),
        KmsOperation::TagResource => check_shape::<kms::TagResourceRequest>(target, body),
        KmsOperation::UntagResource => check_shape::<kms::UntagResourceRequest>(target, body),
        KmsOperation::UpdateAlias => check_shape::<kms::UpdateAliasRequest>(target, body),
        KmsOperation::UpdateKeyDescription => check_shape::<kms::UpdateKeyDescriptionRequest>(target, body),
        KmsOperation::VerifyMac => check_shape::<kms::VerifyMacRequest>(target, body),
    }
}

fn check_shape<R: Request>(target: Target, body: &[u8]) -> bool {
    assert_eq!(R::TARGET, target, "a shape belongs to one operation");
    let request = match decode::<R>(body) {
        Ok(request) => request,
        Err(error) => {
            check_refusal(&error, body);
            return false;
        }
    };
    let written = serde_json::to_vec(&request).expect("a shape is JSON");
    let again: R = decode(&written).expect("its own writing is taken");
    let rewritten = serde_json::to_vec(&again).expect("a shape is JSON");
    assert!(written == rewritten, "{target:?}: reading and writing changes it");
    // Members that no shape has are ignored, wherever they come from.
    if let Ok(Value::Object(mut members)) = serde_json::from_slice(&written) {
        members.insert("NoSuchMember".to_owned(), Value::Bool(true));
        let more = serde_json::to_vec(&members).expect("a value is JSON");
        let known = decode::<R>(&more).map(|request| serde_json::to_vec(&request).expect("a shape is JSON"));
        assert!(known == Ok(written), "{target:?}: a member more changes it");
    }
    true
}

/// A refusal is the caller's fault, and does not say what the secret was.
fn check_refusal(error: &ApiError, body: &[u8]) {
    assert_eq!(error.code.status(), 400, "{error}");
    assert!(!error.message.is_empty());
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return };
    for member in ["SecretString", "SecretBinary"] {
        let Some(secret) = members.get(member).and_then(Value::as_str).filter(|text| text.len() >= 12) else {
            continue;
        };
        let elsewhere = members.iter().any(|(name, value)| {
            name != member && (name.contains(secret) || value.to_string().contains(secret))
        });
        let of_ours = ["failed to satisfy constraint", "is not the JSON that this operation takes"];
        let ordinary = of_ours.iter().any(|words| words.contains(secret));
        assert!(elsewhere || ordinary || !error.message.contains(secret), "the secret is in: {error}");
    }
}
