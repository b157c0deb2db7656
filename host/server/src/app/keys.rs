//! The doors to a KMS key: [`App::read_key`], [`App::create_key`], [`App::change_key`] and those of aliases. Each asks whether the
//! caller may, does its one thing, and stores a record with every change.

mod alias;
mod authority;
mod held;
mod sealing;

use std::collections::BTreeMap;
use std::sync::Arc;

use pawl_core::key::{
    Alias, AliasName, EncryptionContext, Key, KeyArn, KeyError, KeyId, KeyManager, KeyRef, KeyRefError,
    KeySpec, NewKey, RotationKind, SECRETS_ALIAS,
};
use pawl_core::limits;
use pawl_core::names::{Region, SecretName};
use pawl_core::world::{Rng, Timestamp};
use pawl_iam::policy::PolicyDocument;
use pawl_keyring::{Keyring, SealedMaterial, UnlockedKey};
use pawl_store::{CommitError, EntityChange, EntityPut, EntityRow, Expect};
use tracing::Instrument as _;

pub use self::authority::ConditionKey;
pub use self::held::HeldKey;
pub(super) use self::held::HeldKeys;
pub use self::sealing::Sealer;
pub(crate) use self::sealing::open_sealed;
use super::App;
use crate::audit::Row;
use crate::cache;
use crate::error::AppError;
use crate::identity::Caller;

/// The kind of keys among entities; an entity's name is the key's id.
pub(crate) const KEYS: &str = "kms:key";
/// The kind of aliases among entities; an entity's name is the alias.
const ALIASES: &str = "kms:alias";

/// A key in the middle of a change. The closure that edits it may run several times: it must depend on nothing but this.
pub struct KeyDraft<'a> {
    /// The aggregate, free to be changed.
    pub key: Key,
    /// The moment of the change.
    pub now: Timestamp,
    sealed: SealedMaterial,
    keyring: &'a Keyring,
    rng: &'a dyn Rng,
}

impl KeyDraft<'_> {
    /// Gives the key a new material, with which it encrypts from now on.
    ///
    /// # Errors
    /// When sealing fails.
    pub fn rotate(&mut self, kind: RotationKind) -> Result<(), AppError> {
        let number = self.key.add_material(kind, self.rng, self.now);
        let held = Some(self.sealed.clone());
        self.sealed = self.keyring.add_material(self.key.arn.as_str(), number, held, self.rng)?;
        Ok(())
    }
}

impl App {
    /// The ARN that a key of this id has in the caller's region.
    #[must_use]
    pub fn key_arn(&self, region: &Region, id: KeyId) -> KeyArn {
        KeyArn::of(region, &self.account, id)
    }

    /// The ARN of the key that the caller names, where that names one: for conditions, and for nobody's eyes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn key_arn_named(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<Option<KeyArn>, AppError> {
        let Some(named) = named.filter(|_| caller.identity.is_some()) else { return Ok(None) };
        let id = match KeyRef::parse(named, &caller.region, &self.account) {
            Ok(KeyRef::Id(id)) => Some(id),
            Ok(KeyRef::Alias(alias)) => self.alias(&caller.region, &alias).await?.map(|found| found.target),
            Err(_) => None,
        };
        Ok(id.map(|id| self.key_arn(&caller.region, id)))
    }

    /// The key that the caller names, for an action that it may do with it.
    ///
    /// # Errors
    /// When there is no such key, or the caller may not.
    pub async fn read_key(
        &self,
        caller: &Caller,
        action: &'static str,
        named: &str,
    ) -> Result<Arc<HeldKey>, AppError> {
        self.read_key_in(caller, action, named, None).await
    }

    /// [`App::read_key`] for what is done in an encryption context, which policies may look at.
    ///
    /// # Errors
    /// As [`App::read_key`].
    pub async fn read_key_in(
        &self,
        caller: &Caller,
        action: &'static str,
        named: &str,
        context: Option<&EncryptionContext>,
    ) -> Result<Arc<HeldKey>, AppError> {
        let id = self.resolve_key(&caller.region, named).await?;
        let mut keys = authority::context_keys(context);
        if let KeyRef::Alias(alias) = KeyRef::parse(named, &caller.region, &self.account)? {
            keys.push(("kms:RequestAlias".into(), alias.to_string()));
        }
        let held = self.key(&caller.region, id).await?.ok_or_else(|| self.no_key(&caller.region, id))?;
        self.may_use_key_for(caller, action, &held, keys)?;
        Ok(held)
    }

    /// [`App::read_key`] of a key whose id is known.
    ///
    /// # Errors
    /// As [`App::read_key`].
    pub async fn read_key_by_id(
        &self,
        caller: &Caller,
        action: &'static str,
        id: KeyId,
    ) -> Result<Arc<HeldKey>, AppError> {
        self.read_key_by_id_in(caller, action, id, None).await
    }

    /// [`App::read_key_in`] of a key whose id is known.
    ///
    /// # Errors
    /// As [`App::read_key`].
    pub async fn read_key_by_id_in(
        &self,
        caller: &Caller,
        action: &'static str,
        id: KeyId,
        context: Option<&EncryptionContext>,
    ) -> Result<Arc<HeldKey>, AppError> {
        let held = self.key(&caller.region, id).await?.ok_or_else(|| self.no_key(&caller.region, id))?;
        caller.trail.about(held.key.arn.as_str());
        self.may_use_key_for(caller, action, &held, authority::context_keys(context))?;
        Ok(held)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When the caller may not, or it would have more tags than there may be.
    pub async fn create_key(
        &self,
        caller: &Caller,
        action: &'static str,
        new: NewKey,
        keys: &[ConditionKey],
    ) -> Result<Arc<HeldKey>, AppError> {
        self.may_with_keys_given(caller, action, keys)?;
        let key = Key::new(new, &*self.rng, self.clock.now())?;
        let put = self.first_put(&key)?;
        let change = entity(KEYS, &key.region, &key.id.to_string(), Expect::New, Some(put));
        let record = self.key_record(caller, action, key.arn.as_str())?;
        self.commit_keys(vec![change], record).await?;
        self.key(&key.region, key.id).await?.ok_or_else(|| self.no_key(&key.region, key.id))
    }

    /// Changes a key: loads it, asks whether the caller may, runs the edit, and commits what it left together with a record of it.
    /// A lost race runs the edit again on what the winner left. An edit that changes nothing commits nothing.
    ///
    /// # Errors
    /// When there is no such key, the caller may not, or the edit refuses.
    pub async fn change_key<T>(
        &self,
        caller: &Caller,
        action: &'static str,
        named: &str,
        edit: impl Fn(&mut KeyDraft<'_>) -> Result<T, AppError>,
    ) -> Result<(KeyArn, T), AppError> {
        self.change_key_asked(caller, action, named, &[], edit).await
    }

    /// [`App::change_key`] for a request that says something which policies may look at.
    ///
    /// # Errors
    /// As [`App::change_key`].
    pub async fn change_key_asked<T>(
        &self,
        caller: &Caller,
        action: &'static str,
        named: &str,
        keys: &[ConditionKey],
        edit: impl Fn(&mut KeyDraft<'_>) -> Result<T, AppError>,
    ) -> Result<(KeyArn, T), AppError> {
        // Where a key is changed it is named by its id: an alias would be another key a moment later (AWS takes none either).
        let id = match KeyRef::parse(named, &caller.region, &self.account)? {
            KeyRef::Id(id) => id,
            KeyRef::Alias(_) => return Err(KeyRefError::Id(named.to_owned()).into()),
        };
        let _turn = self.key_turn(&caller.region, id).await;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let held = self.key(&caller.region, id).await?;
            let held = held.ok_or_else(|| self.no_key(&caller.region, id))?;
            self.may_use_key_for(caller, action, &held, keys.to_vec())?;
            let mut draft = self.key_draft(&held);
            let answer = edit(&mut draft)?;
            match self.commit_draft(caller, action, &held, draft).await {
                Ok(()) => return Ok((held.key.arn.clone(), answer)),
                Err(AppError::LostRace) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::LostRace)
    }

    /// One page of the region's keys, by their ids.
    ///
    /// # Errors
    /// When the caller may not, or the store fails.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        action: &'static str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Key>, AppError> {
        self.may_with_keys(caller, action)?;
        let (region, now) = (caller.region.as_str(), self.clock.now());
        let (mut after, mut keys) = (after.map(str::to_owned), Vec::new());
        while keys.len() < most {
            let rows = self.store.entities(KEYS, region, after.as_deref(), KEY_ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.name.clone());
            for row in &rows {
                if row.mac.is_refused() {
                    continue;
                }
                let key: Key = decode(row)?;
                if key.is_gone(now) {
                    // Looking for it deletes it.
                    self.key(&key.region, key.id).await?;
                } else {
                    keys.push(key);
                }
            }
        }
        keys.truncate(most);
        Ok(keys)
    }

    /// The id that a name of the caller's stands for.
    pub(super) async fn resolve_key(&self, region: &Region, named: &str) -> Result<KeyId, AppError> {
        let alias = match KeyRef::parse(named, region, &self.account)? {
            KeyRef::Id(id) => return Ok(id),
            KeyRef::Alias(alias) => alias,
        };
        if let Some(found) = self.alias(region, &alias).await? {
            return Ok(found.target);
        }
        if alias.as_str() == SECRETS_ALIAS {
            return self.make_service_key(region, &alias).await;
        }
        Err(self.no_alias(region, &alias))
    }

    /// Makes the key of AWS's name for the one that seals secrets which name none: it shows what there is, and does nothing.
    async fn make_service_key(&self, region: &Region, alias: &AliasName) -> Result<KeyId, AppError> {
        let now = self.clock.now();
        let new = NewKey {
            region: region.clone(),
            account: self.account.clone(),
            spec: KeySpec::SymmetricDefault,
            manager: KeyManager::Aws,
            description: "Default key that protects my Secrets Manager data when no other key is defined"
                .to_owned(),
            policy: None,
            principals: BTreeMap::new(),
            tags: Vec::new(),
        };
        let key = Key::new(new, &*self.rng, now)?;
        let named = Alias { name: alias.clone(), target: key.id, created_at: now, updated_at: now };
        let changes = vec![
            entity(KEYS, region, &key.id.to_string(), Expect::New, Some(self.first_put(&key)?)),
            entity(ALIASES, region, alias.as_str(), Expect::New, Some(put(&named)?)),
        ];
        let caller = Caller::scheduler(region.clone(), "first use of a service's key".to_owned());
        let record = self.key_record(&caller, "kms:CreateKey", key.arn.as_str())?;
        match self.commit_keys(changes, record).await {
            Ok(()) => Ok(key.id),
            // Somebody else was faster.
            Err(AppError::LostRace) => {
                let found = self.alias(region, alias).await?;
                found.map(|found| found.target).ok_or(AppError::LostRace)
            }
            Err(error) => Err(error),
        }
    }

    /// A key that is there, from memory or from the store. What is overdue is done first: an automatic rotation, and the end.
    pub(super) async fn key(&self, region: &Region, id: KeyId) -> Result<Option<Arc<HeldKey>>, AppError> {
        self.look_at_shared_keys().await?;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let held = match self.keys.get(region, id) {
                Some(held) => held,
                None => match self.load_key(region, id).await? {
                    Some(held) => held,
                    None => return Ok(None),
                },
            };
            let now = self.clock.now();
            let overdue = if held.key.is_gone(now) {
                self.bury_key(&held).await
            } else if held.key.rotation_is_due(now) {
                let mut draft = self.key_draft(&held);
                draft.rotate(RotationKind::Automatic)?;
                let caller = Caller::scheduler(region.clone(), "automatic rotation of a key".to_owned());
                self.commit_draft(&caller, "kms:RotateKey", &held, draft).await
            } else {
                return Ok(Some(held));
            };
            match overdue {
                Ok(()) | Err(AppError::LostRace) => {}
                Err(error) => return Err(error),
            }
        }
        Err(AppError::LostRace)
    }

    async fn load_key(&self, region: &Region, id: KeyId) -> Result<Option<Arc<HeldKey>>, AppError> {
        let began = self.keys.generation();
        let row = self.store.entity(KEYS, region.as_str(), &id.to_string()).await?;
        let Some(row) = row else { return Ok(None) };
        let aliases = self.aliases_of(region, id).await?.into_iter().map(|(_, alias)| alias.name).collect();
        let held = Arc::new(self.unlock_key(row, aliases)?);
        self.keys.keep(region, held.clone(), began);
        Ok(Some(held))
    }

    fn unlock_key(&self, row: EntityRow, aliases: Vec<AliasName>) -> Result<HeldKey, AppError> {
        let key: Key = decode(&row)?;
        let inconsistent =
            |what: &str| AppError::Inconsistent { what: format!("the key {} {what}", key.arn) };
        let sealed = row.sealed.map(SealedMaterial::from_bytes);
        let sealed = sealed.ok_or_else(|| inconsistent("has no material"))?;
        let materials = self.keyring.open_material(key.arn.as_str(), &sealed).map_err(|error| {
            inconsistent(&format!("does not open ({error}); restore the store from a backup"))
        })?;
        // A material that was taken away, or put back from an older state, would show here.
        if materials.iter().map(|(number, _)| *number).ne(key.materials.iter().map(|held| held.number)) {
            return Err(inconsistent("has other materials than it should; restore the store from a backup"));
        }
        let unlocked = UnlockedKey::new(key.id, key.arn.to_string(), &materials);
        let unlocked = unlocked.ok_or_else(|| inconsistent("has no usable material"))?;
        let policy = PolicyDocument::parse_key(&key.policy).ok().map(|policy| policy.bound(&key.principals));
        Ok(HeldKey { revision: row.revision, key, aliases, policy, sealed, unlocked })
    }

    /// Deletes a key whose time is over, and its aliases with it.
    async fn bury_key(&self, held: &HeldKey) -> Result<(), AppError> {
        let key = &held.key;
        let mut changes: Vec<EntityChange> = Vec::new();
        for (revision, alias) in self.aliases_of(&key.region, key.id).await? {
            let expect = Expect::Revision(revision);
            changes.push(entity(ALIASES, &key.region, alias.name.as_str(), expect, None));
        }
        let expect = Expect::Revision(held.revision);
        changes.push(entity(KEYS, &key.region, &key.id.to_string(), expect, None));
        let caller = Caller::scheduler(key.region.clone(), "end of a key's waiting period".to_owned());
        let record = self.key_record(&caller, "kms:DeleteKey", key.arn.as_str())?;
        self.commit_keys(changes, record).await
    }

    /// Forgets what is remembered of a key that was changed beside the doors.
    pub(super) fn forget_key(&self, region: &str, name: &str) {
        self.keys.forget(&[(region.to_owned(), name.to_owned())]);
    }

    fn key_draft<'a>(&'a self, held: &HeldKey) -> KeyDraft<'a> {
        let (now, keyring, rng) = (self.clock.now(), &self.keyring, &*self.rng);
        KeyDraft { key: held.key.clone(), now, sealed: held.sealed.clone(), keyring, rng }
    }

    async fn commit_draft(
        &self,
        caller: &Caller,
        action: &str,
        held: &HeldKey,
        draft: KeyDraft<'_>,
    ) -> Result<(), AppError> {
        let KeyDraft { key, sealed, .. } = draft;
        if key == held.key {
            return Ok(());
        }
        let put = EntityPut { sealed: Some(sealed.into_bytes()), ..put(&key)? };
        let expect = Expect::Revision(held.revision);
        let change = entity(KEYS, &key.region, &key.id.to_string(), expect, Some(put));
        let record = self.key_record(caller, action, key.arn.as_str())?;
        self.commit_keys(vec![change], record).await
    }

    fn first_put(&self, key: &Key) -> Result<EntityPut, AppError> {
        let number = key.current().map_or(1, |material| material.number);
        let sealed = self.keyring.add_material(key.arn.as_str(), number, None, &*self.rng)?;
        Ok(EntityPut { sealed: Some(sealed.into_bytes()), ..put(key)? })
    }

    /// Commits changes of keys and aliases, and forgets what is remembered of any.
    async fn commit_keys(&self, changes: Vec<EntityChange>, record: String) -> Result<(), AppError> {
        let (store, keys) = (self.store.clone(), self.keys.clone());
        // A task of its own: a caller who hangs up ends the request, and must not come between the store and the cache.
        let committing = async move {
            let touched: Vec<(String, String)> =
                changes.iter().map(|change| (change.region.clone(), change.name.clone())).collect();
            let committed = store.commit_entities(changes, vec![record]).await;
            // Whether a commit that failed half-way has taken effect is the store's to say.
            keys.forget(&touched);
            committed
        };
        let committing = tokio::spawn(committing.in_current_span());
        let committed = committing.await;
        match committed.map_err(|_| AppError::Inconsistent { what: "a commit broke off".to_owned() })? {
            Ok(()) => Ok(()),
            Err(CommitError::LostRace | CommitError::NameTaken) => Err(AppError::LostRace),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets all keys when another host has changed any, which is asked now and then.
    async fn look_at_shared_keys(&self) -> Result<(), AppError> {
        if self.store.is_shared() && self.keys.is_stale(self.clock.wall()) {
            let asked_at = self.clock.wall();
            let version = self.store.entities_version().await?;
            self.keys.seen(version, asked_at);
        }
        Ok(())
    }

    async fn key_turn(&self, region: &Region, id: KeyId) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let name = SecretName::try_from(format!("key/{id}")).ok()?;
        self.turns.take(&cache::Key(region.clone(), name)).await
    }

    fn key_record(&self, caller: &Caller, action: &str, arn: &str) -> Result<String, AppError> {
        caller.trail.about(arn);
        super::rows::encode(&Row::of(&self.host_id, caller, self.clock.now(), action, arn))
    }

    fn no_key(&self, region: &Region, id: KeyId) -> AppError {
        AppError::Api(pawl_api::kms::refusal::key_not_found(self.key_arn(region, id)))
    }

    fn no_alias(&self, region: &Region, alias: &AliasName) -> AppError {
        AppError::Api(pawl_api::kms::refusal::alias_not_found(alias.arn(region, &self.account)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a small number, in a constant")]
const KEY_ROWS: u32 = limits::KEY_ROWS_AT_ONCE as u32;

fn entity(kind: &str, region: &Region, name: &str, expect: Expect, put: Option<EntityPut>) -> EntityChange {
    let (kind, region, name) = (kind.to_owned(), region.to_string(), name.to_owned());
    EntityChange { kind, region, name, expect, put, signer: None }
}

fn put(document: &impl serde::Serialize) -> Result<EntityPut, AppError> {
    Ok(EntityPut { document: super::rows::encode(document)?, sealed: None, keys: Some(Vec::new()) })
}

fn decode<T: serde::de::DeserializeOwned>(row: &EntityRow) -> Result<T, AppError> {
    serde_json::from_str(&row.document).map_err(|error| AppError::Inconsistent {
        what: format!(
            "the document of {} {} cannot be read (line {}, column {})",
            row.kind,
            row.name,
            error.line(),
            error.column()
        ),
    })
}

/// The key's own refusals as the operations on secrets tell them.
impl From<KeyError> for AppError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}
