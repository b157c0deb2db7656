//! The shapes of AWS Secrets Manager's operations, as botocore's model has them.
//!
//! Names and ids are plain text here: an operation parses them, so that the error is the one that AWS gives in its place.

use std::collections::BTreeMap;

use pawl_core::value::SecretValue;

use super::refusal;
use crate::error::ApiError;
use crate::sensitive::{SecretBlob, SecretText};
use crate::shape::shapes;
use crate::time::EpochSeconds;

/// Version ids with the labels of each.
pub type VersionsToStages = BTreeMap<String, Vec<String>>;

shapes! {
    /// A tag.
    #[derive(Clone, PartialEq, Eq)]
    Tag {
        optional { key: String, value: String, }
    }

    /// When a secret rotates.
    #[derive(Clone, PartialEq, Eq)]
    RotationRules {
        optional { automatically_after_days: i64, duration: String, schedule_expression: String, }
    }

    /// What ListSecrets shall find: all filters must hold, and of each any value.
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
        }
    }

    /// A region to replicate to.
    #[derive(Clone, PartialEq, Eq)]
    ReplicaRegion {
        optional { region: String, kms_key_id: String, }
    }

    /// `CreateSecret` answers this; no version when there was no value.
    CreateSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { version_id: String, }
    }

    /// `GetSecretValue` takes this.
    GetSecretValueRequest {
        required { secret_id: String, }
        optional { version_id: String, version_stage: String, }
    }

    /// `GetSecretValue` answers this, with either a string or a binary. The date is the version's.
    GetSecretValueResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            version_id: String,
            version_stages: Vec<String>,
            created_date: EpochSeconds,
        }
        optional { secret_binary: SecretBlob, secret_string: SecretText, }
    }

    /// `PutSecretValue` takes this.
    PutSecretValueRequest {
        required { secret_id: String, }
        optional {
            client_request_token: String,
            secret_binary: SecretBlob,
            secret_string: SecretText,
            version_stages: Vec<String>,
            rotation_token: SecretText,
        }
    }

    /// `PutSecretValue` answers this; the labels are the new version's.
    PutSecretValueResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            version_id: String,
            version_stages: Vec<String>,
        }
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

    /// One secret of a list: as DescribeSecret gives it, but for the name of the map.
    SecretListEntry {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional {
            r#type: String,
            description: String,
            kms_key_id: String,
            rotation_enabled: bool,
            #[serde(rename = "RotationLambdaARN")] rotation_lambda_arn: String,
            rotation_rules: RotationRules,
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

    /// `ListSecretVersionIds` takes this.
    ListSecretVersionIdsRequest {
        required { secret_id: String, }
        optional { max_results: i64, next_token: String, include_deprecated: bool, }
    }

    /// `ListSecretVersionIds` answers this; only versions with a value are listed.
    ListSecretVersionIdsResponse {
        required {
            versions: Vec<SecretVersionsListEntry>,
            #[serde(rename = "ARN")] arn: String,
            name: String,
        }
        optional { next_token: String, }
    }

    /// One version of a list; a deprecated one has no labels.
    SecretVersionsListEntry {
        required { version_id: String, created_date: EpochSeconds, }
        optional {
            version_stages: Vec<String>,
            last_accessed_date: EpochSeconds,
            kms_key_ids: Vec<String>,
        }
    }

    /// `UpdateSecretVersionStage` takes this.
    UpdateSecretVersionStageRequest {
        required { secret_id: String, version_stage: String, }
        optional { remove_from_version_id: String, move_to_version_id: String, }
    }

    /// `UpdateSecretVersionStage` and `RestoreSecret` answer this.
    NamedSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
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

    /// `GetRandomPassword` takes this.
    GetRandomPasswordRequest {
        optional {
            password_length: i64,
            exclude_characters: String,
            exclude_numbers: bool,
            exclude_punctuation: bool,
            exclude_uppercase: bool,
            exclude_lowercase: bool,
            include_space: bool,
            require_each_included_type: bool,
        }
    }

    /// `GetRandomPassword` answers this.
    GetRandomPasswordResponse {
        optional { random_password: SecretText, }
    }

    /// `RotateSecret` takes this.
    RotateSecretRequest {
        required { secret_id: String, }
        optional {
            client_request_token: String,
            #[serde(rename = "RotationLambdaARN")] rotation_lambda_arn: String,
            rotation_rules: RotationRules,
            rotate_immediately: bool,
        }
    }

    /// `RotateSecret` and `CancelRotateSecret` answer this. The version is the one that the rotation makes; cancelling
    /// names one only when a rotation was on its way.
    RotateSecretResponse {
        required { #[serde(rename = "ARN")] arn: String, name: String, }
        optional { version_id: String, }
    }

    /// `CancelRotateSecret` takes this.
    CancelRotateSecretRequest {
        required { secret_id: String, }
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

/// The one value that a request gives, if it gives one.
///
/// # Errors
/// `InvalidParameterException` when there are two.
pub fn given_value(
    text: Option<SecretText>,
    binary: Option<SecretBlob>,
) -> Result<Option<SecretValue>, ApiError> {
    use pawl_core::value::ValueKind::{Binary, Text};
    let (member, kind, bytes) = match (text, binary) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(refusal::text_and_binary()),
        (Some(text), None) => ("secretString", Text, text.into_bytes()),
        (None, Some(binary)) => ("secretBinary", Binary, binary.into_bytes()),
    };
    let value = SecretValue::new(kind, bytes).map_err(|wrong| super::constraint::value(member, &wrong))?;
    Ok(Some(value))
}
