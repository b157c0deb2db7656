//! Compiled components on disk. They are machine code: whoever can write one runs code in the worker. So each carries a MAC
//! over all of its bytes, and one that does not verify is compiled again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pawl_core::function::Digest;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use sha2::Sha256;

use crate::engine::Identity;

/// Bytes of the MAC before the artefact.
const TAG_BYTES: usize = 32;
/// What the MAC is about, so that the key's MACs over other things are of no use here.
const PURPOSE: &[u8] = b"pawl compiled component 1\0";

/// A directory of compiled components.
#[derive(Clone)]
pub(crate) struct Artifacts(Arc<Shelf>);

struct Shelf {
    directory: PathBuf,
    key: SecretBytes,
}

/// Why the directory did not give or take an artefact.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct ArtifactError {
    path: PathBuf,
    source: io::Error,
}

impl Artifacts {
    pub(crate) fn new(directory: PathBuf, key: SecretBytes) -> Self {
        Self(Arc::new(Shelf { directory, key }))
    }

    /// The artefact of a component for an engine, if it is there and is what this host stored.
    pub(crate) async fn find(
        &self,
        digest: Digest,
        engine: Identity,
    ) -> Result<Option<Vec<u8>>, ArtifactError> {
        self.on_disk(move |shelf| shelf.find(digest, engine)).await
    }

    /// Keeps an artefact.
    pub(crate) async fn keep(
        &self,
        digest: Digest,
        engine: Identity,
        artifact: Arc<Vec<u8>>,
    ) -> Result<(), ArtifactError> {
        self.on_disk(move |shelf| shelf.keep(digest, engine, &artifact)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> Result<T, ArtifactError> + Send + 'static,
    ) -> Result<T, ArtifactError> {
        let shelf = Arc::clone(&self.0);
        let path = shelf.directory.clone();
        tokio::task::spawn_blocking(move || work(&shelf))
            .await
            .unwrap_or_else(|ended| Err(ArtifactError { path, source: io::Error::other(ended) }))
    }
}

impl Shelf {
    fn path(&self, digest: Digest, engine: Identity) -> PathBuf {
        let name = format!("{}-{}.cwasm", hex::encode(digest.as_bytes()), hex::encode(engine));
        self.directory.join(name)
    }

    fn mac(&self, digest: Digest, engine: Identity, artifact: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose()).ok()?;
        // All before the artefact has a fixed length: no two inputs read the same.
        mac.update(PURPOSE);
        mac.update(digest.as_bytes());
        mac.update(&engine);
        mac.update(artifact);
        Some(mac)
    }

    fn find(&self, digest: Digest, engine: Identity) -> Result<Option<Vec<u8>>, ArtifactError> {
        let path = self.path(digest, engine);
        let fail = |source| ArtifactError { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let mut artifact = Vec::new();
        let mut tag = [0; TAG_BYTES];
        let max = u64::try_from(limits::ARTIFACT_BYTES_MAX).unwrap_or(u64::MAX);
        let read = (&file)
            .read_exact(&mut tag)
            .and_then(|()| (&file).take(max.saturating_add(1)).read_to_end(&mut artifact).map(drop));
        let ours = match read {
            Ok(()) => self.mac(digest, engine, &artifact).is_some_and(|mac| mac.verify_slice(&tag).is_ok()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(fail(error)),
        };
        if !ours {
            tracing::warn!(
                path = %path.display(),
                "a compiled component is not what this host stored; it is not used and compiled again"
            );
            return Ok(None);
        }
        Ok(Some(artifact))
    }

    fn keep(&self, digest: Digest, engine: Identity, artifact: &[u8]) -> Result<(), ArtifactError> {
        let path = self.path(digest, engine);
        let fail = |source| ArtifactError { path: path.clone(), source };
        let Some(mac) = self.mac(digest, engine, artifact) else {
            return Err(fail(io::Error::other("the key for compiled components cannot be used")));
        };
        let tag = mac.finalize().into_bytes();
        fs::create_dir_all(&self.directory).map_err(fail)?;
        // Two hosts on one directory write under two names; a name left by a crash is taken over.
        let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(fail)?;
        file.write_all(&tag).map_err(fail)?;
        file.write_all(artifact).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        fs::rename(&fresh, &path).map_err(fail)?;
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: Identity = [7; 32];

    fn shelf(directory: &tempfile::TempDir, key: &str) -> Shelf {
        Shelf { directory: directory.path().join("compiled"), key: SecretBytes::new(key.into()) }
    }

    #[test]
    fn what_was_kept_is_found_for_the_same_component_engine_and_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let ours = shelf(&directory, "ours");
        assert_eq!(ours.find(one, ENGINE).unwrap(), None);
        ours.keep(one, ENGINE, b"machine code").unwrap();
        assert_eq!(ours.find(one, ENGINE).unwrap().unwrap(), b"machine code");
        assert_eq!(ours.find(other, ENGINE).unwrap(), None);
        assert_eq!(ours.find(one, [8; 32]).unwrap(), None);
        assert_eq!(shelf(&directory, "theirs").find(one, ENGINE).unwrap(), None);
        // Under another component's name it is not what was stored there.
        fs::copy(ours.path(one, ENGINE), ours.path(other, ENGINE)).unwrap();
        assert_eq!(ours.find(other, ENGINE).unwrap(), None);
    }

    #[test]
    fn no_changed_byte_and_no_cut_goes_unseen() {
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::from_bytes([1; 32]);
        let shelf = shelf(&directory, "key");
        shelf.keep(digest, ENGINE, b"machine code").unwrap();
        let path = shelf.path(digest, ENGINE);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert_eq!(shelf.find(digest, ENGINE).unwrap(), None, "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(shelf.find(digest, ENGINE).unwrap(), None, "cut at {at}");
        }
        fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
        assert_eq!(shelf.find(digest, ENGINE).unwrap(), None);
    }

    #[test]
    fn nobody_else_can_read_or_write_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let shelf = shelf(&directory, "key");
        shelf.keep(Digest::from_bytes([1; 32]), ENGINE, b"x").unwrap();
        for entry in fs::read_dir(&shelf.directory).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
