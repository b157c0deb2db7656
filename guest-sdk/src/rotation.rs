//! The secret under rotation: its versions, their fields, and the new version that a rotation makes.

use crate::bindings::pawl::rotation::secrets;
use crate::failure::{Failure, LoginError, SecretError};
use crate::session::Session;

/// The rotation that a step belongs to.
#[derive(Debug)]
pub struct Rotation<'a>(&'a secrets::Rotation);

/// One version of a secret whose value is a JSON object.
#[derive(Debug)]
pub struct Version(secrets::Version);

/// A value that can be used and never read: for [`Version::with`] and [`Session::set_password`](crate::Session::set_password).
#[derive(Debug)]
pub struct Sensitive(secrets::Sensitive);

/// A login with one of the secret's own versions.
#[derive(Debug)]
pub struct Login {
    /// The login.
    pub session: Session,
    /// Whether it was the pending version's: then an earlier try has set the password already.
    pub already_set: bool,
}

/// Rules for a new password. What is `None` is as AWS's GetRandomPassword has it, and what the operator has set in the
/// function's environment wins over what is asked for here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Characters of the password.
    pub length: Option<u32>,
    /// Characters that it must not have.
    pub exclude_characters: Option<String>,
    /// Whether it has no digits.
    pub exclude_numbers: Option<bool>,
    /// Whether it has no punctuation.
    pub exclude_punctuation: Option<bool>,
    /// Whether it has no upper-case letters.
    pub exclude_uppercase: Option<bool>,
    /// Whether it has no lower-case letters.
    pub exclude_lowercase: Option<bool>,
    /// Whether it has at least one character of each kind that is not excluded.
    pub require_each_included_type: Option<bool>,
}

/// A field's new value: text for a field that is not sensitive, a [`Sensitive`] for every other.
#[derive(Debug)]
pub enum FieldValue {
    /// Plain text.
    Text(String),
    /// What only the host can read.
    Sensitive(Sensitive),
}

/// A version that is not stored yet: a base, and the fields in which it differs.
#[derive(Debug)]
pub struct Draft {
    base: Version,
    changes: Vec<(String, FieldValue)>,
}

impl<'a> Rotation<'a> {
    pub(crate) const fn lent(raw: &'a secrets::Rotation) -> Self {
        Self(raw)
    }

    /// The rotation's id: known before there is a pending version, and the same in every try, after a crash too. An idempotency
    /// token for systems that take one; no secret.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// The version with AWSCURRENT: what applications read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current(&self) -> Result<Version, SecretError> {
        Ok(Version(self.0.current()?))
    }

    /// The version that this rotation makes.
    ///
    /// # Errors
    /// When it cannot be read, and when it has no value yet: `create` has not run.
    pub fn pending(&self) -> Result<Version, SecretError> {
        self.find_pending()?
            .ok_or_else(|| SecretError::NotFound("the pending version has no value yet".to_owned()))
    }

    /// The version that this rotation makes, if it has a value already.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find_pending(&self) -> Result<Option<Version>, SecretError> {
        Ok(self.0.pending()?.map(Version))
    }

    /// The version with AWSPREVIOUS, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn previous(&self) -> Result<Option<Version>, SecretError> {
        Ok(self.0.previous()?.map(Version))
    }

    /// Versions besides those three whose password a server may have, the likeliest first: of rotations that somebody ended in
    /// the middle, and what was current before.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn others(&self) -> Result<Vec<Version>, SecretError> {
        Ok(self.0.others()?.into_iter().map(Version).collect())
    }

    /// Whether a server may have taken the pending version's password already. As long as it cannot, a login as pending is refused
    /// for certain, and would count against the account's lockout.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn exposed(&self) -> Result<bool, SecretError> {
        Ok(self.0.exposed()?)
    }

    /// Another secret's current version, by ARN or name, such as the secret's `masterarn`: to log in with, and for nothing else.
    ///
    /// # Errors
    /// When the function's grants do not cover it, or it cannot be read.
    pub fn open(&self, secret_id: &str) -> Result<Version, SecretError> {
        Ok(Version(self.0.open(secret_id)?))
    }

    /// Logs in as the account that AWSCURRENT names, with the first known password that the server accepts: the pending one if it
    /// may be there already (asked again after the current one), the current one, the previous one, those of rotations that were
    /// ended in the middle, and earlier ones. Versions that name another user or place are left out. This is how a rotation heals
    /// a database that was restored from a backup or changed by hand.
    ///
    /// # Errors
    /// As [`Session::login_first`](crate::Session::login_first), and when a version cannot be read.
    pub fn login_known(&self) -> Result<Login, Failure> {
        let current = self.current()?;
        let same = |version: &Version| {
            ["username", "host"].iter().all(|field| version.find_text(field) == current.find_text(field))
        };
        let pending = if self.exposed()? { self.find_pending()?.filter(same) } else { None };
        let older = self.previous()?.into_iter().chain(self.others()?).filter(same).collect::<Vec<_>>();
        let Some(pending) = pending else {
            let known = std::iter::once(current).chain(older);
            return Ok(Login { session: Session::login_first(known)?, already_set: false });
        };
        let mut refusal = None;
        // The COMMIT of an earlier try, whose host is dead, may take effect between the first two: then the third is accepted.
        for (version, already_set) in [(&pending, true), (&current, false), (&pending, true)] {
            match Session::login(version) {
                Ok(session) => return Ok(Login { session, already_set }),
                Err(LoginError::Refused(text)) => refusal = Some(LoginError::Refused(text)),
                Err(other) => return Err(other.into()),
            }
        }
        match refusal.filter(|_| older.is_empty()) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(Login { session: Session::login_first(older)?, already_set: false }),
        }
    }

    /// A new password, made and held by the host.
    ///
    /// # Errors
    /// When the rules leave too little to choose from.
    pub fn random_password(&self, rules: &Rules) -> Result<Sensitive, SecretError> {
        let rules = secrets::PasswordRules {
            length: rules.length,
            exclude_characters: rules.exclude_characters.clone(),
            exclude_numbers: rules.exclude_numbers,
            exclude_punctuation: rules.exclude_punctuation,
            exclude_uppercase: rules.exclude_uppercase,
            exclude_lowercase: rules.exclude_lowercase,
            require_each_included_type: rules.require_each_included_type,
        };
        Ok(Sensitive(self.0.random_password(&rules)?))
    }

    /// Stores the pending version that `draft` makes of the current one; keeps what is there when an earlier try got so far.
    ///
    /// # Errors
    /// When `draft` fails, and when the host cannot or will not store what it made.
    pub fn create_pending(
        &self,
        draft: impl FnOnce(Version) -> Result<Draft, Failure>,
    ) -> Result<(), Failure> {
        if self.find_pending()?.is_some() {
            return Ok(());
        }
        self.put_pending(&draft(self.current()?)?)?;
        Ok(())
    }

    /// Stores `draft` as the pending version. The first value stays: a repeated call gives what is stored.
    ///
    /// # Errors
    /// When the host cannot or will not.
    pub fn put_pending(&self, draft: &Draft) -> Result<Version, SecretError> {
        let changes: Vec<_> = draft
            .changes
            .iter()
            .map(|(field, value)| secrets::Change {
                field: field.clone(),
                value: match value {
                    FieldValue::Text(text) => secrets::NewValue::Text(text.clone()),
                    FieldValue::Sensitive(sensitive) => secrets::NewValue::Sensitive(&sensitive.0),
                },
            })
            .collect();
        Ok(Version(self.0.put_pending(&draft.base.0, &changes)?))
    }

    /// Moves AWSCURRENT to the pending version.
    ///
    /// # Errors
    /// When the pending version has not been tested, and when the host cannot.
    pub fn promote(&self) -> Result<(), SecretError> {
        Ok(self.0.promote()?)
    }
}

impl Version {
    /// The version's id (AWS's VersionId).
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id()
    }

    /// A field that is not sensitive, such as `username` or `host`.
    ///
    /// # Errors
    /// When the version has no such field.
    pub fn text(&self, field: &str) -> Result<String, SecretError> {
        self.find_text(field).ok_or_else(|| absent(field))
    }

    /// A field that is not sensitive, if the version has it.
    #[must_use]
    pub fn find_text(&self, field: &str) -> Option<String> {
        self.0.text(field)
    }

    /// Any other field, such as `password`.
    ///
    /// # Errors
    /// When the version has no such field.
    pub fn sensitive(&self, field: &str) -> Result<Sensitive, SecretError> {
        self.find_sensitive(field).ok_or_else(|| absent(field))
    }

    /// Any other field, if the version has it.
    #[must_use]
    pub fn find_sensitive(&self, field: &str) -> Option<Sensitive> {
        self.0.sensitive(field).map(Sensitive)
    }

    /// A draft of a new version: this one with another value in one field.
    #[must_use]
    pub fn with(self, field: &str, value: impl Into<FieldValue>) -> Draft {
        Draft { base: self, changes: Vec::new() }.with(field, value)
    }

    pub(crate) const fn raw(&self) -> &secrets::Version {
        &self.0
    }
}

impl Sensitive {
    /// The text of it. Needs the grant `reveal`, which an operator gives in the knowledge that the rotator's author can read the value
    /// then; each time is told in the rotation's history. Lines of log and failures that hold it are not kept.
    ///
    /// Nothing but a system that the host cannot speak to is a reason to ask for it.
    ///
    /// # Errors
    /// When the function's grants do not cover it, and when the value is no text.
    pub fn reveal(&self) -> Result<String, SecretError> {
        Ok(crate::bindings::pawl::rotation::reveal::reveal(&self.0)?)
    }

    pub(crate) const fn from_raw(raw: secrets::Sensitive) -> Self {
        Self(raw)
    }

    pub(crate) const fn raw(&self) -> &secrets::Sensitive {
        &self.0
    }
}

impl Draft {
    /// This draft with another value in one more field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<FieldValue>) -> Self {
        self.changes.push((field.to_owned(), value.into()));
        self
    }
}

impl From<Sensitive> for FieldValue {
    fn from(value: Sensitive) -> Self {
        Self::Sensitive(value)
    }
}

impl From<String> for FieldValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for FieldValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

fn absent(field: &str) -> SecretError {
    SecretError::Malformed(format!("the secret has no field `{field}` of the kind that the rotator needs"))
}
