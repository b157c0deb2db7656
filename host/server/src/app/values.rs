//! The doors to the value of a secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use pawl_core::key::KeyArn;
use pawl_core::names::{Label, VersionId};
use pawl_core::value::SecretValue;
use pawl_keyring::{SealContext, Sealed};

use super::App;
use crate::cache::{Held, Key};
use crate::error::AppError;
use crate::identity::Caller;
use crate::policy::{Action, Ask};

impl App {
    /// Reads one value: of the named version, or of the one with the label (AWSCURRENT when neither is named).
    ///
    /// # Errors
    /// When there is no such value, the secret is scheduled for deletion, or the caller may not.
    pub async fn read_value(
        &self,
        caller: &Caller,
        id: &str,
        version: Option<&VersionId>,
        label: Option<&Label>,
    ) -> Result<(Arc<Held>, VersionId, SecretValue), AppError> {
        let ask = Ask::from(Action::GetSecretValue).about_version(version, label);
        let held = self.read(caller, ask, id).await?;
        held.secret.must_live()?;
        let (version, value) = self.open_for(Some(caller), &held, version, label).await?;
        let now = self.clock.now();
        if held.secret.access_is_news(&version, now) {
            self.note_access(&Key(caller.region.clone(), held.secret.name.clone()), &version);
        }
        Ok((held, version, value))
    }

    /// Opens one version of a secret that was already found and authorised.
    ///
    /// # Errors
    /// When the version does not exist, has no value, or cannot be opened.
    pub async fn open_selected(
        &self,
        held: &Held,
        version: Option<&VersionId>,
        label: Option<&Label>,
    ) -> Result<(VersionId, SecretValue), AppError> {
        self.open_for(None, held, version, label).await
    }

    /// [`App::open_selected`] for a caller who must be allowed to use the key as well, where the value has one of its own.
    async fn open_for(
        &self,
        caller: Option<&Caller>,
        held: &Held,
        version: Option<&VersionId>,
        label: Option<&Label>,
    ) -> Result<(VersionId, SecretValue), AppError> {
        let secret = &held.secret;
        let current = Label::current();
        let chosen = match (version, label) {
            (Some(id), None) => id,
            (id, label) => {
                let label = label.unwrap_or(&current);
                let on = secret.labels.on(label);
                if let Some(id) = id.filter(|id| on != Some(id)) {
                    let known = secret.versions.contains_key(id);
                    return Err(if known {
                        AppError::LabelElsewhere
                    } else {
                        AppError::NoSuchVersion(id.clone())
                    });
                }
                on.ok_or_else(|| AppError::NoValueForLabel(label.clone()))?
            }
        };
        let missing = || match (version, label) {
            (Some(id), None) => AppError::NoSuchVersion(id.clone()),
            (_, label) => AppError::NoValueForLabel(label.cloned().unwrap_or_else(Label::current)),
        };
        if secret.versions.get(chosen).is_none_or(|v| v.content.is_none()) {
            return Err(missing());
        }
        let arn = held.seal_arn();
        let sealed = match held.sealed.get(chosen) {
            Some(sealed) => sealed.clone(),
            None => {
                let bytes = self.store.sealed(arn, chosen).await?.ok_or_else(missing)?;
                Arc::new(Sealed::from_bytes(bytes)?)
            }
        };
        let context = SealContext { arn: arn.as_str(), version_id: chosen.as_str() };
        Ok((chosen.clone(), self.open_value(caller, held, &context, &sealed).await?))
    }

    /// The keys of their own under which values of a secret are, by version; nothing is opened. The versions without are under the
    /// store's keyring.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keys_of_versions(
        &self,
        held: &Held,
        versions: &[&VersionId],
    ) -> Result<BTreeMap<VersionId, KeyArn>, AppError> {
        let region = self.region_of_keys(held)?;
        let mut keys = BTreeMap::new();
        for &version in versions {
            let id = match held.sealed.get(version) {
                Some(sealed) => sealed.key_id(),
                None => match self.store.sealed(held.seal_arn(), version).await? {
                    Some(bytes) => Sealed::from_bytes(bytes)?.key_id(),
                    None => None,
                },
            };
            keys.extend(id.map(|id| (version.clone(), self.key_arn(&region, id))));
        }
        Ok(keys)
    }
}
