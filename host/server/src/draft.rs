//! A secret in the middle of a change.

use std::collections::BTreeSet;
use std::sync::Arc;

use pawl_core::names::{Label, VersionId};
use pawl_core::secret::{Put, Secret};
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::{Keyring, SealContext};
use pawl_store::SealedVersion;

use crate::app::{HeldKey, Sealer, open_sealed};
use crate::cache::Held;
use crate::error::AppError;
use crate::events::{EventType, News};

/// A secret in the middle of a change. The closure that edits it may run several times: it must depend on nothing but this.
pub struct Draft<'a> {
    /// The aggregate, free to be changed.
    pub secret: Secret,
    /// The moment of the change.
    pub now: Timestamp,
    /// As it was; none for a new one.
    pub(crate) before: Option<&'a Held>,
    pub(crate) keyring: &'a Keyring,
    pub(crate) rng: &'a dyn Rng,
    /// What seals the values.
    pub(crate) sealer: Sealer,
    /// The keys under which the values are that have labels.
    pub(crate) keys: Vec<Arc<HeldKey>>,
    pub(crate) puts: Vec<SealedVersion>,
    pub(crate) news: Vec<News>,
    /// Steps of a rotation that have ended, for the audit log.
    pub(crate) steps: Vec<serde_json::Value>,
}

impl Draft<'_> {
    /// Tells those who follow the events something that does not show in the secret itself; it is stored with the change.
    pub fn tell(&mut self, kind: EventType, token: Option<&VersionId>, reason: impl Into<String>) {
        self.news.push(News::new(kind).of(token).because(reason));
    }

    /// Tells them that a rotation could not begin, and that the host tries again by itself.
    pub(crate) fn tell_failure(&mut self, reason: impl Into<String>) {
        self.news.push(News::new(EventType::RotationFailed).because(reason).retried());
    }

    /// Puts a value under a token, with labels, as [`Secret::put`] says.
    ///
    /// # Errors
    /// As [`Secret::put`], or when sealing fails.
    pub fn put(&mut self, token: &VersionId, value: &SecretValue, labels: &[Label]) -> Result<Put, AppError> {
        let mark = self.mark(token, value);
        let put = self.secret.put(token, &mark, labels, self.now)?;
        self.store_if(put, token, value)?;
        Ok(put)
    }

    /// Puts a rotation's pending value, as [`Secret::put_pending`] says.
    ///
    /// # Errors
    /// As [`Secret::put_pending`], or when sealing fails.
    pub fn put_pending(&mut self, token: &VersionId, value: &SecretValue) -> Result<Put, AppError> {
        let mark = self.mark(token, value);
        let put = self.secret.put_pending(token, &mark)?;
        self.store_if(put, token, value)?;
        Ok(put)
    }

    /// Gives a version without a value a copy of another's, which has a label.
    ///
    /// # Errors
    /// When the other's value cannot be had, or sealing fails.
    pub fn copy_for_check(&mut self, from: &VersionId, to: &VersionId) -> Result<(), AppError> {
        let sealed = self.before.and_then(|held| held.sealed.get(from));
        let sealed = sealed.ok_or_else(|| AppError::NoSuchVersion(from.clone()))?;
        let value = open_sealed(self.keyring, &self.keys, &context(&self.secret, from), sealed)?;
        let mark = self.mark(to, &value);
        self.secret.fill_check(to, &mark);
        self.store_if(Put::Stored, to, &value)
    }

    /// Keeps a version's value under this secret's own ARN.
    ///
    /// # Errors
    /// When sealing fails.
    pub(crate) fn adopt(&mut self, id: &VersionId, value: &SecretValue) -> Result<(), AppError> {
        let mark = self.mark(id, value);
        if let Some(version) = self.secret.versions.get_mut(id) {
            version.content = Some(mark);
        }
        self.store_if(Put::Stored, id, value)
    }

    /// Has the values sealed by another key from now on. As on AWS, those with AWSCURRENT, AWSPENDING and AWSPREVIOUS are sealed
    /// anew; those that their former key does not open any more stay as they are ("Change the encryption key for an AWS Secrets
    /// Manager secret").
    ///
    /// # Errors
    /// When sealing fails.
    pub fn use_key(&mut self, named: Option<String>, sealer: Sealer) -> Result<(), AppError> {
        (self.secret.kms_key_id, self.sealer) = (named, sealer);
        let Some(before) = self.before else { return Ok(()) };
        let labels = &self.secret.labels;
        let labelled = [labels.current(), labels.pending(), labels.previous()];
        let versions: BTreeSet<VersionId> = labelled.into_iter().flatten().cloned().collect();
        for version in &versions {
            let Some(sealed) = before.sealed.get(version) else { continue };
            if sealed.key_id() == self.sealer.key_id() {
                continue;
            }
            match open_sealed(self.keyring, &self.keys, &context(&self.secret, version), sealed) {
                Ok(value) => self.store_if(Put::Stored, version, &value)?,
                Err(error) => tracing::warn!(
                    secret.arn = %self.secret.arn, version = %version, %error,
                    "a version stays under its former key, which does not open it now"
                ),
            }
        }
        Ok(())
    }

    fn mark(&self, token: &VersionId, value: &SecretValue) -> ContentMark {
        let context = context(&self.secret, token);
        ContentMark(hex::encode(self.keyring.fingerprint(&context, value).as_bytes()))
    }

    fn store_if(&mut self, put: Put, token: &VersionId, value: &SecretValue) -> Result<(), AppError> {
        if put == Put::Stored {
            let context = context(&self.secret, token);
            let sealed = self.sealer.seal(self.keyring, &context, value, self.rng)?;
            self.puts.push(SealedVersion { version_id: token.clone(), sealed: sealed.as_bytes().to_vec() });
        }
        Ok(())
    }
}

fn context<'a>(secret: &'a Secret, version: &'a VersionId) -> SealContext<'a> {
    SealContext { arn: secret.arn.as_str(), version_id: version.as_str() }
}
