//! Tags of functions.

use pawl_api::lambda::shapes::{ListTagsResponse, TagResourceRequest};

use super::{Found, Named, Nothing, Request};
use crate::app::FunctionFate;
use crate::functions::FunctionError;

/// The function whose ARN the path is.
fn resource(request: &Request<'_>) -> Result<Named, FunctionError> {
    let text = request.parameters().one("Resource")?.unwrap_or_default();
    if !text.starts_with("arn:") {
        return Err(FunctionError::malformed("resource", "be the ARN of a function"));
    }
    request.function_of(text, None)?.whole()
}

/// `TagResource`
pub(super) async fn tag_resource(
    request: &Request<'_>,
    input: TagResourceRequest,
) -> Result<Nothing, FunctionError> {
    let named = resource(request)?;
    let tags = input.tags.ok_or_else(|| FunctionError::malformed("tags", "not be null"))?;
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        function.tag(tags.clone())?;
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `UntagResource`
pub(super) async fn untag_resource(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    let named = resource(request)?;
    let keys: Vec<String> = request.parameters().all("tagKeys").map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(FunctionError::malformed("tagKeys", "not be null"));
    }
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        function.untag(&keys);
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `ListTags`
pub(super) async fn list_tags(request: &Request<'_>) -> Result<ListTagsResponse, FunctionError> {
    Ok(match request.find(&resource(request)?).await? {
        Found::Own(_) => ListTagsResponse::default(),
        Found::Stored(function) => ListTagsResponse { tags: function.tags },
    })
}
