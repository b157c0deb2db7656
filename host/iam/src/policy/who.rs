//! Whom a statement speaks of: its `Principal` or `NotPrincipal`.

use super::error::{At, Fault, PolicyError, excerpt};
use super::json::Json;
use super::principal::{Principal, PrincipalKind};

/// How a statement that allows has named the caller, weakest first.
///
/// Policies of identities, boundaries and sessions, where there are any, weigh these differently: an account that is
/// named may hand the permission on, which is not enough for its users by itself, and what a role is given is within
/// its boundary. Everyone is each session by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// By its account.
    Account,
    /// By its role, or the identity provider through which it came.
    Role,
    /// As everyone.
    Everyone,
    /// As itself.
    Itself,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Only(Box<[Name]>),
    AllBut(Box<[Name]>),
    /// Whomever the policy is attached to.
    Bearer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Everyone,
    Account {
        partition: Box<str>,
        id: Box<str>,
    },
    /// A user, a role or a session.
    Arn {
        arn: Box<str>,
        /// Which user or role of that ARN, where it is known: then it is no other that has the ARN later.
        id: Option<Box<str>>,
    },
    Service(Box<str>),
    Provider(Box<str>),
    /// S3's kind of principal. Never a caller's.
    CanonicalUser,
}

impl Who {
    /// How the statement has named this caller, if it has.
    pub(super) fn names(&self, caller: &Principal) -> Option<Grant> {
        match self {
            Self::Only(names) => names.iter().filter_map(|name| name.is(caller)).max(),
            Self::AllBut(names) => (!exempts(names, caller)).then_some(Grant::Everyone),
            Self::Bearer => Some(Grant::Itself),
        }
    }

    /// The names in it.
    pub(super) const fn listed(&self) -> &[Name] {
        match self {
            Self::Only(names) | Self::AllBut(names) => names,
            Self::Bearer => &[],
        }
    }

    /// As [`Who::listed`].
    pub(super) const fn listed_mut(&mut self) -> &mut [Name] {
        match self {
            Self::Only(names) | Self::AllBut(names) => names,
            Self::Bearer => &mut [],
        }
    }

    /// Whether it names everyone.
    pub(super) fn is_everyone(&self) -> bool {
        matches!(self, Self::Only(names) if names.contains(&Name::Everyone))
    }
}

/// AWS compares `NotPrincipal` with each level of a caller: its account, then the role or the user, then the session.
/// Who is not named at every level is denied (user guide, "NotPrincipal": the account's ARN must be there too).
fn exempts(names: &[Name], caller: &Principal) -> bool {
    let has = |grant| names.iter().any(|name| name.is(caller) == Some(grant));
    if names.contains(&Name::Everyone) {
        return true;
    }
    match caller.kind() {
        PrincipalKind::Root | PrincipalKind::Service => has(Grant::Itself),
        PrincipalKind::Federated => has(Grant::Role),
        PrincipalKind::User => has(Grant::Itself) && has(Grant::Account),
        PrincipalKind::Session => has(Grant::Itself) && has(Grant::Role) && has(Grant::Account),
    }
}

impl Name {
    fn is(&self, caller: &Principal) -> Option<Grant> {
        match self {
            // A provider's token opens nothing that does not name the provider: `*` denies him, and does not let him in.
            Self::Everyone if caller.kind() == PrincipalKind::Federated => Some(Grant::Account),
            Self::Everyone => Some(Grant::Everyone),
            Self::Account { partition, id } => {
                let same =
                    &**partition == "aws" && caller.account().is_some_and(|held| held.as_str() == &**id);
                let root = caller.kind() == PrincipalKind::Root;
                same.then_some(if root { Grant::Itself } else { Grant::Account })
            }
            Self::Arn { id: Some(id), .. } => {
                let grant = if caller.kind() == PrincipalKind::Session { Grant::Role } else { Grant::Itself };
                (caller.id() == Some(id)).then_some(grant)
            }
            Self::Arn { arn, id: None } if **arn == *caller.name() => Some(Grant::Itself),
            Self::Arn { arn, id: None } => (caller.role() == Some(arn)).then_some(Grant::Role),
            Self::Service(name) => {
                let service = caller.kind() == PrincipalKind::Service;
                (service && caller.name() == &**name).then_some(Grant::Itself)
            }
            Self::Provider(name) => (caller.provider() == Some(name)).then_some(Grant::Role),
            Self::CanonicalUser => None,
        }
    }
}

const KINDS: &str = "AWS, Service, Federated, CanonicalUser";

/// Reads `"*"`, or an object of lists.
pub(super) fn parse(value: &Json, at: &At<'_>) -> Result<Box<[Name]>, PolicyError> {
    let members = match value {
        Json::Text(text) if text == "*" => return Ok([Name::Everyone].into()),
        Json::Text(text) => return Err(at.fault(Fault::Principal(excerpt(text)))),
        Json::Object(members) => members,
        other => return Err(at.fault(Fault::Principal(other.kind().to_owned()))),
    };
    let mut names = Vec::new();
    for (kind, listed) in members {
        let at = at.member(kind);
        let read = match kind.as_str() {
            "AWS" => aws,
            "Service" => service,
            "Federated" => provider,
            "CanonicalUser" => canonical_user,
            _ => return Err(at.fault(Fault::UnknownMember(excerpt(kind), KINDS))),
        };
        if listed.items().is_empty() {
            return Err(at.fault(Fault::Empty));
        }
        for (index, item) in listed.items().iter().enumerate() {
            let at = if matches!(listed, Json::List(_)) { at.index(index) } else { at };
            let Json::Text(text) = item else {
                return Err(at.fault(Fault::Kind { expected: "a string", found: item.kind() }));
            };
            names.push(read(text).map_err(|fault| at.fault(fault))?);
        }
    }
    if names.is_empty() { Err(at.fault(Fault::Empty)) } else { Ok(names.into()) }
}

fn aws(text: &str) -> Result<Name, Fault> {
    let wrong = || Fault::AwsPrincipal(excerpt(text));
    if text == "*" {
        return Ok(Name::Everyone);
    }
    if text.contains(['*', '?']) {
        return Err(Fault::PrincipalWildcard(excerpt(text)));
    }
    if is_account(text) {
        return Ok(Name::Account { partition: "aws".into(), id: text.into() });
    }
    let mut parts = text.splitn(6, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) =
        (part(), part(), part(), part(), part(), part());
    if arn != "arn" || !is_partition(partition) || !region.is_empty() || !is_account(account) {
        return Err(wrong());
    }
    if service == "iam" && resource == "root" {
        return Ok(Name::Account { partition: partition.into(), id: account.into() });
    }
    // Characters: AWS's models of IAM and STS.
    let named = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    let (kind, name) = resource.split_once('/').ok_or_else(wrong)?;
    let levels = name.split('/').count();
    let known = match (service, kind) {
        ("iam", "user" | "role") | ("sts", "federated-user") => true,
        ("sts", "assumed-role") => levels == 2,
        _ => false,
    };
    let whole = name.chars().all(named) && name.split('/').all(|level| !level.is_empty());
    if known && whole { Ok(Name::Arn { arn: text.into(), id: None }) } else { Err(wrong()) }
}

fn service(text: &str) -> Result<Name, Fault> {
    if is_domain(text) {
        Ok(Name::Service(text.into()))
    } else {
        Err(Fault::OtherPrincipal(excerpt(text), "a service, such as lambda.amazonaws.com"))
    }
}

fn provider(text: &str) -> Result<Name, Fault> {
    let arn = text.starts_with("arn:aws")
        && (text.contains(":saml-provider/") || text.contains(":oidc-provider/"))
        && !text.contains(['*', '?']);
    if arn || is_domain(text) {
        Ok(Name::Provider(text.into()))
    } else {
        Err(Fault::OtherPrincipal(excerpt(text), "an identity provider: its ARN, or its domain"))
    }
}

fn canonical_user(text: &str) -> Result<Name, Fault> {
    if text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        Ok(Name::CanonicalUser)
    } else {
        Err(Fault::OtherPrincipal(excerpt(text), "a canonical user, which has 64 hexadecimal digits"))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit())
}

/// `aws`, `aws-cn`, `aws-us-gov` and their like.
fn is_partition(text: &str) -> bool {
    text.starts_with("aws") && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'-')
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
    };
    text.contains('.') && text.split('.').all(label)
}
