//! What AWS KMS says when it refuses, in its words where they are known.

use std::fmt::Display;

use crate::error::ApiError;
use crate::error::ErrorCode::{
    AccessDeniedException, AlreadyExistsException, CustomKeyStoreNotFoundException, DryRunOperationException,
    IncorrectKeyException, InvalidCiphertextException, InvalidMarkerException, KMSInternalException,
    KMSInvalidMacException, LimitExceededException, MalformedPolicyDocumentException, NotAuthorizedException,
    NotFoundException, TagException, UnsupportedOperationException, ValidationException,
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
    /// No such key.
    key_not_found(arn) = NotFoundException, "Key '{arn}' does not exist";
    /// No such alias.
    alias_not_found(arn) = NotFoundException, "Alias {arn} is not found.";
    /// The alias is taken.
    alias_taken(arn) = AlreadyExistsException, "An alias with the name {arn} already exists";
    /// An alias of services' own keys.
    alias_reserved() = NotAuthorizedException,
        "Aliases that begin with \"alias/aws/\" are for the keys of services; choose another name.";
    /// An alias moves between keys of one kind only.
    alias_to_other_usage(alias) = ValidationException,
        "Alias {alias} cannot be changed from a key to one with a different key usage.";
    /// More aliases of one key than there may be.
    too_many_aliases(arn, most) = LimitExceededException, "{arn} has {most} aliases, which is as many as there may be.";
    /// Bytes that no key has encrypted, another context, a bit that was changed: AWS says no more than this.
    invalid_ciphertext() = InvalidCiphertextException, "";
    /// The key that encrypted it is not here.
    key_of_ciphertext() = AccessDeniedException,
        "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not \
         allowed to access.";
    /// The key that the caller names did not encrypt it.
    incorrect_key() = IncorrectKeyException,
        "The key ID in the request does not identify a CMK that can perform this operation.";
    /// The code is not the message's.
    invalid_mac() = KMSInvalidMacException, "";
    /// It would have been done.
    dry_run() = DryRunOperationException, "The request would have succeeded, but the DryRun option is set.";
    /// A page's marker that this server did not give, not for this list, or too long ago.
    invalid_marker() = InvalidMarkerException, "The marker is not one that this list gave.";
    /// A policy that is no policy.
    malformed_policy(why) = MalformedPolicyDocumentException, "The new key policy is not valid: {why}";
    /// A policy that is longer than a key's may be.
    policy_too_long(most) = LimitExceededException, "A key policy can have at most {most} characters.";
    /// A policy after which nobody could change it.
    lockout() = MalformedPolicyDocumentException,
        "The new key policy will not allow you to update the key policy in the future.";
    /// A key has one policy, and that is its name.
    no_such_policy() = NotFoundException, "No such policy exists";
    /// A name for a policy that is not `default`.
    policy_name() = ValidationException, "The only valid PolicyName is default.";
    /// A tag that is given twice.
    tag_twice(key) = TagException, "Duplicate tag keys: {key}";
    /// A tag whose key is for AWS.
    reserved_tag() = TagException, "Tag keys must not begin with \"aws:\", which is reserved.";
    /// Both names of one member, with two values.
    two_key_specs() = ValidationException, "You cannot specify KeySpec and CustomerMasterKeySpec in the same request.";
    /// An HMAC key without its usage.
    usage_missing() = ValidationException,
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.";
    /// A usage that keys of this spec do not have.
    usage_of_spec(usage, spec) = ValidationException, "KeyUsage {usage} is not compatible with KeySpec {spec}";
    /// A kind of key that is not served.
    spec_not_served(spec) = UnsupportedOperationException,
        "Keys of KeySpec {spec} are not supported; SYMMETRIC_DEFAULT and HMAC_256 are.";
    /// A member that asks for what is not there.
    not_served(what) = UnsupportedOperationException, "{what} are not supported.";
    /// There are no key stores.
    no_key_store(id) = CustomKeyStoreNotFoundException, "There is no custom key store {id}; none are supported.";
    /// Neither a length nor a spec, or both.
    data_key_size() = ValidationException, "Please specify either number of bytes or key spec.";
    /// An algorithm that the key does not have.
    algorithm(algorithm, arn) = ValidationException, "Algorithm {algorithm} is incompatible with key {arn}.";
    /// A member that must be there.
    missing(member) = ValidationException,
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null";
    /// A page that is longer than this list gives.
    page_too_long(most) = ValidationException,
        "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal \
         to {most}";
    /// What nobody may do with a service's own key.
    service_key(principal, action, arn) = AccessDeniedException,
        "User: {principal} is not authorized to perform: {action} on resource: {arn} because no resource-based policy allows the \
         {action} action";
    /// The server's own fault. What went wrong is in its log.
    internal() = KMSInternalException, "An internal error occurred in the service.";
}
