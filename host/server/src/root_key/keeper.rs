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
use pawl_keyring::{KeyState, Keyring, Phase, RootId, StepRefused, Transition, UnlockError};
use pawl_store::{Store, StoreError};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::ledger::Ledger;
use super::rewrap::{self, Work};
use super::words::{self, Word};
use super::{ProviderError, RootKeyError, RootKeys, Unlocked};
use crate::audit::{Asker, root_key_deed};
use crate::error::AppError;
use crate::host::Host;
use crate::world::SystemClock;

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
    /// What hosts have said of themselves cannot be read.
    #[error("what the store holds of its hosts' keys is damaged; the hosts say it anew within moments")]
    Words,
    /// Others are always faster.
    #[error("other hosts change the store's keys at this moment; try again")]
    Busy,
    /// A part of the program broke off.
    #[error("a part of it broke off")]
    Broken,
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
    pub(super) store: Ledger,
    pub(super) keyring: Arc<Keyring>,
    roots: Arc<RootKeys>,
    pub(super) host: String,
    pub(super) rng: Arc<dyn Rng>,
    state: Mutex<State>,
    /// Held while root keys come into this host's files or go out of them, and while it is found out which.
    files: tokio::sync::Mutex<()>,
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
        let (store, state, files) = (Ledger::new(store), Mutex::default(), tokio::sync::Mutex::default());
        Self { store, keyring, roots, host, rng, state, files, nudge: Notify::new() }
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
        let (now, hosts) = (self.now().await?, words::all(&self.store).await?);
        Ok(Standing { unlocked, hosts, work: rewrap::load(&self.store).await?, now })
    }

    /// Begins a rotation of the root key, to a new key of this host's first provider.
    ///
    /// # Errors
    /// When one is under way, there is no other root key to go to, or the provider or the store fails. Nothing has changed then.
    pub(crate) async fn rotate(&self, asker: Asker<'_>) -> Result<(RootId, RootId), KeeperError> {
        let _turn = self.files.lock().await;
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
            let told = of([("from", json!(from.to_string())), ("to", json!(to.to_string()))]);
            let told = self.deed(asker, now, "RootKeyRotationStarted", told)?;
            if self.store.swap_record(Transition::Begun, &before, &after, &[told]).await? {
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
    pub(crate) async fn cancel(&self, asker: Asker<'_>) -> Result<(), KeeperError> {
        let deed = ("RootKeyRotationCancelled", Map::new());
        self.step(Transition::Cancelled, asker, deed, |unlocked, _| Ok(unlocked.record.cancel()?)).await?;
        tracing::info!("the rotation of the root key was taken back");
        Ok(())
    }

    /// Removes former root keys from this host's files: those that open nothing in the store. Answers which.
    ///
    /// # Errors
    /// When a rotation is under way, or a file cannot be written.
    pub(crate) async fn forget(&self, asker: Asker<'_>) -> Result<Vec<RootId>, KeeperError> {
        // A key that a rotation brings between the look and the deed would be forgotten as well.
        let _turn = self.files.lock().await;
        let unlocked = self.learn().await?;
        if unlocked.record.rotation().is_some() {
            return Err(StepRefused::UnderWay.into());
        }
        let keep: Vec<RootId> = unlocked.record.slots().iter().map(|slot| slot.root).collect();
        let roots = self.roots.clone();
        let held = blocking(move || Ok(roots.in_files())).await?;
        let former = held.iter().filter(|id| !keep.contains(id));
        let former: Vec<String> = former.map(RootId::to_string).collect();
        if !former.is_empty() {
            let now = self.now().await?;
            let told = of([("rootKeys", json!(former))]);
            self.store.tell(self.deed(asker, now, "RootKeysForgotten", told)?).await?;
        }
        let (roots, rng) = (self.roots.clone(), self.rng.clone());
        blocking(move || Ok(roots.forget_all_but(&keep, &*rng)?)).await
    }

    /// What the audit log is to say of the root key.
    fn deed(
        &self,
        asker: Asker<'_>,
        now: Timestamp,
        name: &str,
        told: Map<String, Value>,
    ) -> Result<String, KeeperError> {
        root_key_deed(&self.host, asker, now, name, told).map_err(|_| KeeperError::Broken)
    }

    /// Changes the record by one step, whoever else changes it, and has that told.
    async fn step(
        &self,
        transition: Transition,
        asker: Asker<'_>,
        (name, told): (&str, Map<String, Value>),
        step: impl Fn(&mut Unlocked, Timestamp) -> Result<(), KeeperError>,
    ) -> Result<(), KeeperError> {
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let before = self.record().await?;
            let mut unlocked = self.unlock(before.clone()).await?;
            let now = self.now().await?;
            let mut told = told.clone();
            if let Some(rotation) = unlocked.record.rotation() {
                told.insert("from".to_owned(), json!(rotation.from.to_string()));
                told.insert("to".to_owned(), json!(rotation.to.to_string()));
            }
            step(&mut unlocked, now)?;
            let after = unlocked.record.to_bytes().map_err(RootKeyError::Seal)?;
            let told = self.deed(asker, now, name, told)?;
            if self.store.swap_record(transition, &before, &after, &[told]).await? {
                self.learn().await?;
                return Ok(());
            }
        }
        Err(KeeperError::Busy)
    }

    /// As [`Keeper::step`], for a step that another host may do at the same moment, of the record with this number and no other: what was
    /// found out of one rotation does not hold for the next. True when it was this host that did it.
    async fn step_once(
        &self,
        transition: Transition,
        deed: (&str, Map<String, Value>),
        serial: u64,
        step: impl Fn(&mut Unlocked, Timestamp) -> Result<(), KeeperError>,
    ) -> Result<bool, KeeperError> {
        let step = |unlocked: &mut Unlocked, now: Timestamp| match unlocked.record.serial() {
            current if current == serial => step(unlocked, now),
            _ => Err(StepRefused::NotThere.into()),
        };
        match self.step(transition, Asker::default(), deed, step).await {
            Err(KeeperError::Step(StepRefused::NotThere)) => self.learn().await.map(|_| false),
            done => done.map(|()| true),
        }
    }

    /// Looks at the record, and takes what is new in it.
    async fn learn(&self) -> Result<Arc<Unlocked>, KeeperError> {
        let bytes = self.record().await?;
        if let Some(known) = self.state(|state| state.unlocked.clone().filter(|_| state.bytes == bytes)) {
            return Ok(known);
        }
        let unlocked = Arc::new(self.unlock(bytes.clone()).await?);
        let known = self.state(|state| state.unlocked.as_ref().map_or(0, |known| known.record.serial()));
        let found = unlocked.record.serial();
        if found < known {
            self.tell_older(found, known).await;
        }
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
        let bytes = self.store.record().await?;
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
        let serial = unlocked.record.serial();
        if self.store.is_shared() {
            self.say(Word { seen: now, serial: unlocked.record.serial(), roots: roots.clone() }).await?;
        }
        match unlocked.record.rotation() {
            Some(rotation) if rotation.phase == Phase::Publishing => {
                if self.all_have(rotation.to, unlocked.record.serial(), &roots, now).await? {
                    let deed = ("RootKeyRotationActivated", Map::new());
                    let activate = |unlocked: &mut Unlocked, now: Timestamp| {
                        let until = now.plus_seconds(limits::KEK_FORMER_SECONDS);
                        Ok(unlocked.record.activate(until)?)
                    };
                    if self.step_once(Transition::Activated, deed, serial, activate).await? {
                        tracing::info!(root_key = %rotation.to, "every host has the new root key; what is stored is sealed anew");
                    }
                }
            }
            Some(rotation) => {
                if rewrap::go_on(self, host, false).await?
                    && self.all_have(rotation.to, unlocked.record.serial(), &roots, now).await?
                {
                    let work = rewrap::load(&self.store).await?;
                    let counted = |count: fn(&Work) -> u64| json!(work.as_ref().map_or(0, count));
                    let told = of([
                        ("resealed", counted(|work| work.resealed)),
                        ("unreadable", counted(|work| work.unreadable)),
                    ]);
                    let deed = ("RootKeyRotationSucceeded", told);
                    let finish = |unlocked: &mut Unlocked, now: Timestamp| Ok(unlocked.record.finish(now)?);
                    if self.step_once(Transition::Finished, deed, serial, finish).await? {
                        tracing::info!(
                            from = %rotation.from,
                            to = %rotation.to,
                            "the rotation of the root key has ended; nothing in the store is under the old one"
                        );
                    }
                }
            }
            None => {
                let over = |state: &KeyState| matches!(state, KeyState::Former { until } if *until <= now);
                let former = unlocked.record.keys().filter(|(_, state, _)| over(state));
                let former: Vec<String> = former.map(|(id, ..)| id.to_string()).collect();
                if !former.is_empty() && rewrap::go_on(self, host, true).await? {
                    let deed = ("KeyEncryptionKeysForgotten", of([("keys", json!(former))]));
                    let forget =
                        |unlocked: &mut Unlocked, _: Timestamp| match unlocked.record.forget_former(now) {
                            true => Ok(()),
                            false => Err(StepRefused::NotThere.into()),
                        };
                    let _ours = self.step_once(Transition::FormerForgotten, deed, serial, forget).await?;
                }
            }
        }
        Ok(())
    }

    /// The root keys of the record that this host has. One that is handed over is taken.
    async fn own_roots(&self, unlocked: &Arc<Unlocked>) -> Result<Vec<RootId>, KeeperError> {
        let Some(rotation) = unlocked.record.rotation() else { return Ok(vec![unlocked.root.id()]) };
        let _turn = self.files.lock().await;
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
        words::all_have(&self.store, root, serial, now).await
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
        if is_news {
            words::say(&self.store, &self.host, &word).await?;
            self.state(|state| state.word = Some(word));
        }
        Ok(())
    }

    /// An older record was put in the place of the newer one: a failover that lost something, or somebody who has the root key of then and
    /// wants to read what is sealed from now on. It is taken all the same: what this host sealed by keys that are in no record would be lost.
    async fn tell_older(&self, found: u64, known: u64) {
        tracing::error!(
            found,
            known,
            "the store's key record is older than the one that this host knew: find out who put it there; if nobody rolled the store \
             back, rotate the root key"
        );
        let told = of([("found", json!(found)), ("known", json!(known))]);
        self.tell_audit("KeyRecordRolledBack", told).await;
    }

    async fn tell_failure(&self, problem: &str) {
        let known = self.state(|state| state.unlocked.clone());
        let Some(rotation) = known.as_ref().and_then(|known| known.record.rotation()) else { return };
        let reason: String = problem.chars().take(limits::AUDIT_TEXT_CHARS_MAX).collect();
        let told = of([
            ("from", json!(rotation.from.to_string())),
            ("to", json!(rotation.to.to_string())),
            ("reason", json!(reason)),
        ]);
        self.tell_audit("RootKeyRotationFailed", told).await;
    }

    /// Has the audit log told, where the store can take that at this moment.
    async fn tell_audit(&self, name: &str, told: Map<String, Value>) {
        let Ok(told) = self.deed(Asker::default(), SystemClock::default().wall(), name, told) else { return };
        if let Err(error) = self.store.tell(told).await {
            tracing::debug!(%error, name, "the audit log was not told");
        }
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells what is wrong once, and that it is over. What keeps a rotation from going on is told in the audit log as well, where the
    /// store can take that.
    async fn tell(&self, outcome: &Result<(), KeeperError>) {
        let problem = outcome.as_ref().err().map(ToString::to_string);
        let before = self.state(|state| std::mem::replace(&mut state.problem, problem.clone()));
        match (before, problem) {
            (before, Some(problem)) if before.as_ref() != Some(&problem) => {
                tracing::error!(
                    error = problem,
                    "the store's keys cannot be looked after; this host goes on with those it has"
                );
                self.tell_failure(&problem).await;
            }
            (Some(_), None) => tracing::info!("the store's keys can be looked after again"),
            _ => {}
        }
    }
}

/// An object of these members.
fn of<const COUNT: usize>(members: [(&str, Value); COUNT]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Looks after the store's keys, for ever.
pub(crate) async fn keep(host: Arc<Host>) {
    let keeper = &host.keeper;
    loop {
        let outcome = keeper.tick(&host).await;
        keeper.tell(&outcome).await;
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
