//! The renewal of keys' material.

use pawl_api::kms::shapes::{
    DisableKeyRotationRequest, Empty, EnableKeyRotationRequest, GetKeyRotationStatusRequest,
    GetKeyRotationStatusResponse, KeyIdResponse, ListKeyRotationsRequest, ListKeyRotationsResponse,
    RotateKeyOnDemandRequest, RotationsListEntry,
};
use pawl_core::key::{Key, Material, RotationKind};
use pawl_core::limits;

use super::page::Page;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// `TrentService.EnableKeyRotation`
pub(super) async fn enable_key_rotation(
    host: &Host,
    caller: &Caller,
    input: EnableKeyRotationRequest,
) -> Answer<EnableKeyRotationRequest> {
    host.app
        .change_key(caller, "kms:EnableKeyRotation", &input.key_id, |draft| {
            let now = draft.now;
            Ok(draft.key.rotate_every(input.rotation_period_in_days, now)?)
        })
        .await?;
    Ok(Empty {})
}

/// `TrentService.DisableKeyRotation`
pub(super) async fn disable_key_rotation(
    host: &Host,
    caller: &Caller,
    input: DisableKeyRotationRequest,
) -> Answer<DisableKeyRotationRequest> {
    let edit = |draft: &mut crate::app::KeyDraft<'_>| Ok(draft.key.stop_rotating()?);
    host.app.change_key(caller, "kms:DisableKeyRotation", &input.key_id, edit).await?;
    Ok(Empty {})
}

/// `TrentService.GetKeyRotationStatus`
pub(super) async fn get_key_rotation_status(
    host: &Host,
    caller: &Caller,
    input: GetKeyRotationStatusRequest,
) -> Answer<GetKeyRotationStatusRequest> {
    let held = host.app.read_key(caller, "kms:GetKeyRotationStatus", &input.key_id).await?;
    let key = &held.key;
    key.must_rotate()?;
    // AWS: "there is no automatic rotation while the key is disabled or pending deletion", and the status shows what is set.
    let plan = key.rotation.filter(|_| key.must_stay().is_ok());
    Ok(GetKeyRotationStatusResponse {
        key_rotation_enabled: plan.is_some(),
        key_id: key.arn.to_string(),
        rotation_period_in_days: plan.map(|plan| plan.period_days),
        next_rotation_date: plan.map(|plan| plan.next_at.into()),
    })
}

/// `TrentService.RotateKeyOnDemand`. It is done when this answers.
pub(super) async fn rotate_key_on_demand(
    host: &Host,
    caller: &Caller,
    input: RotateKeyOnDemandRequest,
) -> Answer<RotateKeyOnDemandRequest> {
    let (arn, ()) = host
        .app
        .change_key(caller, "kms:RotateKeyOnDemand", &input.key_id, |draft| {
            draft.key.must_rotate_on_demand()?;
            draft.rotate(RotationKind::OnDemand)
        })
        .await?;
    Ok(KeyIdResponse { key_id: arn.to_string() })
}

/// `TrentService.ListKeyRotations`
pub(super) async fn list_key_rotations(
    host: &Host,
    caller: &Caller,
    input: ListKeyRotationsRequest,
) -> Answer<ListKeyRotationsRequest> {
    let held = host.app.read_key(caller, "kms:ListKeyRotations", &input.key_id).await?;
    let key = &held.key;
    key.must_rotate()?;
    let all = input.include_key_material.as_deref() == Some("ALL_KEY_MATERIAL");
    let list = format!("kms rotations of {} {all}", key.arn);
    let page = Page {
        list: &list,
        limit: input.limit,
        marker: input.marker.as_deref(),
        default: limits::KEY_PAGE_ENTRIES_DEFAULT,
        most: limits::KEY_PAGE_ENTRIES_MAX,
    };
    let after: u32 = page.after(host)?.and_then(|place| place.parse().ok()).unwrap_or(0);
    let shown = |material: &&Material| material.number > after && (all || material.rotation.is_some());
    let mut materials: Vec<&Material> = key.materials.iter().filter(shown).collect();
    let next_marker = page.cut(host, &mut materials, |material| material.number.to_string())?;
    let rotations = materials.into_iter().map(|material| entry(key, material)).collect();
    Ok(ListKeyRotationsResponse { rotations, truncated: next_marker.is_some(), next_marker })
}

fn entry(key: &Key, material: &Material) -> RotationsListEntry {
    let current = key.current() == Some(material);
    RotationsListEntry {
        key_id: key.arn.to_string(),
        key_material_id: material.id.to_string(),
        key_material_state: if current { "CURRENT" } else { "NON_CURRENT" }.to_owned(),
        rotation_date: material.rotation.map(|_| material.created_at.into()),
        rotation_type: material.rotation.map(|kind| {
            match kind {
                RotationKind::Automatic => "AUTOMATIC",
                RotationKind::OnDemand => "ON_DEMAND",
            }
            .to_owned()
        }),
    }
}
