//! `Pawl.CheckSecret`: whether what a secret holds is what its database has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use pawl_api::pawl::{CheckSecretRequest, CheckSecretResponse, CheckedVersion, Drift, LoginOutcome};
use pawl_core::function::SecretPattern;
use pawl_core::names::VersionId;
use pawl_core::rotation::Account;
use pawl_core::secret::{RotateError, Secret};
use pawl_core::value::SecretValue;
use pawl_runtime::port::{Answer as PortAnswer, PortError, SecretsPort, Standing, StoredVersion, Which};
use pawl_runtime::{LoginJob, NoLogin, TriedLogin};

use super::Answer;
use super::rotation::{Named, resolve};
use crate::app::Action;
use crate::cache::Held;
use crate::host::Host;
use crate::identity::Caller;

/// `Pawl.CheckSecret`. Whoever may rotate a secret may have its logins tried.
pub(super) async fn check_secret(
    host: &Host,
    caller: &Caller,
    input: CheckSecretRequest,
) -> Answer<CheckSecretRequest> {
    let held = host.app.read(caller, Action::RotateSecret, &input.secret_id).await?;
    let secret = &held.secret;
    secret.must_live()?;
    secret.must_be_primary()?;
    let answer = |drift, versions| CheckSecretResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        drift,
        versions,
    };
    if secret.rotation.as_ref().is_some_and(|rotation| rotation.status.running().is_some()) {
        return Ok(answer(Drift::Rotating, Vec::new()));
    }
    let named = Named::of(secret, None).ok_or(RotateError::NoFunction)?;
    let function = resolve(host, &named).await?;
    let candidates = candidates(secret);
    let mut versions = Vec::with_capacity(candidates.len());
    for id in &candidates {
        let (id, value) = host.app.open_selected(&held, Some(id), None).await?;
        versions.push(StoredVersion { id, value });
    }
    let current = versions.first().map(duplicate);
    let refusals = secret.rotation.as_ref().map(|rotation| rotation.refusals.clone()).unwrap_or_default();
    let port = Arc::new(Looking { current, refusals: Mutex::new(refusals) });
    let tried = host.runtime.try_logins(LoginJob { port, grants: function.grants.clone(), versions }).await;
    Ok(answer(drift(&tried), candidates.iter().map(|id| shown(&held, id, &tried)).collect()))
}

/// The versions to try: the one that applications use before the others.
fn candidates(secret: &Secret) -> Vec<VersionId> {
    let labels = &secret.labels;
    let mut candidates = Vec::new();
    // What no server was given is refused for certain, and would count against the account's lockout.
    let rotation = secret.rotation.as_deref();
    let given = |id: &&VersionId| rotation.is_none_or(|rotation| rotation.token != **id || rotation.exposed);
    let pending = labels.pending().filter(given).cloned();
    let named = [labels.current(), pending.as_ref(), labels.previous()];
    let others = labels.pending().or_else(|| labels.current()).map(|id| secret.other_candidates(id));
    for id in named.into_iter().flatten().cloned().chain(others.unwrap_or_default()) {
        let has_value = secret.versions.get(&id).is_some_and(|version| version.content.is_some());
        if has_value && !candidates.contains(&id) {
            candidates.push(id);
        }
    }
    candidates
}

fn drift(tried: &[TriedLogin]) -> Drift {
    let Some((current, others)) = tried.split_first() else { return Drift::Unknown };
    match &current.result {
        Ok(()) => Drift::None,
        Err(NoLogin::Refused(_)) if others.iter().all(is_refused) => Drift::LockedOut,
        Err(NoLogin::Refused(_)) => Drift::Drifted,
        Err(NoLogin::Unreachable(_) | NoLogin::NotTried(_)) => Drift::Unknown,
    }
}

const fn is_refused(login: &TriedLogin) -> bool {
    matches!(login.result, Err(NoLogin::Refused(_)))
}

fn shown(held: &Held, id: &VersionId, tried: &[TriedLogin]) -> CheckedVersion {
    let login = tried.iter().find(|login| login.version == *id);
    let (outcome, reason) = match login.map(|login| &login.result) {
        Some(Ok(())) => (LoginOutcome::Accepted, None),
        Some(Err(NoLogin::Refused(text))) => (LoginOutcome::Refused, Some(text.clone())),
        Some(Err(NoLogin::Unreachable(text))) => (LoginOutcome::Unreachable, Some(text.clone())),
        Some(Err(NoLogin::NotTried(text))) => (LoginOutcome::NotTried, Some(text.clone())),
        None => (LoginOutcome::NotTried, None),
    };
    CheckedVersion {
        version_id: id.to_string(),
        version_stages: held.secret.labels.of(id).iter().map(ToString::to_string).collect(),
        login: outcome,
        username: login.and_then(|login| login.username.clone()),
        reason,
    }
}

fn duplicate(version: &StoredVersion) -> StoredVersion {
    StoredVersion { id: version.id.clone(), value: version.value.duplicate() }
}

/// The secret as a look at it needs it: nothing of it can be changed, and refusals count on from the last rotation's.
pub(crate) struct Looking {
    current: Option<StoredVersion>,
    refusals: Mutex<BTreeMap<Account, u32>>,
}

impl Looking {
    /// A look at a secret with this current version, of which no server has refused anything.
    pub(crate) fn at(current: Option<StoredVersion>) -> Self {
        Self { current, refusals: Mutex::default() }
    }

    fn no<T: Send + 'static>() -> PortAnswer<'static, T> {
        Box::pin(async { Err(PortError::Refused("a check changes nothing".to_owned())) })
    }
}

impl SecretsPort for Looking {
    /// No rotation, and no guest to tell it to.
    fn token(&self) -> &str {
        ""
    }

    fn read(&self, which: Which) -> PortAnswer<'_, Option<StoredVersion>> {
        let current = self.current.as_ref().filter(|_| which == Which::Current).map(duplicate);
        Box::pin(async { Ok(current) })
    }

    fn put_pending(&self, _: SecretValue) -> PortAnswer<'_, StoredVersion> {
        Self::no()
    }

    fn settle(&self) -> PortAnswer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn promote(&self) -> PortAnswer<'_, ()> {
        Self::no()
    }

    fn others(&self) -> PortAnswer<'_, Vec<StoredVersion>> {
        Self::no()
    }

    fn open<'a>(&'a self, _: &'a str, _: &'a BTreeSet<SecretPattern>) -> PortAnswer<'a, StoredVersion> {
        Self::no()
    }

    fn standing(&self) -> PortAnswer<'_, Standing> {
        Self::no()
    }

    fn expose(&self) -> PortAnswer<'_, ()> {
        Self::no()
    }

    fn refusals<'a>(&'a self, account: &'a Account) -> PortAnswer<'a, u32> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.get(account).copied().unwrap_or(0);
        Box::pin(async move { Ok(count) })
    }

    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> PortAnswer<'a, ()> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.entry(account.clone()).or_default();
        *count = if refused { count.saturating_add(1) } else { 0 };
        drop(refusals);
        Box::pin(async { Ok(()) })
    }

    fn notice<'a>(&'a self, _: &'a str) -> PortAnswer<'a, bool> {
        Self::no()
    }

    fn fence(&self) -> PortAnswer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
