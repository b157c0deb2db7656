//! CloudTrail's `requestParameters` and `responseElements`: only members that are known to hold no secret. What is not listed here is
//! left out, so a new member, or a misspelt one, tells nothing.

use pawl_api::query::{Form, Node};
use pawl_core::limits;
use serde_json::{Map, Value};

/// Members of requests.
const ASKED: &[&str] = &[
    // Secrets Manager.
    "AddReplicaRegions",
    "BlockPublicPolicy",
    "ClientRequestToken",
    "Description",
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "Filters",
    "ForceDeleteWithoutRecovery",
    "ForceOverwriteReplicaSecret",
    "IncludeDeleted",
    "IncludePlannedDeletion",
    "IncludeSpace",
    "KmsKeyId",
    "MaxResults",
    "MoveToVersionId",
    "Name",
    "PasswordLength",
    "RecoveryWindowInDays",
    "RemoveFromVersionId",
    "RemoveReplicaRegions",
    "RequireEachIncludedType",
    "ResourcePolicy",
    "RotateImmediately",
    "RotationLambdaARN",
    "RotationRules",
    "SecretId",
    "SecretIdList",
    "SortBy",
    "SortOrder",
    "TagKeys",
    "Tags",
    "Type",
    "VersionId",
    "VersionStage",
    "VersionStages",
    // KMS.
    "AliasName",
    "BypassPolicyLockoutSafetyCheck",
    "CustomerMasterKeySpec",
    "DestinationEncryptionAlgorithm",
    "DestinationEncryptionContext",
    "DestinationKeyId",
    "DryRun",
    "EncryptionAlgorithm",
    "EncryptionContext",
    "KeyId",
    "KeyPairSpec",
    "KeySpec",
    "KeyUsage",
    "Limit",
    "MacAlgorithm",
    "MessageType",
    "MultiRegion",
    "NumberOfBytes",
    "Origin",
    "PendingWindowInDays",
    "Policy",
    "PolicyName",
    "RotationPeriodInDays",
    "SigningAlgorithm",
    "SourceEncryptionAlgorithm",
    "SourceEncryptionContext",
    "SourceKeyId",
    "TargetKeyId",
    // Lambda.
    "Action",
    "Architectures",
    "CodeSha256",
    "EventSourceToken",
    "FunctionName",
    "FunctionVersion",
    "Handler",
    "InvocationType",
    "LogType",
    "MemorySize",
    "PackageType",
    "Principal",
    "PrincipalOrgID",
    "Publish",
    "Qualifier",
    "ReservedConcurrentExecutions",
    "RevisionId",
    "Role",
    "RoutingConfig",
    "Runtime",
    "S3Bucket",
    "S3Key",
    "S3ObjectVersion",
    "SourceAccount",
    "SourceArn",
    "StatementId",
    "Timeout",
    // IAM and STS.
    "AccessKeyId",
    "AssumeRolePolicyDocument",
    "DurationSeconds",
    "ExternalId",
    "GroupName",
    "MaxItems",
    "MaxSessionDuration",
    "NewGroupName",
    "NewPath",
    "NewUserName",
    "OnlyAttached",
    "Path",
    "PathPrefix",
    "PermissionsBoundary",
    "PolicyArn",
    "PolicyArns",
    "PolicyDocument",
    "PolicySourceArn",
    "PolicyUsageFilter",
    "ProviderId",
    "RoleArn",
    "RoleName",
    "RoleSessionName",
    "Scope",
    "SerialNumber",
    "SetAsDefault",
    "SourceIdentity",
    "Status",
    "TransitiveTagKeys",
    "UserName",
    // Pawl's own.
    "After",
    "Approve",
    "Days",
    "Digest",
    "Function",
    "Grants",
    "Region",
    "Repair",
    "Revoke",
    "Seconds",
    "Secret",
    "Types",
];

/// Members of answers: ids, names and states.
const ANSWERED: &[&str] = &[
    "ARN",
    "AccessKeyId",
    "AliasArn",
    "AliasName",
    "Arn",
    "AssumedRoleId",
    "AttachmentCount",
    "CodeSha256",
    "CodeSize",
    "CreateDate",
    "CreationDate",
    "DefaultVersionId",
    "DeletionDate",
    "Enabled",
    "Expiration",
    "FunctionArn",
    "FunctionName",
    "FunctionVersion",
    "GroupId",
    "GroupName",
    "IsDefaultVersion",
    "KeyId",
    "KeyManager",
    "KeySpec",
    "KeyState",
    "KeyUsage",
    "LastModified",
    "MemorySize",
    "Name",
    "Origin",
    "PackedPolicySize",
    "Path",
    "PendingWindowInDays",
    "PolicyId",
    "PolicyName",
    "Region",
    "ReplicationStatus",
    "RevisionId",
    "RoleId",
    "RoleName",
    "Runtime",
    "State",
    "Status",
    "Timeout",
    "UserId",
    "UserName",
    "Version",
    "VersionId",
    "VersionStages",
];

/// What such members are in.
const AROUND: &[&str] = &[
    "AccessKey",
    "AssumedRoleUser",
    "Configuration",
    "Credentials",
    "Group",
    "KeyMetadata",
    "Policy",
    "PolicyVersion",
    "Role",
    "User",
];

/// Maps whose keys are a caller's own words.
const MAPS: &[&str] = &[
    "DestinationEncryptionContext",
    "EncryptionContext",
    "SourceEncryptionContext",
    "Tags",
    "RoutingConfig",
];

/// Texts that are policies, and are kept as they are.
fn is_policy(name: &str) -> bool {
    name.ends_with("Policy") || name.ends_with("PolicyDocument")
}

/// AWS's name of a member, as CloudTrail spells it: `SecretId` is `secretId`, and `ARN` is `arn`.
fn spelt(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase();
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn shortened(name: &str, value: Value) -> Value {
    match value {
        Value::String(text) if !is_policy(name) && text.chars().count() > limits::AUDIT_TEXT_CHARS_MAX => {
            Value::String(text.chars().take(limits::AUDIT_TEXT_CHARS_MAX).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| shortened(name, item)).collect(),
        Value::Object(members) => {
            let renamed = |key: String| if MAPS.contains(&name) { key } else { spelt(&key) };
            members.into_iter().map(|(key, item)| (renamed(key), shortened(name, item))).collect()
        }
        other => other,
    }
}

fn bytes_of(members: &Map<String, Value>) -> Option<Vec<u8>> {
    if members.is_empty() {
        return None;
    }
    let bytes = serde_json::to_vec(members).ok()?;
    if bytes.len() > limits::AUDIT_PARAMETERS_BYTES_MAX {
        return Some(b"{\"omitted\":true,\"reason\":\"too large\"}".to_vec());
    }
    Some(bytes)
}

/// Of a request's body in JSON.
pub(super) fn of_body(body: &[u8]) -> Option<Vec<u8>> {
    bytes_of(&members_of_body(body))
}

fn members_of_body(body: &[u8]) -> Map<String, Value> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return Map::new() };
    let known = members.into_iter().filter(|(name, _)| ASKED.contains(&name.as_str()));
    known.map(|(name, value)| (spelt(&name), shortened(&name, value))).collect()
}

/// Of a path, a query and a body.
pub(super) fn of_route<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>, body: &[u8]) -> Option<Vec<u8>> {
    let mut members = members_of_body(body);
    for (name, value) in fields.filter(|(name, _)| ASKED.contains(name)) {
        members.insert(spelt(name), shortened(name, Value::String(value.to_owned())));
    }
    bytes_of(&members)
}

/// Of a form: `Tags.member.1.Key` belongs to `Tags`.
pub(super) fn of_form(form: &Form) -> Option<Vec<u8>> {
    let mut members = Map::new();
    for (name, value) in form.fields() {
        let mut parts = name.splitn(2, '.');
        let (first, rest) = (parts.next().unwrap_or_default(), parts.next());
        if first == "Action" || first == "Version" || !ASKED.contains(&first) {
            continue;
        }
        let value = shortened(first, Value::String(value.to_owned()));
        match rest {
            None => drop(members.insert(spelt(first), value)),
            Some(rest) => {
                let under = members.entry(spelt(first)).or_insert_with(|| Value::Object(Map::new()));
                if let Some(under) = under.as_object_mut() {
                    under.insert(rest.trim_start_matches("member.").to_owned(), value);
                }
            }
        }
    }
    bytes_of(&members)
}

/// Of an answer in JSON.
pub(super) fn of_answer(body: &[u8]) -> Option<Vec<u8>> {
    fn kept(members: Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (name, value) in members {
            match value {
                Value::Object(inner) if AROUND.contains(&name.as_str()) => {
                    out.insert(spelt(&name), Value::Object(kept(inner)));
                }
                Value::Object(_) => {}
                value if ANSWERED.contains(&name.as_str()) => {
                    out.insert(spelt(&name), shortened(&name, value));
                }
                _ => {}
            }
        }
        out
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return None };
    bytes_of(&kept(members))
}

/// Of an answer in parts.
pub(super) fn of_nodes(nodes: &[Node]) -> Option<Vec<u8>> {
    fn kept(nodes: &[Node]) -> Map<String, Value> {
        let mut out = Map::new();
        for node in nodes {
            match (node.as_text(), node.as_nodes()) {
                (Some(text), _) if ANSWERED.contains(&node.name()) => {
                    out.insert(spelt(node.name()), Value::String(text.to_owned()));
                }
                (None, Some(inner)) if AROUND.contains(&node.name()) => {
                    out.insert(spelt(node.name()), Value::Object(kept(inner)));
                }
                _ => {}
            }
        }
        out
    }
    bytes_of(&kept(nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8(bytes.unwrap_or_default()).unwrap()
    }

    #[test]
    fn no_member_that_holds_a_secret_is_listed() {
        let secret = [
            "SecretString",
            "SecretBinary",
            "Plaintext",
            "CiphertextBlob",
            "Password",
            "NewPassword",
            "OldPassword",
            "SecretAccessKey",
            "SessionToken",
            "WebIdentityToken",
            "SAMLAssertion",
            "TokenCode",
            "Environment",
            "Code",
            "ZipFile",
            "Payload",
            "Message",
            "NextToken",
            "Marker",
            "GrantTokens",
            "PrivateKeyPlaintext",
            "RandomPassword",
            "SecretValues",
            "Mac",
        ];
        for name in secret {
            assert!(!ASKED.contains(&name) && !ANSWERED.contains(&name) && !AROUND.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_out_and_the_rest_is_spelt_as_cloudtrail_does() {
        let body = br#"{"SecretId":"a","SecretString":"canary","secretString":"canary","Secretstring":"canary",
            "Tags":[{"Key":"k","Value":"v"}],"RotationRules":{"AutomaticallyAfterDays":3},"X":{"SecretId":"canary"}}"#;
        assert_eq!(
            text(of_body(body)),
            r#"{"secretId":"a","tags":[{"Key":"k","Value":"v"}],"rotationRules":{"automaticallyAfterDays":3}}"#
        );
        assert_eq!(of_body(b"no json"), None);
        assert_eq!(of_body(b"[\"canary\"]"), None);
        let long = format!("{{\"Description\":\"{}\"}}", "x".repeat(10_000));
        assert!(text(of_body(long.as_bytes())).len() < 3_000);
    }

    #[test]
    fn answers_leave_ids_and_no_credentials() {
        let body =
            br#"{"ARN":"arn:x","Name":"n","SecretString":"canary","KeyMetadata":{"KeyId":"k","Policy":"p"},
            "Other":{"ARN":"canary"}}"#;
        assert_eq!(text(of_answer(body)), r#"{"arn":"arn:x","name":"n","keyMetadata":{"keyId":"k"}}"#);
        let form = Form::parse(
            b"Action=TagUser&UserName=u&Tags.member.1.Key=k&Tags.member.1.Value=v&Password=canary",
        );
        assert_eq!(text(of_form(&form.unwrap())), r#"{"userName":"u","tags":{"1.Key":"k","1.Value":"v"}}"#);
    }
}
