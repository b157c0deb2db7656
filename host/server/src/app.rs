//! The only doors to a secret: [`App::read`], [`App::read_value`], [`App::create`] and [`App::change`]. Each finds the secret,
//! asks the policy, does its one thing, and leaves a record; so no operation can forget any of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pawl_core::arn::{SecretArn, SecretId, SecretIdError};
use pawl_core::limits;
use pawl_core::names::{AccountId, Label, SecretName, VersionId};
use pawl_core::secret::Secret;
use pawl_core::value::SecretValue;
use pawl_core::world::{Clock, Rng};
use pawl_keyring::{Keyring, Sealed};
use pawl_store::{Change, CommitError, Cursor, Expect, ListQuery, Order, SecretRow, Store};
use serde::Serialize;
use tokio::sync::Notify;

use crate::cache::{Held, Key, SealedCache};
pub use crate::draft::Draft;
use crate::draft::context;
use crate::error::AppError;
use crate::functions::Functions;
use crate::identity::Caller;
pub use crate::policy::Action;
use crate::policy::{AuditRecord, authorise};
use crate::turns::Turns;

/// The service: the store and the keyring are private to this module.
pub struct App {
    store: Arc<dyn Store>,
    keyring: Keyring,
    cache: Arc<SealedCache>,
    /// One change of a secret at a time: those that would lose the race wait here instead.
    turns: Turns,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    account: AccountId,
    functions: Functions,
    /// Wakes the scheduler.
    nudge: Notify,
}

/// The epoch of the lease under which a change is made, which the store must still know as the latest; none for callers' changes.
pub type Fence = Option<u64>;

/// What a change means for the secret and its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Kept,
    /// It stays, and the lease on its rotation is given back.
    Released,
    /// It is gone, with all of its versions.
    Purged,
}

/// What [`App::new`] joins.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The keyring that seals what is stored.
    pub keyring: Keyring,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The account.
    pub account: AccountId,
    /// The functions.
    pub functions: Functions,
}

impl App {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, keyring, clock, rng, account, functions } = parts;
        let (cache, turns, nudge) = (Arc::default(), Turns::default(), Notify::new());
        Self { store, keyring, cache, turns, clock, rng, account, functions, nudge }
    }

    /// The clocks.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Randomness.
    #[must_use]
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.rng
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The functions.
    #[must_use]
    pub const fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Wakes the scheduler, or is awaited by it.
    #[must_use]
    pub const fn nudge(&self) -> &Notify {
        &self.nudge
    }

    /// The store's queue of rotations and its health; not the secrets.
    #[must_use]
    pub fn queue(&self) -> &dyn Store {
        &*self.store
    }

    /// Reads a secret without its values.
    ///
    /// # Errors
    /// When there is no such secret or the caller may not.
    pub async fn read(&self, caller: &Caller, action: Action, id: &str) -> Result<Arc<Held>, AppError> {
        let id = self.place(caller, id)?;
        let held = self.find(caller, &id).await?;
        authorise(caller, action)?;
        Ok(held)
    }

    /// Reads one value: of the named version, or of the one with the label (AWSCURRENT when neither is named).
    ///
    /// # Errors
    /// When there is no such value, the secret is scheduled for deletion, or the caller may not.
    pub async fn read_value(
        &self,
        caller: &Caller,
        id: &str,
        version: Option<&VersionId>,
        label: Option<&Label>,
    ) -> Result<(Arc<Held>, VersionId, SecretValue), AppError> {
        let held = self.read(caller, Action::GetSecretValue, id).await?;
        held.secret.must_live()?;
        let (version, value) = self.open_selected(&held, version, label).await?;
        let now = self.clock.now();
        if held.secret.access_is_news(&version, now) {
            self.note_access(caller, &held, &version).await;
        }
        Ok((held, version, value))
    }

    /// Opens one version of a secret that was already found and authorised.
    ///
    /// # Errors
    /// When the version does not exist, has no value, or cannot be opened.
    pub async fn open_selected(
        &self,
        held: &Held,
        version: Option<&VersionId>,
        label: Option<&Label>,
    ) -> Result<(VersionId, SecretValue), AppError> {
        let secret = &held.secret;
        let current = Label::current();
        let chosen = match (version, label) {
            (Some(id), None) => secret
                .versions
                .get_key_value(id)
                .map(|(id, _)| id)
                .ok_or_else(|| AppError::NoSuchVersion(id.clone()))?,
            (id, label) => {
                let label = label.unwrap_or(&current);
                let on = secret.labels.on(label);
                if let Some(id) = id
                    && secret.versions.contains_key(id)
                    && on != Some(id)
                {
                    return Err(AppError::LabelElsewhere);
                }
                on.ok_or_else(|| AppError::NoValueForLabel(label.clone()))?
            }
        };
        let missing = || match (version, label) {
            (Some(id), None) => AppError::NoSuchVersion(id.clone()),
            (_, label) => AppError::NoValueForLabel(label.cloned().unwrap_or_else(Label::current)),
        };
        if secret.versions.get(chosen).is_none_or(|v| v.content.is_none()) {
            return Err(missing());
        }
        let sealed = match held.sealed.get(chosen) {
            Some(sealed) => sealed.clone(),
            None => {
                let bytes = self.store.sealed(&secret.arn, chosen).await?.ok_or_else(missing)?;
                Arc::new(Sealed::from_bytes(bytes)?)
            }
        };
        Ok((chosen.clone(), self.keyring.open(&context(secret, chosen), &sealed)?))
    }

    /// Makes a secret. When one of this name exists, `again` decides from it what a repeated request is answered.
    ///
    /// # Errors
    /// When the name is taken and `again` refuses, or the caller may not.
    pub async fn create<T>(
        &self,
        caller: &Caller,
        name: &SecretName,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
        again: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        authorise(caller, Action::CreateSecret)?;
        let key = Key(caller.region.clone(), name.clone());
        let _turn = self.turns.take(&key).await;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            if let Some(loaded) = self.store.load(&key.0, name).await? {
                let held = hold(&loaded.head, BTreeMap::new())?;
                let mut draft = self.draft(held.secret.clone());
                let answer = again(&mut draft)?;
                return Ok((Arc::new(held), answer));
            }
            let began = self.cache.generation(&key);
            let now = self.clock.now();
            let arn = SecretArn::mint(&key.0, &self.account, name, &*self.rng);
            let mut draft = self.draft(Secret::new(arn, key.0.clone(), name.clone(), now));
            let answer = edit(&mut draft)?;
            let change =
                Commit { before: None, action: Action::CreateSecret, began, fence: None, fate: Fate::Kept };
            match self.commit(caller, draft, change).await {
                Ok(held) => return Ok((held, answer)),
                Err(AppError::LostRace) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::LostRace)
    }

    /// Changes a secret: loads it, asks the policy, runs the edit, and commits what it left together with a record of it. A lost
    /// race runs the edit again on what the winner left. An edit that changes nothing commits nothing.
    ///
    /// # Errors
    /// When there is no such secret, the caller may not, or the edit refuses.
    pub async fn change<T>(
        &self,
        caller: &Caller,
        action: Action,
        id: &str,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        let id = self.place(caller, id)?;
        let edit = |draft: &mut Draft<'_>| edit(draft).map(|answer| (answer, Fate::Kept));
        self.change_at(caller, action, &id, None, edit).await
    }

    /// [`App::change`] for a secret that is known by name, under a lease, and with a say about whether it stays.
    ///
    /// # Errors
    /// As [`App::change`], and [`AppError::Fenced`] when the lease has passed to another.
    pub async fn change_at<T>(
        &self,
        caller: &Caller,
        action: Action,
        id: &SecretId,
        fence: Fence,
        edit: impl Fn(&mut Draft<'_>) -> Result<(T, Fate), AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        let key = Key(caller.region.clone(), id.name.clone());
        let _turn = self.turns.take(&key).await;
        for attempt in 0..limits::CHANGE_TRIES_MAX {
            let began = self.cache.generation(&key);
            let held = match self.cache.get(&key).filter(|_| attempt == 0) {
                Some(held) => held,
                None => self.load(&key).await?.ok_or(AppError::NoSuchSecret)?,
            };
            must_be(id, &held.secret)?;
            authorise(caller, action)?;
            let mut draft = self.draft(held.secret.clone());
            let (answer, fate) = edit(&mut draft)?;
            if draft.secret == held.secret && fate == Fate::Kept {
                return Ok((held, answer));
            }
            let change = Commit { before: Some(held), action, began, fence, fate };
            match self.commit(caller, draft, change).await {
                Ok(held) => return Ok((held, answer)),
                Err(AppError::LostRace) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::LostRace)
    }

    fn draft(&self, secret: Secret) -> Draft<'_> {
        let (now, keyring, rng) = (self.clock.now(), &self.keyring, &*self.rng);
        Draft { secret, now, keyring, rng, puts: Vec::new() }
    }

    async fn commit(
        &self,
        caller: &Caller,
        mut draft: Draft<'_>,
        commit: Commit,
    ) -> Result<Arc<Held>, AppError> {
        let remove_versions = draft.secret.drop_deprecated(draft.now);
        let secret = draft.secret;
        let before = commit.before.as_deref();
        let revision = before.map_or(1, |held| held.revision.saturating_add(1));
        let record = AuditRecord {
            at: draft.now,
            request_id: &caller.request_id,
            principal: &caller.principal,
            action: commit.action,
            arn: &secret.arn,
            revision,
        };
        let change = Change {
            expect: before.map_or(Expect::New, |held| Expect::Revision(held.revision)),
            row: row(revision, &secret)?,
            put: draft.puts,
            remove_versions,
            delete: commit.fate == Fate::Purged,
            fence: commit.fence,
            release_lease: commit.fate == Fate::Released,
            audit: vec![encode(&record)?],
            events: Vec::new(),
        };
        let mut sealed = before.map(|held| held.sealed.clone()).unwrap_or_default();
        for put in &change.put {
            sealed.insert(put.version_id.clone(), Arc::new(Sealed::from_bytes(put.sealed.clone())?));
        }
        sealed.retain(|version, _| secret.labels.any_on(version));
        let key = Key(secret.region.clone(), secret.name.clone());
        let held = Arc::new(Held { revision, secret, sealed });
        let kept = (commit.fate != Fate::Purged).then(|| held.clone());
        let (store, cache, began) = (self.store.clone(), self.cache.clone(), commit.began);
        // A task of its own: a caller who hangs up ends the request, and must not come between the store and the cache.
        let committing = tokio::spawn(async move {
            let committed = store.commit(change).await;
            // Whether a commit that failed half-way has taken effect is the store's to say.
            cache.committed(key, kept.filter(|_| committed.is_ok()), began);
            committed
        });
        committing.await.map_err(|_| AppError::Inconsistent { what: "a commit broke off".to_owned() })??;
        Ok(held)
    }

    /// Checks that an id is of this account and of the caller's region.
    fn place(&self, caller: &Caller, id: &str) -> Result<SecretId, AppError> {
        if id.chars().count() > limits::SECRET_ID_CHARS_MAX {
            return Err(AppError::SecretId(SecretIdError::Name));
        }
        let id = SecretId::parse(id)?;
        match &id.place {
            Some((region, account)) if *region != caller.region || *account != self.account => {
                Err(AppError::NoSuchSecret)
            }
            _ => Ok(id),
        }
    }

    async fn find(&self, caller: &Caller, id: &SecretId) -> Result<Arc<Held>, AppError> {
        let key = Key(caller.region.clone(), id.name.clone());
        let held = match self.cache.get(&key) {
            Some(held) => held,
            None => self.load(&key).await?.ok_or(AppError::NoSuchSecret)?,
        };
        must_be(id, &held.secret)?;
        Ok(held)
    }

    async fn load(&self, key: &Key) -> Result<Option<Arc<Held>>, AppError> {
        let began = self.cache.generation(key);
        let Some(full) = self.store.load_full(&key.0, &key.1).await? else { return Ok(None) };
        let mut sealed = BTreeMap::new();
        for version in full.values {
            sealed.insert(version.version_id, Arc::new(Sealed::from_bytes(version.sealed)?));
        }
        let mut held = hold(&full.head, sealed)?;
        let labels = &held.secret.labels;
        held.sealed.retain(|version, _| labels.any_on(version));
        let held = Arc::new(held);
        self.cache.keep_loaded(key.clone(), held.clone(), began);
        Ok(Some(held))
    }

    async fn note_access(&self, caller: &Caller, held: &Held, version: &VersionId) {
        let id = SecretId { name: held.secret.name.clone(), place: None, arn: None };
        let noted = self
            .change_at(caller, Action::GetSecretValue, &id, None, |draft| {
                draft.secret.note_access(version, draft.now);
                Ok(((), Fate::Kept))
            })
            .await;
        if let Err(error) = noted {
            // The date is information; the value was read with every right to it.
            tracing::warn!(secret.arn = %held.secret.arn, %error, "the date of access could not be stored");
        }
    }

    /// One page of the region's secrets.
    ///
    /// # Errors
    /// When the caller may not, or the store fails.
    pub async fn list(
        &self,
        caller: &Caller,
        after: Option<&Cursor>,
        limit: u32,
        include_deleted: bool,
    ) -> Result<Vec<(Cursor, Secret)>, AppError> {
        authorise(caller, Action::ListSecrets)?;
        let (region, order) = (&caller.region, Order::OldestFirst);
        let rows = self.store.list(ListQuery { region, after, order, limit, include_deleted }).await?;
        rows.iter().map(|row| Ok((Cursor::of(row), decode(row)?))).collect()
    }

    /// Refuses who may not administer.
    ///
    /// # Errors
    /// When the caller may not.
    pub fn administer(&self, caller: &Caller) -> Result<(), AppError> {
        authorise(caller, Action::Administer)
    }
}

/// What a commit is made of beside the draft.
struct Commit {
    before: Option<Arc<Held>>,
    action: Action,
    began: crate::cache::Generation,
    fence: Fence,
    fate: Fate,
}

fn must_be(id: &SecretId, secret: &Secret) -> Result<(), AppError> {
    match &id.arn {
        Some(arn) if arn != secret.arn.as_str() => Err(AppError::NoSuchSecret),
        _ => Ok(()),
    }
}

fn hold(row: &SecretRow, sealed: BTreeMap<VersionId, Arc<Sealed>>) -> Result<Held, AppError> {
    Ok(Held { revision: row.revision, secret: decode(row)?, sealed })
}

fn decode(row: &SecretRow) -> Result<Secret, AppError> {
    serde_json::from_str(&row.document).map_err(|error| AppError::Inconsistent {
        what: format!(
            "the document of {} cannot be read (line {}, column {})",
            row.arn,
            error.line(),
            error.column()
        ),
    })
}

fn row(revision: u64, secret: &Secret) -> Result<SecretRow, AppError> {
    Ok(SecretRow {
        arn: secret.arn.clone(),
        region: secret.region.clone(),
        name: secret.name.clone(),
        revision,
        document: encode(secret)?,
        created_at: secret.created_at,
        purge_at: secret.purge_at,
        next_rotation_at: secret.next_rotation_at,
        rotation_due_at: secret.rotation_due_at(),
    })
}

fn encode(value: &impl Serialize) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::Inconsistent { what: error.to_string() })
}

impl From<CommitError> for AppError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::LostRace | CommitError::NameTaken => Self::LostRace,
            CommitError::Fenced => Self::Fenced,
            CommitError::Store(source) => Self::Store(source),
        }
    }
}

#[cfg(test)]
mod tests;
