//! Dates of access: noted in memory at once, and written down together, soon after.
//!
//! The first read of a secret on a day changes its LastAccessedDate. Were that a commit of its own, the first reads of a day would
//! go at the pace of the disk. So the cache is told at once, which every later read sees, and the store in batches. A crash in
//! between loses dates of access of the last moments, and nothing else (ADR 8).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::world::Timestamp;

use super::{App, Commit, Edited, Fate};
use crate::cache::{Held, Key};
use crate::error::AppError;
use crate::identity::Caller;
use crate::policy::Action;

/// Versions that were read, and when, of secrets that are not yet written down.
#[derive(Default)]
pub(super) struct AccessLog(Mutex<HashMap<Key, Vec<(VersionId, Timestamp)>>>);

impl AccessLog {
    /// Notes a read; false when there is no room for more.
    fn note(&self, key: Key, version: &VersionId, now: Timestamp) -> bool {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= limits::ACCESS_NOTES_MAX {
            return false;
        }
        let noted = log.entry(key).or_default();
        if !noted.iter().any(|(held, _)| held == version) {
            noted.push((version.clone(), now));
        }
        true
    }

    fn take(&self, most: usize) -> Vec<(Key, Vec<(VersionId, Timestamp)>)> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<Key> = log.keys().take(most).cloned().collect();
        keys.into_iter().filter_map(|key| log.remove_entry(&key)).collect()
    }
}

impl App {
    /// Notes that a value was read, in memory.
    pub(super) fn note_access(&self, key: &Key, version: &VersionId) {
        let now = self.clock.now();
        if !self.accessed.note(key.clone(), version, now) {
            // The next read of it notes it again.
            return;
        }
        self.cache.renew(key, |held| {
            let mut secret = held.secret.clone();
            secret.note_access(version, now);
            Held { secret, ..held.copied() }
        });
    }

    /// Writes down all that was noted. To be called now and then, and at the end.
    pub async fn write_accesses(&self) {
        while self.write_some_accesses().await {}
    }

    /// Writes down some of what was noted; whether there may be more. A list is preceded by it, so that it shows what was read
    /// before.
    pub(super) async fn write_some_accesses(&self) -> bool {
        let noted = self.accessed.take(limits::ACCESS_NOTES_AT_ONCE);
        if noted.is_empty() {
            return false;
        }
        let mut written = self.write_together(&noted).await;
        // Another host changed one of them meanwhile: all were looked at anew, and none was written.
        for _ in 1..limits::CHANGE_TRIES_MAX {
            if !matches!(written, Err(AppError::LostRace)) {
                break;
            }
            written = self.write_together(&noted).await;
        }
        match written {
            Ok(()) => true,
            Err(error) => {
                // The dates are information; the values were read with every right to it.
                tracing::warn!(%error, secrets = noted.len(), "dates of access could not be stored");
                false
            }
        }
    }

    async fn write_together(&self, noted: &[(Key, Vec<(VersionId, Timestamp)>)]) -> Result<(), AppError> {
        let keys: Vec<Key> = noted.iter().map(|(key, _)| key.clone()).collect();
        let _turns = self.turns.take_all(&keys).await;
        let shared = self.store.is_shared();
        let mut prepared = Vec::with_capacity(noted.len());
        for (key, versions) in noted {
            let began = self.cache.generation(key);
            // What is in memory has the dates already; whether the store has, only a shared one can say.
            let before = if shared { self.load_unkept(key).await? } else { self.stored(key).await? };
            let Some(before) = before else { continue };
            let mut secret = before.secret.clone();
            for (version, at) in versions {
                secret.note_access(version, *at);
            }
            if shared && secret == before.secret {
                continue; // Another host has written it down.
            }
            let caller = Caller::scheduler(key.0.clone(), "dates of access".to_owned());
            let edited = Edited {
                secret,
                now: self.clock.now(),
                puts: Vec::new(),
                news: Vec::new(),
                steps: Vec::new(),
            };
            let (action, fence, fate) = (Action::NoteAccess, None, Fate::Kept);
            let commit = Commit { before: Some(before), action, began, fence, fate };
            prepared.push(self.prepare(&caller, edited, commit)?);
        }
        self.commit_all(prepared).await
    }
}
