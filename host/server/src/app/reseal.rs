//! Sealing anew, by the keyring's newest key, what an older one has sealed. Nothing else of a secret changes, and nobody is told.

use pawl_core::key::Key as KmsKey;
use pawl_core::limits;
use pawl_keyring::{SealContext, Sealed, SealedMaterial};
use pawl_store::{Change, CommitError, EntityRow, Expect, SealedVersion, StoreError};

use super::App;
use super::keys::KEYS;
use crate::cache::Key;
use crate::error::AppError;
use crate::identity;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resealed {
    /// Values that were sealed anew.
    pub(crate) values: u64,
    /// Values that do not open, and stay as they are.
    pub(crate) unreadable: u64,
}

impl App {
    /// Seals a secret's values anew, as far as they are under an older key of the keyring.
    pub(crate) async fn reseal(&self, key: &Key) -> Result<Resealed, AppError> {
        let _turn = self.turns.take(key).await;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let began = self.cache.generation(key);
            let full = match self.store.load_full(&key.0, &key.1).await {
                Ok(Some(full)) => full,
                Ok(None) => return Ok(Resealed::default()),
                // What somebody else wrote is not made ours by being written anew; the others go on.
                Err(StoreError::Altered { .. }) => return Ok(Resealed { values: 0, unreadable: 1 }),
                Err(error) => return Err(error.into()),
            };
            let arn = full.head.arn.clone();
            let (mut done, mut put) = (Resealed::default(), Vec::new());
            for SealedVersion { version_id, sealed } in full.values {
                let stale = Sealed::kek_of(&sealed).is_some_and(|kek| kek != self.keyring.active());
                if !stale {
                    continue;
                }
                let context = SealContext { arn: arn.as_str(), version_id: version_id.as_str() };
                match self.sealed_anew(&context, sealed) {
                    Some(sealed) => put.push(SealedVersion { version_id, sealed }),
                    None => {
                        done.unreadable += 1;
                        tracing::error!(
                            secret.arn = %arn,
                            version = %version_id,
                            "a value does not open, so it cannot be sealed anew; restore it from a backup, or put a new value"
                        );
                    }
                }
            }
            if put.is_empty() {
                return Ok(done);
            }
            done.values = u64::try_from(put.len()).unwrap_or(u64::MAX);
            let mut row = full.head;
            let expect = Expect::Revision(row.revision);
            row.revision = row.revision.saturating_add(1);
            let change = Change { put, ..Change::new(expect, row) };
            let (store, cache, key) = (self.store.clone(), self.cache.clone(), key.clone());
            // A task of its own, as every commit: it must not be cut off between the store and the cache.
            let committing = tokio::spawn(async move {
                let committed = store.commit(change).await;
                cache.committed(key, None, began);
                committed
            });
            let committed = committing.await;
            let broke_off = |_| AppError::Inconsistent { what: "a commit broke off".to_owned() };
            match committed.map_err(broke_off)? {
                Ok(()) => return Ok(done),
                Err(CommitError::LostRace) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::LostRace)
    }

    fn sealed_anew(&self, context: &SealContext<'_>, sealed: Vec<u8>) -> Option<Vec<u8>> {
        let value = self.keyring.open(context, &Sealed::from_bytes(sealed).ok()?).ok()?;
        self.keyring.seal(context, &value, &*self.rng).ok().map(Sealed::into_bytes)
    }

    /// Seals what is secret of an entity anew, if it is under an older key of the keyring.
    pub(crate) async fn reseal_entity(&self, row: &EntityRow) -> Result<Resealed, AppError> {
        let Some(sealed) = row.sealed.clone() else { return Ok(Resealed::default()) };
        if row.mac.is_refused() {
            return Ok(Resealed { values: 0, unreadable: 1 });
        }
        let active = Some(self.keyring.active());
        let anew = if row.kind == KEYS {
            let material = SealedMaterial::from_bytes(sealed);
            if material.kek_id() == active {
                return Ok(Resealed::default());
            }
            let key: Option<KmsKey> = serde_json::from_str(&row.document).ok();
            key.and_then(|key| self.keyring.rewrap_material(key.arn.as_str(), material, &*self.rng).ok())
                .map(SealedMaterial::into_bytes)
        } else {
            if Sealed::kek_of(&sealed) == active {
                return Ok(Resealed::default());
            }
            identity::context_of(row)
                .and_then(|(arn, id)| self.sealed_anew(&SealContext { arn, version_id: &id }, sealed))
        };
        let Some(anew) = anew else {
            tracing::error!(
                kind = row.kind,
                name = row.name,
                "what is secret of it does not open, so it cannot be sealed anew; restore it from a backup"
            );
            return Ok(Resealed { values: 0, unreadable: 1 });
        };
        let done = self.store.reseal_entity(row, &anew).await?;
        if row.kind == KEYS {
            self.forget_key(&row.region, &row.name);
        }
        // A lost race is found by the next pass; that there must be one is what the count says.
        let _ = done;
        Ok(Resealed { values: 1, unreadable: 0 })
    }
}
