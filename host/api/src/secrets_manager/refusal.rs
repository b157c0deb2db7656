//! What AWS Secrets Manager says when it refuses, word for word.

use std::fmt::Display;

use crate::error::ApiError;
use crate::error::ErrorCode::{
    AccessDeniedException, InvalidNextTokenException, InvalidParameterException, InvalidRequestException,
    LimitExceededException, MalformedPolicyDocumentException, ResourceExistsException,
    ResourceNotFoundException, ValidationException,
};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident($($parameter:ident),*) = $code:ident, $text:literal;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name($($parameter: impl Display),*) -> ApiError {
            ApiError::new($code, format!($text))
        }
    )*};
}

refusals! {
    /// A name outside of the alphabet, in any call that takes one. Precedes the question whether there is such a secret.
    invalid_name() = ValidationException,
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
    /// No such secret.
    secret_not_found() = ResourceNotFoundException, "Secrets Manager can't find the specified secret.";
    /// No version with this label has a value.
    label_not_found(label) = ResourceNotFoundException,
        "Secrets Manager can't find the specified secret value for staging label: {label}";
    /// No version with this id has a value.
    version_not_found(version) = ResourceNotFoundException,
        "Secrets Manager can't find the specified secret value for VersionId: {version}";
    /// A label and a version were given, and the label is elsewhere.
    label_not_on_version() = InvalidRequestException,
        "You provided a VersionStage that is not associated to the provided VersionId.";
    /// Only Describe, List, Restore and Delete work on a secret that is scheduled for deletion.
    marked_for_deletion() = InvalidRequestException,
        "You can't perform this operation on the secret because it was marked for deletion.";
    /// Create, Update and Put without a token. Precedes the question whether there is such a secret.
    token_missing() = InvalidRequestException,
        "You must provide a ClientRequestToken value. We recommend a UUID-type value.";
    /// Rotate without a token: the same text under another code.
    token_missing_for_rotation() = InvalidParameterException,
        "You must provide a ClientRequestToken value. We recommend a UUID-type value.";
    /// Create with a name that is taken.
    name_taken(name) = ResourceExistsException,
        "The operation failed because the secret {name} already exists.";
    /// Create with the name of a secret that is scheduled for deletion.
    name_scheduled_for_deletion() = InvalidRequestException,
        "You can't create this secret because a secret with this name is already scheduled for deletion.";
    /// The token belongs to a version with another value.
    token_in_use(token, arn) = ResourceExistsException,
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}.";
    /// A string and a binary value at once.
    text_and_binary() = InvalidParameterException,
        "You can't specify both a binary secret value and a string secret value in the same secret.";
    /// Put without any value.
    value_missing() = InvalidRequestException,
        "You must provide either SecretString or SecretBinary.";
    /// AWSCURRENT, or any label, is to move away from a version that the request does not name.
    remove_from_missing(label, version) = InvalidParameterException,
        "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version \
         {version}, so you must explicitly reference that version in RemoveFromVersionId.";
    /// A deletion window outside of 7 to 30 days.
    recovery_window() = InvalidParameterException,
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
    /// A deletion window and a deletion at once.
    window_and_force() = InvalidParameterException,
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
    /// Rotate for the first time without a function.
    function_missing() = InvalidRequestException,
        "No Lambda rotation function ARN is associated with this secret.";
    /// CancelRotateSecret where rotation was never configured: what its reference gives for InvalidRequestException.
    rotation_never_configured() = InvalidRequestException,
        "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured and you didn't \
         include such an ARN as a parameter in this call.";
    /// The function does not exist, or may not be used.
    function_not_invocable() = AccessDeniedException,
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to \
         the principal secretsmanager.amazonaws.com.";
    /// Rotate while AWSPENDING is on a version other than AWSCURRENT's.
    rotation_incomplete() = InvalidRequestException,
        "A previous rotation isn't complete. That rotation will be reattempted.";
    /// A filter without a key.
    filter_key() = InvalidParameterException, "Invalid filter key";
    /// A filter without values.
    filter_values(key) = InvalidParameterException, "Invalid filter values for key: {key}";
    /// Members that are for the secrets of AWS's partners.
    external_rotation() = InvalidParameterException,
        "ExternalSecretRotationMetadata and ExternalSecretRotationRoleArn are only for secrets that are managed by an \
         external service.";
    /// A replica in another account.
    cross_account() = InvalidRequestException,
        "This host serves one account, so no secret of it can have a replica, or a primary, in another account.";
    /// A page's token that this server did not give.
    next_token() = InvalidNextTokenException, "The NextToken value is invalid.";
    /// More tags than a secret may have.
    too_many_tags(most) = LimitExceededException, "A secret can have at most {most} tags.";
    /// More labels than a version may have.
    too_many_labels(most) = LimitExceededException, "A version can have at most {most} staging labels.";
    /// A tag whose key AWS keeps for itself.
    reserved_tag() = InvalidParameterException,
        "Tag keys that begin with aws: are reserved for AWS's own use.";
    /// One tag key twice in a request.
    tag_twice() = InvalidParameterException, "A tag key can be given only once in a request.";
    /// A resource policy that is no policy.
    policy_syntax() = MalformedPolicyDocumentException, "This resource policy contains a syntax error.";
    /// A value that another account may not read, for it is sealed under the account's default key.
    default_key_elsewhere() = InvalidRequestException,
        "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service \
         key.";
    /// More regions than a secret can be replicated to.
    too_many_regions(most) = InvalidParameterException, "A secret can be replicated to at most {most} regions.";
    /// A write to a replica.
    replica() = InvalidParameterException,
        "Operation not permitted on a replica secret. Call must be made in primary secret's region.";
    /// A deletion of a secret with replicas in `regions`, separated by commas.
    has_replicas(arn, regions) = InvalidParameterException,
        "You can't delete secret {arn} that still has replica regions [{regions}].";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_aws_own() {
        assert_eq!(
            remove_from_missing("AWSCURRENT", "v1").message,
            "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to \
             version v1, so you must explicitly reference that version in RemoveFromVersionId."
        );
        assert_eq!(
            token_in_use("t", "a").message,
            "You can't use ClientRequestToken t because that value is already in use for a version of secret a."
        );
        assert_eq!(
            function_not_invocable().message,
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants \
             access to the principal secretsmanager.amazonaws.com."
        );
        assert_eq!(token_missing().code, InvalidRequestException);
        assert_eq!(token_missing_for_rotation().code, InvalidParameterException);
        assert_eq!(token_missing().message, token_missing_for_rotation().message);
    }
}
