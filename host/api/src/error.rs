//! Error codes, their HTTP status and their body: the one table at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $status:literal, $origin:ident;)*) => {
        /// An error code of AWS's, spelt as on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as `__type` has it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The HTTP status that it is sent with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            const fn origin(self) -> Origin {
                match self { $(Self::$name => Origin::$origin,)* }
            }
        }
    };
}

/// Where AWS defines a code, which decides how its body spells the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// In the service's model: `Message`.
    Modelled,
    /// In front of every service, or in a model that spells it so (KMS): `message`.
    Common,
}

codes! {
    /// No such secret, version or label.
    ResourceNotFoundException, 400, Modelled;
    /// A parameter that cannot be right.
    InvalidParameterException, 400, Modelled;
    /// A parameter that is not right for what the resource is now.
    InvalidRequestException, 400, Modelled;
    /// The name or the token is taken.
    ResourceExistsException, 400, Modelled;
    /// More than a quota allows.
    LimitExceededException, 400, Modelled;
    /// A page's token that this server did not give.
    InvalidNextTokenException, 400, Modelled;
    /// The value could not be sealed.
    EncryptionFailure, 400, Modelled;
    /// The value could not be opened.
    DecryptionFailure, 400, Modelled;
    /// The server's own fault.
    InternalServiceError, 500, Modelled;
    /// A resource policy that is no policy.
    MalformedPolicyDocumentException, 400, Modelled;
    /// What the request rests on is not so.
    PreconditionNotMetException, 400, Modelled;
    /// A resource policy that would open the secret to everybody.
    PublicPolicyException, 400, Modelled;
    /// A parameter outside of what the model allows.
    ValidationException, 400, Common;
    /// The caller may not do this.
    AccessDeniedException, 400, Common;
    /// A body that is not the JSON that the operation takes.
    SerializationException, 400, Common;
    /// A target that names no operation.
    UnknownOperationException, 400, Common;
    /// No signature at all.
    MissingAuthenticationTokenException, 400, Common;
    /// A signature that lacks parts.
    IncompleteSignatureException, 400, Common;
    /// A signature that is wrong or out of date.
    InvalidSignatureException, 400, Common;
    /// An access key that nobody has.
    UnrecognizedClientException, 400, Common;
    /// A body longer than any request needs.
    RequestEntityTooLargeException, 413, Common;
    /// More requests than the server takes.
    ThrottlingException, 400, Common;
    /// Lambda: more code than there is room for.
    CodeStorageExceededException, 400, Modelled;
    /// Lambda: a parameter that cannot be right.
    InvalidParameterValueException, 400, Modelled;
    /// Lambda: a body that is not the JSON that the operation takes.
    InvalidRequestContentException, 400, Modelled;
    /// Lambda: a resource policy that is too long.
    PolicyLengthExceededException, 400, Modelled;
    /// Lambda: the resource is not as the caller has seen it.
    PreconditionFailedException, 412, Modelled;
    /// Lambda: a body longer than the operation takes.
    RequestTooLargeException, 413, Modelled;
    /// Lambda: the name is taken, or the resource is in the way.
    ResourceConflictException, 409, Modelled;
    /// Lambda: the server's own fault.
    ServiceException, 500, Modelled;
    /// Lambda: more invocations at once than there may be.
    TooManyRequestsException, 429, Modelled;
    /// Lambda: a body of another kind than JSON.
    UnsupportedMediaTypeException, 415, Modelled;
    /// Temporary credentials that are over.
    ExpiredTokenException, 400, Common;
    /// IAM: nothing of this name.
    NoSuchEntity, 404, Modelled;
    /// IAM: the name is taken.
    EntityAlreadyExists, 409, Modelled;
    /// IAM: something still belongs to it.
    DeleteConflict, 409, Modelled;
    /// IAM: a parameter that cannot be right.
    InvalidInput, 400, Modelled;
    /// IAM: what nobody can change.
    UnmodifiableEntity, 400, Modelled;
    /// IAM: others change the same things at the same time.
    ConcurrentModification, 409, Modelled;
    /// STS: more of policies and tags than a session can carry.
    PackedPolicyTooLarge, 400, Modelled;
    /// STS: a token of an identity provider that is over.
    ExpiredIdentityToken, 400, Modelled;
    /// STS: a token that is none of an identity provider of the account.
    InvalidIdentityToken, 400, Modelled;
    /// STS: the identity provider does not answer.
    IDPCommunicationError, 400, Modelled;
    /// STS: a claim of a token that cannot be accepted.
    IDPRejectedClaim, 403, Modelled;
    /// IAM, STS: a parameter outside of what the model allows.
    ValidationError, 400, Common;
    /// KMS: no such key or alias.
    NotFoundException, 400, Common;
    /// KMS: the key is disabled.
    DisabledException, 400, Common;
    /// KMS: the key's state does not allow it.
    KMSInvalidStateException, 400, Common;
    /// KMS: what does not open.
    InvalidCiphertextException, 400, Common;
    /// KMS: another key than the one that encrypted it.
    IncorrectKeyException, 400, Common;
    /// KMS: the alias is taken.
    AlreadyExistsException, 400, Common;
    /// KMS: not an alias.
    InvalidAliasNameException, 400, Common;
    /// KMS: not the ARN of a key.
    InvalidArnException, 400, Common;
    /// KMS: a key of another kind.
    InvalidKeyUsageException, 400, Common;
    /// KMS: a page's marker that this server did not give.
    InvalidMarkerException, 400, Common;
    /// KMS: the server's own fault.
    KMSInternalException, 500, Common;
    /// KMS: a code that is not the message's.
    KMSInvalidMacException, 400, Common;
    /// KMS: what is not served.
    UnsupportedOperationException, 400, Common;
    /// KMS: a tag that cannot be.
    TagException, 400, Common;
    /// KMS: it would have been done.
    DryRunOperationException, 400, Common;
    /// KMS: no such key store.
    CustomKeyStoreNotFoundException, 400, Common;
    /// KMS: what is for services alone.
    NotAuthorizedException, 400, Common;
}

impl ErrorCode {
    /// The code named `text`, for clients.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        // Some services write a namespace before the code.
        let bare = text.rsplit_once('#').map_or(text, |(_, code)| code);
        Self::ALL.iter().copied().find(|code| code.as_str() == bare)
    }

    /// The member of the body that holds the message.
    #[must_use]
    pub const fn message_member(self) -> &'static str {
        match self.origin() {
            Origin::Modelled => "Message",
            Origin::Common => "message",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller is told when an operation does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// Which error.
    pub code: ErrorCode,
    /// The text of it: AWS's own where AWS has one. Never a value, never the server's internals.
    pub message: String,
}

impl ApiError {
    /// An error with its text.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The server's own fault. What went wrong is in its log, under the request's id, and not here.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(ErrorCode::InternalServiceError, "An error occurred on the server side.")
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// The body, `{"__type":"CODE","Message":"TEXT"}`.
    #[must_use]
    pub fn to_body(&self) -> String {
        let mut body = serde_json::Map::new();
        body.insert("__type".to_owned(), self.code.as_str().into());
        body.insert(self.code.message_member().to_owned(), self.message.as_str().into());
        serde_json::Value::Object(body).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of all codes")]
    fn the_table_is_what_aws_publishes() {
        let table: String = ErrorCode::ALL
            .iter()
            .map(|code| format!("{} {} {}\n", code.status(), code.message_member(), code))
            .collect();
        assert_eq!(
            table,
            "400 Message ResourceNotFoundException\n\
             400 Message InvalidParameterException\n\
             400 Message InvalidRequestException\n\
             400 Message ResourceExistsException\n\
             400 Message LimitExceededException\n\
             400 Message InvalidNextTokenException\n\
             400 Message EncryptionFailure\n\
             400 Message DecryptionFailure\n\
             500 Message InternalServiceError\n\
             400 Message MalformedPolicyDocumentException\n\
             400 Message PreconditionNotMetException\n\
             400 Message PublicPolicyException\n\
             400 message ValidationException\n\
             400 message AccessDeniedException\n\
             400 message SerializationException\n\
             400 message UnknownOperationException\n\
             400 message MissingAuthenticationTokenException\n\
             400 message IncompleteSignatureException\n\
             400 message InvalidSignatureException\n\
             400 message UnrecognizedClientException\n\
             413 message RequestEntityTooLargeException\n\
             400 message ThrottlingException\n\
             400 Message CodeStorageExceededException\n\
             400 Message InvalidParameterValueException\n\
             400 Message InvalidRequestContentException\n\
             400 Message PolicyLengthExceededException\n\
             412 Message PreconditionFailedException\n\
             413 Message RequestTooLargeException\n\
             409 Message ResourceConflictException\n\
             500 Message ServiceException\n\
             429 Message TooManyRequestsException\n\
             415 Message UnsupportedMediaTypeException\n\
             400 message ExpiredTokenException\n\
             404 Message NoSuchEntity\n\
             409 Message EntityAlreadyExists\n\
             409 Message DeleteConflict\n\
             400 Message InvalidInput\n\
             400 Message UnmodifiableEntity\n\
             409 Message ConcurrentModification\n\
             400 Message PackedPolicyTooLarge\n\
             400 Message ExpiredIdentityToken\n\
             400 Message InvalidIdentityToken\n\
             400 Message IDPCommunicationError\n\
             403 Message IDPRejectedClaim\n\
             400 message ValidationError\n\
             400 message NotFoundException\n\
             400 message DisabledException\n\
             400 message KMSInvalidStateException\n\
             400 message InvalidCiphertextException\n\
             400 message IncorrectKeyException\n\
             400 message AlreadyExistsException\n\
             400 message InvalidAliasNameException\n\
             400 message InvalidArnException\n\
             400 message InvalidKeyUsageException\n\
             400 message InvalidMarkerException\n\
             500 message KMSInternalException\n\
             400 message KMSInvalidMacException\n\
             400 message UnsupportedOperationException\n\
             400 message TagException\n\
             400 message DryRunOperationException\n\
             400 message CustomKeyStoreNotFoundException\n\
             400 message NotAuthorizedException\n"
        );
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire(code.as_str()), Some(*code));
            assert_eq!(ErrorCode::from_wire(&format!("com.example#{code}")), Some(*code));
        }
        assert_eq!(ErrorCode::from_wire("NoSuchException"), None);
    }

    #[test]
    fn a_body_has_the_bare_code_and_the_message() {
        let modelled = ApiError::new(ErrorCode::ResourceNotFoundException, "no \"x\"");
        assert_eq!(modelled.to_body(), r#"{"__type":"ResourceNotFoundException","Message":"no \"x\""}"#);
        let common = ApiError::new(ErrorCode::ValidationException, "no");
        assert_eq!(common.to_body(), r#"{"__type":"ValidationException","message":"no"}"#);
    }
}
