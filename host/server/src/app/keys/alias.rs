//! The doors to aliases.

use pawl_api::kms::refusal;
use pawl_core::key::{Alias, AliasName, Key, KeyId, KeyRef, KeyRefError};
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_store::{EntityRow, Expect};

use super::{ALIASES, KEY_ROWS, decode, entity, put};
use crate::app::App;
use crate::error::AppError;
use crate::identity::Caller;

const CREATE: &str = "kms:CreateAlias";
const UPDATE: &str = "kms:UpdateAlias";
const DELETE: &str = "kms:DeleteAlias";

impl App {
    /// Gives a key another name.
    ///
    /// # Errors
    /// When the name is taken or reserved, the key is about to go or has as many as there may be, or the caller may not.
    pub async fn create_alias(
        &self,
        caller: &Caller,
        name: &AliasName,
        target: &str,
    ) -> Result<(), AppError> {
        let region = &caller.region;
        self.may_use_alias(caller, CREATE, (region, name))?;
        let key = self.aliased(caller, CREATE, name, target).await?;
        let arn = name.arn(region, &self.account);
        if self.alias(region, name).await?.is_some() {
            return Err(AppError::Api(refusal::alias_taken(arn)));
        }
        if self.aliases_of(region, key.id).await?.len() >= limits::KEY_ALIASES_MAX {
            return Err(AppError::Api(refusal::too_many_aliases(&key.arn, limits::KEY_ALIASES_MAX)));
        }
        let now = self.clock.now();
        let alias = Alias { name: name.clone(), target: key.id, created_at: now, updated_at: now };
        let change = entity(ALIASES, region, name.as_str(), Expect::New, Some(put(&alias)?));
        match self.commit_keys(vec![change], self.key_record(caller, CREATE, &arn)?).await {
            Err(AppError::LostRace) => Err(AppError::Api(refusal::alias_taken(arn))),
            done => done,
        }
    }

    /// Lets an alias name another key of the same kind.
    ///
    /// # Errors
    /// When there is no such alias, the key is of another kind or about to go, or the caller may not.
    pub async fn update_alias(
        &self,
        caller: &Caller,
        name: &AliasName,
        target: &str,
    ) -> Result<(), AppError> {
        let region = &caller.region;
        self.may_use_alias(caller, UPDATE, (region, name))?;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let key = self.aliased(caller, UPDATE, name, target).await?;
            let (revision, held) = self.alias_row(region, name).await?;
            if let Some(former) = self.key(region, held.target).await? {
                // AWS asks for the alias, the key that it names and the key that it is to name: who has no say over a key does not
                // take its name away from it.
                self.may_use_key(caller, UPDATE, &former)?;
                if former.key.spec.usage() != key.spec.usage() {
                    return Err(AppError::Api(refusal::alias_to_other_usage(name)));
                }
            }
            if held.target == key.id {
                return Ok(());
            }
            let alias = Alias { target: key.id, updated_at: self.clock.now(), ..held };
            let expect = Expect::Revision(revision);
            let change = entity(ALIASES, region, name.as_str(), expect, Some(put(&alias)?));
            let record = self.key_record(caller, UPDATE, &name.arn(region, &self.account))?;
            match self.commit_keys(vec![change], record).await {
                Err(AppError::LostRace) => {}
                done => return done,
            }
        }
        Err(AppError::LostRace)
    }

    /// Takes a name away. The key stays as it is.
    ///
    /// # Errors
    /// When there is no such alias, it is reserved, or the caller may not.
    pub async fn delete_alias(&self, caller: &Caller, name: &AliasName) -> Result<(), AppError> {
        let region = &caller.region;
        self.may_use_alias(caller, DELETE, (region, name))?;
        if name.is_reserved() {
            return Err(AppError::Api(refusal::alias_reserved()));
        }
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let (revision, held) = self.alias_row(region, name).await?;
            if let Some(target) = self.key(region, held.target).await? {
                self.may_use_key(caller, DELETE, &target)?;
            }
            let change = entity(ALIASES, region, name.as_str(), Expect::Revision(revision), None);
            let record = self.key_record(caller, DELETE, &name.arn(region, &self.account))?;
            match self.commit_keys(vec![change], record).await {
                Err(AppError::LostRace) => {}
                done => return done,
            }
        }
        Err(AppError::LostRace)
    }

    /// One page of the region's aliases by their names: of one key, or of all.
    ///
    /// # Errors
    /// When the caller may not, or the store fails.
    pub async fn list_aliases(
        &self,
        caller: &Caller,
        of: Option<KeyId>,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Alias>, AppError> {
        self.may_with_keys(caller, "kms:ListAliases")?;
        let region = &caller.region;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let found = self.search_aliases(region, of, after, most).await?;
            let mut gone = false;
            for (_, alias) in &found {
                // Looking for a key whose time is over deletes it, and its aliases.
                gone |= self.key(region, alias.target).await?.is_none();
            }
            if !gone {
                return Ok(found.into_iter().map(|(_, alias)| alias).collect());
            }
        }
        Err(AppError::LostRace)
    }

    /// All aliases of a key, with the revisions of their rows.
    pub(super) async fn aliases_of(&self, region: &Region, id: KeyId) -> Result<Vec<(u64, Alias)>, AppError> {
        self.search_aliases(region, Some(id), None, usize::MAX).await
    }

    async fn search_aliases(
        &self,
        region: &Region,
        of: Option<KeyId>,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<(u64, Alias)>, AppError> {
        let (mut after, mut found) = (after.map(str::to_owned), Vec::new());
        while found.len() < most {
            let rows = self.store.entities(ALIASES, region.as_str(), after.as_deref(), KEY_ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.name.clone());
            for row in rows.iter().filter(|row| !row.mac.is_refused()) {
                let alias: Alias = decode(row)?;
                if of.is_none_or(|id| alias.target == id) {
                    found.push((row.revision, alias));
                }
            }
        }
        found.truncate(most);
        Ok(found)
    }

    pub(super) async fn alias(&self, region: &Region, name: &AliasName) -> Result<Option<Alias>, AppError> {
        let row = self.store.entity(ALIASES, region.as_str(), name.as_str()).await?;
        row.as_ref().map(decode).transpose()
    }

    async fn alias_row(&self, region: &Region, name: &AliasName) -> Result<(u64, Alias), AppError> {
        let row: Option<EntityRow> = self.store.entity(ALIASES, region.as_str(), name.as_str()).await?;
        let row = row.ok_or_else(|| self.no_alias(region, name))?;
        Ok((row.revision, decode(&row)?))
    }

    /// The key that an alias is to name.
    async fn aliased(
        &self,
        caller: &Caller,
        action: &'static str,
        name: &AliasName,
        target: &str,
    ) -> Result<Key, AppError> {
        if name.is_reserved() {
            return Err(AppError::Api(refusal::alias_reserved()));
        }
        let KeyRef::Id(id) = KeyRef::parse(target, &caller.region, &self.account)? else {
            return Err(KeyRefError::Id(target.to_owned()).into());
        };
        let held = self.read_key_by_id(caller, action, id).await?;
        held.key.must_stay()?;
        Ok(held.key.clone())
    }
}
