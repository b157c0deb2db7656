//! Where the root key comes from: the providers, and the store's key record that one of them opens.

mod files;
mod keeper;
mod kms;
mod ledger;
mod pkcs11;
mod remote;
mod rewrap;
mod source;
mod transit;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::passphrase::{StretchError, Stretching};
use pawl_keyring::root_file::{self, RootFileError};
use pawl_keyring::{KeyRecord, Keyring, RootId, RootKey, SealError, Slot, UnlockError, UnlockedRecord};

use crate::outbound::AuthoritiesError;
use files::{first_line, next_in_file, profile, read};
pub(crate) use keeper::keep;
pub use keeper::{Keeper, KeeperError, Standing};
pub use rewrap::Work;
pub use source::{KmsKey, PassphraseFrom, Pkcs11Key, Source, SourceError, TransitKey};
pub use words::Word;

/// What providers need of the environment; whoever reads that hands it over.
#[derive(Debug, Default)]
pub struct ProviderSecrets {
    /// `PAWL_ROOT_KEY`.
    pub root_key: Option<SecretBytes>,
    /// The access key of AWS's variables.
    pub aws: Option<AwsCredentials>,
    /// `VAULT_TOKEN`.
    pub vault_token: Option<SecretBytes>,
    /// `PAWL_PKCS11_PIN`.
    pub pkcs11_pin: Option<SecretBytes>,
    /// What was typed, or came through a file descriptor.
    pub passphrase: Option<SecretBytes>,
}

/// An access key for an external KMS.
#[derive(Debug)]
pub struct AwsCredentials {
    /// Its id.
    pub id: String,
    /// Its secret part.
    pub secret: SecretBytes,
    /// The token of a session.
    pub token: Option<SecretBytes>,
}

/// Why a provider has no root key for us.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be asked, or not now: the same may work in a moment.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// It says no.
    #[error("it refused: {0}")]
    Refused(String),
    /// It does not keep to the protocol.
    #[error("{0}")]
    Unexpected(&'static str),
    /// What it must be told is not there.
    #[error("{0}")]
    Missing(&'static str),
    /// A root key would come over a network in clear.
    #[error("`{0}` is not encrypted and not on this machine: use https://")]
    InClear(String),
    /// A file.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The authorities by which it is verified.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The root key file.
    #[error(transparent)]
    File(#[from] RootFileError),
    /// The passphrase.
    #[error(transparent)]
    Stretch(#[from] StretchError),
}

/// Why the store's keys are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// There is no root key file.
    #[error("the root key file `{0}` is not there")]
    NoFile(PathBuf),
    /// A provider fails, or says no.
    #[error("no root key from {provider}: {error}")]
    Provider {
        /// Which.
        provider: String,
        /// How.
        error: ProviderError,
    },
    /// None of the root keys is the one.
    #[error("{source}; it needs the root key {needed}, and this host has {had}")]
    Wrong {
        /// Which the store needs.
        needed: String,
        /// Which there are.
        had: String,
        /// In general.
        source: UnlockError,
    },
    /// The record itself.
    #[error(transparent)]
    Record(UnlockError),
    /// A new key could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is nothing to go to.
    #[error("{0}")]
    NothingNew(&'static str),
}

/// A record that was opened, and by which root key.
pub struct Unlocked {
    /// The record.
    pub record: UnlockedRecord,
    /// The root key that opened it.
    pub root: RootKey,
}

/// The providers of a host, in the order in which they were named. The first is the one that new root keys come from.
pub struct RootKeys {
    sources: Vec<Source>,
    secrets: ProviderSecrets,
    /// What was had before: stretching takes a while, and other services are asked once.
    opened: Mutex<Vec<RootKey>>,
}

impl RootKeys {
    /// The root keys of these sources; there must be one.
    #[must_use]
    pub const fn new(sources: Vec<Source>, secrets: ProviderSecrets) -> Self {
        Self { sources, secrets, opened: Mutex::new(Vec::new()) }
    }

    /// The root keys of one file.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self::new(vec![Source::File(path.to_owned())], ProviderSecrets::default())
    }

    /// The one that new root keys come from.
    #[must_use]
    pub fn first(&self) -> Option<&Source> {
        self.sources.first()
    }

    /// All of them, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.sources.iter().map(Source::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The keyring of a store's key record. Waits for providers.
    ///
    /// # Errors
    /// When none of the root keys opens it.
    pub fn keyring(&self, record: &[u8]) -> Result<Keyring, RootKeyError> {
        self.unlock(record)?.record.keyring().map_err(RootKeyError::Record)
    }

    /// Opens a store's key record. Waits for providers, and asks again those that do not answer.
    ///
    /// # Errors
    /// When none of the root keys opens it.
    pub fn unlock(&self, record: &[u8]) -> Result<Unlocked, RootKeyError> {
        let record = KeyRecord::parse(record).map_err(RootKeyError::Record)?;
        let (mut tries, mut wait) = (1, limits::ROOT_PROVIDER_WAIT);
        loop {
            match self.unlock_once(&record) {
                Err(RootKeyError::Provider { provider, error: ProviderError::Unreachable(why) })
                    if tries < limits::ROOT_PROVIDER_TRIES =>
                {
                    tracing::warn!(
                        provider,
                        why,
                        "the provider of the root key does not answer; it is asked again"
                    );
                    std::thread::park_timeout(wait);
                    (tries, wait) = (tries + 1, wait.saturating_mul(2));
                }
                done => return done,
            }
        }
    }

    fn unlock_once(&self, record: &KeyRecord) -> Result<Unlocked, RootKeyError> {
        let mut had: Vec<RootId> = Vec::new();
        let mut failed = None;
        for key in self.known() {
            if let Some(unlocked) = try_key(record, key, &mut had)? {
                return Ok(unlocked);
            }
        }
        for source in &self.sources {
            // The newest slot first: what is under it stays.
            let slots: Vec<Option<&Slot>> = match record.slots() {
                [] => vec![None],
                slots => slots.iter().rev().filter(|slot| slot.provider == source.kind()).map(Some).collect(),
            };
            for slot in slots {
                match self.open(source, slot) {
                    Ok(keys) => {
                        for key in keys {
                            if let Some(unlocked) = try_key(record, key, &mut had)? {
                                self.keep(&unlocked.root);
                                return Ok(unlocked);
                            }
                        }
                    }
                    // One that may answer in a moment is what is asked again.
                    Err(error @ ProviderError::Unreachable(_))
                        if !matches!(failed, Some((_, ProviderError::Unreachable(_)))) =>
                    {
                        failed = Some((source, error));
                    }
                    Err(error) => failed = failed.or(Some((source, error))),
                }
            }
        }
        match failed {
            Some((Source::File(path), ProviderError::File(RootFileError::Io { source, .. })))
                if source.kind() == std::io::ErrorKind::NotFound && had.is_empty() =>
            {
                Err(RootKeyError::NoFile(path.clone()))
            }
            Some((source, error)) => Err(RootKeyError::Provider { provider: source.to_string(), error }),
            None => Err(self.wrong(record, &had)),
        }
    }

    fn wrong(&self, record: &KeyRecord, had: &[RootId]) -> RootKeyError {
        let list =
            |ids: Vec<String>, none: &str| if ids.is_empty() { none.to_owned() } else { ids.join(", ") };
        let slots = record.slots().iter();
        let needed = slots.map(|slot| format!("{} ({})", slot.root, slot.provider)).collect();
        let had = had.iter().map(RootId::to_string).collect();
        RootKeyError::Wrong {
            needed: list(needed, "that it was made with"),
            had: list(had, &format!("none of that kind (it has {})", self.describe())),
            source: UnlockError::WrongRootKey,
        }
    }

    /// A root key of this id, if a provider has it for the slot. Asks providers once.
    ///
    /// # Errors
    /// When a provider that should have it fails.
    pub fn find(&self, slot: &Slot) -> Result<Option<RootKey>, ProviderError> {
        if let Some(key) = self.known().into_iter().find(|key| key.id() == slot.root) {
            return Ok(Some(key));
        }
        for source in self.sources.iter().filter(|source| source.kind() == slot.provider) {
            if let Some(key) = self.open(source, Some(slot))?.into_iter().find(|key| key.id() == slot.root) {
                self.keep(&key);
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// A root key that is not `current`, from the first source, with what the store is to keep of it. A file gets a new key in
    /// front of the others, unless there is one already.
    ///
    /// # Errors
    /// When the source has no other key than the current one, or fails.
    pub fn next(
        &self,
        current: Option<RootId>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(RootKey, Slot), RootKeyError> {
        let source = self.first().ok_or(RootKeyError::NothingNew("no provider of a root key is set"))?;
        let failed = |error: ProviderError| RootKeyError::Provider { provider: source.to_string(), error };
        let (key, data) = match source {
            Source::File(path) => (next_in_file(path, current, rng).map_err(failed)?, None),
            Source::Environment => {
                let key = self.environment_key().map_err(failed)?;
                if Some(key.id()) == current {
                    return Err(RootKeyError::NothingNew(
                        "PAWL_ROOT_KEY holds the root key that the store is under: restart the host with the new key in \
                         PAWL_ROOT_KEY, and the old one as a further provider (`--root-key-provider env file:OLD`)",
                    ));
                }
                (key, None)
            }
            Source::Passphrase(from) => {
                let passphrase = self.passphrase(from).map_err(failed)?;
                if passphrase.expose().len() < limits::PASSPHRASE_CHARS_MIN {
                    return Err(failed(ProviderError::Missing(
                        "a passphrase must have 12 characters or more: take several random words",
                    )));
                }
                let stretching = Stretching::new(rng);
                let key = stretching.stretch(&passphrase).map_err(|error| failed(error.into()))?;
                (key, Some(stretching.to_string()))
            }
            Source::Kms(key) => {
                let made = self.credentials(key).and_then(|credentials| match credentials {
                    Found::Own(own) => kms::make(key, &own),
                    Found::Shared(shared) => kms::make(key, shared),
                });
                made.map(|(key, data)| (key, Some(data))).map_err(failed)?
            }
            Source::Transit(key) => {
                let made = self.token(key).and_then(|token| transit::make(key, &token));
                made.map(|(key, data)| (key, Some(data))).map_err(failed)?
            }
            Source::Pkcs11(key) => {
                let made = self.pin(key).and_then(|pin| pkcs11::make(key, &pin, rng));
                made.map(|(key, data)| (key, Some(data))).map_err(failed)?
            }
        };
        let slot = Slot { root: key.id(), provider: source.kind().to_owned(), data, created_at: now };
        // Before anything is sealed by it: who may have a key made, and not have it opened, would lock everybody out with the next start.
        let wraps = matches!(source, Source::Kms(_) | Source::Transit(_) | Source::Pkcs11(_));
        let comes_back = |opened: &[RootKey]| opened.iter().any(|key| key.id() == slot.root);
        if wraps && !comes_back(&self.open(source, Some(&slot)).map_err(failed)?) {
            return Err(failed(ProviderError::Unexpected("the key that it made does not come back from it")));
        }
        self.keep(&key);
        Ok((key, slot))
    }

    fn known(&self) -> Vec<RootKey> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.iter().map(RootKey::duplicate).collect()
    }

    fn keep(&self, key: &RootKey) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.iter().any(|held| held.id() == key.id()) {
            opened.push(key.duplicate());
        }
    }

    /// The keys that a source has for a slot; those of which it cannot be said before they are tried are among them.
    fn open(&self, source: &Source, slot: Option<&Slot>) -> Result<Vec<RootKey>, ProviderError> {
        let data = || {
            let data = slot.and_then(|slot| slot.data.as_deref());
            data.ok_or(ProviderError::Missing(
                "the store's key record does not hold what this provider needs",
            ))
        };
        Ok(match source {
            Source::File(path) => root_file::load_all(path)?.ok_or_else(|| {
                let source = std::io::ErrorKind::NotFound.into();
                RootFileError::Io { path: path.clone(), deed: "open", source }
            })?,
            Source::Environment => vec![self.environment_key()?],
            // A store of the first format was made with a file.
            _ if slot.is_none() => Vec::new(),
            Source::Passphrase(from) => {
                let stretching: Stretching = data()?.parse()?;
                vec![stretching.stretch(&self.passphrase(from)?)?]
            }
            Source::Kms(key) => vec![match self.credentials(key)? {
                Found::Own(own) => kms::open(key, &own, data()?)?,
                Found::Shared(shared) => kms::open(key, shared, data()?)?,
            }],
            Source::Transit(key) => vec![transit::open(key, &self.token(key)?, data()?)?],
            Source::Pkcs11(key) => vec![pkcs11::open(key, &self.pin(key)?, data()?)?],
        })
    }

    fn environment_key(&self) -> Result<RootKey, ProviderError> {
        let line = self.secrets.root_key.as_ref();
        let line = line
            .ok_or(ProviderError::Missing("PAWL_ROOT_KEY is not set: give it 32 random bytes in base64"))?;
        root_file::parse_line(line.expose())
            .ok_or(ProviderError::Missing("PAWL_ROOT_KEY does not hold 32 random bytes in base64"))
    }

    /// The passphrase; a file is read anew, for somebody may have put the next one there.
    fn passphrase(&self, from: &PassphraseFrom) -> Result<SecretBytes, ProviderError> {
        let PassphraseFrom::File(path) = from else {
            // Whoever read the environment has read this as well: a pipe and a terminal are read once.
            let told = self.secrets.passphrase.as_ref().map(SecretBytes::duplicate);
            return told.ok_or(ProviderError::Missing("there is nobody to ask for the passphrase any more"));
        };
        first_line(path, limits::PASSPHRASE_BYTES_MAX)
    }

    fn credentials(&self, key: &KmsKey) -> Result<Found<'_>, ProviderError> {
        let Some(path) = &key.credentials_file else {
            let missing = ProviderError::Missing(
                "no credentials for it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with \
                 `credentials=FILE`",
            );
            return self.secrets.aws.as_ref().map(Found::Shared).ok_or(missing);
        };
        let text = read(path, limits::PASSPHRASE_BYTES_MAX)?;
        let text =
            std::str::from_utf8(&text).map_err(|_| ProviderError::Missing("the credentials are not text"))?;
        profile(text, &key.profile)
            .map(Found::Own)
            .ok_or(ProviderError::Missing("the credentials file has no such profile with a key"))
    }

    fn token(&self, key: &TransitKey) -> Result<SecretBytes, ProviderError> {
        let missing =
            ProviderError::Missing("no token for it: set VAULT_TOKEN, or name a file with `token-file=FILE`");
        match &key.token_file {
            Some(path) => first_line(path, limits::PASSPHRASE_BYTES_MAX),
            None => self.secrets.vault_token.as_ref().map(SecretBytes::duplicate).ok_or(missing),
        }
    }

    fn pin(&self, key: &Pkcs11Key) -> Result<SecretBytes, ProviderError> {
        let missing =
            ProviderError::Missing("no PIN for it: set PAWL_PKCS11_PIN, or name a file with `pin-file=FILE`");
        match &key.pin_file {
            Some(path) => first_line(path, limits::PASSPHRASE_BYTES_MAX),
            None => self.secrets.pkcs11_pin.as_ref().map(SecretBytes::duplicate).ok_or(missing),
        }
    }
}

/// Credentials of a file, or those of the environment.
enum Found<'a> {
    Own(AwsCredentials),
    Shared(&'a AwsCredentials),
}

impl std::fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKeys({})", self.describe())
    }
}

/// What opens with this root key; the ids of those that do not are noted.
fn try_key(
    record: &KeyRecord,
    root: RootKey,
    had: &mut Vec<RootId>,
) -> Result<Option<Unlocked>, RootKeyError> {
    match record.unlock(&root) {
        Ok(record) => Ok(Some(Unlocked { record, root })),
        Err(UnlockError::WrongRootKey) => {
            had.push(root.id());
            Ok(None)
        }
        Err(error) => Err(RootKeyError::Record(error)),
    }
}
