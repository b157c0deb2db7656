//! Users.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{Node, group, rule};
use pawl_core::identity::{User, put_tags};
use pawl_core::limits;

use super::managed::{attachable, must_be_few};
use super::page::{nothing as no_list, page};
use super::request::{Failure, IamRequest, changed, deleted, made, missing, refuse, resealed};
use super::{Answer, shown};
use crate::identity::{Kept, Snapshot};

/// The user of this name.
pub(super) fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Result<&'s Kept<User>, Failure> {
    snapshot.users.get(name).ok_or_else(|| missing("user", name))
}

/// A name that is not to be another's, whatever the case.
fn must_be_free(snapshot: &Snapshot, name: &str) -> Result<(), Failure> {
    if snapshot.users.keys().any(|held| held.eq_ignore_ascii_case(name)) {
        let message = format!("User with name {name} already exists.");
        return Err(refuse(ErrorCode::EntityAlreadyExists, message));
    }
    Ok(())
}

/// `CreateUser`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let name = request.form.required("UserName", &rule::USER_NAME)?;
    let (path, tags) = (request.path()?, request.tags()?);
    let boundary = request.form.text("PermissionsBoundary", &rule::ARN)?;
    let user = request
        .change(|snapshot| {
            must_be_free(snapshot, name)?;
            must_be_few(snapshot.users.len(), limits::USERS_MAX, "UsersPerAccount")?;
            let mut user = User::new(name, path, request.now(), &**request.host.app.rng());
            put_tags(&mut user.tags, &tags, "TagsPerUser")?;
            user.boundary = boundary.map(str::to_owned);
            let mut changes = vec![made(&user)?];
            if let Some(boundary) = boundary {
                changes.extend(attachable(request, snapshot, boundary)?);
            }
            Ok((changes, user))
        })
        .await?;
    Ok(Some(vec![group("User", shown::user(request.account(), &user, true))]))
}

/// `GetUser`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let nodes = if request.form.get("UserName").is_none() && request.caller.identity.is_none() {
        root(request)
    } else {
        shown::user(request.account(), &find(&snapshot, &request.user_name()?)?.value, true)
    };
    Ok(Some(vec![group("User", nodes)]))
}

/// The root identity as a user, as AWS answers it.
fn root(request: &IamRequest<'_>) -> Vec<Node> {
    use pawl_api::query::text;
    let account = request.account();
    vec![text("UserId", account), text("Arn", format!("arn:aws:iam::{account}:root"))]
}

/// `ListUsers`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let prefix = request.form.text("PathPrefix", &rule::PATH_PREFIX)?.unwrap_or("/");
    let snapshot = request.host.directory.snapshot();
    let users = snapshot.users.values().map(|user| &user.value).filter(|user| user.path.starts_with(prefix));
    let account = request.account();
    page(request, "Users", users.map(|user| (user.name.clone(), shown::user(account, user, false)))).map(Some)
}

/// `UpdateUser`
pub(super) async fn update(request: &IamRequest<'_>) -> Answer {
    let name = request.form.required("UserName", &rule::EXISTING_USER)?;
    let new = request.form.text("NewUserName", &rule::USER_NAME)?.filter(|new| *new != name);
    let path = request.form.text("NewPath", &rule::PATH)?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            let mut user = User::clone(&held.value);
            if let Some(path) = path {
                path.clone_into(&mut user.path);
            }
            let Some(new) = new else { return Ok((vec![changed(held, &user)?], ())) };
            if !new.eq_ignore_ascii_case(name) {
                must_be_free(snapshot, new)?;
            }
            new.clone_into(&mut user.name);
            // What is secret is bound to the user's id, and not to the name.
            let sealed = held.sealed.as_ref().map(|sealed| sealed.to_vec());
            let mut next = resealed(held, &user, sealed)?;
            next.expect = pawl_store::Expect::New;
            Ok((vec![deleted(held), next], ()))
        })
        .await?;
    Ok(None)
}

/// `DeleteUser`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let name = request.form.required("UserName", &rule::EXISTING_USER)?;
    request
        .change(|snapshot| {
            let held = find(snapshot, name)?;
            held.value.must_be_bare()?;
            Ok((vec![deleted(held)], ()))
        })
        .await?;
    Ok(None)
}

/// A list that every user has, and that is always empty here.
pub(super) fn nothing(request: &IamRequest<'_>, name: &'static str) -> Answer {
    find(&request.host.directory.snapshot(), &request.user_name()?)?;
    no_list(name)
}

/// `GetLoginProfile`: nobody has a password here.
pub(super) fn no_login(request: &IamRequest<'_>) -> Answer {
    let name = request.user_name()?;
    find(&request.host.directory.snapshot(), &name)?;
    let message = format!("Login Profile for User {name} cannot be found.");
    Err(ApiError::new(ErrorCode::NoSuchEntity, message))
}
