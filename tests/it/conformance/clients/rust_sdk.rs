//! `aws-sdk-secretsmanager`, over the tests' own HTTP: an SDK without TLS compiles in a minute less.

mod answers;
mod http;

use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::{
    ExternalSecretRotationMetadataItem, Filter, ReplicaRegionType, RotationRulesType, Tag,
};
use aws_sdk_secretsmanager::{Client as Sdk, Config};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::pawl::{ACCESS_KEY_ID, Pawl, SECRET_ACCESS_KEY};
use serde_json::Value;

use self::answers::Answer;
use super::{Client, Reply};

pub(crate) struct RustSdk {
    runtime: tokio::runtime::Runtime,
    endpoint: String,
}

impl RustSdk {
    pub(crate) fn to(pawl: &Pawl) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, endpoint: format!("http://{}", pawl.address()) }
    }

    fn sdk(&self, region: &str) -> Sdk {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "tests"))
            .endpoint_url(&self.endpoint)
            .retry_config(aws_sdk_secretsmanager::config::retry::RetryConfig::disabled())
            .http_client(http::client())
            .build();
        Sdk::from_conf(config)
    }
}

impl Client for RustSdk {
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        match Input::read(input) {
            Ok(input) => self.runtime.block_on(send(&self.sdk(region), operation, &input)),
            Err(what) => Reply::Unsayable(what),
        }
    }
}

/// What the SDK's types can hold of a case's input.
struct Input(Value);

/// Members by what the SDK takes for them.
const TEXTS: [&str; 17] = [
    "SecretId",
    "Name",
    "ClientRequestToken",
    "Description",
    "KmsKeyId",
    "SecretString",
    "Type",
    "VersionId",
    "VersionStage",
    "RemoveFromVersionId",
    "MoveToVersionId",
    "NextToken",
    "ExcludeCharacters",
    "ResourcePolicy",
    "RotationLambdaARN",
    "RotationToken",
    "ExternalSecretRotationRoleArn",
];
const ENUMS: [&str; 2] = ["SortOrder", "SortBy"];
const LISTS_OF_TEXTS: [&str; 4] = ["VersionStages", "TagKeys", "SecretIdList", "RemoveReplicaRegions"];
const LISTS: [&str; 4] = ["Tags", "Filters", "AddReplicaRegions", "ExternalSecretRotationMetadata"];
const NUMBERS: [&str; 3] = ["MaxResults", "RecoveryWindowInDays", "PasswordLength"];

impl Input {
    fn read(input: &Value) -> Result<Self, String> {
        let members = input.as_object().ok_or("an input that is no object")?;
        for (name, value) in members {
            let name = name.as_str();
            let texts =
                |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
            let objects =
                |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_object));
            let right = match value {
                Value::String(_) => TEXTS.contains(&name) || ENUMS.contains(&name) || name == "SecretBinary",
                Value::Number(_) => NUMBERS.contains(&name),
                Value::Bool(_) => true,
                Value::Array(_) => {
                    (LISTS_OF_TEXTS.contains(&name) && texts(value))
                        || (LISTS.contains(&name) && objects(value))
                }
                Value::Object(_) => name == "RotationRules",
                Value::Null => false,
            };
            if !right {
                return Err(format!("the field {name}"));
            }
        }
        Ok(Self(input.clone()))
    }

    fn text(&self, name: &str) -> Option<String> {
        text_of(&self.0, name)
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        texts_of(&self.0, name)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0[name].as_bool()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0[name].as_i64()
    }

    fn size(&self) -> Option<i32> {
        self.number("MaxResults").and_then(|number| number.try_into().ok())
    }

    fn binary(&self) -> Option<Blob> {
        let text = self.text("SecretBinary")?;
        Some(Blob::new(STANDARD.decode(text).expect("base64: what is none is sent raw")))
    }

    fn list<T>(&self, name: &str, make: impl Fn(&Value) -> T) -> Option<Vec<T>> {
        Some(self.0[name].as_array()?.iter().map(make).collect())
    }

    fn tags(&self) -> Option<Vec<Tag>> {
        let make = |tag: &Value| {
            Tag::builder().set_key(text_of(tag, "Key")).set_value(text_of(tag, "Value")).build()
        };
        self.list("Tags", make)
    }

    fn filters(&self) -> Option<Vec<Filter>> {
        let make = |filter: &Value| {
            let key = text_of(filter, "Key").map(|key| key.as_str().into());
            Filter::builder().set_key(key).set_values(texts_of(filter, "Values")).build()
        };
        self.list("Filters", make)
    }

    fn regions(&self) -> Option<Vec<ReplicaRegionType>> {
        let make = |region: &Value| {
            let builder = ReplicaRegionType::builder().set_region(text_of(region, "Region"));
            builder.set_kms_key_id(text_of(region, "KmsKeyId")).build()
        };
        self.list("AddReplicaRegions", make)
    }

    fn metadata(&self) -> Option<Vec<ExternalSecretRotationMetadataItem>> {
        let make = |item: &Value| {
            let builder = ExternalSecretRotationMetadataItem::builder().set_key(text_of(item, "Key"));
            builder.set_value(text_of(item, "Value")).build()
        };
        self.list("ExternalSecretRotationMetadata", make)
    }

    fn rules(&self) -> Option<RotationRulesType> {
        let rules = self.0.get("RotationRules")?;
        let builder = RotationRulesType::builder()
            .set_automatically_after_days(rules["AutomaticallyAfterDays"].as_i64())
            .set_duration(text_of(rules, "Duration"));
        Some(builder.set_schedule_expression(text_of(rules, "ScheduleExpression")).build())
    }
}

fn text_of(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

fn texts_of(value: &Value, name: &str) -> Option<Vec<String>> {
    Some(value[name].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn reply<O: Answer, E: ProvideErrorMetadata + std::fmt::Debug>(
    sent: Result<O, SdkError<E, aws_sdk_secretsmanager::config::http::HttpResponse>>,
) -> Reply {
    match sent {
        Ok(output) => Reply::Success(output.json()),
        Err(error) => match (error.code(), error.raw_response()) {
            (Some(code), Some(response)) => Reply::Failure {
                code: code.to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
                status: response.status().as_u16(),
            },
            _ => Reply::Unsayable(format!("{error:?}")),
        },
    }
}

/// One call of the SDK's, with every member that it has.
macro_rules! call {
    ($sdk:ident . $operation:ident () $(. $setter:ident ($value:expr))*) => {
        reply($sdk.$operation()$(.$setter($value))*.send().await)
    };
}

async fn send(sdk: &Sdk, operation: &str, i: &Input) -> Reply {
    let id = || i.text("SecretId");
    match operation {
        "CancelRotateSecret" => call!(sdk.cancel_rotate_secret().set_secret_id(id())),
        "DeleteResourcePolicy" => call!(sdk.delete_resource_policy().set_secret_id(id())),
        "DeleteSecret" => call!(
            sdk.delete_secret()
                .set_secret_id(id())
                .set_recovery_window_in_days(i.number("RecoveryWindowInDays"))
                .set_force_delete_without_recovery(i.flag("ForceDeleteWithoutRecovery"))
        ),
        "DescribeSecret" => call!(sdk.describe_secret().set_secret_id(id())),
        "GetResourcePolicy" => call!(sdk.get_resource_policy().set_secret_id(id())),
        "GetSecretValue" => call!(
            sdk.get_secret_value()
                .set_secret_id(id())
                .set_version_id(i.text("VersionId"))
                .set_version_stage(i.text("VersionStage"))
        ),
        "PutResourcePolicy" => call!(
            sdk.put_resource_policy()
                .set_secret_id(id())
                .set_resource_policy(i.text("ResourcePolicy"))
                .set_block_public_policy(i.flag("BlockPublicPolicy"))
        ),
        "RemoveRegionsFromReplication" => call!(
            sdk.remove_regions_from_replication()
                .set_secret_id(id())
                .set_remove_replica_regions(i.texts("RemoveReplicaRegions"))
        ),
        "ReplicateSecretToRegions" => call!(
            sdk.replicate_secret_to_regions()
                .set_secret_id(id())
                .set_add_replica_regions(i.regions())
                .set_force_overwrite_replica_secret(i.flag("ForceOverwriteReplicaSecret"))
        ),
        "RestoreSecret" => call!(sdk.restore_secret().set_secret_id(id())),
        "StopReplicationToReplica" => call!(sdk.stop_replication_to_replica().set_secret_id(id())),
        "TagResource" => call!(sdk.tag_resource().set_secret_id(id()).set_tags(i.tags())),
        "UntagResource" => call!(sdk.untag_resource().set_secret_id(id()).set_tag_keys(i.texts("TagKeys"))),
        "UpdateSecretVersionStage" => call!(
            sdk.update_secret_version_stage()
                .set_secret_id(id())
                .set_version_stage(i.text("VersionStage"))
                .set_move_to_version_id(i.text("MoveToVersionId"))
                .set_remove_from_version_id(i.text("RemoveFromVersionId"))
        ),
        "ValidateResourcePolicy" => call!(
            sdk.validate_resource_policy().set_secret_id(id()).set_resource_policy(i.text("ResourcePolicy"))
        ),
        "GetRandomPassword" | "ListSecrets" | "ListSecretVersionIds" | "BatchGetSecretValue" => {
            send_list(sdk, operation, i).await
        }
        _ => send_write(sdk, operation, i).await,
    }
}

async fn send_list(sdk: &Sdk, operation: &str, i: &Input) -> Reply {
    match operation {
        "BatchGetSecretValue" => call!(
            sdk.batch_get_secret_value()
                .set_secret_id_list(i.texts("SecretIdList"))
                .set_filters(i.filters())
                .set_max_results(i.size())
                .set_next_token(i.text("NextToken"))
        ),
        "ListSecretVersionIds" => call!(
            sdk.list_secret_version_ids()
                .set_secret_id(i.text("SecretId"))
                .set_include_deprecated(i.flag("IncludeDeprecated"))
                .set_max_results(i.size())
                .set_next_token(i.text("NextToken"))
        ),
        "ListSecrets" => call!(
            sdk.list_secrets()
                .set_filters(i.filters())
                .set_max_results(i.size())
                .set_include_planned_deletion(i.flag("IncludePlannedDeletion"))
                .set_next_token(i.text("NextToken"))
                .set_sort_order(i.text("SortOrder").map(|order| order.as_str().into()))
                .set_sort_by(i.text("SortBy").map(|by| by.as_str().into()))
        ),
        _ => call!(
            sdk.get_random_password()
                .set_password_length(i.number("PasswordLength"))
                .set_exclude_characters(i.text("ExcludeCharacters"))
                .set_exclude_numbers(i.flag("ExcludeNumbers"))
                .set_exclude_punctuation(i.flag("ExcludePunctuation"))
                .set_exclude_uppercase(i.flag("ExcludeUppercase"))
                .set_exclude_lowercase(i.flag("ExcludeLowercase"))
                .set_include_space(i.flag("IncludeSpace"))
                .set_require_each_included_type(i.flag("RequireEachIncludedType"))
        ),
    }
}

async fn send_write(sdk: &Sdk, operation: &str, i: &Input) -> Reply {
    let (id, token) = (i.text("SecretId"), i.text("ClientRequestToken"));
    match operation {
        "CreateSecret" => call!(
            sdk.create_secret()
                .set_name(i.text("Name"))
                .set_client_request_token(token)
                .set_description(i.text("Description"))
                .set_kms_key_id(i.text("KmsKeyId"))
                .set_secret_binary(i.binary())
                .set_secret_string(i.text("SecretString"))
                .set_tags(i.tags())
                .set_add_replica_regions(i.regions())
                .set_type(i.text("Type"))
                .set_force_overwrite_replica_secret(i.flag("ForceOverwriteReplicaSecret"))
        ),
        "PutSecretValue" => call!(
            sdk.put_secret_value()
                .set_secret_id(id)
                .set_client_request_token(token)
                .set_secret_binary(i.binary())
                .set_secret_string(i.text("SecretString"))
                .set_version_stages(i.texts("VersionStages"))
                .set_rotation_token(i.text("RotationToken"))
        ),
        "RotateSecret" => call!(
            sdk.rotate_secret()
                .set_secret_id(id)
                .set_client_request_token(token)
                .set_rotation_lambda_arn(i.text("RotationLambdaARN"))
                .set_rotation_rules(i.rules())
                .set_external_secret_rotation_metadata(i.metadata())
                .set_external_secret_rotation_role_arn(i.text("ExternalSecretRotationRoleArn"))
                .set_rotate_immediately(i.flag("RotateImmediately"))
        ),
        "UpdateSecret" => call!(
            sdk.update_secret()
                .set_secret_id(id)
                .set_client_request_token(token)
                .set_description(i.text("Description"))
                .set_kms_key_id(i.text("KmsKeyId"))
                .set_type(i.text("Type"))
                .set_secret_binary(i.binary())
                .set_secret_string(i.text("SecretString"))
        ),
        _ => Reply::Unsayable(format!("the operation {operation}")),
    }
}
