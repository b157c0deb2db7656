//! Tags of keys.

use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{
    self, Empty, ListResourceTagsRequest, ListResourceTagsResponse, TagResourceRequest, UntagResourceRequest,
};
use pawl_core::limits;
use pawl_core::secret::Tag;

use super::page::Page;
use crate::app::ConditionKey;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;
use crate::policy::request_tags;

/// What allows it to tag a key, be it a new one.
pub(super) const ACTION: &str = "kms:TagResource";

/// The condition keys of tags that a request sets.
pub(super) fn asked(tags: &[Tag]) -> Vec<ConditionKey> {
    request_tags(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))).collect()
}

/// Tags from the wire; the shape's check has seen to the lengths of their parts.
pub(super) fn parse(tags: Vec<shapes::Tag>) -> Result<Vec<Tag>, AppError> {
    let mut parsed: Vec<Tag> = Vec::with_capacity(tags.len());
    for shapes::Tag { tag_key: key, tag_value: value } in tags {
        must_be_free(&key)?;
        if parsed.iter().any(|held| held.key == key) {
            return Err(AppError::Api(refusal::tag_twice(key)));
        }
        parsed.push(Tag { key, value });
    }
    Ok(parsed)
}

fn must_be_free(key: &str) -> Result<(), AppError> {
    let reserved = key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if reserved { Err(AppError::Api(refusal::reserved_tag())) } else { Ok(()) }
}

/// `TrentService.TagResource`
pub(super) async fn tag_resource(
    host: &Host,
    caller: &Caller,
    input: TagResourceRequest,
) -> Answer<TagResourceRequest> {
    let tags = parse(input.tags)?;
    let asked = asked(&tags);
    host.app
        .change_key_asked(caller, ACTION, &input.key_id, &asked, |draft| {
            draft.key.must_stay()?;
            Ok(draft.key.tag(tags.clone())?)
        })
        .await?;
    Ok(Empty {})
}

/// `TrentService.UntagResource`
pub(super) async fn untag_resource(
    host: &Host,
    caller: &Caller,
    input: UntagResourceRequest,
) -> Answer<UntagResourceRequest> {
    input.tag_keys.iter().try_for_each(|key| must_be_free(key))?;
    let asked: Vec<ConditionKey> =
        input.tag_keys.iter().map(|key| ("aws:TagKeys".into(), key.clone())).collect();
    host.app
        .change_key_asked(caller, "kms:UntagResource", &input.key_id, &asked, |draft| {
            draft.key.must_stay()?;
            draft.key.untag(&input.tag_keys);
            Ok(())
        })
        .await?;
    Ok(Empty {})
}

/// `TrentService.ListResourceTags`
pub(super) async fn list_resource_tags(
    host: &Host,
    caller: &Caller,
    input: ListResourceTagsRequest,
) -> Answer<ListResourceTagsRequest> {
    let held = host.app.read_key(caller, "kms:ListResourceTags", &input.key_id).await?;
    let list = format!("kms tags of {}", held.key.arn);
    let page = Page {
        list: &list,
        limit: input.limit,
        marker: input.marker.as_deref(),
        default: limits::KEY_PAGE_ENTRIES_FEW,
        most: limits::KEY_PAGE_ENTRIES_FEW,
    };
    let after = page.after(host)?;
    let mut tags: Vec<&Tag> = held.key.tags.iter().collect();
    if let Some(after) = after {
        let place = tags.iter().position(|tag| tag.key == after).map_or(0, |place| place.saturating_add(1));
        tags.drain(..place.min(tags.len()));
    }
    let next_marker = page.cut(host, &mut tags, |tag| tag.key.clone())?;
    let tags = tags
        .into_iter()
        .map(|tag| shapes::Tag { tag_key: tag.key.clone(), tag_value: tag.value.clone() })
        .collect();
    Ok(ListResourceTagsResponse { tags, truncated: next_marker.is_some(), next_marker })
}
