//! The secret under rotation, as its rotator may use it: bound to one secret, one token and one lease epoch.

use std::sync::Arc;

use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::secret::{Put, RotationDeedError};
use pawl_core::value::SecretValue;
use pawl_runtime::port::{Answer, PortError, SecretsPort, StoredVersion, Which};

use crate::app::{Action, Fate};
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
}

impl RotationPort {
    /// The secret as it is now, if the rotation still owns it.
    async fn owned(&self) -> Result<Arc<Held>, PortError> {
        let held = self.host.app.read_at(&self.caller, Action::RotationStep, &self.id).await?;
        held.secret.owned_by(&self.token).map_err(AppError::from)?;
        Ok(held)
    }

    async fn open(&self, held: &Held, id: &VersionId) -> Result<StoredVersion, PortError> {
        let (id, value) = self.host.app.open_selected(held, Some(id), None).await?;
        Ok(StoredVersion { id, value })
    }
}

impl SecretsPort for RotationPort {
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
                Some(id) => Ok(Some(self.open(&held, id).await?)),
                None => Ok(None),
            }
        })
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        Box::pin(async move {
            let (held, put) = self
                .host
                .app
                .change_at(&self.caller, Action::RotationStep, &self.id, Some(self.epoch), |draft| {
                    Ok((draft.put_pending(&self.token, &value)?, Fate::Kept))
                })
                .await?;
            match put {
                Put::Stored => Ok(StoredVersion { id: self.token.clone(), value }),
                Put::AlreadyThere => self.open(&held, &self.token).await,
            }
        })
    }

    fn promote(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.host
                .app
                .change_at(&self.caller, Action::RotationStep, &self.id, Some(self.epoch), |draft| {
                    let now = draft.now;
                    Ok((draft.secret.promote(&self.token, now)?, Fate::Kept))
                })
                .await?;
            Ok(())
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
