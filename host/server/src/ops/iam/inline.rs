//! Policies of users, groups and roles: those written into them, and those attached to them.

use pawl_api::query::{encoded, rule, text};
use pawl_core::identity::Holder;

use super::Answer;
use super::holder::{edit, policies};
use super::managed::attachable;
use super::page::{names, page};
use super::request::IamRequest;

const fn name_of(holder: Holder) -> &'static str {
    match holder {
        Holder::User => "UserName",
        Holder::Group => "GroupName",
        Holder::Role => "RoleName",
    }
}

/// `PutUserPolicy`, `PutGroupPolicy`, `PutRolePolicy`
pub(super) async fn put(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    let name = request.form.required("PolicyName", &rule::POLICY_NAME)?;
    let document = request.document()?;
    request
        .change(|snapshot| {
            let change = edit(snapshot, holder, &of, |held| held.put(holder, &of, name, document))?;
            Ok((vec![change], ()))
        })
        .await?;
    Ok(None)
}

/// `GetUserPolicy`, `GetGroupPolicy`, `GetRolePolicy`
pub(super) fn get(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    let name = request.form.required("PolicyName", &rule::POLICY_NAME)?;
    let snapshot = request.host.directory.snapshot();
    let document = policies(&snapshot, holder, &of)?.text(holder, name).map_err(super::Failure::from)?;
    Ok(Some(vec![text(name_of(holder), &of), text("PolicyName", name), encoded("PolicyDocument", document)]))
}

/// `ListUserPolicies`, `ListGroupPolicies`, `ListRolePolicies`
pub(super) fn list(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    let snapshot = request.host.directory.snapshot();
    let held = policies(&snapshot, holder, &of)?.inline.keys().cloned();
    names(request, "PolicyNames", held).map(Some)
}

/// `DeleteUserPolicy`, `DeleteGroupPolicy`, `DeleteRolePolicy`
pub(super) async fn delete(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    let name = request.form.required("PolicyName", &rule::POLICY_NAME)?;
    request
        .change(|snapshot| Ok((vec![edit(snapshot, holder, &of, |held| held.delete(holder, name))?], ())))
        .await?;
    Ok(None)
}

/// `AttachUserPolicy`, `AttachGroupPolicy`, `AttachRolePolicy`
pub(super) async fn attach(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let (of, arn) = (request.holder_name(holder)?, request.policy_arn()?);
    request
        .change(|snapshot| {
            let policy = attachable(request, snapshot, arn)?;
            let change = edit(snapshot, holder, &of, |held| held.attach(holder, arn))?;
            Ok(([change].into_iter().chain(policy).collect(), ()))
        })
        .await?;
    Ok(None)
}

/// `DetachUserPolicy`, `DetachGroupPolicy`, `DetachRolePolicy`
pub(super) async fn detach(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let (of, arn) = (request.holder_name(holder)?, request.policy_arn()?);
    request.change(|snapshot| Ok((vec![edit(snapshot, holder, &of, |held| held.detach(arn))?], ()))).await?;
    Ok(None)
}

/// `ListAttachedUserPolicies`, `ListAttachedGroupPolicies`, `ListAttachedRolePolicies`
pub(super) fn attached(request: &IamRequest<'_>, holder: Holder) -> Answer {
    let of = request.holder_name(holder)?;
    // A path here is that of the policies.
    let prefix = request.form.text("PathPrefix", &rule::PATH_PREFIX)?.unwrap_or("/");
    let snapshot = request.host.directory.snapshot();
    let held = policies(&snapshot, holder, &of)?.attached.iter();
    let within = |arn: &&String| arn.split_once(":policy").is_some_and(|(_, path)| path.starts_with(prefix));
    let items = held.filter(within).map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        (arn.clone(), vec![text("PolicyName", name), text("PolicyArn", arn)])
    });
    page(request, "AttachedPolicies", items).map(Some)
}
