//! Versions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_api::lambda::shapes::{FunctionConfiguration, ListVersionsResponse, PublishVersionRequest};
use pawl_core::function::{Digest, FunctionVersion, PublishRequest, Qualifier, checked_description};

use super::look::every;
use super::page::Wanted;
use super::{Found, Request, view};
use crate::app::FunctionFate;
use crate::functions::FunctionError;

/// `PublishVersion`
pub(super) async fn publish_version(
    request: &Request<'_>,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, FunctionError> {
    let named = request.named().await?.whole()?;
    let description =
        input.description.filter(|text| !text.is_empty()).map(checked_description).transpose()?;
    let digest = input.code_sha256.filter(|text| !text.is_empty()).map(|text| digest(&text)).transpose()?;
    let expected = input.revision_id.as_deref().filter(|text| !text.is_empty());
    let app = &request.host.app;
    let (function, number) = app
        .change_function(request.caller, request.action(), &named.name, None, |function, now| {
            let asked = PublishRequest { description: description.clone(), digest, expected };
            Ok((function.publish(asked, now, &**app.rng())?, FunctionFate::Kept))
        })
        .await?;
    let arn = request.arn_of(&named.name, &Qualifier::Version(number));
    Ok(view::configuration(&function, FunctionVersion::Published(number), &arn))
}

/// AWS's CodeSha256.
fn digest(text: &str) -> Result<Digest, FunctionError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes
        .map(Digest::from_bytes)
        .ok_or_else(|| FunctionError::invalid("the CodeSha256 is the SHA-256 of a package, in base64"))
}

/// `ListVersionsByFunction`
pub(super) async fn list_versions_by_function(
    request: &Request<'_>,
) -> Result<ListVersionsResponse, FunctionError> {
    let named = request.named().await?.whole()?;
    let wanted: Wanted<FunctionVersion> =
        Wanted::of(request, format!("lambda:ListVersionsByFunction {}", named.arn))?;
    let entries: Vec<_> = match request.find(&named).await? {
        Found::Own(own) => {
            let latest = FunctionVersion::Latest;
            let arn = request.arn_of(&named.name, &latest.into());
            vec![(latest, view::listed(view::own(&own, &arn)))]
        }
        Found::Stored(function) => every(&function)
            .map(|version| {
                let arn = request.arn_of(&named.name, &version.into());
                (version, view::listed(view::configuration(&function, version, &arn)))
            })
            .collect(),
    };
    let (versions, next_marker) = wanted.cut(request, entries);
    Ok(ListVersionsResponse { versions, next_marker })
}
