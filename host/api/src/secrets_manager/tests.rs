//! Shapes against bodies as SDKs write them.

use pawl_core::value::{SecretBytes, ValueKind};
use pawl_core::world::Timestamp;

use super::shapes::*;
use crate::error::ErrorCode;
use crate::sensitive::SecretText;
use crate::shape::decode;

#[test]
fn unknown_members_are_ignored_and_null_is_absent() {
    let request: PutSecretValueRequest =
        decode(br#"{"SecretId":"a","Description":"stray","SecretString":"x","VersionStages":null}"#).unwrap();
    assert_eq!(request.secret_id, "a");
    assert!(request.version_stages.is_none());
    let empty: ListSecretsRequest = decode(b"").unwrap();
    assert!(empty.filters.is_none());
}

#[test]
fn absent_is_absent() {
    let described = DescribeSecretResponse {
        arn: "arn".to_owned(),
        name: "a".to_owned(),
        created_date: Some(Timestamp::from_millis(1_500).into()),
        ..Default::default()
    };
    assert_eq!(serde_json::to_string(&described).unwrap(), r#"{"ARN":"arn","Name":"a","CreatedDate":1.5}"#);
    assert_eq!(serde_json::to_string(&Empty::default()).unwrap(), "{}");
    // The last tag's removal leaves an empty list, which is not absent.
    let untagged = DescribeSecretResponse { tags: Some(vec![]), ..Default::default() };
    assert!(serde_json::to_string(&untagged).unwrap().contains(r#""Tags":[]"#));
}

#[test]
fn members_are_spelt_as_aws_spells_them() {
    let request: RotateSecretRequest = decode(
        br#"{"SecretId":"a","RotationLambdaARN":"f","RotationRules":{"AutomaticallyAfterDays":30},
            "RotateImmediately":false}"#,
    )
    .unwrap();
    assert_eq!(request.rotation_lambda_arn.as_deref(), Some("f"));
    assert_eq!(request.rotation_rules.unwrap().automatically_after_days, Some(30));
    assert_eq!(request.rotate_immediately, Some(false));
    let request: CreateSecretRequest = decode(br#"{"Name":"a","KmsKeyId":"k","Type":"t"}"#).unwrap();
    assert_eq!((request.kms_key_id.as_deref(), request.r#type.as_deref()), (Some("k"), Some("t")));
}

#[test]
fn values_come_and_go_as_they_are_and_print_redacted() {
    let body = br#"{"SecretId":"a","SecretString":"canary \"\u00e9\" {}",
        "RotationToken":"canary-canary-canary-canary-canary-canary"}"#;
    let request: PutSecretValueRequest = decode(body).unwrap();
    let printed = format!("{request:?} {request:#?}");
    assert!(!printed.contains("canary"), "{printed}");
    assert!(printed.contains("[redacted]"), "{printed}");

    let value = given_value(request.secret_string, None).unwrap().unwrap();
    assert_eq!(value.kind(), ValueKind::Text);
    assert_eq!(value.bytes().expose(), "canary \"é\" {}".as_bytes());

    let answer = GetSecretValueResponse { secret_string: SecretText::of(&value), ..Default::default() };
    assert!(serde_json::to_string(&answer).unwrap().contains(r#""SecretString":"canary \"é\" {}""#));
    assert!(!format!("{answer:?}").contains("canary"));

    let binary: CreateSecretRequest = decode(br#"{"Name":"a","SecretBinary":"AP8="}"#).unwrap();
    let value = given_value(None, binary.secret_binary).unwrap().unwrap();
    assert_eq!((value.kind(), value.bytes().expose()), (ValueKind::Binary, [0, 255].as_slice()));
    let answer = GetSecretValueResponse {
        secret_binary: crate::sensitive::SecretBlob::of(&value),
        secret_string: SecretText::of(&value),
        ..Default::default()
    };
    let answer = serde_json::to_string(&answer).unwrap();
    assert!(answer.contains(r#""SecretBinary":"AP8=""#) && !answer.contains("SecretString"), "{answer}");
}

#[test]
fn two_values_are_refused() {
    let text = Some(SecretText::from("x".to_owned()));
    let binary = Some(SecretBytes::new(vec![1]).into());
    assert_eq!(given_value(text, binary).unwrap_err().code, ErrorCode::InvalidParameterException);
    assert!(given_value(None, None).unwrap().is_none());
}

#[test]
fn a_body_that_is_not_the_shape_is_refused_without_quoting_it() {
    for (body, code) in [
        (&b"canary"[..], ErrorCode::SerializationException),
        (br#"{"SecretId":"a","SecretString":"canary"#, ErrorCode::SerializationException),
        (br#"{"SecretId":"a","SecretString":{"canary":1}}"#, ErrorCode::SerializationException),
        (br#"{"SecretId":"a","SecretBinary":"canary!"}"#, ErrorCode::SerializationException),
        (br#"{"SecretId":"a","VersionStages":"canary"}"#, ErrorCode::SerializationException),
        (br#"{"SecretId":"a","Other":{"canary":[canary]}}"#, ErrorCode::SerializationException),
        (
            br#"{"SecretId":"a","SecretString":"","SecretString":7,"Other":"canary"}"#,
            ErrorCode::SerializationException,
        ),
        (br#"null"#, ErrorCode::SerializationException),
        (br#"["canary"]"#, ErrorCode::SerializationException),
        (br#""canary""#, ErrorCode::SerializationException),
        (br#"{"SecretId":"a"} canary"#, ErrorCode::SerializationException),
        (br#"{"SecretString":"canary"}"#, ErrorCode::ValidationException),
    ] {
        let refused = decode::<PutSecretValueRequest>(body).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
        assert!(!refused.message.contains("canary"), "{refused}");
    }
    assert_eq!(
        decode::<PutSecretValueRequest>(b"{}").unwrap_err().message,
        "1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn what_is_wrong_is_told_in_awss_words() {
    fn told<R: crate::Request>(body: &str) -> String {
        let refused = decode::<R>(body.as_bytes()).err().expect("refused");
        format!("{}: {}", refused.code, refused.message)
    }
    let long = "canary".repeat(11_000);
    assert_eq!(
        told::<PutSecretValueRequest>(&format!(
            r#"{{"RotationToken":"canary!","SecretString":"{long}","ClientRequestToken":"abc","SecretBinary":"",
                "VersionStages":["a",""],"SecretId":""}}"#
        )),
        "ValidationException: 7 validation errors detected: \
         Value '' at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1; \
         Value 'abc' at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal \
         to 32; \
         Value at 'secretBinary' failed to satisfy constraint: Member must have length greater than or equal to 1; \
         Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536; \
         Value '[a, ]' at 'versionStages' failed to satisfy constraint: Member must satisfy constraint: [Member must \
         have length less than or equal to 256, Member must have length greater than or equal to 1]; \
         Value at 'rotationToken' failed to satisfy constraint: Member must have length greater than or equal to 36; \
         Value at 'rotationToken' failed to satisfy constraint: Member must satisfy regular expression pattern: \
         ^[a-zA-Z0-9\\-]+$"
    );
    for (body, message) in [
        (
            r#"{"MaxResults":101}"#,
            "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100",
        ),
        (
            r#"{"MaxResults":-7}"#,
            "Value '-7' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            r#"{"SortOrder":"up"}"#,
            "Value 'up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [asc, desc]",
        ),
        (
            r#"{"Filters":[{"Key":"all","Values":["a"]},{"Key":"owner","Values":["a"]}]}"#,
            "Value 'owner' at 'filters.2.member.key' failed to satisfy constraint: Member must satisfy enum value set: \
             [all, name, tag-key, description, tag-value, primary-region, owning-service]",
        ),
        (
            r#"{"Filters":[{"Key":"name","Values":["a","a*"]}]}"#,
            "Value '[a, a*]' at 'filters.1.member.values' failed to satisfy constraint: Member must satisfy constraint: \
             [Member must have length less than or equal to 512, Member must satisfy regular expression pattern: \
             ^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$]",
        ),
    ] {
        assert_eq!(
            told::<ListSecretsRequest>(body),
            format!("ValidationException: 1 validation error detected: {message}")
        );
    }
    assert_eq!(
        told::<RotateSecretRequest>(r#"{"SecretId":"a","RotationRules":{"AutomaticallyAfterDays":0}}"#),
        "ValidationException: 1 validation error detected: Value '0' at 'rotationRules.automaticallyAfterDays' failed \
         to satisfy constraint: Member must have value greater than or equal to 1"
    );
    assert_eq!(
        told::<ReplicateSecretToRegionsRequest>(r#"{"SecretId":"a","AddReplicaRegions":[]}"#),
        "ValidationException: 1 validation error detected: Value at 'addReplicaRegions' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
}

#[test]
fn what_operations_ask_of_filters_beyond_the_model() {
    for (filter, message) in [
        (r#"{"Values":["a"]}"#, "Invalid filter key"),
        (r#"{"Key":"name"}"#, "Invalid filter values for key: name"),
    ] {
        let body = format!(r#"{{"Filters":[{filter}]}}"#);
        for refused in [
            decode::<ListSecretsRequest>(body.as_bytes()).err(),
            decode::<BatchGetSecretValueRequest>(body.as_bytes()).err(),
        ] {
            let refused = refused.unwrap();
            assert_eq!(
                (refused.code, refused.message.as_str()),
                (ErrorCode::InvalidParameterException, message)
            );
        }
    }
}

#[test]
fn wrong_types_are_told_in_awss_words() {
    for (body, message) in [
        (r#"{"SecretId":7}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"SecretId":7.5}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"SecretId":true}"#, "TRUE_VALUE can not be converted to a String"),
        (r#"{"SecretId":false}"#, "FALSE_VALUE can not be converted to a String"),
        (r#"{"SecretId":["a"]}"#, "Start of list found where not expected"),
        (r#"{"SecretId":{"a":1}}"#, "Start of structure or map found where not expected."),
        (r#"{"RotateImmediately":"true"}"#, "STRING_VALUE can not be converted to a Boolean"),
        (r#"{"RotateImmediately":1}"#, "NUMBER_VALUE can not be converted to a Boolean"),
        (r#"{"RotationRules":"daily"}"#, "Expected null"),
        (r#"{"RotationRules":[1]}"#, "Start of list found where not expected"),
        (
            r#"{"RotationRules":{"AutomaticallyAfterDays":"7"}}"#,
            "STRING_VALUE can not be converted to a Long",
        ),
        (
            r#"{"RotationRules":{"AutomaticallyAfterDays":1e300}}"#,
            "NUMBER_VALUE can not be converted to a Long",
        ),
        (
            r#"{"RotationRules":{"AutomaticallyAfterDays":18446744073709551615}}"#,
            "NUMBER_VALUE can not be converted to a Long",
        ),
        (r#"{"ExternalSecretRotationMetadata":"a"}"#, "Expected list or null"),
        (r#"{"ExternalSecretRotationMetadata":{}}"#, "Start of structure or map found where not expected."),
        ("[]", "Start of list found where not expected"),
        ("7", "Expected null"),
    ] {
        let refused = decode::<RotateSecretRequest>(body.as_bytes()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::SerializationException, "{body}");
        assert_eq!(refused.message, message, "{body}");
    }
    let refused = decode::<ListSecretsRequest>(br#"{"MaxResults":"7"}"#).unwrap_err();
    assert_eq!(refused.message, "STRING_VALUE can not be converted to an Integer");
}

#[test]
fn bodies_that_no_sdk_writes_are_read_as_aws_reads_them() {
    // The last of two wins, at any depth, and only that one is checked.
    let request: PutSecretValueRequest = decode(
        br#"{"SecretId":"","Other":{"SecretId":1,"SecretId":2},"SecretString":"a\u0062\n","SecretString":"c\"\u00e9",
            "VersionStages":["x"],"Secret\u0049d":"last","VersionStages":null}"#,
    )
    .unwrap();
    assert_eq!(request.secret_id, "last");
    assert_eq!(request.secret_string.unwrap().bytes().expose(), "c\"é".as_bytes());
    assert_eq!(request.version_stages, None);
    let request: TagResourceRequest =
        decode(br#"{"SecretId":"a","Tags":[{"Key":"","Key":"k","X":[]},null,{"Value":null}]}"#).unwrap();
    assert_eq!(request.tags, [Tag { key: Some("k".to_owned()), value: None }, Tag::default()]);
    // A required list may be empty where the model has no least length.
    let request: UntagResourceRequest = decode(br#"{"SecretId":"a","TagKeys":[null]}"#).unwrap();
    assert!(request.tag_keys.is_empty());
    // An optional one that is empty is none, unless the model has a least length for it.
    let request: ListSecretsRequest = decode(br#"{"Filters":[]}"#).unwrap();
    assert_eq!(request.filters, None);
    for body in [
        r#"{"SecretId":"a","VersionStages":[]}"#,
        r#"{"SecretId":"a","SecretId":"b","VersionStages":[null]}"#,
    ] {
        let refused = decode::<PutSecretValueRequest>(body.as_bytes()).unwrap_err();
        assert!(refused.message.contains("'versionStages' failed"), "{refused}");
    }
    // Fractions are cut.
    for (number, whole) in [("7.0", 7), ("7.9", 7), ("7e0", 7), ("0.07e2", 7), ("7", 7)] {
        let body = format!(r#"{{"SecretId":"a","RecoveryWindowInDays":{number}}}"#);
        let request: DeleteSecretRequest = decode(body.as_bytes()).unwrap();
        assert_eq!(request.recovery_window_in_days, Some(whole), "{number}");
    }
    // Unknown members may be anything, however deep.
    let deep = format!(r#"{{"SecretId":"a","Other":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert!(decode::<DescribeSecretRequest>(deep.as_bytes()).is_ok());
    let deep = format!(r#"{{"SecretId":{}"#, "[".repeat(200_000));
    assert!(decode::<DescribeSecretRequest>(deep.as_bytes()).is_err());
}

#[test]
fn an_error_tells_ten_violations_at_most() {
    let tags = vec![r#"{"Key":""}"#; 1_000].join(",");
    let body = format!(r#"{{"SecretId":"a","Tags":[{tags}]}}"#);
    let refused = decode::<TagResourceRequest>(body.as_bytes()).unwrap_err();
    assert!(
        refused.message.starts_with("10 validation errors detected: Value '' at 'tags.1.member.key'"),
        "{refused}"
    );
    assert!(
        refused.message.contains("'tags.10.member.key'") && !refused.message.contains("'tags.11"),
        "{refused}"
    );
}

#[test]
fn blobs_are_measured_as_they_decode() {
    use base64::Engine as _;
    let encode = |bytes: usize| base64::engine::general_purpose::STANDARD.encode(vec![0xA5_u8; bytes]);
    let body = |text: &str| format!(r#"{{"SecretId":"a","SecretBinary":"{text}"}}"#);
    for bytes in [1, 2, 3, 767, 768, 769, 65_535, 65_536] {
        let request: PutSecretValueRequest = decode(body(&encode(bytes)).as_bytes()).unwrap();
        assert_eq!(request.secret_binary.unwrap().bytes().len(), bytes);
    }
    let refused = decode::<PutSecretValueRequest>(body(&encode(65_537)).as_bytes()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::ValidationException);
    let padded_inside = format!("{}{}", encode(767), encode(3));
    for wrong in ["a", "ab", "ab=", "a===", "ab!=", "ab\\n=", "AP9=", &padded_inside] {
        let refused = decode::<PutSecretValueRequest>(body(wrong).as_bytes()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::SerializationException, "{wrong:.20}");
    }
}
