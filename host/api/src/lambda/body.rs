//! How a request's JSON body becomes a shape: every member that Lambda has is either used, or known to change nothing, or refused.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde_json::Value;

use crate::error::{ApiError, ErrorCode};
use crate::model;

/// The bytes of an uploaded package.
#[derive(Clone, PartialEq, Eq)]
pub struct Package(pub Vec<u8>);

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Package({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Package {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Package;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64 text")
            }

            // Borrowed where it can be: it may be large.
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Package, E> {
                STANDARD.decode(text).map(Package).map_err(|_| E::custom("a package is base64"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Members that a shape does not name.
pub type Rest = BTreeMap<String, Value>;

/// A shape that an operation takes from its body.
pub trait Shape: DeserializeOwned {
    /// Members that came, and that the shape has no place for.
    fn rest(&self) -> &Rest;
}

/// The shape that a request's body holds.
///
/// # Errors
/// `InvalidRequestContentException` for what is no such JSON, and `InvalidParameterValueException` for a member that Pawl does
/// not take, and that would have meant something.
pub fn decode<S: Shape>(body: &[u8]) -> Result<S, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    // Serde's own message may quote the body.
    let shape: S = serde_json::from_slice(body).map_err(|error| {
        let told = model::not_json(&error);
        ApiError::new(ErrorCode::InvalidRequestContentException, told.message)
    })?;
    admit(shape.rest())?;
    Ok(shape)
}

/// Looks at members that a shape has no place for.
///
/// # Errors
/// `InvalidParameterValueException` for each that would have meant something, with what there is instead.
pub fn admit(rest: &Rest) -> Result<(), ApiError> {
    let refused: Vec<String> = rest
        .iter()
        .filter(|(name, value)| !changes_nothing(name, value))
        .map(|(name, _)| {
            let word = REFUSED.iter().find(|(of, _)| of == name).map(|(_, why)| *why);
            format!(
                "{name}: {}",
                word.unwrap_or("Pawl does not know this member, and does not act as if it did")
            )
        })
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::InvalidParameterValueException, refused.join("; ")))
}

/// What Lambda has and Pawl has not, and what there is instead.
const REFUSED: &[(&str, &str)] = &[
    ("CapacityProviderConfig", "functions run on the hosts that serve the store"),
    (
        "CodeSigningConfigArn",
        "Pawl has no code signing; an operator approves what code may reach, by `pawl function approve`",
    ),
    (
        "DeadLetterConfig",
        "Pawl has no dead letters; what became of a rotation is told by `pawl rotate history`",
    ),
    ("DurableConfig", "Pawl has no durable executions; rotations are durable by themselves"),
    ("FileSystemConfigs", "a function has no file system"),
    ("FunctionUrlAuthType", "Pawl has no function URLs; functions are run by rotations and by Invoke"),
    (
        "ImageConfig",
        "Pawl takes no container images; upload a WebAssembly component, in a zip or as it is, as ZipFile",
    ),
    (
        "ImageUri",
        "Pawl takes no container images; upload a WebAssembly component, in a zip or as it is, as ZipFile",
    ),
    ("InvokedViaFunctionUrl", "Pawl has no function URLs; functions are run by rotations and by Invoke"),
    ("KMSKeyArn", "a function's environment is not encrypted with a key of its own; keep secrets in secrets"),
    ("Layers", "Pawl has no layers; a function is one component, with everything in it"),
    ("LoggingConfig", "a function's log is kept with the rotation that it ran for"),
    ("PackageType", "Pawl takes packages of the type Zip: a WebAssembly component, in a zip or as it is"),
    ("PublishTo", "versions have numbers; there is no $LATEST.PUBLISHED"),
    (
        "S3Bucket",
        "Pawl reads no code from S3; upload a WebAssembly component, in a zip or as it is, as ZipFile",
    ),
    ("S3Key", "Pawl reads no code from S3; upload a WebAssembly component, in a zip or as it is, as ZipFile"),
    (
        "S3ObjectVersion",
        "Pawl reads no code from S3; upload a WebAssembly component, in a zip or as it is, as ZipFile",
    ),
    ("SnapStart", "functions start in microseconds without snapshots"),
    ("SourceKMSKeyArn", "code is not encrypted with a key of its own"),
    ("TenancyConfig", "every invocation has a new instance, so there are no tenants to keep apart"),
    (
        "TracingConfig",
        "the mode is PassThrough; traces of what functions do are sent by the host's own `--otlp-endpoint`",
    ),
    (
        "VpcConfig",
        "a function has no network of its own; what it may reach is asked for in its manifest and approved by \
         `pawl function approve`",
    ),
    ("EphemeralStorage", "a function has no file system; the size that is taken, and not used, is 512"),
    ("Architectures", "a component runs on every architecture; name x86_64 or arm64, or leave it out"),
];

/// Whether AWS means the same by a member as without it, and Pawl does too.
fn changes_nothing(name: &str, value: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(on) => !on,
        Value::Number(_) => false,
    };
    let is = |member: &str, text: &str| value.get(member).and_then(Value::as_str) == Some(text);
    if empty(value) {
        return true;
    }
    match name {
        "PackageType" => value == "Zip",
        "TracingConfig" => is("Mode", "PassThrough"),
        "EphemeralStorage" => value.get("Size") == Some(&Value::from(512)),
        "SnapStart" => is("ApplyOn", "None"),
        "Architectures" => {
            value.as_array().is_some_and(|all| all.iter().all(|one| one == "x86_64" || one == "arm64"))
        }
        // Terraform says these when it has nothing to say.
        "VpcConfig" => value.as_object().is_some_and(|all| all.values().all(empty)),
        "DeadLetterConfig" => value.as_object().is_some_and(|all| all.values().all(empty)),
        "LoggingConfig" => value.as_object().is_some_and(|all| {
            all.iter().all(|(name, value)| {
                empty(value) || name == "LogGroup" || (name == "LogFormat" && value == "Text")
            })
        }),
        _ => false,
    }
}

/// Declares shapes that are read from a body, spelt in Pascal case there. Every member may be missing.
macro_rules! bodies {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $member:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Default, ::serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $name {
            $(
                #[doc = concat!("The member `", stringify!($member), "`, if there is one.")]
                $(#[$fmeta])*
                #[serde(default)]
                pub $member: Option<$type>,
            )*
            /// Every other member.
            #[serde(flatten)]
            pub rest: $crate::lambda::body::Rest,
        }

        impl $crate::lambda::body::Shape for $name {
            fn rest(&self) -> &$crate::lambda::body::Rest {
                &self.rest
            }
        }
    )*};
}
pub(super) use bodies;

#[cfg(test)]
mod tests {
    use super::super::shapes::UpdateFunctionCodeRequest as Sample;
    use super::*;

    fn refused(body: &str) -> ApiError {
        decode::<Sample>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_changes_nothing_is_taken_and_what_would_is_refused_by_name() {
        let taken = r#"{"RevisionId":"n","ZipFile":"AAEC","Architectures":["arm64"],"PackageType":"Zip","Layers":[],
            "TracingConfig":{"Mode":"PassThrough"},"EphemeralStorage":{"Size":512},"VpcConfig":{"SubnetIds":[],
            "SecurityGroupIds":[],"Ipv6AllowedForDualStack":false},"DeadLetterConfig":{"TargetArn":""},"KMSKeyArn":"",
            "SnapStart":{"ApplyOn":"None"},"LoggingConfig":{"LogFormat":"Text"},"PublishTo":null}"#;
        let shape: Sample = decode(taken.as_bytes()).unwrap();
        assert_eq!(shape.revision_id.as_deref(), Some("n"));
        assert_eq!(shape.zip_file, Some(Package(vec![0, 1, 2])));
        for member in [
            r#""VpcConfig":{"SubnetIds":["subnet-1"]}"#,
            r#""PackageType":"Image""#,
            r#""Layers":["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]"#,
            r#""DeadLetterConfig":{"TargetArn":"arn:aws:sqs:us-east-1:000000000000:q"}"#,
            r#""TracingConfig":{"Mode":"Active"}"#,
            r#""EphemeralStorage":{"Size":1024}"#,
            r#""S3Bucket":"b""#,
            r#""KMSKeyArn":"arn:aws:kms:us-east-1:000000000000:key/k""#,
            r#""SnapStart":{"ApplyOn":"PublishedVersions"}"#,
            r#""LoggingConfig":{"LogFormat":"JSON"}"#,
            r#""Novelty":1"#,
        ] {
            let name = member.split('"').nth(1).unwrap();
            let error = refused(&format!("{{{member}}}"));
            assert_eq!(error.code, ErrorCode::InvalidParameterValueException, "{member}");
            assert!(error.message.starts_with(&format!("{name}: ")), "{}", error.message);
        }
    }

    #[test]
    fn what_is_no_body_is_refused_without_being_quoted() {
        for body in [
            r#"{"ZipFile":"secret!"}"#,
            "[]",
            "{",
            r#"{"RevisionId":1}"#,
            r#"{"RevisionId":"a","RevisionId":"b"}"#,
        ] {
            let error = refused(body);
            assert_eq!(error.code, ErrorCode::InvalidRequestContentException, "{body}");
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
        assert!(decode::<Sample>(b"").unwrap().revision_id.is_none());
    }
}
