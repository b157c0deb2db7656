//! What AWS KMS's model, 2014-11-01, says of the requests that are served, as botocore 1.43 has it. `tests/it/kms.rs` compares it
//! with the model that is installed.

mod kind;

use pawl_core::limits;

use self::kind::{
    ALGORITHM, ALIAS_NAME, CIPHERTEXT, CONTEXT, DATA_KEY_SPEC, DRY_RUN, DRY_RUN_MODIFIERS, FLAG,
    GRANT_TOKENS, KEY_ID, KEY_REF, LIMIT, MAC_ALGORITHM, MARKER, MESSAGE, NUMBER_OF_BYTES, POLICY,
    POLICY_NAME, RECIPIENT, TAG_KEY, TAGS, integer, list, member, one_of, text,
};
use super::Operation;
use crate::model::{Kind, Length, Pattern, Structure, Text};

/// Declares operations' requests.
macro_rules! requests {
    ($($operation:ident [$($member:expr),* $(,)?])*) => {
        /// What the model says of an operation's request.
        #[must_use]
        pub const fn of(operation: Operation) -> &'static Structure {
            match operation {
                $(Operation::$operation => {
                    const REQUEST: &Structure = &Structure {
                        name: concat!(stringify!($operation), "Request"),
                        members: &[$($member),*],
                    };
                    REQUEST
                })*
            }
        }
    };
}

requests! {
    CancelKeyDeletion [KEY_ID]
    CreateAlias [ALIAS_NAME, member("TargetKeyId", KEY_REF).required()]
    CreateKey [
        POLICY,
        member("Description", text(0, limits::KEY_DESCRIPTION_CHARS_MAX)),
        member("KeyUsage", one_of(&["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"])),
        member("CustomerMasterKeySpec", one_of(kind::OLD_KEY_SPECS)),
        member("KeySpec", one_of(kind::KEY_SPECS)),
        member("Origin", one_of(&["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])),
        member("CustomKeyStoreId", text(1, limits::KEY_STORE_ID_CHARS_MAX)),
        member("BypassPolicyLockoutSafetyCheck", FLAG),
        TAGS,
        member("MultiRegion", FLAG),
        member("XksKeyId", Kind::Text(
            Text::of(Length::within(1, limits::EXTERNAL_KEY_ID_CHARS_MAX)).matching(&Pattern::EXTERNAL_KEY_ID),
        )),
    ]
    Decrypt [
        member("CiphertextBlob", CIPHERTEXT),
        member("EncryptionContext", CONTEXT),
        GRANT_TOKENS,
        member("KeyId", KEY_REF),
        member("EncryptionAlgorithm", ALGORITHM),
        RECIPIENT,
        DRY_RUN,
        DRY_RUN_MODIFIERS,
    ]
    DeleteAlias [ALIAS_NAME]
    DescribeKey [KEY_ID, GRANT_TOKENS]
    DisableKey [KEY_ID]
    DisableKeyRotation [KEY_ID]
    EnableKey [KEY_ID]
    EnableKeyRotation [
        KEY_ID,
        member("RotationPeriodInDays", integer(limits::KEY_ROTATION_DAYS_MIN, limits::KEY_ROTATION_DAYS_MAX)),
    ]
    Encrypt [
        KEY_ID,
        member("Plaintext", MESSAGE).required().sensitive(),
        member("EncryptionContext", CONTEXT),
        GRANT_TOKENS,
        member("EncryptionAlgorithm", ALGORITHM),
        DRY_RUN,
    ]
    GenerateDataKey [
        KEY_ID,
        member("EncryptionContext", CONTEXT),
        NUMBER_OF_BYTES,
        DATA_KEY_SPEC,
        GRANT_TOKENS,
        RECIPIENT,
        DRY_RUN,
    ]
    GenerateDataKeyWithoutPlaintext [
        KEY_ID,
        member("EncryptionContext", CONTEXT),
        DATA_KEY_SPEC,
        NUMBER_OF_BYTES,
        GRANT_TOKENS,
        DRY_RUN,
    ]
    GenerateMac [
        member("Message", MESSAGE).required().sensitive(),
        KEY_ID,
        MAC_ALGORITHM,
        GRANT_TOKENS,
        DRY_RUN,
    ]
    GenerateRandom [
        NUMBER_OF_BYTES,
        member("CustomKeyStoreId", text(1, limits::KEY_STORE_ID_CHARS_MAX)),
        RECIPIENT,
    ]
    GetKeyPolicy [KEY_ID, POLICY_NAME]
    GetKeyRotationStatus [KEY_ID]
    ListAliases [member("KeyId", KEY_REF), LIMIT, MARKER]
    ListKeyPolicies [KEY_ID, LIMIT, MARKER]
    ListKeyRotations [
        KEY_ID,
        member("IncludeKeyMaterial", one_of(&["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"])),
        LIMIT,
        MARKER,
    ]
    ListKeys [LIMIT, MARKER]
    ListResourceTags [KEY_ID, LIMIT, MARKER]
    PutKeyPolicy [KEY_ID, POLICY_NAME, POLICY.required(), member("BypassPolicyLockoutSafetyCheck", FLAG)]
    ReEncrypt [
        member("CiphertextBlob", CIPHERTEXT),
        member("SourceEncryptionContext", CONTEXT),
        member("SourceKeyId", KEY_REF),
        member("DestinationKeyId", KEY_REF).required(),
        member("DestinationEncryptionContext", CONTEXT),
        member("SourceEncryptionAlgorithm", ALGORITHM),
        member("DestinationEncryptionAlgorithm", ALGORITHM),
        GRANT_TOKENS,
        DRY_RUN,
        DRY_RUN_MODIFIERS,
    ]
    RotateKeyOnDemand [KEY_ID]
    ScheduleKeyDeletion [
        KEY_ID,
        member("PendingWindowInDays", integer(1, limits::KEY_DELETION_DAYS_MODEL_MAX)),
    ]
    TagResource [KEY_ID, TAGS.required()]
    UntagResource [KEY_ID, member("TagKeys", list!(Length::ANY, TAG_KEY)).required()]
    UpdateAlias [ALIAS_NAME, member("TargetKeyId", KEY_REF).required()]
    UpdateKeyDescription [
        KEY_ID,
        member("Description", text(0, limits::KEY_DESCRIPTION_CHARS_MAX)).required(),
    ]
    VerifyMac [
        member("Message", MESSAGE).required().sensitive(),
        KEY_ID,
        MAC_ALGORITHM,
        member("Mac", CIPHERTEXT).required(),
        GRANT_TOKENS,
        DRY_RUN,
    ]
}
