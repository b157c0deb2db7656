//! Data keys and random bytes.

use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{
    Context, GenerateDataKeyRequest, GenerateDataKeyResponse, GenerateDataKeyWithoutPlaintextRequest,
    GenerateRandomRequest, GenerateRandomResponse,
};
use pawl_core::value::SecretBytes;

use super::cryptography::{blob, context, current_material, must_encrypt};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// `TrentService.GenerateDataKey`
pub(super) async fn generate_data_key(
    host: &Host,
    caller: &Caller,
    input: GenerateDataKeyRequest,
) -> Answer<GenerateDataKeyRequest> {
    if input.recipient.is_some() {
        return Err(AppError::Api(refusal::not_served("Enclaves")));
    }
    let wanted = Wanted {
        action: "kms:GenerateDataKey",
        operation: "GenerateDataKey",
        key_id: &input.key_id,
        bytes: length(input.number_of_bytes, input.key_spec.as_deref())?,
        context: input.encryption_context,
        dry_run: input.dry_run == Some(true),
    };
    let (answer, data_key) = wanted.generate(host, caller).await?;
    Ok(GenerateDataKeyResponse { plaintext: Some(data_key.into()), ..answer })
}

/// `TrentService.GenerateDataKeyWithoutPlaintext`
pub(super) async fn generate_data_key_without_plaintext(
    host: &Host,
    caller: &Caller,
    input: GenerateDataKeyWithoutPlaintextRequest,
) -> Answer<GenerateDataKeyWithoutPlaintextRequest> {
    let wanted = Wanted {
        action: "kms:GenerateDataKeyWithoutPlaintext",
        operation: "GenerateDataKeyWithoutPlaintext",
        key_id: &input.key_id,
        bytes: length(input.number_of_bytes, input.key_spec.as_deref())?,
        context: input.encryption_context,
        dry_run: input.dry_run == Some(true),
    };
    let (answer, _) = wanted.generate(host, caller).await?;
    Ok(answer)
}

/// A data key that is to be made.
struct Wanted<'a> {
    action: &'static str,
    operation: &'static str,
    key_id: &'a str,
    bytes: usize,
    context: Option<Context>,
    dry_run: bool,
}

impl Wanted<'_> {
    async fn generate(
        self,
        host: &Host,
        caller: &Caller,
    ) -> Result<(GenerateDataKeyResponse, SecretBytes), AppError> {
        let context = context(self.context);
        let held = host.app.read_key_in(caller, self.action, self.key_id, Some(&context)).await?;
        must_encrypt(&held.key, self.operation, None)?;
        if self.dry_run {
            return Err(AppError::Api(refusal::dry_run()));
        }
        let data_key = random(host, self.bytes);
        let rng = &**host.app.rng();
        let ciphertext = held.unlocked.encrypt(&context, data_key.expose(), rng)?;
        let answer = GenerateDataKeyResponse {
            key_id: held.key.arn.to_string(),
            ciphertext_blob: Some(blob(ciphertext)),
            plaintext: None,
            key_material_id: current_material(&held.key),
        };
        Ok((answer, data_key))
    }
}

/// Bytes of a data key, by either way to say it.
fn length(number: Option<i64>, spec: Option<&str>) -> Result<usize, AppError> {
    let unclear = || AppError::Api(refusal::data_key_size());
    match (number, spec) {
        (Some(number), None) => usize::try_from(number).map_err(|_| unclear()),
        (None, Some("AES_256")) => Ok(32),
        (None, Some("AES_128")) => Ok(16),
        _ => Err(unclear()),
    }
}

/// `TrentService.GenerateRandom`
pub(super) async fn generate_random(
    host: &Host,
    caller: &Caller,
    input: GenerateRandomRequest,
) -> Answer<GenerateRandomRequest> {
    host.app.may_with_keys(caller, "kms:GenerateRandom")?;
    if let Some(id) = &input.custom_key_store_id {
        return Err(AppError::Api(refusal::no_key_store(id)));
    }
    if input.recipient.is_some() {
        return Err(AppError::Api(refusal::not_served("Enclaves")));
    }
    let number = input.number_of_bytes.and_then(|number| usize::try_from(number).ok());
    let number = number.ok_or_else(|| AppError::Api(refusal::missing("numberOfBytes")))?;
    Ok(GenerateRandomResponse { plaintext: Some(random(host, number).into()) })
}

fn random(host: &Host, bytes: usize) -> SecretBytes {
    let mut made = vec![0; bytes];
    host.app.rng().fill(&mut made);
    SecretBytes::new(made)
}
