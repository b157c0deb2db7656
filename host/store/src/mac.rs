//! The codes by which rows are known to be as this program wrote them.
//!
//! The store keeps a code beside what it is of, writes it in the same statement, and knows no key: who makes and looks at codes
//! stands in front of it.

use std::fmt;
use std::sync::Arc;

use pawl_core::function::FunctionName;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;

use crate::entity::EntityRow;
use crate::error::StoreError;
use crate::function::{ApprovalChange, ApprovalRow, FunctionRow, StoredCode};
use crate::record::{RotationState, SecretRow};

/// The code of a row.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum RowMac {
    /// It has none.
    #[default]
    None,
    /// As it is stored; nobody has looked at it yet.
    Kept(Vec<u8>),
    /// It was looked at, and is not the row's: nothing of the row may be used but its place in a list. Never stored.
    Refused,
}

impl RowMac {
    /// Whether the row was found not to be as it was written.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    /// What is stored of it.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Kept(bytes) => Some(bytes),
            Self::None | Self::Refused => None,
        }
    }
}

impl From<Option<Vec<u8>>> for RowMac {
    fn from(stored: Option<Vec<u8>>) -> Self {
        stored.map_or(Self::None, Self::Kept)
    }
}

impl fmt::Debug for RowMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "RowMac::None",
            Self::Kept(_) => "RowMac::Kept",
            Self::Refused => "RowMac::Refused",
        })
    }
}

/// Makes the codes of rows, and looks at them.
pub trait RowSigner: fmt::Debug + Send + Sync {
    /// The code of a row with this content.
    fn sign(&self, content: &[u8]) -> Vec<u8>;

    /// Whether it is the code of this content.
    fn is_signed(&self, content: &[u8], code: &[u8]) -> bool;
}

/// Who has the key to the codes.
pub type Signer = Arc<dyn RowSigner>;

/// A kind of row that has a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedTable {
    /// Secrets.
    Secrets,
    /// Entities.
    Entities,
    /// Functions.
    Functions,
    /// Approvals.
    Approvals,
    /// What is known of code beside its bytes, which its digest vouches for.
    Code,
}

impl SignedTable {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Secrets, Self::Entities, Self::Functions, Self::Approvals, Self::Code];

    /// The table's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Entities => "entities",
            Self::Functions => "functions",
            Self::Approvals => "approvals",
            Self::Code => "code",
        }
    }
}

/// A row that has a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedRow {
    /// A secret.
    Secret(SecretRow),
    /// An entity.
    Entity(EntityRow),
    /// A function.
    Function(FunctionRow),
    /// An approval.
    Approval(ApprovalRow),
    /// Code, of which the bytes may be missing: the digest is that of the bytes.
    Code(StoredCode),
}

impl SignedRow {
    /// Its code.
    #[must_use]
    pub const fn mac(&self) -> &RowMac {
        match self {
            Self::Secret(row) => &row.mac,
            Self::Entity(row) => &row.mac,
            Self::Function(row) => &row.mac,
            Self::Approval(row) => &row.mac,
            Self::Code(row) => &row.mac,
        }
    }

    /// What its code is of.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        match self {
            Self::Secret(row) => row.content(),
            Self::Entity(row) => row.content(),
            Self::Function(row) => row.content(),
            Self::Approval(row) => row.content(),
            Self::Code(row) => row.content(),
        }
    }
}

/// What a code is of: the kind of the row and each of its columns, so that no two rows have the same bytes. Texts have their lengths
/// before them, and what may be missing says whether it is.
struct Content(Vec<u8>);

impl Content {
    fn new(kind: &str, bytes: usize) -> Self {
        Self(Vec::with_capacity(kind.len() + bytes + 128)).text(kind)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn moment(mut self, at: Timestamp) -> Self {
        self.0.extend_from_slice(&at.millis().to_be_bytes());
        self
    }

    /// What may be missing.
    fn maybe<T>(mut self, value: Option<T>, with: impl FnOnce(Self, T) -> Self) -> Self {
        self.0.push(u8::from(value.is_some()));
        match value {
            Some(value) => with(self, value),
            None => self,
        }
    }
}

impl SecretRow {
    /// What its code is of: all of it. Who works on its rotation is not of the row, and its values are bound to it by themselves.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        // Each column by its name, so that one that comes must be thought of here.
        let Self {
            arn,
            region,
            name,
            revision,
            document,
            created_at,
            purge_at,
            next_rotation_at,
            rotation_due_at,
            last_changed_at,
            last_accessed_at,
            replica_of,
            rotation_state,
            mac: _,
        } = self;
        Content::new("pawl secret 1", document.len() + arn.as_str().len())
            .text(arn.as_str())
            .text(region.as_str())
            .text(name.as_str())
            .number(*revision)
            .moment(*created_at)
            .moment(*last_changed_at)
            .maybe(*purge_at, Content::moment)
            .maybe(*next_rotation_at, Content::moment)
            .maybe(*rotation_due_at, Content::moment)
            .maybe(*last_accessed_at, Content::moment)
            .maybe(replica_of.as_ref().map(Region::as_str), Content::text)
            .maybe(rotation_state.map(RotationState::as_str), Content::text)
            .text(document)
            .0
    }
}

impl EntityRow {
    /// What its code is of: all of it, what is sealed included. The further names by which it is found are not.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let Self { kind, region, name, revision, document, sealed, mac: _ } = self;
        Content::new("pawl entity 1", document.len() + sealed.as_ref().map_or(0, Vec::len))
            .text(kind)
            .text(region)
            .text(name)
            .number(*revision)
            .maybe(sealed.as_deref(), Content::bytes)
            .text(document)
            .0
    }
}

impl FunctionRow {
    /// What its code is of: all of it.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let Self { id, region, name, revision, document, mac: _ } = self;
        Content::new("pawl function 1", document.len())
            .text(id)
            .text(region.as_str())
            .text(name.as_str())
            .number(*revision)
            .text(document)
            .0
    }
}

impl ApprovalRow {
    /// What its code is of: all of it.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let Self { region, name, document, mac: _ } = self;
        approval_content(region, name, document)
    }
}

impl ApprovalChange {
    /// What the code is of that the change needs; none when it takes an approval back.
    #[must_use]
    pub fn content(&self) -> Option<Vec<u8>> {
        let document = self.document.as_deref()?;
        Some(approval_content(&self.region, &self.name, document))
    }
}

fn approval_content(region: &Region, name: &FunctionName, document: &str) -> Vec<u8> {
    Content::new("pawl approval 1", document.len()).text(region.as_str()).text(name.as_str()).text(document).0
}

impl StoredCode {
    /// What its code is of: digest and document. The digest is that of the bytes, which are looked at when they are used.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let Self { digest, document, component: _, mac: _ } = self;
        Content::new("pawl code 1", document.len()).text(&digest.to_string()).text(document).0
    }
}

/// The place of a row in its table: its unique name, in up to three parts of which the first may be empty.
pub type RowPlace = [String; 3];

/// A row where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Its place.
    pub place: RowPlace,
    /// The row, if it can be read.
    pub row: Result<SignedRow, StoreError>,
}

/// Why a store's rows did not get their codes. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// The key record is not the one that was expected: somebody was faster, or changes the keys.
    #[error("the store's keys have changed meanwhile")]
    Raced,
    /// Some rows have codes, so all of them had theirs before.
    #[error(
        "rows of the store have codes, and its key record does not know of it: it was put back from before they were given"
    )]
    HasCodes,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
