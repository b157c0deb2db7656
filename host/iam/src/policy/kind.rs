//! What a policy is attached to.

use pawl_core::limits;

/// What a policy is attached to, which decides what may stand in it, and what it counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// A secret: it names principals, and knows the actions of Secrets Manager only.
    Secret,
    /// A key of KMS: nobody uses the key whom its policy does not let in.
    Key,
    /// A function of Lambda.
    Function,
    /// A role: who may assume it. It has no resource, which is the role.
    Trust,
    /// A user, a group or a role; or it is a boundary, or a session's. It names no principal, which is its bearer.
    Identity,
}

impl PolicyKind {
    /// The service whose actions alone can stand in it.
    pub(super) const fn service(self) -> Option<&'static str> {
        match self {
            Self::Secret => Some("secretsmanager"),
            Self::Key => Some("kms"),
            Self::Function => Some("lambda"),
            Self::Trust => Some("sts"),
            Self::Identity => None,
        }
    }

    /// Whether an action is refused to whom the policy does not allow it, whatever his own policies say (user guide,
    /// "Policy evaluation logic": trust policies and key policies are the exceptions).
    #[must_use]
    pub const fn must_allow(self) -> bool {
        matches!(self, Self::Key | Self::Trust)
    }

    /// Characters of the longest that is read at all. What AWS's quotas allow of an identity's is for the caller to ask.
    pub(super) const fn chars_max(self) -> usize {
        match self {
            Self::Secret | Self::Function => limits::POLICY_CHARS_MAX,
            Self::Key => limits::KEY_POLICY_CHARS_MAX,
            Self::Trust | Self::Identity => limits::IAM_POLICY_CHARS_MAX,
        }
    }

    /// Whether a Sid may hold this beside letters and digits: the default policy of a key has blanks in its Sid.
    pub(super) const fn sid_may_hold(self, c: char) -> bool {
        match self {
            Self::Key => matches!(c, ' ' | '-' | '_' | '.' | ',' | '\''),
            Self::Function => matches!(c, '-' | '_'),
            Self::Secret | Self::Trust | Self::Identity => false,
        }
    }
}
