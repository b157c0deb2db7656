//! Operations on secrets as such.

use super::kind::{
    ARN, CREATED_DATE, DESCRIPTION, FILTERS, KMS_KEY_ID, LONG_NAME, MAX_RESULTS, NAME, NEXT_TOKEN,
    OWNING_SERVICE, PRIMARY_REGION, SECRET_ARN, SECRET_BINARY, SECRET_ID, SECRET_STRING, STAGES_OF_VERSIONS,
    TAGS, TOKEN, TYPE, VERSION_ID, member, text,
};
use super::replica::{
    ADD_REPLICA_REGIONS, CROSS_ACCOUNT_PRIMARY, CROSS_ACCOUNT_REPLICAS, FORCE_OVERWRITE, REPLICATION_STATUS,
};
use super::rotation::{EXTERNAL_METADATA, EXTERNAL_ROLE, NO_EXTERNAL, ROTATION_LAMBDA, ROTATION_RULES};
use super::{list, model, structures};
use crate::model::{Integer, Kind, Length, Member, Text};
use pawl_core::limits;

const ROTATION_ENABLED: Member = member("RotationEnabled", Kind::Boolean);
const LAST_ROTATED: Member = member("LastRotatedDate", Kind::Timestamp);
const LAST_CHANGED: Member = member("LastChangedDate", Kind::Timestamp);
const LAST_ACCESSED: Member = member("LastAccessedDate", Kind::Timestamp);
const DELETED: Member = member("DeletedDate", Kind::Timestamp);
const NEXT_ROTATION: Member = member("NextRotationDate", Kind::Timestamp);

model! {
    CREATE_SECRET = CreateSecret {
        takes [
            member("Name", LONG_NAME).required(),
            TOKEN,
            DESCRIPTION,
            KMS_KEY_ID,
            SECRET_BINARY,
            SECRET_STRING,
            TAGS,
            ADD_REPLICA_REGIONS,
            FORCE_OVERWRITE,
            TYPE,
            member("CrossAccountPrimaryARN", SECRET_ARN)
                .since_1_44()
                .refused("`InvalidRequestException`: secrets of other accounts are not followed"),
        ]
        answers [ARN, NAME, VERSION_ID, REPLICATION_STATUS]
        errors [
            InvalidParameterException, InvalidRequestException, LimitExceededException, EncryptionFailure,
            ResourceExistsException, ResourceNotFoundException, MalformedPolicyDocumentException,
            InternalServiceError, PreconditionNotMetException, DecryptionFailure,
        ]
    }
    DELETE_SECRET = DeleteSecret {
        takes [
            SECRET_ID,
            member("RecoveryWindowInDays", Kind::Integer(Integer { long: true, min: None, max: None })),
            member("ForceDeleteWithoutRecovery", Kind::Boolean),
        ]
        answers [ARN, NAME, member("DeletionDate", Kind::Timestamp)]
        errors [
            ResourceNotFoundException, InvalidParameterException, InvalidRequestException, InternalServiceError,
        ]
        remark "A forced deletion is complete when it is answered; at AWS the name stays taken for some seconds."
    }
    DESCRIBE_SECRET = DescribeSecret {
        takes [SECRET_ID]
        answers [
            ARN,
            NAME,
            TYPE,
            DESCRIPTION,
            KMS_KEY_ID,
            ROTATION_ENABLED,
            ROTATION_LAMBDA,
            ROTATION_RULES,
            EXTERNAL_METADATA.never(NO_EXTERNAL),
            EXTERNAL_ROLE.never(NO_EXTERNAL),
            LAST_ROTATED,
            LAST_CHANGED,
            LAST_ACCESSED,
            DELETED,
            NEXT_ROTATION,
            TAGS,
            member("VersionIdsToStages", STAGES_OF_VERSIONS),
            OWNING_SERVICE,
            CREATED_DATE,
            PRIMARY_REGION,
            REPLICATION_STATUS,
            CROSS_ACCOUNT_PRIMARY,
            CROSS_ACCOUNT_REPLICAS,
        ]
        errors [ResourceNotFoundException, InternalServiceError, InvalidParameterException]
    }
    LIST_SECRETS = ListSecrets {
        takes [
            member("IncludePlannedDeletion", Kind::Boolean),
            MAX_RESULTS,
            NEXT_TOKEN,
            FILTERS,
            member("SortOrder", Kind::Text(Text::one_of(&["asc", "desc"]))),
            member("SortBy", Kind::Text(Text::one_of(&[
                "created-date", "last-accessed-date", "last-changed-date", "name",
            ]))),
        ]
        answers [
            member("SecretList", list!(Length::ANY, Kind::Structure(&SECRET_LIST_ENTRY))),
            NEXT_TOKEN,
        ]
        errors [
            InvalidParameterException, InvalidRequestException, InvalidNextTokenException, InternalServiceError,
        ]
    }
    RESTORE_SECRET = RestoreSecret {
        takes [SECRET_ID]
        answers [ARN, NAME]
        errors [
            ResourceNotFoundException, InvalidParameterException, InvalidRequestException, InternalServiceError,
        ]
    }
    TAG_RESOURCE = TagResource {
        takes [SECRET_ID, TAGS.required()]
        answers []
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
    }
    UNTAG_RESOURCE = UntagResource {
        takes [
            SECRET_ID,
            member("TagKeys", list!(Length::ANY, text(1, limits::TAG_KEY_CHARS_MAX))).required(),
        ]
        answers []
        errors [
            ResourceNotFoundException, InvalidRequestException, InvalidParameterException, InternalServiceError,
        ]
    }
    UPDATE_SECRET = UpdateSecret {
        takes [SECRET_ID, TOKEN, DESCRIPTION, KMS_KEY_ID, SECRET_BINARY, SECRET_STRING, TYPE]
        answers [ARN, NAME, VERSION_ID]
        errors [
            InvalidParameterException, InvalidRequestException, LimitExceededException, EncryptionFailure,
            ResourceExistsException, ResourceNotFoundException, MalformedPolicyDocumentException,
            InternalServiceError, PreconditionNotMetException, DecryptionFailure,
        ]
    }
}

structures! {
    SECRET_LIST_ENTRY = "SecretListEntry" [
        ARN,
        NAME,
        TYPE,
        DESCRIPTION,
        KMS_KEY_ID,
        ROTATION_ENABLED,
        ROTATION_LAMBDA,
        ROTATION_RULES,
        EXTERNAL_METADATA.never(NO_EXTERNAL),
        EXTERNAL_ROLE.never(NO_EXTERNAL),
        LAST_ROTATED,
        LAST_CHANGED,
        LAST_ACCESSED,
        DELETED,
        NEXT_ROTATION,
        TAGS,
        member("SecretVersionsToStages", STAGES_OF_VERSIONS),
        OWNING_SERVICE,
        CREATED_DATE,
        PRIMARY_REGION,
    ]
}
