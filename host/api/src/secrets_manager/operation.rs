//! The operations of AWS Secrets Manager.

use crate::target::operations;

operations! {
    "secretsmanager", "secretsmanager",
    /// Lets a secret of another account follow this one.
    AssociateCrossAccountReplica;
    /// The values of several secrets.
    BatchGetSecretValue;
    /// Ends a rotation and its schedule.
    CancelRotateSecret;
    /// Makes a secret, with or without a value.
    CreateSecret;
    /// Takes a secret's resource policy away.
    DeleteResourcePolicy;
    /// Schedules a secret for deletion, or deletes it at once.
    DeleteSecret;
    /// Everything about a secret but its value.
    DescribeSecret;
    /// Ends what AssociateCrossAccountReplica began.
    DisassociateCrossAccountReplica;
    /// A password by rules, which is not stored.
    GetRandomPassword;
    /// A secret's resource policy.
    GetResourcePolicy;
    /// A version's value.
    GetSecretValue;
    /// The names of a secret's resource policies.
    ListResourcePolicies;
    /// The versions of a secret.
    ListSecretVersionIds;
    /// The secrets of an account and region.
    ListSecrets;
    /// Attaches a resource policy to a secret.
    PutResourcePolicy;
    /// A new version with its value.
    PutSecretValue;
    /// Deletes replicas.
    RemoveRegionsFromReplication;
    /// Makes replicas in other regions.
    ReplicateSecretToRegions;
    /// Takes back a scheduled deletion.
    RestoreSecret;
    /// Rotates a secret now, sets its schedule, or both.
    RotateSecret;
    /// Makes a secret of its own of a replica.
    StopReplicationToReplica;
    /// Adds or replaces tags.
    TagResource;
    /// Removes tags.
    UntagResource;
    /// Changes a secret's description, its key, or its value.
    UpdateSecret;
    /// Moves a staging label from one version to another.
    UpdateSecretVersionStage;
    /// Whether a resource policy could be attached.
    ValidateResourcePolicy;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_models_26_operations_are_served() {
        assert_eq!(Operation::ALL.len(), 26);
        assert!(Operation::ALL.windows(2).all(|pair| pair[0].name() < pair[1].name()));
    }
}
