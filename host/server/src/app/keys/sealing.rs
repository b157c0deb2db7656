//! The values of secrets under keys of their own.

use std::sync::Arc;

use pawl_api::error::ErrorCode;
use pawl_core::arn::{SecretArn, SecretId};
use pawl_core::key::{KeyId, KeyRef, KeyUsage, SECRETS_ALIAS};
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::value::SecretValue;
use pawl_core::world::Rng;
use pawl_keyring::{Keyring, OpenError, SealContext, Sealed};

use super::HeldKey;
use crate::app::App;
use crate::audit::KeyUse;
use crate::cache::Held;
use crate::error::{AppError, refuse};
use crate::identity::Caller;

/// What seals the values of a secret.
#[derive(Clone, Debug)]
pub enum Sealer {
    /// The store's own keyring: secrets that name no key.
    Keyring,
    /// The key that the secret names.
    Key(Arc<HeldKey>),
    /// The key that the secret names, which seals nothing now, for this reason.
    Unusable(String),
    /// The key that the secret names, which the caller may not use.
    Denied,
}

impl Sealer {
    /// The key, if it is one.
    pub(crate) fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Key(held) => Some(held.key.id),
            Self::Keyring | Self::Unusable(_) | Self::Denied => None,
        }
    }

    /// Seals a value.
    pub(crate) fn seal(
        &self,
        keyring: &Keyring,
        context: &SealContext<'_>,
        value: &SecretValue,
        rng: &dyn Rng,
    ) -> Result<Sealed, AppError> {
        match self {
            Self::Keyring => Ok(keyring.seal(context, value, rng)?),
            Self::Key(held) => Ok(held.unlocked.seal(context, value, rng)?),
            Self::Unusable(why) => Err(AppError::CannotEncrypt(why.clone())),
            Self::Denied => Err(kms_denied()),
        }
    }
}

/// Opens a value by the keyring or by one of `keys`.
pub(crate) fn open_sealed(
    keyring: &Keyring,
    keys: &[Arc<HeldKey>],
    context: &SealContext<'_>,
    sealed: &Sealed,
) -> Result<SecretValue, AppError> {
    let Some(id) = sealed.key_id() else { return Ok(keyring.open(context, sealed)?) };
    let held = keys.iter().find(|held| held.key.id == id);
    let held = held.ok_or_else(|| {
        AppError::CannotDecrypt(format!("The key {id} does not exist, or its use is not allowed."))
    })?;
    held.key.must_be_enabled().map_err(|why| AppError::CannotDecrypt(why.to_string()))?;
    Ok(held.unlocked.open(context, sealed)?)
}

impl App {
    /// The key that a caller names for a secret's values; none for the one that seals secrets which name none. `secret` is its ARN,
    /// once it has one.
    ///
    /// # Errors
    /// When there is no such key, it is none that encrypts, or the caller may not use it.
    pub async fn named_key(
        &self,
        caller: &Caller,
        named: Option<&str>,
        secret: Option<&SecretArn>,
    ) -> Result<(Option<String>, Sealer), AppError> {
        let Some(named) = named else { return Ok((None, Sealer::Keyring)) };
        // AWS's words (recorded in issues of its clients).
        let invalid = |why: &AppError| {
            let why = match why {
                AppError::Api(error) => error.message.clone(),
                other => other.to_string(),
            };
            let message = format!("The operation failed because of an invalid KMS key: {why}");
            refuse(ErrorCode::InvalidParameterException, message)
        };
        match KeyRef::parse(named, &caller.region, &self.account) {
            Ok(KeyRef::Alias(alias)) if alias.as_str() == SECRETS_ALIAS => {
                return Ok((None, Sealer::Keyring));
            }
            Ok(_) => {}
            Err(error) => return Err(invalid(&error.into())),
        }
        let found = match self.resolve_key(&caller.region, named).await {
            Ok(id) => self.key(&caller.region, id).await?.ok_or_else(|| self.no_key(&caller.region, id)),
            Err(error) => Err(error),
        };
        let allowed = |held: Arc<HeldKey>| self.may_seal_with(caller, secret, &held).map(|()| held);
        let held = match found.and_then(allowed) {
            Ok(held) => held,
            Err(AppError::Api(error)) if error.code == ErrorCode::NotFoundException => {
                return Err(invalid(&AppError::Api(error)));
            }
            // The service's own key, named by its id: what it stands for is the keyring.
            Err(AppError::Api(error)) if error.code == ErrorCode::AccessDeniedException => {
                return Err(kms_denied());
            }
            Err(AppError::NotAllowed(_)) => return Err(kms_denied()),
            Err(error) => return Err(error),
        };
        held.key
            .must_be_for(KeyUsage::EncryptDecrypt, "GenerateDataKey")
            .map_err(|why| invalid(&why.into()))?;
        held.key.must_be_enabled().map_err(|why| AppError::CannotEncrypt(why.to_string()))?;
        Ok((Some(named.to_owned()), Sealer::Key(held)))
    }

    /// What seals the values of a secret as it stands, for a caller who must be allowed to use the key as well.
    pub(in crate::app) async fn sealer_of(&self, caller: &Caller, held: &Held) -> Result<Sealer, AppError> {
        let secret = &held.secret;
        let Some(named) = secret.kms_key_id.as_deref() else { return Ok(Sealer::Keyring) };
        match self.find_sealer(&secret.region, named).await {
            Ok(Sealer::Key(key)) if self.may_seal_with(caller, Some(&secret.arn), &key).is_err() => {
                Ok(Sealer::Denied)
            }
            Ok(sealer) => Ok(sealer),
            Err(error @ (AppError::Store(_) | AppError::Inconsistent { .. } | AppError::LostRace)) => {
                Err(error)
            }
            Err(_) if was_mere_text(held) => {
                tracing::warn!(
                    secret.arn = %secret.arn,
                    "this secret names a KMS key that does not exist, from a time when that was mere text; its values are sealed \
                     by the store's own key until UpdateSecret names another one"
                );
                Ok(Sealer::Keyring)
            }
            Err(AppError::Api(error)) => Ok(Sealer::Unusable(error.message)),
            Err(error) => Ok(Sealer::Unusable(error.to_string())),
        }
    }

    async fn find_sealer(&self, region: &Region, named: &str) -> Result<Sealer, AppError> {
        let id = match KeyRef::parse(named, region, &self.account)? {
            KeyRef::Alias(alias) if alias.as_str() == SECRETS_ALIAS => return Ok(Sealer::Keyring),
            _ => self.resolve_key(region, named).await?,
        };
        let held = self.key(region, id).await?.ok_or_else(|| self.no_key(region, id))?;
        let usable = held.key.must_be_for(KeyUsage::EncryptDecrypt, "GenerateDataKey");
        match usable.and_then(|()| held.key.must_be_enabled()) {
            Ok(()) => Ok(Sealer::Key(held)),
            Err(why) => Ok(Sealer::Unusable(why.to_string())),
        }
    }

    /// The keys under which the labelled values of a secret are, as far as they are there and the caller may open with them; none for
    /// most secrets.
    pub(in crate::app) async fn keys_of_values(
        &self,
        caller: &Caller,
        held: &Held,
    ) -> Result<Vec<Arc<HeldKey>>, AppError> {
        let mut keys: Vec<Arc<HeldKey>> = Vec::new();
        for (version, sealed) in held.sealed.iter() {
            let Some(id) = sealed.key_id() else { continue };
            if !keys.iter().any(|key| key.key.id == id)
                && let Some(key) = self.key(&self.region_of_keys(held)?, id).await?
                && self.may_open_with(caller, (held, version.as_str()), &key).is_ok()
            {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Opens a value: by the keyring, or by the key that sealed it, for a caller who may use that.
    pub(in crate::app) async fn open_value(
        &self,
        caller: Option<&Caller>,
        held: &Held,
        context: &SealContext<'_>,
        sealed: &Sealed,
    ) -> Result<SecretValue, AppError> {
        let Some(id) = sealed.key_id() else {
            return match self.keyring.open(context, sealed) {
                Ok(value) => Ok(value),
                Err(error) => self.open_later(context, sealed, error).await,
            };
        };
        let region = self.region_of_keys(held)?;
        let key = self.key(&region, id).await?;
        let gone =
            || AppError::CannotDecrypt(format!("The key {} does not exist.", self.key_arn(&region, id)));
        let key = key.ok_or_else(gone)?;
        if let Some(caller) = caller {
            let allowed = self.may_open_with(caller, (held, context.version_id), &key);
            caller.trail.used(|| KeyUse {
                operation: "Decrypt",
                key: key.key.arn.to_string(),
                secret: context.arn.to_owned(),
                version: context.version_id.to_owned(),
                denied: allowed.is_err(),
            });
            allowed.map_err(|_| kms_denied())?;
        }
        key.key.must_be_enabled().map_err(|why| AppError::CannotDecrypt(why.to_string()))?;
        let opened = key.unlocked.open(context, sealed);
        Ok(opened.inspect_err(|error| self.damage.note(context, error))?)
    }

    /// Opens a value that another host has sealed by a key of which this one is about to learn.
    async fn open_later(
        &self,
        context: &SealContext<'_>,
        sealed: &Sealed,
        mut error: OpenError,
    ) -> Result<SecretValue, AppError> {
        let kek = sealed.kek_id().filter(|_| error == OpenError::OtherKeyring && self.store.is_shared());
        for _ in 0..kek.map_or(0, |_| limits::KEK_LOOKS) {
            tokio::time::sleep(limits::KEY_RECORD_EVERY).await;
            if kek.is_some_and(|kek| self.keyring.has(kek)) {
                match self.keyring.open(context, sealed) {
                    Ok(value) => return Ok(value),
                    Err(why) => error = why,
                }
                break;
            }
        }
        self.damage.note(context, &error);
        Err(error.into())
    }

    /// The region in which the keys of a secret's values are: its own, or that of the primary of a replica.
    pub(in crate::app) fn region_of_keys(&self, held: &Held) -> Result<Region, AppError> {
        if held.sealed_under.is_none() {
            return Ok(held.secret.region.clone());
        }
        let id = SecretId::parse(held.seal_arn().as_str())?;
        id.place.map(|(region, _)| region).ok_or(AppError::NoSuchSecret)
    }
}

/// Whether what a secret names as its key is from a time when no key was looked for: its current value is under the keyring, and
/// whoever named a key since has had it sealed anew.
fn was_mere_text(held: &Held) -> bool {
    let current = held.secret.labels.current().and_then(|id| held.sealed.get(id));
    current.is_some_and(|sealed| sealed.key_id().is_none())
}

/// AWS's words for a caller whom the key's policy does not let in.
fn kms_denied() -> AppError {
    refuse(ErrorCode::AccessDeniedException, "Access to KMS is not allowed")
}
