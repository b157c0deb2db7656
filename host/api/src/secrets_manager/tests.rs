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
    let body = br#"{"SecretId":"a","SecretString":"canary \"\u00e9\" {}","RotationToken":"canary"}"#;
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
        (br#"{"SecretId":"a","SecretId":"canary"}"#, ErrorCode::SerializationException),
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
fn the_models_limits_hold() {
    let refusal =
        |body: String| decode::<PutSecretValueRequest>(body.as_bytes()).map(|_| ()).map_err(|e| e.message);
    let long = "x".repeat(65_537);
    assert_eq!(
        refusal(format!(r#"{{"SecretId":"","ClientRequestToken":"short","SecretString":"{long}"}}"#))
            .unwrap_err(),
        "3 validation errors detected: \
         Value at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1; \
         Value at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal \
         to 32; \
         Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"
    );
    let longest = "x".repeat(65_536);
    assert_eq!(refusal(format!(r#"{{"SecretId":"a","SecretString":"{longest}"}}"#)), Ok(()));
    assert!(refusal(r#"{"SecretId":"a","VersionStages":[]}"#.to_owned()).is_err());

    for bad in [
        r#"{"MaxResults":0}"#,
        r#"{"MaxResults":101}"#,
        r#"{"SortOrder":"up"}"#,
        r#"{"SortBy":"size"}"#,
        r#"{"Filters":[{"Key":"name"}]}"#,
        r#"{"Filters":[{"Key":"owner","Values":["a"]}]}"#,
        r#"{"Filters":[{"Key":"name","Values":["a*"]}]}"#,
    ] {
        let refused = decode::<ListSecretsRequest>(bad.as_bytes()).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ValidationException, "{bad}");
    }
    assert!(
        decode::<ListSecretsRequest>(br#"{"Filters":[{"Key":"all","Values":["!a b/c"]}],"MaxResults":100}"#)
            .is_ok()
    );
    let bad = br#"{"SecretId":"a","RotationRules":{"AutomaticallyAfterDays":0}}"#;
    assert!(decode::<RotateSecretRequest>(bad).is_err());
    assert!(decode::<TagResourceRequest>(br#"{"SecretId":"a","Tags":[{"Value":"v"}]}"#).is_err());
}
