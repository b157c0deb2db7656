//! Which shapes an operation takes and answers.

use super::shapes::*;
use super::{Operation, model};
use crate::model::Structure;
use crate::shape::Request;

macro_rules! requests {
    ($($operation:ident: $request:ident -> $response:ident;)*) => {
        $(
            impl Request for $request {
                type Response = $response;

                const TARGET: crate::Target = crate::Target::Kms(Operation::$operation);
                const MODEL: &'static Structure = model::of(Operation::$operation);
            }
        )*

        /// Decodes a request and encodes it again.
        #[cfg(test)]
        pub(super) fn through(operation: Operation, body: &[u8]) -> Result<serde_json::Value, crate::ApiError> {
            match operation {
                $(Operation::$operation => {
                    crate::decode::<$request>(body).map(|request| serde_json::to_value(request).unwrap())
                })*
            }
        }
    };
}

requests! {
    CancelKeyDeletion: CancelKeyDeletionRequest -> KeyIdResponse;
    CreateAlias: CreateAliasRequest -> Empty;
    CreateKey: CreateKeyRequest -> KeyMetadataResponse;
    Decrypt: DecryptRequest -> DecryptResponse;
    DeleteAlias: DeleteAliasRequest -> Empty;
    DescribeKey: DescribeKeyRequest -> KeyMetadataResponse;
    DisableKey: DisableKeyRequest -> Empty;
    DisableKeyRotation: DisableKeyRotationRequest -> Empty;
    EnableKey: EnableKeyRequest -> Empty;
    EnableKeyRotation: EnableKeyRotationRequest -> Empty;
    Encrypt: EncryptRequest -> EncryptResponse;
    GenerateDataKey: GenerateDataKeyRequest -> GenerateDataKeyResponse;
    GenerateDataKeyWithoutPlaintext: GenerateDataKeyWithoutPlaintextRequest -> GenerateDataKeyResponse;
    GenerateMac: GenerateMacRequest -> GenerateMacResponse;
    GenerateRandom: GenerateRandomRequest -> GenerateRandomResponse;
    GetKeyPolicy: GetKeyPolicyRequest -> GetKeyPolicyResponse;
    GetKeyRotationStatus: GetKeyRotationStatusRequest -> GetKeyRotationStatusResponse;
    ListAliases: ListAliasesRequest -> ListAliasesResponse;
    ListKeyPolicies: ListKeyPoliciesRequest -> ListKeyPoliciesResponse;
    ListKeyRotations: ListKeyRotationsRequest -> ListKeyRotationsResponse;
    ListKeys: ListKeysRequest -> ListKeysResponse;
    ListResourceTags: ListResourceTagsRequest -> ListResourceTagsResponse;
    PutKeyPolicy: PutKeyPolicyRequest -> Empty;
    ReEncrypt: ReEncryptRequest -> ReEncryptResponse;
    RotateKeyOnDemand: RotateKeyOnDemandRequest -> KeyIdResponse;
    ScheduleKeyDeletion: ScheduleKeyDeletionRequest -> ScheduleKeyDeletionResponse;
    TagResource: TagResourceRequest -> Empty;
    UntagResource: UntagResourceRequest -> Empty;
    UpdateAlias: UpdateAliasRequest -> Empty;
    UpdateKeyDescription: UpdateKeyDescriptionRequest -> Empty;
    VerifyMac: VerifyMacRequest -> VerifyMacResponse;
}
