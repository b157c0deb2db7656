//! Values and their versions.

use pawl_api::secrets_manager::refusal;
use pawl_api::secrets_manager::shapes::{
    GetSecretValueRequest, GetSecretValueResponse, ListSecretVersionIdsRequest, ListSecretVersionIdsResponse,
    NamedSecretResponse, PutSecretValueRequest, PutSecretValueResponse, SecretVersionsListEntry,
    UpdateSecretVersionStageRequest, given_value,
};
use pawl_api::sensitive::{SecretBlob, SecretText};
use pawl_core::limits;
use pawl_core::names::{Label, NameError, VersionId};

use super::Answer;
use crate::app::{Action, Ask};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// What AWS names the key of secrets that name none.
const DEFAULT_KEY: &str = "DefaultEncryptionKey";

/// `secretsmanager.GetSecretValue`
pub(super) async fn get_secret_value(
    host: &Host,
    caller: &Caller,
    input: GetSecretValueRequest,
) -> Answer<GetSecretValueRequest> {
    let version = input.version_id.map(VersionId::try_from).transpose()?;
    let label = input.version_stage.map(Label::try_from).transpose()?;
    let (held, id, value) =
        host.app.read_value(caller, &input.secret_id, version.as_ref(), label.as_ref()).await?;
    let secret = &held.secret;
    Ok(GetSecretValueResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        created_date: secret.versions.get(&id).map(|v| v.created_at).unwrap_or_default().into(),
        version_stages: stages(secret.labels.of(&id)),
        version_id: id.into(),
        secret_string: SecretText::of(&value),
        secret_binary: SecretBlob::of(&value),
    })
}

/// `secretsmanager.PutSecretValue`
pub(super) async fn put_secret_value(
    host: &Host,
    caller: &Caller,
    input: PutSecretValueRequest,
) -> Answer<PutSecretValueRequest> {
    let token = token(input.client_request_token)?;
    let value = given_value(input.secret_string, input.secret_binary)
        .map_err(AppError::Api)?
        .ok_or_else(|| AppError::Api(refusal::value_missing()))?;
    let labels: Vec<Label> = input
        .version_stages
        .unwrap_or_default()
        .into_iter()
        .map(Label::try_from)
        .collect::<Result<_, NameError>>()?;
    let ask = Ask::from(Action::PutSecretValue).with_each("secretsmanager:VersionStage", &labels);
    let (held, ()) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            draft.put(&token, &value, &labels)?;
            Ok(())
        })
        .await?;
    let secret = &held.secret;
    // AWS's order: the labels as they were given, then the others.
    let mut version_stages = labels;
    version_stages.retain(|label| secret.labels.on(label) == Some(&token));
    for label in secret.labels.of(&token) {
        if !version_stages.contains(&label) {
            version_stages.push(label);
        }
    }
    Ok(PutSecretValueResponse {
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        version_id: token.into(),
        version_stages: stages(version_stages),
    })
}

/// `secretsmanager.ListSecretVersionIds`
pub(super) async fn list_secret_version_ids(
    host: &Host,
    caller: &Caller,
    input: ListSecretVersionIdsRequest,
) -> Answer<ListSecretVersionIdsRequest> {
    let held = host.app.read(caller, Action::ListSecretVersionIds, &input.secret_id).await?;
    let secret = &held.secret;
    let deprecated = input.include_deprecated.unwrap_or(false);
    let mut versions: Vec<_> = secret
        .versions
        .iter()
        .filter(|(id, version)| version.content.is_some() && (deprecated || secret.labels.any_on(id)))
        .collect();
    versions.sort_by_key(|(id, version)| std::cmp::Reverse((version.created_at, *id)));
    let versions = versions
        .into_iter()
        .map(|(id, v)| (format!("{:020}|{id}", v.created_at.millis()), (id, v)))
        .collect();
    let page = (input.next_token.as_deref(), input.max_results);
    // A token is of use for this very list only.
    let list = format!("{}:{deprecated}", secret.arn);
    let (page, next_token) = host.pages.cut(versions, true, page, (&list, host.app.clock().now()))?;
    let listed: Vec<&VersionId> = page.iter().map(|(id, _)| *id).collect();
    let keys = host.app.keys_of_versions(&held, &listed).await?;
    let entries = page
        .into_iter()
        .map(|(id, version)| SecretVersionsListEntry {
            version_id: id.to_string(),
            created_date: version.created_at.into(),
            version_stages: Some(stages(secret.labels.of(id))).filter(|stages| !stages.is_empty()),
            last_accessed_date: version.last_accessed_day.map(Into::into),
            kms_key_ids: Some(vec![keys.get(id).map_or_else(|| DEFAULT_KEY.to_owned(), ToString::to_string)]),
        })
        .collect();
    Ok(ListSecretVersionIdsResponse {
        versions: entries,
        arn: secret.arn.to_string(),
        name: secret.name.to_string(),
        next_token,
    })
}

/// `secretsmanager.UpdateSecretVersionStage`
pub(super) async fn update_secret_version_stage(
    host: &Host,
    caller: &Caller,
    input: UpdateSecretVersionStageRequest,
) -> Answer<UpdateSecretVersionStageRequest> {
    let label = Label::try_from(input.version_stage)?;
    let from = input.remove_from_version_id.map(VersionId::try_from).transpose()?;
    let to = input.move_to_version_id.map(VersionId::try_from).transpose()?;
    let ask = Ask::from(Action::UpdateSecretVersionStage).about_version(None, Some(&label));
    let (held, ()) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.update_stage(&label, from.as_ref(), to.as_ref(), draft.now)?;
            Ok(())
        })
        .await?;
    Ok(NamedSecretResponse { arn: held.secret.arn.to_string(), name: held.secret.name.to_string() })
}

/// The token that AWS demands and SDKs fill in.
pub(super) fn token(given: Option<String>) -> Result<VersionId, AppError> {
    let given = given.ok_or_else(|| AppError::Api(refusal::token_missing()))?;
    Ok(VersionId::try_from(given)?)
}

/// Labels as the wire has them.
pub(super) fn stages(labels: Vec<Label>) -> Vec<String> {
    labels.into_iter().map(Into::into).collect()
}

const _: () = assert!(limits::LABELS_PER_VERSION_MAX <= 20, "the wire's list holds 20");
