//! Who calls: the root identity, and the callers that signatures prove.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pawl_core::function::FunctionArn;
use pawl_core::names::{AccountId, Region, VersionId};
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;

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
}

/// In what capacity somebody calls. Policies will refine the first; the others are Pawl itself, at work for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The root identity, which may do everything.
    Root,
    /// The scheduler: begins rotations that are due and purges what was deleted.
    Scheduler,
    /// A rotation's own steps.
    Rotation,
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
        }
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
}

/// The name of the file in the data directory.
const FILE: &str = "root-credentials";

/// The root access key: the given one, else the one in `DIR/root-credentials`, else a new one that is written there.
///
/// # Errors
/// When the file cannot be read, written or understood.
pub fn root_key(
    dir: &Path,
    bootstrap: Option<(String, SecretBytes)>,
    rng: &dyn Rng,
) -> Result<AccessKey, IdentityError> {
    if let Some((id, secret)) = bootstrap {
        return Ok(AccessKey { id, secret });
    }
    let path = dir.join(FILE);
    match File::open(&path) {
        Ok(mut file) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(|source| io(&path, source))?;
            parse(&text).ok_or(IdentityError::Damaged(path))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = generate(rng);
            write(&path, &key).map_err(|source| io(&path, source))?;
            Ok(key)
        }
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

fn write(path: &Path, key: &AccessKey) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "[default]\naws_access_key_id = {}", key.id)?;
    file.write_all(b"aws_secret_access_key = ")?;
    file.write_all(key.secret.expose())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::world::SystemRng;

    #[test]
    fn the_first_start_writes_a_key_and_the_next_one_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = root_key(dir.path(), None, &SystemRng).unwrap();
        let found = root_key(dir.path(), None, &SystemRng).unwrap();
        assert_eq!(made.id, found.id);
        assert!(made.secret.same_as(&found.secret));
        let mode = dir.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_given_key_is_not_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let given = Some(("AKID".to_owned(), SecretBytes::from("secret".to_owned())));
        assert_eq!(root_key(dir.path(), given, &SystemRng).unwrap().id, "AKID");
        assert!(!dir.path().join(FILE).exists());
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "[default]\n").unwrap();
        assert!(matches!(root_key(dir.path(), None, &SystemRng), Err(IdentityError::Damaged(_))));
    }
}
