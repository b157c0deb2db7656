//! What a statement lets be done: its `Action` or `NotAction`.

use super::context::ConditionContext;
use super::error::{Fault, excerpt};
use super::kind::PolicyKind;
use super::pattern::{Case, Pattern, Syntax};

/// The operations of Secrets Manager (botocore's model 2017-10-17, 1.44.5).
pub(super) const OPERATIONS: [&str; 26] = [
    "AssociateCrossAccountReplica",
    "BatchGetSecretValue",
    "CancelRotateSecret",
    "CreateSecret",
    "DeleteResourcePolicy",
    "DeleteSecret",
    "DescribeSecret",
    "DisassociateCrossAccountReplica",
    "GetRandomPassword",
    "GetResourcePolicy",
    "GetSecretValue",
    "ListResourcePolicies",
    "ListSecretVersionIds",
    "ListSecrets",
    "PutResourcePolicy",
    "PutSecretValue",
    "RemoveRegionsFromReplication",
    "ReplicateSecretToRegions",
    "RestoreSecret",
    "RotateSecret",
    "StopReplicationToReplica",
    "TagResource",
    "UntagResource",
    "UpdateSecret",
    "UpdateSecretVersionStage",
    "ValidateResourcePolicy",
];

/// What the trust policy of a role may be about (user guide, "Role trust policies").
const ASSUMING: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "SetContext",
    "SetSourceIdentity",
    "TagSession",
];

/// An action, or many of them. Neither the service nor the name has a case (user guide, "Action").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActionPattern {
    /// None is every service.
    service: Option<Box<str>>,
    name: Pattern,
}

impl ActionPattern {
    pub(super) fn parse(text: &str, kind: PolicyKind) -> Result<Self, Fault> {
        let wrong = || Fault::Action(excerpt(text), kind.service().unwrap_or("SERVICE"));
        let foreign = || Fault::ForeignAction(excerpt(text), kind.service().unwrap_or_default());
        if text == "*" && kind == PolicyKind::Trust {
            return Err(foreign());
        }
        if text == "*" {
            return Ok(Self { service: None, name: compile("*")? });
        }
        let (service, name) = text.split_once(':').ok_or_else(wrong)?;
        let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'*' | b'?' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(letter) {
            return Err(wrong());
        }
        if service == "*" && name == "*" && kind != PolicyKind::Trust {
            return Ok(Self { service: None, name: compile("*")? });
        }
        if service.is_empty() || !service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return Err(wrong());
        }
        if kind.service().is_some_and(|ours| !service.eq_ignore_ascii_case(ours)) {
            return Err(foreign());
        }
        let action = Self { service: Some(service.into()), name: compile(name)? };
        if kind == PolicyKind::Trust && !ASSUMING.iter().any(|operation| action.matches_name(operation)) {
            return Err(foreign());
        }
        Ok(action)
    }

    /// Whether an action, `service:Name`, is one of these.
    pub(super) fn matches(&self, action: &str) -> bool {
        let Some((service, name)) = action.split_once(':') else {
            return false;
        };
        let same = self.service.as_deref().is_none_or(|held| held.eq_ignore_ascii_case(service));
        same && self.matches_name(name)
    }

    /// Whether any operation is one of these.
    pub(super) fn is_known(&self) -> bool {
        OPERATIONS.iter().any(|operation| self.matches_name(operation))
    }

    fn matches_name(&self, name: &str) -> bool {
        self.name.is_everything() || self.name.matches(name, Case::Ascii, &ConditionContext::default())
    }
}

/// Names hold no variables in any version.
fn compile(name: &str) -> Result<Pattern, Fault> {
    Pattern::compile(name, Syntax { wildcards: true, variables: false })
}
