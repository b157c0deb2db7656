//! The root key file, and what providers are told in small files: passphrases, tokens, PINs, credentials.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::PoisonError;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use pawl_keyring::{RootId, RootKey, Transition, root_file};
use zeroize::Zeroizing;

use super::ledger::named_file;
use super::{AwsCredentials, ProviderError, RootKeys, Source};

/// The file's first key, when that is not the current one; else a new one, which is then in the file, in front of the others.
pub(super) fn next_in_file(
    path: &Path,
    current: Option<RootId>,
    rng: &dyn Rng,
) -> Result<RootKey, ProviderError> {
    let Some(mut keys) = root_file::load_all(path)? else { return Ok(root_file::create(path, rng)?) };
    if let Some(first) = keys.first().filter(|first| Some(first.id()) != current) {
        return Ok(first.duplicate());
    }
    if keys.len() >= limits::ROOT_FILE_KEYS_MAX {
        return Err(ProviderError::Missing(
            "the root key file is full of former keys: `pawl key forget` removes them",
        ));
    }
    let key = RootKey::generate(rng);
    keys.insert(0, key.duplicate());
    named_file(Transition::KeyWritten, || root_file::replace(path, &keys, rng))?;
    Ok(key)
}

impl RootKeys {
    /// Puts a root key that another host has made into this host's file, in front of the others. False when the first source is
    /// no file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn take_over(&self, key: &RootKey, rng: &dyn Rng) -> Result<bool, ProviderError> {
        let Some(Source::File(path)) = self.first() else { return Ok(false) };
        let mut keys = root_file::load_all(path)?.unwrap_or_default();
        if !keys.iter().any(|held| held.id() == key.id()) {
            keys.insert(0, key.duplicate());
            named_file(Transition::TakenOver, || root_file::replace(path, &keys, rng))?;
        }
        self.keep(key);
        Ok(true)
    }

    /// Removes all root keys but `keep` from this host's files; answers which.
    ///
    /// # Errors
    /// When a file does not hold `keep`, or cannot be written.
    pub fn forget_all_but(&self, keep: &[RootId], rng: &dyn Rng) -> Result<Vec<RootId>, ProviderError> {
        let mut gone = Vec::new();
        for source in &self.sources {
            let Source::File(path) = source else { continue };
            // What a crash has left of a file that was being written holds keys as well.
            root_file::sweep_drafts(path)?;
            let Some(keys) = root_file::load_all(path)? else { continue };
            let (kept, former): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| keep.contains(&key.id()));
            if !former.is_empty() && !kept.is_empty() {
                named_file(Transition::FileForgotten, || root_file::replace(path, &kept, rng))?;
                gone.extend(former.iter().map(RootKey::id));
            }
        }
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).retain(|key| keep.contains(&key.id()));
        Ok(gone)
    }

    /// Root keys in this host's files, those of before included.
    #[must_use]
    pub fn in_files(&self) -> Vec<RootId> {
        let files = self.sources.iter().filter_map(|source| match source {
            Source::File(path) => root_file::load_all(path).ok().flatten(),
            _ => None,
        });
        files.flatten().map(|key| key.id()).collect()
    }
}

/// What a small file holds, read into memory that does not grow.
pub(super) fn read(path: &Path, room: usize) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let io = |source| ProviderError::Io { path: path.to_owned(), source };
    let mut bytes = Zeroizing::new(vec![0; room]);
    let (mut file, mut filled) = (File::open(path).map_err(io)?, 0);
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(io)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// The first line of a small file.
pub(super) fn first_line(path: &Path, room: usize) -> Result<SecretBytes, ProviderError> {
    let text = read(path, room)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(ProviderError::Missing("the first line of its file is empty"));
    }
    Ok(SecretBytes::new(line.to_vec()))
}

/// A profile of a credentials file in AWS's format.
pub(super) fn profile(text: &str, name: &str) -> Option<AwsCredentials> {
    let (mut inside, mut id, mut secret, mut token) = (false, None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section.trim() == name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            match key.trim() {
                "aws_access_key_id" => id = Some(value.trim().to_owned()),
                "aws_secret_access_key" => secret = Some(SecretBytes::from(value.trim().to_owned())),
                "aws_session_token" => token = Some(SecretBytes::from(value.trim().to_owned())),
                _ => {}
            }
        }
    }
    Some(AwsCredentials { id: id?, secret: secret?, token })
}
