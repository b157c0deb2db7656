//! The store's epoch, by which a store that was rolled back, exchanged or restored is told from the one that was there before.
//!
//! The store holds a record: which store it is, a number that every host raises at its start and every few minutes, and for each
//! host the number to which that host raised it last. Each host keeps a witness in its data directory: the highest number it has
//! seen, and its own last one. A store whose number is below a witness's, or that knows an older raise of a host than the host
//! itself, is of the past; and whoever raises it further cannot hide that. Both are authenticated by keys of the store's keyring.
//!
//! A data directory that is copied back together with the store in it cannot be told: its witness is of the past as well.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::Keyring;
use pawl_store::{HALT, HALT_IMPORTING, HALT_MOVED, Store, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::world::uuid;

/// The setting of the store that holds its epoch.
pub const SETTING: &str = "epoch";
/// The file of the witness in the data directory.
pub const WITNESS: &str = "store-epoch";

const RECORD_PURPOSE: &str = "store epoch 1";
const WITNESS_PURPOSE: &str = "store epoch witness 1";
const CODE_BYTES: usize = 32;
/// Other hosts raise it at the same time.
const RAISE_TRIES_MAX: u32 = 20;

/// Which store it is, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Made at random for each new or restored store.
    pub id: String,
    /// How often it was raised.
    pub number: u64,
}

/// What the store says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    mark: Mark,
    hosts: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<Restoration>,
}

/// Where a restored store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// When the backup was made.
    pub backup_of: Timestamp,
    /// When it was restored.
    pub at: Timestamp,
}

/// What a host remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Witness {
    #[serde(flatten)]
    seen: Mark,
    host: String,
    /// To where this host raised it last.
    raised: u64,
    /// Whether the store's rows have codes. They never lose them again.
    #[serde(default)]
    signed_rows: bool,
}

/// How the store compares with what this host remembers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Verdict {
    /// It is the one that was there, and has gone on.
    #[error("the store is the one that this host knows, at epoch {number}")]
    Sound {
        /// Its number.
        number: u64,
    },
    /// It is of the past: a snapshot or a replica that had lagged took its place.
    #[error(
        "the store was rolled back: it is at epoch {found} and knows this host's {known}, where this host has seen {seen}"
    )]
    RolledBack {
        /// The store's number.
        found: u64,
        /// What the store knows of this host.
        known: u64,
        /// What this host has seen.
        seen: u64,
    },
    /// It is another one.
    #[error("the store is another one than this host knew: {found}, where it was {known}")]
    Exchanged {
        /// Its id.
        found: String,
        /// The id that this host knows.
        known: String,
    },
    /// It was restored from a backup, on another host or in another data directory.
    #[error("the store was restored from a backup of {backup_of}, at {at}")]
    Restored {
        /// When the backup was made.
        backup_of: Timestamp,
        /// When it was restored.
        at: Timestamp,
    },
    /// It has no epoch, and had one.
    #[error(
        "the store has no epoch any more: it was rolled back to before it had one, or somebody removed it"
    )]
    Lost,
    /// Somebody wrote to it who does not have its keys.
    #[error("the store's epoch was not written by pawl: somebody has changed it")]
    Altered,
    /// The witness is not what this host wrote, for this store's keys.
    #[error("the witness of the store's epoch is damaged, or of a store with other keys")]
    WitnessAltered,
}

impl Verdict {
    /// Whether all is as it should be.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        matches!(self, Self::Sound { .. })
    }

    /// What to do; nothing when all is well. `witness` is the file that accepts the store when it is removed.
    #[must_use]
    pub fn remedy(&self, witness: &Path) -> Option<String> {
        let accept =
            format!("accept the store: stop this host, remove `{}`, start it again", witness.display());
        match self {
            Self::Sound { .. } => None,
            Self::Restored { .. } => {
                Some(format!("check the secrets that rotate (docs/operating.md), then {accept}"))
            }
            Self::RolledBack { .. } | Self::Exchanged { .. } | Self::Lost | Self::Altered => Some(format!(
                "find out who did this; writes since then are missing, and databases may have newer passwords than it \
                 (docs/operating.md); if it was meant, {accept}"
            )),
            Self::WitnessAltered => Some(format!("if you know why, {accept}")),
        }
    }
}

/// Why the epoch could not be looked at, or the store must not be served.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// It is being filled.
    #[error(
        "the store is being filled by `pawl restore` or `pawl migrate`, or one of them broke off: wait for its end, or run it again"
    )]
    Importing,
    /// Its content has gone elsewhere.
    #[error(
        "the store was moved to another one by `pawl migrate`, and what is here is of the past: start with --database-url"
    )]
    Moved,
    /// Somebody halted it in a way that this program does not know.
    #[error("the store is halted, by a newer pawl as it seems: use that one")]
    Halted,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The witness's file.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// One host's watch over its store's epoch.
#[derive(Debug)]
pub struct StoreEpoch {
    record_key: SecretBytes,
    witness_key: SecretBytes,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    witness: Option<Witness>,
    host: String,
    verdict: Verdict,
}

impl StoreEpoch {
    /// Looks at the store and at the witness in `dir`, at a host's start; raises the epoch if all is well. A store that is not
    /// as it should be is left as it is, and so is the witness: the verdict stays until somebody accepts the store.
    ///
    /// # Errors
    /// When the store must not be served, or cannot be read or written.
    pub async fn begin(
        store: &dyn Store,
        keyring: &Keyring,
        dir: &Path,
        rng: &dyn Rng,
    ) -> Result<Self, EpochError> {
        refuse_halted(store).await?;
        let file = dir.join(WITNESS);
        let record_key = keyring.subkey(RECORD_PURPOSE);
        let witness_key = keyring.subkey(WITNESS_PURPOSE);
        let held = read_witness(&file)?;
        let witness: Option<Witness> = held.as_deref().and_then(|bytes| unseal(&witness_key, bytes));
        let damaged = held.is_some() && witness.is_none();
        let host = witness.as_ref().map_or_else(|| uuid(rng), |witness| witness.host.clone());
        let verdict = if damaged { Verdict::WitnessAltered } else { Verdict::Sound { number: 0 } };
        let state = Mutex::new(State { witness, host, verdict });
        let epoch = Self { record_key, witness_key, file, state };
        if !damaged {
            if epoch.state().witness.is_none() {
                let first = Record::new(rng, None);
                let sealed = seal(&epoch.record_key, &first);
                // False when there is one already, which is the usual case.
                store.swap_meta(SETTING, None, &sealed).await?;
            }
            epoch.advance(store).await?;
        }
        Ok(epoch)
    }

    /// Raises the epoch, if the store is still the one that this host knows; to be called every
    /// [`limits::STORE_EPOCH_EVERY`].
    ///
    /// # Errors
    /// When the store or the witness cannot be read or written.
    pub async fn advance(&self, store: &dyn Store) -> Result<Verdict, EpochError> {
        let before = self.state();
        if before.verdict == Verdict::WitnessAltered {
            return Ok(before.verdict);
        }
        for _ in 0..RAISE_TRIES_MAX {
            let held = store.meta(SETTING).await?;
            let record: Option<Record> = held.as_deref().and_then(|bytes| unseal(&self.record_key, bytes));
            let verdict = judge(held.is_some(), record.as_ref(), before.witness.as_ref());
            let Some(record) = record.filter(|_| verdict.is_sound()) else {
                self.set(State { verdict: verdict.clone(), ..before });
                return Ok(verdict);
            };
            let raised = record.raised(&before.host);
            if store.swap_meta(SETTING, held.as_deref(), &seal(&self.record_key, &raised)).await? {
                let number = raised.mark.number;
                let signed_rows = before.witness.as_ref().is_some_and(|witness| witness.signed_rows);
                let host = before.host.clone();
                let witness = Witness { seen: raised.mark, host, raised: number, signed_rows };
                // After the store: a crash in between leaves a witness that knows less, and none that knows too much.
                write_witness(&self.file, &seal(&self.witness_key, &witness))?;
                let verdict = Verdict::Sound { number };
                self.set(State { witness: Some(witness), verdict: verdict.clone(), ..before });
                return Ok(verdict);
            }
        }
        // Many hosts raise it at this moment, so it is alive; the next time will do.
        Ok(before.verdict)
    }

    /// Whether this host has seen the store when its rows had codes.
    #[must_use]
    pub fn knows_signed_rows(&self) -> bool {
        self.state().witness.is_some_and(|witness| witness.signed_rows)
    }

    /// Remembers that the store's rows have codes. A witness that is not to be touched stays as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_signed_rows(&self) -> Result<(), EpochError> {
        let before = self.state();
        let Some(witness) = before.witness.clone().filter(|_| before.verdict.is_sound()) else {
            return Ok(());
        };
        if witness.signed_rows {
            return Ok(());
        }
        let witness = Witness { signed_rows: true, ..witness };
        write_witness(&self.file, &seal(&self.witness_key, &witness))?;
        self.set(State { witness: Some(witness), ..before });
        Ok(())
    }

    /// What was found last.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.state().verdict
    }

    /// The file of this host's witness.
    #[must_use]
    pub fn witness_file(&self) -> &Path {
        &self.file
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Record {
    fn new(rng: &dyn Rng, restored: Option<Restoration>) -> Self {
        Self { mark: Mark { id: uuid(rng), number: 1 }, hosts: BTreeMap::new(), restored }
    }

    fn raised(&self, host: &str) -> Self {
        let mut raised = self.clone();
        raised.mark.number = self.mark.number.saturating_add(1);
        raised.hosts.insert(host.to_owned(), raised.mark.number);
        while raised.hosts.len() > limits::STORE_EPOCH_HOSTS_MAX {
            let oldest = raised.hosts.iter().min_by_key(|(_, number)| **number).map(|(host, _)| host.clone());
            let Some(oldest) = oldest else { break };
            raised.hosts.remove(&oldest);
        }
        raised
    }
}

fn judge(is_there: bool, record: Option<&Record>, witness: Option<&Witness>) -> Verdict {
    let Some(record) = record else {
        return if is_there { Verdict::Altered } else { Verdict::Lost };
    };
    let number = record.mark.number;
    let Some(witness) = witness else { return Verdict::Sound { number } };
    if record.mark.id != witness.seen.id {
        return match record.restored {
            Some(Restoration { backup_of, at }) => Verdict::Restored { backup_of, at },
            None => Verdict::Exchanged { found: record.mark.id.clone(), known: witness.seen.id.clone() },
        };
    }
    // A host that was forgotten, for there were many, is judged by the number alone.
    let known = record.hosts.get(&witness.host).copied().unwrap_or(witness.raised);
    let seen = witness.seen.number;
    if number < seen || known < witness.raised {
        return Verdict::RolledBack { found: number, known, seen };
    }
    Verdict::Sound { number }
}

/// Refuses a store that must not be served.
///
/// # Errors
/// When it is one.
pub async fn refuse_halted(store: &dyn Store) -> Result<(), EpochError> {
    match store.meta(HALT).await?.as_deref() {
        None | Some(b"") => Ok(()),
        Some(HALT_IMPORTING) => Err(EpochError::Importing),
        Some(HALT_MOVED) => Err(EpochError::Moved),
        Some(_) => Err(EpochError::Halted),
    }
}

/// Where the store's epoch stands, if it has one.
pub(crate) async fn mark(store: &dyn Store, keyring: &Keyring) -> Result<Option<Mark>, EpochError> {
    let held = store.meta(SETTING).await?;
    let record: Option<Record> =
        held.as_deref().and_then(|bytes| unseal(&keyring.subkey(RECORD_PURPOSE), bytes));
    Ok(record.map(|record| record.mark))
}

/// Begins a new history of the store, which was restored from a backup. The host of the data directory `dir`, if one is named,
/// accepts it; every other host reports it.
pub(crate) async fn restored(
    store: &dyn Store,
    keyring: &Keyring,
    dir: Option<&Path>,
    backup_of: Timestamp,
    at: Timestamp,
    rng: &dyn Rng,
) -> Result<(), EpochError> {
    let host = uuid(rng);
    let record = Record::new(rng, Some(Restoration { backup_of, at })).raised(&host);
    store.put_meta(SETTING, &seal(&keyring.subkey(RECORD_PURPOSE), &record)).await?;
    if let Some(dir) = dir {
        let raised = record.mark.number;
        // What is restored may be of before; the next start sees to it.
        let witness = Witness { seen: record.mark, host, raised, signed_rows: false };
        write_witness(&dir.join(WITNESS), &seal(&keyring.subkey(WITNESS_PURPOSE), &witness))?;
    }
    Ok(())
}

fn code(key: &SecretBytes, text: &[u8]) -> Hmac<Sha256> {
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block.iter_mut().zip(key.expose()).for_each(|(slot, byte)| *slot = *byte);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(text);
    mac
}

/// A text and the code that only a holder of the key can make.
fn seal(key: &SecretBytes, value: &impl Serialize) -> Vec<u8> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut sealed = code(key, &text).finalize().into_bytes().to_vec();
    sealed.extend_from_slice(&text);
    sealed
}

fn unseal<T: DeserializeOwned>(key: &SecretBytes, sealed: &[u8]) -> Option<T> {
    let (expected, text) = sealed.split_first_chunk::<CODE_BYTES>()?;
    code(key, text).verify_slice(expected).ok()?;
    serde_json::from_slice(text).ok()
}

fn read_witness(path: &Path) -> Result<Option<Vec<u8>>, EpochError> {
    let io = |source| EpochError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut bytes = Vec::new();
    file.take(limits::STORE_WITNESS_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

/// Whole or as it was: a witness that is half written would cry wolf.
fn write_witness(path: &Path, bytes: &[u8]) -> Result<(), EpochError> {
    let draft = path.with_extension("draft");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|source| EpochError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
