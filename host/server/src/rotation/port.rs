//! The secret under rotation, as its rotator may use it: bound to one secret, one token and one lease epoch.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use pawl_core::arn::SecretId;
use pawl_core::function::SecretPattern;
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{Account, Step};
use pawl_core::secret::{Put, RotationDeedError};
use pawl_core::value::SecretValue;
use pawl_runtime::port::{Answer, PortError, SecretsPort, Standing, StoredVersion, Which};

use super::ahead::Ahead;
use super::login;
use crate::app::{Action, Draft, Fate};
use crate::cache::Held;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// The port of one claim of one rotation.
pub(super) struct RotationPort {
    pub(super) host: Arc<Host>,
    pub(super) caller: Caller,
    pub(super) id: SecretId,
    pub(super) token: VersionId,
    pub(super) epoch: u64,
    /// When AWSCURRENT moved, once it has.
    pub(super) promoted_at: Arc<OnceLock<Instant>>,
    /// Steps of this claim that have ended and are not stored.
    pub(super) ahead: Ahead,
}

impl RotationPort {
    /// The secret as it is now, if the rotation still owns it.
    async fn owned(&self) -> Result<Arc<Held>, PortError> {
        let app = &self.host.app;
        let mut held = app.read_at(&self.caller, Action::RotationStep, &self.id).await?;
        if !self.ahead.is_empty() {
            let mut seen = Held::clone(&held);
            self.ahead.show(&mut seen.secret, &self.token, app.clock().now(), &**app.rng());
            held = Arc::new(seen);
        }
        held.secret.owned_by(&self.token).map_err(AppError::from)?;
        Ok(held)
    }

    async fn stored(&self, held: &Held, id: &VersionId) -> Result<StoredVersion, PortError> {
        let (id, value) = self.host.app.open_selected(held, Some(id), None).await?;
        Ok(StoredVersion { id, value })
    }

    /// The version that this rotation makes.
    async fn pending(&self, held: &Held) -> Result<StoredVersion, PortError> {
        match self.ahead.pending() {
            Some(value) => Ok(StoredVersion { id: self.token.clone(), value }),
            None => self.stored(held, &self.token).await,
        }
    }

    /// Changes the secret as this rotation's claim may. What was not stored yet is stored with it.
    async fn change<T>(
        &self,
        deed: impl Fn(&mut Draft<'_>) -> Result<T, AppError> + Send + Sync,
    ) -> Result<(Arc<Held>, T), PortError>
    where
        T: Send,
    {
        let app = &self.host.app;
        let changed =
            app.change_at(&self.caller, Action::RotationStep, &self.id, Some(self.epoch), |draft| {
                self.ahead.store(draft, &self.token, &**app.rng())?;
                Ok((deed(draft)?, Fate::Kept))
            });
        let changed = changed.await?;
        self.ahead.clear();
        Ok(changed)
    }

    /// Keeps a pending value that is stored later, if the secret would take it now.
    async fn keep(&self, value: SecretValue) -> Result<StoredVersion, PortError> {
        let held = self.owned().await?;
        if held.secret.versions.get(&self.token).is_some_and(|version| version.content.is_some()) {
            return self.pending(&held).await;
        }
        let deed = |draft: &mut Draft<'_>| {
            draft.put_pending(&self.token, &value)?;
            Ok::<_, AppError>(
                draft.secret.versions.get(&self.token).and_then(|version| version.content.clone()),
            )
        };
        let mark = self.host.app.rehearse_at(&self.caller, Action::RotationStep, &self.id, deed).await?;
        self.ahead.put(value.duplicate(), mark.ok_or(PortError::Superseded)?);
        Ok(StoredVersion { id: self.token.clone(), value })
    }

    /// The same, for what the secret itself may refuse.
    async fn note(
        &self,
        deed: impl Fn(&mut Draft<'_>) -> Result<(), RotationDeedError> + Send + Sync,
    ) -> Result<(), PortError> {
        self.change(|draft| Ok(deed(draft)?)).await.map(drop)
    }
}

impl SecretsPort for RotationPort {
    fn token(&self) -> &str {
        self.token.as_str()
    }

    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>> {
        Box::pin(async move {
            let held = self.owned().await?;
            let labels = &held.secret.labels;
            let id = match which {
                Which::Current => labels.current(),
                Which::Pending => Some(&self.token),
                Which::Previous => labels.previous(),
            };
            let with_value =
                |id: &&VersionId| held.secret.versions.get(*id).is_some_and(|v| v.content.is_some());
            match id.filter(with_value) {
                Some(id) if id == &self.token => Ok(Some(self.pending(&held).await?)),
                Some(id) => Ok(Some(self.stored(&held, id).await?)),
                None => Ok(None),
            }
        })
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        Box::pin(async move {
            if self.ahead.waits() {
                return self.keep(value).await;
            }
            let (held, put) = self.change(|draft| draft.put_pending(&self.token, &value)).await?;
            match put {
                Put::Stored => Ok(StoredVersion { id: self.token.clone(), value }),
                Put::AlreadyThere => self.stored(&held, &self.token).await,
            }
        })
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(
            async move { if self.ahead.pending().is_some() { self.note(|_| Ok(())).await } else { Ok(()) } },
        )
    }

    fn promote(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.note(|draft| draft.secret.promote(&self.token, draft.now)).await?;
            let _first = self.promoted_at.set(Instant::now());
            Ok(())
        })
    }

    fn others(&self) -> Answer<'_, Vec<StoredVersion>> {
        Box::pin(async move {
            let held = self.owned().await?;
            let mut others = Vec::new();
            for id in held.secret.other_candidates(&self.token) {
                match self.stored(&held, &id).await {
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
        Box::pin(async move {
            self.owned().await?;
            login::granted(&self.host, &self.caller, secret_id, granted).await
        })
    }

    fn standing(&self) -> Answer<'_, Standing> {
        Box::pin(async move {
            let held = self.owned().await?;
            let secret = &held.secret;
            let rotation = secret.owned_by(&self.token).map_err(AppError::from)?;
            let current = secret.labels.current().and_then(|id| secret.versions.get(id));
            Ok(Standing {
                exposed: rotation.exposed,
                proof: rotation.proof,
                current_was_rotated: current.is_some_and(|version| version.rotated),
            })
        })
    }

    fn expose(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let held = self.owned().await?;
            let rotation = held.secret.owned_by(&self.token).map_err(AppError::from)?;
            // In any later step the secret itself refuses: what was promoted is not to be taken back in the database.
            if rotation.exposed && rotation.is_at(Step::SetSecret) {
                return Ok(());
            }
            self.note(|draft| draft.secret.expose(&self.token, draft.now)).await
        })
    }

    fn refusals<'a>(&'a self, account: &'a Account) -> Answer<'a, u32> {
        Box::pin(async move {
            let held = self.owned().await?;
            let rotation = held.secret.owned_by(&self.token).map_err(AppError::from)?;
            Ok(rotation.refusals_of(account))
        })
    }

    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.note(|draft| draft.secret.note_login(&self.token, account.clone(), refused)).await
        })
    }

    fn notice<'a>(&'a self, text: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let changed = self.change(|draft| Ok(draft.secret.notice(&self.token, text)?)).await;
            changed.map(|(_, was_there)| was_there)
        })
    }

    fn fence(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let held = self.owned().await?;
            let (app, arn) = (&self.host.app, &held.secret.arn);
            let (store, wall) = (app.queue(), app.clock().wall());
            let left = store.claim_left(arn, self.epoch, wall).await.map_err(AppError::from)?;
            match left {
                None => Err(PortError::Superseded),
                Some(left) if !store.is_shared() || left >= limits::FENCE_MARGIN => Ok(()),
                // Nobody else has it yet: held on to, it is good for the deed.
                Some(_) => {
                    let renewed = store.renew_lease(arn, self.epoch, wall, limits::LEASE).await;
                    if renewed.map_err(AppError::from)? { Ok(()) } else { Err(PortError::Superseded) }
                }
            }
        })
    }
}

impl From<AppError> for PortError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Fenced
            | AppError::NoSuchSecret
            | AppError::RotationDeed(RotationDeedError::Superseded) => Self::Superseded,
            AppError::RotationDeed(refused) => Self::Refused(refused.to_string()),
            AppError::Store(_) | AppError::LostRace => {
                Self::Unavailable("the store could not be reached".to_owned())
            }
            AppError::Open(_) => {
                Self::Refused("a stored value cannot be opened; see the server's log".to_owned())
            }
            other => Self::Refused(other.into_api().message),
        }
    }
}
