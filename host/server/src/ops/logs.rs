//! `Pawl.ListFunctionLogs`: what a function has written on this host.

use std::time::Duration;

use pawl_api::error::ErrorCode;
use pawl_api::pawl::{ListFunctionLogsRequest, ListFunctionLogsResponse};
use pawl_core::function::{FunctionArn, FunctionRef};
use pawl_core::limits;
use tokio::time::{Instant, timeout_at};

use super::Answer;
use crate::app::Action;
use crate::error::{AppError, refuse};
use crate::functions;
use crate::functions::concurrency::FunctionKey;
use crate::functions::log::LogPage;
use crate::host::Host;
use crate::identity::Caller;

/// `Pawl.ListFunctionLogs`
pub(super) async fn list_function_logs(
    host: &Host,
    caller: &Caller,
    input: ListFunctionLogsRequest,
) -> Answer<ListFunctionLogsRequest> {
    host.app.allow(caller, Action::ListFunctionLogs)?;
    let (of, arn) = named(host, caller, &input.function_name)?;
    let most = input.limit.and_then(|limit| usize::try_from(limit).ok());
    let most = most.unwrap_or(limits::FUNCTION_LOG_PAGE_MAX as usize);
    let wait = input.wait_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(wait);
    let logs = host.app.functions().logs();
    // Before the first look: what comes after it is heard of.
    let (mut written, mut closing) = (logs.listen(), host.app.stream().listen());
    let mut page = logs.read(&of, input.after.as_deref(), most);
    if page.lines.is_empty() && !exists(host, &of, &arn).await? {
        return Err(refuse(
            ErrorCode::ResourceNotFoundException,
            format!("There is no function {arn}, and nothing is kept of one."),
        ));
    }
    while page.lines.is_empty() && !page.missed {
        let woken = async {
            loop {
                tokio::select! {
                    heard = written.changed() => return heard.is_ok(),
                    open = closing.woken() => if !open { return false },
                }
            }
        };
        if timeout_at(until, woken).await != Ok(true) {
            break;
        }
        page = logs.read(&of, Some(&page.after), most);
    }
    let LogPage { lines, after, missed } = page;
    Ok(ListFunctionLogsResponse {
        function_arn: arn.to_string(),
        lines,
        after,
        missed: missed.then_some(true),
    })
}

/// The function that a name or an ARN of the caller's region means.
fn named(host: &Host, caller: &Caller, text: &str) -> Result<(FunctionKey, FunctionArn), AppError> {
    let wrong = |text: String| refuse(ErrorCode::InvalidParameterException, text);
    let of = FunctionRef::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !of.is_in(&caller.region, host.app.account()) {
        return Err(wrong(format!("`{text}` is not of this region and account.")));
    }
    let arn = FunctionArn::new(&caller.region, host.app.account(), of.name.as_str());
    Ok(((caller.region.clone(), of.name.as_str().to_owned()), arn))
}

async fn exists(host: &Host, (region, name): &FunctionKey, arn: &FunctionArn) -> Result<bool, AppError> {
    if host.app.functions().find(arn).is_some() {
        return Ok(true);
    }
    let Ok(name) = name.parse() else { return Ok(false) };
    Ok(functions::load(host.app.queue(), region, &name).await?.is_some())
}
