//! CloudTrail's `requestParameters` and `responseElements`: only members that are known to hold no secret. What is not listed here is
//! left out, so a new member, or a misspelt one, tells nothing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use pawl_api::query::{Form, Node};
use pawl_core::limits;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
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
    match serde_json::from_slice(body) {
        Ok(Plain(members)) => (!members.is_empty()).then_some(members),
        Err(_) => bytes_of(&members_of_body(body)),
    }
}

/// What requests' members begin with in a record: `"secretId":`, by `SecretId`.
static SPELT: LazyLock<HashMap<&'static str, String>> =
    LazyLock::new(|| ASKED.iter().map(|name| (*name, format!("\"{}\":", spelt(name)))).collect());

/// What [`bytes_of`] makes of a small object of texts, numbers and flags, without a tree in between. Whatever is not as plain is
/// refused.
#[derive(Debug, Default)]
struct Plain(Vec<u8>);

/// Members of a plain object.
const PLAIN_MEMBERS_MAX: usize = 8;

/// A value that a record may repeat byte by byte.
fn is_plain(value: &str) -> bool {
    let is_number = value.len() <= 15 && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_text = value.starts_with('"') && value.len() <= limits::AUDIT_TEXT_CHARS_MAX;
    is_number || matches!(value, "true" | "false" | "null") || (is_text && !value.contains('\\'))
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plain object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
                let refused = || A::Error::custom("not plain");
                let (mut out, mut seen) = (Vec::new(), [""; PLAIN_MEMBERS_MAX]);
                let mut places = seen.iter_mut();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let value: &'de RawValue = map.next_value()?;
                    let Some((known, spelt)) = SPELT.get_key_value(&*name) else { continue };
                    let place = places.next().ok_or_else(refused)?;
                    if !is_plain(value.get()) {
                        return Err(refused());
                    }
                    *place = known;
                    out.push(if out.is_empty() { b'{' } else { b',' });
                    out.extend_from_slice(spelt.as_bytes());
                    out.extend_from_slice(value.get().as_bytes());
                }
                if !out.is_empty() {
                    out.push(b'}');
                }
                let names: Vec<&str> = seen.into_iter().filter(|name| !name.is_empty()).collect();
                let twice = names
                    .iter()
                    .enumerate()
                    .any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name));
                if twice { Err(refused()) } else { Ok(Plain(out)) }
            }
        }

        deserializer.deserialize_map(Members)
    }
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
    fn the_short_way_writes_what_the_long_way_does() {
        let bodies = [
            r#"{"SecretId":"a/b-c","VersionStage":"AWSCURRENT"}"#,
            r#"{ "SecretId" : "a" , "Other": {"SecretId":"canary"}, "SecretString":"canary", "MaxResults": 20, "IncludeDeleted":true }"#,
            r#"{"SecretId":null,"KmsKeyId":"é\n"}"#,
            r#"{"SecretId":"one","VersionId":"v","SecretId":"two"}"#,
            r#"{"SecretId":"\ud800"}"#,
            r#"{"SecretId":1e999}"#,
            r#"{"SecretId":1.5,"MaxResults":-3}"#,
            r#"{"SecretId":"a","Tags":[{"Key":"k","Value":"v"}]}"#,
            r#"{"SecretId":12345678901234567890}"#,
            r#"{"SecretId":"é✓"}"#,
            r#"{"SecretString":"canary"}"#,
            r#"{"Secret\u0049d":"a"}"#,
            r#"{"SecretId":"a"} x"#,
            r#"{"SecretId":"a""#,
            r"{}",
            r"[]",
            r#"{"Name":"a","SecretId":"b","VersionId":"c","VersionStage":"d","MaxResults":1,"Limit":2,"Days":3,"After":4,"Type":"e"}"#,
        ];
        for body in bodies {
            let long = bytes_of(&members_of_body(body.as_bytes()));
            assert_eq!(text(of_body(body.as_bytes())), text(long), "{body}");
        }
        let short = |body: &str| serde_json::from_slice::<Plain>(body.as_bytes()).is_ok();
        assert!(short(bodies[0]) && short(bodies[1]) && !short(bodies[2]) && !short(bodies[3]));
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
