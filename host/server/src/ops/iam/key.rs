//! Access keys of users.

use pawl_api::error::ErrorCode;
use pawl_api::query::{group, rule, text};
use pawl_core::identity::{KeyStatus, User, mint_key_id, mint_secret};

use super::Answer;
use super::page::page;
use super::request::{IamRequest, changed, refuse, resealed};
use super::shown::moment;
use super::user::find;

/// `CreateAccessKey`: the only answer that ever holds the secret part.
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let (name, now, rng) = (request.user_name()?, request.now(), &**request.host.app.rng());
    let (id, secret) = (mint_key_id(false, rng), mint_secret(rng));
    request
        .change(|snapshot| {
            let held = find(snapshot, &name)?;
            let mut user = User::clone(&held.value);
            user.add_key(&id, now)?;
            let ids: Vec<&str> = user.keys.iter().map(|key| key.id.as_str()).collect();
            let sealed = request.host.directory.seal_keys(&user.id, &ids, Some((&id, &secret)))?;
            Ok((vec![resealed(held, &user, sealed)?], ()))
        })
        .await?;
    let secret = zeroize::Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let key = [
        text("UserName", &name),
        text("AccessKeyId", &id),
        text("Status", KeyStatus::Active.as_str()),
        text("SecretAccessKey", secret.as_str()),
        text("CreateDate", moment(now)),
    ];
    Ok(Some(vec![group("AccessKey", key)]))
}

/// `ListAccessKeys`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let (snapshot, name) = (request.host.directory.snapshot(), request.user_name()?);
    let mut keys = find(&snapshot, &name)?.value.keys.clone();
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    let items = keys.into_iter().map(|key| {
        let nodes = vec![
            text("UserName", &name),
            text("AccessKeyId", &key.id),
            text("Status", key.status.as_str()),
            text("CreateDate", moment(key.created_at)),
        ];
        (key.id, nodes)
    });
    page(request, "AccessKeyMetadata", items).map(Some)
}

/// `UpdateAccessKey`
pub(super) async fn update(request: &IamRequest<'_>) -> Answer {
    let (name, id) = (request.user_name()?, request.form.required("AccessKeyId", &rule::ACCESS_KEY_ID)?);
    let status = match request.form.choice("Status", &["Active", "Inactive"])? {
        Some("Active") => KeyStatus::Active,
        Some(_) => KeyStatus::Inactive,
        None => {
            return Err(request
                .form
                .required("Status", &rule::ARN)
                .err()
                .unwrap_or_else(pawl_api::ApiError::internal));
        }
    };
    request
        .change(|snapshot| {
            let held = find(snapshot, &name)?;
            let mut user = User::clone(&held.value);
            user.set_key(id, status)?;
            Ok((vec![changed(held, &user)?], ()))
        })
        .await?;
    Ok(None)
}

/// `DeleteAccessKey`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let (name, id) = (request.user_name()?, request.form.required("AccessKeyId", &rule::ACCESS_KEY_ID)?);
    request
        .change(|snapshot| {
            let held = find(snapshot, &name)?;
            let mut user = User::clone(&held.value);
            user.delete_key(id)?;
            let ids: Vec<&str> = user.keys.iter().map(|key| key.id.as_str()).collect();
            let sealed = request.host.directory.seal_keys(&user.id, &ids, None)?;
            Ok((vec![resealed(held, &user, sealed)?], ()))
        })
        .await?;
    Ok(None)
}

/// `GetAccessKeyLastUsed`
pub(super) async fn last_used(request: &IamRequest<'_>) -> Answer {
    let id = request.form.required("AccessKeyId", &rule::ACCESS_KEY_ID)?;
    let snapshot = request.host.directory.snapshot();
    let missing = || refuse(ErrorCode::NoSuchEntity, format!("The Access Key with id {id} cannot be found."));
    let user = &snapshot.key(id).ok_or_else(missing)?.user;
    let used = request.host.directory.used.of(request.host.app.queue(), id).await;
    let used = used.map_err(|error| {
        tracing::error!(%error, "when an access key was last used cannot be read");
        pawl_api::ApiError::internal()
    })?;
    let last = match used {
        Some(used) => vec![
            text("LastUsedDate", moment(used.at)),
            text("ServiceName", used.service),
            text("Region", used.region),
        ],
        None => vec![text("ServiceName", "N/A"), text("Region", "N/A")],
    };
    Ok(Some(vec![text("UserName", user), group("AccessKeyLastUsed", last)]))
}
