//! Passwords by rules.

use pawl_api::error::ErrorCode;
use pawl_api::secrets_manager::shapes::{GetRandomPasswordRequest, GetRandomPasswordResponse};
use pawl_api::sensitive::SecretText;
use pawl_core::limits;
use pawl_core::password::{PasswordRules, generate};

use super::Answer;
use crate::app::Action;
use crate::error::refuse;
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.GetRandomPassword`
pub(super) async fn get_random_password(
    host: &Host,
    caller: &Caller,
    input: GetRandomPasswordRequest,
) -> Answer<GetRandomPasswordRequest> {
    host.app.allow(caller, Action::GetRandomPassword)?;
    let rules = PasswordRules {
        length: input
            .password_length
            .and_then(|length| u32::try_from(length).ok())
            .unwrap_or(limits::PASSWORD_CHARS_DEFAULT),
        exclude_characters: input.exclude_characters.unwrap_or_default(),
        exclude_numbers: input.exclude_numbers.unwrap_or(false),
        exclude_punctuation: input.exclude_punctuation.unwrap_or(false),
        exclude_uppercase: input.exclude_uppercase.unwrap_or(false),
        exclude_lowercase: input.exclude_lowercase.unwrap_or(false),
        include_space: input.include_space.unwrap_or(false),
        require_each_included_type: input.require_each_included_type.unwrap_or(true),
    };
    let password = generate(&rules, &**host.app.rng())
        .map_err(|error| refuse(ErrorCode::InvalidParameterException, error.to_string()))?;
    Ok(GetRandomPasswordResponse { random_password: Some(SecretText::from(password)) })
}
