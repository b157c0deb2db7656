//! What callers may, where there is no secret to ask.

use pawl_core::arn::SecretId;
use pawl_core::names::SecretName;
use pawl_iam::policy::{AccessRequest, Finding, PolicyDocument, Principal};

use super::App;
use crate::cache::Held;
use crate::error::AppError;
use crate::identity::Caller;
use crate::policy::{Action, Ask, authorise};

impl App {
    /// Refuses who may not make a secret of this name.
    ///
    /// # Errors
    /// When the caller may not.
    pub fn may_create(&self, caller: &Caller, ask: Ask<'_>, name: &SecretName) -> Result<(), AppError> {
        authorise(self, caller, &ask.on_unborn(self, caller, name), None)
    }

    /// Refuses who may not do what concerns no secret.
    ///
    /// # Errors
    /// When the caller may not.
    pub fn allow(&self, caller: &Caller, action: Action) -> Result<(), AppError> {
        authorise(self, caller, &action.into(), None)
    }

    /// What is wrong with a policy that the caller would put on a secret.
    #[must_use]
    pub fn policy_findings(&self, caller: &Caller, held: &Held, policy: &PolicyDocument) -> Vec<Finding> {
        let own = caller.identity.as_ref().map(|identity| identity.principal.clone());
        let principal = own.unwrap_or_else(|| Principal::root(&self.account));
        let ask = Ask::from(Action::PutResourcePolicy);
        let context = crate::policy::context(self, caller, &ask, held, principal.context());
        let (action, resource) = (ask.action.name(), held.secret.arn.as_str());
        let author = AccessRequest { principal: &principal, action, resource, context: &context };
        policy.findings(Some(&author))
    }

    /// Refuses who may not administer.
    ///
    /// # Errors
    /// When the caller may not.
    pub fn administer(&self, caller: &Caller) -> Result<(), AppError> {
        authorise(self, caller, &Action::Administer.into(), None)
    }

    /// There is no such secret, for those who might do with it what they ask for.
    pub(super) fn missing(&self, caller: &Caller, ask: Ask<'_>, id: &SecretId) -> AppError {
        let ask = ask.on_unborn(self, caller, &id.name);
        match authorise(self, caller, &ask, None) {
            Err(error @ AppError::NotAllowed(_)) => error,
            _ => AppError::NoSuchSecret,
        }
    }
}

/// What is asked, with the secret as the caller names it: only a refusal of policies repeats that.
pub(super) fn named<'a>(caller: &Caller, ask: impl Into<Ask<'a>>, id: &SecretId) -> Ask<'a> {
    let ask = ask.into();
    if caller.identity.is_some() { ask.named(id) } else { ask }
}
