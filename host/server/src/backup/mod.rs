//! Backups, restoring them, and moving from one store to another.
//!
//! Values stay sealed all the way, and the root key is never in a backup. It is needed, though, for each of these deeds: a backup
//! is authenticated by a key of the store's keyring, and whatever is written or taken over is opened before it is believed.

mod drift;
mod examine;
mod file;
mod line;
mod migrate;
mod place;
mod restore;
mod take;

use std::path::PathBuf;
use std::sync::Arc;

use pawl_store::{ImportError, StoreError};

pub use drift::{Drift, Reason};
pub use file::FileError;
pub use line::{Counts, Header};
pub use migrate::{Migrated, migrate};
pub use place::Place;
pub use restore::{Restored, restore};
pub use take::{Taken, backup};

use crate::epoch::EpochError;
use crate::root_key::RootKeyError;

/// Told what is being done, and how many secrets of it are.
pub type Progress = Arc<dyn Fn(&'static str, u64) + Send + Sync>;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or directory.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A backup is never written over.
    #[error("`{0}` exists and is not overwritten; name another file")]
    Exists(PathBuf),
    /// A host, or another deed like this one, is at work there.
    #[error("another pawl uses the data directory `{0}`; stop it first")]
    InUse(PathBuf),
    /// There is no store.
    #[error("there is no store at {0}")]
    NoStore(String),
    /// The store was never served, so there is nothing in it.
    #[error("the store has no keys yet, so it holds nothing: it was never served")]
    NoKeys,
    /// Nobody said where it is.
    #[error(
        "no root key: name its file with --root-key-file or its provider with --root-key-provider, or the data directory that holds it \
         with --data-dir"
    )]
    RootKeyUnnamed,
    /// The root key is not there, or it opens something else.
    #[error("the root key does not fit: {0} (nothing has been written)")]
    RootKey(#[from] RootKeyError),
    /// The backup itself.
    #[error("the backup `{path}` cannot be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// Values that would be lost.
    #[error("{}", unsound(.problems, *.more, .remedy))]
    Unsound {
        /// Some of them, by name and version.
        problems: Vec<String>,
        /// How many more there are.
        more: u64,
        /// What can be done.
        remedy: &'static str,
    },
    /// The store that is read.
    #[error("the store could not be read: {0}")]
    Read(StoreError),
    /// The store that is written.
    #[error("the store could not be filled: {0}")]
    Import(#[from] ImportError),
    /// The store that is written, before or after it was filled.
    #[error("the store could not be written: {0}")]
    Write(StoreError),
    /// The store does not hold what it was given.
    #[error(
        "what the store holds now is not what it was given ({given} against {found}); it stays halted and is not served: \
         do this again, or report a bug"
    )]
    Differs {
        /// What it was given.
        given: String,
        /// What it holds.
        found: String,
    },
    /// The store is being filled, or its content has gone elsewhere.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// A promise between this program's own parts was broken.
    #[error("this is a bug in pawl, please report it: {0}")]
    Broken(&'static str),
}

fn unsound(problems: &[String], more: u64, remedy: &str) -> String {
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}; {remedy}", problems.join(", "))
}

#[cfg(test)]
mod tests;
