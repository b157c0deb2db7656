//! A request of IAM: its parameters, whom it is about, and whether the caller may.

use std::borrow::Cow;

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::iam::Operation;
use pawl_api::query::{Form, rule};
use pawl_core::identity::{Group, Holder, IdentityError, ManagedPolicy, OidcProvider, Role, User};
use pawl_core::names::AccountId;
use pawl_core::secret::Tag;
use pawl_core::world::Timestamp;
use pawl_iam::policy::{PolicyDocument, PolicyError, PolicyKind, PrincipalKind};
use pawl_store::{EntityChange, EntityPut, Expect};

use crate::audit::Row;
use crate::host::Host;
use crate::identity::{Caller, GROUP, Kept, POLICY, PROVIDER, ROLE, Snapshot, USER};

/// A request.
pub(crate) struct IamRequest<'a> {
    pub(crate) host: &'a Host,
    pub(crate) caller: &'a Caller,
    pub(crate) operation: Operation,
    pub(crate) form: &'a Form,
}

/// Why it was not done.
pub(crate) struct Failure(ApiError);

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let code = match error {
            IdentityError::Quota { .. } | IdentityError::PolicySize { .. } | IdentityError::Versions(_) => {
                ErrorCode::LimitExceededException
            }
            IdentityError::DefaultVersion | IdentityError::InUse(_) => ErrorCode::DeleteConflict,
            IdentityError::NoSuchKey(_)
            | IdentityError::NoSuchInline { .. }
            | IdentityError::NotAttached(_)
            | IdentityError::NoSuchVersion { .. } => ErrorCode::NoSuchEntity,
            IdentityError::TwiceTagged => ErrorCode::InvalidInput,
        };
        Self(ApiError::new(code, error.to_string()))
    }
}

/// A refusal of IAM's.
pub(super) fn refuse(code: ErrorCode, message: impl Into<String>) -> Failure {
    Failure(ApiError::new(code, message))
}

/// Nothing of this name.
pub(super) fn missing(kind: &str, name: &str) -> Failure {
    refuse(ErrorCode::NoSuchEntity, format!("The {kind} with name {name} cannot be found."))
}

impl<'a> IamRequest<'a> {
    /// The account.
    pub(super) fn account(&self) -> &'a AccountId {
        self.host.app.account()
    }

    /// The moment at which it is done.
    pub(super) fn now(&self) -> Timestamp {
        self.host.app.clock().now()
    }

    /// The user's name; of a request without one, the caller's own.
    pub(super) fn user_name(&self) -> Result<Cow<'a, str>, ApiError> {
        if let Some(name) = self.form.text("UserName", &rule::EXISTING_USER)? {
            return Ok(Cow::Borrowed(name));
        }
        let own = self.caller.identity.as_ref().map(|identity| &identity.principal);
        match own.filter(|own| own.kind() == PrincipalKind::User) {
            Some(own) => Ok(Cow::Owned(own.name().rsplit('/').next().unwrap_or_default().to_owned())),
            None => {
                let message = "Must specify userName when calling with non-User credentials";
                Err(ApiError::new(ErrorCode::ValidationError, message))
            }
        }
    }

    /// The role's name.
    pub(super) fn role_name(&self) -> Result<&'a str, ApiError> {
        self.form.required("RoleName", &rule::ROLE_NAME)
    }

    /// The group's name.
    pub(super) fn group_name(&self) -> Result<&'a str, ApiError> {
        self.form.required("GroupName", &rule::GROUP_NAME)
    }

    /// The policy's ARN.
    pub(super) fn policy_arn(&self) -> Result<&'a str, ApiError> {
        self.form.required("PolicyArn", &rule::ARN)
    }

    /// The name of the user, group or role.
    pub(super) fn holder_name(&self, holder: Holder) -> Result<Cow<'a, str>, ApiError> {
        match holder {
            Holder::User => self.form.required("UserName", &rule::EXISTING_USER).map(Cow::Borrowed),
            Holder::Group => self.group_name().map(Cow::Borrowed),
            Holder::Role => self.role_name().map(Cow::Borrowed),
        }
    }

    /// The path of what is to be made.
    pub(super) fn path(&self) -> Result<&'a str, ApiError> {
        Ok(self.form.text("Path", &rule::PATH)?.unwrap_or("/"))
    }

    /// The tags of the request.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, ApiError> {
        let tag = |(key, value)| {
            let key = rule::TAG_KEY.admit("tags.1.member.key", key)?;
            let value = rule::TAG_VALUE.admit("tags.1.member.value", value)?;
            Ok(Tag { key: key.to_owned(), value: value.to_owned() })
        };
        self.form.pairs("Tags", "Key", "Value").into_iter().map(tag).collect()
    }

    /// The text of a policy of an identity.
    pub(super) fn document(&self) -> Result<&'a str, Failure> {
        let text = self.form.required("PolicyDocument", &rule::POLICY_DOCUMENT)?;
        PolicyDocument::parse_identity(text)
            .map(|_| text)
            .map_err(|error| malformed(&error, PolicyKind::Identity))
    }

    /// The text of a policy of a role on who may assume it.
    pub(super) fn trust(&self, name: &str) -> Result<(&'a str, PolicyDocument), Failure> {
        let text = self.form.required(name, &rule::POLICY_DOCUMENT)?;
        let policy = PolicyDocument::parse_trust(text);
        policy.map(|policy| (text, policy)).map_err(|error| malformed(&error, PolicyKind::Trust))
    }

    /// Plans a change from what there is, and makes it.
    pub(super) async fn change<T: Send>(
        &self,
        plan: impl Fn(&Snapshot) -> Result<(Vec<EntityChange>, T), Failure> + Send + Sync,
    ) -> Result<T, ApiError> {
        let plan = |snapshot: &Snapshot| {
            self.must_be_let_by(snapshot)?;
            plan(snapshot).map_err(ApiError::from)
        };
        self.host.directory.change(plan, || self.audit()).await
    }

    /// The record that is stored with a change. Never a secret.
    fn audit(&self) -> Vec<String> {
        let about: serde_json::Map<_, _> = [
            "UserName",
            "GroupName",
            "RoleName",
            "PolicyName",
            "PolicyArn",
            "AccessKeyId",
            "OpenIDConnectProviderArn",
            "Url",
        ]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), self.form.get(name)?.into())))
        .collect();
        let (host, action) = (self.host.owner.as_str(), self.operation.action());
        let row = Row { about, ..Row::of(host, self.caller, self.now(), action, "") };
        row.text().into_iter().collect()
    }
}

/// A text that is no policy.
pub(super) fn malformed(error: &PolicyError, kind: PolicyKind) -> Failure {
    refuse(ErrorCode::MalformedPolicyDocumentException, error.sentence(kind))
}

/// A thing as an entity: its kind, and by which further names it is found.
pub(super) trait Stored: serde::Serialize {
    const KIND: &'static str;
    fn name(&self) -> &str;
    fn keys(&self) -> Vec<String> {
        // Names do not differ by case alone.
        vec![format!("name {}", self.name().to_lowercase())]
    }
}

impl Stored for User {
    const KIND: &'static str = USER;
    fn name(&self) -> &str {
        &self.name
    }
    fn keys(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|key| key.id.clone());
        keys.chain([format!("name {}", self.name.to_lowercase())]).collect()
    }
}

impl Stored for Group {
    const KIND: &'static str = GROUP;
    fn name(&self) -> &str {
        &self.name
    }
}

impl Stored for Role {
    const KIND: &'static str = ROLE;
    fn name(&self) -> &str {
        &self.name
    }
}

impl Stored for ManagedPolicy {
    const KIND: &'static str = POLICY;
    fn name(&self) -> &str {
        &self.name
    }
}

impl Stored for OidcProvider {
    const KIND: &'static str = PROVIDER;
    fn name(&self) -> &str {
        &self.url
    }
    // Paths differ by case, and with them issuers.
    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

fn put<T: Stored>(thing: &T, expect: Expect, sealed: Option<Vec<u8>>) -> Result<EntityChange, Failure> {
    let document = serde_json::to_string(thing).map_err(|_| Failure(ApiError::internal()))?;
    Ok(EntityChange {
        kind: T::KIND.to_owned(),
        region: String::new(),
        name: thing.name().to_owned(),
        expect,
        put: Some(EntityPut { document, sealed, keys: Some(thing.keys()) }),
        signer: None,
    })
}

/// Makes a thing.
pub(super) fn made<T: Stored>(thing: &T) -> Result<EntityChange, Failure> {
    put(thing, Expect::New, None)
}

/// Replaces a thing; what of it is secret stays.
pub(super) fn changed<T: Stored>(before: &Kept<T>, thing: &T) -> Result<EntityChange, Failure> {
    let sealed = before.sealed.as_ref().map(|sealed| sealed.to_vec());
    put(thing, Expect::Revision(before.revision), sealed)
}

/// Replaces a thing, and what of it is secret.
pub(super) fn resealed<T: Stored>(
    before: &Kept<T>,
    thing: &T,
    sealed: Option<Vec<u8>>,
) -> Result<EntityChange, Failure> {
    put(thing, Expect::Revision(before.revision), sealed)
}

/// Leaves a thing as it is, and sees to it that nobody changes or deletes it meanwhile.
pub(super) fn held<T: Stored>(thing: &Kept<T>) -> Result<EntityChange, Failure> {
    changed(thing, &thing.value)
}

/// Deletes a thing.
pub(super) fn deleted<T: Stored>(thing: &Kept<T>) -> EntityChange {
    EntityChange {
        kind: T::KIND.to_owned(),
        region: String::new(),
        name: thing.value.name().to_owned(),
        expect: Expect::Revision(thing.revision),
        put: None,
        signer: None,
    }
}
