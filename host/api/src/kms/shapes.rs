//! The shapes of AWS KMS's operations, as botocore's model has them.
//!
//! Ids and names are plain text here: an operation parses them, so that the error is the one that AWS gives in its place.

use std::collections::BTreeMap;

use crate::sensitive::SecretBlob;
use crate::shape::shapes;
use crate::time::EpochSeconds;

mod cryptography;

pub use self::cryptography::*;

/// The pairs of an encryption context.
pub type Context = BTreeMap<String, String>;

/// Declares requests that hold a key's id and nothing else.
macro_rules! of_a_key {
    ($($name:ident of $operation:literal;)*) => {
        shapes! {
            $(
                #[doc = concat!("`", $operation, "` takes this.")]
                $name {
                    required { key_id: String, }
                }
            )*
        }
    };
}

of_a_key! {
    CancelKeyDeletionRequest of "CancelKeyDeletion";
    DisableKeyRequest of "DisableKey";
    DisableKeyRotationRequest of "DisableKeyRotation";
    EnableKeyRequest of "EnableKey";
    GetKeyRotationStatusRequest of "GetKeyRotationStatus";
    RotateKeyOnDemandRequest of "RotateKeyOnDemand";
}

shapes! {
    /// What operations without an answer answer: nothing.
    Empty {}

    /// A tag.
    #[derive(Clone, PartialEq, Eq)]
    Tag {
        required { tag_key: String, tag_value: String, }
    }

    /// `CreateKey` takes this.
    CreateKeyRequest {
        optional {
            policy: String,
            description: String,
            key_usage: String,
            customer_master_key_spec: String,
            key_spec: String,
            origin: String,
            custom_key_store_id: String,
            bypass_policy_lockout_safety_check: bool,
            tags: Vec<Tag>,
            multi_region: bool,
            xks_key_id: String,
        }
    }

    /// `CreateKey` and `DescribeKey` answer this.
    KeyMetadataResponse {
        required { key_metadata: KeyMetadata, }
    }

    /// What is known of a key.
    KeyMetadata {
        required {
            #[serde(rename = "AWSAccountId")] aws_account_id: String,
            key_id: String,
            arn: String,
            creation_date: EpochSeconds,
            enabled: bool,
            description: String,
            key_usage: String,
            key_state: String,
            origin: String,
            key_manager: String,
            customer_master_key_spec: String,
            key_spec: String,
            multi_region: bool,
        }
        optional {
            deletion_date: EpochSeconds,
            encryption_algorithms: Vec<String>,
            mac_algorithms: Vec<String>,
            current_key_material_id: String,
        }
    }

    /// `DescribeKey` takes this.
    DescribeKeyRequest {
        required { key_id: String, }
        optional { grant_tokens: Vec<String>, }
    }

    /// `ListKeys` takes this.
    ListKeysRequest {
        optional { limit: i64, marker: String, }
    }

    /// `ListKeys` answers this.
    ListKeysResponse {
        required { keys: Vec<KeyListEntry>, truncated: bool, }
        optional { next_marker: String, }
    }

    /// One key of a list.
    KeyListEntry {
        required { key_id: String, key_arn: String, }
    }

    /// `UpdateKeyDescription` takes this.
    UpdateKeyDescriptionRequest {
        required { key_id: String, description: String, }
    }

    /// `CancelKeyDeletion` and `RotateKeyOnDemand` answer this.
    KeyIdResponse {
        required { key_id: String, }
    }

    /// `ScheduleKeyDeletion` takes this.
    ScheduleKeyDeletionRequest {
        required { key_id: String, }
        optional { pending_window_in_days: i64, }
    }

    /// `ScheduleKeyDeletion` answers this.
    ScheduleKeyDeletionResponse {
        required {
            key_id: String,
            deletion_date: EpochSeconds,
            key_state: String,
            pending_window_in_days: i64,
        }
    }

    /// `CreateAlias` takes this.
    CreateAliasRequest {
        required { alias_name: String, target_key_id: String, }
    }

    /// `UpdateAlias` takes this.
    UpdateAliasRequest {
        required { alias_name: String, target_key_id: String, }
    }

    /// `DeleteAlias` takes this.
    DeleteAliasRequest {
        required { alias_name: String, }
    }

    /// `ListAliases` takes this.
    ListAliasesRequest {
        optional { key_id: String, limit: i64, marker: String, }
    }

    /// `ListAliases` answers this.
    ListAliasesResponse {
        required { aliases: Vec<AliasListEntry>, truncated: bool, }
        optional { next_marker: String, }
    }

    /// One alias of a list.
    AliasListEntry {
        required {
            alias_name: String,
            alias_arn: String,
            target_key_id: String,
            creation_date: EpochSeconds,
            last_updated_date: EpochSeconds,
        }
    }

    /// `EnableKeyRotation` takes this.
    EnableKeyRotationRequest {
        required { key_id: String, }
        optional { rotation_period_in_days: i64, }
    }

    /// `GetKeyRotationStatus` answers this.
    GetKeyRotationStatusResponse {
        required { key_rotation_enabled: bool, key_id: String, }
        optional { rotation_period_in_days: i64, next_rotation_date: EpochSeconds, }
    }

    /// `ListKeyRotations` takes this.
    ListKeyRotationsRequest {
        required { key_id: String, }
        optional { include_key_material: String, limit: i64, marker: String, }
    }

    /// `ListKeyRotations` answers this.
    ListKeyRotationsResponse {
        required { rotations: Vec<RotationsListEntry>, truncated: bool, }
        optional { next_marker: String, }
    }

    /// One material of a key; the first has no rotation.
    RotationsListEntry {
        required { key_id: String, key_material_id: String, key_material_state: String, }
        optional { rotation_date: EpochSeconds, rotation_type: String, }
    }

    /// `GetKeyPolicy` takes this.
    GetKeyPolicyRequest {
        required { key_id: String, }
        optional { policy_name: String, }
    }

    /// `GetKeyPolicy` answers this.
    GetKeyPolicyResponse {
        required { policy: String, policy_name: String, }
    }

    /// `PutKeyPolicy` takes this.
    PutKeyPolicyRequest {
        required { key_id: String, policy: String, }
        optional { policy_name: String, bypass_policy_lockout_safety_check: bool, }
    }

    /// `ListKeyPolicies` takes this.
    ListKeyPoliciesRequest {
        required { key_id: String, }
        optional { limit: i64, marker: String, }
    }

    /// `ListKeyPolicies` answers this.
    ListKeyPoliciesResponse {
        required { policy_names: Vec<String>, truncated: bool, }
    }

    /// `TagResource` takes this.
    TagResourceRequest {
        required { key_id: String, tags: Vec<Tag>, }
    }

    /// `UntagResource` takes this.
    UntagResourceRequest {
        required { key_id: String, tag_keys: Vec<String>, }
    }

    /// `ListResourceTags` takes this.
    ListResourceTagsRequest {
        required { key_id: String, }
        optional { limit: i64, marker: String, }
    }

    /// `ListResourceTags` answers this.
    ListResourceTagsResponse {
        required { tags: Vec<Tag>, truncated: bool, }
        optional { next_marker: String, }
    }

    /// What a program in an enclave says of itself.
    RecipientInfo {
        optional { key_encryption_algorithm: String, attestation_document: SecretBlob, }
    }
}
