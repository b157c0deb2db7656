//! What the hosts of a shared store say of themselves, so that a rotation of the root key waits for who is there.

use std::collections::BTreeMap;

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_keyring::{RootId, Transition};
use serde::{Deserialize, Serialize};

use super::keeper::KeeperError;
use super::ledger::Ledger;

/// The setting of the store in which they say it.
const WORDS: &str = "key hosts";

/// What a host has said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// When.
    pub seen: Timestamp,
    /// The key record that it knows.
    pub serial: u64,
    /// The root keys that it has.
    pub roots: Vec<RootId>,
}

/// What hosts have said; nothing where it cannot be read.
pub(super) async fn all(store: &Ledger) -> Result<BTreeMap<String, Word>, KeeperError> {
    Ok(held(store).await?.1)
}

/// What hosts have said, and the bytes that say it.
async fn held(store: &Ledger) -> Result<(Option<Vec<u8>>, BTreeMap<String, Word>), KeeperError> {
    let held = store.setting(WORDS).await?;
    let words = held.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
    Ok((held, words))
}

/// Whether every host that is there knows the record of this number and has the root key.
pub(super) async fn all_have(
    store: &Ledger,
    root: RootId,
    serial: u64,
    now: Timestamp,
) -> Result<bool, KeeperError> {
    let held = store.setting(WORDS).await?;
    // Where nothing can be read, nothing is known of anybody, which is not to say that nobody is there.
    let hosts: Result<BTreeMap<String, Word>, _> = serde_json::from_slice(&held.unwrap_or_default());
    let hosts = hosts.map_err(|_| KeeperError::Words)?;
    let there = |word: &&Word| word.seen + limits::KEY_HOST_GONE > now;
    Ok(hosts.values().filter(there).all(|word| word.serial >= serial && word.roots.contains(&root)))
}

/// Says that a host is there.
pub(super) async fn say(store: &Ledger, host: &str, word: &Word) -> Result<(), KeeperError> {
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let (held, mut words) = held(store).await?;
        words.insert(host.to_owned(), word.clone());
        let forgotten = |other: &Word| other.seen + limits::KEY_HOST_GONE * 10 < word.seen;
        words.retain(|name, other| name == host || !forgotten(other));
        while words.len() > limits::KEY_HOSTS_MAX {
            let oldest = words.iter().min_by_key(|(_, word)| word.seen).map(|(host, _)| host.clone());
            let Some(oldest) = oldest else { break };
            words.remove(&oldest);
        }
        let text = serde_json::to_vec(&words).map_err(|_| KeeperError::Broken)?;
        if store.swap_setting(Transition::Said, WORDS, held.as_deref(), &text).await? {
            return Ok(());
        }
    }
    Err(KeeperError::Busy)
}
