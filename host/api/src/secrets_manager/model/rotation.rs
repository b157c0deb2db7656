//! Operations on rotation.

use pawl_core::limits;

use super::kind::{ARN, NAME, SECRET_ID, TOKEN, VERSION_ID, member, text};
use super::{list, model, structures};
use crate::model::{Integer, Kind, Length, Member, Pattern, Text};

const REFUSED: &str =
    "`InvalidParameterException`: AWS keeps these for the secrets of its partners, which it rotates itself";
pub(super) const NO_EXTERNAL: &str = "no secret is rotated by a partner of AWS's";
pub(super) const ROTATION_LAMBDA: Member =
    member("RotationLambdaARN", text(0, limits::FUNCTION_ARN_CHARS_MAX));
pub(super) const ROTATION_RULES: Member = member("RotationRules", Kind::Structure(&ROTATION_RULES_TYPE));
pub(super) const EXTERNAL_METADATA: Member =
    member("ExternalSecretRotationMetadata", list!(Length::ANY, Kind::Structure(&EXTERNAL_ITEM)));
pub(super) const EXTERNAL_ROLE: Member =
    member("ExternalSecretRotationRoleArn", text(limits::ARN_CHARS_MIN, limits::ARN_CHARS_MAX));

model! {
    CANCEL_ROTATE_SECRET = CancelRotateSecret {
        takes [SECRET_ID]
        answers [ARN, NAME, VERSION_ID]
        errors [
            ResourceNotFoundException, InvalidParameterException, InternalServiceError, InvalidRequestException,
        ]
    }
    ROTATE_SECRET = RotateSecret {
        takes [
            SECRET_ID,
            TOKEN,
            ROTATION_LAMBDA,
            ROTATION_RULES,
            EXTERNAL_METADATA.refused(REFUSED),
            EXTERNAL_ROLE.refused(REFUSED),
            member("RotateImmediately", Kind::Boolean),
        ]
        answers [ARN, NAME, VERSION_ID]
        errors [
            ResourceNotFoundException, InvalidParameterException, InternalServiceError, InvalidRequestException,
        ]
        remark "The function is a component of Pawl's, named in the place of the Lambda function: its ARN's last part is \
                the component's name."
    }
}

structures! {
    ROTATION_RULES_TYPE = "RotationRulesType" [
        member("AutomaticallyAfterDays", Kind::Integer(Integer {
            long: true,
            min: Some(1),
            max: Some(limits::ROTATION_DAYS_MAX as i64),
        })),
        member("Duration", Kind::Text(
            Text::of(Length::within(limits::DURATION_CHARS_MIN, limits::DURATION_CHARS_MAX))
                .matching(&Pattern::DURATION),
        )),
        member("ScheduleExpression", Kind::Text(
            Text::of(Length::within(1, limits::SCHEDULE_CHARS_MAX)).matching(&Pattern::SCHEDULE),
        )),
    ]
    EXTERNAL_ITEM = "ExternalSecretRotationMetadataItem" [
        member("Key", text(1, limits::ROTATION_METADATA_KEY_CHARS_MAX)),
        member("Value", text(1, limits::ROTATION_METADATA_VALUE_CHARS_MAX)),
    ]
}
