//! Tags of users, roles and policies.

use pawl_core::identity::{IdentityError, ManagedPolicy, Role, User, put_tags, take_tags};
use pawl_core::secret::Tag;

use super::page::page;
use super::request::{Failure, IamRequest, changed};
use super::{Answer, managed, role, user};

type Edit<'e> = dyn Fn(&mut Vec<Tag>) -> Result<(), IdentityError> + Send + Sync + 'e;

async fn edit(request: &IamRequest<'_>, edit: &Edit<'_>) -> Answer {
    let form = request.form;
    request
        .change(|snapshot| {
            let change = if form.get("UserName").is_some() {
                let held = user::find(snapshot, &request.user_name()?)?;
                let mut user = User::clone(&held.value);
                edit(&mut user.tags)?;
                changed(held, &user)?
            } else if form.get("RoleName").is_some() {
                let held = role::find(snapshot, request.role_name()?)?;
                let mut role = Role::clone(&held.value);
                edit(&mut role.tags)?;
                changed(held, &role)?
            } else {
                let held = managed::find(request, snapshot, request.policy_arn()?)?;
                let mut policy = ManagedPolicy::clone(&held.value);
                edit(&mut policy.tags)?;
                changed(held, &policy)?
            };
            Ok((vec![change], ()))
        })
        .await?;
    Ok(None)
}

/// `TagUser`, `TagRole`, `TagPolicy`
pub(super) async fn put(request: &IamRequest<'_>) -> Answer {
    let tags = request.tags()?;
    edit(request, &|held| put_tags(held, &tags, "TagsPerEntity")).await
}

/// `UntagUser`, `UntagRole`, `UntagPolicy`
pub(super) async fn take(request: &IamRequest<'_>) -> Answer {
    let keys = request.form.list("TagKeys");
    edit(request, &|held| {
        take_tags(held, &keys);
        Ok(())
    })
    .await
}

/// `ListUserTags`, `ListRoleTags`, `ListPolicyTags`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    use pawl_api::query::text;
    let snapshot = request.host.directory.snapshot();
    let tags = || -> Result<Vec<Tag>, Failure> {
        Ok(if request.form.get("UserName").is_some() {
            user::find(&snapshot, &request.user_name()?)?.value.tags.clone()
        } else if request.form.get("RoleName").is_some() {
            role::find(&snapshot, request.role_name()?)?.value.tags.clone()
        } else {
            managed::find(request, &snapshot, request.policy_arn()?)?.value.tags.clone()
        })
    };
    let mut tags = tags()?;
    tags.sort_by(|one, other| one.key.cmp(&other.key));
    let items = tags.into_iter().map(|tag| {
        let nodes = vec![text("Key", &tag.key), text("Value", &tag.value)];
        (tag.key, nodes)
    });
    page(request, "Tags", items).map(Some)
}
