//! The form of Lambda's errors, which is its own: status, the member that holds the message, and whose fault it is.

use serde_json::json;

use crate::error::{ApiError, ErrorCode};

/// The HTTP status with which Lambda sends an error. What is in front of every service has others here than with AWS JSON.
#[must_use]
pub const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::ResourceNotFoundException | ErrorCode::UnknownOperationException => 404,
        ErrorCode::AccessDeniedException
        | ErrorCode::MissingAuthenticationTokenException
        | ErrorCode::ExpiredTokenException
        | ErrorCode::IncompleteSignatureException
        | ErrorCode::InvalidSignatureException
        | ErrorCode::UnrecognizedClientException => 403,
        other => other.status(),
    }
}

/// The member of the body that holds the message: `message` of most errors, `Message` of a few that the model spells so.
#[must_use]
pub const fn message_member(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::ResourceNotFoundException | ErrorCode::ServiceException => "Message",
        _ => "message",
    }
}

/// The body: `{"Type":"User","message":"TEXT"}`. The code is in the header `x-amzn-errortype`.
#[must_use]
pub fn to_body(error: &ApiError) -> String {
    let whose = if status(error.code) < 500 { "User" } else { "Service" };
    let mut body = json!({ "Type": whose });
    if let Some(members) = body.as_object_mut() {
        members.insert(message_member(error.code).to_owned(), error.message.as_str().into());
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_services_model() {
        // botocore's model of Lambda: httpStatusCode, and how the exception's shape spells the message.
        for (code, expected, member) in [
            (ErrorCode::CodeStorageExceededException, 400, "message"),
            (ErrorCode::InvalidParameterValueException, 400, "message"),
            (ErrorCode::InvalidRequestContentException, 400, "message"),
            (ErrorCode::PolicyLengthExceededException, 400, "message"),
            (ErrorCode::PreconditionFailedException, 412, "message"),
            (ErrorCode::RequestTooLargeException, 413, "message"),
            (ErrorCode::ResourceConflictException, 409, "message"),
            (ErrorCode::ResourceNotFoundException, 404, "Message"),
            (ErrorCode::ServiceException, 500, "Message"),
            (ErrorCode::TooManyRequestsException, 429, "message"),
            (ErrorCode::UnsupportedMediaTypeException, 415, "message"),
            // In front of the service.
            (ErrorCode::AccessDeniedException, 403, "message"),
            (ErrorCode::ExpiredTokenException, 403, "message"),
            (ErrorCode::InvalidSignatureException, 403, "message"),
            (ErrorCode::UnrecognizedClientException, 403, "message"),
            (ErrorCode::ValidationException, 400, "message"),
        ] {
            assert_eq!((status(code), message_member(code)), (expected, member), "{code}");
        }
    }

    #[test]
    fn a_body_says_whose_fault_it_is() {
        let theirs = ApiError::new(ErrorCode::ResourceNotFoundException, "no \"x\"");
        let body = |error| serde_json::from_str::<serde_json::Value>(&to_body(error)).unwrap();
        assert_eq!(body(&theirs), json!({"Message": "no \"x\"", "Type": "User"}));
        let ours = ApiError::new(ErrorCode::ServiceException, "no");
        assert_eq!(body(&ours), json!({"Message": "no", "Type": "Service"}));
    }
}
