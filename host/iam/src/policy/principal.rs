//! Who makes a request.

use pawl_core::names::AccountId;

use super::context::ConditionContext;

/// Who makes a request, as policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    kind: PrincipalKind,
    account: Option<AccountId>,
    /// An ARN; a service's name for a service.
    name: Box<str>,
    /// The ARN of the role of a session.
    role: Option<Box<str>>,
    /// The identity provider through which a session came.
    provider: Option<Box<str>>,
    /// What tells the user, or the role of a session, from others that had its name before or have it later.
    id: Option<Box<str>>,
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// A user of IAM.
    User,
    /// A session of a role.
    Session,
    /// A service: `secretsmanager.amazonaws.com`.
    Service,
    /// Somebody whom an identity provider vouches for, and who has no credentials yet.
    Federated,
}

impl Principal {
    /// The root of an account.
    #[must_use]
    pub fn root(account: &AccountId) -> Self {
        Self::new(PrincipalKind::Root, Some(account), format!("arn:aws:iam::{account}:root"))
    }

    /// A user, by name, with his path before it: `ops/writer`.
    #[must_use]
    pub fn user(account: &AccountId, name: &str) -> Self {
        Self::new(PrincipalKind::User, Some(account), format!("arn:aws:iam::{account}:user/{name}"))
    }

    /// A session of a role, whose name has its path before it.
    #[must_use]
    pub fn session(account: &AccountId, role: &str, session: &str) -> Self {
        let name = role.rsplit('/').next().unwrap_or(role);
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        let role = format!("arn:aws:iam::{account}:role/{role}");
        Self { role: Some(role.into()), ..Self::new(PrincipalKind::Session, Some(account), arn) }
    }

    /// A service, by its name: `secretsmanager.amazonaws.com`.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::new(PrincipalKind::Service, None, name.to_owned())
    }

    /// Whoever has a token of an identity provider, by the provider's ARN. No policy can name him but by the provider.
    #[must_use]
    pub fn federated(provider: &str) -> Self {
        Self::new(PrincipalKind::Federated, None, "web identity".to_owned()).through(provider)
    }

    /// The same, having come through an identity provider: its ARN, or its domain.
    #[must_use]
    pub fn through(self, provider: &str) -> Self {
        Self { provider: Some(provider.into()), ..self }
    }

    /// The same, known by the unique id of the user or of the session's role.
    #[must_use]
    pub fn identified(self, id: &str) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    fn new(kind: PrincipalKind, account: Option<&AccountId>, name: String) -> Self {
        Self { kind, account: account.cloned(), name: name.into(), role: None, provider: None, id: None }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The account that it belongs to; a service belongs to none.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// The ARN of this very principal: of the session, not of its role. A service has its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ARN of the role, for a session.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The identity provider through which it came.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The unique id of the user, or of the session's role.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// A context that holds what follows from the principal alone, to which the request's own values can be added.
    ///
    /// `aws:PrincipalArn` is a role's for its sessions, and `aws:username` a user's only (AWS's "Global condition
    /// context keys").
    #[must_use]
    pub fn context(&self) -> ConditionContext<'_> {
        let mut context = ConditionContext::with_room();
        context.push("aws:PrincipalIsAWSService", self.kind == PrincipalKind::Service);
        if let Some(provider) = self.provider() {
            context.push("aws:FederatedProvider", provider);
        }
        match self.kind {
            PrincipalKind::Service => {
                context.push("aws:PrincipalServiceName", self.name());
                return context;
            }
            PrincipalKind::Federated => return context,
            PrincipalKind::Root => context.push("aws:PrincipalType", "Account"),
            PrincipalKind::Session => context.push("aws:PrincipalType", "AssumedRole"),
            PrincipalKind::User => {
                context.push("aws:PrincipalType", "User");
                context.push("aws:username", self.name.rsplit('/').next().unwrap_or_default());
            }
        }
        context.push("aws:PrincipalArn", self.role().unwrap_or(&self.name));
        if let Some(account) = &self.account {
            context.push("aws:PrincipalAccount", account.as_str());
        }
        context
    }
}
