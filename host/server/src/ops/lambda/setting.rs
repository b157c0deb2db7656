//! How a function is set up: from what a caller says to what is kept.

use pawl_api::lambda::shapes::{Concurrency, Environment, PutFunctionConcurrencyRequest};
use pawl_core::function::{
    Configuration, Memory, ReservedConcurrency, SettingError, Timeout, checked_description,
    checked_environment,
};
use pawl_core::identity::arn;
use pawl_core::limits;
use pawl_core::names::AccountId;

use super::{Found, Named, Nothing, Request};
use crate::app::{ConditionKey, FunctionFate};
use crate::functions::FunctionError;
use crate::policy::permit;

/// What a caller says of a configuration; of one that exists, what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) description: Option<String>,
    pub(super) role: Option<String>,
    pub(super) runtime: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) timeout: Option<i64>,
    pub(super) memory: Option<i64>,
    pub(super) environment: Option<Environment>,
}

impl Said {
    /// The configuration that comes of it.
    pub(super) fn on(self, held: Configuration) -> Result<Configuration, FunctionError> {
        let role = self.role.map(role).transpose()?;
        let runtime = self.runtime.map(|text| word(text, "runtime")).transpose()?;
        let handler = self.handler.map(|text| word(text, "handler")).transpose()?;
        let environment = self.environment.map(|of| checked_environment(of.variables.unwrap_or_default()));
        let timeout = self.timeout.map(|seconds| within(seconds, SettingError::Timeout, Timeout::try_from));
        let memory = self.memory.map(|megabytes| within(megabytes, SettingError::Memory, Memory::try_from));
        Ok(Configuration {
            description: self.description.map(checked_description).transpose()?.unwrap_or(held.description),
            role: role.or(held.role),
            runtime: runtime.or(held.runtime),
            handler: handler.or(held.handler),
            timeout: timeout.transpose()?.unwrap_or(held.timeout),
            memory: memory.transpose()?.unwrap_or(held.memory),
            environment: environment.transpose()?.unwrap_or(held.environment),
        })
    }
}

fn within<T>(
    number: i64,
    error: SettingError,
    make: impl Fn(u32) -> Result<T, SettingError>,
) -> Result<T, SettingError> {
    u32::try_from(number).map_err(|_| error).and_then(make)
}

/// A role's ARN. Nobody assumes it; its policies are not kept here.
fn role(text: String) -> Result<String, FunctionError> {
    let wrong = || {
        FunctionError::malformed("role", "be the ARN of a role, such as arn:aws:iam::000000000000:role/NAME")
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return Err(wrong()) };
    let named = resource.strip_prefix("role/").is_some_and(|name| {
        let valid = |c: u8| c.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&c);
        !name.is_empty() && name.bytes().all(valid)
    });
    let whole = partition.starts_with("aws") && account.parse::<AccountId>().is_ok() && named;
    if whole && text.len() <= limits::FUNCTION_ARN_CHARS_MAX { Ok(text) } else { Err(wrong()) }
}

/// Whether the caller may give a function this role: AWS's `iam:PassRole`. What is no role is refused when it is read.
pub(super) fn must_be_let_pass(request: &Request<'_>, to: &Named, text: &str) -> Result<(), FunctionError> {
    let (host, caller) = (request.host, request.caller);
    let Ok(role) = role(text.to_owned()) else { return Ok(()) };
    if role.split(':').nth(4) != Some(host.app.account().as_str()) {
        return Err(FunctionError::Denied("Cross-account pass role is not allowed.".to_owned()));
    }
    let mut keys: Vec<ConditionKey> = vec![
        ("iam:PassedToService".into(), "lambda.amazonaws.com".to_owned()),
        ("iam:AssociatedResourceArn".into(), to.arn.to_string()),
    ];
    let snapshot = host.directory.snapshot();
    let held = role.rsplit('/').next().and_then(|name| snapshot.roles.get(name)).map(|role| &role.value);
    let held = held.filter(|held| arn(host.app.account(), "role", &held.path, &held.name) == role);
    for tag in held.map(|role| role.tags.as_slice()).unwrap_or_default() {
        keys.push((format!("aws:ResourceTag/{}", tag.key).into(), tag.value.clone()));
        keys.push((format!("iam:ResourceTag/{}", tag.key).into(), tag.value.clone()));
    }
    permit(&host.app, caller, ("iam:PassRole", &role), &keys, None, None).map_err(FunctionError::Denied)
}

/// A word that is kept and given back.
fn word(text: String, member: &str) -> Result<String, FunctionError> {
    let most = limits::FUNCTION_HANDLER_CHARS_MAX;
    if text.chars().count() > most || text.chars().any(char::is_whitespace) {
        return Err(FunctionError::malformed(member, &format!("be a word of at most {most} characters")));
    }
    Ok(text)
}

/// `PutFunctionConcurrency`
pub(super) async fn put_function_concurrency(
    request: &Request<'_>,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency, FunctionError> {
    let missing = || FunctionError::malformed("reservedConcurrentExecutions", "not be null");
    let number = input.reserved_concurrent_executions.ok_or_else(missing)?;
    let reserved = within(number, SettingError::Concurrency, ReservedConcurrency::try_from)?;
    reserve(request, Some(reserved)).await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(reserved.get()) })
}

/// `DeleteFunctionConcurrency`
pub(super) async fn delete_function_concurrency(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    reserve(request, None).await?;
    Ok(Nothing {})
}

async fn reserve(request: &Request<'_>, reserved: Option<ReservedConcurrency>) -> Result<(), FunctionError> {
    let named = request.named().await?.whole()?;
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        function.reserved_concurrency = reserved;
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(())
}

/// `GetFunctionConcurrency`
pub(super) async fn get_function_concurrency(request: &Request<'_>) -> Result<Concurrency, FunctionError> {
    let found = request.find(&request.named().await?.whole()?).await?;
    let reserved = match found {
        Found::Own(_) => None,
        Found::Stored(function) => function.reserved_concurrency,
    };
    Ok(Concurrency { reserved_concurrent_executions: reserved.map(ReservedConcurrency::get) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let held = Configuration { description: "old".to_owned(), ..Configuration::default() };
        let role = "arn:aws:iam::000000000000:role/service-role/r".to_owned();
        let said = Said { role: Some(role.clone()), timeout: Some(30), ..Said::default() };
        let next = said.on(held).unwrap();
        assert_eq!((next.description.as_str(), next.role, next.timeout.get()), ("old", Some(role), 30));
        let emptied = Said { environment: Some(Environment::default()), ..Said::default() };
        assert!(emptied.on(Configuration::default()).unwrap().environment.is_empty());
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        let all = [
            Said { timeout: Some(0), ..Said::default() },
            Said { timeout: Some(-1), ..Said::default() },
            Said { timeout: Some(i64::MAX), ..Said::default() },
            Said { memory: Some(127), ..Said::default() },
            Said { handler: Some("a b".to_owned()), ..Said::default() },
            Said { runtime: Some("r".repeat(129)), ..Said::default() },
            Said { description: Some("d".repeat(257)), ..Said::default() },
            Said { role: Some("role".to_owned()), ..Said::default() },
            Said { role: Some("arn:aws:iam::1:role/r".to_owned()), ..Said::default() },
            Said { role: Some("arn:aws:iam::000000000000:role/".to_owned()), ..Said::default() },
            Said { role: Some("arn:aws:iam::000000000000:user/u".to_owned()), ..Said::default() },
        ];
        for said in all {
            let text = format!("{said:?}");
            assert!(said.on(Configuration::default()).is_err(), "{text}");
        }
    }
}
