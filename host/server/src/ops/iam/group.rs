//! Groups.

use pawl_api::error::ErrorCode;
use pawl_api::query::{group as node, rule};
use pawl_core::identity::{Group, IdentityError, User};
use pawl_core::limits;

use super::managed::must_be_few;
use super::page::page;
use super::request::{Failure, IamRequest, changed, deleted, made, missing, refuse};
use super::{Answer, shown};
use crate::identity::{Kept, Snapshot};

/// The group of this name.
pub(super) fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s Kept<Group>, Failure> {
    snapshot.groups.get(name).ok_or_else(|| missing("group", name))
}

/// Who is in a group.
pub(super) fn members<'s>(snapshot: &'s Snapshot, group: &'s str) -> impl Iterator<Item = &'s Kept<User>> {
    snapshot.users.values().filter(move |user| user.value.groups.contains(group))
}

fn must_be_free(snapshot: &Snapshot, name: &str) -> Result<(), Failure> {
    if snapshot.groups.keys().any(|held| held.eq_ignore_ascii_case(name)) {
        let message = format!("Group with name {name} already exists.");
        return Err(refuse(ErrorCode::EntityAlreadyExists, message));
    }
    Ok(())
}

/// `CreateGroup`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let (name, path) = (request.group_name()?, request.path()?);
    let group = request
        .change(|snapshot| {
            must_be_free(snapshot, name)?;
            must_be_few(snapshot.groups.len(), limits::GROUPS_MAX, "GroupsPerAccount")?;
            let group = Group::new(name, path, request.now(), &**request.host.app.rng());
            Ok((vec![made(&group)?], group))
        })
        .await?;
    Ok(Some(vec![node("Group", shown::of_group(request.account(), &group))]))
}

/// `GetGroup`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let (snapshot, name) = (request.host.directory.snapshot(), request.group_name()?);
    let group = find(&snapshot, name)?;
    let account = request.account();
    let users = members(&snapshot, name)
        .map(|user| (user.value.name.clone(), shown::user(account, &user.value, false)));
    let mut nodes = page(request, "Users", users)?;
    nodes.insert(0, node("Group", shown::of_group(account, &group.value)));
    Ok(Some(nodes))
}

/// `ListGroups`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let prefix = request.form.text("PathPrefix", &rule::PATH_PREFIX)?.unwrap_or("/");
    let snapshot = request.host.directory.snapshot();
    let groups = snapshot.groups.values().map(|group| &group.value);
    let groups = groups.filter(|group| group.path.starts_with(prefix));
    let account = request.account();
    page(request, "Groups", groups.map(|group| (group.name.clone(), shown::of_group(account, group))))
        .map(Some)
}

/// `UpdateGroup`
pub(super) async fn update(request: &IamRequest<'_>) -> Answer {
    let name = request.group_name()?;
    let new = request.form.text("NewGroupName", &rule::GROUP_NAME)?.filter(|new| *new != name);
    let path = request.form.text("NewPath", &rule::PATH)?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            let mut group = Group::clone(&held.value);
            if let Some(path) = path {
                path.clone_into(&mut group.path);
            }
            let Some(new) = new else { return Ok((vec![changed(held, &group)?], ())) };
            if !new.eq_ignore_ascii_case(name) {
                must_be_free(snapshot, new)?;
            }
            new.clone_into(&mut group.name);
            let mut changes = vec![deleted(held), made(&group)?];
            for member in members(snapshot, name) {
                let mut user = User::clone(&member.value);
                user.groups.remove(name);
                user.groups.insert(new.to_owned());
                changes.push(changed(member, &user)?);
            }
            Ok((changes, ()))
        })
        .await?;
    Ok(None)
}

/// `DeleteGroup`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let name = request.group_name()?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            if members(snapshot, name).next().is_some() {
                return Err(IdentityError::InUse("remove users from group").into());
            }
            held.value.policies.must_be_none()?;
            Ok((vec![deleted(held)], ()))
        })
        .await?;
    Ok(None)
}
