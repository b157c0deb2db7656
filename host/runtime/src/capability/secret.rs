//! The WIT's `secrets`: versions, new passwords, the pending version.

use std::sync::Arc;

use pawl_core::document::{Document, NewValue, TARGET_FIELDS, is_text_field};
use pawl_core::limits;
use pawl_core::password::{self, PasswordError, PasswordRules};
use pawl_core::value::SecretValue;

use super::handles::{Held, Origin, SensitiveHeld};
use super::{Capabilities, Violation, journal, secret_error};
use crate::port::Which;
use crate::wire::{self, Handle, SecretError, VersionHandle};

/// The field whose value is the account's password.
pub(super) const PASSWORD: &str = "password";

type Answered<T> = Result<Result<T, SecretError>, Violation>;

impl Capabilities {
    pub(super) async fn version(&mut self, which: Which) -> Answered<Option<VersionHandle>> {
        match self.read(which).await {
            Ok(Some(stored)) => Ok(self.keep_version(&stored)?.map(Some)),
            // The WIT has no rotation without a current version.
            Ok(None) if which == Which::Current => {
                Ok(Err(SecretError::NotFound("the secret has no AWSCURRENT version with a value".to_owned())))
            }
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(secret_error(error))),
        }
    }

    pub(super) fn text(&self, version: Handle, field: &str) -> Result<Option<String>, Violation> {
        Ok(self.held_version(version)?.document.text(field))
    }

    pub(super) fn sensitive(&mut self, version: Handle, field: &str) -> Answered<Option<Handle>> {
        let Some(value) = self.held_version(version)?.document.sensitive(field) else { return Ok(Ok(None)) };
        let held = SensitiveHeld { value, origin: Origin::Stored };
        self.handles.insert(Held::Sensitive(Arc::new(held))).map(|handle| Ok(Some(handle)))
    }

    pub(super) fn random_password(&mut self, asked: wire::PasswordRules) -> Answered<Option<Handle>> {
        let made = rules(asked).overridden_by(&self.config.environment).and_then(|rules| {
            let bits = password::entropy_bits(&rules)?;
            Ok(if bits < limits::PASSWORD_ENTROPY_BITS_MIN {
                Err(bits)
            } else {
                Ok(password::generate(&rules, self.config.rng.as_ref())?)
            })
        });
        let value = match made {
            Ok(Ok(value)) => value,
            Ok(Err(bits)) => {
                return Ok(Err(SecretError::Refused(format!(
                    "a password by these rules has only {bits:.0} bits of entropy, and {:.0} are needed: make it longer or \
                     exclude less",
                    limits::PASSWORD_ENTROPY_BITS_MIN
                ))));
            }
            Err(
                error @ (PasswordError::Length(_)
                | PasswordError::TooShort { .. }
                | PasswordError::NothingLeft),
            ) => {
                return Ok(Err(SecretError::Refused(error.to_string())));
            }
            Err(error @ PasswordError::Environment(_)) => {
                return Ok(Err(SecretError::Refused(error.to_string())));
            }
        };
        let held = SensitiveHeld { value, origin: Origin::Generated };
        self.handles.insert(Held::Sensitive(Arc::new(held))).map(|handle| Ok(Some(handle)))
    }

    pub(super) async fn put_pending(
        &mut self,
        base: Handle,
        changes: Vec<wire::Change>,
    ) -> Answered<Option<VersionHandle>> {
        let base = self.held_version(base)?;
        let mut new = Vec::with_capacity(changes.len());
        for change in changes {
            let value = match change.value {
                wire::NewValue::Text(text) => NewValue::Text(text),
                wire::NewValue::Sensitive(handle) => {
                    let held = self.handles.sensitive(handle)?;
                    // A password that was in use before may be known to somebody, the rotator's author among them.
                    if change.field == PASSWORD && held.origin != Origin::Generated {
                        let text =
                            "the pending version's password must come from random-password in the same step";
                        return Ok(Err(SecretError::Refused(text.to_owned())));
                    }
                    NewValue::Sensitive(held.value.duplicate())
                }
            };
            new.push((change.field, value));
        }
        let value = match base.document.with(&new, &self.config.grants.pending_fields) {
            Ok(value) => value,
            Err(error) => return Ok(Err(SecretError::Refused(journal::line(&error.to_string())))),
        };
        if let Err(error) = self.turned(&value).await {
            return Ok(Err(error));
        }
        match self.config.port.put_pending(value).await {
            Ok(stored) => Ok(self.keep_version(&stored)?.map(Some)),
            Err(error) => Ok(Err(secret_error(self.noted(error)))),
        }
    }

    /// Checks that a pending value is a step onward from the current one: another value, on the same server.
    async fn turned(&mut self, value: &SecretValue) -> Result<(), SecretError> {
        let refused = |text: String| Err(SecretError::Refused(text));
        let Some(current) = self.document(Which::Current).await? else {
            return refused("the secret has no AWSCURRENT version with a value".to_owned());
        };
        let pending = Document::parse(value).map_err(|error| super::malformed(&error))?;
        // Whatever the grants say and whichever version was the base: applications take AWSCURRENT's credentials to the
        // server that it names, and rotation must not send them elsewhere or without TLS.
        for field in TARGET_FIELDS {
            if current.kind(field) != pending.kind(field) || current.text(field) != pending.text(field) {
                return refused(format!("the pending version's `{field}` must be that of AWSCURRENT"));
            }
        }
        let same = |field: &str| match (current.sensitive(field), pending.sensitive(field)) {
            (Some(old), Some(new)) => old.same_as(&new),
            (None, None) => true,
            _ => false,
        };
        if pending.names().filter(|field| !is_text_field(field)).all(same) {
            return refused(
                "the pending version must have another sensitive value than AWSCURRENT".to_owned(),
            );
        }
        Ok(())
    }

    pub(super) async fn promote(&mut self) -> Result<(), SecretError> {
        self.config.port.promote().await.map_err(|error| secret_error(self.noted(error)))
    }
}

/// What a guest asks for; AWS's defaults for the rest.
fn rules(asked: wire::PasswordRules) -> PasswordRules {
    let default = PasswordRules::default();
    PasswordRules {
        length: asked.length.unwrap_or(default.length),
        exclude_characters: asked.exclude_characters.unwrap_or_default(),
        exclude_numbers: asked.exclude_numbers.unwrap_or(default.exclude_numbers),
        exclude_punctuation: asked.exclude_punctuation.unwrap_or(default.exclude_punctuation),
        exclude_uppercase: asked.exclude_uppercase.unwrap_or(default.exclude_uppercase),
        exclude_lowercase: asked.exclude_lowercase.unwrap_or(default.exclude_lowercase),
        include_space: default.include_space,
        require_each_included_type: asked
            .require_each_included_type
            .unwrap_or(default.require_each_included_type),
    }
}
