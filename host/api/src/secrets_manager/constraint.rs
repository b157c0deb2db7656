//! The lengths and ranges of the model, refused in the words in which AWS's services refuse them.

use pawl_core::limits;
use pawl_core::value::ValueError;

use super::shapes::*;
use crate::error::{ApiError, ErrorCode};
use crate::sensitive::{SecretBlob, SecretText};
use crate::shape::Request;

/// A member that the model requires is not there.
#[must_use]
pub fn missing(member: &str) -> ApiError {
    let mut chars = member.chars();
    let member: String =
        chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect();
    detected(&[format!("Value null at '{member}' failed to satisfy constraint: Member must not be null")])
}

/// A value that is none.
#[must_use]
pub fn value(member: &str, wrong: &ValueError) -> ApiError {
    let constraint = match wrong {
        ValueError::Empty => "have length greater than or equal to 1".to_owned(),
        ValueError::TooLong => format!("have length less than or equal to {}", limits::VALUE_BYTES_MAX),
        ValueError::NotText => "be UTF-8".to_owned(),
    };
    detected(&[format!("Value at '{member}' failed to satisfy constraint: Member must {constraint}")])
}

fn detected(failures: &[String]) -> ApiError {
    let count = failures.len();
    let plural = if count == 1 { "" } else { "s" };
    ApiError::new(
        ErrorCode::ValidationException,
        format!("{count} validation error{plural} detected: {}", failures.join("; ")),
    )
}

/// Collects what is wrong with a request. Values are not quoted: any may be a secret in the wrong place.
#[derive(Default)]
struct Checks(Vec<String>);

impl Checks {
    fn fail(&mut self, member: &str, constraint: &str) {
        self.0.push(format!("Value at '{member}' failed to satisfy constraint: Member must {constraint}"));
    }

    fn length(&mut self, member: &str, length: usize, least: usize, most: usize) -> &mut Self {
        if length < least {
            self.fail(member, &format!("have length greater than or equal to {least}"));
        } else if length > most {
            self.fail(member, &format!("have length less than or equal to {most}"));
        }
        self
    }

    fn text(&mut self, member: &str, text: &str, least: usize, most: usize) -> &mut Self {
        self.length(member, text.chars().count(), least, most)
    }

    fn text_if(&mut self, member: &str, text: Option<&String>, least: usize, most: usize) -> &mut Self {
        match text {
            Some(text) => self.text(member, text, least, most),
            None => self,
        }
    }

    fn range_if(&mut self, member: &str, number: Option<i64>, least: i64, most: i64) -> &mut Self {
        match number {
            Some(number) if number < least => {
                self.fail(member, &format!("have value greater than or equal to {least}"));
            }
            Some(number) if number > most => {
                self.fail(member, &format!("have value less than or equal to {most}"));
            }
            _ => {}
        }
        self
    }

    fn one_of(&mut self, member: &str, text: Option<&String>, choices: &[&str]) -> &mut Self {
        if text.is_some_and(|text| !choices.contains(&text.as_str())) {
            self.fail(member, &format!("satisfy enum value set: [{}]", choices.join(", ")));
        }
        self
    }

    fn secret_id(&mut self, id: &str) -> &mut Self {
        self.text("secretId", id, 1, limits::SECRET_ID_CHARS_MAX)
    }

    fn token(&mut self, member: &str, token: Option<&String>) -> &mut Self {
        self.text_if(member, token, limits::VERSION_ID_CHARS_MIN, limits::VERSION_ID_CHARS_MAX)
    }

    fn value(&mut self, text: Option<&SecretText>, binary: Option<&SecretBlob>) -> &mut Self {
        if let Some(text) = text {
            self.length("secretString", text.bytes().len(), 1, limits::VALUE_BYTES_MAX);
        }
        if let Some(binary) = binary {
            self.length("secretBinary", binary.bytes().len(), 1, limits::VALUE_BYTES_MAX);
        }
        self
    }

    fn described(&mut self, description: Option<&String>, kms_key_id: Option<&String>) -> &mut Self {
        self.text_if("description", description, 0, limits::DESCRIPTION_CHARS_MAX).text_if(
            "kmsKeyId",
            kms_key_id,
            0,
            limits::KEY_ID_CHARS_MAX,
        )
    }

    fn tags(&mut self, tags: &[Tag]) -> &mut Self {
        for (n, tag) in (1..).zip(tags) {
            let member = format!("tags.{n}.member.key");
            match &tag.key {
                Some(key) => {
                    self.text(&member, key, 1, limits::TAG_KEY_CHARS_MAX);
                }
                None => self.fail(&member, "not be null"),
            }
            let member = format!("tags.{n}.member.value");
            self.text_if(&member, tag.value.as_ref(), 0, limits::TAG_VALUE_CHARS_MAX);
        }
        self
    }

    fn page(&mut self, max_results: Option<i64>, next_token: Option<&String>) -> &mut Self {
        self.range_if("maxResults", max_results, 1, i64::from(limits::PAGE_ENTRIES_MAX)).text_if(
            "nextToken",
            next_token,
            1,
            limits::NEXT_TOKEN_CHARS_MAX,
        )
    }

    fn filters(&mut self, filters: &[Filter]) -> &mut Self {
        const KEYS: &[&str] =
            &["description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"];
        self.length("filters", filters.len(), 0, limits::FILTERS_MAX);
        for (n, filter) in (1..).zip(filters) {
            self.one_of(&format!("filters.{n}.member.key"), filter.key.as_ref(), KEYS);
            let values = filter.values.as_deref().unwrap_or_default();
            let member = format!("filters.{n}.member.values");
            self.length(&member, values.len(), 1, limits::FILTER_VALUES_MAX);
            for value in values {
                self.text(&member, value, 0, limits::FILTER_VALUE_CHARS_MAX);
                let rest = value.strip_prefix('!').unwrap_or(value);
                if !rest.chars().all(|c| c.is_ascii_alphanumeric() || " :_@/+=.-!".contains(c)) {
                    self.fail(
                        &member,
                        "satisfy regular expression pattern: ^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$",
                    );
                }
            }
        }
        self
    }

    fn rules(&mut self, rules: &RotationRules) -> &mut Self {
        let days = i64::from(limits::ROTATION_DAYS_MAX);
        self.range_if("rotationRules.automaticallyAfterDays", rules.automatically_after_days, 1, days)
            .text_if("rotationRules.duration", rules.duration.as_ref(), 2, 3)
            .text_if(
                "rotationRules.scheduleExpression",
                rules.schedule_expression.as_ref(),
                1,
                limits::SCHEDULE_CHARS_MAX,
            )
    }

    fn policy_name(&mut self, name: Option<&String>) -> &mut Self {
        self.text_if("policyName", name, 1, limits::POLICY_NAME_CHARS_MAX)
    }

    fn end(&mut self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(detected(&self.0)) }
    }
}

macro_rules! requests {
    ($($operation:ident: $request:ident -> $response:ident, |$checks:ident, $shape:ident| $check:expr;)*) => {$(
        impl Request for $request {
            type Response = $response;

            const TARGET: crate::Target = crate::Target::SecretsManager(super::Operation::$operation);

            fn check(&self) -> Result<(), ApiError> {
                let $shape = self;
                let mut checks = Checks::default();
                let $checks = &mut checks;
                $check.end()
            }
        }
    )*};
}

requests! {
    CreateSecret: CreateSecretRequest -> CreateSecretResponse, |checks, r| checks
        .text("name", &r.name, 1, limits::NAME_CHARS_MAX)
        .token("clientRequestToken", r.client_request_token.as_ref())
        .described(r.description.as_ref(), r.kms_key_id.as_ref())
        .value(r.secret_string.as_ref(), r.secret_binary.as_ref())
        .tags(r.tags.as_deref().unwrap_or_default());
    GetSecretValue: GetSecretValueRequest -> GetSecretValueResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .token("versionId", r.version_id.as_ref())
        .text_if("versionStage", r.version_stage.as_ref(), 1, limits::LABEL_CHARS_MAX);
    PutSecretValue: PutSecretValueRequest -> PutSecretValueResponse, |checks, r| {
        checks
            .secret_id(&r.secret_id)
            .token("clientRequestToken", r.client_request_token.as_ref())
            .value(r.secret_string.as_ref(), r.secret_binary.as_ref());
        if let Some(stages) = &r.version_stages {
            checks.length("versionStages", stages.len(), 1, limits::LABELS_PER_VERSION_MAX);
            for stage in stages {
                checks.text("versionStages", stage, 1, limits::LABEL_CHARS_MAX);
            }
        }
        checks
    };
    BatchGetSecretValue: BatchGetSecretValueRequest -> BatchGetSecretValueResponse, |checks, r| {
        if let Some(ids) = &r.secret_id_list {
            checks.length("secretIdList", ids.len(), 1, limits::BATCH_SECRETS_MAX);
            for id in ids {
                checks.text("secretIdList", id, 1, limits::SECRET_ID_CHARS_MAX);
            }
        }
        checks
            .filters(r.filters.as_deref().unwrap_or_default())
            .range_if("maxResults", r.max_results, 1, 20)
            .text_if("nextToken", r.next_token.as_ref(), 1, limits::NEXT_TOKEN_CHARS_MAX)
    };
    GetResourcePolicy: GetResourcePolicyRequest -> GetResourcePolicyResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .policy_name(r.policy_name.as_ref());
    PutResourcePolicy: PutResourcePolicyRequest -> PolicyOfSecretResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .text("resourcePolicy", &r.resource_policy, 1, limits::POLICY_CHARS_MAX)
        .policy_name(r.policy_name.as_ref());
    DeleteResourcePolicy: DeleteResourcePolicyRequest -> PolicyOfSecretResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .policy_name(r.policy_name.as_ref());
    ListResourcePolicies: ListResourcePoliciesRequest -> ListResourcePoliciesResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .page(r.max_results, r.next_token.as_ref());
    ValidateResourcePolicy: ValidateResourcePolicyRequest -> ValidateResourcePolicyResponse, |checks, r| checks
        .text_if("secretId", r.secret_id.as_ref(), 1, limits::SECRET_ID_CHARS_MAX)
        .text("resourcePolicy", &r.resource_policy, 1, limits::POLICY_CHARS_MAX);
    ReplicateSecretToRegions: ReplicateSecretToRegionsRequest -> ReplicationResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .length("addReplicaRegions", r.add_replica_regions.len(), 1, usize::MAX);
    RemoveRegionsFromReplication: RemoveRegionsFromReplicationRequest -> ReplicationResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .length("removeReplicaRegions", r.remove_replica_regions.len(), 1, usize::MAX);
    StopReplicationToReplica: StopReplicationToReplicaRequest -> StopReplicationToReplicaResponse, |checks, r| checks
        .secret_id(&r.secret_id);
    AssociateCrossAccountReplica: AssociateCrossAccountReplicaRequest -> AssociateCrossAccountReplicaResponse,
        |checks, r| checks
        .secret_id(&r.secret_id)
        .text("crossAccountReplicaARN", &r.cross_account_replica_arn, 20, limits::ARN_CHARS_MAX)
        .text_if("replicationRoleARN", r.replication_role_arn.as_ref(), 20, limits::ARN_CHARS_MAX)
        .one_of("replicaRestriction", r.replica_restriction.as_ref(), &["SameOrg", "NoRestriction"]);
    DisassociateCrossAccountReplica: DisassociateCrossAccountReplicaRequest -> DisassociateCrossAccountReplicaResponse,
        |checks, r| checks
        .secret_id(&r.secret_id)
        .text("crossAccountReplicaARN", &r.cross_account_replica_arn, 20, limits::ARN_CHARS_MAX);
    DescribeSecret: DescribeSecretRequest -> DescribeSecretResponse, |checks, r| checks.secret_id(&r.secret_id);
    UpdateSecret: UpdateSecretRequest -> UpdateSecretResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .token("clientRequestToken", r.client_request_token.as_ref())
        .described(r.description.as_ref(), r.kms_key_id.as_ref())
        .value(r.secret_string.as_ref(), r.secret_binary.as_ref());
    ListSecrets: ListSecretsRequest -> ListSecretsResponse, |checks, r| checks
        .page(r.max_results, r.next_token.as_ref())
        .filters(r.filters.as_deref().unwrap_or_default())
        .one_of("sortOrder", r.sort_order.as_ref(), &["asc", "desc"])
        .one_of(
            "sortBy",
            r.sort_by.as_ref(),
            &["created-date", "last-accessed-date", "last-changed-date", "name"],
        );
    ListSecretVersionIds: ListSecretVersionIdsRequest -> ListSecretVersionIdsResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .page(r.max_results, r.next_token.as_ref());
    UpdateSecretVersionStage: UpdateSecretVersionStageRequest -> NamedSecretResponse, |checks, r| checks
        .secret_id(&r.secret_id)
        .text("versionStage", &r.version_stage, 1, limits::LABEL_CHARS_MAX)
        .token("removeFromVersionId", r.remove_from_version_id.as_ref())
        .token("moveToVersionId", r.move_to_version_id.as_ref());
    DeleteSecret: DeleteSecretRequest -> DeleteSecretResponse, |checks, r| checks.secret_id(&r.secret_id);
    RestoreSecret: RestoreSecretRequest -> NamedSecretResponse, |checks, r| checks.secret_id(&r.secret_id);
    GetRandomPassword: GetRandomPasswordRequest -> GetRandomPasswordResponse, |checks, r| checks
        .range_if("passwordLength", r.password_length, 1, i64::from(limits::PASSWORD_CHARS_MAX))
        .text_if("excludeCharacters", r.exclude_characters.as_ref(), 0, limits::EXCLUDED_CHARS_MAX);
    RotateSecret: RotateSecretRequest -> RotateSecretResponse, |checks, r| {
        checks
            .secret_id(&r.secret_id)
            .token("clientRequestToken", r.client_request_token.as_ref())
            .text_if("rotationLambdaARN", r.rotation_lambda_arn.as_ref(), 0, limits::FUNCTION_ARN_CHARS_MAX);
        if let Some(rules) = &r.rotation_rules {
            checks.rules(rules);
        }
        checks
    };
    CancelRotateSecret: CancelRotateSecretRequest -> RotateSecretResponse, |checks, r| checks
        .secret_id(&r.secret_id);
    TagResource: TagResourceRequest -> Empty, |checks, r| checks.secret_id(&r.secret_id).tags(&r.tags);
    UntagResource: UntagResourceRequest -> Empty, |checks, r| {
        checks.secret_id(&r.secret_id);
        for key in &r.tag_keys {
            checks.text("tagKeys", key, 1, limits::TAG_KEY_CHARS_MAX);
        }
        checks
    };
}
