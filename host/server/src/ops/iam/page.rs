//! Pages of lists: by names, from a marker on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{Node, flag, group, list, rule, text};
use pawl_core::limits;

use super::Answer;
use super::request::IamRequest;

/// A page of `items`, which are ordered by their names, under the name of the list.
pub(super) fn page(
    request: &IamRequest<'_>,
    name: &'static str,
    items: impl IntoIterator<Item = (String, Vec<Node>)>,
) -> Result<Vec<Node>, ApiError> {
    let (members, mut rest) = cut(request, items)?;
    rest.insert(0, list(name, members));
    Ok(rest)
}

/// A page of names.
pub(super) fn names(
    request: &IamRequest<'_>,
    name: &'static str,
    items: impl IntoIterator<Item = String>,
) -> Result<Vec<Node>, ApiError> {
    let items = items.into_iter().map(|item| (item.clone(), vec![Node::member(item)]));
    let (members, mut rest) = cut(request, items)?;
    rest.insert(0, group(name, members.into_iter().flatten()));
    Ok(rest)
}

type Cut = (Vec<Vec<Node>>, Vec<Node>);

fn cut(
    request: &IamRequest<'_>,
    items: impl IntoIterator<Item = (String, Vec<Node>)>,
) -> Result<Cut, ApiError> {
    let most = request.form.number("MaxItems", 1, limits::IDENTITY_PAGE_MAX)?;
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(limits::IDENTITY_PAGE);
    let after = request.form.text("Marker", &rule::MARKER)?.map(open).transpose()?;
    let mut members = Vec::new();
    let mut last: Option<String> = None;
    for (name, nodes) in items.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
    {
        if members.len() >= most {
            let marker = URL_SAFE_NO_PAD.encode(last.unwrap_or_default());
            return Ok((members, vec![flag("IsTruncated", true), text("Marker", marker)]));
        }
        members.push(nodes);
        last = Some(name);
    }
    Ok((members, vec![flag("IsTruncated", false)]))
}

fn open(marker: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let wrong = || ApiError::new(ErrorCode::ValidationError, "Invalid Marker.");
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)
}

/// A list of what this server has none of.
pub(super) fn nothing(name: &'static str) -> Answer {
    Ok(Some(vec![group(name, []), flag("IsTruncated", false)]))
}
