//! AWS Security Token Service: the operations that are served.

use crate::query::query_operations;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "sts";
/// The namespace of its answers.
pub const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The version of its API.
pub const VERSION: &str = "2011-06-15";

query_operations! {
    "sts",
    /// Credentials of a role, for a while.
    AssumeRole;
    /// Credentials of a role, for a token of an identity provider.
    AssumeRoleWithWebIdentity;
    /// Whose access key it is.
    GetAccessKeyInfo;
    /// Who calls.
    GetCallerIdentity;
    /// Credentials of the caller itself, for a while.
    GetSessionToken;
}
