//! The policy's door, and the record of who went through it.

use std::borrow::Cow;

use pawl_core::arn::SecretId;
use pawl_core::names::{Label, SecretName, VersionId};
use pawl_core::secret::Tag;
use pawl_iam::decision::{Decision, Denial, Policies, decide};
use pawl_iam::policy::{AccessRequest, ConditionContext, PolicyDocument, Principal, Verdict};

use crate::app::App;
use crate::cache::{Held, Policy};
use crate::error::AppError;
use crate::identity::{Caller, Identity, Standing};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $policy:literal;)*) => {
        /// What a caller wants to do; AWS's names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// The action as policies spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $policy,)* }
            }

            /// Its own name, without the service's.
            #[must_use]
            pub const fn short_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

actions! {
    /// The operation of this name.
    AssociateCrossAccountReplica = "secretsmanager:AssociateCrossAccountReplica";
    /// The operation of this name.
    BatchGetSecretValue = "secretsmanager:BatchGetSecretValue";
    /// The operation of this name.
    CancelRotateSecret = "secretsmanager:CancelRotateSecret";
    /// The operation of this name.
    CreateSecret = "secretsmanager:CreateSecret";
    /// The operation of this name.
    DeleteResourcePolicy = "secretsmanager:DeleteResourcePolicy";
    /// The operation of this name.
    DeleteSecret = "secretsmanager:DeleteSecret";
    /// The operation of this name.
    DescribeSecret = "secretsmanager:DescribeSecret";
    /// The operation of this name.
    DisassociateCrossAccountReplica = "secretsmanager:DisassociateCrossAccountReplica";
    /// The operation of this name.
    GetRandomPassword = "secretsmanager:GetRandomPassword";
    /// The operation of this name.
    GetResourcePolicy = "secretsmanager:GetResourcePolicy";
    /// The operation of this name.
    GetSecretValue = "secretsmanager:GetSecretValue";
    /// The operation of this name.
    ListResourcePolicies = "secretsmanager:ListResourcePolicies";
    /// The operation of this name.
    ListSecretVersionIds = "secretsmanager:ListSecretVersionIds";
    /// The operation of this name.
    ListSecrets = "secretsmanager:ListSecrets";
    /// The operation of this name.
    PutResourcePolicy = "secretsmanager:PutResourcePolicy";
    /// The operation of this name.
    PutSecretValue = "secretsmanager:PutSecretValue";
    /// The operation of this name.
    RemoveRegionsFromReplication = "secretsmanager:RemoveRegionsFromReplication";
    /// The operation of this name.
    ReplicateSecretToRegions = "secretsmanager:ReplicateSecretToRegions";
    /// The operation of this name.
    RestoreSecret = "secretsmanager:RestoreSecret";
    /// The operation of this name.
    RotateSecret = "secretsmanager:RotateSecret";
    /// The operation of this name.
    StopReplicationToReplica = "secretsmanager:StopReplicationToReplica";
    /// The operation of this name.
    TagResource = "secretsmanager:TagResource";
    /// The operation of this name.
    UntagResource = "secretsmanager:UntagResource";
    /// The operation of this name.
    UpdateSecret = "secretsmanager:UpdateSecret";
    /// The operation of this name.
    UpdateSecretVersionStage = "secretsmanager:UpdateSecretVersionStage";
    /// The operation of this name.
    ValidateResourcePolicy = "secretsmanager:ValidateResourcePolicy";
    /// Pawl's own operation of this name.
    ListEvents = "pawl:ListEvents";
    /// Pawl's own operation of this name.
    ListFunctionLogs = "pawl:ListFunctionLogs";
    /// Noting that a value was read, after the reading was allowed.
    NoteAccess = "pawl:NoteAccess";
    /// A step of a rotation, by the rotation's own function.
    RotationStep = "pawl:RotationStep";
    /// Logging in with another secret's value, by a rotation whose function was granted it.
    RotationLogin = "secretsmanager:GetSecretValue";
    /// Purging what was scheduled for deletion.
    PurgeSecret = "pawl:PurgeSecret";
    /// Pawl's own operations: the state of the host, the development clock.
    Administer = "pawl:Administer";
}

/// A question to the policy: what is to be done, and what the request says besides that conditions may look at.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// What is to be done.
    pub action: Action,
    version: Option<&'a VersionId>,
    label: Option<&'a Label>,
    more: Vec<(Cow<'static, str>, String)>,
    /// The resource, where there is no secret yet.
    resource: Option<String>,
    /// How the caller names the resource, which a refusal repeats.
    shown: Option<String>,
}

impl From<Action> for Ask<'_> {
    fn from(action: Action) -> Self {
        Self { action, version: None, label: None, more: Vec::new(), resource: None, shown: None }
    }
}

impl<'a> Ask<'a> {
    /// Which version is meant: without either, the one with AWSCURRENT.
    #[must_use]
    pub fn about_version(mut self, version: Option<&'a VersionId>, label: Option<&'a Label>) -> Self {
        (self.version, self.label) = (version, label);
        self
    }

    /// A condition key of the request, where the request has it.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: Option<impl ToString>) -> Self {
        self.more.extend(value.map(|value| (Cow::Borrowed(key), value.to_string())));
        self
    }

    /// A condition key of the request that has several values.
    #[must_use]
    pub fn with_each(mut self, key: &'static str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.more.extend(values.into_iter().map(|value| (Cow::Borrowed(key), value.to_string())));
        self
    }

    /// On a secret that there is not, or not yet: AWS gives its ARN an end that nobody knows.
    #[must_use]
    pub(crate) fn on_unborn(mut self, app: &App, caller: &Caller, name: &SecretName) -> Self {
        let (region, account) = (&caller.region, app.account());
        let partition = region.partition();
        self.resource =
            Some(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-??????"));
        self
    }

    /// As the caller names it.
    #[must_use]
    pub(crate) fn named(mut self, id: &SecretId) -> Self {
        self.shown = Some(id.arn.clone().unwrap_or_else(|| id.name.to_string()));
        self
    }

    /// The tags that the request sets.
    #[must_use]
    pub fn with_tags(mut self, tags: &[Tag]) -> Self {
        self.more
            .extend(tags.iter().map(|tag| (format!("aws:RequestTag/{}", tag.key).into(), tag.value.clone())));
        self.with_each("aws:TagKeys", tags.iter().map(|tag| &tag.key))
    }
}

/// As what a rotation appears to the policy of another secret.
const SERVICE: &str = "secretsmanager.amazonaws.com";

/// The policy's door. The root identity may do everything that the secret's own policy does not deny; Pawl's own work what that
/// work is (ADR 7).
pub(crate) fn authorise(
    app: &App,
    caller: &Caller,
    ask: &Ask<'_>,
    held: Option<&Held>,
) -> Result<(), AppError> {
    let action = ask.action;
    if let (Standing::Principal, Some(identity)) = (caller.standing, &caller.identity) {
        return of_principal(app, caller, identity, ask, held);
    }
    let allowed = match caller.standing {
        Standing::Root => true,
        // Without an identity there is nothing that could allow it.
        Standing::Principal => false,
        Standing::Scheduler => matches!(action, Action::RotateSecret | Action::PurgeSecret),
        Standing::Rotation => matches!(action, Action::RotationStep | Action::RotationLogin),
    };
    if !allowed {
        return Err(AppError::Denied { principal: caller.principal.clone(), action, resource: None });
    }
    let asked = caller.standing == Standing::Root && !keeps_the_key(action);
    let Some(held) = held.filter(|_| asked || action == Action::RotationLogin) else {
        return Ok(());
    };
    let denied = || AppError::Denied {
        principal: caller.principal.clone(),
        action,
        resource: Some(held.secret.arn.clone()),
    };
    let policy = match &held.policy {
        Policy::None => return Ok(()),
        Policy::Unreadable => return Err(denied()),
        Policy::Document(policy) => policy,
    };
    let principal = match caller.standing {
        Standing::Root => Principal::root(app.account()),
        Standing::Scheduler | Standing::Rotation | Standing::Principal => Principal::service(SERVICE),
    };
    let context = context(app, caller, ask, held, principal.context());
    let request = AccessRequest {
        principal: &principal,
        action: action.name(),
        resource: held.secret.arn.as_str(),
        context: &context,
    };
    match policy.decide(&request) {
        Verdict::Denied { .. } => Err(denied()),
        Verdict::Allowed { .. } | Verdict::NoStatement => Ok(()),
    }
}

/// What the root identity can always do, so that no policy locks everybody out for good: on AWS, its support would have to help.
const fn keeps_the_key(action: Action) -> bool {
    matches!(
        action,
        Action::GetResourcePolicy
            | Action::PutResourcePolicy
            | Action::DeleteResourcePolicy
            | Action::ListResourcePolicies
            | Action::NoteAccess
    )
}

/// What conditions can look at: the keys of AWS's service authorization reference that a request here has.
pub(crate) fn context<'a>(
    app: &'a App,
    caller: &'a Caller,
    ask: &'a Ask<'_>,
    held: &'a Held,
    mut context: ConditionContext<'a>,
) -> ConditionContext<'a> {
    surroundings(app, caller, &mut context);
    context.push(VIA_SERVICE, false);
    about_secret(&mut context, held);
    about_request(&mut context, ask);
    context
}

/// What is known of every request.
pub(crate) fn surroundings<'a>(app: &'a App, caller: &'a Caller, context: &mut ConditionContext<'a>) {
    context.push("aws:CurrentTime", app.clock().wall());
    context.push("aws:EpochTime", app.clock().wall().millis() / 1_000);
    context.push("aws:SecureTransport", caller.is_encrypted);
    // Neither Pawl's own work nor somebody with a token only is the root.
    if caller.standing == Standing::Root {
        context.push("aws:userid", app.account().as_str());
    }
    context.push("aws:RequestedRegion", caller.region.as_str());
    context.push("aws:ResourceAccount", app.account().as_str());
    if let Some(address) = caller.source {
        context.push("aws:SourceIp", address);
    }
}

/// What is known of a secret.
fn about_secret<'a>(context: &mut ConditionContext<'a>, held: &'a Held) {
    let secret = &held.secret;
    context.push("secretsmanager:SecretId", secret.arn.as_str());
    if let Some(region) = secret.primary_region() {
        context.push("secretsmanager:SecretPrimaryRegion", region.as_str());
    }
    if let Some(config) = &secret.rotation_config {
        context.push("secretsmanager:resource/AllowRotationLambdaArn", config.function.as_str());
    }
    for tag in secret.tags.as_deref().unwrap_or_default() {
        context.push_tag("aws:ResourceTag/", &tag.key, &tag.value);
        context.push_tag("secretsmanager:ResourceTag/", &tag.key, &tag.value);
    }
}

/// What the request itself says.
fn about_request<'a>(context: &mut ConditionContext<'a>, ask: &'a Ask<'_>) {
    if let Some(version) = ask.version {
        context.push("secretsmanager:VersionId", version.as_str());
    }
    // AWS's documented policies on VersionStage hold for callers who name none: they mean AWSCURRENT.
    match (ask.action, ask.version, ask.label) {
        (_, _, Some(label)) => context.push("secretsmanager:VersionStage", label.as_str()),
        (Action::GetSecretValue | Action::RotationLogin, None, None) => {
            context.push("secretsmanager:VersionStage", "AWSCURRENT");
        }
        _ => {}
    }
    for (key, value) in &ask.more {
        context.push(key, value.as_str());
    }
}

/// A user's or a session's request: its own policies decide, with that of the secret.
fn of_principal(
    app: &App,
    caller: &Caller,
    identity: &Identity,
    ask: &Ask<'_>,
    held: Option<&Held>,
) -> Result<(), AppError> {
    let mut context = identity.context();
    surroundings(app, caller, &mut context);
    context.push(VIA_SERVICE, false);
    about_request(&mut context, ask);
    let (resource, policy) = match held {
        Some(held) => {
            about_secret(&mut context, held);
            (held.secret.arn.as_str(), Some(&held.policy))
        }
        None => (ask.resource.as_deref().unwrap_or("*"), None),
    };
    let policy = match policy {
        None | Some(Policy::None) => None,
        Some(Policy::Document(document)) => Some(&**document),
        Some(Policy::Unreadable) => {
            let (principal, action) = (caller.principal.clone(), ask.action);
            return Err(AppError::Denied {
                principal,
                action,
                resource: held.map(|held| held.secret.arn.clone()),
            });
        }
    };
    let request = AccessRequest {
        principal: &identity.principal,
        action: ask.action.name(),
        resource,
        context: &context,
    };
    decided(identity, &request, policy, ask.shown.as_deref()).map_err(AppError::NotAllowed)
}

/// What an identity's policies and that of the resource say; the refusal is AWS's sentence, with the resource as it is shown.
fn decided(
    identity: &Identity,
    request: &AccessRequest<'_>,
    resource: Option<&PolicyDocument>,
    shown: Option<&str>,
) -> Result<(), String> {
    let policies = Policies {
        identity: identity.policies.as_slice(),
        boundary: identity.boundary.as_deref(),
        session: identity.session.as_deref(),
        resource,
    };
    match decide(request, &policies) {
        Decision::Allowed(_) => Ok(()),
        Decision::Denied(denial) => Err(Denial { resource: shown.or(denial.resource), ..denial }.to_string()),
    }
}

/// Whether a service calls on its caller's behalf, as Secrets Manager calls KMS.
pub(crate) const VIA_SERVICE: &str = "aws:ViaAWSService";

/// The condition keys of tags that a request sets.
pub(crate) fn request_tags<'t>(
    tags: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> impl Iterator<Item = (Cow<'static, str>, String)> {
    tags.into_iter().flat_map(|(key, value)| {
        [
            (format!("aws:RequestTag/{key}").into(), value.to_owned()),
            (Cow::Borrowed("aws:TagKeys"), key.to_owned()),
        ]
    })
}

/// Whether the caller may do `action` with what is no secret: a function, a user, a role. `keys` are the condition keys of the
/// request and of the resource, `shown` how a refusal names it, and `policy` its own. The root identity may do everything.
///
/// # Errors
/// AWS's sentence.
pub(crate) fn permit<'a>(
    app: &'a App,
    caller: &'a Caller,
    (action, resource): (&'a str, &'a str),
    keys: &'a [(Cow<'static, str>, String)],
    shown: Option<&str>,
    policy: Option<&PolicyDocument>,
) -> Result<(), String> {
    let Some(identity) = caller.identity.as_ref().filter(|_| caller.standing == Standing::Principal) else {
        if caller.standing == Standing::Root {
            return Ok(());
        }
        let principal = &caller.principal;
        return Err(format!(
            "User: {principal} is not authorized to perform: {action} on resource: {resource}"
        ));
    };
    let mut context = identity.context();
    surroundings(app, caller, &mut context);
    if !keys.iter().any(|(key, _)| key == VIA_SERVICE) {
        context.push(VIA_SERVICE, false);
    }
    for (key, value) in keys {
        context.push(key, value.as_str());
    }
    let request = AccessRequest { principal: &identity.principal, action, resource, context: &context };
    decided(identity, &request, policy, shown)
}
