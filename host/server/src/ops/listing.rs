//! The list of secrets.

use pawl_api::secrets_manager::shapes::{ListSecretsRequest, ListSecretsResponse, SecretListEntry};
use pawl_core::secret::Secret;
use pawl_store::{Direction, Order, SortBy};

use super::scan::{Scan, filters, scan};
use super::{Answer, page, secrets};
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.ListSecrets`
pub(super) async fn list_secrets(
    host: &Host,
    caller: &Caller,
    input: ListSecretsRequest,
) -> Answer<ListSecretsRequest> {
    let by = match input.sort_by.as_deref() {
        Some("name") => SortBy::Name,
        Some("last-changed-date") => SortBy::LastChanged,
        Some("last-accessed-date") => SortBy::LastAccessed,
        _ => SortBy::Created,
    };
    let direction = match input.sort_order.as_deref() {
        Some("desc") => Direction::Descending,
        _ => Direction::Ascending,
    };
    let order = Order { by, direction };
    let include_deleted = input.include_planned_deletion.unwrap_or(false);
    // A token is of use for this very list only.
    let list = format!("ListSecrets:{}:{order:?}:{include_deleted}:{:?}", caller.region, input.filters);
    let now = host.app.clock().now();
    let after = input.next_token.as_deref().map(|token| host.pages.open(&list, token, now)).transpose()?;
    let filters = filters(input.filters.as_deref());
    let size = page::size(input.max_results);
    let found = scan(host, caller, Scan { order, filters: &filters, include_deleted, after, size }).await?;
    Ok(ListSecretsResponse {
        secret_list: found.secrets.iter().map(entry).collect(),
        next_token: found.next.and_then(|place| host.pages.seal(&list, &place, now)),
    })
}

/// A secret as ListSecrets shows it: as DescribeSecret does, but for the name of the map, and without its replicas.
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
        external_secret_rotation_metadata: described.external_secret_rotation_metadata,
        external_secret_rotation_role_arn: described.external_secret_rotation_role_arn,
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
