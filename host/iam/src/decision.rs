//! What several policies together mean for a request: AWS's evaluation logic.
//!
//! The rules are those of the IAM user guide's "How AWS enforcement code logic evaluates requests to allow or deny access" and
//! "Policy evaluation for requests within a single account":
//!
//! 1. A denial in any policy wins.
//! 2. A policy of the resource that names the user, the very session or everyone is enough by itself; no boundary and no
//!    session's policy limits it. One that names the role of a session does without the role's own policies, within its
//!    boundary and the session's policy. One that names the account leaves the matter to the policies of identities.
//! 3. Otherwise the identity's policies, its boundary and its session's policy must all allow it.
//!
//! The account's root needs no policy of an identity. A key and a role let in only whom their own policy names, even him. From
//! another account, both sides must allow it.

use std::fmt;

use crate::policy::{Grant, PolicyDocument, PolicyKind, Principal, PrincipalKind, StatementName, Verdict};

pub use crate::policy::AccessRequest as Request;

/// The policies that apply to a request.
///
/// `P` is how the identity's are held: `&PolicyDocument`, `Arc<PolicyDocument>`, or the document itself.
#[derive(Debug)]
pub struct Policies<'a, P = &'a PolicyDocument> {
    /// Those of the user and of the user's groups, or of the role, inline and attached.
    pub identity: &'a [P],
    /// The boundary of the user or of the role.
    pub boundary: Option<&'a PolicyDocument>,
    /// What the session was begun with.
    pub session: Option<&'a PolicyDocument>,
    /// That of the resource: a secret's, a key's, a function's, or the trust policy of a role that is assumed.
    pub resource: Option<&'a PolicyDocument>,
}

impl<P> Default for Policies<'_, P> {
    fn default() -> Self {
        Self { identity: &[], boundary: None, session: None, resource: None }
    }
}

/// Which of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyType {
    /// One of the identity's.
    Identity,
    /// Its boundary.
    Boundary,
    /// Its session's.
    Session,
    /// The resource's.
    Resource,
    /// The trust policy of the role that is assumed.
    Trust,
}

impl PolicyType {
    /// AWS's name for it.
    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
        }
    }

    const fn article(self) -> &'static str {
        match self {
            Self::Identity => "an",
            Self::Boundary | Self::Session | Self::Resource => "a",
            Self::Trust => "the",
        }
    }

    const fn of(document: &PolicyDocument) -> Self {
        match document.kind() {
            PolicyKind::Trust => Self::Trust,
            PolicyKind::Secret | PolicyKind::Key | PolicyKind::Function | PolicyKind::Identity => {
                Self::Resource
            }
        }
    }
}

/// A statement of one of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Which policy.
    pub policy: PolicyType,
    /// Which of the identity's policies, from 0; 0 for others.
    pub index: usize,
    /// Its statement.
    pub statement: StatementName<'a>,
}

/// Whether a request is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It is, by this statement; by none for the root of the account.
    Allowed(Option<Source<'a>>),
    /// It is not.
    Denied(Denial<'a>),
}

impl Decision<'_> {
    /// Whether it is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Who may not do what, and why. `Display` is AWS's sentence ("Troubleshoot access denied error messages").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial<'a> {
    /// The caller's ARN, or a service's name.
    pub principal: &'a str,
    /// What was asked for: `secretsmanager:GetSecretValue`.
    pub action: &'a str,
    /// On what, as the sentence is to tell it: not necessarily the ARN.
    pub resource: Option<&'a str>,
    /// Why.
    pub reason: Reason<'a>,
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// This statement denies it.
    ExplicitDeny(Source<'a>),
    /// Policies of this type would have to allow it, and do not.
    NotAllowed(PolicyType),
}

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User: {} is not authorized to perform: {}", self.principal, self.action)?;
        if let Some(resource) = self.resource {
            write!(f, " on resource: {resource}")?;
        }
        match self.reason {
            Reason::ExplicitDeny(Source { policy, .. }) => {
                write!(f, " with an explicit deny in {} {}", policy.article(), policy.name())
            }
            Reason::NotAllowed(policy) => {
                write!(f, " because no {} allows the {} action", policy.name(), self.action)
            }
        }
    }
}

/// Decides a request. It is denied unless the policies allow it.
#[must_use]
pub fn decide<'a, P: AsRef<PolicyDocument>>(
    request: &Request<'a>,
    policies: &Policies<'a, P>,
) -> Decision<'a> {
    match weigh(request, policies) {
        Ok(source) => Decision::Allowed(source),
        Err(reason) => Decision::Denied(Denial {
            principal: request.principal.name(),
            action: request.action,
            resource: told(request),
            reason,
        }),
    }
}

/// Secrets Manager tells no resource where there is none; other services tell a star.
fn told<'a>(request: &Request<'a>) -> Option<&'a str> {
    let none = request.resource == "*" && request.action.starts_with("secretsmanager:");
    (!none).then_some(request.resource)
}

fn weigh<'a, P: AsRef<PolicyDocument>>(
    request: &Request<'a>,
    policies: &Policies<'a, P>,
) -> Result<Option<Source<'a>>, Reason<'a>> {
    let principal = request.principal;
    // Every policy is asked before any allows: a denial wins.
    let identity = identity(request, policies.identity)?;
    let boundary = limit(PolicyType::Boundary, policies.boundary, request)?;
    let session = limit(PolicyType::Session, policies.session, request)?;
    let limit = boundary.or(session);
    let resource = resource(request, policies.resource)?;

    let is_foreign = is_foreign(principal, request.resource);
    if let Some((grant, source)) = resource.filter(|_| !is_foreign) {
        match grant {
            Grant::Itself | Grant::Everyone => return Ok(Some(source)),
            Grant::Role => return limit.map_or(Ok(Some(source)), |limit| Err(Reason::NotAllowed(limit))),
            Grant::Account => {}
        }
    }
    let must_allow = is_foreign
        || principal.kind() == PrincipalKind::Service
        || policies.resource.is_some_and(|document| document.kind().must_allow());
    if must_allow && resource.is_none() {
        let silent = policies.resource.map_or(PolicyType::Resource, PolicyType::of);
        return Err(Reason::NotAllowed(silent));
    }
    if identity.is_none() && principal.kind() != PrincipalKind::Root {
        return Err(Reason::NotAllowed(PolicyType::Identity));
    }
    limit.map_or(Ok(identity), |limit| Err(Reason::NotAllowed(limit)))
}

/// The first statement of an identity's policies that allows it.
fn identity<'a, P: AsRef<PolicyDocument>>(
    request: &Request<'_>,
    documents: &'a [P],
) -> Result<Option<Source<'a>>, Reason<'a>> {
    let mut allowed = None;
    for (index, document) in documents.iter().enumerate() {
        let source = |statement| Source { policy: PolicyType::Identity, index, statement };
        match document.as_ref().decide(request) {
            Verdict::NoStatement => {}
            Verdict::Allowed { by, .. } => allowed = allowed.or_else(|| Some(source(by))),
            Verdict::Denied { by } => return Err(Reason::ExplicitDeny(source(by))),
        }
    }
    Ok(allowed)
}

/// The policy's type, when it is there and does not allow it.
fn limit<'a>(
    policy: PolicyType,
    document: Option<&'a PolicyDocument>,
    request: &Request<'_>,
) -> Result<Option<PolicyType>, Reason<'a>> {
    match document.map(|document| document.decide(request)) {
        None | Some(Verdict::Allowed { .. }) => Ok(None),
        Some(Verdict::NoStatement) => Ok(Some(policy)),
        Some(Verdict::Denied { by: statement }) => {
            Err(Reason::ExplicitDeny(Source { policy, index: 0, statement }))
        }
    }
}

/// How the resource's policy names the caller, if it allows it.
fn resource<'a>(
    request: &Request<'_>,
    document: Option<&'a PolicyDocument>,
) -> Result<Option<(Grant, Source<'a>)>, Reason<'a>> {
    let Some(document) = document else { return Ok(None) };
    let source = |statement| Source { policy: PolicyType::of(document), index: 0, statement };
    match document.decide(request) {
        Verdict::NoStatement => Ok(None),
        Verdict::Allowed { by, grant } => Ok(Some((grant, source(by)))),
        Verdict::Denied { by } => Err(Reason::ExplicitDeny(source(by))),
    }
}

/// Whether the resource is another account's than the caller's. Services belong to none, and AWS's own managed policies are
/// everybody's (`arn:aws:iam::aws:policy/..`).
fn is_foreign(principal: &Principal, resource: &str) -> bool {
    let is_account = |owner: &&str| owner.len() == 12 && owner.bytes().all(|c| c.is_ascii_digit());
    let owner = resource.split(':').nth(4).filter(is_account);
    owner.zip(principal.account()).is_some_and(|(owner, account)| owner != account.as_str())
}

#[cfg(test)]
mod tests;
