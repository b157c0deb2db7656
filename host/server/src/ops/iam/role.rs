//! Roles.

use pawl_api::error::ErrorCode;
use pawl_api::query::{group, rule};
use pawl_core::identity::{Role, put_tags};
use pawl_core::limits;

use super::managed::{attachable, must_be_few};
use super::page::{nothing as no_list, page};
use super::request::{Failure, IamRequest, changed, deleted, made, missing, refuse};
use super::{Answer, shown};
use crate::identity::{Kept, Snapshot};

/// The role of this name.
pub(super) fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s Kept<Role>, Failure> {
    snapshot.roles.get(name).ok_or_else(|| missing("role", name))
}

fn seconds(request: &IamRequest<'_>) -> Result<Option<u32>, pawl_api::ApiError> {
    let (least, most) = (limits::ROLE_SESSION_SECONDS_MIN, limits::ROLE_SESSION_SECONDS_MAX);
    request.form.number("MaxSessionDuration", least, most)
}

/// `CreateRole`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let (name, path, tags) = (request.role_name()?, request.path()?, request.tags()?);
    let (trust, policy) = request.trust("AssumeRolePolicyDocument")?;
    let description = request.form.text("Description", &rule::ROLE_DESCRIPTION)?;
    let boundary = request.form.text("PermissionsBoundary", &rule::ARN)?;
    let seconds = seconds(request)?;
    let role = request
        .change(|snapshot| {
            if snapshot.roles.keys().any(|held| held.eq_ignore_ascii_case(name)) {
                let message = format!("Role with name {name} already exists.");
                return Err(refuse(ErrorCode::EntityAlreadyExists, message));
            }
            must_be_few(snapshot.roles.len(), limits::ROLES_MAX, "RolesPerAccount")?;
            let mut role = Role::new(name, path, trust, request.now(), &**request.host.app.rng())?;
            role.principals = snapshot.bind(request.account(), &policy);
            put_tags(&mut role.tags, &tags, "TagsPerRole")?;
            role.description = description.filter(|text| !text.is_empty()).map(str::to_owned);
            role.boundary = boundary.map(str::to_owned);
            role.session_seconds_max = seconds.unwrap_or(role.session_seconds_max);
            let mut changes = vec![made(&role)?];
            if let Some(boundary) = boundary {
                changes.extend(attachable(request, snapshot, boundary)?);
            }
            Ok((changes, role))
        })
        .await?;
    Ok(Some(vec![group(
        "Role",
        shown::role((request.account(), &request.host.directory.snapshot()), &role, true),
    )]))
}

/// `GetRole`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let role = find(&snapshot, request.role_name()?)?;
    Ok(Some(vec![group("Role", shown::role((request.account(), &snapshot), &role.value, true))]))
}

/// `ListRoles`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let prefix = request.form.text("PathPrefix", &rule::PATH_PREFIX)?.unwrap_or("/");
    let snapshot = request.host.directory.snapshot();
    let roles = snapshot.roles.values().map(|role| &role.value).filter(|role| role.path.starts_with(prefix));
    let of = (request.account(), &*snapshot);
    page(request, "Roles", roles.map(|role| (role.name.clone(), shown::role(of, role, false)))).map(Some)
}

async fn edit(
    request: &IamRequest<'_>,
    edit: impl Fn(&mut Role, &Snapshot) -> Result<(), Failure> + Send + Sync,
) -> Result<Role, pawl_api::ApiError> {
    let name = request.role_name()?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            let mut role = Role::clone(&held.value);
            edit(&mut role, snapshot)?;
            Ok((vec![changed(held, &role)?], role))
        })
        .await
}

/// `UpdateRole`
pub(super) async fn update(request: &IamRequest<'_>) -> Answer {
    let description = request.form.text("Description", &rule::ROLE_DESCRIPTION)?;
    // What is left out becomes what it was at first, as on AWS.
    let seconds = seconds(request)?.unwrap_or(limits::ROLE_SESSION_SECONDS_MIN);
    edit(request, |role, _| {
        role.description = description.filter(|text| !text.is_empty()).map(str::to_owned);
        role.session_seconds_max = seconds;
        Ok(())
    })
    .await?;
    Ok(Some(Vec::new()))
}

/// `UpdateRoleDescription`
pub(super) async fn describe(request: &IamRequest<'_>) -> Answer {
    let description = request.form.required("Description", &rule::ROLE_DESCRIPTION)?;
    let role = edit(request, |role, _| {
        role.description = Some(description).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(())
    });
    let role = role.await?;
    Ok(Some(vec![group(
        "Role",
        shown::role((request.account(), &request.host.directory.snapshot()), &role, true),
    )]))
}

/// `UpdateAssumeRolePolicy`
pub(super) async fn trust(request: &IamRequest<'_>) -> Answer {
    let (trust, policy) = request.trust("PolicyDocument")?;
    edit(request, |role, snapshot| {
        role.principals = snapshot.bind(request.account(), &policy);
        Ok(role.set_trust(trust)?)
    })
    .await?;
    Ok(None)
}

/// `DeleteRole`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let name = request.role_name()?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            held.value.policies.must_be_none()?;
            Ok((vec![deleted(held)], ()))
        })
        .await?;
    Ok(None)
}

/// A list that every role has, and that is always empty here.
pub(super) fn nothing(request: &IamRequest<'_>, name: &'static str) -> Answer {
    find(&request.host.directory.snapshot(), request.role_name()?)?;
    no_list(name)
}
