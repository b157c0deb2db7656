//! Lambda's operations: one function each, and what is common to their requests.

mod alias;
mod change;
mod code;
mod invoke;
mod look;
mod page;
mod permission;
mod setting;
mod tag;
mod version;
mod view;

use std::sync::Arc;

use axum::http::header::HeaderName;
use pawl_api::error::ApiError;
use pawl_api::lambda::{Operation, Parameters, Route, decode};
use pawl_core::function::{FunctionArn, FunctionName, FunctionRef, Qualifier};
use pawl_core::function::{FunctionVersion, Policy};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Body;
use crate::app::FunctionAsk;
use crate::functions::{self, FunctionError, Stored};
use crate::host::Host;
use crate::identity::Caller;

pub(super) use self::look::every;

/// What came to an operation.
pub struct Request<'a> {
    /// The host; shared, for what outlives the request.
    pub host: &'a Arc<Host>,
    /// Who calls.
    pub caller: &'a Caller,
    /// The operation, and what stands in path and query.
    pub route: &'a Route,
    /// The header fields that are members.
    pub headers: &'a axum::http::HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// What goes back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header fields that are members.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Body,
}

/// Does what the route names.
///
/// # Errors
/// What AWS would answer; the host's own failures are logged here, once, under the request's id.
pub async fn perform(request: Request<'_>) -> Result<Reply, ApiError> {
    let operation = request.route.operation;
    answer(&request).await.map_err(|error| {
        if error.is_hosts() {
            let id = &request.caller.request_id;
            tracing::error!(request.id = %id, operation = operation.name(), %error, "the operation failed");
        }
        error.into_api()
    })
}

async fn answer(request: &Request<'_>) -> Result<Reply, FunctionError> {
    let status = request.route.operation.status();
    macro_rules! with_body {
        ($function:path) => {
            shown(status, &$function(request, decode(request.body)?).await?)
        };
    }
    macro_rules! without {
        ($function:path) => {
            shown(status, &$function(request).await?)
        };
    }
    match request.route.operation {
        Operation::AddPermission => with_body!(permission::add_permission),
        Operation::CreateAlias => with_body!(alias::create_alias),
        Operation::CreateFunction => with_body!(change::create_function),
        Operation::DeleteAlias => without!(alias::delete_alias),
        Operation::DeleteFunction => without!(change::delete_function),
        Operation::DeleteFunctionConcurrency => without!(setting::delete_function_concurrency),
        Operation::GetAccountSettings => without!(look::get_account_settings),
        Operation::GetAlias => without!(alias::get_alias),
        Operation::GetFunction => without!(look::get_function),
        Operation::GetFunctionCodeSigningConfig => without!(look::get_function_code_signing_config),
        Operation::GetFunctionConcurrency => without!(setting::get_function_concurrency),
        Operation::GetFunctionConfiguration => without!(look::get_function_configuration),
        Operation::GetFunctionRecursionConfig => without!(look::get_function_recursion_config),
        Operation::GetPolicy => without!(permission::get_policy),
        Operation::GetRuntimeManagementConfig => without!(look::get_runtime_management_config),
        Operation::Invoke => invoke::invoke(request).await,
        Operation::ListAliases => without!(alias::list_aliases),
        Operation::ListFunctions => without!(look::list_functions),
        Operation::ListTags => without!(tag::list_tags),
        Operation::ListVersionsByFunction => without!(version::list_versions_by_function),
        Operation::PublishVersion => with_body!(version::publish_version),
        Operation::PutFunctionConcurrency => with_body!(setting::put_function_concurrency),
        Operation::RemovePermission => without!(permission::remove_permission),
        Operation::TagResource => with_body!(tag::tag_resource),
        Operation::UntagResource => without!(tag::untag_resource),
        Operation::UpdateAlias => with_body!(alias::update_alias),
        Operation::UpdateFunctionCode => with_body!(change::update_function_code),
        Operation::UpdateFunctionConfiguration => with_body!(change::update_function_configuration),
    }
}

/// An answer in JSON; nothing at all where the status says that there is nothing.
fn shown(status: u16, answer: &impl Serialize) -> Result<Reply, FunctionError> {
    let body =
        if status == NO_CONTENT { Vec::new() } else { serde_json::to_vec(answer).map_err(|_| broken())? };
    Ok(Reply { status, headers: Vec::new(), body: Zeroizing::new(body) })
}

const NO_CONTENT: u16 = 204;

fn broken() -> FunctionError {
    FunctionError::Store(pawl_store::StoreError::Broken("an answer that cannot be written"))
}

/// A function of the caller's region, as a request names it.
#[derive(Clone, Debug)]
struct Named {
    name: FunctionName,
    qualifier: Option<Qualifier>,
    /// Without the qualifier.
    arn: FunctionArn,
}

impl Named {
    /// The ARN with the qualifier that the request gave.
    fn qualified_arn(&self, request: &Request<'_>) -> FunctionArn {
        match &self.qualifier {
            None => self.arn.clone(),
            Some(qualifier) => request.arn_of(&self.name, qualifier),
        }
    }

    /// This, for an operation that is on the function as a whole.
    fn whole(self) -> Result<Self, FunctionError> {
        match &self.qualifier {
            None | Some(Qualifier::Latest) => Ok(Self { qualifier: None, ..self }),
            Some(_) => Err(FunctionError::Qualified),
        }
    }
}

impl Request<'_> {
    fn parameters(&self) -> &Parameters {
        &self.route.parameters
    }

    fn action(&self) -> &'static str {
        self.route.operation.action()
    }

    fn account(&self) -> &pawl_core::names::AccountId {
        self.host.app.account()
    }

    fn arn_of(&self, name: &FunctionName, qualifier: &Qualifier) -> FunctionArn {
        FunctionArn::qualified(&self.caller.region, self.account(), name.as_str(), qualifier)
    }

    /// The function that the path names, with the qualifier in it or in the query.
    async fn named(&self) -> Result<Named, FunctionError> {
        let qualifier = self.parameters().one("Qualifier")?.map(str::parse::<Qualifier>).transpose()?;
        let text = self.parameters().one("FunctionName")?.unwrap_or_default();
        self.function_of(text, qualifier, self.action()).await
    }

    /// The function that a text names, and that the caller's policies allow it to use so.
    async fn function_of(
        &self,
        text: &str,
        qualifier: Option<Qualifier>,
        ask: impl Into<FunctionAsk>,
    ) -> Result<Named, FunctionError> {
        let of = FunctionRef::parse(text)?.qualified_by(qualifier)?;
        let arn = self.host.app.function_arn(self.caller, &of.name);
        if !of.is_in(&self.caller.region, self.account()) {
            return Err(FunctionError::NotFound(FunctionArn::given(text.to_owned())));
        }
        // AWS: an invocation is of the version or the alias that it names; a function's policies are for what is done with it as a
        // whole.
        let qualifier = of.qualifier.as_ref().filter(|_| self.route.operation == Operation::Invoke);
        self.host.app.may(self.caller, ask, (&of.name, qualifier)).await?;
        Ok(Named { arn, name: of.name, qualifier: of.qualifier })
    }

    /// A function, as it is.
    async fn find(&self, named: &Named) -> Result<Found, FunctionError> {
        if let Some(own) = self.host.app.functions().own(named.name.as_str()) {
            return match named.qualifier {
                None | Some(Qualifier::Latest) => Ok(Found::Own(Arc::clone(own))),
                Some(_) => Err(FunctionError::NotFound(named.qualified_arn(self))),
            };
        }
        let stored = self.host.app.read_function(self.caller, self.action(), &named.name).await?;
        let Stored { function, .. } = stored.ok_or_else(|| FunctionError::NotFound(named.arn.clone()))?;
        Ok(Found::Stored(Box::new(function)))
    }

    /// An uploaded function, for what those of the host do not have.
    async fn find_stored(&self, named: &Named) -> Result<pawl_core::function::Function, FunctionError> {
        match self.find(named).await? {
            Found::Stored(function) => Ok(*function),
            Found::Own(_) => Err(FunctionError::BuiltIn(named.name.clone())),
        }
    }
}

/// A function that exists.
enum Found {
    /// One of the host's.
    Own(Arc<functions::Function>),
    /// An uploaded one.
    Stored(Box<pawl_core::function::Function>),
}

/// A policy's text.
fn document(policy: &Policy, arn: &FunctionArn) -> String {
    policy.document(arn).to_string()
}

/// The version that a qualifier names, for those who only look.
fn version_of(
    function: &pawl_core::function::Function,
    named: &Named,
) -> Result<FunctionVersion, FunctionError> {
    Ok(function.look_up(named.qualifier.as_ref())?.version)
}

/// An answer with nothing in it.
#[derive(Serialize)]
struct Nothing {}
