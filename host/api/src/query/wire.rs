//! How the query protocol spells errors: services of AWS JSON have other names for what stands in front of all services.

use crate::error::ErrorCode;

/// An error as the query protocol has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Its code.
    pub code: &'static str,
    /// Its HTTP status.
    pub status: u16,
}

/// The code and status of an error.
#[must_use]
pub const fn wire(code: ErrorCode) -> Wire {
    // AWS's "Common error types" of the IAM API reference.
    let (code, status) = match code {
        ErrorCode::AccessDeniedException => ("AccessDenied", 403),
        ErrorCode::MissingAuthenticationTokenException => ("MissingAuthenticationToken", 403),
        ErrorCode::IncompleteSignatureException => ("IncompleteSignature", 403),
        ErrorCode::InvalidSignatureException => ("SignatureDoesNotMatch", 403),
        ErrorCode::UnrecognizedClientException => ("InvalidClientTokenId", 403),
        ErrorCode::ExpiredTokenException => ("ExpiredToken", 403),
        ErrorCode::UnknownOperationException => ("InvalidAction", 400),
        ErrorCode::ValidationException => ("ValidationError", 400),
        ErrorCode::InternalServiceError => ("ServiceFailure", 500),
        ErrorCode::ThrottlingException => ("Throttling", 400),
        ErrorCode::RequestEntityTooLargeException => ("RequestEntityTooLarge", 413),
        ErrorCode::MalformedPolicyDocumentException => ("MalformedPolicyDocument", 400),
        ErrorCode::LimitExceededException => ("LimitExceeded", 409),
        // Temporary credentials that are over have another name than a provider's token that is (STS's model).
        ErrorCode::ExpiredIdentityToken => ("ExpiredTokenException", 400),
        other => (other.as_str(), other.status()),
    };
    Wire { code, status }
}
