//! A whole store as a stream of pieces: what a backup is made of, and what moves from one backend to another.

use pawl_core::arn::SecretArn;
use pawl_core::limits;

use crate::entity::ArchivedEntity;
use crate::error::StoreError;
use crate::function::{ApprovalRow, ArchivedFunction, StoredCode};
use crate::record::{Entry, KeptRotation, SealedVersion, SecretRow};

/// The setting ([`Store::meta`](crate::Store::meta)) that keeps a store from being served; empty or absent when nothing does.
/// It belongs to the store itself: an export leaves it out.
pub const HALT: &str = "halt";

/// What [`HALT`] holds from the beginning of an import until whoever asked for it has looked at what came of it.
pub const HALT_IMPORTING: &[u8] = b"importing";

/// What [`HALT`] holds once the store's content was moved to another one, which goes on with it.
pub const HALT_MOVED: &[u8] = b"moved";

/// A part of a store. They come in the order in which they stand here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The first: the version of the schema.
    Begin {
        /// It.
        schema: i64,
    },
    /// The wrapped data keys.
    Keyring(Vec<u8>),
    /// A small setting of the installation, by its key.
    Setting {
        /// Its key.
        key: String,
        /// What it is set to.
        value: Vec<u8>,
    },
    /// One function's code, or more than one's; ordered by digest.
    Code(StoredCode),
    /// Some functions, ordered by region and name.
    Functions(Vec<ArchivedFunction>),
    /// Some approvals of functions' grants, ordered by region and name.
    Approvals(Vec<ApprovalRow>),
    /// Some entities, ordered by kind, region and name.
    Entities(Vec<ArchivedEntity>),
    /// Some secrets, ordered by region and name.
    Secrets(Vec<ArchivedSecret>),
    /// Some rotations that have ended, ordered by the region, the name of the secret, and their numbers.
    Rotations(Vec<ArchivedRotation>),
    /// Some audit records, by their numbers.
    Audit(Vec<Entry>),
    /// Some events, by their numbers.
    Events(Vec<Entry>),
    /// The last: without it, something is missing.
    End,
}

/// A secret with all that is kept of it. Who works on it is not: a lease ends with the store that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedSecret {
    /// The secret.
    pub head: SecretRow,
    /// The number of its latest claim.
    pub lease_epoch: u64,
    /// The values of those versions that have one, ordered by id.
    pub values: Vec<SealedVersion>,
}

/// A rotation that has ended, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedRotation {
    /// The secret.
    pub arn: SecretArn,
    /// The rotation.
    pub kept: KeptRotation,
}

/// Why a store did not take over another's content. Nothing of it is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It holds something already.
    #[error("it is not empty: it holds secrets, functions or records already; name an empty one")]
    NotEmpty,
    /// The stream ended before [`Piece::End`].
    #[error("what was to be taken over ended too early")]
    Incomplete,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Rows on their way, until they are a page.
pub(crate) struct Page<T> {
    rows: Vec<T>,
    bytes: usize,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), bytes: 0 }
    }
}

impl<T> Page<T> {
    /// Adds a row of so many bytes.
    pub(crate) fn push(&mut self, row: T, bytes: usize) {
        self.rows.push(row);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The row that was added last, which grows by so many bytes.
    pub(crate) fn last(&mut self, bytes: usize) -> Option<&mut T> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows.last_mut()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.rows.len() >= limits::ARCHIVE_PAGE_ROWS || self.bytes >= limits::ARCHIVE_PAGE_BYTES
    }

    /// The rows, if there are any; a new page begins.
    pub(crate) fn take(&mut self) -> Option<Vec<T>> {
        let page = std::mem::take(self);
        (!page.rows.is_empty()).then_some(page.rows)
    }
}

/// The epoch under which a secret is taken over.
pub(crate) const fn raised(epoch: u64) -> u64 {
    epoch.saturating_add(limits::IMPORT_EPOCHS)
}
