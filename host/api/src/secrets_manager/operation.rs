//! The operations of AWS Secrets Manager.

use crate::target::operations;

operations! {
    "secretsmanager", "secretsmanager",
    /// Ends a rotation and its schedule.
    CancelRotateSecret;
    /// Makes a secret, with or without a value.
    CreateSecret;
    /// Schedules a secret for deletion, or deletes it at once.
    DeleteSecret;
    /// Everything about a secret but its value.
    DescribeSecret;
    /// A password by rules, which is not stored.
    GetRandomPassword;
    /// A version's value.
    GetSecretValue;
    /// The versions of a secret.
    ListSecretVersionIds;
    /// The secrets of an account and region.
    ListSecrets;
    /// A new version with its value.
    PutSecretValue;
    /// Takes back a scheduled deletion.
    RestoreSecret;
    /// Rotates a secret now, sets its schedule, or both.
    RotateSecret;
    /// Adds or replaces tags.
    TagResource;
    /// Removes tags.
    UntagResource;
    /// Changes a secret's description, its key, or its value.
    UpdateSecret;
    /// Moves a staging label from one version to another.
    UpdateSecretVersionStage;
}

/// What the model has besides.
const NOT_SERVED: &[&str] = &[
    "AssociateCrossAccountReplica",
    "BatchGetSecretValue",
    "DeleteResourcePolicy",
    "DisassociateCrossAccountReplica",
    "GetResourcePolicy",
    "ListResourcePolicies",
    "PutResourcePolicy",
    "RemoveRegionsFromReplication",
    "ReplicateSecretToRegions",
    "StopReplicationToReplica",
    "ValidateResourcePolicy",
];

/// Whether AWS has this operation and Pawl does not.
#[must_use]
pub fn is_known_but_not_served(target: &str) -> bool {
    target.strip_prefix("secretsmanager.").is_some_and(|name| NOT_SERVED.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_26_operations_are_served_or_known() {
        let mut names: Vec<&str> = Operation::ALL.iter().map(|operation| operation.name()).collect();
        names.extend(NOT_SERVED);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 26);
    }
}
