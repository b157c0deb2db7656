//! A root key that AWS KMS, or what speaks its protocol, has made and wrapped: `GenerateDataKey` for a new one, `Decrypt` for one
//! that is there. The wrapped key is in the store's key record; the encryption context says what it is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::value::SecretBytes;
use pawl_core::world::{Clock as _, Timestamp};
use pawl_iam::sigv4::{Head, sign};
use pawl_keyring::RootKey;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::remote::Remote;
use super::source::KmsKey;
use super::{AwsCredentials, ProviderError};
use crate::world::SystemClock;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKey {
    plaintext: String,
    #[serde(default)]
    ciphertext_blob: Option<String>,
    #[serde(default)]
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

/// A new root key, and the same wrapped.
pub(super) fn make(key: &KmsKey, credentials: &AwsCredentials) -> Result<(RootKey, String), ProviderError> {
    let body = json!({"KeyId": key.arn, "KeySpec": "AES_256", "EncryptionContext": context()});
    let made = call(key, credentials, "GenerateDataKey", &body)?;
    let wrapped = made.ciphertext_blob.as_ref().filter(|blob| !blob.is_empty());
    let wrapped = wrapped.ok_or(ProviderError::Unexpected("its answer holds no wrapped key"))?.clone();
    Ok((root(made)?, wrapped))
}

/// The root key that was wrapped.
pub(super) fn open(
    key: &KmsKey,
    credentials: &AwsCredentials,
    wrapped: &str,
) -> Result<RootKey, ProviderError> {
    let body = json!({"KeyId": key.arn, "CiphertextBlob": wrapped, "EncryptionContext": context()});
    let opened = call(key, credentials, "Decrypt", &body)?;
    // The key that was named, and no other: whoever answers must not choose.
    if opened.key_id.as_deref() != Some(key.arn.as_str()) {
        return Err(ProviderError::Unexpected("it decrypted with another key than the one that was named"));
    }
    root(opened)
}

fn context() -> serde_json::Value {
    json!({"pawl": "root key"})
}

fn root(key: DataKey) -> Result<RootKey, ProviderError> {
    let text = Zeroizing::new(key.plaintext);
    let bytes = STANDARD.decode(text.as_bytes()).ok().map(SecretBytes::new);
    bytes.and_then(RootKey::from_bytes).ok_or(ProviderError::Unexpected("its key does not have 32 bytes"))
}

fn call(
    key: &KmsKey,
    credentials: &AwsCredentials,
    operation: &str,
    body: &serde_json::Value,
) -> Result<DataKey, ProviderError> {
    let remote = Remote::new(&key.endpoint, key.ca.as_ref())?;
    let body = Zeroizing::new(body.to_string().into_bytes());
    let headers = signed(&remote, key, credentials, operation, &body, SystemClock::default().wall());
    let answer = remote.post("/", &headers, &body)?;
    if answer.status == 200 {
        return answer.json();
    }
    let refusal: Refusal = answer.json().unwrap_or(Refusal { code: String::new(), message: String::new() });
    let code = refusal.code.rsplit('#').next().unwrap_or_default().to_owned();
    let why = format!("{} {code}: {}", answer.status, refusal.message);
    let passing = answer.status >= 500
        || matches!(
            code.as_str(),
            "ThrottlingException" | "KMSInternalException" | "DependencyTimeoutException"
        );
    Err(if passing { ProviderError::Unreachable(why) } else { ProviderError::Refused(why) })
}

fn signed(
    remote: &Remote,
    key: &KmsKey,
    credentials: &AwsCredentials,
    operation: &str,
    body: &[u8],
    at: Timestamp,
) -> Vec<(String, String)> {
    let target = format!("TrentService.{operation}");
    let token = credentials.token.as_ref().and_then(|token| std::str::from_utf8(token.expose()).ok());
    let token = token.unwrap_or_default();
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("host", remote.authority().as_bytes()),
        ("content-type", CONTENT_TYPE.as_bytes()),
        ("x-amz-target", target.as_bytes()),
    ];
    if !token.is_empty() {
        headers.push(("x-amz-security-token", token.as_bytes()));
    }
    let head = Head { method: "POST", path: "/", query: "", headers: &headers };
    let mut all = sign(&head, body, &credentials.id, &credentials.secret, &key.region, "kms", at);
    all.push(("content-type".to_owned(), CONTENT_TYPE.to_owned()));
    all.push(("x-amz-target".to_owned(), target));
    if !token.is_empty() {
        all.push(("x-amz-security-token".to_owned(), token.to_owned()));
    }
    all
}
