//! Keys as wholes.

use pawl_api::error::ApiError;
use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{
    CancelKeyDeletionRequest, CreateKeyRequest, DescribeKeyRequest, DisableKeyRequest, Empty,
    EnableKeyRequest, KeyIdResponse, KeyListEntry, KeyMetadata, KeyMetadataResponse, ListKeysRequest,
    ListKeysResponse, ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse, UpdateKeyDescriptionRequest,
};
use pawl_core::key::{Key, KeyManager, KeySpec, KeyState, KeyUsage, NewKey};
use pawl_core::limits;
use pawl_core::secret::Tag;

use super::page::Page;
use super::{policy, tag};
use crate::app::ConditionKey;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// `TrentService.CreateKey`
pub(super) async fn create_key(
    host: &Host,
    caller: &Caller,
    mut input: CreateKeyRequest,
) -> Answer<CreateKeyRequest> {
    const ACTION: &str = "kms:CreateKey";
    let tags = tag::parse(input.tags.take().unwrap_or_default());
    let asked = asked(&input, tags.as_deref().unwrap_or_default());
    host.app.may_with_keys_given(caller, ACTION, &asked)?;
    let tags = tags?;
    if !tags.is_empty() {
        // AWS: who makes a key with tags needs the permission for those as well.
        host.app.may_with_keys_given(caller, tag::ACTION, &asked)?;
    }
    let spec = spec(&input).map_err(AppError::Api)?;
    only_what_is_served(&input).map_err(AppError::Api)?;
    let bypass = input.bypass_policy_lockout_safety_check.unwrap_or(false);
    let principals =
        input.policy.as_deref().map(|text| policy::check(host, caller, text, bypass)).transpose()?;
    let new = NewKey {
        region: caller.region.clone(),
        account: host.app.account().clone(),
        spec,
        manager: KeyManager::Customer,
        description: input.description.unwrap_or_default(),
        policy: input.policy,
        principals: principals.unwrap_or_default(),
        tags,
    };
    let held = host.app.create_key(caller, ACTION, new, &asked).await?;
    Ok(KeyMetadataResponse { key_metadata: metadata(host, &held.key) })
}

/// What policies may look at of a key that is to be.
fn asked(input: &CreateKeyRequest, tags: &[Tag]) -> Vec<ConditionKey> {
    let spec = input.key_spec.as_deref().or(input.customer_master_key_spec.as_deref());
    let usage = input.key_usage.as_deref().unwrap_or(KeyUsage::EncryptDecrypt.as_str());
    let mut asked = tag::asked(tags);
    for (key, value) in [
        ("kms:KeySpec", spec.unwrap_or(KeySpec::SymmetricDefault.as_str())),
        ("kms:KeyUsage", usage),
        ("kms:KeyOrigin", input.origin.as_deref().unwrap_or(ORIGIN)),
        ("kms:MultiRegion", spelt(input.multi_region)),
        ("kms:BypassPolicyLockoutSafetyCheck", spelt(input.bypass_policy_lockout_safety_check)),
    ] {
        asked.push((key.into(), value.to_owned()));
    }
    asked
}

const fn spelt(flag: Option<bool>) -> &'static str {
    if matches!(flag, Some(true)) { "true" } else { "false" }
}

/// What the key is to be made of, by either name of the member.
fn spec(input: &CreateKeyRequest) -> Result<KeySpec, ApiError> {
    let named = match (input.key_spec.as_deref(), input.customer_master_key_spec.as_deref()) {
        (Some(one), Some(other)) if one != other => return Err(refusal::two_key_specs()),
        (one, other) => one.or(other).unwrap_or(KeySpec::SymmetricDefault.as_str()),
    };
    let spec = KeySpec::from_wire(named).ok_or_else(|| refusal::spec_not_served(named))?;
    match input.key_usage.as_deref() {
        Some(usage) if usage != spec.usage().as_str() => Err(refusal::usage_of_spec(usage, spec)),
        None if spec.usage() != KeyUsage::EncryptDecrypt => Err(refusal::usage_missing()),
        _ => Ok(spec),
    }
}

fn only_what_is_served(input: &CreateKeyRequest) -> Result<(), ApiError> {
    if let Some(id) = &input.custom_key_store_id {
        return Err(refusal::no_key_store(id));
    }
    if input.origin.as_deref().is_some_and(|origin| origin != ORIGIN) || input.xks_key_id.is_some() {
        return Err(refusal::not_served("Keys with material from elsewhere"));
    }
    if input.multi_region == Some(true) {
        return Err(refusal::not_served("Keys of several regions"));
    }
    Ok(())
}

/// Where all material comes from: the host made it.
const ORIGIN: &str = "AWS_KMS";

/// A key as DescribeKey shows it.
pub(super) fn metadata(host: &Host, key: &Key) -> KeyMetadata {
    let (usage, spec) = (key.spec.usage(), key.spec.to_string());
    let only = |wanted: KeyUsage, algorithm: &str| (usage == wanted).then(|| vec![algorithm.to_owned()]);
    let deletion_date = match key.state {
        KeyState::PendingDeletion { purge_at, .. } => Some(purge_at.into()),
        KeyState::Enabled | KeyState::Disabled => None,
    };
    KeyMetadata {
        aws_account_id: host.app.account().to_string(),
        key_id: key.id.to_string(),
        arn: key.arn.to_string(),
        creation_date: key.created_at.into(),
        enabled: key.is_enabled(),
        description: key.description.clone(),
        key_usage: usage.to_string(),
        key_state: state(key.state).to_owned(),
        deletion_date,
        origin: ORIGIN.to_owned(),
        key_manager: match key.manager {
            KeyManager::Customer => "CUSTOMER".to_owned(),
            KeyManager::Aws => "AWS".to_owned(),
        },
        customer_master_key_spec: spec.clone(),
        key_spec: spec,
        multi_region: false,
        encryption_algorithms: only(KeyUsage::EncryptDecrypt, "SYMMETRIC_DEFAULT"),
        mac_algorithms: only(KeyUsage::GenerateVerifyMac, super::mac::ALGORITHM),
        current_key_material_id: key
            .current()
            .filter(|_| usage == KeyUsage::EncryptDecrypt)
            .map(|material| material.id.to_string()),
    }
}

const fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Enabled => "Enabled",
        KeyState::Disabled => "Disabled",
        KeyState::PendingDeletion { .. } => "PendingDeletion",
    }
}

/// `TrentService.DescribeKey`
pub(super) async fn describe_key(
    host: &Host,
    caller: &Caller,
    input: DescribeKeyRequest,
) -> Answer<DescribeKeyRequest> {
    let held = host.app.read_key(caller, "kms:DescribeKey", &input.key_id).await?;
    Ok(KeyMetadataResponse { key_metadata: metadata(host, &held.key) })
}

/// `TrentService.ListKeys`
pub(super) async fn list_keys(
    host: &Host,
    caller: &Caller,
    input: ListKeysRequest,
) -> Answer<ListKeysRequest> {
    let list = format!("kms keys of {}", caller.region);
    let page = Page {
        list: &list,
        limit: input.limit,
        marker: input.marker.as_deref(),
        default: limits::KEY_PAGE_ENTRIES_DEFAULT,
        most: limits::KEY_PAGE_ENTRIES_MAX,
    };
    let (after, most) = (page.after(host)?, page.size()?.saturating_add(1));
    let mut keys = host.app.list_keys(caller, "kms:ListKeys", after.as_deref(), most).await?;
    let next_marker = page.cut(host, &mut keys, |key| key.id.to_string())?;
    let keys =
        keys.into_iter().map(|key| KeyListEntry { key_id: key.id.to_string(), key_arn: key.arn.to_string() });
    Ok(ListKeysResponse { keys: keys.collect(), truncated: next_marker.is_some(), next_marker })
}

/// `TrentService.UpdateKeyDescription`
pub(super) async fn update_key_description(
    host: &Host,
    caller: &Caller,
    input: UpdateKeyDescriptionRequest,
) -> Answer<UpdateKeyDescriptionRequest> {
    let edit = |draft: &mut crate::app::KeyDraft<'_>| {
        draft.key.must_stay()?;
        draft.key.description.clone_from(&input.description);
        Ok(())
    };
    host.app.change_key(caller, "kms:UpdateKeyDescription", &input.key_id, edit).await?;
    Ok(Empty {})
}

/// `TrentService.EnableKey`
pub(super) async fn enable_key(
    host: &Host,
    caller: &Caller,
    input: EnableKeyRequest,
) -> Answer<EnableKeyRequest> {
    host.app.change_key(caller, "kms:EnableKey", &input.key_id, |draft| Ok(draft.key.enable()?)).await?;
    Ok(Empty {})
}

/// `TrentService.DisableKey`
pub(super) async fn disable_key(
    host: &Host,
    caller: &Caller,
    input: DisableKeyRequest,
) -> Answer<DisableKeyRequest> {
    host.app.change_key(caller, "kms:DisableKey", &input.key_id, |draft| Ok(draft.key.disable()?)).await?;
    Ok(Empty {})
}

/// `TrentService.ScheduleKeyDeletion`
pub(super) async fn schedule_key_deletion(
    host: &Host,
    caller: &Caller,
    input: ScheduleKeyDeletionRequest,
) -> Answer<ScheduleKeyDeletionRequest> {
    let days = input.pending_window_in_days.unwrap_or(limits::KEY_DELETION_DAYS_MAX);
    let (arn, purge_at) = host
        .app
        .change_key(caller, "kms:ScheduleKeyDeletion", &input.key_id, |draft| {
            let now = draft.now;
            Ok(draft.key.schedule_deletion(days, now)?)
        })
        .await?;
    Ok(ScheduleKeyDeletionResponse {
        key_id: arn.to_string(),
        deletion_date: purge_at.into(),
        key_state: "PendingDeletion".to_owned(),
        pending_window_in_days: days,
    })
}

/// `TrentService.CancelKeyDeletion`
pub(super) async fn cancel_key_deletion(
    host: &Host,
    caller: &Caller,
    input: CancelKeyDeletionRequest,
) -> Answer<CancelKeyDeletionRequest> {
    let (arn, ()) = host
        .app
        .change_key(caller, "kms:CancelKeyDeletion", &input.key_id, |draft| {
            Ok(draft.key.cancel_deletion()?)
        })
        .await?;
    Ok(KeyIdResponse { key_id: arn.to_string() })
}
