//! Encrypting and decrypting.

use std::sync::Arc;

use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{
    Context, DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, ReEncryptRequest,
    ReEncryptResponse,
};
use pawl_api::sensitive::SecretBlob;
use pawl_core::key::{EncryptionContext, Key, KeyUsage};
use pawl_core::value::SecretBytes;
use pawl_keyring::Ciphertext;

use crate::app::HeldKey;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// The only algorithm of symmetric keys.
pub(super) const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

/// `TrentService.Encrypt`
pub(super) async fn encrypt(host: &Host, caller: &Caller, input: EncryptRequest) -> Answer<EncryptRequest> {
    let plaintext = required(input.plaintext, "plaintext")?;
    let context = context(input.encryption_context);
    let held = host.app.read_key_in(caller, "kms:Encrypt", &input.key_id, Some(&context)).await?;
    must_encrypt(&held.key, "Encrypt", input.encryption_algorithm.as_deref())?;
    if input.dry_run == Some(true) {
        return Err(AppError::Api(refusal::dry_run()));
    }
    let ciphertext = held.unlocked.encrypt(&context, plaintext.bytes().expose(), &**host.app.rng())?;
    Ok(EncryptResponse {
        key_id: held.key.arn.to_string(),
        encryption_algorithm: ALGORITHM.to_owned(),
        ciphertext_blob: Some(blob(ciphertext)),
    })
}

/// `TrentService.Decrypt`
pub(super) async fn decrypt(host: &Host, caller: &Caller, input: DecryptRequest) -> Answer<DecryptRequest> {
    if input.recipient.is_some() {
        return Err(AppError::Api(refusal::not_served("Enclaves")));
    }
    let ciphertext = required(input.ciphertext_blob, "ciphertextBlob")?;
    let of = Source {
        caller,
        action: "kms:Decrypt",
        operation: "Decrypt",
        named: input.key_id.as_deref(),
        algorithm: input.encryption_algorithm.as_deref(),
        context: &context(input.encryption_context),
    };
    let opened = of.open(host, &ciphertext).await?;
    if input.dry_run == Some(true) {
        return Err(AppError::Api(refusal::dry_run()));
    }
    Ok(DecryptResponse {
        key_id: opened.held.key.arn.to_string(),
        encryption_algorithm: ALGORITHM.to_owned(),
        plaintext: Some(opened.plaintext.into()),
        key_material_id: opened.material_id,
    })
}

/// `TrentService.ReEncrypt`
pub(super) async fn re_encrypt(
    host: &Host,
    caller: &Caller,
    input: ReEncryptRequest,
) -> Answer<ReEncryptRequest> {
    let ciphertext = required(input.ciphertext_blob, "ciphertextBlob")?;
    let of = Source {
        caller,
        action: "kms:ReEncryptFrom",
        operation: "ReEncrypt",
        named: input.source_key_id.as_deref(),
        algorithm: input.source_encryption_algorithm.as_deref(),
        context: &context(input.source_encryption_context),
    };
    let opened = of.open(host, &ciphertext).await?;
    let context = context(input.destination_encryption_context);
    let named = &input.destination_key_id;
    let held = host.app.read_key_in(caller, "kms:ReEncryptTo", named, Some(&context)).await?;
    must_encrypt(&held.key, "ReEncrypt", input.destination_encryption_algorithm.as_deref())?;
    if input.dry_run == Some(true) {
        return Err(AppError::Api(refusal::dry_run()));
    }
    let ciphertext = held.unlocked.encrypt(&context, opened.plaintext.expose(), &**host.app.rng())?;
    Ok(ReEncryptResponse {
        source_key_id: opened.held.key.arn.to_string(),
        key_id: held.key.arn.to_string(),
        source_encryption_algorithm: ALGORITHM.to_owned(),
        destination_encryption_algorithm: ALGORITHM.to_owned(),
        ciphertext_blob: Some(blob(ciphertext)),
        source_key_material_id: opened.material_id,
        destination_key_material_id: current_material(&held.key),
    })
}

/// What is said of a ciphertext that is to be opened.
struct Source<'a> {
    caller: &'a Caller,
    action: &'static str,
    operation: &'static str,
    /// The key that the caller says it is under.
    named: Option<&'a str>,
    algorithm: Option<&'a str>,
    context: &'a EncryptionContext,
}

struct Opened {
    held: Arc<HeldKey>,
    plaintext: SecretBytes,
    material_id: Option<String>,
}

impl Source<'_> {
    async fn open(&self, host: &Host, ciphertext: &SecretBlob) -> Result<Opened, AppError> {
        let refused = || AppError::Api(refusal::invalid_ciphertext());
        let parsed = Ciphertext::parse(ciphertext.bytes().expose());
        // Whoever names a key that is not there hears that first.
        let named = match self.named {
            Some(named) => {
                Some(host.app.read_key_in(self.caller, self.action, named, Some(self.context)).await?)
            }
            None => None,
        };
        let parsed = parsed.map_err(|_| refused())?;
        let held = match named {
            Some(held) if held.key.id == parsed.key_id() => held,
            Some(_) => return Err(AppError::Api(refusal::incorrect_key())),
            None => match host
                .app
                .read_key_by_id_in(self.caller, self.action, parsed.key_id(), Some(self.context))
                .await
            {
                Ok(held) => held,
                // AWS does not say which of these it was.
                Err(AppError::Api(_)) => return Err(AppError::Api(refusal::key_of_ciphertext())),
                Err(error) => return Err(error),
            },
        };
        must_encrypt(&held.key, self.operation, self.algorithm)?;
        let plaintext = held.unlocked.decrypt(self.context, &parsed).map_err(|_| refused())?;
        let material_id = held.key.material(parsed.number()).map(|material| material.id.to_string());
        Ok(Opened { held, plaintext, material_id })
    }
}

/// Refuses a key that does not encrypt at the moment, or not so.
pub(super) fn must_encrypt(
    key: &Key,
    operation: &'static str,
    algorithm: Option<&str>,
) -> Result<(), AppError> {
    key.must_be_enabled()?;
    key.must_be_for(KeyUsage::EncryptDecrypt, operation)?;
    match algorithm {
        Some(algorithm) if algorithm != ALGORITHM => {
            Err(AppError::Api(refusal::algorithm(algorithm, &key.arn)))
        }
        _ => Ok(()),
    }
}

pub(super) fn context(pairs: Option<Context>) -> EncryptionContext {
    EncryptionContext::new(pairs.unwrap_or_default())
}

pub(super) fn current_material(key: &Key) -> Option<String> {
    key.current().map(|material| material.id.to_string())
}

/// Bytes that are no secret any more, or not yet.
pub(super) fn blob(bytes: Vec<u8>) -> SecretBlob {
    SecretBytes::new(bytes).into()
}

pub(super) fn required(given: Option<SecretBlob>, member: &'static str) -> Result<SecretBlob, AppError> {
    given.ok_or_else(|| AppError::Api(refusal::missing(member)))
}
