//! Secrets as wholes.

use std::collections::BTreeMap;

use pawl_api::secrets_manager::refusal;
use pawl_api::secrets_manager::shapes::{
    self, CreateSecretRequest, CreateSecretResponse, DeleteSecretRequest, DeleteSecretResponse,
    DescribeSecretRequest, DescribeSecretResponse, NamedSecretResponse, RestoreSecretRequest,
    UpdateSecretRequest, UpdateSecretResponse, VersionsToStages, given_value,
};
use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::names::{SecretName, VersionId};
use pawl_core::secret::{Put, PutError, Secret, Tag};
use pawl_core::value::SecretValue;
use pawl_core::world::Timestamp;

use super::versions::{stages, token};
use super::{Answer, replication};
use crate::app::{Action, Ask, Draft, Fate};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.CreateSecret`
pub(super) async fn create_secret(
    host: &Host,
    caller: &Caller,
    input: CreateSecretRequest,
) -> Answer<CreateSecretRequest> {
    if input.cross_account_primary_arn.is_some() {
        return Err(AppError::Api(refusal::cross_account()));
    }
    let name = SecretName::try_from(input.name)?;
    let token = token(input.client_request_token)?;
    let value = given_value(input.secret_string, input.secret_binary).map_err(AppError::Api)?;
    let tags = input.tags.map(tags).transpose()?;
    let description = present(input.description);
    let named = present(input.kms_key_id);
    let kind = present(input.r#type);
    let regions = replication::wanted(caller, input.add_replica_regions)?;
    let overwrite = input.force_overwrite_replica_secret.unwrap_or(false);
    let asked = Ask::from(Action::CreateSecret)
        .with("secretsmanager:Name", Some(&name))
        .with("secretsmanager:Description", description.as_ref())
        .with("secretsmanager:KmsKeyId", named.as_ref())
        .with("secretsmanager:KmsKeyArn", host.app.key_arn_named(caller, named.as_deref()).await?)
        .with("secretsmanager:Type", kind.as_ref())
        .with_each("secretsmanager:AddReplicaRegions", regions.iter().map(|wanted| wanted.region.as_str()))
        .with("secretsmanager:ForceOverwriteReplicaSecret", input.force_overwrite_replica_secret)
        .with_tags(tags.as_deref().unwrap_or_default());
    // Whoever may not make the secret learns nothing of keys.
    host.app.may_create(caller, asked.clone(), &name)?;
    let replicated =
        (!regions.is_empty()).then(|| replication::ask(&regions, input.force_overwrite_replica_secret));
    must_be_let_add(host, caller, &name, tags.as_deref().unwrap_or_default(), replicated.as_ref())?;
    let (kms_key_id, sealer) = host.app.named_key(caller, named.as_deref(), None).await?;
    let (held, version) = host
        .app
        .create(
            caller,
            asked,
            &name,
            |draft| {
                let now = draft.now;
                draft.secret.description.clone_from(&description);
                draft.use_key(kms_key_id.clone(), sealer.clone())?;
                draft.secret.kind.clone_from(&kind);
                if let Some(tags) = tags.clone().filter(|tags| !tags.is_empty()) {
                    draft.secret.tag(tags, now)?;
                }
                if let Some(value) = &value {
                    draft.put(&token, value, &[])?;
                }
                draft.secret.last_changed_at = now;
                Ok(value.as_ref().map(|_| token.clone()))
            },
            |draft| made_before(draft, &name, &token, value.as_ref()),
        )
        .await?;
    // A crash in between leaves a secret without its replicas; the same request again (with its value) makes them.
    let replication_status = match replicated {
        None => None,
        Some(ask) => {
            let (id, wanted) = (held.secret.arn.to_string(), (regions.as_slice(), overwrite));
            let held = host.app.replicate(caller, ask, &id, wanted).await?;
            replication::status(host, &held.secret).await?
        }
    };
    Ok(CreateSecretResponse {
        replication_status,
        arn: held.secret.arn.to_string(),
        name: held.secret.name.to_string(),
        version_id: version.map(Into::into),
    })
}

/// Whether the caller may give a new secret these tags and replicas: AWS asks for that beside the leave to make it.
fn must_be_let_add(
    host: &Host,
    caller: &Caller,
    name: &SecretName,
    tags: &[Tag],
    replicated: Option<&Ask<'_>>,
) -> Result<(), AppError> {
    if !tags.is_empty() {
        host.app.may_create(caller, Ask::from(Action::TagResource).with_tags(tags), name)?;
    }
    replicated.map_or(Ok(()), |ask| host.app.may_create(caller, ask.clone(), name))
}

/// What a request is answered whose name is taken: the version that it has made before, if it is the same request again.
fn made_before(
    draft: &mut Draft<'_>,
    name: &SecretName,
    token: &VersionId,
    value: Option<&SecretValue>,
) -> Result<Option<VersionId>, AppError> {
    let name_taken = || AppError::Api(refusal::name_taken(name));
    draft.secret.must_live().map_err(|_| AppError::Api(refusal::name_scheduled_for_deletion()))?;
    match value {
        Some(value) if draft.secret.versions.contains_key(token) => match draft.put(token, value, &[]) {
            Ok(Put::AlreadyThere) => Ok(Some(token.clone())),
            Err(AppError::Put(error @ PutError::TokenInUse { .. })) => Err(error.into()),
            Ok(Put::Stored) | Err(_) => Err(name_taken()),
        },
        _ => Err(name_taken()),
    }
}

/// `secretsmanager.UpdateSecret`
pub(super) async fn update_secret(
    host: &Host,
    caller: &Caller,
    input: UpdateSecretRequest,
) -> Answer<UpdateSecretRequest> {
    let token = token(input.client_request_token)?;
    let value = given_value(input.secret_string, input.secret_binary).map_err(AppError::Api)?;
    let ask = Ask::from(Action::UpdateSecret)
        .with("secretsmanager:Description", input.description.as_ref())
        .with("secretsmanager:KmsKeyId", input.kms_key_id.as_ref())
        .with("secretsmanager:KmsKeyArn", host.app.key_arn_named(caller, input.kms_key_id.as_deref()).await?)
        .with("secretsmanager:Type", input.r#type.as_ref());
    let key = match &input.kms_key_id {
        Some(named) => {
            // Whoever may not change the secret learns nothing of keys.
            let held = host.app.read(caller, ask.clone(), &input.secret_id).await?;
            let named = present(Some(named.clone()));
            Some(host.app.named_key(caller, named.as_deref(), Some(&held.secret.arn)).await?)
        }
        None => None,
    };
    let (held, ()) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            if let Some(description) = &input.description {
                draft.secret.description = present(Some(description.clone()));
            }
            if let Some((named, sealer)) = &key {
                draft.use_key(named.clone(), sealer.clone())?;
            }
            if let Some(kind) = &input.r#type {
                draft.secret.kind = present(Some(kind.clone()));
            }
            let again = match &value {
                Some(value) => draft.put(&token, value, &[])? == Put::AlreadyThere,
                None => false,
            };
            if !again {
                let now = draft.now;
                draft.secret.touch(now);
            }
            Ok(())
        })
        .await?;
    Ok(UpdateSecretResponse {
        arn: held.secret.arn.to_string(),
        name: held.secret.name.to_string(),
        version_id: value.map(|_| token.into()),
    })
}

/// `secretsmanager.DescribeSecret`
pub(super) async fn describe_secret(
    host: &Host,
    caller: &Caller,
    input: DescribeSecretRequest,
) -> Answer<DescribeSecretRequest> {
    let held = host.app.read(caller, Action::DescribeSecret, &input.secret_id).await?;
    let replication_status = replication::status(host, &held.secret).await?;
    Ok(DescribeSecretResponse { replication_status, ..describe(&held.secret) })
}

/// `secretsmanager.DeleteSecret`
pub(super) async fn delete_secret(
    host: &Host,
    caller: &Caller,
    input: DeleteSecretRequest,
) -> Answer<DeleteSecretRequest> {
    let force = input.force_delete_without_recovery.unwrap_or(false);
    let days = match input.recovery_window_in_days {
        Some(_) if force => return Err(AppError::Api(refusal::window_and_force())),
        Some(days) if !(limits::RECOVERY_DAYS_MIN..=limits::RECOVERY_DAYS_MAX).contains(&days) => {
            return Err(AppError::Api(refusal::recovery_window()));
        }
        given => given.unwrap_or(limits::RECOVERY_DAYS_DEFAULT),
    };
    if force {
        return force_delete(host, caller, &input.secret_id).await;
    }
    let ask = Ask::from(Action::DeleteSecret)
        .with("secretsmanager:RecoveryWindowInDays", input.recovery_window_in_days)
        .with("secretsmanager:ForceDeleteWithoutRecovery", input.force_delete_without_recovery);
    let (held, purge_at) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            must_be_in_one_region(&draft.secret)?;
            let purge_at = draft.now.plus_days(days);
            draft.secret.schedule_deletion(purge_at, draft.now);
            Ok(purge_at)
        })
        .await?;
    Ok(deleted(&held.secret, purge_at))
}

async fn force_delete(host: &Host, caller: &Caller, secret_id: &str) -> Answer<DeleteSecretRequest> {
    let now = host.app.clock().now();
    // Finding it checks the id, the account and the region.
    let ask =
        || Ask::from(Action::DeleteSecret).with("secretsmanager:ForceDeleteWithoutRecovery", Some(true));
    let name = match host.app.read(caller, ask(), secret_id).await {
        Ok(held) => held.secret.name.clone(),
        Err(AppError::NoSuchSecret) => return force_deleted_nothing(host, caller, secret_id, now),
        Err(error) => return Err(error),
    };
    let id = SecretId { arn: Some(secret_id.to_owned()).filter(|id| is_whole_arn(id)), name, place: None };
    let (held, ()) = host
        .app
        .change_at(caller, ask(), &id, None, |draft| {
            must_be_in_one_region(&draft.secret)?;
            Ok(((), Fate::Purged))
        })
        .await?;
    Ok(deleted(&held.secret, now))
}

/// AWS deletes no secret that has replicas.
fn must_be_in_one_region(secret: &Secret) -> Result<(), AppError> {
    let regions: Vec<&str> = secret.replicas.iter().map(|replica| replica.region.as_str()).collect();
    if regions.is_empty() {
        return Ok(());
    }
    Err(AppError::Api(refusal::has_replicas(&secret.arn, regions.join(", "))))
}

fn is_whole_arn(text: &str) -> bool {
    SecretId::parse(text).is_ok_and(|id| id.arn.is_some())
}

/// Recorded from AWS: forcing the deletion of a name that nobody has answers 200.
fn force_deleted_nothing(
    host: &Host,
    caller: &Caller,
    secret_id: &str,
    now: Timestamp,
) -> Answer<DeleteSecretRequest> {
    let id = SecretId::parse(secret_id)?;
    let (region, account) = (&caller.region, host.app.account());
    let partition = region.partition();
    let arn = id
        .arn
        .unwrap_or_else(|| format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{}", id.name));
    Ok(DeleteSecretResponse { arn, name: id.name.into(), deletion_date: now.into() })
}

fn deleted(secret: &Secret, at: Timestamp) -> DeleteSecretResponse {
    DeleteSecretResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        deletion_date: at.into(),
    }
}

/// `secretsmanager.RestoreSecret`
pub(super) async fn restore_secret(
    host: &Host,
    caller: &Caller,
    input: RestoreSecretRequest,
) -> Answer<RestoreSecretRequest> {
    let (held, ()) = host
        .app
        .change(caller, Action::RestoreSecret, &input.secret_id, |draft| {
            let now = draft.now;
            draft.secret.restore(now);
            Ok(())
        })
        .await?;
    Ok(NamedSecretResponse { arn: held.secret.arn.to_string(), name: held.secret.name.to_string() })
}

/// AWS takes an empty text as "none".
fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Tags from the wire; the shape's check has seen to the lengths of their parts.
pub(super) fn tags(tags: Vec<shapes::Tag>) -> Result<Vec<Tag>, AppError> {
    let tags: Vec<Tag> = tags
        .into_iter()
        .map(|tag| Tag { key: tag.key.unwrap_or_default(), value: tag.value.unwrap_or_default() })
        .collect();
    // TagResource's reference: "Do not use the aws: prefix in your tag names ... because AWS reserves it".
    let reserved = |tag: &Tag| tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if tags.iter().any(reserved) {
        return Err(AppError::Api(refusal::reserved_tag()));
    }
    let twice = |(n, tag): (usize, &Tag)| tags.iter().skip(n + 1).any(|other| other.key == tag.key);
    if tags.iter().enumerate().any(twice) {
        return Err(AppError::Api(refusal::tag_twice()));
    }
    Ok(tags)
}

/// A secret as DescribeSecret shows it.
pub(super) fn describe(secret: &Secret) -> DescribeSecretResponse {
    let config = secret.rotation_config.as_ref();
    let mut stages_of: VersionsToStages = BTreeMap::new();
    for id in secret.labels.labelled() {
        stages_of.insert(id.to_string(), stages(secret.labels.of(id)));
    }
    DescribeSecretResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        r#type: secret.kind.clone(),
        primary_region: secret.primary_region().map(ToString::to_string),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        rotation_enabled: config.map(|config| config.enabled),
        rotation_lambda_arn: config.map(|config| config.function.to_string()),
        rotation_rules: super::rotation::rules(secret),
        last_rotated_date: secret.last_rotated_at.map(Into::into),
        last_changed_date: Some(secret.last_changed_at.into()),
        last_accessed_date: secret.last_accessed_day.map(Into::into),
        deleted_date: secret.purge_at.map(Into::into),
        next_rotation_date: super::rotation::next_rotation_date(secret).map(Into::into),
        tags: secret.tags.as_ref().map(|tags| {
            tags.iter()
                .map(|tag| shapes::Tag { key: Some(tag.key.clone()), value: Some(tag.value.clone()) })
                .collect()
        }),
        version_ids_to_stages: Some(stages_of).filter(|map| !map.is_empty()),
        created_date: Some(secret.created_at.into()),
        ..DescribeSecretResponse::default()
    }
}
