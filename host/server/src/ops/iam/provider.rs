//! Identity providers of OpenID Connect.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{Node, list as list_of, rule, text};
use pawl_core::identity::{OidcProvider, put_tags, take_tags};
use pawl_core::limits;

use super::Answer;
use super::managed::must_be_few;
use super::page::page;
use super::request::{Failure, IamRequest, changed, deleted, made, refuse};
use super::shown::{moment, tags as shown_tags};
use crate::identity::{Kept, Snapshot};

fn arn<'a>(request: &IamRequest<'a>) -> Result<&'a str, ApiError> {
    request.form.required("OpenIDConnectProviderArn", &rule::PROVIDER_ARN)
}

fn find<'s>(
    request: &IamRequest<'_>,
    snapshot: &'s Snapshot,
    arn: &str,
) -> Result<&'s Kept<OidcProvider>, Failure> {
    let found = OidcProvider::url_of_arn(arn).and_then(|url| snapshot.providers.get(url));
    let found = found.filter(|held| held.value.arn(request.account()) == arn);
    let missing = || format!("OpenIDConnect Provider not found for arn {arn}");
    found.ok_or_else(|| refuse(ErrorCode::NoSuchEntity, missing()))
}

/// The thumbprints of a request: kept as they are, so they need only look like some.
fn thumbprints_of(request: &IamRequest<'_>) -> Result<Vec<String>, ApiError> {
    let admit = |text: &str| {
        let text = rule::THUMBPRINT.admit("thumbprintList", text)?;
        if text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Ok(text.to_ascii_lowercase());
        }
        Err(ApiError::new(ErrorCode::InvalidInput, format!("{text} is no SHA-1 thumbprint of a certificate")))
    };
    request.form.list("ThumbprintList").into_iter().map(admit).collect()
}

/// `CreateOpenIDConnectProvider`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let address = request.form.required("Url", &rule::PROVIDER_URL)?;
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidInput, message);
    let url = OidcProvider::url_of(address).ok_or_else(|| {
        invalid(format!(
            "Invalid Open ID Connect Provider URL: {address} (it must be https://HOST[:PORT][/PATH])"
        ))
    })?;
    let (tags, thumbprints) = (request.tags()?, thumbprints_of(request)?);
    let ids = request.form.list("ClientIDList").into_iter();
    let ids = ids.map(|id| rule::CLIENT_ID.admit("clientIDList", id)).collect::<Result<Vec<_>, _>>()?;
    let provider = request
        .change(|snapshot| {
            if snapshot.providers.contains_key(url) {
                let message = format!("Provider with url {address} already exists.");
                return Err(refuse(ErrorCode::EntityAlreadyExists, message));
            }
            let most = limits::PROVIDERS_MAX;
            must_be_few(snapshot.providers.len(), most, "OpenIdConnectProvidersPerAccount")?;
            let mut provider = OidcProvider::new(url, request.now());
            ids.iter().try_for_each(|id| provider.add_client_id(id))?;
            provider.set_thumbprints(thumbprints.clone())?;
            put_tags(&mut provider.tags, &tags, "TagsPerOpenIdConnectProvider")?;
            Ok((vec![made(&provider)?], provider))
        })
        .await?;
    let mut nodes = vec![text("OpenIDConnectProviderArn", provider.arn(request.account()))];
    nodes.extend(shown_tags(&provider.tags));
    Ok(Some(nodes))
}

/// `GetOpenIDConnectProvider`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let provider = &find(request, &snapshot, arn(request)?)?.value;
    let texts = |name, texts: &[String]| pawl_api::query::group(name, texts.iter().map(Node::member));
    let mut nodes = vec![
        text("Url", &provider.url),
        texts("ClientIDList", &provider.client_ids),
        texts("ThumbprintList", &provider.thumbprints),
        text("CreateDate", moment(provider.created_at)),
    ];
    nodes.extend(shown_tags(&provider.tags));
    Ok(Some(nodes))
}

/// `ListOpenIDConnectProviders`: all of them, as AWS has it.
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let account = request.account();
    let arns = snapshot.providers.values().map(|provider| [text("Arn", provider.value.arn(account))]);
    Ok(Some(vec![list_of("OpenIDConnectProviderList", arns)]))
}

/// `DeleteOpenIDConnectProvider`: one that is not there is no mistake, as AWS has it. Sessions that it has vouched for go on.
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let arn = arn(request)?;
    request
        .change(|snapshot| {
            let found = find(request, snapshot, arn).ok();
            Ok((found.map(deleted).into_iter().collect(), ()))
        })
        .await?;
    Ok(None)
}

async fn edit(
    request: &IamRequest<'_>,
    edit: impl Fn(&mut OidcProvider) -> Result<(), Failure> + Send + Sync,
) -> Answer {
    let arn = arn(request)?;
    request
        .change(|snapshot| {
            let held = find(request, snapshot, arn)?;
            let mut provider = OidcProvider::clone(&held.value);
            edit(&mut provider)?;
            Ok((vec![changed(held, &provider)?], ()))
        })
        .await?;
    Ok(None)
}

/// `UpdateOpenIDConnectProviderThumbprint`
pub(super) async fn thumbprints(request: &IamRequest<'_>) -> Answer {
    let thumbprints = thumbprints_of(request)?;
    edit(request, |provider| Ok(provider.set_thumbprints(thumbprints.clone())?)).await
}

/// `AddClientIDToOpenIDConnectProvider`
pub(super) async fn add_client_id(request: &IamRequest<'_>) -> Answer {
    let id = request.form.required("ClientID", &rule::CLIENT_ID)?;
    edit(request, |provider| Ok(provider.add_client_id(id)?)).await
}

/// `RemoveClientIDFromOpenIDConnectProvider`
pub(super) async fn remove_client_id(request: &IamRequest<'_>) -> Answer {
    let id = request.form.required("ClientID", &rule::CLIENT_ID)?;
    edit(request, |provider| {
        provider.remove_client_id(id);
        Ok(())
    })
    .await
}

/// `TagOpenIDConnectProvider`
pub(super) async fn tag(request: &IamRequest<'_>) -> Answer {
    let tags = request.tags()?;
    edit(request, |provider| Ok(put_tags(&mut provider.tags, &tags, "TagsPerOpenIdConnectProvider")?)).await
}

/// `UntagOpenIDConnectProvider`
pub(super) async fn untag(request: &IamRequest<'_>) -> Answer {
    let keys = request.form.list("TagKeys");
    edit(request, |provider| {
        take_tags(&mut provider.tags, &keys);
        Ok(())
    })
    .await
}

/// `ListOpenIDConnectProviderTags`
pub(super) fn tags(request: &IamRequest<'_>) -> Answer {
    let snapshot = request.host.directory.snapshot();
    let mut tags = find(request, &snapshot, arn(request)?)?.value.tags.clone();
    tags.sort_by(|one, other| one.key.cmp(&other.key));
    let items = tags.into_iter().map(|tag| {
        let nodes = vec![text("Key", &tag.key), text("Value", &tag.value)];
        (tag.key, nodes)
    });
    page(request, "Tags", items).map(Some)
}
