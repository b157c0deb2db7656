//! The store's keys while a host serves: it learns what other hosts change of them, and takes part in rotations of the root key.
//!
//! A rotation is in the store's key record, step by step, so any host goes on with it after a crash. In this order, because no host
//! may ever meet what it cannot open: the new root key and a new key-encryption key come into the record beside the old ones; every
//! host that is there learns both and says so; only then is anything sealed by the new key; what was sealed by the old one is
//! sealed anew, a little at a time; and when nothing is left and every host has the new root key, the old one is taken out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pawl_core::limits;
use pawl_core::world::{Clock as _, Rng, Timestamp};
use pawl_keyring::{KeyState, Keyring, Phase, RootId, StepRefused, UnlockError};
use pawl_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::rewrap::{self, Work};
use super::{ProviderError, RootKeyError, RootKeys, Unlocked};
use crate::error::AppError;
use crate::host::Host;
use crate::world::SystemClock;

/// The setting of a shared store in which hosts say that they are there.
const WORDS: &str = "key hosts";

/// Why the store's keys could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// A provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// It is not the moment for it.
    #[error(transparent)]
    Step(#[from] StepRefused),
    /// What is sealed could not be sealed anew.
    #[error("what is stored could not be sealed anew: {0}")]
    Rewrap(AppError),
    /// Others are always faster.
    #[error("other hosts change the store's keys at this moment; try again")]
    Busy,
    /// A part of the program broke off.
    #[error("a part of it broke off")]
    Broken,
}

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

/// How the store's keys stand.
pub struct Standing {
    /// The record.
    pub unlocked: Arc<Unlocked>,
    /// The hosts of a shared store.
    pub hosts: BTreeMap<String, Word>,
    /// How far the work of a rotation is.
    pub work: Option<Work>,
    /// Now, by the store's clock.
    pub now: Timestamp,
}

/// A host's hold on the store's keys.
pub struct Keeper {
    pub(super) store: Arc<dyn Store>,
    pub(super) keyring: Arc<Keyring>,
    roots: Arc<RootKeys>,
    pub(super) host: String,
    pub(super) rng: Arc<dyn Rng>,
    state: Mutex<State>,
    nudge: Notify,
}

#[derive(Default)]
struct State {
    /// The record as it was last learned.
    bytes: Vec<u8>,
    unlocked: Option<Arc<Unlocked>>,
    /// What was last said, and when.
    word: Option<Word>,
    /// What is wrong, as it was last told.
    problem: Option<String>,
}

impl Keeper {
    /// A keeper of the keys of `store`, whose keyring this is.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        roots: Arc<RootKeys>,
        host: String,
        rng: Arc<dyn Rng>,
    ) -> Self {
        Self { store, keyring, roots, host, rng, state: Mutex::default(), nudge: Notify::new() }
    }

    /// The providers of this host.
    #[must_use]
    pub fn roots(&self) -> &RootKeys {
        &self.roots
    }

    /// What is wrong with the keys, as far as this host knows.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.state(|state| state.problem.clone())
    }

    /// How the keys stand.
    ///
    /// # Errors
    /// When the store fails, or this host's root key does not open its record any more.
    pub async fn standing(&self) -> Result<Standing, KeeperError> {
        let unlocked = self.learn().await?;
        let (now, hosts) = (self.now().await?, self.words().await?.1);
        Ok(Standing { unlocked, hosts, work: rewrap::load(&*self.store).await?, now })
    }

    /// Begins a rotation of the root key, to a new key of this host's first provider.
    ///
    /// # Errors
    /// When one is under way, there is no other root key to go to, or the provider or the store fails. Nothing has changed then.
    pub async fn rotate(&self) -> Result<(RootId, RootId), KeeperError> {
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let before = self.record().await?;
            let now = self.now().await?;
            let (roots, rng, bytes) = (self.roots.clone(), self.rng.clone(), before.clone());
            let begun = blocking(move || {
                let Unlocked { mut record, root } = roots.unlock(&bytes)?;
                if record.rotation().is_some() {
                    return Err(StepRefused::UnderWay.into());
                }
                let (new, slot) = roots.next(Some(root.id()), now, &*rng)?;
                let hand_over = slot.provider == pawl_keyring::Slot::FILE;
                record.begin(&root, &new, slot, hand_over, now, &*rng)?;
                Ok((record.to_bytes().map_err(RootKeyError::Seal)?, root.id(), new.id()))
            });
            let (after, from, to) = begun.await?;
            if self.store.swap_keyring(&before, &after).await? {
                tracing::info!(%from, %to, "a rotation of the root key has begun");
                self.nudge.notify_one();
                return Ok((from, to));
            }
        }
        Err(KeeperError::Busy)
    }

    /// Takes a rotation back that has not begun to seal.
    ///
    /// # Errors
    /// When there is none, or it is further.
    pub async fn cancel(&self) -> Result<(), KeeperError> {
        self.step(|unlocked, _| Ok(unlocked.record.cancel()?)).await?;
        tracing::info!("the rotation of the root key was taken back");
        Ok(())
    }

    /// Removes former root keys from this host's files: those that open nothing in the store. Answers which.
    ///
    /// # Errors
    /// When a rotation is under way, or a file cannot be written.
    pub async fn forget(&self) -> Result<Vec<RootId>, KeeperError> {
        let unlocked = self.learn().await?;
        if unlocked.record.rotation().is_some() {
            return Err(StepRefused::UnderWay.into());
        }
        let keep: Vec<RootId> = unlocked.record.slots().iter().map(|slot| slot.root).collect();
        let (roots, rng) = (self.roots.clone(), self.rng.clone());
        blocking(move || Ok(roots.forget_all_but(&keep, &*rng)?)).await
    }

    /// Changes the record by one step, whoever else changes it.
    async fn step(
        &self,
        step: impl Fn(&mut Unlocked, Timestamp) -> Result<(), KeeperError>,
    ) -> Result<(), KeeperError> {
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let before = self.record().await?;
            let mut unlocked = self.unlock(before.clone()).await?;
            step(&mut unlocked, self.now().await?)?;
            let after = unlocked.record.to_bytes().map_err(RootKeyError::Seal)?;
            if self.store.swap_keyring(&before, &after).await? {
                self.learn().await?;
                return Ok(());
            }
        }
        Err(KeeperError::Busy)
    }

    /// As [`Keeper::step`], for a step that another host may do at the same moment.
    async fn step_once(
        &self,
        step: impl Fn(&mut Unlocked, Timestamp) -> Result<(), KeeperError>,
    ) -> Result<(), KeeperError> {
        match self.step(step).await {
            Err(KeeperError::Step(StepRefused::NotThere)) => self.learn().await.map(drop),
            done => done,
        }
    }

    /// Looks at the record, and takes what is new in it.
    async fn learn(&self) -> Result<Arc<Unlocked>, KeeperError> {
        let bytes = self.record().await?;
        if let Some(known) = self.state(|state| state.unlocked.clone().filter(|_| state.bytes == bytes)) {
            return Ok(known);
        }
        let unlocked = Arc::new(self.unlock(bytes.clone()).await?);
        let keyring = unlocked.record.keyring().map_err(RootKeyError::Record)?;
        if !self.keyring.renew(&keyring) {
            return Err(RootKeyError::Record(UnlockError::Altered).into());
        }
        self.state(|state| {
            state.bytes = bytes;
            state.unlocked = Some(unlocked.clone());
        });
        Ok(unlocked)
    }

    async fn record(&self) -> Result<Vec<u8>, KeeperError> {
        let bytes = self.store.keyring().await?;
        Ok(bytes.ok_or(RootKeyError::Record(UnlockError::Damaged))?)
    }

    async fn unlock(&self, bytes: Vec<u8>) -> Result<Unlocked, KeeperError> {
        let roots = self.roots.clone();
        blocking(move || Ok(roots.unlock(&bytes)?)).await
    }

    /// The time by which hosts agree.
    pub(super) async fn now(&self) -> Result<Timestamp, KeeperError> {
        Ok(self.store.time().await?.unwrap_or_else(|| SystemClock::default().wall()))
    }

    /// One look, and one piece of work.
    async fn tick(&self, host: &Host) -> Result<(), KeeperError> {
        let unlocked = self.learn().await?;
        let now = self.now().await?;
        let roots = self.own_roots(&unlocked).await?;
        if self.store.is_shared() {
            self.say(Word { seen: now, serial: unlocked.record.serial(), roots: roots.clone() }).await?;
        }
        match unlocked.record.rotation() {
            Some(rotation) if rotation.phase == Phase::Publishing => {
                if self.all_have(rotation.to, unlocked.record.serial(), &roots, now).await? {
                    self.step_once(|unlocked, now| {
                        let until = now.plus_seconds(limits::KEK_FORMER_SECONDS);
                        Ok(unlocked.record.activate(until)?)
                    })
                    .await?;
                    tracing::info!(root_key = %rotation.to, "every host has the new root key; what is stored is sealed anew");
                }
            }
            Some(rotation) => {
                if rewrap::go_on(self, host, false).await?
                    && self.all_have(rotation.to, unlocked.record.serial(), &roots, now).await?
                {
                    self.step_once(|unlocked, now| Ok(unlocked.record.finish(now)?)).await?;
                    tracing::info!(
                        from = %rotation.from,
                        to = %rotation.to,
                        "the rotation of the root key has ended; nothing in the store is under the old one"
                    );
                }
            }
            None => {
                let over = |state| matches!(state, KeyState::Former { until } if until <= now);
                if unlocked.record.keys().any(|(_, state, _)| over(state))
                    && rewrap::go_on(self, host, true).await?
                {
                    self.step(|unlocked, now| {
                        unlocked.record.forget_former(now);
                        Ok(())
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }

    /// The root keys of the record that this host has. One that is handed over is taken.
    async fn own_roots(&self, unlocked: &Arc<Unlocked>) -> Result<Vec<RootId>, KeeperError> {
        let Some(rotation) = unlocked.record.rotation() else { return Ok(vec![unlocked.root.id()]) };
        let to = rotation.to;
        let Some(slot) = unlocked.record.slots().iter().find(|slot| slot.root == to).cloned() else {
            return Ok(vec![unlocked.root.id()]);
        };
        let (roots, rng, unlocked) = (self.roots.clone(), self.rng.clone(), unlocked.clone());
        blocking(move || {
            let mut had = vec![unlocked.root.id()];
            let handed_over = unlocked.record.handed_over(&unlocked.root);
            let has = match handed_over {
                Some(key) if roots.take_over(&key, &*rng)? => true,
                _ => roots.find(&slot)?.is_some(),
            };
            if has && !had.contains(&to) {
                had.push(to);
            }
            Ok(had)
        })
        .await
    }

    /// Whether this host and every other one that is there knows the record and has the root key.
    async fn all_have(
        &self,
        root: RootId,
        serial: u64,
        own: &[RootId],
        now: Timestamp,
    ) -> Result<bool, KeeperError> {
        if !own.contains(&root) {
            return Ok(false);
        }
        if !self.store.is_shared() {
            return Ok(true);
        }
        let hosts = self.words().await?.1;
        let there = |word: &&Word| word.seen + limits::KEY_HOST_GONE > now;
        Ok(hosts.values().filter(there).all(|word| word.serial >= serial && word.roots.contains(&root)))
    }

    /// What hosts have said, and the bytes that say it.
    async fn words(&self) -> Result<(Option<Vec<u8>>, BTreeMap<String, Word>), KeeperError> {
        let held = self.store.meta(WORDS).await?;
        let words = held.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        Ok((held, words))
    }

    /// Says that this host is there, when that is news or some time ago.
    async fn say(&self, word: Word) -> Result<(), KeeperError> {
        let said = self.state(|state| state.word.clone());
        let is_news = said.is_none_or(|said| {
            said.serial != word.serial
                || said.roots != word.roots
                || said.seen + limits::KEY_HOST_EVERY <= word.seen
                || word.seen < said.seen
        });
        if !is_news {
            return Ok(());
        }
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let (held, mut words) = self.words().await?;
            words.insert(self.host.clone(), word.clone());
            let forgotten = |other: &Word| other.seen + limits::KEY_HOST_GONE * 10 < word.seen;
            words.retain(|host, other| *host == self.host || !forgotten(other));
            while words.len() > limits::KEY_HOSTS_MAX {
                let oldest = words.iter().min_by_key(|(_, word)| word.seen).map(|(host, _)| host.clone());
                let Some(oldest) = oldest else { break };
                words.remove(&oldest);
            }
            let text = serde_json::to_vec(&words).map_err(|_| KeeperError::Broken)?;
            if self.store.swap_meta(WORDS, held.as_deref(), &text).await? {
                self.state(|state| state.word = Some(word));
                return Ok(());
            }
        }
        Err(KeeperError::Busy)
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells what is wrong once, and that it is over.
    fn tell(&self, outcome: &Result<(), KeeperError>) {
        let problem = outcome.as_ref().err().map(ToString::to_string);
        let before = self.state(|state| std::mem::replace(&mut state.problem, problem.clone()));
        match (before, problem) {
            (before, Some(problem)) if before.as_ref() != Some(&problem) => {
                tracing::error!(
                    error = problem,
                    "the store's keys cannot be looked after; this host goes on with those it has"
                );
            }
            (Some(_), None) => tracing::info!("the store's keys can be looked after again"),
            _ => {}
        }
    }
}

/// Looks after the store's keys, for ever.
pub(crate) async fn keep(host: Arc<Host>) {
    let keeper = &host.keeper;
    loop {
        let outcome = keeper.tick(&host).await;
        keeper.tell(&outcome);
        tokio::select! {
            () = tokio::time::sleep(limits::KEY_RECORD_EVERY) => {}
            () = keeper.nudge.notified() => {}
        }
    }
}

/// On a thread on which providers may be waited for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeeperError> + Send + 'static,
) -> Result<T, KeeperError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| KeeperError::Broken)?
}
