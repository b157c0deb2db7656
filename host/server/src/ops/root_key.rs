//! The root key: how the store's keys stand, and moving them under another one.

use pawl_api::error::ErrorCode;
use pawl_api::pawl::{
    DescribeRootKeyRequest, DescribeRootKeyResponse, EndedRootKeyRotation, ForgetRootKeysRequest,
    ForgetRootKeysResponse, KeyEncryptionKeyView, KeyHostView, RootKeyRotationView, RootKeyView,
    RotateRootKeyRequest, RotateRootKeyResponse,
};
use pawl_core::limits;
use pawl_keyring::{KeyState, Phase};

use super::Answer;
use crate::audit::Asker;
use crate::error::{AppError, refuse};
use crate::host::Host;
use crate::identity::Caller;
use crate::root_key::{KeeperError, Standing};

/// `Pawl.DescribeRootKey`
pub(super) async fn describe_root_key(
    host: &Host,
    caller: &Caller,
    _input: DescribeRootKeyRequest,
) -> Answer<DescribeRootKeyRequest> {
    host.app.administer(caller)?;
    let standing = host.keeper.standing().await.map_err(told)?;
    Ok(view(host, &standing))
}

fn view(host: &Host, standing: &Standing) -> DescribeRootKeyResponse {
    let record = &standing.unlocked.record;
    let slots = record.slots();
    let target =
        record.rotation().map(|rotation| rotation.to).or_else(|| slots.first().map(|slot| slot.root));
    let keys = record.keys().map(|(id, state, created_at)| KeyEncryptionKeyView {
        id: id.to_string(),
        state: match state {
            KeyState::Announced => "Announced",
            KeyState::Active => "Active",
            KeyState::Former { .. } => "Former",
        }
        .to_owned(),
        created_date: created_at.to_string(),
        until_date: match state {
            KeyState::Former { until } => Some(until.to_string()),
            KeyState::Announced | KeyState::Active => None,
        },
    });
    let hosts = standing.hosts.iter().map(|(id, word)| KeyHostView {
        id: id.clone(),
        there: word.seen + limits::KEY_HOST_GONE > standing.now,
        has_new_root_key: target.is_some_and(|target| word.roots.contains(&target)),
        last_seen: word.seen.into(),
    });
    let work = standing.work.as_ref().filter(|work| work.key == record.active());
    let rotation = record.rotation().map(|rotation| RootKeyRotationView {
        from: rotation.from.to_string(),
        to: rotation.to.to_string(),
        phase: match rotation.phase {
            Phase::Publishing => "Publishing",
            Phase::Rewrapping => "Rewrapping",
        }
        .to_owned(),
        began_date: rotation.began_at.to_string(),
        resealed: work.map_or(0, |work| work.resealed),
        looked_at: work.map_or(0, |work| work.looked),
        unreadable: work.map_or(0, |work| work.unreadable),
    });
    let former = host.keeper.roots().in_files().into_iter();
    let former = former.filter(|id| !slots.iter().any(|slot| slot.root == *id));
    DescribeRootKeyResponse {
        root_keys: slots
            .iter()
            .map(|slot| RootKeyView {
                id: slot.root.to_string(),
                provider: slot.provider.clone(),
                created_date: slot.created_at.to_string(),
            })
            .collect(),
        keys: keys.collect(),
        hosts: hosts.collect(),
        former_root_keys: former.map(|id| id.to_string()).collect(),
        providers: host.keeper.roots().describe(),
        rotation,
        last_rotation: record.ended().map(|ended| EndedRootKeyRotation {
            from: ended.from.to_string(),
            to: ended.to.to_string(),
            began_date: ended.began_at.to_string(),
            ended_date: ended.ended_at.to_string(),
        }),
        problem: host.keeper.problem(),
    }
}

/// `Pawl.RotateRootKey`
pub(super) async fn rotate_root_key(
    host: &Host,
    caller: &Caller,
    input: RotateRootKeyRequest,
) -> Answer<RotateRootKeyRequest> {
    host.app.administer(caller)?;
    if input.cancel == Some(true) {
        host.keeper.cancel(Asker::of(caller)).await.map_err(told)?;
        return Ok(RotateRootKeyResponse::default());
    }
    let (from, to) = host.keeper.rotate(Asker::of(caller)).await.map_err(told)?;
    Ok(RotateRootKeyResponse { from: Some(from.to_string()), to: Some(to.to_string()) })
}

/// `Pawl.ForgetRootKeys`
pub(super) async fn forget_root_keys(
    host: &Host,
    caller: &Caller,
    _input: ForgetRootKeysRequest,
) -> Answer<ForgetRootKeysRequest> {
    host.app.administer(caller)?;
    let forgotten = host.keeper.forget(Asker::of(caller)).await.map_err(told)?;
    Ok(ForgetRootKeysResponse { forgotten: forgotten.iter().map(ToString::to_string).collect() })
}

/// What an operator can act on is told; the rest is this host's.
fn told(error: KeeperError) -> AppError {
    match error {
        KeeperError::Store(error) => error.into(),
        KeeperError::Rewrap(error) => error,
        error @ (KeeperError::RootKey(_)
        | KeeperError::Provider(_)
        | KeeperError::Step(_)
        | KeeperError::Words
        | KeeperError::Busy
        | KeeperError::Broken) => refuse(ErrorCode::InvalidRequestException, error.to_string()),
    }
}
