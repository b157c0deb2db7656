//! Managed policies: the account's, and those that are there from the beginning.

use pawl_api::error::ErrorCode;
use pawl_api::query::{Node, flag, group, list as list_of, rule, text};
use pawl_core::identity::{BUILT_IN, IdentityError, ManagedPolicy, Policies, arn, put_tags};
use pawl_core::limits;
use pawl_store::EntityChange;

use super::page::page;
use super::request::{Failure, IamRequest, deleted, held, made, refuse};
use super::shown::Uses;
use super::{Answer, shown};
use crate::identity::{Kept, Snapshot};

/// Refuses one more of what there may be so many of.
pub(super) fn must_be_few(there: usize, most: usize, what: &'static str) -> Result<(), Failure> {
    if there < most { Ok(()) } else { Err(IdentityError::Quota { what, most }.into()) }
}

fn is_built_in(arn: &str) -> bool {
    BUILT_IN.iter().any(|policy| policy.arn() == arn)
}

/// The account's policy of this ARN.
pub(super) fn find<'s>(
    request: &IamRequest<'_>,
    snapshot: &'s Snapshot,
    arn: &str,
) -> Result<&'s Kept<ManagedPolicy>, Failure> {
    let found = snapshot.policy(request.account(), arn);
    found.ok_or_else(|| match is_built_in(arn) {
        true => refuse(
            ErrorCode::AccessDeniedException,
            format!("Policy {arn} is AWS's own and cannot be changed."),
        ),
        false => refuse(ErrorCode::NoSuchEntity, format!("Policy {arn} was not found.")),
    })
}

/// What keeps a policy from being deleted while it is attached; nothing for one that is there from the beginning.
pub(super) fn attachable(
    request: &IamRequest<'_>,
    snapshot: &Snapshot,
    arn: &str,
) -> Result<Option<EntityChange>, Failure> {
    if is_built_in(arn) {
        return Ok(None);
    }
    let message = || format!("Policy {arn} does not exist or is not attachable.");
    let policy = snapshot.policy(request.account(), arn);
    held(policy.ok_or_else(|| refuse(ErrorCode::NoSuchEntity, message()))?).map(Some)
}

/// How often a policy is used.
fn uses(snapshot: &Snapshot, arn: &str) -> Uses {
    let has = |policies: &Policies| policies.attached.contains(arn);
    let users = snapshot.users.values().filter(|user| has(&user.value.policies)).count();
    let groups = snapshot.groups.values().filter(|group| has(&group.value.policies)).count();
    let roles = snapshot.roles.values().filter(|role| has(&role.value.policies)).count();
    let bound = |boundary: &Option<String>| boundary.as_deref() == Some(arn);
    let bound_users = snapshot.users.values().filter(|user| bound(&user.value.boundary)).count();
    let bound_roles = snapshot.roles.values().filter(|role| bound(&role.value.boundary)).count();
    (users + groups + roles, bound_users + bound_roles)
}

/// `CreatePolicy`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let name = request.form.required("PolicyName", &rule::POLICY_NAME)?;
    let path = request.form.text("Path", &rule::POLICY_PATH)?.unwrap_or("/");
    let description = request.form.text("Description", &rule::POLICY_DESCRIPTION)?;
    let (document, tags) = (request.document()?, request.tags()?);
    let policy = request
        .change(|snapshot| {
            if snapshot.policies.keys().any(|held| held.eq_ignore_ascii_case(name)) {
                let message =
                    format!("A policy called {name} already exists. Duplicate names are not allowed.");
                return Err(refuse(ErrorCode::EntityAlreadyExists, message));
            }
            must_be_few(snapshot.policies.len(), limits::POLICIES_MAX, "PoliciesPerAccount")?;
            let rng = &**request.host.app.rng();
            let mut policy = ManagedPolicy::new(name, path, document, request.now(), rng)?;
            put_tags(&mut policy.tags, &tags, "TagsPerPolicy")?;
            policy.description = description.filter(|text| !text.is_empty()).map(str::to_owned);
            Ok((vec![made(&policy)?], policy))
        })
        .await?;
    Ok(Some(vec![group("Policy", shown::policy(request.account(), &policy, (0, 0), true))]))
}

/// `GetPolicy`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let (arn, snapshot) = (request.policy_arn()?, request.host.directory.snapshot());
    let uses = uses(&snapshot, arn);
    let nodes = match BUILT_IN.iter().find(|policy| policy.arn() == arn) {
        Some(policy) => shown::built_in(policy, uses, true),
        None => shown::policy(request.account(), &find(request, &snapshot, arn)?.value, uses, true),
    };
    Ok(Some(vec![group("Policy", nodes)]))
}

/// `ListPolicies`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let scope = request.form.choice("Scope", &["All", "AWS", "Local"])?.unwrap_or("All");
    let only_attached = request.form.flag("OnlyAttached")?.unwrap_or(false);
    let as_what = request.form.choice("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"])?;
    let prefix = request.form.text("PathPrefix", &rule::PATH_PREFIX)?.unwrap_or("/");
    let (account, snapshot) = (request.account(), request.host.directory.snapshot());
    let used = |(attached, bound): Uses| match as_what {
        Some("PermissionsPolicy") => attached > 0,
        Some(_) => bound > 0,
        None => !only_attached || attached > 0,
    };
    let mut items: Vec<(String, Vec<Node>)> = Vec::new();
    if scope != "AWS" {
        for policy in snapshot.policies.values().map(|policy| &policy.value) {
            let arn = arn(account, "policy", &policy.path, &policy.name);
            let uses = uses(&snapshot, &arn);
            if policy.path.starts_with(prefix) && used(uses) {
                items.push((arn, shown::policy(account, policy, uses, false)));
            }
        }
    }
    if scope != "Local" {
        for policy in BUILT_IN {
            let uses = uses(&snapshot, &policy.arn());
            if policy.path.starts_with(prefix) && used(uses) {
                items.push((policy.arn(), shown::built_in(policy, uses, false)));
            }
        }
    }
    items.sort_by(|one, other| one.0.cmp(&other.0));
    page(request, "Policies", items).map(Some)
}

/// `DeletePolicy`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let arn = request.policy_arn()?;
    request
        .change(|snapshot| {
            let policy = find(request, snapshot, arn)?;
            let conflict = |message: &str| Err(refuse(ErrorCode::DeleteConflict, message));
            if uses(snapshot, arn) != (0, 0) {
                return conflict("Cannot delete a policy attached to entities.");
            }
            if policy.value.versions.len() > 1 {
                return conflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                     versions. The default version is deleted with the policy.",
                );
            }
            Ok((vec![deleted(policy)], ()))
        })
        .await?;
    Ok(None)
}

/// `ListEntitiesForPolicy`
pub(super) fn entities(request: &IamRequest<'_>) -> Answer {
    let (arn, snapshot) = (request.policy_arn()?, request.host.directory.snapshot());
    let kinds = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];
    let only = request.form.choice("EntityFilter", &kinds)?;
    let as_what = request.form.choice("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"])?;
    if !is_built_in(arn) {
        find(request, &snapshot, arn)?;
    }
    let wants = |kind| only.is_none_or(|only| only == kind);
    let has = |policies: &Policies, boundary: Option<&String>| {
        let attached = as_what != Some("PermissionsBoundary") && policies.attached.contains(arn);
        attached || as_what != Some("PermissionsPolicy") && boundary.is_some_and(|held| held == arn)
    };
    let users = snapshot.users.values().map(|user| &user.value);
    let users = users.filter(|user| wants("User") && has(&user.policies, user.boundary.as_ref()));
    let groups = snapshot.groups.values().map(|group| &group.value);
    let groups = groups.filter(|group| wants("Group") && has(&group.policies, None));
    let roles = snapshot.roles.values().map(|role| &role.value);
    let roles = roles.filter(|role| wants("Role") && has(&role.policies, role.boundary.as_ref()));
    Ok(Some(vec![
        list_of(
            "PolicyGroups",
            groups.map(|group| [text("GroupName", &group.name), text("GroupId", &group.id)]),
        ),
        list_of("PolicyUsers", users.map(|user| [text("UserName", &user.name), text("UserId", &user.id)])),
        list_of("PolicyRoles", roles.map(|role| [text("RoleName", &role.name), text("RoleId", &role.id)])),
        flag("IsTruncated", false),
    ]))
}

/// `GetAccountSummary`
pub(super) fn summary(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let versions = snapshot.policies.values().map(|policy| policy.value.versions.len()).sum();
    let figures = [
        ("Users", snapshot.users.len()),
        ("UsersQuota", limits::USERS_MAX),
        ("Groups", snapshot.groups.len()),
        ("GroupsQuota", limits::GROUPS_MAX),
        ("Roles", snapshot.roles.len()),
        ("RolesQuota", limits::ROLES_MAX),
        ("Policies", snapshot.policies.len()),
        ("PoliciesQuota", limits::POLICIES_MAX),
        ("PolicyVersionsInUse", versions),
        ("AccessKeysPerUserQuota", limits::USER_KEYS_MAX),
        ("GroupsPerUserQuota", limits::USER_GROUPS_MAX),
        ("AttachedPoliciesPerUserQuota", limits::ATTACHED_MAX),
        ("AttachedPoliciesPerGroupQuota", limits::ATTACHED_MAX),
        ("AttachedPoliciesPerRoleQuota", limits::ATTACHED_MAX),
        ("PolicySizeQuota", limits::MANAGED_POLICY_CHARS_MAX),
        ("VersionsPerPolicyQuota", limits::POLICY_VERSIONS_MAX),
        ("AccountAccessKeysPresent", 1),
        ("AccountMFAEnabled", 0),
    ];
    let entry = |(key, value): (&str, usize)| group("entry", [text("key", key), text("value", value)]);
    Ok(Some(vec![group("SummaryMap", figures.map(entry))]))
}
