//! Values and the versions that hold them.

use super::secret::Filter;
use crate::sensitive::{SecretBlob, SecretText};
use crate::shape::shapes;
use crate::time::EpochSeconds;

shapes! {
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
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

    /// `BatchGetSecretValue` takes this: either ids or filters.
    BatchGetSecretValueRequest {
        optional {
            secret_id_list: Vec<String>,
            filters: Vec<Filter>,
            max_results: i64,
            next_token: String,
        }
    }

    /// `BatchGetSecretValue` answers this: each secret is in one of the two lists.
    BatchGetSecretValueResponse {
        required { secret_values: Vec<SecretValueEntry>, errors: Vec<SecretValueError>, }
        optional { next_token: String, }
    }

    /// One secret of a batch: as GetSecretValue gives it.
    SecretValueEntry {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            version_id: String,
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            version_stages: Vec<String>,
            created_date: EpochSeconds,
        }
        optional { secret_binary: SecretBlob, secret_string: SecretText, }
    }

    /// Why a secret of a batch could not be read (`APIErrorType`).
    #[derive(Clone, PartialEq, Eq)]
    SecretValueError {
        optional { secret_id: String, error_code: String, message: String, }
    }
}
