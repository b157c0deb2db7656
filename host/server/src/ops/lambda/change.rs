//! Functions come, change and go.

use pawl_api::lambda::shapes::{
    CreateFunctionRequest, FunctionConfiguration, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use pawl_api::lambda::{Operation, admit};
use pawl_core::function::{
    Configuration, Function, FunctionVersion, PublishRequest, Qualifier, VersionNumber,
};

use super::code::{Uploaded, upload};
use super::setting::{Said, must_be_let_pass};
use super::{Named, Nothing, Request, view};
use crate::app::{FunctionAsk, FunctionFate};
use crate::functions::FunctionError;

/// `CreateFunction`
pub(super) async fn create_function(
    request: &Request<'_>,
    input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, FunctionError> {
    let text = input.function_name.ok_or_else(|| FunctionError::malformed("functionName", "not be null"))?;
    let tags = input.tags.unwrap_or_default();
    let ask = FunctionAsk::from(request.action()).with_tags(&tags);
    let named = request.function_of(&text, None, ask.clone()).await?.whole()?;
    if !tags.is_empty() {
        // AWS: who makes a function with tags needs the permission for those as well.
        let ask = FunctionAsk::from(Operation::TagResource.action()).with_tags(&tags);
        request.host.app.may(request.caller, ask, (&named.name, None)).await?;
    }
    let role = input.role.ok_or_else(|| FunctionError::malformed("role", "not be null"))?;
    must_be_let_pass(request, &named, &role)?;
    let code = input.code.ok_or_else(|| FunctionError::malformed("code", "not be null"))?;
    admit(&code.rest)?;
    let package = code.zip_file.ok_or_else(no_package)?;
    let mut said = Said {
        description: input.description,
        role: Some(role),
        runtime: input.runtime,
        handler: input.handler,
        timeout: input.timeout,
        memory: input.memory_size,
        environment: input.environment,
    };
    must_be_new(request, &named, ask).await?;
    let Uploaded { code, stored, manifest } = upload(request, &named.name, package.0).await?;
    said.description = said.description.or(manifest.description);
    said.timeout = said.timeout.or(manifest.timeout.map(i64::from));
    said.memory = said.memory.or(manifest.memory.map(i64::from));
    let configuration = said.on(Configuration::default())?;
    let app = &request.host.app;
    let (now, rng) = (app.clock().now(), &**app.rng());
    let region = request.caller.region.clone();
    let mut function = Function::create(region, named.name.clone(), code, configuration, now, rng);
    function.tag(tags)?;
    let published = input.publish.unwrap_or_default();
    let published = published.then(|| function.publish(PublishRequest::default(), now, rng)).transpose()?;
    let function = app.create_function(request.caller, request.action(), function, stored).await?;
    let version = published.map_or(FunctionVersion::Latest, FunctionVersion::Published);
    Ok(view::configuration(&function, version, &named.arn))
}

fn no_package() -> FunctionError {
    FunctionError::invalid(
        "Please provide a source for function code: ZipFile, a zip that holds one WebAssembly component, or the component itself",
    )
}

/// Says at once what would be said after the component was compiled.
async fn must_be_new(request: &Request<'_>, named: &Named, ask: FunctionAsk) -> Result<(), FunctionError> {
    let app = &request.host.app;
    if app.functions().own(named.name.as_str()).is_some() {
        return Err(FunctionError::BuiltIn(named.name.clone()));
    }
    if app.functions().is_reserved(named.name.as_str()) {
        return Err(FunctionError::Reserved(named.name.clone()));
    }
    match app.read_function(request.caller, ask, &named.name).await? {
        Some(_) => Err(FunctionError::Exists(named.name.clone())),
        None => Ok(()),
    }
}

/// `UpdateFunctionCode`
pub(super) async fn update_function_code(
    request: &Request<'_>,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let package = input.zip_file.ok_or_else(no_package)?;
    let expected = input.revision_id.as_deref().filter(|text| !text.is_empty());
    let app = &request.host.app;
    let before = request.find_stored(&named).await?;
    let Uploaded { code, stored, .. } = upload(request, &named.name, package.0).await?;
    let publish = input.publish.unwrap_or_default();
    let rng = &**app.rng();
    let edit = |function: &mut Function, now| {
        function.update_code(code.clone(), expected, now, rng)?;
        let published = publish.then(|| function.publish(PublishRequest::default(), now, rng)).transpose()?;
        Ok((published, FunctionFate::Kept))
    };
    let (function, published) = if input.dry_run.unwrap_or_default() {
        let mut function = before;
        let (published, _) = edit(&mut function, app.clock().now())?;
        (function, published)
    } else {
        app.change_function(request.caller, request.action(), &named.name, Some(stored), edit).await?
    };
    Ok(published_view(request, &named, &function, published))
}

/// What was published under its own ARN, or `$LATEST` under the function's.
fn published_view(
    request: &Request<'_>,
    named: &Named,
    function: &Function,
    published: Option<VersionNumber>,
) -> FunctionConfiguration {
    match published {
        None => view::configuration(function, FunctionVersion::Latest, &named.arn),
        Some(number) => {
            let arn = request.arn_of(&named.name, &Qualifier::Version(number));
            view::configuration(function, FunctionVersion::Published(number), &arn)
        }
    }
}

/// `UpdateFunctionConfiguration`
pub(super) async fn update_function_configuration(
    request: &Request<'_>,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let app = &request.host.app;
    let expected = input.revision_id.as_deref().filter(|text| !text.is_empty());
    if let Some(role) = &input.role {
        must_be_let_pass(request, &named, role)?;
    }
    let said = Said {
        description: input.description,
        role: input.role,
        runtime: input.runtime,
        handler: input.handler,
        timeout: input.timeout,
        memory: input.memory_size,
        environment: input.environment,
    };
    let (function, ()) = app
        .change_function(request.caller, request.action(), &named.name, None, |function, now| {
            let configuration = said.clone().on(function.latest.configuration.clone())?;
            function.update_configuration(configuration, expected, now, &**app.rng())?;
            Ok(((), FunctionFate::Kept))
        })
        .await?;
    Ok(view::configuration(&function, FunctionVersion::Latest, &named.arn))
}

/// `DeleteFunction`
pub(super) async fn delete_function(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    let named = request.named().await?;
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        match &named.qualifier {
            None => Ok(((), FunctionFate::Deleted)),
            Some(qualifier) => {
                function.delete_version(qualifier)?;
                Ok(((), FunctionFate::Kept))
            }
        }
    })
    .await?;
    Ok(Nothing {})
}
