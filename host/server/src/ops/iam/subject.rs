//! What a request of IAM is about, and whether the caller may do that with it.
//!
//! The operation decides what it is about, and nothing else does: parameters that it does not have are not looked at. Otherwise a
//! caller who may do something with one thing would name it beside another, and have the other one changed.

use std::borrow::Cow;

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::iam::Operation;
use pawl_core::identity::{OidcProvider, arn};
use pawl_core::secret::Tag;

use super::request::IamRequest;
use crate::identity::Snapshot;
use crate::policy::{permit, request_tags};

/// Condition keys, and their values.
type Keys = Vec<(Cow<'static, str>, String)>;

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// Nothing that has a name.
    Account,
    /// The user that is named, or the caller himself.
    User,
    /// The user whose access key is named.
    KeyOwner,
    /// A group.
    Group,
    /// A role.
    Role,
    /// A managed policy, by its ARN.
    Policy,
    /// A user that is to be.
    NewUser,
    /// A group that is to be.
    NewGroup,
    /// A role that is to be.
    NewRole,
    /// A managed policy that is to be.
    NewPolicy,
    /// An identity provider, by its ARN.
    Provider,
    /// An identity provider that is to be.
    NewProvider,
}

impl Subject {
    /// As IAM's service authorization reference has it ("Resource types").
    #[expect(clippy::too_many_lines, reason = "a table of all operations")]
    const fn of(operation: Operation) -> Self {
        use Operation as O;
        match operation {
            O::ListUsers
            | O::ListGroups
            | O::ListRoles
            | O::ListPolicies
            | O::GetAccountSummary
            | O::ListOpenIDConnectProviders
            | O::ListAccountAliases => Self::Account,
            O::CreateUser => Self::NewUser,
            O::CreateGroup => Self::NewGroup,
            O::CreateRole => Self::NewRole,
            O::CreatePolicy => Self::NewPolicy,
            O::GetAccessKeyLastUsed => Self::KeyOwner,
            O::CreateOpenIDConnectProvider => Self::NewProvider,
            O::GetOpenIDConnectProvider
            | O::DeleteOpenIDConnectProvider
            | O::UpdateOpenIDConnectProviderThumbprint
            | O::AddClientIDToOpenIDConnectProvider
            | O::RemoveClientIDFromOpenIDConnectProvider
            | O::TagOpenIDConnectProvider
            | O::UntagOpenIDConnectProvider
            | O::ListOpenIDConnectProviderTags => Self::Provider,
            O::GetUser
            | O::UpdateUser
            | O::DeleteUser
            | O::TagUser
            | O::UntagUser
            | O::ListUserTags
            | O::CreateAccessKey
            | O::ListAccessKeys
            | O::UpdateAccessKey
            | O::DeleteAccessKey
            | O::PutUserPolicy
            | O::GetUserPolicy
            | O::ListUserPolicies
            | O::DeleteUserPolicy
            | O::AttachUserPolicy
            | O::DetachUserPolicy
            | O::ListAttachedUserPolicies
            | O::PutUserPermissionsBoundary
            | O::DeleteUserPermissionsBoundary
            | O::ListGroupsForUser
            | O::ListSigningCertificates
            | O::ListSSHPublicKeys
            | O::ListServiceSpecificCredentials
            | O::ListMFADevices
            | O::GetLoginProfile => Self::User,
            O::GetGroup
            | O::UpdateGroup
            | O::DeleteGroup
            | O::AddUserToGroup
            | O::RemoveUserFromGroup
            | O::PutGroupPolicy
            | O::GetGroupPolicy
            | O::ListGroupPolicies
            | O::DeleteGroupPolicy
            | O::AttachGroupPolicy
            | O::DetachGroupPolicy
            | O::ListAttachedGroupPolicies => Self::Group,
            O::GetRole
            | O::UpdateRole
            | O::UpdateRoleDescription
            | O::DeleteRole
            | O::UpdateAssumeRolePolicy
            | O::TagRole
            | O::UntagRole
            | O::ListRoleTags
            | O::PutRolePolicy
            | O::GetRolePolicy
            | O::ListRolePolicies
            | O::DeleteRolePolicy
            | O::AttachRolePolicy
            | O::DetachRolePolicy
            | O::ListAttachedRolePolicies
            | O::PutRolePermissionsBoundary
            | O::DeleteRolePermissionsBoundary
            | O::ListInstanceProfilesForRole => Self::Role,
            O::GetPolicy
            | O::DeletePolicy
            | O::CreatePolicyVersion
            | O::GetPolicyVersion
            | O::ListPolicyVersions
            | O::DeletePolicyVersion
            | O::SetDefaultPolicyVersion
            | O::TagPolicy
            | O::UntagPolicy
            | O::ListPolicyTags
            | O::ListEntitiesForPolicy => Self::Policy,
        }
    }

    /// The parameter that names it.
    const fn field(self) -> Option<&'static str> {
        match self {
            Self::Account => None,
            Self::User | Self::NewUser => Some("UserName"),
            Self::KeyOwner => Some("AccessKeyId"),
            Self::Group | Self::NewGroup => Some("GroupName"),
            Self::Role | Self::NewRole => Some("RoleName"),
            Self::Policy => Some("PolicyArn"),
            Self::NewPolicy => Some("PolicyName"),
            Self::Provider => Some("OpenIDConnectProviderArn"),
            Self::NewProvider => Some("Url"),
        }
    }

    /// How AWS's refusals call what there is already.
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::User => Some("user"),
            Self::Group => Some("group"),
            Self::Role => Some("role"),
            Self::Policy => Some("policy"),
            Self::Account
            | Self::KeyOwner
            | Self::NewUser
            | Self::NewGroup
            | Self::NewRole
            | Self::NewPolicy
            | Self::Provider
            | Self::NewProvider => None,
        }
    }

    /// The action that tags it when it is made: AWS asks for both.
    const fn tagging(self) -> Option<&'static str> {
        match self {
            Self::NewUser => Some(Operation::TagUser.action()),
            Self::NewRole => Some(Operation::TagRole.action()),
            Self::NewPolicy => Some(Operation::TagPolicy.action()),
            Self::NewProvider => Some(Operation::TagOpenIDConnectProvider.action()),
            Self::Account
            | Self::User
            | Self::KeyOwner
            | Self::Group
            | Self::Role
            | Self::Policy
            | Self::Provider
            | Self::NewGroup => None,
        }
    }
}

impl IamRequest<'_> {
    /// Whether the caller's policies let it do this.
    pub(super) fn must_be_let(&self) -> Result<(), ApiError> {
        self.must_be_let_by(&self.host.directory.snapshot())
    }

    /// The same, for what there is at the moment of a change: the path of a name may be another one than a moment ago.
    pub(super) fn must_be_let_by(&self, snapshot: &Snapshot) -> Result<(), ApiError> {
        let action = self.operation.action();
        if self.caller.is_own_session() {
            // AWS: credentials of GetSessionToken call no IAM, unless they were given with MFA. Who finds some of the root's for an
            // hour would else make a key that never ends.
            let message =
                "Session credentials of a user cannot call IAM: use the user's access key, or a role";
            return Err(ApiError::new(ErrorCode::AccessDeniedException, message));
        }
        if self.caller.identity.is_none() {
            return self.permit((action, "*"), &[], None);
        }
        let subject = Subject::of(self.operation);
        let (resource, keys) = (self.resource(subject, snapshot), self.keys(subject, snapshot));
        let shown = subject.word().zip(subject.field().and_then(|field| self.form.get(field)));
        let shown = shown.map(|(word, name)| format!("{word} {name}"));
        self.permit((action, &resource), &keys, shown.as_deref())?;
        if let Some(renamed) = self.renamed(snapshot) {
            self.permit((action, &renamed), &keys, None)?;
        }
        match subject.tagging().filter(|_| !self.form.pairs("Tags", "Key", "Value").is_empty()) {
            Some(tagging) => self.permit((tagging, &resource), &keys, None),
            None => Ok(()),
        }
    }

    fn permit(
        &self,
        asked: (&str, &str),
        keys: &[(Cow<'static, str>, String)],
        shown: Option<&str>,
    ) -> Result<(), ApiError> {
        permit(&self.host.app, self.caller, asked, keys, shown, None)
            .map_err(|message| ApiError::new(ErrorCode::AccessDeniedException, message))
    }

    /// The ARN of what the request is about: with its path where there is such a thing.
    fn resource(&self, subject: Subject, snapshot: &Snapshot) -> String {
        let account = self.account();
        let path = self.form.get("Path").unwrap_or("/");
        let named = subject.field().and_then(|field| self.form.get(field));
        let of = |kind: &str, path: Option<&str>, name: Option<&str>| match name {
            Some(name) => arn(account, kind, path.unwrap_or("/"), name),
            None => "*".to_owned(),
        };
        let user = |name: Option<&str>| {
            let held = name.and_then(|name| snapshot.users.get(name));
            of("user", held.map(|user| user.value.path.as_str()), name)
        };
        match subject {
            Subject::Account => "*".to_owned(),
            Subject::User => user(self.user_name().ok().as_deref()),
            Subject::KeyOwner => user(named.and_then(|id| snapshot.key(id)).map(|key| key.user.as_str())),
            Subject::Group => {
                let held = named.and_then(|name| snapshot.groups.get(name));
                of("group", held.map(|group| group.value.path.as_str()), named)
            }
            Subject::Role => {
                let held = named.and_then(|name| snapshot.roles.get(name));
                of("role", held.map(|role| role.value.path.as_str()), named)
            }
            Subject::Policy => named.unwrap_or("*").to_owned(),
            Subject::NewUser => of("user", Some(path), named),
            Subject::NewGroup => of("group", Some(path), named),
            Subject::NewRole => of("role", Some(path), named),
            Subject::NewPolicy => of("policy", Some(path), named),
            Subject::Provider | Subject::NewProvider => {
                self.provider(subject).unwrap_or_else(|| "*".to_owned())
            }
        }
    }

    /// The ARN of the identity provider that the request is about.
    fn provider(&self, subject: Subject) -> Option<String> {
        let named = self.form.get(subject.field()?)?;
        if subject == Subject::Provider {
            return Some(named.to_owned());
        }
        Some(OidcProvider::new(OidcProvider::url_of(named)?, self.now()).arn(self.account()))
    }

    /// What a user or a group is called afterwards, where that changes. AWS: who renames needs the permission for both.
    fn renamed(&self, snapshot: &Snapshot) -> Option<String> {
        let (kind, field, new) = match self.operation {
            Operation::UpdateUser => ("user", "UserName", "NewUserName"),
            Operation::UpdateGroup => ("group", "GroupName", "NewGroupName"),
            _ => return None,
        };
        let old = self.form.get(field)?;
        let (name, path) = (self.form.get(new), self.form.get("NewPath"));
        if name.is_none() && path.is_none() {
            return None;
        }
        let held = match self.operation {
            Operation::UpdateUser => snapshot.users.get(old).map(|user| user.value.path.as_str()),
            _ => snapshot.groups.get(old).map(|group| group.value.path.as_str()),
        };
        Some(arn(self.account(), kind, path.or(held).unwrap_or("/"), name.unwrap_or(old)))
    }

    /// The condition keys of the request and of what it is about.
    fn keys(&self, subject: Subject, snapshot: &Snapshot) -> Keys {
        use Operation as O;
        let mut keys = Keys::new();
        let (operation, name) = (self.operation, self.operation.name());
        if name.starts_with("Attach") || name.starts_with("Detach") {
            keys.extend(self.form.get("PolicyArn").map(|arn| ("iam:PolicyARN".into(), arn.to_owned())));
        }
        if subject.tagging().is_some()
            || matches!(operation, O::TagUser | O::TagRole | O::TagPolicy | O::TagOpenIDConnectProvider)
        {
            keys.extend(request_tags(self.form.pairs("Tags", "Key", "Value")));
        }
        if matches!(operation, O::UntagUser | O::UntagRole | O::UntagPolicy | O::UntagOpenIDConnectProvider) {
            let taken = self.form.list("TagKeys");
            keys.extend(taken.into_iter().map(|key| ("aws:TagKeys".into(), key.to_owned())));
        }
        let (tags, held) = self.held(subject, snapshot);
        for tag in tags {
            keys.push((format!("aws:ResourceTag/{}", tag.key).into(), tag.value.clone()));
            keys.push((format!("iam:ResourceTag/{}", tag.key).into(), tag.value.clone()));
        }
        let boundary = match operation {
            O::CreateUser | O::CreateRole | O::PutUserPermissionsBoundary | O::PutRolePermissionsBoundary => {
                self.form.get("PermissionsBoundary").map(str::to_owned)
            }
            _ => held,
        };
        keys.extend(boundary.map(|arn| ("iam:PermissionsBoundary".into(), arn)));
        keys
    }

    /// The tags and the boundary of what the request is about, if it is there.
    fn held(&self, subject: Subject, snapshot: &Snapshot) -> (Vec<Tag>, Option<String>) {
        let named = subject.field().and_then(|field| self.form.get(field));
        let user = |name: &str| snapshot.users.get(name).map(|user| &user.value);
        let user = match subject {
            Subject::User => self.user_name().ok().and_then(|name| user(&name)),
            Subject::KeyOwner => named.and_then(|id| snapshot.key(id)).and_then(|key| user(&key.user)),
            _ => None,
        };
        if let Some(user) = user {
            return (user.tags.clone(), user.boundary.clone());
        }
        match subject {
            Subject::Role => {
                let role = named.and_then(|name| snapshot.roles.get(name)).map(|role| &role.value);
                role.map(|role| (role.tags.clone(), role.boundary.clone())).unwrap_or_default()
            }
            Subject::Policy => {
                let policy = named.and_then(|arn| snapshot.policy(self.account(), arn));
                policy.map(|policy| (policy.value.tags.clone(), None)).unwrap_or_default()
            }
            Subject::Provider => {
                let url = named.and_then(OidcProvider::url_of_arn);
                let provider = url.and_then(|url| snapshot.providers.get(url));
                provider.map(|provider| (provider.value.tags.clone(), None)).unwrap_or_default()
            }
            Subject::Account
            | Subject::User
            | Subject::KeyOwner
            | Subject::Group
            | Subject::NewUser
            | Subject::NewGroup
            | Subject::NewRole
            | Subject::NewPolicy
            | Subject::NewProvider => (Vec::new(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of AWS's operations say what they are about; those that do not are listed.
    #[test]
    fn every_operation_is_about_what_its_name_says() {
        for &operation in Operation::ALL {
            let name = operation.name();
            let said = match Subject::of(operation) {
                Subject::Account => name.ends_with('s') || name == "GetAccountSummary",
                Subject::KeyOwner => name == "GetAccessKeyLastUsed",
                Subject::Group => name.contains("Group") && name != "ListGroupsForUser",
                Subject::Role => name.contains("Role"),
                Subject::Policy => {
                    name.contains("Polic")
                        && !["User", "Group", "Role"].iter().any(|kind| name.contains(kind))
                }
                Subject::User => {
                    !["Role", "ToGroup", "FromGroup", "Provider"].iter().any(|other| name.contains(other))
                }
                Subject::NewUser => name == "CreateUser",
                Subject::NewGroup => name == "CreateGroup",
                Subject::NewRole => name == "CreateRole",
                Subject::NewPolicy => name == "CreatePolicy",
                Subject::Provider => name.contains("OpenIDConnectProvider"),
                Subject::NewProvider => name == "CreateOpenIDConnectProvider",
            };
            assert!(said, "{name} is about {:?}", Subject::of(operation));
        }
    }
}
