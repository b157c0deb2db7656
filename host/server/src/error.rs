//! What can go wrong behind the edge, and AWS's words for it: one table.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::arn::{SecretArn, SecretIdError};
use pawl_core::key::{AliasNameError, KeyError, KeyRefError};
use pawl_core::names::{Label, NameError, VersionId};
use pawl_core::secret::{PutError, RotateError, RotationDeedError, SecretError};
use pawl_core::value::ValueError;
use pawl_store::StoreError;

use crate::app::Action;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such secret.
    #[error("Secrets Manager can't find the specified secret.")]
    NoSuchSecret,
    /// No value under this version id.
    #[error("Secrets Manager can't find the specified secret value for VersionId: {0}")]
    NoSuchVersion(VersionId),
    /// No value under this label.
    #[error("Secrets Manager can't find the specified secret value for staging label: {0}")]
    NoValueForLabel(Label),
    /// Both were named, and they are not together.
    #[error("You provided a VersionStage that is not associated to the provided VersionId.")]
    LabelElsewhere,
    /// Not a SecretId.
    #[error(transparent)]
    SecretId(#[from] SecretIdError),
    /// Not a name, label, token, region.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not a value.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A version could not be put.
    #[error(transparent)]
    Put(#[from] PutError),
    /// A change was refused.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A rotation could not begin.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// An earlier rotation is tried again instead.
    #[error("A previous rotation isn't complete. That rotation will be reattempted.")]
    EarlierRotation,
    /// A rotation did what it may not.
    #[error(transparent)]
    RotationDeed(#[from] RotationDeedError),
    /// The caller may not.
    #[error("User: {principal} is not authorized to perform: {}{}", .action.name(), on_denied(.resource.as_ref()))]
    Denied {
        /// Who.
        principal: String,
        /// What.
        action: Action,
        /// The secret whose policy denies it; none when nothing allows it.
        resource: Option<SecretArn>,
    },
    /// Policies do not let the caller; AWS's sentence.
    #[error("{0}")]
    NotAllowed(String),
    /// Refused with a code of its own.
    #[error("{}", .0.message)]
    Api(ApiError),
    /// The lease has passed to another host.
    #[error("another host has taken over this rotation")]
    Fenced,
    /// Too many changes of the same secret at once.
    #[error("the secret is being changed by too many callers at once")]
    LostRace,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value could not be sealed.
    #[error(transparent)]
    Seal(#[from] pawl_keyring::SealError),
    /// A value could not be opened: damaged, or moved from another place.
    #[error(transparent)]
    Open(#[from] pawl_keyring::OpenError),
    /// What is stored is no sealed value.
    #[error(transparent)]
    SealedForm(#[from] pawl_keyring::SealedForm),
    /// A KMS key refuses.
    #[error(transparent)]
    Key(KeyError),
    /// Not a KMS key's name.
    #[error(transparent)]
    KeyRef(#[from] KeyRefError),
    /// Not an alias.
    #[error(transparent)]
    AliasName(#[from] AliasNameError),
    /// The key that a secret names seals nothing now.
    #[error(
        "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, \
         enabled, and not in an invalid state. {0}"
    )]
    CannotEncrypt(String),
    /// The key that has sealed a value opens nothing now.
    #[error("Secrets Manager can't decrypt the protected secret text using the provided KMS key. {0}")]
    CannotDecrypt(String),
    /// What is stored makes no sense.
    #[error("the store is inconsistent: {what}")]
    Inconsistent {
        /// What.
        what: String,
    },
}

impl AppError {
    /// AWS's code and message for it. Failures of the host say nothing of themselves to a caller; they are logged.
    #[must_use]
    pub fn into_api(self) -> ApiError {
        let message = self.to_string();
        let code = match self {
            Self::Api(error) => return error,
            Self::NoSuchSecret | Self::NoSuchVersion(_) | Self::NoValueForLabel(_) => {
                ErrorCode::ResourceNotFoundException
            }
            Self::LabelElsewhere
            | Self::EarlierRotation
            | Self::Secret(SecretError::MarkedForDeletion | SecretError::NoValue(_)) => {
                ErrorCode::InvalidRequestException
            }
            Self::Secret(
                SecretError::MoveLabel(_)
                | SecretError::TooManyTags
                | SecretError::NoSuchVersion(_)
                | SecretError::Replica,
            ) => ErrorCode::InvalidParameterException,
            Self::Secret(SecretError::TooManyLabels) => ErrorCode::LimitExceededException,
            Self::SecretId(SecretIdError::Name) | Self::Name(NameError::SecretName) => {
                ErrorCode::ValidationException
            }
            Self::SecretId(SecretIdError::Arn) | Self::Name(_) | Self::Value(_) => {
                ErrorCode::InvalidParameterException
            }
            Self::Put(PutError::TooManyLabels) => ErrorCode::LimitExceededException,
            Self::Put(PutError::TokenInUse { .. }) | Self::Rotate(RotateError::TokenInUse { .. }) => {
                ErrorCode::ResourceExistsException
            }
            Self::Rotate(RotateError::NoFunction) => ErrorCode::InvalidRequestException,
            Self::Denied { .. } | Self::NotAllowed(_) => ErrorCode::AccessDeniedException,
            Self::RotationDeed(_) | Self::Fenced => ErrorCode::InvalidRequestException,
            Self::LostRace => ErrorCode::ThrottlingException,
            Self::Seal(_) => ErrorCode::EncryptionFailure,
            Self::Open(_) | Self::SealedForm(_) => {
                return ApiError::new(
                    ErrorCode::DecryptionFailure,
                    "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
                );
            }
            Self::CannotEncrypt(_) => ErrorCode::EncryptionFailure,
            Self::CannotDecrypt(_) => ErrorCode::DecryptionFailure,
            Self::Key(error) => of_key(&error),
            Self::KeyRef(KeyRefError::Arn(_)) => ErrorCode::InvalidArnException,
            Self::KeyRef(_) => ErrorCode::NotFoundException,
            Self::AliasName(_) => ErrorCode::InvalidAliasNameException,
            Self::Store(_) | Self::Inconsistent { .. } => {
                return ApiError::new(
                    ErrorCode::InternalServiceError,
                    "An error occurred on the server side.",
                );
            }
        };
        ApiError::new(code, message)
    }

    /// Whether the host, and not the caller, has to do something about it.
    #[must_use]
    pub const fn is_hosts(&self) -> bool {
        matches!(
            self,
            Self::Store(_) | Self::Inconsistent { .. } | Self::Seal(_) | Self::Open(_) | Self::SealedForm(_)
        )
    }
}

/// The code of what a KMS key refuses.
const fn of_key(error: &KeyError) -> ErrorCode {
    match error {
        KeyError::Disabled(_) => ErrorCode::DisabledException,
        KeyError::PendingDeletion(_) | KeyError::NotPendingDeletion(_) => ErrorCode::KMSInvalidStateException,
        KeyError::Usage { .. } => ErrorCode::InvalidKeyUsageException,
        KeyError::Unsupported(_) => ErrorCode::UnsupportedOperationException,
        KeyError::TooManyTags | KeyError::TooManyRotations { .. } => ErrorCode::LimitExceededException,
        KeyError::Window => ErrorCode::ValidationException,
    }
}

fn on_denied(resource: Option<&SecretArn>) -> String {
    // AWS's words ("Troubleshoot access denied error messages").
    resource.map_or_else(String::new, |arn| {
        format!(" on resource: {arn} with an explicit deny in a resource-based policy")
    })
}

/// A region that a secret cannot be replicated to, or is not.
pub(crate) fn invalid_replica_region() -> AppError {
    refuse(ErrorCode::InvalidParameterException, "Invalid replica region.")
}

/// StopReplicationToReplica of what is no replica.
pub(crate) fn not_a_replica() -> AppError {
    refuse(
        ErrorCode::InvalidParameterException,
        "Operation not permitted on a primary secret. Call must be made in replica secret's region.",
    )
}

/// A refusal with a code and text of AWS's.
#[must_use]
pub fn refuse(code: ErrorCode, message: impl Into<String>) -> AppError {
    AppError::Api(ApiError::new(code, message))
}
