//! Policies in AWS's language: what a text allows and denies, to whom, and when.
//!
//! [`PolicyDocument::parse_as`] compiles a text once; [`PolicyDocument::decide`] answers for a request with nothing but
//! comparisons. What several policies together mean is [`crate::decision`]'s.
//!
//! Why this is not a crate from the registry: `docs/adr/0006-own-policies.md`.

mod action;
mod arn;
mod condition;
mod context;
mod error;
mod finding;
mod json;
mod kind;
mod operator;
mod parse;
mod pattern;
mod principal;
mod publicity;
mod resource;
mod scalar;
mod sentence;
mod statement;
mod who;

use std::collections::BTreeMap;
use std::fmt;

pub use context::{ConditionContext, ContextValue};
pub use error::{Fault, Place, PolicyError};
pub use finding::{Check, Finding};
pub use kind::PolicyKind;
pub use principal::{Principal, PrincipalKind};
pub use who::Grant;

use action::ActionName;
use condition::Truth;
use statement::{Effect, Statement};
use who::Name;

#[cfg(test)]
mod tests;

/// A policy, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    kind: PolicyKind,
    statements: Box<[Statement]>,
    /// Its version is 2012-10-17.
    is_of_2012: bool,
    /// It looks as though it had variables, which its version does not know.
    has_unread_variables: bool,
}

impl AsRef<Self> for PolicyDocument {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// How many characters a policy's text counts for IAM's quotas, which are in [`pawl_core::limits`]: white space does not.
#[must_use]
pub fn quota_chars(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// What: `secretsmanager:GetSecretValue`.
    pub action: &'a str,
    /// The resource's ARN; `*` for an action that has none.
    pub resource: &'a str,
    /// What else is known of the request.
    pub context: &'a ConditionContext<'a>,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'p> {
    /// Nothing.
    NoStatement,
    /// It is allowed.
    Allowed {
        /// The statement that names the caller most closely.
        by: StatementName<'p>,
        /// How it names him.
        grant: Grant,
    },
    /// It is denied, whatever else allows it.
    Denied {
        /// The first statement that denies it.
        by: StatementName<'p>,
    },
}

/// Which statement: by its Sid where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementName<'p> {
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its Sid.
    pub sid: Option<&'p str>,
}

impl fmt::Display for StatementName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sid {
            Some(sid) if !sid.is_empty() => write!(f, "Statement[{}] ({sid})", self.index),
            _ => write!(f, "Statement[{}]", self.index),
        }
    }
}

impl PolicyDocument {
    /// Reads a policy that is to be attached to a secret.
    ///
    /// # Errors
    /// When it is not one, with the place of the first fault.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(PolicyKind::Secret, text)
    }

    /// Reads a policy of a user, a group or a role, a boundary, or a session's policy.
    ///
    /// # Errors
    /// When it is not one, with the place of the first fault.
    pub fn parse_identity(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(PolicyKind::Identity, text)
    }

    /// A policy that denies everything: what stands in the place of one that cannot be read.
    #[must_use]
    pub fn denying_all() -> Self {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
        let nothing = Self {
            kind: PolicyKind::Identity,
            statements: Box::default(),
            is_of_2012: true,
            has_unread_variables: false,
        };
        Self::parse_identity(text).unwrap_or(nothing)
    }

    /// Reads a role's policy on who may assume it.
    ///
    /// # Errors
    /// When it is not one, with the place of the first fault.
    pub fn parse_trust(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(PolicyKind::Trust, text)
    }

    /// Reads a policy that is to be attached to a key.
    ///
    /// # Errors
    /// When it is not one, with the place of the first fault.
    pub fn parse_key(text: &str) -> Result<Self, PolicyError> {
        Self::parse_as(PolicyKind::Key, text)
    }

    /// Reads a policy of any kind.
    ///
    /// # Errors
    /// When it is not one, with the place of the first fault.
    pub fn parse_as(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        parse::document(text, kind)
    }

    /// What it is attached to.
    #[must_use]
    pub const fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// Whether its version is 2012-10-17, as that of a managed policy must be.
    #[must_use]
    pub const fn is_of_2012(&self) -> bool {
        self.is_of_2012
    }

    /// Whether any statement looks at a request's context: where none does, it may be left empty.
    #[must_use]
    pub fn asks_context(&self) -> bool {
        self.statements.iter().any(Statement::asks_context)
    }

    /// What the policy says of a request. A statement that denies wins over any that allows.
    ///
    /// A statement whose conditions cannot be decided, as a value of the request is not of the kind that is compared,
    /// denies if it is one that denies, and does not allow if it is one that allows.
    #[must_use]
    pub fn decide(&self, request: &AccessRequest<'_>) -> Verdict<'_> {
        let asked = ActionName::parse(request.action);
        let mut allowed: Option<(StatementName<'_>, Grant)> = None;
        for (by, statement) in self.named() {
            match (statement.effect, statement.speaks_of(request, asked)) {
                (_, (Truth::No, _)) | (Effect::Allow, (Truth::Unknown, _)) => {}
                (Effect::Deny, (Truth::Yes | Truth::Unknown, _)) => return Verdict::Denied { by },
                (Effect::Allow, (Truth::Yes, grant)) => {
                    if allowed.is_none_or(|(_, held)| grant > held) {
                        allowed = Some((by, grant));
                    }
                }
            }
        }
        allowed.map_or(Verdict::NoStatement, |(by, grant)| Verdict::Allowed { by, grant })
    }

    /// Whether the policy lets in everyone: what `BlockPublicPolicy` refuses.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.public_statement().is_some()
    }

    /// The first statement that lets in everyone.
    #[must_use]
    pub fn public_statement(&self) -> Option<StatementName<'_>> {
        self.named().find(|(_, statement)| publicity::is_public(statement)).map(|(name, _)| name)
    }

    /// What is wrong with the policy, though it can be read: what `ValidateResourcePolicy` tells.
    ///
    /// With a request, it is also looked at whether its principal could no longer change the policy, and whether the
    /// statements speak of its resource. The request's action does not matter.
    #[must_use]
    pub fn findings(&self, author: Option<&AccessRequest<'_>>) -> Vec<Finding> {
        finding::all(self, author)
    }

    /// The ARNs of users, roles and sessions that it names as principals.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        let names = self.statements.iter().flat_map(|statement| statement.who.listed());
        names.filter_map(|name| match name {
            Name::Arn { arn, .. } => Some(&**arn),
            _ => None,
        })
    }

    /// The same, about the users and roles of these unique ids where it names them by these ARNs: whoever has such an ARN later is
    /// somebody else.
    #[must_use]
    pub fn bound(mut self, ids: &BTreeMap<String, String>) -> Self {
        for name in self.statements.iter_mut().flat_map(|statement| statement.who.listed_mut()) {
            if let Name::Arn { arn, id } = name {
                *id = ids.get(&**arn).map(|id| id.as_str().into());
            }
        }
        self
    }

    fn named(&self) -> impl Iterator<Item = (StatementName<'_>, &Statement)> {
        self.statements
            .iter()
            .enumerate()
            .map(|(index, statement)| (StatementName { index, sid: statement.sid.as_deref() }, statement))
    }
}
