//! Who is in which group.

use pawl_api::query::rule;
use pawl_core::identity::User;

use super::page::page;
use super::request::{IamRequest, changed, held, missing};
use super::{Answer, group, shown, user};

/// `AddUserToGroup`
pub(super) async fn add(request: &IamRequest<'_>) -> Answer {
    let group = request.group_name()?;
    let name = request.form.required("UserName", &rule::EXISTING_USER)?;
    request
        .change(|snapshot| {
            let of = group::find(snapshot, group)?;
            let before = user::find(snapshot, name)?;
            let mut user = User::clone(&before.value);
            user.join(group)?;
            Ok((vec![changed(before, &user)?, held(of)?], ()))
        })
        .await?;
    Ok(None)
}

/// `RemoveUserFromGroup`
pub(super) async fn remove(request: &IamRequest<'_>) -> Answer {
    let group = request.group_name()?;
    let name = request.form.required("UserName", &rule::EXISTING_USER)?;
    request
        .change(|snapshot| {
            group::find(snapshot, group)?;
            let before = user::find(snapshot, name)?;
            let mut user = User::clone(&before.value);
            if !user.groups.remove(group) {
                return Err(missing("user", name));
            }
            Ok((vec![changed(before, &user)?], ()))
        })
        .await?;
    Ok(None)
}

/// `ListGroupsForUser`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let name = request.form.required("UserName", &rule::EXISTING_USER)?;
    let snapshot = request.host.directory.snapshot();
    let user = user::find(&snapshot, name)?;
    let groups = user.value.groups.iter().filter_map(|group| snapshot.groups.get(group));
    let account = request.account();
    let items = groups.map(|group| (group.value.name.clone(), shown::of_group(account, &group.value)));
    page(request, "Groups", items).map(Some)
}
