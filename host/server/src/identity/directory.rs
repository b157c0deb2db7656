//! The directory of an account: who there is, and how that changes.
//!
//! All of it is held in memory, as one snapshot that nobody changes. A change of this host is followed by a new snapshot before
//! it is answered; one of another host of a shared store is seen within [`limits::IDENTITIES_LOOKED_AT_EVERY`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_core::limits;
use pawl_core::names::AccountId;
use pawl_core::value::SecretBytes;
use pawl_core::world::{Rng, Timestamp};
use pawl_iam::sigv4::AuthError;
use pawl_keyring::Keyring;
use pawl_store::{CommitError, EntityChange, EntityRow, Store, StoreError};
use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use super::AccessKey;
use super::principal::Identity;
use super::secrets;
use super::session::{Issued, Session, Who, issue};
use super::snapshot::{GROUP, POLICY, PROVIDER, ROLE, Rows, Snapshot, USER, UserKey};
use super::used::LastUsed;

/// Users, groups, roles, managed policies, and sessions.
pub struct Directory {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    account: AccountId,
    rng: Arc<dyn Rng>,
    snapshot: ArcSwap<Snapshot>,
    /// One change at a time: those that would lose the race wait here instead.
    turn: Mutex<()>,
    sessions: Cache<String, Arc<Session>>,
    /// When access keys were last used.
    pub used: LastUsed,
}

/// What a request is signed with.
#[derive(Debug)]
pub enum Credential {
    /// A key of a user.
    User {
        /// It.
        key: Arc<UserKey>,
        /// As what it calls.
        identity: Arc<Identity>,
    },
    /// The key of a session, and as what it calls; none is the root identity.
    Session {
        /// It.
        session: Arc<Session>,
        /// As what it calls.
        identity: Option<Arc<Identity>>,
    },
}

impl Credential {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &AccessKey {
        match self {
            Self::User { key, .. } => &key.key,
            Self::Session { session, .. } => &session.key,
        }
    }

    /// As what it calls; none is the root identity.
    #[must_use]
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Self::User { identity, .. } => Some(identity),
            Self::Session { identity, .. } => identity.as_ref(),
        }
    }
}

impl Directory {
    /// Reads all there is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        account: AccountId,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, StoreError> {
        let directory = Self {
            store,
            keyring,
            account,
            rng,
            snapshot: ArcSwap::default(),
            turn: Mutex::default(),
            sessions: Cache::new(limits::SESSIONS_REMEMBERED),
            used: LastUsed::default(),
        };
        directory.reload().await?;
        Ok(directory)
    }

    /// What there is.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What an access key's id and, if there is one, a session token stand for, at `now`.
    ///
    /// # Errors
    /// `UnknownKey` and `ExpiredToken`.
    pub fn credential(&self, id: &str, token: Option<&str>, now: Timestamp) -> Result<Credential, AuthError> {
        let snapshot = self.snapshot.load();
        let Some(token) = token else {
            let held = snapshot.key(id).filter(|held| held.active).ok_or(AuthError::UnknownKey)?;
            let identity = snapshot.identity(&held.user).ok_or(AuthError::UnknownKey)?;
            return Ok(Credential::User { key: Arc::clone(held), identity: Arc::clone(identity) });
        };
        let session = self.session(id, token)?;
        if session.expires_at <= now {
            return Err(AuthError::ExpiredToken);
        }
        let identity = match session.who {
            Who::Root => None,
            _ => Some(session.identity(&snapshot, &self.account).ok_or(AuthError::UnknownKey)?),
        };
        Ok(Credential::Session { session, identity })
    }

    fn session(&self, id: &str, token: &str) -> Result<Arc<Session>, AuthError> {
        if let Some(known) = self.sessions.get(token) {
            return if known.key.id == id { Ok(known) } else { Err(AuthError::UnknownKey) };
        }
        let opened = Session::open(&self.keyring, id, token).ok_or(AuthError::UnknownKey)?;
        let session = Arc::new(opened);
        self.sessions.insert(token.to_owned(), Arc::clone(&session));
        Ok(session)
    }

    /// Begins a session of so many seconds.
    ///
    /// # Errors
    /// `PackedPolicyTooLarge`.
    pub fn begin(&self, who: Who, seconds: u32, now: Timestamp) -> Result<Issued, ApiError> {
        let too_large = || {
            let message = "Serialized token too large for session".to_owned();
            ApiError::new(ErrorCode::PackedPolicyTooLarge, message)
        };
        issue(&self.keyring, who, seconds, now, &*self.rng).ok_or_else(too_large)
    }

    /// The keys of a user, sealed anew: `extra` is one that comes, and those that are not among `ids` go.
    ///
    /// # Errors
    /// When one of them does not open.
    pub fn seal_keys(
        &self,
        user_id: &str,
        ids: &[&str],
        extra: Option<(&str, &SecretBytes)>,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let snapshot = self.snapshot.load();
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            match (extra, snapshot.key(id)) {
                (Some((new, secret)), _) if new == *id => keys.push((*id, secret)),
                (_, Some(held)) => keys.push((*id, &held.key.secret)),
                _ => return Err(ApiError::internal()),
            }
        }
        Ok(secrets::seal(&self.keyring, user_id, &keys, &*self.rng))
    }

    /// Changes what there is: `plan` says from what there is how, and what to answer. A lost race runs it again on what the
    /// winner left.
    ///
    /// # Errors
    /// What `plan` refuses; `ConcurrentModification` when others are always faster.
    pub async fn change<T>(
        &self,
        plan: impl Fn(&Snapshot) -> Result<(Vec<EntityChange>, T), ApiError> + Send,
        audit: impl Fn() -> Vec<String> + Send,
    ) -> Result<T, ApiError>
    where
        T: Send,
    {
        let _turn = self.turn.lock().await;
        self.refresh().await.map_err(|error| failed(&error))?;
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let (changes, answer) = plan(&self.snapshot())?;
            if changes.is_empty() {
                return Ok(answer);
            }
            let committed = self.store.commit_entities(changes, audit()).await;
            self.reload().await.map_err(|error| failed(&error))?;
            match committed {
                Ok(()) => return Ok(answer),
                Err(CommitError::LostRace | CommitError::NameTaken) => {}
                Err(CommitError::Store(error)) => return Err(failed(&error)),
                Err(CommitError::Fenced) => return Err(ApiError::internal()),
            }
        }
        let message = "The request was rejected because multiple requests to change this object were submitted \
                       simultaneously. Wait a few minutes and submit your request again.";
        Err(ApiError::new(ErrorCode::ConcurrentModification, message))
    }

    /// Looks whether anything has changed, and reads it.
    ///
    /// # Errors
    /// When the store fails.
    async fn refresh(&self) -> Result<(), StoreError> {
        if self.store.entities_version().await? == self.snapshot.load().version {
            return Ok(());
        }
        self.reload().await
    }

    /// [`Directory::refresh`], in turn with changes.
    async fn look(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.refresh().await
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let mut rows = self.rows().await?;
        // Kinds are read one after the other. Where something was changed in between, they are read again, so that nobody is
        // judged by halves of a change; where that goes on, what was read last is taken, and looked at again soon.
        for _ in 1..limits::CHANGE_TRIES_MAX {
            if self.store.entities_version().await? == rows.version {
                break;
            }
            rows = self.rows().await?;
        }
        let next = Snapshot::new(rows, &self.snapshot.load(), &self.keyring, &self.account);
        self.snapshot.store(Arc::new(next));
        Ok(())
    }

    async fn rows(&self) -> Result<Rows, StoreError> {
        // Asked first: what is read after it is at least as new.
        let version = self.store.entities_version().await?;
        Ok(Rows {
            version,
            users: self.all(USER).await?,
            groups: self.all(GROUP).await?,
            roles: self.all(ROLE).await?,
            policies: self.all(POLICY).await?,
            providers: self.all(PROVIDER).await?,
        })
    }

    async fn all(&self, kind: &str) -> Result<Vec<EntityRow>, StoreError> {
        let mut rows: Vec<EntityRow> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.name.clone());
            let page = self.store.entities(kind, "", after.as_deref(), limits::STORE_ROWS_MAX).await?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows.extend(page);
        }
    }

    /// Notes that an access key was used. Most uses come soon after another, and cost one look.
    pub fn note_use(&self, key: &UserKey, now: Timestamp, service: &str, region: &str) {
        let noted = Timestamp::from_millis(key.noted.load(Ordering::Relaxed));
        if now.millis_since(noted) >= limits::LAST_USED_GRAIN_MILLIS {
            key.noted.store(now.millis(), Ordering::Relaxed);
            self.used.note(&key.key.id, now, service, region);
        }
    }

    /// Writes down when access keys were last used.
    pub async fn write_uses(&self) {
        self.used.write(&*self.store, &self.snapshot()).await;
    }

    /// Looks for changes of other hosts, and writes down what was noted, for ever.
    pub async fn watch(&self) {
        let mut written = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(limits::IDENTITIES_LOOKED_AT_EVERY).await;
            if self.store.is_shared()
                && let Err(error) = self.look().await
            {
                tracing::warn!(%error, "whether users, roles or policies have changed is not known");
            }
            if written.elapsed() >= limits::LAST_USED_WRITTEN_EVERY {
                self.write_uses().await;
                written = tokio::time::Instant::now();
            }
        }
    }
}

fn failed(error: &StoreError) -> ApiError {
    tracing::error!(%error, "users, roles and policies could not be read or changed");
    ApiError::internal()
}
