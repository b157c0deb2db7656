//! Tags of functions.

use pawl_api::lambda::shapes::{ListTagsResponse, TagResourceRequest};

use super::{Found, Named, Nothing, Request};
use crate::app::{FunctionAsk, FunctionFate};
use crate::functions::FunctionError;

/// The function whose ARN the path is.
async fn resource(request: &Request<'_>, ask: impl Into<FunctionAsk>) -> Result<Named, FunctionError> {
    let text = request.parameters().one("Resource")?.unwrap_or_default();
    if !text.starts_with("arn:") {
        return Err(FunctionError::malformed("resource", "be the ARN of a function"));
    }
    request.function_of(text, None, ask).await?.whole()
}

/// `TagResource`
pub(super) async fn tag_resource(
    request: &Request<'_>,
    input: TagResourceRequest,
) -> Result<Nothing, FunctionError> {
    let given = input.tags.is_some();
    let tags = input.tags.unwrap_or_default();
    let ask = FunctionAsk::from(request.action()).with_tags(&tags);
    let named = resource(request, ask.clone()).await?;
    if !given {
        return Err(FunctionError::malformed("tags", "not be null"));
    }
    let app = &request.host.app;
    app.change_function(request.caller, ask, &named.name, None, |function, _| {
        function.tag(tags.clone())?;
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `UntagResource`
pub(super) async fn untag_resource(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    let keys: Vec<String> = request.parameters().all("tagKeys").map(str::to_owned).collect();
    let ask = FunctionAsk::from(request.action()).without_tags(&keys);
    let named = resource(request, ask.clone()).await?;
    if keys.is_empty() {
        return Err(FunctionError::malformed("tagKeys", "not be null"));
    }
    let app = &request.host.app;
    app.change_function(request.caller, ask, &named.name, None, |function, _| {
        function.untag(&keys);
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `ListTags`
pub(super) async fn list_tags(request: &Request<'_>) -> Result<ListTagsResponse, FunctionError> {
    Ok(match request.find(&resource(request, request.action()).await?).await? {
        Found::Own(_) => ListTagsResponse::default(),
        Found::Stored(function) => ListTagsResponse { tags: function.tags },
    })
}
