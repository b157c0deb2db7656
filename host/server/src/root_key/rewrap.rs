//! Sealing anew what a former key-encryption key has sealed: a page at a time, by one host, from where the last one stopped.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_keyring::{KekId, Sealed, Transition};
use pawl_store::{HeadPlace, StoreError};
use serde::{Deserialize, Serialize};

use super::keeper::{Keeper, KeeperError};
use super::ledger::{Ledger, named};
use crate::app::Resealed;
use crate::cache::Key;
use crate::host::Host;
use crate::identity;

/// The setting of the store that holds how far it is.
const PLACE: &str = "rewrap";

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The key by which things are sealed.
    pub key: KekId,
    /// Who works on it.
    pub host: String,
    /// Until when nobody else does.
    pub until: Timestamp,
    /// The last value that was looked at in this pass.
    pub after: Option<HeadPlace>,
    /// What was sealed anew in this pass.
    pub in_pass: u64,
    /// Values that were looked at in this pass.
    pub looked: u64,
    /// What was sealed anew in all passes.
    pub resealed: u64,
    /// Values that did not open, in this pass. They stay as they are.
    pub unreadable: u64,
    /// Whether the last pass found nothing more.
    pub done: bool,
}

/// How far it is, if there ever was any.
pub(super) async fn load(store: &Ledger) -> Result<Option<Work>, StoreError> {
    Ok(store.setting(PLACE).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Goes on for a while, unless another host does. True when nothing is left to be sealed anew; `once_more` when that is to be looked
/// at again, though it was so before.
pub(super) async fn go_on(keeper: &Keeper, host: &Host, once_more: bool) -> Result<bool, KeeperError> {
    let began = Instant::now();
    let active = keeper.keyring.active();
    let is_done = |work: Work| work.key == active && work.done;
    if !once_more && load(&keeper.store).await?.is_some_and(is_done) {
        return Ok(true);
    }
    let Some((mut held, mut work)) = claim(keeper, active).await? else { return Ok(false) };
    while began.elapsed() < limits::REWRAP_TURN {
        let page = keeper.store.sealed_heads(work.after.as_ref(), limits::REWRAP_PAGE).await?;
        let stale =
            |head: &&pawl_store::SealedHead| Sealed::kek_of(&head.head).is_some_and(|kek| kek != active);
        let secrets: BTreeSet<_> =
            page.iter().filter(stale).map(|head| (head.region.clone(), head.name.clone())).collect();
        for (region, name) in secrets {
            let took = Instant::now();
            let key = Key(region, name);
            let resealed = named(Transition::SecretResealed, host.app.reseal(&key)).await;
            let resealed = resealed.map_err(KeeperError::Rewrap)?;
            count(&mut work, resealed);
            rest(took.elapsed()).await;
        }
        let ended = page.is_empty();
        work.looked = work.looked.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        if let Some(last) = page.last() {
            work.after = Some(last.place.clone());
        }
        if ended {
            count(&mut work, beside_values(keeper, host).await?);
            // What was sealed behind the pass by who had not heard of the new key is found by the next one.
            work.done = work.in_pass == 0;
            if !work.done {
                (work.after, work.in_pass, work.looked, work.unreadable) = (None, 0, 0, 0);
            }
        }
        let noted = if ended { Transition::PassEnded } else { Transition::PlaceKept };
        held = match swap(keeper, noted, Some(&held), &mut work).await? {
            Some(held) => held,
            // Another host has taken it over.
            None => return Ok(false),
        };
        if work.done {
            return Ok(true);
        }
    }
    Ok(false)
}

fn count(work: &mut Work, resealed: Resealed) {
    work.in_pass = work.in_pass.saturating_add(resealed.values);
    work.resealed = work.resealed.saturating_add(resealed.values);
    work.unreadable = work.unreadable.saturating_add(resealed.unreadable);
}

/// As long as the work took, so that it takes half of what one thread can do, at most.
async fn rest(took: Duration) {
    tokio::time::sleep(took.min(limits::REWRAP_REST_MAX)).await;
}

/// Everything but the values of secrets: users' access keys, the materials of KMS keys, the root access key of a shared store.
async fn beside_values(keeper: &Keeper, host: &Host) -> Result<Resealed, KeeperError> {
    let mut all = Resealed::default();
    let mut after = [String::new(), String::new(), String::new()];
    loop {
        let place = after.each_ref().map(String::as_str);
        let page = keeper.store.sealed_entities(place, limits::REWRAP_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = [last.kind.clone(), last.region.clone(), last.name.clone()];
        for row in page {
            let took = Instant::now();
            let resealed = named(Transition::EntityResealed, host.app.reseal_entity(&row)).await;
            let resealed = resealed.map_err(KeeperError::Rewrap)?;
            if resealed.values > 0 {
                rest(took.elapsed()).await;
            }
            all.values = all.values.saturating_add(resealed.values);
            all.unreadable = all.unreadable.saturating_add(resealed.unreadable);
        }
    }
    match keeper.store.reseal_access_key(&keeper.keyring, &*keeper.rng).await? {
        identity::RootKeySeal::Renewed => all.values = all.values.saturating_add(1),
        identity::RootKeySeal::Current => {}
        identity::RootKeySeal::Unreadable => all.unreadable = all.unreadable.saturating_add(1),
    }
    Ok(all)
}

/// Takes the work for a while; none when another host has it.
async fn claim(keeper: &Keeper, active: KekId) -> Result<Option<(Vec<u8>, Work)>, KeeperError> {
    let held = keeper.store.setting(PLACE).await?;
    let known: Option<Work> = held.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    let now = keeper.now().await?;
    let mut work = match known {
        Some(work) if work.key == active && work.host != keeper.host && work.until > now => return Ok(None),
        Some(work) if work.key == active && !work.done => work,
        before => Work {
            key: active,
            host: String::new(),
            until: now,
            after: None,
            in_pass: 0,
            looked: 0,
            resealed: before.filter(|work| work.key == active).map_or(0, |work| work.resealed),
            unreadable: 0,
            done: false,
        },
    };
    work.host.clone_from(&keeper.host);
    let claimed = swap(keeper, Transition::Claimed, held.as_deref(), &mut work).await?;
    Ok(claimed.map(|bytes| (bytes, work)))
}

async fn swap(
    keeper: &Keeper,
    transition: Transition,
    held: Option<&[u8]>,
    work: &mut Work,
) -> Result<Option<Vec<u8>>, KeeperError> {
    work.until = keeper.now().await? + limits::REWRAP_HELD;
    let bytes = serde_json::to_vec(work).map_err(|_| KeeperError::Broken)?;
    Ok(keeper.store.swap_setting(transition, PLACE, held, &bytes).await?.then_some(bytes))
}
