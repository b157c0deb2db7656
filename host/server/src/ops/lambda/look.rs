//! Looking at functions.

use pawl_api::lambda::shapes::{
    AccountLimit, AccountUsage, CodeLocation, Concurrency, FunctionConfiguration, GetAccountSettingsResponse,
    GetFunctionResponse, GetRecursionResponse, GetRuntimeManagementResponse, ListFunctionsResponse,
};
use pawl_core::function::{Function, FunctionName, FunctionVersion, Qualifier, ReservedConcurrency};
use pawl_core::limits;
use pawl_store::StoreError;
use serde::{Deserialize, Serialize};

use super::page::Wanted;
use super::{Found, Named, Nothing, Request, version_of, view};
use crate::functions::{FunctionError, Stored};

/// `GetFunction`
pub(super) async fn get_function(request: &Request<'_>) -> Result<GetFunctionResponse, FunctionError> {
    let named = request.named().await?;
    let found = request.find(&named).await?;
    let code = CodeLocation { repository_type: "Pawl".to_owned() };
    let configuration = shown(request, &named, &found)?;
    Ok(match found {
        Found::Own(_) => GetFunctionResponse { configuration, code, tags: None, concurrency: None },
        Found::Stored(function) => {
            let reserved = function.reserved_concurrency.map(ReservedConcurrency::get);
            let concurrency =
                reserved.map(|number| Concurrency { reserved_concurrent_executions: Some(number) });
            let tags = (!function.tags.is_empty()).then_some(function.tags);
            GetFunctionResponse { configuration, code, tags, concurrency }
        }
    })
}

/// `GetFunctionConfiguration`
pub(super) async fn get_function_configuration(
    request: &Request<'_>,
) -> Result<FunctionConfiguration, FunctionError> {
    let named = request.named().await?;
    shown(request, &named, &request.find(&named).await?)
}

fn shown(
    request: &Request<'_>,
    named: &Named,
    found: &Found,
) -> Result<FunctionConfiguration, FunctionError> {
    let arn = named.qualified_arn(request);
    Ok(match found {
        Found::Own(function) => view::own(function, &arn),
        Found::Stored(function) => view::configuration(function, version_of(function, named)?, &arn),
    })
}

/// Where a page of functions begins: after this version of this function, which come in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place(String, Option<FunctionVersion>);

/// `ListFunctions`
pub(super) async fn list_functions(request: &Request<'_>) -> Result<ListFunctionsResponse, FunctionError> {
    let app = &request.host.app;
    app.may_with_functions(request.caller, request.action())?;
    let every_version = match request.parameters().one("FunctionVersion")?.filter(|text| !text.is_empty()) {
        None => false,
        Some("ALL") => true,
        Some(_) => return Err(FunctionError::malformed("functionVersion", "satisfy enum value set: [ALL]")),
    };
    // A region here has no functions of another one's at its edges.
    let region = &request.caller.region;
    if let Some(of) =
        request.parameters().one("MasterRegion")?.filter(|of| *of != "ALL" && *of != region.as_str())
    {
        return Err(FunctionError::malformed("masterRegion", &format!("be ALL or {region}, and not {of}")));
    }
    let list = format!("lambda:ListFunctions {region} {every_version}");
    let wanted: Wanted<Place> = Wanted::of(request, list)?;
    let after = wanted.after.as_ref().map(|place| place.0.as_str());
    let mut entries: Vec<(Place, FunctionConfiguration)> = Vec::new();
    for own in app.functions().all().filter(|own| after.is_none_or(|after| own.name.as_str() >= after)) {
        let Ok(name) = FunctionName::try_from(own.name.clone()) else { continue };
        let arn = app.function_arn(request.caller, &name);
        let (arn, place) = if every_version {
            let latest = FunctionVersion::Latest;
            (request.arn_of(&name, &latest.into()), Place(own.name.clone(), Some(latest)))
        } else {
            (arn, Place(own.name.clone(), None))
        };
        entries.push((place, view::listed(view::own(own, &arn))));
    }
    for function in stored(request, after, wanted.size.saturating_add(1)).await? {
        entries.extend(versions(request, &function, every_version));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (functions, next_marker) = wanted.cut(request, entries);
    Ok(ListFunctionsResponse { functions, next_marker })
}

/// The uploaded function of a name, and those after it, some: enough for a page and to see whether there are more.
async fn stored(
    request: &Request<'_>,
    from: Option<&str>,
    most: usize,
) -> Result<Vec<Function>, FunctionError> {
    let (store, region) = (request.host.app.queue(), &request.caller.region);
    let mut after = from.and_then(|name| FunctionName::try_from(name.to_owned()).ok());
    let mut found = Vec::new();
    if let Some(name) = &after {
        match store.function(region, name).await {
            Ok(row) => found.extend(row.map(Stored::try_from).transpose()?),
            // Left out, as it is below.
            Err(StoreError::Altered { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    loop {
        let rows = store.functions(region, after.as_ref(), u32::try_from(most).unwrap_or(u32::MAX)).await?;
        let is_last = rows.len() < most;
        after = rows.last().map(|row| row.name.clone()).or(after);
        for row in rows.into_iter().filter(|row| !row.mac.is_refused()) {
            found.push(Stored::try_from(row)?);
        }
        if is_last || found.len() >= most {
            return Ok(found.into_iter().map(|stored| stored.function).collect());
        }
    }
}

/// A function as a list has it: `$LATEST`, or each of its versions.
fn versions(
    request: &Request<'_>,
    function: &Function,
    every_version: bool,
) -> Vec<(Place, FunctionConfiguration)> {
    let name = function.name.to_string();
    if !every_version {
        let arn = request.host.app.function_arn(request.caller, &function.name);
        let shown = view::configuration(function, FunctionVersion::Latest, &arn);
        return vec![(Place(name, None), view::listed(shown))];
    }
    every(function)
        .map(|version| {
            let arn = request.arn_of(&function.name, &Qualifier::from(version));
            let shown = view::listed(view::configuration(function, version, &arn));
            (Place(name.clone(), Some(version)), shown)
        })
        .collect()
}

/// Every version of a function, `$LATEST` first.
pub(in crate::ops) fn every(function: &Function) -> impl Iterator<Item = FunctionVersion> {
    let published = function.versions.keys().map(|number| FunctionVersion::Published(*number));
    [FunctionVersion::Latest].into_iter().chain(published)
}

/// `GetAccountSettings`
pub(super) async fn get_account_settings(
    request: &Request<'_>,
) -> Result<GetAccountSettingsResponse, FunctionError> {
    request.host.app.may_with_functions(request.caller, request.action())?;
    let (mut total_code_size, mut function_count) = (0_u64, 0_u64);
    let mut last: Option<FunctionName> = None;
    loop {
        let (store, region) = (request.host.app.queue(), &request.caller.region);
        let rows = store.functions(region, last.as_ref(), limits::FUNCTIONS_PAGE_MAX).await?;
        let Some(row) = rows.last() else { break };
        last = Some(row.name.clone());
        for row in rows.into_iter().filter(|row| !row.mac.is_refused()) {
            let function = Stored::try_from(row)?.function;
            function_count = function_count.saturating_add(1);
            for release in every(&function).filter_map(|version| function.release(version)) {
                total_code_size = total_code_size.saturating_add(release.code.uploaded().bytes);
            }
        }
    }
    let bytes = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
    let concurrent_executions = u32::try_from(limits::ROTATIONS_AT_ONCE_MAX).unwrap_or(u32::MAX);
    Ok(GetAccountSettingsResponse {
        account_limit: AccountLimit {
            // AWS's is of the region; here each function has its own.
            total_code_size: limits::FUNCTION_CODE_BYTES_MAX,
            code_size_unzipped: bytes(limits::COMPONENT_BYTES_MAX),
            code_size_zipped: bytes(limits::PACKAGE_BYTES_MAX),
            concurrent_executions,
            unreserved_concurrent_executions: concurrent_executions,
        },
        account_usage: AccountUsage { total_code_size, function_count },
    })
}

/// `GetFunctionCodeSigningConfig`: no function has one, which AWS says with nothing.
pub(super) async fn get_function_code_signing_config(
    request: &Request<'_>,
) -> Result<Nothing, FunctionError> {
    request.find(&request.named().await?.whole()?).await?;
    Ok(Nothing {})
}

/// `GetFunctionRecursionConfig`: no function can invoke another one.
pub(super) async fn get_function_recursion_config(
    request: &Request<'_>,
) -> Result<GetRecursionResponse, FunctionError> {
    request.find(&request.named().await?.whole()?).await?;
    Ok(GetRecursionResponse { recursive_loop: "Terminate".to_owned() })
}

/// `GetRuntimeManagementConfig`: the runtime is the host, and is renewed with it.
pub(super) async fn get_runtime_management_config(
    request: &Request<'_>,
) -> Result<GetRuntimeManagementResponse, FunctionError> {
    let named = request.named().await?;
    let found = request.find(&named).await?;
    if let Found::Stored(function) = &found {
        version_of(function, &named)?;
    }
    let function_arn = named.qualified_arn(request).to_string();
    Ok(GetRuntimeManagementResponse { update_runtime_on: "Auto".to_owned(), function_arn })
}
