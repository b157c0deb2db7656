//! The root key in a file: the provider that needs nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::root::RootKey;

const COMMENT: &str = "# Pawl's root key: it opens every secret of its store, and without it none opens. Back it up apart from the store.";
const FORMER: &str = "\n# Former root keys, the newest first: backups from before the rotation need them. `pawl key forget` removes them.";
/// What stands before a draft's mark in its name's extension.
const DRAFT: &str = "draft-";
/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Why a root key file will not do.
#[derive(Debug, thiserror::Error)]
pub enum RootFileError {
    /// Somebody else could read or change it.
    #[error("the root key file {path} has mode {mode:03o}, so others than its owner have access; run `chmod 600 {path}`, and replace the key if anybody may have read it", path = path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It belongs to another user, who could change it.
    #[error("the root key file {path} belongs to user {owner}; it must belong to the user that runs pawl, or to root", path = path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// The user's number.
        owner: u32,
    },
    /// Where it leads could be changed without touching it.
    #[error("the root key file {path} is a symbolic link; name the file itself", path = path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A directory, a pipe, a device.
    #[error("the root key file {path} is not a regular file", path = path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// It holds nothing at all.
    #[error("the root key file {path} is empty; restore it from its backup, or delete it if the store is new: a first start was cut off", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else than one key.
    #[error("the root key file {path} does not hold a line with 32 bytes in base64 (and no other, but for former root keys in lines after it); restore it from its backup", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// There is one, and it may be the only copy of its key.
    #[error("the root key file {path} exists and is not overwritten", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not {deed} the root key file {path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        deed: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// The key in the file, or nothing if there is no such file. Of several, the one that counts.
///
/// # Errors
/// When the file is not one that its owner alone can read, or does not hold a key.
pub fn load(path: &Path) -> Result<Option<RootKey>, RootFileError> {
    Ok(load_all(path)?.and_then(|keys| keys.into_iter().next()))
}

/// The keys in the file, the one that counts before those of before, or nothing if there is no such file. Never none of a file
/// that is there.
///
/// # Errors
/// When the file is not one that its owner alone can read, or does not hold a key.
pub fn load_all(path: &Path) -> Result<Option<Vec<RootKey>>, RootFileError> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    judge(path, &file)?;
    let text = read(&mut file).map_err(|source| io_error(path, "read", source))?;
    if text.is_empty() {
        return Err(RootFileError::Empty { path: path.to_owned() });
    }
    parse(&text).map(Some).ok_or_else(|| RootFileError::Malformed { path: path.to_owned() })
}

/// A new key, in a new file that is on disk when this returns.
///
/// # Errors
/// When the file exists, or cannot be written.
pub fn create(path: &Path, rng: &dyn Rng) -> Result<RootKey, RootFileError> {
    let key = RootKey::generate(rng);
    let mut mark = [0; 8];
    rng.fill(&mut mark);
    // Whole or not there: a crash in the middle leaves a draft that nobody reads, and never half a key under the real name.
    let draft = path.with_extension(format!("{DRAFT}{:016x}", u64::from_le_bytes(mark)));
    let made = write(&draft, std::slice::from_ref(&key)).and_then(|()| std::fs::hard_link(&draft, path));
    let _ = std::fs::remove_file(&draft);
    match made.and_then(|()| sync_directory(path)) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(RootFileError::Exists { path: path.to_owned() })
        }
        Err(source) => Err(io_error(path, "create", source)),
    }
}

/// Replaces what the file holds by these keys, the one that counts first. The file is on disk when this returns, and was whole at
/// every moment: as before, or as it is now.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, keys: &[RootKey], rng: &dyn Rng) -> Result<(), RootFileError> {
    let mut mark = [0; 8];
    rng.fill(&mut mark);
    sweep_drafts(path)?;
    let draft = path.with_extension(format!("{DRAFT}{:016x}", u64::from_le_bytes(mark)));
    let replaced = write(&draft, keys).and_then(|()| std::fs::rename(&draft, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    replaced
        .and_then(|()| sync_directory(path))
        .map_err(|source| io_error(path, "replace what is in", source))
}

/// Removes what a crash has left of a file that was being written: it holds keys, those that were forgotten since among them.
///
/// # Errors
/// When the directory cannot be read, or a draft not be removed.
pub fn sweep_drafts(path: &Path) -> Result<(), RootFileError> {
    let unswept = |source| io_error(path, "remove an old draft of", source);
    let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { return Ok(()) };
    for entry in std::fs::read_dir(directory_of(path)).map_err(unswept)? {
        let name = entry.map_err(unswept)?.file_name();
        let mark =
            name.to_str().and_then(|name| name.strip_prefix(stem)?.strip_prefix('.')?.strip_prefix(DRAFT));
        if mark.is_some_and(|mark| mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            match std::fs::remove_file(directory_of(path).join(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unswept(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The key of a line of base64, as it stands in a root key file.
#[must_use]
pub fn parse_line(line: &[u8]) -> Option<RootKey> {
    let line = line.trim_ascii();
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(line.len())]);
    let length = STANDARD.decode_slice(line, &mut bytes).ok()?;
    RootKey::from_bytes(SecretBytes::new(bytes.get(..length)?.to_vec()))
}

/// Opens the file itself: no link is followed, and nothing that is no file can make this wait.
fn open(path: &Path) -> Result<Option<File>, RootFileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(rustix::io::Errno::LOOP) => Err(RootFileError::Link { path: path.to_owned() }),
        Err(error) => Err(io_error(path, "open", error.into())),
    }
}

/// Judges the file that was opened, not what stands at its path by now.
fn judge(path: &Path, file: &File) -> Result<(), RootFileError> {
    let path = || path.to_owned();
    let metadata = file.metadata().map_err(|source| io_error(&path(), "inspect", source))?;
    if !metadata.is_file() {
        return Err(RootFileError::NotAFile { path: path() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(RootFileError::TooOpen { path: path(), mode });
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(RootFileError::OtherOwner { path: path(), owner });
    }
    Ok(())
}

/// Reads into memory that does not grow, as growing would leave copies behind.
fn read(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = limits::ROOT_FILE_BYTES_MAX;
    let mut text = Zeroizing::new(vec![0; room]);
    let mut filled = 0;
    while let Some(rest) = text.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(filled);
    Ok(text)
}

fn parse(text: &[u8]) -> Option<Vec<RootKey>> {
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let keys = lines.map(parse_line).collect::<Option<Vec<_>>>()?;
    let mut ids: Vec<_> = keys.iter().map(RootKey::id).collect();
    ids.sort_unstable();
    let twice = ids.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    (!twice && (1..=limits::ROOT_FILE_KEYS_MAX).contains(&keys.len())).then_some(keys)
}

fn write(path: &Path, keys: &[RootKey]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(COMMENT.as_bytes())?;
    for (number, key) in keys.iter().enumerate() {
        if number == 1 {
            file.write_all(FORMER.as_bytes())?;
        }
        let mut encoded = Zeroizing::new([0; RootKey::BYTES.div_ceil(3) * 4]);
        let length = STANDARD.encode_slice(key.bytes().expose(), &mut *encoded).map_err(io::Error::other)?;
        file.write_all(b"\n")?;
        file.write_all(encoded.get(..length).unwrap_or_default())?;
    }
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Without it the file's name may be lost in a power failure, though its bytes are not.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn io_error(path: &Path, deed: &'static str, source: io::Error) -> RootFileError {
    RootFileError::Io { path: path.to_owned(), deed, source }
}
