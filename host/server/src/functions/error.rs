//! Why a function could not be read, changed or run by a caller, and Lambda's codes for it: one table.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::function::{
    AliasError, DeleteVersionError, FunctionArn, FunctionName, FunctionNameError, PermissionError,
    PublishError, ResolveError, SettingError, TagError, UpdateError,
};
use pawl_runtime::AdmitError;
use pawl_store::{CommitError, StoreError};

use super::package::PackageError;

/// Why an operation on functions failed.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The caller may not.
    #[error("{0}")]
    Denied(String),
    /// There is none of this name.
    #[error("Function not found: {0}")]
    NotFound(FunctionArn),
    /// There is one of this name.
    #[error("Function already exist: {0}")]
    Exists(FunctionName),
    /// It comes with the host.
    #[error(
        "{0} is a function of the host itself, which callers can read and not change; upload one of another name"
    )]
    BuiltIn(FunctionName),
    /// A name that only functions of the host have.
    #[error(
        "names that begin with `pawl-`, as {0} does, are for functions of the host itself; choose another one"
    )]
    Reserved(FunctionName),
    /// Too many changes of the same function at once.
    #[error("The operation cannot be performed at this time. An update is in progress for resource: {0}")]
    Busy(FunctionArn),
    /// The operation is on the function, and the caller named a version or an alias.
    #[error(
        "This operation is on a function, and not on one of its versions or aliases; name it without a qualifier"
    )]
    Qualified,
    /// Not a name, a qualifier or an alias's name.
    #[error("1 validation error detected: {0}")]
    Name(#[from] FunctionNameError),
    /// Not a setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// `$LATEST` was not changed.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// No version was published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// An alias is not as it was wanted.
    #[error(transparent)]
    Alias(#[from] AliasError),
    /// A permission is not as it was wanted.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// A version was not deleted.
    #[error(transparent)]
    DeleteVersion(#[from] DeleteVersionError),
    /// A qualifier leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Tags were not set.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// What was uploaded holds no component.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The component is none, or not one for this host.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// The component's manifest is none, or does not ask for what the component imports.
    #[error("the component's manifest (pawl.toml) is refused: {0}")]
    Manifest(String),
    /// The component asks for more than the operator approved.
    #[error(
        "the component asks for more than is approved for functions of the name {name}:\n{}\nan operator approves it \
         with `pawl function approve {name} FILE`, where FILE is the component's pawl.toml",
        listed(.beyond)
    )]
    NotApproved {
        /// The function's name.
        name: FunctionName,
        /// What it asks beyond, each in words.
        beyond: Vec<String>,
    },
    /// There is no policy on it.
    #[error("The resource you requested does not exist.")]
    NoPolicy,
    /// Refused with a code of its own.
    #[error("{}", .0.message)]
    Api(#[from] ApiError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(beyond: &[String]) -> String {
    beyond.iter().map(|one| format!("  + {one}")).collect::<Vec<_>>().join("\n")
}

impl FunctionError {
    /// A parameter that cannot be right.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Api(ApiError::new(ErrorCode::InvalidParameterValueException, message))
    }

    /// A member that is missing, or not of the form that the service's model has.
    #[must_use]
    pub fn malformed(member: &str, must: &str) -> Self {
        let text = format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {must}"
        );
        Self::Api(ApiError::new(ErrorCode::ValidationException, text))
    }

    /// What a commit's failure means for the function of this ARN and name.
    pub(crate) fn of_commit(error: CommitError, arn: &FunctionArn, name: &FunctionName) -> Self {
        match error {
            CommitError::NameTaken => Self::Exists(name.clone()),
            CommitError::LostRace | CommitError::Fenced => Self::Busy(arn.clone()),
            CommitError::Store(source) => Self::Store(source),
        }
    }

    /// Lambda's code and message for it. Failures of the host say nothing of themselves to a caller; they are logged.
    #[must_use]
    pub fn into_api(self) -> ApiError {
        let code = match &self {
            Self::Api(error) => return error.clone(),
            Self::Denied(_) => ErrorCode::AccessDeniedException,
            Self::Exists(_)
            | Self::BuiltIn(_)
            | Self::Reserved(_)
            | Self::Busy(_)
            | Self::Alias(AliasError::Exists(_))
            | Self::Permission(PermissionError::Exists(_))
            | Self::DeleteVersion(DeleteVersionError::Aliased { .. }) => ErrorCode::ResourceConflictException,
            Self::NotFound(_)
            | Self::NoPolicy
            | Self::Resolve(_)
            | Self::Alias(AliasError::NotFound(_) | AliasError::NoSuchVersion(_))
            | Self::Permission(PermissionError::NotFound(_) | PermissionError::NoSuchQualifier(_))
            | Self::DeleteVersion(DeleteVersionError::NotFound(_)) => ErrorCode::ResourceNotFoundException,
            Self::Update(UpdateError::StaleRevision)
            | Self::Publish(PublishError::StaleRevision)
            | Self::Alias(AliasError::StaleRevision)
            | Self::Permission(PermissionError::StaleRevision) => ErrorCode::PreconditionFailedException,
            Self::Update(UpdateError::TooMuchCode) | Self::Publish(PublishError::TooMany) => {
                ErrorCode::CodeStorageExceededException
            }
            Self::Permission(PermissionError::TooLong) => ErrorCode::PolicyLengthExceededException,
            Self::Name(FunctionNameError::TwoQualifiers)
            | Self::Qualified
            | Self::Setting(_)
            | Self::Publish(PublishError::OtherCode)
            | Self::Alias(AliasError::NoVersion | AliasError::Routing | AliasError::TooMany)
            | Self::Permission(PermissionError::StatementId | PermissionError::Latest)
            | Self::DeleteVersion(DeleteVersionError::Latest | DeleteVersionError::Alias)
            | Self::Tag(_)
            | Self::Package(_)
            | Self::Admit(AdmitError::Refused(_) | AdmitError::TooLong { .. } | AdmitError::TooCostly)
            | Self::Manifest(_)
            | Self::NotApproved { .. } => ErrorCode::InvalidParameterValueException,
            Self::Name(_) => ErrorCode::ValidationException,
            Self::Admit(AdmitError::Unavailable(_)) | Self::Store(_) => {
                return ApiError::new(ErrorCode::ServiceException, "An error occurred on the server side.");
            }
        };
        ApiError::new(code, self.to_string())
    }

    /// Whether the host, and not the caller, has to do something about it.
    #[must_use]
    pub const fn is_hosts(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Admit(AdmitError::Unavailable(_)))
    }
}
