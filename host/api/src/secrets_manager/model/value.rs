//! Operations on values and versions.

use pawl_core::limits;

use super::kind::{
    ANY_TEXT, ARN, CREATED_DATE, FILTERS, ID_OR_NAME, KMS_KEY, MAX_RESULTS, NAME, NEXT_TOKEN, SECRET_BINARY,
    SECRET_ID, SECRET_STRING, STAGE, TOKEN, VERSION, VERSION_ID, VERSION_STAGES, member, text,
};
use super::{list, model, structures};
use crate::model::{Integer, Kind, Length, Pattern, Text};

#[expect(clippy::cast_possible_wrap, reason = "a small number, in a constant")]
const BATCH_MAX: i64 = limits::BATCH_SECRETS_MAX as i64;
const PASSWORD_MAX: usize = limits::PASSWORD_CHARS_MAX as usize;

model! {
    BATCH_GET_SECRET_VALUE = BatchGetSecretValue {
        takes [
            member("SecretIdList", list!(Length::within(1, limits::BATCH_SECRETS_MAX), ID_OR_NAME)),
            FILTERS,
            member("MaxResults", Kind::Integer(Integer { long: false, min: Some(1), max: Some(BATCH_MAX) })),
            NEXT_TOKEN,
        ]
        answers [
            member("SecretValues", list!(Length::ANY, Kind::Structure(&SECRET_VALUE_ENTRY))),
            NEXT_TOKEN,
            member("Errors", list!(Length::ANY, Kind::Structure(&API_ERROR))),
        ]
        errors [
            ResourceNotFoundException, InvalidParameterException, InvalidRequestException, DecryptionFailure,
            InternalServiceError, InvalidNextTokenException,
        ]
    }
    GET_RANDOM_PASSWORD = GetRandomPassword {
        takes [
            member("PasswordLength", Kind::Integer(Integer {
                long: true,
                min: Some(1),
                max: Some(limits::PASSWORD_CHARS_MAX as i64),
            })),
            member("ExcludeCharacters", text(0, limits::EXCLUDED_CHARS_MAX)),
            member("ExcludeNumbers", Kind::Boolean),
            member("ExcludePunctuation", Kind::Boolean),
            member("ExcludeUppercase", Kind::Boolean),
            member("ExcludeLowercase", Kind::Boolean),
            member("IncludeSpace", Kind::Boolean),
            member("RequireEachIncludedType", Kind::Boolean),
        ]
        answers [member("RandomPassword", text(0, PASSWORD_MAX)).sensitive()]
        errors [InvalidParameterException, InvalidRequestException, InternalServiceError]
    }
    GET_SECRET_VALUE = GetSecretValue {
        takes [SECRET_ID, VERSION_ID, member("VersionStage", STAGE)]
        answers [ARN, NAME, VERSION_ID, SECRET_BINARY, SECRET_STRING, VERSION_STAGES, CREATED_DATE]
        errors [
            ResourceNotFoundException, InvalidParameterException, InvalidRequestException, DecryptionFailure,
            InternalServiceError,
        ]
    }
    LIST_SECRET_VERSION_IDS = ListSecretVersionIds {
        takes [SECRET_ID, MAX_RESULTS, NEXT_TOKEN, member("IncludeDeprecated", Kind::Boolean)]
        answers [
            member("Versions", list!(Length::ANY, Kind::Structure(&SECRET_VERSIONS_LIST_ENTRY))),
            NEXT_TOKEN,
            ARN,
            NAME,
        ]
        errors [
            InvalidNextTokenException, ResourceNotFoundException, InternalServiceError, InvalidParameterException,
        ]
    }
    PUT_SECRET_VALUE = PutSecretValue {
        takes [
            SECRET_ID,
            TOKEN,
            SECRET_BINARY,
            SECRET_STRING,
            VERSION_STAGES,
            member("RotationToken", Kind::Text(
                Text::of(Length::within(limits::ROTATION_TOKEN_CHARS_MIN, limits::ROTATION_TOKEN_CHARS_MAX))
                    .matching(&Pattern::ROTATION_TOKEN),
            ))
            .sensitive()
            .accepted("checked and then ignored: no secret is rotated from another account"),
        ]
        answers [ARN, NAME, VERSION_ID, VERSION_STAGES]
        errors [
            InvalidParameterException, InvalidRequestException, LimitExceededException, EncryptionFailure,
            ResourceExistsException, ResourceNotFoundException, InternalServiceError, DecryptionFailure,
        ]
    }
    UPDATE_SECRET_VERSION_STAGE = UpdateSecretVersionStage {
        takes [
            SECRET_ID,
            member("VersionStage", STAGE).required(),
            member("RemoveFromVersionId", VERSION),
            member("MoveToVersionId", VERSION),
        ]
        answers [ARN, NAME]
        errors [
            ResourceNotFoundException, InvalidParameterException, InvalidRequestException,
            LimitExceededException, InternalServiceError,
        ]
    }
}

structures! {
    SECRET_VALUE_ENTRY = "SecretValueEntry" [
        ARN, NAME, VERSION_ID, SECRET_BINARY, SECRET_STRING, VERSION_STAGES, CREATED_DATE,
    ]
    API_ERROR = "APIErrorType" [
        member("SecretId", ID_OR_NAME), member("ErrorCode", ANY_TEXT), member("Message", ANY_TEXT),
    ]
    SECRET_VERSIONS_LIST_ENTRY = "SecretVersionsListEntry" [
        VERSION_ID,
        VERSION_STAGES,
        member("LastAccessedDate", Kind::Timestamp),
        CREATED_DATE,
        member("KmsKeyIds", list!(Length::ANY, KMS_KEY)),
    ]
}
