//! Tags.

use pawl_api::secrets_manager::shapes::{Empty, TagResourceRequest, UntagResourceRequest};

use super::Answer;
use super::secrets::tags;
use crate::app::{Action, Ask};
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.TagResource`
pub(super) async fn tag_resource(
    host: &Host,
    caller: &Caller,
    input: TagResourceRequest,
) -> Answer<TagResourceRequest> {
    let tags = tags(input.tags)?;
    host.app
        .change(caller, Ask::from(Action::TagResource).with_tags(&tags), &input.secret_id, |draft| {
            let now = draft.now;
            Ok(draft.secret.tag(tags.clone(), now)?)
        })
        .await?;
    Ok(Empty {})
}

/// `secretsmanager.UntagResource`
pub(super) async fn untag_resource(
    host: &Host,
    caller: &Caller,
    input: UntagResourceRequest,
) -> Answer<UntagResourceRequest> {
    let ask = Ask::from(Action::UntagResource).with_each("aws:TagKeys", &input.tag_keys);
    host.app
        .change(caller, ask, &input.secret_id, |draft| {
            let now = draft.now;
            Ok(draft.secret.untag(&input.tag_keys, now)?)
        })
        .await?;
    Ok(Empty {})
}
