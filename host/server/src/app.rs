//! The only doors to a secret: [`App::read`], [`App::read_value`], [`App::create`] and [`App::change`]. Each finds the secret,
//! asks the policy, does its one thing, and leaves a record; so no operation can forget any of it.

mod access;
mod coherence;
mod commit;
mod damage;
mod functions;
mod keys;
mod permission;
mod regions;
mod reseal;
mod rows;
mod values;

use std::sync::Arc;

use litemap::LiteMap;
use pawl_core::arn::{SecretArn, SecretId, SecretIdError};
use pawl_core::limits;
use pawl_core::names::{AccountId, SecretName};
use pawl_core::secret::{Secret, SecretError};
use pawl_core::world::{Clock, Rng};
use pawl_keyring::{Keyring, SealContext, Sealed};
use pawl_store::{Cursor, ListQuery, SealedVersion, Store, StoreError};
use tokio::sync::Notify;

use self::access::AccessLog;
use self::coherence::{Comparisons, Seen};
use self::commit::{Commit, Edited, Prepared};
use self::damage::Damage;
pub use self::functions::{FunctionAsk, FunctionFate};
use self::keys::HeldKeys;
pub use self::keys::{ConditionKey, HeldKey, KeyDraft, Sealer};
pub(crate) use self::keys::{KEYS as KMS_KEYS, open_sealed};
use self::permission::named;
pub use self::regions::Wanted;
pub(crate) use self::reseal::Resealed;
pub(crate) use self::rows::rotation_state;
use self::rows::{decode, hold};
use crate::cache::{CacheFigures, Held, Key, SealedCache};
pub use crate::draft::Draft;
use crate::error::AppError;
use crate::events::EventStream;
use crate::functions::Functions;
use crate::identity::Caller;
use crate::policy::authorise;
pub use crate::policy::{Action, Ask};
use crate::turns::Turns;

/// The service: the store and the keyring are private to this module.
pub struct App {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    cache: Arc<SealedCache>,
    /// One change of a secret at a time: those that would lose the race wait here instead.
    turns: Turns,
    comparisons: Arc<Comparisons>,
    /// KMS keys, unlocked.
    keys: Arc<HeldKeys>,
    damage: Damage,
    accessed: AccessLog,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    account: AccountId,
    functions: Functions,
    /// As which this host's changes are recorded.
    host_id: String,
    /// Wakes the scheduler.
    nudge: Notify,
    /// Wakes those who wait for events.
    stream: EventStream,
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
    pub keyring: Arc<Keyring>,
    /// Bytes of memory for sealed secrets.
    pub cache_bytes: u64,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The account.
    pub account: AccountId,
    /// The functions.
    pub functions: Functions,
    /// This host's id.
    pub host_id: String,
}

impl App {
    /// Joins the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, keyring, cache_bytes, clock, rng, account, functions, host_id } = parts;
        let cache = Arc::new(SealedCache::of_bytes(cache_bytes));
        let (turns, comparisons) = (Turns::default(), Arc::default());
        let (accessed, nudge, stream) = (AccessLog::default(), Notify::new(), EventStream::default());
        Self {
            store,
            keyring,
            cache,
            turns,
            comparisons,
            keys: Arc::default(),
            damage: Damage::default(),
            accessed,
            clock,
            rng,
            account,
            functions,
            host_id,
            nudge,
            stream,
        }
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

    /// How the cache of sealed secrets does.
    #[must_use]
    pub fn cache_figures(&self) -> CacheFigures {
        self.cache.figures()
    }

    /// Values that did not open, and rows that were not as they were written, since this host was started.
    #[must_use]
    pub fn damaged(&self) -> Vec<String> {
        let mut damaged = self.damage.list();
        damaged.extend(self.store.altered());
        damaged
    }

    /// The store's queue of rotations and its health; not the secrets.
    #[must_use]
    pub fn queue(&self) -> &dyn Store {
        &*self.store
    }

    /// Reads a secret without its values. Of a replica: what its region sees of the primary.
    ///
    /// # Errors
    /// When there is no such secret or the caller may not.
    pub async fn read(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        id: &str,
    ) -> Result<Arc<Held>, AppError> {
        let id = self.place(caller, id)?;
        self.read_at(caller, ask, &id).await
    }

    /// [`App::read`] for a secret that is known by name or ARN.
    ///
    /// # Errors
    /// As [`App::read`].
    pub async fn read_at(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        id: &SecretId,
    ) -> Result<Arc<Held>, AppError> {
        let ask = named(caller, ask, id);
        let held = match self.find(caller, id).await {
            // Who may not is not told that there is none.
            Err(AppError::NoSuchSecret) => return Err(self.missing(caller, ask, id)),
            found => found?,
        };
        caller.trail.about(held.secret.arn.as_str());
        authorise(self, caller, &ask, Some(&held))?;
        Ok(held)
    }

    /// Makes a secret. When one of this name exists, `again` decides from it what a repeated request is answered.
    ///
    /// # Errors
    /// When the name is taken and `again` refuses, or the caller may not.
    pub async fn create<T>(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        name: &SecretName,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
        again: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        self.may_create(caller, ask.into(), name)?;
        let key = Key(caller.region.clone(), name.clone());
        let _turn = self.turns.take(&key).await;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            if let Some(loaded) = self.store.load(&key.0, name).await? {
                let held = hold(&loaded.head, LiteMap::new())?;
                let mut draft = self.draft(held.secret.clone(), None);
                let answer = again(&mut draft)?;
                return Ok((Arc::new(held), answer));
            }
            let began = self.cache.generation(&key);
            let now = self.clock.now();
            let arn = SecretArn::mint(&key.0, &self.account, name, &*self.rng);
            let mut draft = self.draft(Secret::new(arn, key.0.clone(), name.clone(), now), None);
            let answer = edit(&mut draft)?;
            let commit =
                Commit { before: None, action: Action::CreateSecret, began, fence: None, fate: Fate::Kept };
            match self.commit(caller, draft.into(), commit).await {
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
        ask: impl Into<Ask<'_>>,
        id: &str,
        edit: impl Fn(&mut Draft<'_>) -> Result<T, AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        let id = self.place(caller, id)?;
        let edit = |draft: &mut Draft<'_>| edit(draft).map(|answer| (answer, Fate::Kept));
        self.change_at(caller, ask, &id, None, edit).await
    }

    /// [`App::change`] for a secret that is known by name, under a lease, and with a say about whether it stays.
    ///
    /// # Errors
    /// As [`App::change`], and [`AppError::Fenced`] when the lease has passed to another.
    pub async fn change_at<T>(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        id: &SecretId,
        fence: Fence,
        edit: impl Fn(&mut Draft<'_>) -> Result<(T, Fate), AppError>,
    ) -> Result<(Arc<Held>, T), AppError> {
        let (ask, key) = (named(caller, ask, id), Key(caller.region.clone(), id.name.clone()));
        let _turn = self.turns.take(&key).await;
        for attempt in 0..limits::CHANGE_TRIES_MAX {
            let began = self.cache.generation(&key);
            let found = if attempt == 0 { self.stored(&key).await? } else { self.load(&key).await? };
            let Some(held) = found.filter(|held| must_be(id, &held.secret).is_ok()) else {
                return Err(self.missing(caller, ask, id));
            };
            caller.trail.about(held.secret.arn.as_str());
            if held.secret.is_replica() {
                authorise(self, caller, &ask, Some(&*self.view(held).await?))?;
                return Err(SecretError::Replica.into());
            }
            authorise(self, caller, &ask, Some(&held))?;
            let mut draft = self.draft(held.secret.clone(), Some(&held));
            draft.sealer = self.sealer_of(caller, &held).await?;
            draft.keys = self.keys_of_values(caller, &held).await?;
            let (answer, fate) = edit(&mut draft)?;
            if draft.secret == held.secret && draft.news.is_empty() && fate == Fate::Kept {
                return Ok((held, answer));
            }
            let (draft, action) = (draft.into(), ask.action);
            let commit = Commit { before: Some(held), action, began, fence, fate };
            match self.commit(caller, draft, commit).await {
                Ok(held) => return Ok((held, answer)),
                Err(AppError::LostRace) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::LostRace)
    }

    /// What an edit would come to now. Nothing of it is kept.
    ///
    /// # Errors
    /// As [`App::change`].
    pub async fn rehearse_at<T>(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        id: &SecretId,
        edit: impl FnOnce(&mut Draft<'_>) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let held = self.read_at(caller, ask, id).await?;
        let mut draft = self.draft(held.secret.clone(), Some(&held));
        draft.sealer = self.sealer_of(caller, &held).await?;
        edit(&mut draft)
    }

    fn draft<'a>(&'a self, secret: Secret, before: Option<&'a Held>) -> Draft<'a> {
        let (now, keyring, rng) = (self.clock.now(), &*self.keyring, &*self.rng);
        let (sealer, keys) = (Sealer::Keyring, Vec::new());
        let (puts, news, steps) = (Vec::new(), Vec::new(), Vec::new());
        Draft { secret, now, before, keyring, rng, sealer, keys, puts, news, steps }
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
        let held = self.stored(&key).await?.ok_or(AppError::NoSuchSecret)?;
        must_be(id, &held.secret)?;
        if held.secret.is_replica() { self.view(held).await } else { Ok(held) }
    }

    /// A secret as its row has it now, from memory or from the store.
    async fn stored(&self, key: &Key) -> Result<Option<Arc<Held>>, AppError> {
        match self.cache.get(key) {
            Some(held) if self.is_current(&held).await? => Ok(Some(held)),
            _ => self.load(key).await,
        }
    }

    /// Whether what is remembered of a secret is what the store has. Nobody but this process changes a store that is not shared.
    async fn is_current(&self, held: &Held) -> Result<bool, AppError> {
        if !self.store.is_shared() {
            return Ok(true);
        }
        let store = self.store.clone();
        let look = move |seen: Vec<Seen>| {
            let store = store.clone();
            async move { store.unchanged(&seen).await }
        };
        Ok(self.comparisons.unchanged((held.secret.arn.clone(), held.revision), look).await?)
    }

    async fn load(&self, key: &Key) -> Result<Option<Arc<Held>>, AppError> {
        // What is remembered was committed before the load begins, so the store has at least that.
        let (began, before) = (self.cache.generation(key), self.cache.peek(key));
        let Some(held) = self.load_unkept(key).await? else {
            self.cache.forget(key, began);
            return Ok(None);
        };
        let later =
            before.filter(|before| before.secret.arn == held.secret.arn && before.revision > held.revision);
        if let Some(later) = later {
            // It may be as authentic as it was; its values are older than what was promised.
            self.damage.note_back(&held.secret.arn, later.revision, held.revision);
            return Err(StoreError::Altered { table: "secrets" }.into());
        }
        self.cache.keep_loaded(key.clone(), held.clone(), began);
        Ok(Some(held))
    }

    /// A secret as the store has it; the cache does not learn of it.
    async fn load_unkept(&self, key: &Key) -> Result<Option<Arc<Held>>, AppError> {
        let Some(full) = self.store.load_full(&key.0, &key.1).await? else { return Ok(None) };
        let mut sealed = LiteMap::new();
        for version in full.values {
            let SealedVersion { version_id, sealed: bytes } = version;
            let value = Sealed::from_bytes(bytes).inspect_err(|error| {
                let arn = full.head.arn.as_str();
                self.damage.note(&SealContext { arn, version_id: version_id.as_str() }, error);
            })?;
            sealed.insert(version_id, Arc::new(value));
        }
        let mut held = hold(&full.head, sealed)?;
        let labels = &held.secret.labels;
        held.sealed.retain(|version, _| labels.any_on(version));
        Ok(Some(Arc::new(held)))
    }

    /// One page of the region's secrets with their places: of replicas, what the region sees of their primaries (nothing, when
    /// those are gone).
    ///
    /// # Errors
    /// When the caller may not, or the store fails.
    pub async fn list(
        &self,
        caller: &Caller,
        query: ListQuery<'_>,
    ) -> Result<Vec<(Cursor, Option<Secret>)>, AppError> {
        authorise(self, caller, &Action::ListSecrets.into(), None)?;
        self.write_some_accesses().await;
        let by = query.order.by;
        let mut secrets = Vec::new();
        for row in self.store.list(query).await? {
            let cursor = Cursor::of(&row, by);
            let secret = match decode(&row) {
                Ok(secret) => secret,
                // Who looked at it has told of it.
                Err(AppError::Store(StoreError::Altered { .. })) => {
                    secrets.push((cursor, None));
                    continue;
                }
                Err(error) => {
                    // One damaged row must not hide all the others.
                    tracing::error!(secret.arn = %row.arn, %error, "a secret is left out of a list");
                    secrets.push((cursor, None));
                    continue;
                }
            };
            if !secret.is_replica() {
                secrets.push((cursor, Some(secret)));
                continue;
            }
            let held = Held::bare(row.revision, secret);
            match self.view(Arc::new(held)).await {
                Ok(view) => secrets.push((cursor, Some(view.secret.clone()))),
                // The primary has let go of it meanwhile, or is not to be believed.
                Err(AppError::NoSuchSecret | AppError::Store(StoreError::Altered { .. })) => {
                    secrets.push((cursor, None));
                }
                Err(error @ AppError::Store(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(secret.arn = %row.arn, %error, "a secret is left out of a list");
                    secrets.push((cursor, None));
                }
            }
        }
        Ok(secrets)
    }
}

fn must_be(id: &SecretId, secret: &Secret) -> Result<(), AppError> {
    match &id.arn {
        Some(arn) if arn != secret.arn.as_str() => Err(AppError::NoSuchSecret),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
