//! Tags of users, roles and policies.

use pawl_api::ApiError;
use pawl_api::query::rule;
use pawl_core::identity::{IdentityError, ManagedPolicy, Role, User, put_tags, take_tags};
use pawl_core::secret::Tag;

use super::page::page;
use super::request::{Failure, IamRequest, changed};
use super::{Answer, managed, role, user};

type Edit<'e> = dyn Fn(&mut Vec<Tag>) -> Result<(), IdentityError> + Send + Sync + 'e;

/// What is tagged: the operation says it, and no parameter does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tagged {
    User,
    Role,
    Policy,
}

fn user_name<'a>(request: &IamRequest<'a>) -> Result<&'a str, ApiError> {
    request.form.required("UserName", &rule::EXISTING_USER)
}

async fn edit(request: &IamRequest<'_>, of: Tagged, edit: &Edit<'_>) -> Answer {
    request
        .change(|snapshot| {
            let change = match of {
                Tagged::User => {
                    let held = user::find(snapshot, user_name(request)?)?;
                    let mut user = User::clone(&held.value);
                    edit(&mut user.tags)?;
                    changed(held, &user)?
                }
                Tagged::Role => {
                    let held = role::find(snapshot, request.role_name()?)?;
                    let mut role = Role::clone(&held.value);
                    edit(&mut role.tags)?;
                    changed(held, &role)?
                }
                Tagged::Policy => {
                    let held = managed::find(request, snapshot, request.policy_arn()?)?;
                    let mut policy = ManagedPolicy::clone(&held.value);
                    edit(&mut policy.tags)?;
                    changed(held, &policy)?
                }
            };
            Ok((vec![change], ()))
        })
        .await?;
    Ok(None)
}

/// `TagUser`, `TagRole`, `TagPolicy`
pub(super) async fn put(request: &IamRequest<'_>, of: Tagged) -> Answer {
    let tags = request.tags()?;
    edit(request, of, &|held| put_tags(held, &tags, "TagsPerEntity")).await
}

/// `UntagUser`, `UntagRole`, `UntagPolicy`
pub(super) async fn take(request: &IamRequest<'_>, of: Tagged) -> Answer {
    let keys = request.form.list("TagKeys");
    edit(request, of, &|held| {
        take_tags(held, &keys);
        Ok(())
    })
    .await
}

/// `ListUserTags`, `ListRoleTags`, `ListPolicyTags`
pub(super) fn list(request: &IamRequest<'_>, of: Tagged) -> Answer {
    use pawl_api::query::text;
    let snapshot = request.host.directory.snapshot();
    let tags = || -> Result<Vec<Tag>, Failure> {
        Ok(match of {
            Tagged::User => user::find(&snapshot, user_name(request)?)?.value.tags.clone(),
            Tagged::Role => role::find(&snapshot, request.role_name()?)?.value.tags.clone(),
            Tagged::Policy => managed::find(request, &snapshot, request.policy_arn()?)?.value.tags.clone(),
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
