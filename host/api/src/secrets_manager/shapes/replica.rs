//! Replicas in other regions and other accounts.

use crate::shape::shapes;
use crate::time::EpochSeconds;

shapes! {
    /// A region to replicate to.
    #[derive(Clone, PartialEq, Eq)]
    ReplicaRegion {
        optional { region: String, kms_key_id: String, }
    }

    /// How a replica stands.
    #[derive(Clone, PartialEq)]
    ReplicationStatus {
        optional {
            region: String,
            kms_key_id: String,
            /// `InSync`, `Failed`, `InProgress`, `Pending` or `Detached`.
            status: String,
            status_message: String,
            last_accessed_date: EpochSeconds,
        }
    }

    /// The secret in another account that a secret follows.
    #[derive(Clone, PartialEq, Eq)]
    CrossAccountPrimary {
        optional {
            #[serde(rename = "PrimarySecretARN")] primary_secret_arn: String,
            replication_status: String,
            status_message: String,
        }
    }

    /// A secret in another account that follows a secret.
    #[derive(Clone, PartialEq, Eq)]
    CrossAccountReplicaEntry {
        optional {
            #[serde(rename = "ReplicaSecretARN")] replica_secret_arn: String,
            #[serde(rename = "ReplicationRoleARN")] replication_role_arn: String,
            replication_status: String,
            status_message: String,
        }
    }

    /// `ReplicateSecretToRegions` takes this.
    ReplicateSecretToRegionsRequest {
        required { secret_id: String, add_replica_regions: Vec<ReplicaRegion>, }
        optional { force_overwrite_replica_secret: bool, }
    }

    /// `RemoveRegionsFromReplication` takes this.
    RemoveRegionsFromReplicationRequest {
        required { secret_id: String, remove_replica_regions: Vec<String>, }
    }

    /// `ReplicateSecretToRegions` and `RemoveRegionsFromReplication` answer this.
    ReplicationResponse {
        required { #[serde(rename = "ARN")] arn: String, replication_status: Vec<ReplicationStatus>, }
    }

    /// `StopReplicationToReplica` takes this.
    StopReplicationToReplicaRequest {
        required { secret_id: String, }
    }

    /// `StopReplicationToReplica` answers this.
    StopReplicationToReplicaResponse {
        required { #[serde(rename = "ARN")] arn: String, }
    }

    /// `AssociateCrossAccountReplica` takes this.
    AssociateCrossAccountReplicaRequest {
        required {
            secret_id: String,
            #[serde(rename = "CrossAccountReplicaARN")] cross_account_replica_arn: String,
        }
        optional {
            replica_restriction: String,
            #[serde(rename = "ReplicationRoleARN")] replication_role_arn: String,
        }
    }

    /// `AssociateCrossAccountReplica` answers this.
    AssociateCrossAccountReplicaResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            #[serde(rename = "CrossAccountReplicaARN")] cross_account_replica_arn: String,
        }
        optional { replication_status: String, }
    }

    /// `DisassociateCrossAccountReplica` takes this.
    DisassociateCrossAccountReplicaRequest {
        required {
            secret_id: String,
            #[serde(rename = "CrossAccountReplicaARN")] cross_account_replica_arn: String,
        }
    }

    /// `DisassociateCrossAccountReplica` answers this.
    DisassociateCrossAccountReplicaResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            #[serde(rename = "CrossAccountReplicaARN")] cross_account_replica_arn: String,
        }
    }
}
