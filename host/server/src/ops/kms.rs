//! AWS KMS: one function per operation.

mod alias;
mod cryptography;
mod data_key;
mod key;
mod mac;
mod page;
mod policy;
mod rotation;
mod tag;

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::kms::{Operation, refusal};

use super::{Body, encode, told};
use crate::host::Host;
use crate::identity::Caller;

/// Does what the operation names.
///
/// # Errors
/// What AWS KMS would answer.
pub(super) async fn perform(
    host: &Host,
    caller: &Caller,
    operation: Operation,
    body: &[u8],
) -> Result<Body, ApiError> {
    match dispatch(host, caller, operation, body).await {
        // The same fault has another name here.
        Err(error) if error.code == ErrorCode::InternalServiceError => Err(refusal::internal()),
        done => done,
    }
}

async fn dispatch(host: &Host, caller: &Caller, operation: Operation, body: &[u8]) -> Result<Body, ApiError> {
    macro_rules! op {
        ($function:path) => {{
            let request = pawl_api::decode(body)?;
            let answer = $function(host, caller, request).await;
            encode(answer.map_err(|error| told(caller, operation.name(), error))?)
        }};
    }
    match operation {
        Operation::CancelKeyDeletion => op!(key::cancel_key_deletion),
        Operation::CreateAlias => op!(alias::create_alias),
        Operation::CreateKey => op!(key::create_key),
        Operation::Decrypt => op!(cryptography::decrypt),
        Operation::DeleteAlias => op!(alias::delete_alias),
        Operation::DescribeKey => op!(key::describe_key),
        Operation::DisableKey => op!(key::disable_key),
        Operation::DisableKeyRotation => op!(rotation::disable_key_rotation),
        Operation::EnableKey => op!(key::enable_key),
        Operation::EnableKeyRotation => op!(rotation::enable_key_rotation),
        Operation::Encrypt => op!(cryptography::encrypt),
        Operation::GenerateDataKey => op!(data_key::generate_data_key),
        Operation::GenerateDataKeyWithoutPlaintext => op!(data_key::generate_data_key_without_plaintext),
        Operation::GenerateMac => op!(mac::generate_mac),
        Operation::GenerateRandom => op!(data_key::generate_random),
        Operation::GetKeyPolicy => op!(policy::get_key_policy),
        Operation::GetKeyRotationStatus => op!(rotation::get_key_rotation_status),
        Operation::ListAliases => op!(alias::list_aliases),
        Operation::ListKeyPolicies => op!(policy::list_key_policies),
        Operation::ListKeyRotations => op!(rotation::list_key_rotations),
        Operation::ListKeys => op!(key::list_keys),
        Operation::ListResourceTags => op!(tag::list_resource_tags),
        Operation::PutKeyPolicy => op!(policy::put_key_policy),
        Operation::ReEncrypt => op!(cryptography::re_encrypt),
        Operation::RotateKeyOnDemand => op!(rotation::rotate_key_on_demand),
        Operation::ScheduleKeyDeletion => op!(key::schedule_key_deletion),
        Operation::TagResource => op!(tag::tag_resource),
        Operation::UntagResource => op!(tag::untag_resource),
        Operation::UpdateAlias => op!(alias::update_alias),
        Operation::UpdateKeyDescription => op!(key::update_key_description),
        Operation::VerifyMac => op!(mac::verify_mac),
    }
}
