//! The SDK's answers as JSON, member by member as AWS spells them.

use std::collections::HashMap;

use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use aws_sdk_secretsmanager::operation::cancel_rotate_secret::CancelRotateSecretOutput;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretOutput;
use aws_sdk_secretsmanager::operation::delete_resource_policy::DeleteResourcePolicyOutput;
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretOutput;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_random_password::GetRandomPasswordOutput;
use aws_sdk_secretsmanager::operation::get_resource_policy::GetResourcePolicyOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::list_secret_version_ids::ListSecretVersionIdsOutput;
use aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput;
use aws_sdk_secretsmanager::operation::put_resource_policy::PutResourcePolicyOutput;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueOutput;
use aws_sdk_secretsmanager::operation::remove_regions_from_replication::RemoveRegionsFromReplicationOutput;
use aws_sdk_secretsmanager::operation::replicate_secret_to_regions::ReplicateSecretToRegionsOutput;
use aws_sdk_secretsmanager::operation::restore_secret::RestoreSecretOutput;
use aws_sdk_secretsmanager::operation::rotate_secret::RotateSecretOutput;
use aws_sdk_secretsmanager::operation::stop_replication_to_replica::StopReplicationToReplicaOutput;
use aws_sdk_secretsmanager::operation::tag_resource::TagResourceOutput;
use aws_sdk_secretsmanager::operation::untag_resource::UntagResourceOutput;
use aws_sdk_secretsmanager::operation::update_secret::UpdateSecretOutput;
use aws_sdk_secretsmanager::operation::update_secret_version_stage::UpdateSecretVersionStageOutput;
use aws_sdk_secretsmanager::operation::validate_resource_policy::ValidateResourcePolicyOutput;
use aws_sdk_secretsmanager::primitives::{Blob, DateTime};
use aws_sdk_secretsmanager::types::{
    ApiErrorType, ReplicationStatusType, RotationRulesType, SecretListEntry, SecretValueEntry,
    SecretVersionsListEntry, StatusType, Tag, ValidationErrorsEntry,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Something of the SDK's that has a place in JSON.
pub(super) trait Answer {
    fn json(&self) -> Value;
}

impl Answer for String {
    fn json(&self) -> Value {
        self.as_str().into()
    }
}

impl Answer for bool {
    fn json(&self) -> Value {
        (*self).into()
    }
}

impl Answer for i64 {
    fn json(&self) -> Value {
        (*self).into()
    }
}

impl Answer for StatusType {
    fn json(&self) -> Value {
        self.as_str().into()
    }
}

impl Answer for DateTime {
    fn json(&self) -> Value {
        self.as_secs_f64().into()
    }
}

impl Answer for Blob {
    fn json(&self) -> Value {
        STANDARD.encode(self).into()
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn json(&self) -> Value {
        self.iter().map(Answer::json).collect()
    }
}

impl<T: Answer> Answer for HashMap<String, T> {
    fn json(&self) -> Value {
        self.iter().map(|(key, value)| (key.clone(), value.json())).collect()
    }
}

/// What is not there is null until the object is built.
impl<T: Answer> Answer for Option<T> {
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Answer::json)
    }
}

macro_rules! answers {
    ($($of:ident { $($field:ident: $name:literal),* $(,)? })*) => {$(
        impl Answer for $of {
            fn json(&self) -> Value {
                #[allow(unused_mut, clippy::allow_attributes, reason = "an answer without members")]
                let mut members = Map::new();
                $(
                    let member = self.$field.json();
                    if !member.is_null() {
                        members.insert($name.to_owned(), member);
                    }
                )*
                Value::Object(members)
            }
        }
    )*};
}

answers! {
    BatchGetSecretValueOutput { secret_values: "SecretValues", next_token: "NextToken", errors: "Errors" }
    CancelRotateSecretOutput { arn: "ARN", name: "Name", version_id: "VersionId" }
    CreateSecretOutput { arn: "ARN", name: "Name", version_id: "VersionId", replication_status: "ReplicationStatus" }
    DeleteResourcePolicyOutput { arn: "ARN", name: "Name" }
    DeleteSecretOutput { arn: "ARN", name: "Name", deletion_date: "DeletionDate" }
    DescribeSecretOutput {
        arn: "ARN", name: "Name", r#type: "Type", description: "Description", kms_key_id: "KmsKeyId",
        rotation_enabled: "RotationEnabled", rotation_lambda_arn: "RotationLambdaARN", rotation_rules: "RotationRules",
        last_rotated_date: "LastRotatedDate", last_changed_date: "LastChangedDate",
        last_accessed_date: "LastAccessedDate", deleted_date: "DeletedDate", next_rotation_date: "NextRotationDate",
        tags: "Tags", version_ids_to_stages: "VersionIdsToStages", owning_service: "OwningService",
        created_date: "CreatedDate", primary_region: "PrimaryRegion", replication_status: "ReplicationStatus",
    }
    GetRandomPasswordOutput { random_password: "RandomPassword" }
    GetResourcePolicyOutput { arn: "ARN", name: "Name", resource_policy: "ResourcePolicy" }
    GetSecretValueOutput {
        arn: "ARN", name: "Name", version_id: "VersionId", secret_binary: "SecretBinary",
        secret_string: "SecretString", version_stages: "VersionStages", created_date: "CreatedDate",
    }
    ListSecretVersionIdsOutput { versions: "Versions", next_token: "NextToken", arn: "ARN", name: "Name" }
    ListSecretsOutput { secret_list: "SecretList", next_token: "NextToken" }
    PutResourcePolicyOutput { arn: "ARN", name: "Name" }
    PutSecretValueOutput { arn: "ARN", name: "Name", version_id: "VersionId", version_stages: "VersionStages" }
    RemoveRegionsFromReplicationOutput { arn: "ARN", replication_status: "ReplicationStatus" }
    ReplicateSecretToRegionsOutput { arn: "ARN", replication_status: "ReplicationStatus" }
    RestoreSecretOutput { arn: "ARN", name: "Name" }
    RotateSecretOutput { arn: "ARN", name: "Name", version_id: "VersionId" }
    StopReplicationToReplicaOutput { arn: "ARN" }
    TagResourceOutput {}
    UntagResourceOutput {}
    UpdateSecretOutput { arn: "ARN", name: "Name", version_id: "VersionId" }
    UpdateSecretVersionStageOutput { arn: "ARN", name: "Name" }
    ValidateResourcePolicyOutput {
        policy_validation_passed: "PolicyValidationPassed", validation_errors: "ValidationErrors",
    }
    SecretValueEntry {
        arn: "ARN", name: "Name", version_id: "VersionId", secret_binary: "SecretBinary",
        secret_string: "SecretString", version_stages: "VersionStages", created_date: "CreatedDate",
    }
    ApiErrorType { secret_id: "SecretId", error_code: "ErrorCode", message: "Message" }
    ReplicationStatusType {
        region: "Region", kms_key_id: "KmsKeyId", status: "Status", status_message: "StatusMessage",
        last_accessed_date: "LastAccessedDate",
    }
    SecretVersionsListEntry {
        version_id: "VersionId", version_stages: "VersionStages", last_accessed_date: "LastAccessedDate",
        created_date: "CreatedDate", kms_key_ids: "KmsKeyIds",
    }
    SecretListEntry {
        arn: "ARN", name: "Name", r#type: "Type", description: "Description", kms_key_id: "KmsKeyId",
        rotation_enabled: "RotationEnabled", rotation_lambda_arn: "RotationLambdaARN", rotation_rules: "RotationRules",
        last_rotated_date: "LastRotatedDate", last_changed_date: "LastChangedDate",
        last_accessed_date: "LastAccessedDate", deleted_date: "DeletedDate", next_rotation_date: "NextRotationDate",
        tags: "Tags", secret_versions_to_stages: "SecretVersionsToStages", owning_service: "OwningService",
        created_date: "CreatedDate", primary_region: "PrimaryRegion",
    }
    ValidationErrorsEntry { check_name: "CheckName", error_message: "ErrorMessage" }
    RotationRulesType {
        automatically_after_days: "AutomaticallyAfterDays", duration: "Duration",
        schedule_expression: "ScheduleExpression",
    }
    Tag { key: "Key", value: "Value" }
}
