//! Aliases.

use pawl_api::kms::shapes::{
    AliasListEntry, CreateAliasRequest, DeleteAliasRequest, Empty, ListAliasesRequest, ListAliasesResponse,
    UpdateAliasRequest,
};
use pawl_core::key::AliasName;
use pawl_core::limits;

use super::page::Page;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// `TrentService.CreateAlias`
pub(super) async fn create_alias(
    host: &Host,
    caller: &Caller,
    input: CreateAliasRequest,
) -> Answer<CreateAliasRequest> {
    let name = AliasName::try_from(input.alias_name)?;
    host.app.create_alias(caller, &name, &input.target_key_id).await?;
    Ok(Empty {})
}

/// `TrentService.UpdateAlias`
pub(super) async fn update_alias(
    host: &Host,
    caller: &Caller,
    input: UpdateAliasRequest,
) -> Answer<UpdateAliasRequest> {
    let name = AliasName::try_from(input.alias_name)?;
    host.app.update_alias(caller, &name, &input.target_key_id).await?;
    Ok(Empty {})
}

/// `TrentService.DeleteAlias`
pub(super) async fn delete_alias(
    host: &Host,
    caller: &Caller,
    input: DeleteAliasRequest,
) -> Answer<DeleteAliasRequest> {
    let name = AliasName::try_from(input.alias_name)?;
    host.app.delete_alias(caller, &name).await?;
    Ok(Empty {})
}

/// `TrentService.ListAliases`
pub(super) async fn list_aliases(
    host: &Host,
    caller: &Caller,
    input: ListAliasesRequest,
) -> Answer<ListAliasesRequest> {
    let of = match &input.key_id {
        Some(named) => Some(host.app.read_key(caller, "kms:ListAliases", named).await?.key.id),
        None => None,
    };
    let list = format!("kms aliases of {} {of:?}", caller.region);
    let page = Page {
        list: &list,
        limit: input.limit,
        marker: input.marker.as_deref(),
        default: limits::KEY_PAGE_ENTRIES_FEW,
        most: limits::KEY_PAGE_ENTRIES_DEFAULT,
    };
    let (after, most) = (page.after(host)?, page.size()?.saturating_add(1));
    let mut aliases = host.app.list_aliases(caller, of, after.as_deref(), most).await?;
    let next_marker = page.cut(host, &mut aliases, |alias| alias.name.to_string())?;
    let aliases = aliases.into_iter().map(|alias| AliasListEntry {
        alias_arn: alias.name.arn(&caller.region, host.app.account()),
        alias_name: alias.name.to_string(),
        target_key_id: alias.target.to_string(),
        creation_date: alias.created_at.into(),
        last_updated_date: alias.updated_at.into(),
    });
    Ok(ListAliasesResponse { aliases: aliases.collect(), truncated: next_marker.is_some(), next_marker })
}
