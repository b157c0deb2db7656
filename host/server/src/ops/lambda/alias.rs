//! Aliases.

use pawl_api::lambda::shapes::{
    AliasConfiguration, AliasRouting, CreateAliasRequest, ListAliasesResponse, UpdateAliasRequest,
};
use pawl_core::function::{
    AliasError, AliasName, AliasRequest, Function, FunctionVersion, Routing, Weight, checked_description,
};

use super::page::Wanted;
use super::{Found, Nothing, Request, broken, view};
use crate::app::FunctionFate;
use crate::functions::FunctionError;

/// `CreateAlias`
pub(super) async fn create_alias(
    request: &Request<'_>,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let name = input.name.ok_or_else(|| FunctionError::malformed("name", "not be null"))?;
    let name = AliasName::try_from(name)?;
    if input.function_version.is_none() {
        return Err(FunctionError::malformed("functionVersion", "not be null"));
    }
    let wanted = wanted(input.function_version, input.description, input.routing_config)?;
    let app = &request.host.app;
    let (function, ()) = app
        .change_function(request.caller, request.action(), &named.name, None, |function, _| {
            function.create_alias(name.clone(), wanted.clone(), &**app.rng())?;
            Ok(((), FunctionFate::Kept))
        })
        .await?;
    shown(request, &function, &name)
}

/// `UpdateAlias`
pub(super) async fn update_alias(
    request: &Request<'_>,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let name = name(request)?;
    let expected = input.revision_id.as_deref().filter(|text| !text.is_empty());
    let wanted = wanted(input.function_version, input.description, input.routing_config)?;
    let app = &request.host.app;
    let (function, ()) = app
        .change_function(request.caller, request.action(), &named.name, None, |function, _| {
            function.update_alias(&name, wanted.clone(), expected, &**app.rng())?;
            Ok(((), FunctionFate::Kept))
        })
        .await?;
    shown(request, &function, &name)
}

fn name(request: &Request<'_>) -> Result<AliasName, FunctionError> {
    Ok(AliasName::try_from(request.parameters().one("Name")?.unwrap_or_default().to_owned())?)
}

fn wanted(
    version: Option<String>,
    description: Option<String>,
    routing: Option<AliasRouting>,
) -> Result<AliasRequest, FunctionError> {
    Ok(AliasRequest {
        version: version.map(|text| text.parse::<FunctionVersion>()).transpose()?,
        description: description.map(checked_description).transpose()?,
        routing: routing.map(routed).transpose()?,
    })
}

/// Where an alias sends some of its invocations: nowhere else, when no version is named.
fn routed(routing: AliasRouting) -> Result<Option<Routing>, FunctionError> {
    let mut weights = routing.additional_version_weights.unwrap_or_default().into_iter();
    let Some((version, weight)) = weights.next() else { return Ok(None) };
    if weights.next().is_some() {
        return Err(FunctionError::invalid(
            "an alias divides its invocations between two versions, its own and one other",
        ));
    }
    let weight = Weight::from_fraction(weight).ok_or_else(|| {
        FunctionError::malformed("routingConfig.additionalVersionWeights", "be from 0.0 to 1.0")
    })?;
    Ok(Some(Routing { version: version.parse()?, weight }))
}

fn shown(
    request: &Request<'_>,
    function: &Function,
    name: &AliasName,
) -> Result<AliasConfiguration, FunctionError> {
    let alias = function.aliases.get(name).ok_or_else(broken)?;
    Ok(view::alias(request, function, name, alias))
}

/// `GetAlias`
pub(super) async fn get_alias(request: &Request<'_>) -> Result<AliasConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let name = name(request)?;
    let not_found = || FunctionError::Alias(AliasError::NotFound(name.clone()));
    match request.find(&named).await? {
        Found::Own(_) => Err(not_found()),
        Found::Stored(function) => {
            let alias = function.aliases.get(&name).ok_or_else(not_found)?;
            Ok(view::alias(request, &function, &name, alias))
        }
    }
}

/// `DeleteAlias`
pub(super) async fn delete_alias(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    let named = request.named().await?.whole()?;
    let name = name(request)?;
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        function.delete_alias(&name);
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `ListAliases`
pub(super) async fn list_aliases(request: &Request<'_>) -> Result<ListAliasesResponse, FunctionError> {
    let named = request.named().await?.whole()?;
    let wanted: Wanted<AliasName> = Wanted::of(request, format!("lambda:ListAliases {}", named.arn))?;
    let of = request.parameters().one("FunctionVersion")?.filter(|text| !text.is_empty());
    let of = of.map(str::parse::<FunctionVersion>).transpose()?;
    let entries: Vec<_> = match request.find(&named).await? {
        Found::Own(_) => Vec::new(),
        Found::Stored(function) => function
            .aliases
            .iter()
            .filter(|(_, alias)| match of {
                None => true,
                Some(FunctionVersion::Latest) => alias.version == FunctionVersion::Latest,
                Some(FunctionVersion::Published(number)) => alias.leads_to(number),
            })
            .map(|(name, alias)| (name.clone(), view::alias(request, &function, name, alias)))
            .collect(),
    };
    let (aliases, next_marker) = wanted.cut(request, entries);
    Ok(ListAliasesResponse { aliases, next_marker })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(all: &[(&str, f64)]) -> AliasRouting {
        let weights = all.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        AliasRouting { additional_version_weights: Some(weights) }
    }

    #[test]
    fn routing_is_to_one_other_version() {
        assert_eq!(routed(AliasRouting::default()).unwrap(), None);
        assert_eq!(routed(weights(&[])).unwrap(), None);
        let routing = routed(weights(&[("2", 0.25)])).unwrap().unwrap();
        assert!(routing.version.to_string() == "2" && (routing.weight.fraction() - 0.25).abs() < 1e-9);
        for wrong in [
            weights(&[("2", 1.5)]),
            weights(&[("2", -0.1)]),
            weights(&[("2", f64::NAN)]),
            weights(&[("$LATEST", 0.5)]),
            weights(&[("live", 0.5)]),
            weights(&[("1", 0.5), ("2", 0.5)]),
        ] {
            assert!(routed(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
