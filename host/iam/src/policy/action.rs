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

/// An action that is asked for: `service:Name`.
#[derive(Clone, Copy)]
pub(super) struct ActionName<'a> {
    service: &'a str,
    name: &'a str,
}

impl<'a> ActionName<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        text.split_once(':').map(|(service, name)| Self { service, name })
    }
}

/// An action, or many of them. Neither the service nor the name has a case (user guide, "Action").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActionPattern {
    /// None is every service.
    service: Option<Box<str>>,
    names: Names,
}

/// Names of a service's actions. Actions are compared first of all, and nearly all patterns are of the first three forms.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    All,
    One(Box<str>),
    Start(Box<str>),
    Like(Pattern),
}

impl Names {
    /// Names hold no variables in any version.
    fn compile(text: &str) -> Result<Self, Fault> {
        let has_wildcards = |text: &str| text.contains(['*', '?']);
        Ok(match text.strip_suffix('*') {
            Some("") => Self::All,
            Some(start) if !has_wildcards(start) => Self::Start(start.into()),
            None if !has_wildcards(text) => Self::One(text.into()),
            _ => Self::Like(Pattern::compile(text, Syntax { wildcards: true, variables: false })?),
        })
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(held) => held.eq_ignore_ascii_case(name),
            Self::Start(held) => name.get(..held.len()).is_some_and(|start| held.eq_ignore_ascii_case(start)),
            Self::Like(pattern) => pattern.matches(name, Case::Ascii, &ConditionContext::default()),
        }
    }
}

impl ActionPattern {
    pub(super) fn parse(text: &str, kind: PolicyKind) -> Result<Self, Fault> {
        let wrong = || Fault::Action(excerpt(text), kind.service().unwrap_or("SERVICE"));
        let foreign = || Fault::ForeignAction(excerpt(text), kind.service().unwrap_or_default());
        if text == "*" && kind == PolicyKind::Trust {
            return Err(foreign());
        }
        if text == "*" {
            return Ok(Self { service: None, names: Names::All });
        }
        let (service, name) = text.split_once(':').ok_or_else(wrong)?;
        let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'*' | b'?' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(letter) {
            return Err(wrong());
        }
        if service == "*" && name == "*" && kind != PolicyKind::Trust {
            return Ok(Self { service: None, names: Names::All });
        }
        if service.is_empty() || !service.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return Err(wrong());
        }
        if kind.service().is_some_and(|ours| !service.eq_ignore_ascii_case(ours)) {
            return Err(foreign());
        }
        let action = Self { service: Some(service.into()), names: Names::compile(name)? };
        if kind == PolicyKind::Trust && !ASSUMING.iter().any(|operation| action.names.has(operation)) {
            return Err(foreign());
        }
        Ok(action)
    }

    /// Whether an action is one of these.
    pub(super) fn matches(&self, action: ActionName<'_>) -> bool {
        let same = |held: &str| held.eq_ignore_ascii_case(action.service);
        self.service.as_deref().is_none_or(same) && self.names.has(action.name)
    }

    /// Whether any operation is one of these.
    pub(super) fn is_known(&self) -> bool {
        OPERATIONS.iter().any(|operation| self.names.has(operation))
    }
}
