//! A root key that the transit engine of OpenBao or Vault has made and wrapped: `datakey/plaintext` for a new one, `decrypt` for
//! one that is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::value::SecretBytes;
use pawl_keyring::RootKey;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::ProviderError;
use super::remote::Remote;
use super::source::TransitKey;

#[derive(Deserialize)]
struct Envelope {
    data: DataKey,
}

#[derive(Deserialize)]
struct DataKey {
    plaintext: String,
    #[serde(default)]
    ciphertext: Option<String>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

/// A new root key, and the same wrapped.
pub(super) fn make(key: &TransitKey, token: &SecretBytes) -> Result<(RootKey, String), ProviderError> {
    let made = call(key, token, "datakey/plaintext", &json!({"bits": 256}))?;
    let wrapped = made.ciphertext.as_ref().filter(|text| text.starts_with("vault:"));
    let wrapped = wrapped.ok_or(ProviderError::Unexpected("its answer holds no wrapped key"))?.clone();
    Ok((root(made)?, wrapped))
}

/// The root key that was wrapped.
pub(super) fn open(key: &TransitKey, token: &SecretBytes, wrapped: &str) -> Result<RootKey, ProviderError> {
    root(call(key, token, "decrypt", &json!({"ciphertext": wrapped}))?)
}

fn root(key: DataKey) -> Result<RootKey, ProviderError> {
    let text = Zeroizing::new(key.plaintext);
    let bytes = STANDARD.decode(text.as_bytes()).ok().map(SecretBytes::new);
    bytes.and_then(RootKey::from_bytes).ok_or(ProviderError::Unexpected("its key does not have 32 bytes"))
}

fn call(
    key: &TransitKey,
    token: &SecretBytes,
    operation: &str,
    body: &serde_json::Value,
) -> Result<DataKey, ProviderError> {
    let remote = Remote::new(&key.url, key.ca.as_ref())?;
    let token = std::str::from_utf8(token.expose())
        .map_err(|_| ProviderError::Unexpected("the token is not text"))?;
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-vault-token".to_owned(), token.trim().to_owned()),
        // Asked for by agents that stand before the server.
        ("x-vault-request".to_owned(), "true".to_owned()),
    ];
    headers.extend(key.namespace.iter().map(|name| ("x-vault-namespace".to_owned(), name.clone())));
    let path = format!("/v1/{}/{operation}/{}", key.mount, key.key);
    let answer = remote.post(&path, &headers, body.to_string().as_bytes())?;
    if answer.status == 200 {
        return answer.json::<Envelope>().map(|envelope| envelope.data);
    }
    let refusal: Refusal = answer.json().unwrap_or_default();
    let why = format!("{} {}", answer.status, refusal.errors.join("; "));
    // 503 is a sealed or standby server, 429 and 473 wait, 412 is a node that lags.
    let passing = answer.status >= 500 || matches!(answer.status, 412 | 429 | 472 | 473);
    Err(if passing { ProviderError::Unreachable(why) } else { ProviderError::Refused(why) })
}
