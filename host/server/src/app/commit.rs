//! From an edited secret to what the store keeps and the cache is told.

use std::sync::Arc;

use pawl_core::names::VersionId;
use pawl_core::secret::Secret;
use pawl_core::world::Timestamp;
use pawl_keyring::Sealed;
use pawl_store::{Change, CommitError, Expect, SealedVersion};
use tracing::Instrument as _;

use super::rows::{self, encode, row};
use super::{App, Fate, Fence};
use crate::audit::{KeyUse, Row, events_of};
use crate::cache::{Generation, Held, Key};
use crate::draft::Draft;
use crate::error::AppError;
use crate::events::{self, EventStream, News};
use crate::history;
use crate::identity::Caller;
use crate::policy::Action;

/// What an edit has left: a draft without what it was made with.
pub(super) struct Edited {
    pub(super) secret: Secret,
    pub(super) now: Timestamp,
    pub(super) puts: Vec<SealedVersion>,
    pub(super) news: Vec<News>,
    /// Steps of a rotation that are to be recorded with the change.
    pub(super) steps: Vec<serde_json::Value>,
}

impl From<Draft<'_>> for Edited {
    fn from(draft: Draft<'_>) -> Self {
        let Draft { secret, now, puts, news, steps, .. } = draft;
        Self { secret, now, puts, news, steps }
    }
}

/// What a commit is made of beside what was edited.
pub(super) struct Commit {
    pub(super) before: Option<Arc<Held>>,
    pub(super) action: Action,
    pub(super) began: Generation,
    pub(super) fence: Fence,
    pub(super) fate: Fate,
}

/// One secret's part of a commit.
pub(super) struct Prepared {
    pub(super) change: Change,
    pub(super) key: Key,
    pub(super) held: Arc<Held>,
    pub(super) kept: bool,
    pub(super) began: Generation,
}

impl App {
    /// Wakes those who wait for events.
    pub(crate) const fn stream(&self) -> &EventStream {
        &self.stream
    }

    pub(super) async fn commit(
        &self,
        caller: &Caller,
        edited: Edited,
        commit: Commit,
    ) -> Result<Arc<Held>, AppError> {
        let prepared = self.prepare(caller, edited, commit)?;
        let held = prepared.held.clone();
        self.commit_all(vec![prepared]).await?;
        Ok(held)
    }

    /// What is to be stored and what is to be told for one secret's change.
    pub(super) fn prepare(
        &self,
        caller: &Caller,
        edited: Edited,
        commit: Commit,
    ) -> Result<Prepared, AppError> {
        let Edited { mut secret, now, mut puts, mut news, steps } = edited;
        let Commit { before, action, began, fence, fate } = commit;
        secret.drop_deprecated(now);
        puts.retain(|put| secret.versions.contains_key(&put.version_id));
        let before = before.as_deref();
        let gone = |id: &&VersionId| !secret.versions.contains_key(*id);
        let remove_versions =
            before.map_or_else(Vec::new, |held| held.secret.versions.keys().filter(gone).cloned().collect());
        let revision = before.map_or(1, |held| held.revision.saturating_add(1));
        let former = before.map(|held| &held.secret);
        news.extend(events::of_change(former, &secret, fate));
        let events: Vec<_> = news.into_iter().map(|news| news.record(&secret, now, &*self.rng)).collect();
        let mut record = Row::of(&self.host_id, caller, now, action.short_name(), secret.arn.as_str());
        record.revision = Some(revision);
        if record.own {
            record.events = steps.into_iter().chain(events_of(&events)).collect();
        }
        // Dates of access are of reads, and each of those has a record of its own.
        let audit = if action == Action::NoteAccess { Vec::new() } else { vec![encode(&record)?] };
        caller.trail.about(secret.arn.as_str());
        for put in &puts {
            self.note_sealing(caller, &secret, put);
        }
        let change = Change {
            expect: before.map_or(Expect::New, |held| Expect::Revision(held.revision)),
            row: row(revision, &secret)?,
            put: puts,
            remove_versions,
            delete: fate == Fate::Purged,
            fence,
            release_lease: fate == Fate::Released,
            audit,
            events: events.iter().map(encode).collect::<Result<_, _>>()?,
            rotations: history::ended_by(former, &secret, now)?,
        };
        let mut sealed = before.map(|held| held.sealed.clone()).unwrap_or_default();
        for put in &change.put {
            sealed.insert(put.version_id.clone(), Arc::new(Sealed::from_bytes(put.sealed.clone())?));
        }
        sealed.retain(|version, _| secret.labels.any_on(version));
        let key = Key(secret.region.clone(), secret.name.clone());
        let policy = match before {
            Some(held)
                if held.secret.policy == secret.policy && held.secret.principals == secret.principals =>
            {
                held.policy.clone()
            }
            _ => rows::policy(&secret),
        };
        let weight = rows::weight(&change.row, &sealed);
        // A version that has a label again comes from the store, with the next read.
        let whole = secret.labels.labelled().into_iter().all(|id| {
            sealed.contains_key(id) || secret.versions.get(id).is_none_or(|version| version.content.is_none())
        });
        let held = Arc::new(Held { revision, secret, sealed, policy, sealed_under: None, weight });
        let kept = fate != Fate::Purged && whole;
        Ok(Prepared { change, key, held, kept, began })
    }

    /// Notes that a value was sealed under a key of its own.
    fn note_sealing(&self, caller: &Caller, secret: &Secret, put: &SealedVersion) {
        let sealed = Sealed::from_bytes(put.sealed.clone()).ok();
        if let Some(id) = sealed.and_then(|sealed| sealed.key_id()) {
            caller.trail.used(|| KeyUse {
                operation: "GenerateDataKey",
                key: self.key_arn(&secret.region, id).to_string(),
                secret: secret.arn.to_string(),
                version: put.version_id.to_string(),
                denied: false,
            });
        }
    }

    /// Commits several secrets' changes together or not at all.
    pub(super) async fn commit_all(&self, prepared: Vec<Prepared>) -> Result<(), AppError> {
        let (mut changes, mut news) =
            (Vec::with_capacity(prepared.len()), Vec::with_capacity(prepared.len()));
        for Prepared { change, key, held, kept, began } in prepared {
            changes.push(change);
            news.push((key, Some(held).filter(|_| kept), began));
        }
        let (store, cache, stream) = (self.store.clone(), self.cache.clone(), self.stream.clone());
        let tells = changes.iter().any(|change| !change.events.is_empty());
        // A task of its own: a caller who hangs up ends the request, and must not come between the store and the cache.
        let committing = async move {
            let committed = store.commit_all(changes).await;
            // Whether a commit that failed half-way has taken effect is the store's to say.
            for (key, held, began) in news {
                cache.committed(key, held.filter(|_| committed.is_ok()), began);
            }
            if tells {
                stream.wake();
            }
            committed
        };
        let committing = tokio::spawn(committing.in_current_span());
        committing.await.map_err(|_| AppError::Inconsistent { what: "a commit broke off".to_owned() })??;
        Ok(())
    }
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
