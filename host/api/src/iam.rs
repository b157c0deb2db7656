//! AWS Identity and Access Management: the operations that are served.

use crate::query::query_operations;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "iam";
/// The region in that scope, whatever the region of the host: what IAM keeps is the account's.
pub const SIGNING_REGION: &str = "us-east-1";
/// The namespace of its answers.
pub const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// The version of its API.
pub const VERSION: &str = "2010-05-08";

query_operations! {
    "iam",
    /// The operation of this name.
    CreateUser;
    /// The operation of this name.
    GetUser;
    /// The operation of this name.
    ListUsers;
    /// The operation of this name.
    UpdateUser;
    /// The operation of this name.
    DeleteUser;
    /// The operation of this name.
    TagUser;
    /// The operation of this name.
    UntagUser;
    /// The operation of this name.
    ListUserTags;
    /// The operation of this name.
    CreateAccessKey;
    /// The operation of this name.
    ListAccessKeys;
    /// The operation of this name.
    UpdateAccessKey;
    /// The operation of this name.
    DeleteAccessKey;
    /// The operation of this name.
    GetAccessKeyLastUsed;
    /// The operation of this name.
    PutUserPolicy;
    /// The operation of this name.
    GetUserPolicy;
    /// The operation of this name.
    ListUserPolicies;
    /// The operation of this name.
    DeleteUserPolicy;
    /// The operation of this name.
    AttachUserPolicy;
    /// The operation of this name.
    DetachUserPolicy;
    /// The operation of this name.
    ListAttachedUserPolicies;
    /// The operation of this name.
    PutUserPermissionsBoundary;
    /// The operation of this name.
    DeleteUserPermissionsBoundary;
    /// The operation of this name.
    CreateGroup;
    /// The operation of this name.
    GetGroup;
    /// The operation of this name.
    ListGroups;
    /// The operation of this name.
    UpdateGroup;
    /// The operation of this name.
    DeleteGroup;
    /// The operation of this name.
    AddUserToGroup;
    /// The operation of this name.
    RemoveUserFromGroup;
    /// The operation of this name.
    ListGroupsForUser;
    /// The operation of this name.
    PutGroupPolicy;
    /// The operation of this name.
    GetGroupPolicy;
    /// The operation of this name.
    ListGroupPolicies;
    /// The operation of this name.
    DeleteGroupPolicy;
    /// The operation of this name.
    AttachGroupPolicy;
    /// The operation of this name.
    DetachGroupPolicy;
    /// The operation of this name.
    ListAttachedGroupPolicies;
    /// The operation of this name.
    CreateRole;
    /// The operation of this name.
    GetRole;
    /// The operation of this name.
    ListRoles;
    /// The operation of this name.
    UpdateRole;
    /// The operation of this name.
    UpdateRoleDescription;
    /// The operation of this name.
    DeleteRole;
    /// The operation of this name.
    UpdateAssumeRolePolicy;
    /// The operation of this name.
    TagRole;
    /// The operation of this name.
    UntagRole;
    /// The operation of this name.
    ListRoleTags;
    /// The operation of this name.
    PutRolePolicy;
    /// The operation of this name.
    GetRolePolicy;
    /// The operation of this name.
    ListRolePolicies;
    /// The operation of this name.
    DeleteRolePolicy;
    /// The operation of this name.
    AttachRolePolicy;
    /// The operation of this name.
    DetachRolePolicy;
    /// The operation of this name.
    ListAttachedRolePolicies;
    /// The operation of this name.
    PutRolePermissionsBoundary;
    /// The operation of this name.
    DeleteRolePermissionsBoundary;
    /// The operation of this name.
    CreatePolicy;
    /// The operation of this name.
    GetPolicy;
    /// The operation of this name.
    ListPolicies;
    /// The operation of this name.
    DeletePolicy;
    /// The operation of this name.
    CreatePolicyVersion;
    /// The operation of this name.
    GetPolicyVersion;
    /// The operation of this name.
    ListPolicyVersions;
    /// The operation of this name.
    DeletePolicyVersion;
    /// The operation of this name.
    SetDefaultPolicyVersion;
    /// The operation of this name.
    TagPolicy;
    /// The operation of this name.
    UntagPolicy;
    /// The operation of this name.
    ListPolicyTags;
    /// The operation of this name.
    CreateOpenIDConnectProvider;
    /// The operation of this name.
    GetOpenIDConnectProvider;
    /// The operation of this name.
    ListOpenIDConnectProviders;
    /// The operation of this name.
    DeleteOpenIDConnectProvider;
    /// The operation of this name.
    UpdateOpenIDConnectProviderThumbprint;
    /// The operation of this name.
    AddClientIDToOpenIDConnectProvider;
    /// The operation of this name.
    RemoveClientIDFromOpenIDConnectProvider;
    /// The operation of this name.
    TagOpenIDConnectProvider;
    /// The operation of this name.
    UntagOpenIDConnectProvider;
    /// The operation of this name.
    ListOpenIDConnectProviderTags;
    /// The operation of this name.
    ListEntitiesForPolicy;
    /// The operation of this name.
    GetAccountSummary;
    /// The operation of this name.
    ListAccountAliases;
    /// The operation of this name.
    ListInstanceProfilesForRole;
    /// The operation of this name.
    ListSigningCertificates;
    /// The operation of this name.
    ListSSHPublicKeys;
    /// The operation of this name.
    ListServiceSpecificCredentials;
    /// The operation of this name.
    ListMFADevices;
    /// The operation of this name.
    GetLoginProfile;
}
