//! Many values at once.

use pawl_api::error::ErrorCode;
use pawl_api::secrets_manager::shapes::{
    BatchGetSecretValueRequest, BatchGetSecretValueResponse, GetSecretValueRequest, SecretValueEntry,
    SecretValueError,
};
use pawl_core::limits;
use pawl_store::Order;

use super::scan::{Scan, filters, scan};
use super::{Answer, told, versions};
use crate::app::Action;
use crate::error::{AppError, refuse};
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.BatchGetSecretValue`
pub(super) async fn batch_get_secret_value(
    host: &Host,
    caller: &Caller,
    input: BatchGetSecretValueRequest,
) -> Answer<BatchGetSecretValueRequest> {
    host.app.allow(caller, Action::BatchGetSecretValue)?;
    let wrong = |text: &str| Err(refuse(ErrorCode::InvalidParameterException, text));
    let listed = input.secret_id_list.as_deref().filter(|ids| !ids.is_empty());
    let filtered = input.filters.as_deref().filter(|filters| !filters.is_empty());
    match (listed, filtered) {
        (Some(_), Some(_)) | (None, None) => {
            wrong("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
        }
        (Some(_), None) if input.max_results.is_some() => {
            wrong("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
        }
        (Some(ids), None) => Ok(read_all(host, caller, ids.to_vec()).await),
        (None, Some(_)) => matching(host, caller, &input).await,
    }
}

/// The current values of secrets that pass filters.
async fn matching(
    host: &Host,
    caller: &Caller,
    input: &BatchGetSecretValueRequest,
) -> Result<BatchGetSecretValueResponse, AppError> {
    let list = format!("BatchGetSecretValue:{}:{:?}", caller.region, input.filters);
    let now = host.app.clock().now();
    let after = input.next_token.as_deref().map(|token| host.pages.open(&list, token, now)).transpose()?;
    let filters = filters(input.filters.as_deref());
    let most = limits::BATCH_SECRETS_MAX;
    let size = input.max_results.and_then(|n| usize::try_from(n).ok()).unwrap_or(most).clamp(1, most);
    let (order, include_deleted) = (Order::default(), false);
    let found = scan(host, caller, Scan { order, filters: &filters, include_deleted, after, size }).await?;
    let ids = found.secrets.iter().map(|secret| secret.arn.to_string()).collect();
    let mut answer = read_all(host, caller, ids).await;
    answer.next_token = found.next.and_then(|place| host.pages.seal(&list, &place, now));
    Ok(answer)
}

/// Each by itself: one that cannot be read does not keep the others back.
async fn read_all(host: &Host, caller: &Caller, ids: Vec<String>) -> BatchGetSecretValueResponse {
    let mut answer = BatchGetSecretValueResponse::default();
    for secret_id in ids {
        let request = GetSecretValueRequest { secret_id: secret_id.clone(), ..Default::default() };
        match versions::get_secret_value(host, caller, request).await {
            Ok(read) => answer.secret_values.push(SecretValueEntry {
                arn: read.arn,
                name: read.name,
                version_id: read.version_id,
                version_stages: read.version_stages,
                created_date: read.created_date,
                secret_binary: read.secret_binary,
                secret_string: read.secret_string,
            }),
            Err(error) => {
                let error = told(caller, "BatchGetSecretValue", error);
                answer.errors.push(SecretValueError {
                    secret_id: Some(secret_id),
                    error_code: Some(error.code.to_string()),
                    message: Some(error.message),
                });
            }
        }
    }
    answer
}
