//! The WIT's `secrets`: versions, new passwords, the pending version.

use std::collections::BTreeSet;
use std::sync::Arc;

use pawl_core::document::{Document, NewValue, TARGET_FIELDS, is_text_field};
use pawl_core::function::TcpGrant;
use pawl_core::limits;
use pawl_core::password::{self, PasswordError, PasswordRules};
use pawl_core::value::{SecretBytes, SecretValue};

use super::handles::{Held, Of, Origin, SensitiveHeld};
use super::{Capabilities, Violation, journal, secret_error};
use crate::database::Login;
use crate::port::{Standing, Which};
use crate::wire::{self, Handle, LoginError, SecretError, VersionHandle};

/// The field whose value is the account's password.
pub(super) const PASSWORD: &str = "password";
/// What is said of a password or key that was in use before: it may be known to somebody, the rotator's author among them.
const NOT_MADE_HERE: &str = "the pending version's password, and whatever else is new and sensitive in it, must come from \
                             random-password or capture in the same step";

type Answered<T> = Result<Result<T, SecretError>, Violation>;

impl Capabilities {
    pub(super) async fn version(&mut self, which: Which) -> Answered<Option<VersionHandle>> {
        match self.read(which).await {
            Ok(Some(stored)) => {
                let of = if which == Which::Pending { Of::Pending } else { Of::Own };
                Ok(self.keep_version(&stored, of)?.map(Some))
            }
            // The WIT has no rotation without a current version.
            Ok(None) if which == Which::Current => {
                Ok(Err(SecretError::NotFound("the secret has no AWSCURRENT version with a value".to_owned())))
            }
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(secret_error(error))),
        }
    }

    pub(super) async fn others(&mut self) -> Answered<Vec<VersionHandle>> {
        let found = match self.config.port.others().await {
            Ok(found) => found,
            Err(error) => return Ok(Err(secret_error(self.noted(error)))),
        };
        let mut others = Vec::with_capacity(found.len());
        for stored in found {
            // One that is no JSON object holds no login.
            if let Ok(version) = self.keep_version(&stored, Of::Own)? {
                others.push(version);
            }
        }
        Ok(Ok(others))
    }

    pub(super) async fn exposed(&mut self) -> Result<bool, SecretError> {
        Ok(self.standing().await?.exposed)
    }

    async fn standing(&mut self) -> Result<Standing, SecretError> {
        self.config.port.standing().await.map_err(|error| secret_error(self.noted(error)))
    }

    pub(super) async fn open(&mut self, secret_id: &str) -> Answered<Option<VersionHandle>> {
        match self.config.port.open(secret_id, &self.config.grants.secrets).await {
            Ok(stored) => Ok(self.keep_version(&stored, Of::Another)?.map(Some)),
            Err(error) => Ok(Err(secret_error(self.noted(error)))),
        }
    }

    pub(super) fn text(&self, version: Handle, field: &str) -> Result<Option<String>, Violation> {
        Ok(self.held_version(version)?.document.text(field))
    }

    pub(super) fn sensitive(&mut self, version: Handle, field: &str) -> Answered<Option<Handle>> {
        let version = self.held_version(version)?;
        // Another secret's values are for its login: what a guest cannot name, it cannot store where others read.
        let value = (version.of != Of::Another).then(|| version.document.sensitive(field)).flatten();
        let Some(value) = value else { return Ok(Ok(None)) };
        let what = journal::line(&format!("the field `{field}` of the version {}", version.id));
        let held = SensitiveHeld { value, origin: Origin::Stored, what };
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
        let held = SensitiveHeld { value, origin: Origin::Generated, what: "a new password".to_owned() };
        self.handles.insert(Held::Sensitive(Arc::new(held))).map(|handle| Ok(Some(handle)))
    }

    pub(super) async fn put_pending(
        &mut self,
        base: Handle,
        changes: Vec<wire::Change>,
    ) -> Answered<Option<VersionHandle>> {
        let base = self.held_version(base)?;
        if base.of == Of::Another {
            let text = "a pending version is made of a version of its own secret";
            return Ok(Err(SecretError::Refused(text.to_owned())));
        }
        let (mut new, mut captured) = (Vec::with_capacity(changes.len()), false);
        for change in changes {
            let value = match change.value {
                wire::NewValue::Text(text) if self.revealed.is_in(&text) => {
                    let text = "a field that every rotator reads takes no text with a sensitive value in it";
                    return Ok(Err(SecretError::Refused(text.to_owned())));
                }
                wire::NewValue::Text(text) => NewValue::Text(text),
                wire::NewValue::Sensitive(handle) => {
                    let held = self.handles.sensitive(handle)?;
                    if held.origin == Origin::Stored {
                        return Ok(Err(SecretError::Refused(NOT_MADE_HERE.to_owned())));
                    }
                    captured |= held.origin == Origin::Captured;
                    NewValue::Sensitive(held.value.duplicate())
                }
            };
            new.push((change.field, value));
        }
        let value = match base.document.with(&new, &self.config.grants.pending_fields) {
            Ok(value) => value,
            Err(error) => return Ok(Err(SecretError::Refused(journal::line(&error.to_string())))),
        };
        let made: BTreeSet<_> = new.iter().map(|(field, _)| field.as_str()).collect();
        if let Err(error) = self.turned(&value, &made).await {
            return Ok(Err(error));
        }
        let stored = self.config.port.put_pending(value).await;
        let stored = match stored.map_err(|error| self.noted(error)) {
            // A server has the key that it made, and nobody could make it again.
            Ok(stored) if captured => self.settle().await.map(|()| stored),
            stored => stored,
        };
        match stored {
            Ok(stored) => Ok(self.keep_version(&stored, Of::Pending)?.map(Some)),
            Err(error) => Ok(Err(secret_error(error))),
        }
    }

    /// Checks that no sensitive value from before comes back with the base that a pending value was made of.
    async fn turned_with(
        &mut self,
        pending: &Document,
        current: &Document,
        made: &BTreeSet<&str>,
    ) -> Result<(), SecretError> {
        let kept = |by: &Document, field: &str, value: &SecretBytes| {
            by.sensitive(field).is_some_and(|held| held.same_as(value))
        };
        let from_before = |by: &Document| {
            let values = pending.names().filter_map(|field| Some((field, pending.sensitive(field)?)));
            values
                .filter(|(field, _)| !made.contains(field))
                .any(|(field, value)| !kept(current, field, &value) && !kept(by, field, &value))
        };
        if !from_before(current) {
            return Ok(());
        }
        match self.document(Which::Pending).await? {
            Some(stored) if !from_before(&stored) => Ok(()),
            _ => Err(SecretError::Refused(NOT_MADE_HERE.to_owned())),
        }
    }

    /// Checks that a pending value is a step onward from the current one: another value, on the same server.
    async fn turned(&mut self, value: &SecretValue, made: &BTreeSet<&str>) -> Result<(), SecretError> {
        let refused = |text: String| Err(SecretError::Refused(text));
        let Some(current) = self.document(Which::Current).await? else {
            return refused("the secret has no AWSCURRENT version with a value".to_owned());
        };
        let pending = Document::parse(value).map_err(|error| super::malformed(&error))?;
        self.turned_with(&pending, &current, made).await?;
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
        self.proven().await?;
        self.config.port.promote().await.map_err(|error| secret_error(self.noted(error)))
    }

    /// The login that a version describes, if it is one to a database that this host can log in to.
    pub(super) fn describes_database(&self, document: &Document) -> Option<Login> {
        Login::parse(document).ok().filter(|login| self.config.drivers.get(login.engine).is_some())
    }

    /// Insists, whatever the rotator has made of testSecret, that the host itself has seen the new login work, and that another
    /// account can do what the current one can.
    async fn proven(&mut self) -> Result<(), SecretError> {
        let standing = self.standing().await?;
        let Some(pending) = self.document(Which::Pending).await? else { return Ok(()) };
        if self.describes_database(&pending).is_none() {
            // Where the host carries the requests it sees what is answered to them; elsewhere it is the rotator's own to test.
            let grants = &self.config.grants;
            let sees = !grants.http.is_empty() || grants.tcp.iter().any(TcpGrant::proves);
            return if !sees || standing.proof.login || self.config.rehearsal {
                Ok(())
            } else {
                let text = "no server has accepted the pending version's new values yet: testSecret must make a request that \
                            carries them, and have a 2xx answer, or over a connection one that the grant knows for a yes";
                Err(SecretError::Refused(text.to_owned()))
            };
        }
        if !standing.proof.login
            && let Err(error) = self.logged_in(&pending, Of::Pending).await
        {
            return Err(unproven(error));
        }
        let current = self.document(Which::Current).await?;
        let other = current.is_some_and(|current| current.text("username") != pending.text("username"));
        if other && !standing.proof.privileges {
            let text = "the new user's privileges were not compared with the current one's: testSecret must find no \
                        `differences`";
            return Err(SecretError::Refused(text.to_owned()));
        }
        Ok(())
    }
}

fn unproven(error: LoginError) -> SecretError {
    match error {
        LoginError::Superseded => SecretError::Superseded,
        LoginError::Unreachable(text) => SecretError::Unavailable(text),
        LoginError::Refused(text)
        | LoginError::Untrusted(text)
        | LoginError::NotGranted(text)
        | LoginError::LockoutBudgetSpent(text)
        | LoginError::Malformed(text)
        | LoginError::Rejected(text) => {
            SecretError::Refused(format!("the pending version does not log in: {text}"))
        }
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
