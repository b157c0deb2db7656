//! Message authentication codes.

use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{GenerateMacRequest, GenerateMacResponse, VerifyMacRequest, VerifyMacResponse};
use pawl_core::key::{Key, KeyUsage};

use super::cryptography::{blob, required};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// The only algorithm of the HMAC keys that are served.
pub(super) const ALGORITHM: &str = "HMAC_SHA_256";

/// `TrentService.GenerateMac`
pub(super) async fn generate_mac(
    host: &Host,
    caller: &Caller,
    input: GenerateMacRequest,
) -> Answer<GenerateMacRequest> {
    let message = required(input.message, "message")?;
    let held = host.app.read_key(caller, "kms:GenerateMac", &input.key_id).await?;
    must_sign(&held.key, "GenerateMac", &input.mac_algorithm)?;
    if input.dry_run == Some(true) {
        return Err(AppError::Api(refusal::dry_run()));
    }
    let mac = held.unlocked.mac(message.bytes().expose());
    Ok(GenerateMacResponse {
        mac_algorithm: ALGORITHM.to_owned(),
        key_id: held.key.arn.to_string(),
        mac: mac.map(|mac| blob(mac.to_vec())),
    })
}

/// `TrentService.VerifyMac`
pub(super) async fn verify_mac(
    host: &Host,
    caller: &Caller,
    input: VerifyMacRequest,
) -> Answer<VerifyMacRequest> {
    let (message, mac) = (required(input.message, "message")?, required(input.mac, "mac")?);
    let held = host.app.read_key(caller, "kms:VerifyMac", &input.key_id).await?;
    must_sign(&held.key, "VerifyMac", &input.mac_algorithm)?;
    if !held.unlocked.is_mac(message.bytes().expose(), mac.bytes().expose()) {
        return Err(AppError::Api(refusal::invalid_mac()));
    }
    if input.dry_run == Some(true) {
        return Err(AppError::Api(refusal::dry_run()));
    }
    Ok(VerifyMacResponse {
        key_id: held.key.arn.to_string(),
        mac_valid: true,
        mac_algorithm: ALGORITHM.to_owned(),
    })
}

fn must_sign(key: &Key, operation: &'static str, algorithm: &str) -> Result<(), AppError> {
    key.must_be_enabled()?;
    key.must_be_for(KeyUsage::GenerateVerifyMac, operation)?;
    if algorithm == ALGORITHM { Ok(()) } else { Err(AppError::Api(refusal::algorithm(algorithm, &key.arn))) }
}
