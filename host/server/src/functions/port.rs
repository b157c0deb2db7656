//! A secret as a rehearsed step may use it: as it is stored, with a pending version that is nobody else's, and nothing changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::arn::SecretArn;
use pawl_core::function::SecretPattern;
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Account, Proof, Step};
use pawl_core::value::SecretValue;
use pawl_core::world::Timestamp;
use pawl_runtime::port::{Answer, PortError, SecretsPort, Standing, StoredVersion, Which};

use crate::cache::Held;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::rotation::login;

/// Logins that servers have refused to rehearsals, by secret and account. Servers count them, so they count against the next one.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<(String, Account), (u32, Timestamp)>>);

impl Refused {
    fn of(&self, secret: &SecretArn, account: &Account, now: Timestamp) -> u32 {
        let counts = self.lock();
        let count = counts.get(&(secret.to_string(), account.clone()));
        count.filter(|(_, at)| *at + limits::REHEARSAL_REFUSALS_KEPT > now).map_or(0, |(count, _)| *count)
    }

    fn note(&self, secret: &SecretArn, account: &Account, refused: bool, now: Timestamp) {
        let before = self.of(secret, account, now);
        let (mut counts, key) = (self.lock(), (secret.to_string(), account.clone()));
        if !refused {
            counts.remove(&key);
            return;
        }
        if counts.len() >= limits::REHEARSAL_ACCOUNTS_MAX && !counts.contains_key(&key) {
            let oldest = counts.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone());
            oldest.map(|key| counts.remove(&key));
        }
        counts.insert(key, (before.saturating_add(1), now));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Account), (u32, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The port of one rehearsal.
pub(super) struct InvocationPort {
    host: Arc<Host>,
    caller: Caller,
    held: Arc<Held>,
    token: VersionId,
    now: Mutex<Now>,
}

/// What the rehearsal has come to.
struct Now {
    step: Step,
    pending: Option<SecretValue>,
    would: Vec<String>,
}

impl InvocationPort {
    /// A rehearsal on a secret as it is now. Its pending version is the stored one where there is one, or may be.
    pub(super) async fn new(
        host: &Arc<Host>,
        caller: Caller,
        held: Arc<Held>,
        (token, step): (VersionId, Step),
    ) -> Result<Self, AppError> {
        let secret = &held.secret;
        let has_value = |id: &VersionId| secret.versions.get(id).is_some_and(|of| of.content.is_some());
        let stored = Some(&token).filter(|id| secret.labels.pending() == Some(id) && has_value(id));
        // What no server was given is refused for certain, and would count against the account's lockout: these steps are
        // tried as AWS tries a configuration, on the current value.
        let after_set = matches!(step, Step::TestSecret | Step::FinishSecret);
        let given = secret.rotation.as_ref().is_some_and(|of| of.token == token && of.exposed);
        let from =
            if after_set && !given { secret.labels.current().filter(|id| has_value(id)) } else { stored };
        let pending = match from {
            Some(id) => Some(host.app.open_selected(&held, Some(id), None).await?.1),
            None => None,
        };
        let now = Mutex::new(Now { step, pending, would: Vec::new() });
        Ok(Self { host: host.clone(), caller, held, token, now })
    }

    /// Whether setSecret has nothing to set yet.
    pub(super) fn wants_creating(&self) -> bool {
        let now = self.now();
        now.step == Step::SetSecret && now.pending.is_none()
    }

    /// Begins a step; what the one before would have changed is forgotten.
    pub(super) fn begin(&self, step: Step) {
        let mut now = self.now();
        now.step = step;
        now.would.clear();
    }

    /// What it would have changed in the store, in words.
    pub(super) fn would(&self) -> Vec<String> {
        self.now().would.clone()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stored(&self, id: &VersionId) -> Result<StoredVersion, PortError> {
        let (id, value) = self.host.app.open_selected(&self.held, Some(id), None).await?;
        Ok(StoredVersion { id, value })
    }
}

impl SecretsPort for InvocationPort {
    fn token(&self) -> &str {
        self.token.as_str()
    }

    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>> {
        Box::pin(async move {
            let labels = &self.held.secret.labels;
            let id = match which {
                Which::Pending => {
                    let value = self.now().pending.as_ref().map(SecretValue::duplicate);
                    return Ok(value.map(|value| StoredVersion { id: self.token.clone(), value }));
                }
                Which::Current => labels.current(),
                Which::Previous => labels.previous(),
            };
            let versions = &self.held.secret.versions;
            match id.filter(|id| versions.get(*id).is_some_and(|of| of.content.is_some())) {
                Some(id) => Ok(Some(self.stored(id).await?)),
                None => Ok(None),
            }
        })
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        Box::pin(async move {
            let mut now = self.now();
            let id = self.token.clone();
            if let Some(stored) = &now.pending {
                return Ok(StoredVersion { id, value: stored.duplicate() });
            }
            if now.step != Step::CreateSecret {
                let text = "the pending value is stored by createSecret, and this is another step";
                return Err(PortError::Refused(text.to_owned()));
            }
            now.pending = Some(value.duplicate());
            now.would.push(format!("store a new value as the version {id}, with AWSPENDING"));
            Ok(StoredVersion { id, value })
        })
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn promote(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut now = self.now();
            if now.step != Step::FinishSecret {
                let text = "a version is promoted by finishSecret, and this is another step";
                return Err(PortError::Refused(text.to_owned()));
            }
            now.would.push(format!("move AWSCURRENT to the version {}", self.token));
            Ok(())
        })
    }

    fn others(&self) -> Answer<'_, Vec<StoredVersion>> {
        Box::pin(async move {
            let mut others = Vec::new();
            for id in self.held.secret.other_candidates(&self.token) {
                match self.stored(&id).await {
                    Ok(version) => others.push(version),
                    // Dropped meanwhile, or damaged: the others may do.
                    Err(PortError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(others)
        })
    }

    fn open<'a>(
        &'a self,
        secret_id: &'a str,
        granted: &'a BTreeSet<SecretPattern>,
    ) -> Answer<'a, StoredVersion> {
        Box::pin(login::granted(&self.host, &self.caller, secret_id, granted))
    }

    fn standing(&self) -> Answer<'_, Standing> {
        let secret = &self.held.secret;
        let current = secret.labels.current().and_then(|id| secret.versions.get(id));
        let rotation = secret.rotation.as_ref().filter(|rotation| rotation.token == self.token);
        let standing = Standing {
            exposed: rotation.is_some_and(|rotation| rotation.exposed),
            proof: Proof::default(),
            current_was_rotated: current.is_some_and(|version| version.rotated),
        };
        Box::pin(async move { Ok(standing) })
    }

    fn expose(&self) -> Answer<'_, ()> {
        Box::pin(async { Err(PortError::Refused("a rehearsal changes nothing".to_owned())) })
    }

    fn refusals<'a>(&'a self, account: &'a Account) -> Answer<'a, u32> {
        let (secret, now) = (&self.held.secret, self.host.app.clock().wall());
        let stored = secret.rotation.as_ref().map_or(0, |rotation| rotation.refusals_of(account));
        let count = stored.saturating_add(self.host.app.functions().refused.of(&secret.arn, account, now));
        Box::pin(async move { Ok(count) })
    }

    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> Answer<'a, ()> {
        let now = self.host.app.clock().wall();
        self.host.app.functions().refused.note(&self.held.secret.arn, account, refused, now);
        Box::pin(async { Ok(()) })
    }

    /// A rehearsal has no history: what it tells is in the invocation's own log.
    fn notice<'a>(&'a self, _: &'a str) -> Answer<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn fence(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SystemRng;

    #[test]
    fn refusals_count_over_rehearsals_until_a_login_works_or_an_hour_is_over() {
        let (region, account) = ("us-east-1".parse().unwrap(), "000000000000".parse().unwrap());
        let arn = SecretArn::mint(&region, &account, &"db".parse().unwrap(), &SystemRng);
        let (refused, app) = (Refused::default(), Account::new("app", "db", 5432));
        let now = Timestamp::from_millis(1_800_000_000_000);
        for count in 0..5 {
            assert_eq!(refused.of(&arn, &app, now), count);
            refused.note(&arn, &app, true, now);
        }
        assert_eq!(refused.of(&arn, &app, now + limits::REHEARSAL_REFUSALS_KEPT), 0);
        refused.note(&arn, &app, false, now);
        assert_eq!(refused.of(&arn, &app, now), 0);
        for number in 0..limits::REHEARSAL_ACCOUNTS_MAX + 10 {
            refused.note(&arn, &Account::new(&number.to_string(), "db", 1), true, now);
        }
        assert_eq!(refused.lock().len(), limits::REHEARSAL_ACCOUNTS_MAX);
    }
}
