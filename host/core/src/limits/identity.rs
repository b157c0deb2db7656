//! Users, roles, policies, and the sessions of those who have them.

use std::time::Duration;

/// Parameters of one request of IAM or STS: the largest has 50 tags of two each.
pub const FORM_FIELDS_MAX: usize = 512;
/// Bytes for which an answer of IAM or STS has room at once.
pub const QUERY_ANSWER_BYTES: usize = 16 * 1024;
/// Users of an account (AWS's quota).
pub const USERS_MAX: usize = 5_000;
/// Groups of an account (AWS's quota).
pub const GROUPS_MAX: usize = 300;
/// Roles of an account (AWS's quota).
pub const ROLES_MAX: usize = 1_000;
/// Managed policies of an account (AWS's quota).
pub const POLICIES_MAX: usize = 1_500;
/// Groups of one user (AWS's quota).
pub const USER_GROUPS_MAX: usize = 10;
/// Access keys of one user (AWS's quota).
pub const USER_KEYS_MAX: usize = 2;
/// Managed policies of one user, group or role (AWS's quota).
pub const ATTACHED_MAX: usize = 10;
/// Versions of one managed policy (AWS's quota).
pub const POLICY_VERSIONS_MAX: usize = 5;
/// Tags of one user, role or policy (AWS's quota).
pub const IDENTITY_TAGS_MAX: usize = 50;
/// Seconds for which a role's sessions may last: the least and the most that a role can be given, and the least of one session.
pub const ROLE_SESSION_SECONDS_MIN: u32 = 3_600;
/// See [`ROLE_SESSION_SECONDS_MIN`].
pub const ROLE_SESSION_SECONDS_MAX: u32 = 43_200;
/// See [`ROLE_SESSION_SECONDS_MIN`].
pub const SESSION_SECONDS_MIN: u32 = 900;
/// Seconds of a session that was begun by a session.
pub const CHAINED_SESSION_SECONDS_MAX: u32 = 3_600;
/// Seconds of a session of GetSessionToken: unless it says otherwise, and at most.
pub const SESSION_TOKEN_SECONDS: u32 = 43_200;
/// See [`SESSION_TOKEN_SECONDS`].
pub const SESSION_TOKEN_SECONDS_MAX: u32 = 129_600;
/// Seconds of a session of the root identity, at most.
pub const ROOT_SESSION_SECONDS_MAX: u32 = 3_600;
/// Managed policies of one session.
pub const SESSION_POLICIES_MAX: usize = 10;
/// Bytes of a session token that is looked at.
pub const SESSION_TOKEN_BYTES_MAX: usize = 32 * 1024;
/// Sessions whose tokens need not be opened again.
pub const SESSIONS_REMEMBERED: usize = 4_096;
/// How often a host of a shared store asks whether another one changed users, roles or policies.
pub const IDENTITIES_LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
/// How often it is written down when access keys were last used.
pub const LAST_USED_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Items of a page of IAM, unless the request says otherwise.
pub const IDENTITY_PAGE: usize = 100;
/// Items of a page of IAM, at most.
pub const IDENTITY_PAGE_MAX: u32 = 1_000;
/// Milliseconds between two uses of an access key that are told apart.
pub const LAST_USED_GRAIN_MILLIS: u64 = 10_000;
