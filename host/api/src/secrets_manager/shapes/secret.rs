//! Secrets: what describes them, lists them, tags them and deletes them.

use super::VersionsToStages;
use super::replica::{CrossAccountPrimary, CrossAccountReplicaEntry, ReplicaRegion, ReplicationStatus};
use super::rotation::{ExternalSecretRotationMetadataItem, RotationRules};
use crate::sensitive::{SecretBlob, SecretText};
use crate::shape::shapes;
use crate::time::EpochSeconds;

shapes! {
    /// A tag.
    #[derive(Clone, PartialEq, Eq)]
    Tag {
        optional { key: String, value: String, }
    }

    /// What ListSecrets and BatchGetSecretValue shall find: all filters must hold, and of each any value.
    #[derive(Clone, PartialEq, Eq)]
    Filter {
        optional { key: String, values: Vec<String>, }
    }

    /// `CreateSecret` takes this.
    CreateSecretRequest {
        required { name: String, }
        optional {
            client_request_token: String,
            description: String,
            kms_key_id: String,
            secret_binary: SecretBlob,
            secret_string: SecretText,
            tags: Vec<Tag>,
            add_replica_regions: Vec<ReplicaRegion>,
            force_overwrite_replica_secret: bool,
            r#type: String,
            #[serde(rename = "CrossAccountPrimaryARN")] cross_account_primary_arn: String,
        }
    }

    /// `CreateSecret` answers this; no version when there was no value.
    CreateSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { version_id: String, replication_status: Vec<ReplicationStatus>, }
    }

    /// `DescribeSecret` takes this.
    DescribeSecretRequest {
        required { secret_id: String, }
    }

    /// `DescribeSecret` answers this; only versions with a label are listed.
    DescribeSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional {
            r#type: String,
            description: String,
            kms_key_id: String,
            rotation_enabled: bool,
            #[serde(rename = "RotationLambdaARN")] rotation_lambda_arn: String,
            rotation_rules: RotationRules,
            external_secret_rotation_metadata: Vec<ExternalSecretRotationMetadataItem>,
            external_secret_rotation_role_arn: String,
            last_rotated_date: EpochSeconds,
            last_changed_date: EpochSeconds,
            last_accessed_date: EpochSeconds,
            deleted_date: EpochSeconds,
            next_rotation_date: EpochSeconds,
            tags: Vec<Tag>,
            version_ids_to_stages: VersionsToStages,
            owning_service: String,
            created_date: EpochSeconds,
            primary_region: String,
            replication_status: Vec<ReplicationStatus>,
            cross_account_primary: CrossAccountPrimary,
            cross_account_replicas: Vec<CrossAccountReplicaEntry>,
        }
    }

    /// `UpdateSecret` takes this.
    UpdateSecretRequest {
        required { secret_id: String, }
        optional {
            client_request_token: String,
            description: String,
            kms_key_id: String,
            secret_binary: SecretBlob,
            secret_string: SecretText,
            r#type: String,
        }
    }

    /// `UpdateSecret` answers this; a version only when a value was given.
    UpdateSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { version_id: String, }
    }

    /// `DeleteSecret` takes this.
    DeleteSecretRequest {
        required { secret_id: String, }
        optional { recovery_window_in_days: i64, force_delete_without_recovery: bool, }
    }

    /// `DeleteSecret` answers this.
    DeleteSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, deletion_date: EpochSeconds, }
    }

    /// `RestoreSecret` takes this.
    RestoreSecretRequest {
        required { secret_id: String, }
    }

    /// `UpdateSecretVersionStage` and `RestoreSecret` answer this.
    NamedSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
    }

    /// `ListSecrets` takes this.
    ListSecretsRequest {
        optional {
            include_planned_deletion: bool,
            max_results: i64,
            next_token: String,
            filters: Vec<Filter>,
            sort_order: String,
            sort_by: String,
        }
    }

    /// `ListSecrets` answers this.
    ListSecretsResponse {
        required { secret_list: Vec<SecretListEntry>, }
        optional { next_token: String, }
    }

    /// One secret of a list: as DescribeSecret gives it, but for the name of the map and for what concerns replicas.
    SecretListEntry {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional {
            r#type: String,
            description: String,
            kms_key_id: String,
            rotation_enabled: bool,
            #[serde(rename = "RotationLambdaARN")] rotation_lambda_arn: String,
            rotation_rules: RotationRules,
            external_secret_rotation_metadata: Vec<ExternalSecretRotationMetadataItem>,
            external_secret_rotation_role_arn: String,
            last_rotated_date: EpochSeconds,
            last_changed_date: EpochSeconds,
            last_accessed_date: EpochSeconds,
            deleted_date: EpochSeconds,
            next_rotation_date: EpochSeconds,
            tags: Vec<Tag>,
            secret_versions_to_stages: VersionsToStages,
            owning_service: String,
            created_date: EpochSeconds,
            primary_region: String,
        }
    }

    /// `TagResource` takes this.
    TagResourceRequest {
        required { secret_id: String, tags: Vec<Tag>, }
    }

    /// `UntagResource` takes this.
    UntagResourceRequest {
        required { secret_id: String, tag_keys: Vec<String>, }
    }

    /// `TagResource` and `UntagResource` answer this. On the wire: no bytes at all, or `{}`.
    Empty {}
}
