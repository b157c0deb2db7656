//! Boundaries of users and roles: what none of their policies goes beyond.

use pawl_api::error::ErrorCode;
use pawl_api::query::rule;
use pawl_core::identity::Holder;

use super::holder::bound;
use super::managed::attachable;
use super::request::{IamRequest, refuse};
use super::{Answer, role, user};

/// `PutUserPermissionsBoundary`, `PutRolePermissionsBoundary`
pub(super) async fn put(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    let arn = request.form.required("PermissionsBoundary", &rule::ARN)?;
    request
        .change(|snapshot| {
            let policy = attachable(request, snapshot, arn)?;
            let change = bound(snapshot, holder, &of, Some(arn))?;
            Ok(([change].into_iter().chain(policy).collect(), ()))
        })
        .await?;
    Ok(None)
}

/// `DeleteUserPermissionsBoundary`, `DeleteRolePermissionsBoundary`
pub(super) async fn delete(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    request
        .change(|snapshot| {
            let held = match holder {
                Holder::Role => &role::find(snapshot, &of)?.value.boundary,
                Holder::User | Holder::Group => &user::find(snapshot, &of)?.value.boundary,
            };
            if held.is_none() {
                let message = format!("No permissions boundary is set on the {} {of}.", holder.as_str());
                return Err(refuse(ErrorCode::NoSuchEntity, message));
            }
            Ok((vec![bound(snapshot, holder, &of, None)?], ()))
        })
        .await?;
    Ok(None)
}
