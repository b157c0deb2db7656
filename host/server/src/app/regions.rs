//! Replication: one secret, seen from several regions. Changes of several rows are one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::replica::{Replica, ReplicaStatus};
use pawl_core::secret::{Secret, SecretError};
use pawl_keyring::{SealContext, Sealed};

use super::permission::named;
use super::{App, Ask, Commit, Edited, Fate, Prepared, authorise, must_be};
use crate::cache::{Generation, Held, Key};
use crate::error::{AppError, invalid_replica_region, not_a_replica};
use crate::identity::Caller;
use crate::policy::Action;

/// A region that a secret is to be replicated to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The region.
    pub region: Region,
    /// The key that the caller names for it.
    pub kms_key_id: Option<String>,
}

/// A row in the middle of a change of several.
struct Slot {
    began: Generation,
    held: Option<Arc<Held>>,
}

/// Runs what may lose a race until it does not.
macro_rules! retried {
    ($attempt:expr) => {{
        for _ in 0..limits::CHANGE_TRIES_MAX {
            match $attempt {
                Err(AppError::LostRace) => {}
                done => return done,
            }
        }
        Err(AppError::LostRace)
    }};
}

impl App {
    /// What a replica's region sees of the primary.
    pub(super) async fn view(&self, replica: Arc<Held>) -> Result<Arc<Held>, AppError> {
        let row = &replica.secret;
        let region = row.replica_of.clone().ok_or(AppError::NoSuchSecret)?;
        let primary = self.stored(&Key(region, row.name.clone())).await?.ok_or(AppError::NoSuchSecret)?;
        if !replicates(&primary.secret, row) {
            return Err(AppError::NoSuchSecret);
        }
        Ok(Arc::new(seen(&primary, row)))
    }

    /// When a replica was last read; none when it never was, or is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn replica_accessed(
        &self,
        primary: &Secret,
        region: &Region,
    ) -> Result<Option<pawl_core::world::Timestamp>, AppError> {
        let row = self.stored(&Key(region.clone(), primary.name.clone())).await?;
        Ok(row.filter(|row| replicates(primary, &row.secret)).and_then(|row| row.secret.last_accessed_day))
    }

    /// Replicates a secret to regions. Where a region has a secret of this name the replica fails, unless `overwrite` says that
    /// it makes way.
    ///
    /// # Errors
    /// When there is no such secret, it is a replica itself, the caller may not, or a region is its own.
    pub async fn replicate(
        &self,
        caller: &Caller,
        ask: impl Into<Ask<'_>>,
        id: &str,
        (wanted, overwrite): (&[Wanted], bool),
    ) -> Result<Arc<Held>, AppError> {
        let id = self.place(caller, id)?;
        let ask = named(caller, ask, &id);
        if wanted.iter().any(|wanted| wanted.region == caller.region) {
            return Err(invalid_replica_region());
        }
        let keys = |region: &Region| Key(region.clone(), id.name.clone());
        let mut all: Vec<Key> = vec![keys(&caller.region)];
        all.extend(wanted.iter().map(|wanted| keys(&wanted.region)));
        let _turns = self.turns.take_all(&all).await;
        retried!(self.try_replicate(caller, &ask, &id, (wanted, overwrite)).await)
    }

    async fn try_replicate(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        id: &SecretId,
        (wanted, overwrite): (&[Wanted], bool),
    ) -> Result<Arc<Held>, AppError> {
        let primary = self.primary(caller, ask, id).await?;
        let Some(before) = primary.held.clone() else { return Err(AppError::NoSuchSecret) };
        let (now, mut secret, mut prepared) = (self.clock.now(), before.secret.clone(), Vec::new());
        for Wanted { region, kms_key_id } in wanted {
            let there = self.slot(Key(region.clone(), id.name.clone())).await?;
            let (own, free) = match &there.held {
                Some(held) => (replicates(&secret, &held.secret), overwrite && stands_alone(&held.secret)),
                None => (false, true),
            };
            let status = if own || free { ReplicaStatus::InSync } else { ReplicaStatus::NameTaken };
            let kms_key_id = kms_key_id.clone();
            secret.set_replica(Replica { region: region.clone(), kms_key_id: kms_key_id.clone(), status });
            if let Some(row) = there.held.as_ref().filter(|row| own && row.secret.kms_key_id != kms_key_id) {
                let renewed = Secret { kms_key_id, ..row.secret.clone() };
                let edited =
                    Edited { secret: renewed, now, puts: Vec::new(), news: Vec::new(), steps: Vec::new() };
                let commit = commit(Some(row.clone()), ask.action, there.began);
                prepared.push(self.prepare(caller, edited, commit)?);
                continue;
            }
            if own || !free {
                continue;
            }
            if let Some(held) = &there.held {
                // Making way is being deleted, at once.
                let making_way = Ask::from(Action::DeleteSecret)
                    .with("secretsmanager:ForceDeleteWithoutRecovery", Some(true));
                authorise(self, caller, &making_way, Some(held))?;
                prepared.push(self.purge(caller, ask.action, &there, held)?);
            }
            let replica = Secret::replica(&secret, region.clone(), kms_key_id, now);
            let edited =
                Edited { secret: replica, now, puts: Vec::new(), news: Vec::new(), steps: Vec::new() };
            prepared.push(self.prepare(caller, edited, commit(None, ask.action, there.began))?);
        }
        if secret == before.secret {
            return Ok(before);
        }
        secret.touch(now);
        let edited = Edited { secret, now, puts: Vec::new(), news: Vec::new(), steps: Vec::new() };
        let main = self.prepare(caller, edited, commit(Some(before), ask.action, primary.began))?;
        self.commit_with(main, prepared).await
    }

    /// Ends a secret's replication to regions: its replicas there are gone.
    ///
    /// # Errors
    /// When there is no such secret, it is a replica itself, the caller may not, or it is not replicated to a region.
    pub async fn remove_replicas(
        &self,
        caller: &Caller,
        id: &str,
        regions: &BTreeSet<Region>,
    ) -> Result<Arc<Held>, AppError> {
        let id = self.place(caller, id)?;
        let ask = named(caller, Action::RemoveRegionsFromReplication, &id);
        let keys = |region: &Region| Key(region.clone(), id.name.clone());
        let mut all: Vec<Key> = vec![keys(&caller.region)];
        all.extend(regions.iter().map(keys));
        let _turns = self.turns.take_all(&all).await;
        retried!(self.try_remove(caller, &ask, &id, regions).await)
    }

    async fn try_remove(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        id: &SecretId,
        regions: &BTreeSet<Region>,
    ) -> Result<Arc<Held>, AppError> {
        let primary = self.primary(caller, ask, id).await?;
        let Some(before) = primary.held.clone() else { return Err(AppError::NoSuchSecret) };
        let (now, mut secret, mut prepared) = (self.clock.now(), before.secret.clone(), Vec::new());
        for region in regions {
            if !secret.replicas.iter().any(|replica| replica.region == *region) {
                return Err(invalid_replica_region());
            }
            let there = self.slot(Key(region.clone(), id.name.clone())).await?;
            if let Some(held) = there.held.as_ref().filter(|held| replicates(&secret, &held.secret)) {
                prepared.push(self.purge(caller, ask.action, &there, held)?);
            }
            secret.replicas.retain(|replica| replica.region != *region);
        }
        secret.touch(now);
        let edited = Edited { secret, now, puts: Vec::new(), news: Vec::new(), steps: Vec::new() };
        let main = self.prepare(caller, edited, commit(Some(before), ask.action, primary.began))?;
        self.commit_with(main, prepared).await
    }

    /// Makes a replica a secret of its own, with a copy of every value. To be called in the replica's region.
    ///
    /// # Errors
    /// When there is no such secret, it is no replica, or the caller may not.
    pub async fn stop_replication(&self, caller: &Caller, id: &str) -> Result<Arc<Held>, AppError> {
        let id = self.place(caller, id)?;
        let ask = named(caller, Action::StopReplicationToReplica, &id);
        let own = Key(caller.region.clone(), id.name.clone());
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let Some(held) = self.stored(&own).await?.filter(|held| must_be(&id, &held.secret).is_ok())
            else {
                return Err(self.missing(caller, ask, &id));
            };
            let Some(region) = held.secret.replica_of.clone() else {
                // Who may not is not told what it is.
                authorise(self, caller, &ask, Some(&held))?;
                return Err(not_a_replica());
            };
            let main = Key(region, id.name.clone());
            let _turns = self.turns.take_all(&[own.clone(), main.clone()]).await;
            match self.try_stop(caller, &ask, &id, (own.clone(), main)).await {
                Err(AppError::LostRace) => {}
                done => return done,
            }
        }
        Err(AppError::LostRace)
    }

    async fn try_stop(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        id: &SecretId,
        (own, main): (Key, Key),
    ) -> Result<Arc<Held>, AppError> {
        let (replica, primary) = (self.slot(own).await?, self.slot(main.clone()).await?);
        let (Some(row), Some(whole)) = (replica.held.clone(), primary.held.clone()) else {
            return Err(AppError::NoSuchSecret);
        };
        must_be(id, &row.secret)?;
        if !row.secret.is_replica() {
            return Err(not_a_replica());
        }
        // Another primary's by now: its turn has not been taken.
        if row.secret.replica_of.as_ref() != Some(&main.0) {
            return Err(AppError::LostRace);
        }
        if !replicates(&whole.secret, &row.secret) {
            return Err(AppError::NoSuchSecret);
        }
        let view = seen(&whole, &row.secret);
        authorise(self, caller, ask, Some(&view))?;
        let sealer = self.sealer_of(caller, &view).await?;
        let mut draft = self.draft(view.secret, None);
        draft.sealer = sealer;
        draft.secret.stand_alone(draft.now);
        let values = self.store.load_full(&main.0, &main.1).await?.ok_or(AppError::NoSuchSecret)?;
        for version in values.values {
            if draft.secret.versions.contains_key(&version.version_id) {
                let arn = whole.secret.arn.as_str();
                let context = SealContext { arn, version_id: version.version_id.as_str() };
                let sealed = Sealed::from_bytes(version.sealed)?;
                let value = self.open_value(Some(caller), &whole, &context, &sealed).await?;
                draft.adopt(&version.version_id, &value)?;
            }
        }
        let with_value = draft.secret.versions.values().filter(|version| version.content.is_some()).count();
        if draft.puts.len() != with_value {
            let what = format!("the values of {} are not all there", whole.secret.arn);
            return Err(AppError::Inconsistent { what });
        }
        let mut secret = whole.secret.clone();
        secret.replicas.retain(|held| held.region != caller.region);
        let now = draft.now;
        secret.touch(now);
        let left = Edited { secret, now, puts: Vec::new(), news: Vec::new(), steps: Vec::new() };
        let alone = self.prepare(caller, draft.into(), commit(Some(row), ask.action, replica.began))?;
        let held = alone.held.clone();
        let primary = self.prepare(caller, left, commit(Some(whole), ask.action, primary.began))?;
        self.commit_all(vec![alone, primary]).await?;
        Ok(held)
    }

    /// Commits a primary's change with those of other regions; the primary as it then is.
    async fn commit_with(&self, main: Prepared, mut others: Vec<Prepared>) -> Result<Arc<Held>, AppError> {
        let held = main.held.clone();
        others.push(main);
        self.commit_all(others).await?;
        Ok(held)
    }

    /// The row of a secret that may be changed by the caller.
    async fn primary(&self, caller: &Caller, ask: &Ask<'_>, id: &SecretId) -> Result<Slot, AppError> {
        let slot = self.slot(Key(caller.region.clone(), id.name.clone())).await?;
        let found = slot.held.clone().filter(|held| must_be(id, &held.secret).is_ok());
        // Who may not is not told that there is none.
        let Some(held) = found else { return Err(self.missing(caller, ask.clone(), id)) };
        if held.secret.is_replica() {
            authorise(self, caller, ask, Some(&*self.view(held).await?))?;
            return Err(SecretError::Replica.into());
        }
        authorise(self, caller, ask, Some(&held))?;
        held.secret.must_live()?;
        Ok(slot)
    }

    /// A row as the store has it now: what a change of several rows rests on is not taken from memory.
    async fn slot(&self, key: Key) -> Result<Slot, AppError> {
        let began = self.cache.generation(&key);
        let held = self.load(&key).await?;
        Ok(Slot { began, held })
    }

    fn purge(
        &self,
        caller: &Caller,
        action: Action,
        slot: &Slot,
        held: &Arc<Held>,
    ) -> Result<Prepared, AppError> {
        let edited = Edited {
            secret: held.secret.clone(),
            now: self.clock.now(),
            puts: Vec::new(),
            news: Vec::new(),
            steps: Vec::new(),
        };
        let commit = Commit { fate: Fate::Purged, ..commit(Some(held.clone()), action, slot.began) };
        self.prepare(caller, edited, commit)
    }
}

/// What a replica's row shows of its primary.
fn seen(primary: &Held, row: &Secret) -> Held {
    Held {
        revision: primary.revision,
        secret: primary.secret.seen_as(row),
        sealed: primary.sealed.clone(),
        policy: primary.policy.clone(),
        sealed_under: Some(primary.secret.arn.clone()),
        weight: primary.weight,
    }
}

const fn commit(before: Option<Arc<Held>>, action: Action, began: Generation) -> Commit {
    Commit { before, action, began, fence: None, fate: Fate::Kept }
}

/// Whether `row` is `primary`'s replica: a name that was made anew in either region is another secret.
fn replicates(primary: &Secret, row: &Secret) -> bool {
    row.replica_of.as_ref() == Some(&primary.region)
        && primary.arn.in_region(&primary.region, &row.region) == row.arn
        && primary
            .replicas
            .iter()
            .any(|replica| replica.region == row.region && replica.status == ReplicaStatus::InSync)
}

/// Whether a secret can make way: what others depend on cannot.
fn stands_alone(secret: &Secret) -> bool {
    !secret.is_replica() && secret.replicas.is_empty()
}
