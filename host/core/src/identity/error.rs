//! Why something is not done with a user, group, role or policy; AWS's words.

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There are as many as there may be.
    #[error("Cannot exceed quota for {what}: {most}")]
    Quota {
        /// AWS's name of the quota.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// Inline policies that are too long together.
    #[error("Maximum policy size of {most} bytes exceeded for {kind} {name}")]
    PolicySize {
        /// How long they may be.
        most: usize,
        /// `user`, `group`, `role`.
        kind: &'static str,
        /// Whose.
        name: String,
    },
    /// A managed policy with as many versions as it may have.
    #[error(
        "A managed policy can have up to {0} versions. Before you create a new version, you must delete an existing version."
    )]
    Versions(usize),
    /// The version that is in force cannot be deleted.
    #[error("Cannot delete the default version of a policy.")]
    DefaultVersion,
    /// There is no such access key.
    #[error("The Access Key with id {0} cannot be found.")]
    NoSuchKey(String),
    /// There is no such inline policy.
    #[error("The {kind} policy with name {name} cannot be found.")]
    NoSuchInline {
        /// `user`, `group`, `role`.
        kind: &'static str,
        /// The policy.
        name: String,
    },
    /// The policy is not attached.
    #[error("Policy {0} was not found.")]
    NotAttached(String),
    /// There is no such version.
    #[error("Policy {arn} version {version} does not exist or is not attachable.")]
    NoSuchVersion {
        /// The policy.
        arn: String,
        /// The version.
        version: String,
    },
    /// A key that several tags have.
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    TwiceTagged,
    /// Something still belongs to it.
    #[error("Cannot delete entity, must {0} first.")]
    InUse(&'static str),
}
