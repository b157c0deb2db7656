//! Functions that were uploaded: what the store keeps of them, and how they change.

use std::collections::BTreeSet;

use pawl_core::function::{Digest, FunctionName};
use pawl_core::names::Region;

use crate::change::Expect;
use crate::mac::RowMac;

/// A function as it is stored: its aggregate as one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// Tells it from every other function, earlier ones of the same name included.
    pub id: String,
    /// Its region.
    pub region: Region,
    /// Its name, which is its own within the region.
    pub name: FunctionName,
    /// Goes up by one with every change, from 1.
    pub revision: u64,
    /// The aggregate, as JSON.
    pub document: String,
    /// Its code.
    pub mac: RowMac,
}

/// A component. It is found by its digest, and never changes.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCode {
    /// SHA-256 of it.
    pub digest: Digest,
    /// What is known of it beside its bytes, as JSON.
    pub document: String,
    /// Its bytes.
    pub component: Vec<u8>,
    /// The code of digest and document.
    pub mac: RowMac,
}

impl std::fmt::Debug for StoredCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredCode")
            .field("digest", &self.digest)
            .field("document", &self.document)
            .field("bytes", &self.component.len())
            .finish()
    }
}

/// A function's next state, with the code, audit records and events that belong to it.
#[derive(Clone, Debug)]
pub struct FunctionChange {
    /// What the caller has seen.
    pub expect: Expect,
    /// The next state. Its revision is 1 for a new function, else the expected one plus 1. Id, region and name never change.
    pub row: FunctionRow,
    /// Every code that the document names. It must be there, or come with this change; it stays as long as it is named.
    pub names: BTreeSet<Digest>,
    /// Code to keep. What is there already is no mistake.
    pub code: Option<StoredCode>,
    /// Deletes the function, instead of storing `row`. Its code stays for a while: a rotation may run with it.
    pub delete: bool,
    /// Audit records, as JSON, in their order.
    pub audit: Vec<String>,
    /// Events, as JSON, in their order.
    pub events: Vec<String>,
}

impl FunctionChange {
    /// A change that stores `row`, which names this code, and nothing else yet.
    #[must_use]
    pub const fn new(expect: Expect, row: FunctionRow, names: BTreeSet<Digest>) -> Self {
        Self { expect, row, names, code: None, delete: false, audit: Vec::new(), events: Vec::new() }
    }
}

/// What an operator allows the functions of one name to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Where.
    pub region: Region,
    /// Whose.
    pub name: FunctionName,
    /// The approval, as JSON.
    pub document: String,
    /// Its code.
    pub mac: RowMac,
}

/// An approval that is given or taken back, with the audit records and events that belong to it.
#[derive(Clone, Debug)]
pub struct ApprovalChange {
    /// Where.
    pub region: Region,
    /// Whose.
    pub name: FunctionName,
    /// The approval, as JSON; none to take back what there is.
    pub document: Option<String>,
    /// The code of what there will be.
    pub mac: RowMac,
    /// Audit records, as JSON, in their order.
    pub audit: Vec<String>,
    /// Events, as JSON, in their order.
    pub events: Vec<String>,
}

/// A function of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedFunction {
    /// The function.
    pub row: FunctionRow,
    /// The code that it names, ordered.
    pub names: Vec<Digest>,
}

/// Digests as one column holds them.
pub(crate) fn digests(text: Option<String>) -> Option<Vec<Digest>> {
    let text = text.unwrap_or_default();
    text.split_whitespace().map(|digest| Digest::try_from(digest.to_owned()).ok()).collect()
}
