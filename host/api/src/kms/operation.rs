//! The operations of AWS KMS that are served.

use crate::target::operations;

operations! {
    "TrentService", "kms",
    /// Takes a scheduled deletion back.
    CancelKeyDeletion;
    /// Gives a key another name.
    CreateAlias;
    /// Makes a key.
    CreateKey;
    /// Opens what a key has encrypted.
    Decrypt;
    /// Takes a name away.
    DeleteAlias;
    /// Everything about a key but its material.
    DescribeKey;
    /// Lets a key be used no more.
    DisableKey;
    /// Has a key's material renewed no more.
    DisableKeyRotation;
    /// Lets a key be used again.
    EnableKey;
    /// Has a key's material renewed by itself.
    EnableKeyRotation;
    /// Encrypts up to 4,096 bytes.
    Encrypt;
    /// A data key, in clear and encrypted.
    GenerateDataKey;
    /// A data key, encrypted only.
    GenerateDataKeyWithoutPlaintext;
    /// A message's authentication code.
    GenerateMac;
    /// Random bytes.
    GenerateRandom;
    /// A key's policy.
    GetKeyPolicy;
    /// How a key's material is renewed.
    GetKeyRotationStatus;
    /// The names that keys have.
    ListAliases;
    /// The names of a key's policies.
    ListKeyPolicies;
    /// When a key's material was renewed.
    ListKeyRotations;
    /// The keys of an account and region.
    ListKeys;
    /// A key's tags.
    ListResourceTags;
    /// Puts a policy on a key.
    PutKeyPolicy;
    /// Encrypts anew what a key has encrypted, without showing it.
    ReEncrypt;
    /// Renews a key's material now.
    RotateKeyOnDemand;
    /// Schedules a key for deletion.
    ScheduleKeyDeletion;
    /// Adds or replaces tags.
    TagResource;
    /// Removes tags.
    UntagResource;
    /// Lets an alias name another key.
    UpdateAlias;
    /// Changes a key's description.
    UpdateKeyDescription;
    /// Whether a message's authentication code is right.
    VerifyMac;
}
