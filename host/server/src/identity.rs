//! Who calls: the root identity, and the callers that signatures prove.

mod bound;
mod directory;
mod principal;
mod secrets;
mod session;
mod snapshot;
mod used;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::function::FunctionArn;
use pawl_core::names::{AccountId, Region, VersionId};
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::Rng;
use pawl_iam::policy::PrincipalKind;
use pawl_keyring::{Keyring, SealContext, Sealed};
use pawl_store::{EntityRow, Store, StoreError};

use crate::audit::Trail;

pub(crate) use self::bound::trust_of;
pub use self::directory::{Credential, Directory};
pub use self::principal::Identity;
pub use self::session::{Assumed, Issued, Session, Who, issue};
pub(crate) use self::snapshot::{GROUP, POLICY, PROVIDER, ROLE, USER};
pub use self::snapshot::{Grants, Kept, Snapshot, UserKey};
pub use self::used::{LastUse, LastUsed};

/// An access key: its id, and the secret part that signs.
#[derive(Debug)]
pub struct AccessKey {
    /// The public part.
    pub id: String,
    /// The secret part.
    pub secret: SecretBytes,
}

/// Who a request comes from, after its signature was verified.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The principal's ARN.
    pub principal: String,
    /// The region of the signature's scope: the namespace that the caller works in.
    pub region: Region,
    /// The request's id, as answered in `x-amzn-RequestId`.
    pub request_id: String,
    /// In what capacity it calls.
    pub standing: Standing,
    /// Where the request came from; none for Pawl's own work.
    pub source: Option<IpAddr>,
    /// Whether it came over TLS that ends at this host.
    pub is_encrypted: bool,
    /// Whether it has signed with credentials that end.
    pub is_temporary: bool,
    /// The certificate that the client has shown and that was verified, where there is one.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// What decides about a user or a session; none for the root identity and Pawl itself.
    pub identity: Option<Arc<Identity>>,
    /// Where what is touched for it is noted.
    pub(crate) trail: Trail,
}

/// A certificate that a client has shown, after it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its subject, as RFC 4514 writes it; none where that cannot be read.
    pub subject: Option<String>,
    /// The SHA-256 of the whole certificate, in lower-case hexadecimal: what tells it from another of the same subject.
    pub sha256: String,
}

/// In what capacity somebody calls. Two are Pawl itself, at work for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The root identity, which may do everything.
    Root,
    /// The scheduler: begins rotations that are due and purges what was deleted.
    Scheduler,
    /// A rotation's own steps.
    Rotation,
    /// A user or a session, who may do what policies allow.
    Principal,
}

impl Caller {
    /// The root identity of an account.
    #[must_use]
    pub fn root(account: &AccountId, region: Region, request_id: String) -> Self {
        Self {
            principal: format!("arn:aws:iam::{account}:root"),
            region,
            request_id,
            standing: Standing::Root,
            source: None,
            is_encrypted: false,
            is_temporary: false,
            certificate: None,
            identity: None,
            trail: Trail::default(),
        }
    }

    /// A user or a session.
    #[must_use]
    pub fn principal(identity: Arc<Identity>, region: Region, request_id: String) -> Self {
        Self {
            principal: identity.principal.name().to_owned(),
            region,
            request_id,
            standing: Standing::Principal,
            source: None,
            is_encrypted: false,
            is_temporary: identity.issued_at.is_some(),
            certificate: None,
            identity: Some(identity),
            trail: Trail::default(),
        }
    }

    /// Somebody who has not said who he is. No policy allows him anything.
    #[must_use]
    pub fn nobody(region: Region, request_id: String) -> Self {
        Self {
            principal: "anonymous".to_owned(),
            region,
            request_id,
            standing: Standing::Principal,
            source: None,
            is_encrypted: false,
            is_temporary: false,
            certificate: None,
            identity: None,
            trail: Trail::default(),
        }
    }

    /// Whether it has signed with what `GetSessionToken` gives: a session of a user or of the root identity, and of no role.
    #[must_use]
    pub fn is_own_session(&self) -> bool {
        let identity = self.identity.as_deref();
        let is_roles = identity.is_some_and(|own| own.principal.kind() == PrincipalKind::Session);
        self.is_temporary && !is_roles
    }

    /// Who it is in whole, among the ids of users and roles: all sessions of a role are one, for whoever may begin one may begin many.
    #[must_use]
    pub fn whole(&self) -> &str {
        const ROOT: &str = "root";
        self.identity.as_ref().map_or(ROOT, |identity| {
            identity.id.split_once(':').map_or(identity.id.as_str(), |(role, _)| role)
        })
    }

    /// The caller, calling from an address.
    #[must_use]
    pub fn from_address(self, source: Option<IpAddr>) -> Self {
        Self { source, ..self }
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(region: Region, request_id: String) -> Self {
        Self {
            principal: "secretsmanager.amazonaws.com".to_owned(),
            region,
            request_id,
            standing: Standing::Scheduler,
            source: None,
            is_encrypted: false,
            is_temporary: false,
            certificate: None,
            identity: None,
            trail: Trail::default(),
        }
    }

    /// A rotation's steps, done by a function. The request id is the rotation's token.
    #[must_use]
    pub fn rotation(function: &FunctionArn, region: Region, token: &VersionId) -> Self {
        Self {
            principal: function.to_string(),
            region,
            request_id: token.to_string(),
            standing: Standing::Rotation,
            source: None,
            is_encrypted: false,
            is_temporary: false,
            certificate: None,
            identity: None,
            trail: Trail::default(),
        }
    }
}

/// Why the root identity could not be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be read or written.
    #[error("the root credentials `{path}` could not be read or written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not hold a key.
    #[error(
        "`{0}` holds no aws_access_key_id and aws_secret_access_key; restore it, or remove it to have a new root key made"
    )]
    Damaged(PathBuf),
    /// The file is of another store.
    #[error(
        "`{0}` holds another root key than the store, which all of its hosts share; move the file away, and the store's key is \
         written there"
    )]
    Another(PathBuf),
    /// The store's copy does not open.
    #[error("the store's root access key cannot be read; it was altered: restore the store from a backup")]
    DamagedInStore,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The name of the file in the data directory.
const FILE: &str = "root-credentials";
/// The setting of a shared store that holds the key, sealed.
const STORED: &str = "root access key";

/// The root access key of a host that is alone on its store: the one in `DIR/root-credentials`, else a new one that is written
/// there.
///
/// # Errors
/// When the file cannot be read, written or understood.
pub fn root_key(dir: &Path, rng: &dyn Rng) -> Result<AccessKey, IdentityError> {
    if let Some(key) = read(dir)? {
        return Ok(key);
    }
    let key = generate(rng);
    write(dir, &key)?;
    Ok(key)
}

/// The root access key of all hosts of a shared store: it is kept in the store, sealed, and written to each host's
/// `DIR/root-credentials`. The first host's is taken, from that file when it is there.
///
/// # Errors
/// When the store or the file fails, or the file holds another key than the store.
pub async fn shared_root_key(
    dir: &Path,
    store: &dyn Store,
    keyring: &Keyring,
    rng: &dyn Rng,
) -> Result<AccessKey, IdentityError> {
    let own = read(dir)?;
    let key = match store.meta(STORED).await? {
        Some(stored) => unseal(keyring, stored)?,
        None => {
            let key = own.unwrap_or_else(|| generate(rng));
            let sealed = seal(keyring, &key, rng)?;
            if store.swap_meta(STORED, None, sealed.as_bytes()).await? {
                if read(dir)?.is_none() {
                    write(dir, &key)?;
                }
                return Ok(key);
            }
            // Another host was faster.
            unseal(keyring, store.meta(STORED).await?.unwrap_or_default())?
        }
    };
    match read(dir)? {
        None => write(dir, &key)?,
        Some(own) if own.id == key.id && own.secret.same_as(&key.secret) => {}
        Some(_) => return Err(IdentityError::Another(dir.join(FILE))),
    }
    Ok(key)
}

/// How the root access key of a shared store is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootKeySeal {
    /// By the keyring's newest key, or there is none.
    Current,
    /// By the newest one, from now on.
    Renewed,
    /// It does not open.
    Unreadable,
}

/// Seals the root access key of a shared store anew, if it is under an older key of the keyring.
pub(crate) async fn reseal_shared_root_key(
    store: &dyn Store,
    keyring: &Keyring,
    rng: &dyn Rng,
) -> Result<RootKeySeal, StoreError> {
    let Some(stored) = store.meta(STORED).await? else { return Ok(RootKeySeal::Current) };
    if Sealed::kek_of(&stored) == Some(keyring.active()) {
        return Ok(RootKeySeal::Current);
    }
    let anew = unseal(keyring, stored.clone()).and_then(|key| seal(keyring, &key, rng));
    let Ok(anew) = anew else {
        tracing::error!("the root access key in the store does not open; restore the store from a backup");
        return Ok(RootKeySeal::Unreadable);
    };
    // Who is faster has sealed it anew as well.
    store.swap_meta(STORED, Some(&stored), anew.as_bytes()).await?;
    Ok(RootKeySeal::Renewed)
}

/// What the secrets of an entity are bound to in the places of an ARN and a version, if it is one that has some.
pub(crate) fn context_of(row: &EntityRow) -> Option<(&'static str, String)> {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: String,
    }
    let Identified { id } = serde_json::from_str(&row.document).ok()?;
    (row.kind == USER).then_some((secrets::BOUND, id))
}

/// What the sealed key in the store is bound to, in the place of an ARN and a version.
const CONTEXT: SealContext<'static> = SealContext { arn: STORED, version_id: "1" };

fn seal(keyring: &Keyring, key: &AccessKey, rng: &dyn Rng) -> Result<Sealed, IdentityError> {
    let text = SecretBytes::new([key.id.as_bytes(), b"\n", key.secret.expose()].concat());
    let value = SecretValue::new(ValueKind::Text, text).map_err(|_| IdentityError::DamagedInStore)?;
    keyring.seal(&CONTEXT, &value, rng).map_err(|_| IdentityError::DamagedInStore)
}

fn unseal(keyring: &Keyring, stored: Vec<u8>) -> Result<AccessKey, IdentityError> {
    let damaged = |_| IdentityError::DamagedInStore;
    let sealed = Sealed::from_bytes(stored).map_err(|_| IdentityError::DamagedInStore)?;
    let value = keyring.open(&CONTEXT, &sealed).map_err(damaged)?;
    let text = std::str::from_utf8(value.bytes().expose()).map_err(|_| IdentityError::DamagedInStore)?;
    let (id, secret) = text.split_once('\n').ok_or(IdentityError::DamagedInStore)?;
    Ok(AccessKey { id: id.to_owned(), secret: secret.to_owned().into() })
}

/// The key in the directory's file; none when there is no file.
fn read(dir: &Path) -> Result<Option<AccessKey>, IdentityError> {
    let path = dir.join(FILE);
    let mut text = String::new();
    match File::open(&path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => parse(&text).map(Some).ok_or(IdentityError::Damaged(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io(&path, source)),
    }
}

fn io(path: &Path, source: std::io::Error) -> IdentityError {
    IdentityError::Io { path: path.to_owned(), source }
}

fn parse(text: &str) -> Option<AccessKey> {
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    Some(AccessKey { id: value("aws_access_key_id")?, secret: value("aws_secret_access_key")?.into() })
}

fn generate(rng: &dyn Rng) -> AccessKey {
    let draw = |alphabet: &[u8], count: usize| -> String {
        let size = u32::try_from(alphabet.len()).unwrap_or(1);
        (0..count).filter_map(|_| alphabet.get(rng.below(size) as usize).map(|&c| char::from(c))).collect()
    };
    let id = format!("AKIA{}", draw(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let secret = draw(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 40);
    AccessKey { id, secret: secret.into() }
}

fn write(dir: &Path, key: &AccessKey) -> Result<(), IdentityError> {
    let path = dir.join(FILE);
    let mut text =
        format!("[default]\naws_access_key_id = {}\naws_secret_access_key = ", key.id).into_bytes();
    text.extend_from_slice(key.secret.expose());
    text.push(b'\n');
    let text = SecretBytes::new(text);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(text.expose())?;
        file.sync_all()
    });
    written.map_err(|source| io(&path, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use pawl_store::{Options, SqliteStore};

    use super::*;
    use crate::world::SystemRng;

    #[test]
    fn the_first_start_writes_a_key_and_the_next_one_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = root_key(dir.path(), &SystemRng).unwrap();
        let found = root_key(dir.path(), &SystemRng).unwrap();
        assert_eq!(made.id, found.id);
        assert!(made.secret.same_as(&found.secret));
        let mode = dir.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "[default]\n").unwrap();
        assert!(matches!(root_key(dir.path(), &SystemRng), Err(IdentityError::Damaged(_))));
    }

    #[tokio::test]
    async fn all_hosts_of_a_store_have_one_key() {
        let (one, two, three) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = SqliteStore::open(&one.path().join("pawl.db"), Options::default()).await.unwrap();
        let root = pawl_keyring::root_file::create(&one.path().join("root-key"), &SystemRng).unwrap();
        let (keyring, _) = Keyring::create(&root, &SystemRng).unwrap();
        let first = shared_root_key(one.path(), &store, &keyring, &SystemRng).await.unwrap();
        let stored = store.meta(STORED).await.unwrap().unwrap();
        let secret = first.secret.expose();
        assert!(!stored.windows(secret.len()).any(|part| part == secret), "it is sealed");
        for dir in [&one, &two] {
            let found = shared_root_key(dir.path(), &store, &keyring, &SystemRng).await.unwrap();
            assert!(found.id == first.id && found.secret.same_as(&first.secret));
            assert!(
                root_key(dir.path(), &SystemRng).unwrap().secret.same_as(&first.secret),
                "it is in the file"
            );
        }
        root_key(three.path(), &SystemRng).unwrap();
        let another = shared_root_key(three.path(), &store, &keyring, &SystemRng).await;
        assert!(matches!(another, Err(IdentityError::Another(_))));
        store.put_meta(STORED, b"what is this").await.unwrap();
        let damaged = shared_root_key(one.path(), &store, &keyring, &SystemRng).await;
        assert!(matches!(damaged, Err(IdentityError::DamagedInStore)));
    }
}
