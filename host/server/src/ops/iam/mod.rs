//! One function per operation of IAM: a form in, parts of an answer out.

mod boundary;
mod group;
mod holder;
mod inline;
mod key;
mod managed;
mod membership;
mod page;
mod provider;
mod request;
mod role;
mod shown;
mod subject;
mod tag;
mod user;
mod version;

use pawl_api::error::ApiError;
use pawl_api::iam::Operation;
use pawl_api::query::{Form, Node};
use pawl_core::identity::Holder::{Group, Role, User};

use self::request::{Failure, IamRequest};
pub(crate) use self::shown::moment;
use self::tag::Tagged;
use crate::host::Host;
use crate::identity::Caller;

/// What an operation answers: nothing at all, or the parts of its result.
pub(crate) type Answer = Result<Option<Vec<Node>>, ApiError>;

/// Does what the form asks for.
///
/// # Errors
/// What AWS would answer.
#[expect(clippy::too_many_lines, reason = "a table of all operations")]
pub(crate) async fn perform(host: &Host, caller: &Caller, operation: Operation, form: &Form) -> Answer {
    use Operation as O;
    let request = &IamRequest { host, caller, operation, form };
    request.must_be_let()?;
    match operation {
        O::CreateUser => user::create(request).await,
        O::GetUser => user::get(request),
        O::ListUsers => user::list(request),
        O::UpdateUser => user::update(request).await,
        O::DeleteUser => user::delete(request).await,
        O::CreateAccessKey => key::create(request).await,
        O::ListAccessKeys => key::list(request),
        O::UpdateAccessKey => key::update(request).await,
        O::DeleteAccessKey => key::delete(request).await,
        O::GetAccessKeyLastUsed => key::last_used(request).await,
        O::CreateGroup => group::create(request).await,
        O::GetGroup => group::get(request),
        O::ListGroups => group::list(request),
        O::UpdateGroup => group::update(request).await,
        O::DeleteGroup => group::delete(request).await,
        O::AddUserToGroup => membership::add(request).await,
        O::RemoveUserFromGroup => membership::remove(request).await,
        O::ListGroupsForUser => membership::list(request),
        O::CreateRole => role::create(request).await,
        O::GetRole => role::get(request),
        O::ListRoles => role::list(request),
        O::UpdateRole => role::update(request).await,
        O::UpdateRoleDescription => role::describe(request).await,
        O::DeleteRole => role::delete(request).await,
        O::UpdateAssumeRolePolicy => role::trust(request).await,
        O::CreatePolicy => managed::create(request).await,
        O::GetPolicy => managed::get(request),
        O::ListPolicies => managed::list(request),
        O::DeletePolicy => managed::delete(request).await,
        O::ListEntitiesForPolicy => managed::entities(request),
        O::GetAccountSummary => managed::summary(request),
        O::CreatePolicyVersion => version::create(request).await,
        O::GetPolicyVersion => version::get(request),
        O::ListPolicyVersions => version::list(request),
        O::DeletePolicyVersion => version::delete(request).await,
        O::SetDefaultPolicyVersion => version::set_default(request).await,
        O::PutUserPolicy => inline::put(request, User).await,
        O::PutGroupPolicy => inline::put(request, Group).await,
        O::PutRolePolicy => inline::put(request, Role).await,
        O::GetUserPolicy => inline::get(request, User),
        O::GetGroupPolicy => inline::get(request, Group),
        O::GetRolePolicy => inline::get(request, Role),
        O::ListUserPolicies => inline::list(request, User),
        O::ListGroupPolicies => inline::list(request, Group),
        O::ListRolePolicies => inline::list(request, Role),
        O::DeleteUserPolicy => inline::delete(request, User).await,
        O::DeleteGroupPolicy => inline::delete(request, Group).await,
        O::DeleteRolePolicy => inline::delete(request, Role).await,
        O::AttachUserPolicy => inline::attach(request, User).await,
        O::AttachGroupPolicy => inline::attach(request, Group).await,
        O::AttachRolePolicy => inline::attach(request, Role).await,
        O::DetachUserPolicy => inline::detach(request, User).await,
        O::DetachGroupPolicy => inline::detach(request, Group).await,
        O::DetachRolePolicy => inline::detach(request, Role).await,
        O::ListAttachedUserPolicies => inline::attached(request, User),
        O::ListAttachedGroupPolicies => inline::attached(request, Group),
        O::ListAttachedRolePolicies => inline::attached(request, Role),
        O::PutUserPermissionsBoundary => boundary::put(request, User).await,
        O::PutRolePermissionsBoundary => boundary::put(request, Role).await,
        O::DeleteUserPermissionsBoundary => boundary::delete(request, User).await,
        O::DeleteRolePermissionsBoundary => boundary::delete(request, Role).await,
        O::TagUser => tag::put(request, Tagged::User).await,
        O::TagRole => tag::put(request, Tagged::Role).await,
        O::TagPolicy => tag::put(request, Tagged::Policy).await,
        O::UntagUser => tag::take(request, Tagged::User).await,
        O::UntagRole => tag::take(request, Tagged::Role).await,
        O::UntagPolicy => tag::take(request, Tagged::Policy).await,
        O::ListUserTags => tag::list(request, Tagged::User),
        O::ListRoleTags => tag::list(request, Tagged::Role),
        O::ListPolicyTags => tag::list(request, Tagged::Policy),
        O::CreateOpenIDConnectProvider => provider::create(request).await,
        O::GetOpenIDConnectProvider => provider::get(request),
        O::ListOpenIDConnectProviders => provider::list(request),
        O::DeleteOpenIDConnectProvider => provider::delete(request).await,
        O::UpdateOpenIDConnectProviderThumbprint => provider::thumbprints(request).await,
        O::AddClientIDToOpenIDConnectProvider => provider::add_client_id(request).await,
        O::RemoveClientIDFromOpenIDConnectProvider => provider::remove_client_id(request).await,
        O::TagOpenIDConnectProvider => provider::tag(request).await,
        O::UntagOpenIDConnectProvider => provider::untag(request).await,
        O::ListOpenIDConnectProviderTags => provider::tags(request),
        O::ListAccountAliases => page::nothing("AccountAliases"),
        O::ListInstanceProfilesForRole => role::nothing(request, "InstanceProfiles"),
        O::ListSigningCertificates => user::nothing(request, "Certificates"),
        O::ListSSHPublicKeys => user::nothing(request, "SSHPublicKeys"),
        O::ListServiceSpecificCredentials => user::nothing(request, "ServiceSpecificCredentials"),
        O::ListMFADevices => user::nothing(request, "MFADevices"),
        O::GetLoginProfile => user::no_login(request),
    }
}
