//! The list of secrets.

use pawl_api::secrets_manager::shapes::{ListSecretsRequest, ListSecretsResponse, SecretListEntry};
use pawl_core::limits;
use pawl_core::secret::Secret;
use pawl_store::Cursor;

use super::filter::passes;
use super::{Answer, page, secrets};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// What tokens of this list are bound to.
const LIST: &str = "ListSecrets";

/// `secretsmanager.ListSecrets`
pub(super) async fn list_secrets(
    host: &Host,
    caller: &Caller,
    input: ListSecretsRequest,
) -> Answer<ListSecretsRequest> {
    let plain = input.filters.as_deref().unwrap_or_default().is_empty()
        && input.sort_by.as_deref().is_none_or(|by| by == "created-date")
        && input.sort_order.as_deref().is_none_or(|order| order == "asc");
    if plain { in_order_of_creation(host, caller, input).await } else { selected(host, caller, input).await }
}

/// The list as it is stored: a page costs what is on it.
async fn in_order_of_creation(
    host: &Host,
    caller: &Caller,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse, AppError> {
    let list = format!("{LIST}:{}", caller.region);
    let after = match &input.next_token {
        Some(token) => {
            Some(host.pages.open(&list, token)?).and_then(|place| serde_json::from_str::<Cursor>(&place).ok())
        }
        None => None,
    };
    let size = page::size(input.max_results);
    let limit = u32::try_from(size).unwrap_or(u32::MAX).saturating_add(1);
    let mut rows =
        host.app.list(caller, after.as_ref(), limit, input.include_planned_deletion.unwrap_or(false)).await?;
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more).and_then(|(cursor, _)| serde_json::to_string(cursor).ok());
    Ok(ListSecretsResponse {
        secret_list: rows.into_iter().map(|(_, secret)| entry(&secret)).collect(),
        next_token: last.and_then(|place| host.pages.seal(&list, &place)),
    })
}

/// Filtered or sorted: looks at every secret of the region.
async fn selected(
    host: &Host,
    caller: &Caller,
    input: ListSecretsRequest,
) -> Result<ListSecretsResponse, AppError> {
    let filters = input.filters.unwrap_or_default();
    let with_deleted = input.include_planned_deletion.unwrap_or(false);
    let (mut found, mut after): (_, Option<Cursor>) = (Vec::new(), None);
    loop {
        let rows = host.app.list(caller, after.as_ref(), limits::STORE_ROWS_MAX, with_deleted).await?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(last.clone());
        found.extend(rows.into_iter().map(|(_, secret)| secret).filter(|secret| passes(secret, &filters)));
    }
    let mut found: Vec<(String, Secret)> =
        found.into_iter().map(|secret| (sort_key(&secret, input.sort_by.as_deref()), secret)).collect();
    let backwards = input.sort_order.as_deref() == Some("desc");
    found.sort_by(|(one, _), (other, _)| if backwards { other.cmp(one) } else { one.cmp(other) });
    let list = format!("{LIST}:{}:{filters:?}:{:?}:{:?}", caller.region, input.sort_by, input.sort_order);
    let page = (input.next_token.as_deref(), input.max_results);
    let (page, next_token) = host.pages.cut(found, backwards, page, &list)?;
    Ok(ListSecretsResponse { secret_list: page.iter().map(entry).collect(), next_token })
}

/// What a secret is sorted by; its name tells apart those that are alike.
fn sort_key(secret: &Secret, by: Option<&str>) -> String {
    let at = match by {
        Some("name") => None,
        Some("last-changed-date") => Some(secret.last_changed_at),
        Some("last-accessed-date") => Some(secret.last_accessed_day.unwrap_or_default()),
        _ => Some(secret.created_at),
    };
    match at {
        Some(at) => format!("{:020}|{}", at.millis(), secret.name),
        None => secret.name.to_string(),
    }
}

/// A secret as ListSecrets shows it: as DescribeSecret does, but for the name of the map.
fn entry(secret: &Secret) -> SecretListEntry {
    let described = secrets::describe(secret);
    SecretListEntry {
        arn: described.arn,
        name: described.name,
        r#type: described.r#type,
        description: described.description,
        kms_key_id: described.kms_key_id,
        rotation_enabled: described.rotation_enabled,
        rotation_lambda_arn: described.rotation_lambda_arn,
        rotation_rules: described.rotation_rules,
        last_rotated_date: described.last_rotated_date,
        last_changed_date: described.last_changed_date,
        last_accessed_date: described.last_accessed_date,
        deleted_date: described.deleted_date,
        next_rotation_date: described.next_rotation_date,
        tags: described.tags,
        secret_versions_to_stages: described.version_ids_to_stages,
        owning_service: described.owning_service,
        created_date: described.created_date,
        primary_region: described.primary_region,
    }
}
