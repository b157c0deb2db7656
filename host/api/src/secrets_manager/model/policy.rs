//! Operations on resource policies.

use pawl_core::limits;

use super::kind::{ANY_TEXT, ARN, ID_OR_NAME, MAX_RESULTS, NAME_512, NEXT_TOKEN, SECRET_ID, member, text};
use super::{list, model, structures};
use crate::model::{Kind, Length, Member, Pattern, Text};

const POLICY_NAME: Member = member(
    "PolicyName",
    Kind::Text(Text::of(Length::within(1, limits::POLICY_NAME_CHARS_MAX)).matching(&Pattern::POLICY_NAME)),
)
.since_1_44();
const POLICY: Member = member("ResourcePolicy", text(1, limits::POLICY_CHARS_MAX));

model! {
    DELETE_RESOURCE_POLICY = DeleteResourcePolicy {
        takes [SECRET_ID, POLICY_NAME]
        answers [ARN, NAME_512, POLICY_NAME]
        errors [
            ResourceNotFoundException, InternalServiceError, InvalidRequestException, InvalidParameterException,
        ]
    }
    GET_RESOURCE_POLICY = GetResourcePolicy {
        takes [SECRET_ID, POLICY_NAME]
        answers [ARN, NAME_512, POLICY, POLICY_NAME]
        errors [
            ResourceNotFoundException, InternalServiceError, InvalidRequestException, InvalidParameterException,
        ]
    }
    LIST_RESOURCE_POLICIES = ListResourcePolicies {
        takes [SECRET_ID.since_1_44(), MAX_RESULTS.since_1_44(), NEXT_TOKEN.since_1_44()]
        answers [
            member("ResourcePolicies", list!(Length::within(0, limits::PAGE_ENTRIES_MAX as usize), Kind::Structure(&RESOURCE_POLICY_SUMMARY)))
            .required()
            .since_1_44(),
            NEXT_TOKEN.since_1_44(),
        ]
        errors [
            ResourceNotFoundException, InvalidNextTokenException, InternalServiceError, InvalidRequestException,
            InvalidParameterException,
        ]
        new true
    }
    PUT_RESOURCE_POLICY = PutResourcePolicy {
        takes [SECRET_ID, POLICY.required(), POLICY_NAME, member("BlockPublicPolicy", Kind::Boolean)]
        answers [ARN, NAME_512, POLICY_NAME]
        errors [
            MalformedPolicyDocumentException, ResourceNotFoundException, InvalidParameterException,
            InternalServiceError, InvalidRequestException, PublicPolicyException,
        ]
    }
    VALIDATE_RESOURCE_POLICY = ValidateResourcePolicy {
        takes [member("SecretId", ID_OR_NAME), POLICY.required()]
        answers [
            member("PolicyValidationPassed", Kind::Boolean),
            member("ValidationErrors", list!(Length::ANY, Kind::Structure(&VALIDATION_ERRORS_ENTRY))),
        ]
        errors [
            MalformedPolicyDocumentException, ResourceNotFoundException, InvalidParameterException,
            InternalServiceError, InvalidRequestException,
        ]
    }
}

structures! {
    RESOURCE_POLICY_SUMMARY = "ResourcePolicySummary" [POLICY_NAME]
    VALIDATION_ERRORS_ENTRY = "ValidationErrorsEntry" [
        member("CheckName", text(1, limits::CHECK_NAME_CHARS_MAX)),
        member("ErrorMessage", ANY_TEXT),
    ]
}
