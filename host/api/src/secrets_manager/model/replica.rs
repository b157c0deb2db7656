//! Operations on replicas, and what others tell of them.

use pawl_core::limits;

use super::kind::{ARN, KMS_KEY_ID, REGION, SECRET_ARN, SECRET_ID, STATUS, STATUS_MESSAGE, member, text};
use super::{list, model, structures};
use crate::model::{Kind, Length, Member, Text};

const NO_CROSS_ACCOUNT: &str = "no secret follows one of another account";
const AFTER_CHECK: &str = "checked; the operation then answers `InvalidRequestException`";

pub(super) const ADD_REPLICA_REGIONS: Member =
    member("AddReplicaRegions", list!(Length::from(1), Kind::Structure(&REPLICA_REGION)));
pub(super) const FORCE_OVERWRITE: Member = member("ForceOverwriteReplicaSecret", Kind::Boolean);
pub(super) const REPLICATION_STATUS: Member =
    member("ReplicationStatus", list!(Length::ANY, Kind::Structure(&REPLICATION_STATUS_TYPE)));
pub(super) const CROSS_ACCOUNT_PRIMARY: Member =
    member("CrossAccountPrimary", Kind::Structure(&CROSS_ACCOUNT_PRIMARY_TYPE))
        .since_1_44()
        .never(NO_CROSS_ACCOUNT);
pub(super) const CROSS_ACCOUNT_REPLICAS: Member = member(
    "CrossAccountReplicas",
    list!(
        Length::within(1, limits::CROSS_ACCOUNT_REPLICAS_MAX),
        Kind::Structure(&CROSS_ACCOUNT_REPLICA_ENTRY)
    ),
)
.since_1_44()
.never(NO_CROSS_ACCOUNT);

const REPLICA_ARN: Member = member("CrossAccountReplicaARN", SECRET_ARN).since_1_44();
const ROLE_ARN: Member =
    member("ReplicationRoleARN", text(limits::ARN_CHARS_MIN, limits::ARN_CHARS_MAX)).since_1_44();
const STATUS_OF_ONE: Member = member("ReplicationStatus", STATUS).since_1_44().never(NO_CROSS_ACCOUNT);

model! {
    ASSOCIATE_CROSS_ACCOUNT_REPLICA = AssociateCrossAccountReplica {
        takes [
            SECRET_ID.since_1_44().refused(AFTER_CHECK),
            REPLICA_ARN.required().refused(AFTER_CHECK),
            member("ReplicaRestriction", Kind::Text(Text::one_of(&["SameOrg", "NoRestriction"])))
                .since_1_44()
                .refused(AFTER_CHECK),
            ROLE_ARN.refused(AFTER_CHECK),
        ]
        answers [
            ARN.since_1_44().never(NO_CROSS_ACCOUNT),
            REPLICA_ARN.never(NO_CROSS_ACCOUNT),
            STATUS_OF_ONE,
        ]
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException,
            LimitExceededException, InternalServiceError,
        ]
        new true
        remark "Every well-formed request about a secret that there is is answered with `InvalidRequestException`: a host \
                replicates between its own regions and not between accounts."
    }
    DISASSOCIATE_CROSS_ACCOUNT_REPLICA = DisassociateCrossAccountReplica {
        takes [SECRET_ID.since_1_44().refused(AFTER_CHECK), REPLICA_ARN.required().refused(AFTER_CHECK)]
        answers [ARN.since_1_44().never(NO_CROSS_ACCOUNT), REPLICA_ARN.never(NO_CROSS_ACCOUNT)]
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
        new true
        remark "See AssociateCrossAccountReplica: there is nothing to end."
    }
    REMOVE_REGIONS_FROM_REPLICATION = RemoveRegionsFromReplication {
        takes [
            SECRET_ID,
            member("RemoveReplicaRegions", list!(Length::from(1), REGION))
                .required(),
        ]
        answers [ARN, REPLICATION_STATUS]
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
    }
    REPLICATE_SECRET_TO_REGIONS = ReplicateSecretToRegions {
        takes [SECRET_ID, ADD_REPLICA_REGIONS.required(), FORCE_OVERWRITE]
        answers [ARN, REPLICATION_STATUS]
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
        remark "Regions are namespaces within one host: a replica is in sync at once, and survives whatever its primary \
                survives and nothing more. At most 64 regions, of the primary's partition. A secret that makes way for a replica \
                is deleted, so its own policy is asked whether it may be."
    }
    STOP_REPLICATION_TO_REPLICA = StopReplicationToReplica {
        takes [SECRET_ID]
        answers [ARN]
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
    }
}

structures! {
    REPLICA_REGION = "ReplicaRegionType" [
        member("Region", REGION),
        KMS_KEY_ID.accepted("stored and shown; a replica's values are its primary's, under the primary's key"),
    ]
    REPLICATION_STATUS_TYPE = "ReplicationStatusType" [
        member("Region", REGION),
        KMS_KEY_ID,
        member("Status", STATUS),
        member("StatusMessage", STATUS_MESSAGE),
        member("LastAccessedDate", Kind::Timestamp),
    ]
    CROSS_ACCOUNT_PRIMARY_TYPE = "CrossAccountPrimaryType" [
        member("PrimarySecretARN", SECRET_ARN).since_1_44().never(NO_CROSS_ACCOUNT),
        STATUS_OF_ONE,
        member("StatusMessage", STATUS_MESSAGE).since_1_44().never(NO_CROSS_ACCOUNT),
    ]
    CROSS_ACCOUNT_REPLICA_ENTRY = "CrossAccountReplicaEntry" [
        member("ReplicaSecretARN", SECRET_ARN).since_1_44().never(NO_CROSS_ACCOUNT),
        ROLE_ARN.never(NO_CROSS_ACCOUNT),
        STATUS_OF_ONE,
        member("StatusMessage", STATUS_MESSAGE).since_1_44().never(NO_CROSS_ACCOUNT),
    ]
}
