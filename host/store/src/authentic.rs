//! The store, as one whose rows nobody else can have written.
//!
//! Each row that decides something has a code under a key that the store does not hold, over all that it says
//! ([`SecretRow::content`] and its siblings). Here codes are made for whatever is written, in the same statement as the row, and looked at for whatever is
//! read; behind this type nothing knows of them but that a row may be refused. What an attacker, a disk or a tool has changed is an
//! error to whoever asked for it alone, and left out of lists; it is told once, and to `pawl doctor`.
//!
//! A code is of one row at one revision. An older row, put back whole with its code, is as authentic as it was: see ADR 26.

mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pawl_core::limits;

use crate::Store;
use crate::entity::EntityRow;
use crate::error::StoreError;
use crate::function::{ApprovalRow, FunctionRow, StoredCode};
use crate::mac::{FoundRow, RowMac, RowPlace, SignedRow, SignedTable, Signer};
use crate::record::SecretRow;

/// A store in front of another one.
pub struct AuthenticStore {
    store: Arc<dyn Store>,
    signer: Signer,
    altered: Altered,
}

/// Rows that were found not to be as they were written.
#[derive(Default)]
struct Altered {
    /// How many are known: mostly none, and then nobody need wait for a lock.
    number: AtomicUsize,
    known: Mutex<BTreeMap<String, &'static str>>,
}

impl Altered {
    fn note(&self, what: String, why: &'static str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Each once; of so many, nobody needs the name of one more.
        if known.contains_key(&what) || known.len() >= limits::ALTERED_ROWS_MAX {
            return;
        }
        tracing::error!(row = what, why, "a stored row is not as it was written, and nothing of it is used");
        known.insert(what, why);
        self.number.store(known.len(), Ordering::Relaxed);
    }

    /// It is as it was written, now at least.
    fn clear(&self, what: impl FnOnce() -> String) {
        if self.number.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let what = what();
        if known.remove(&what).is_some() {
            tracing::info!(row = what, "the stored row is as it was written again, or gone");
        }
        self.number.store(known.len(), Ordering::Relaxed);
    }

    fn names(&self) -> BTreeSet<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn list(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(what, why)| format!("{what} is not as it was written: {why}")).collect()
    }
}

const WRONG: &str =
    "its code is not that of what it says; something else than pawl has changed it: restore it from a backup";
const WITHOUT: &str = "it has no code; something else than pawl has written it: restore it from a backup";
const UNREADABLE: &str = "it cannot be read: restore it from a backup";

impl AuthenticStore {
    /// The store behind, seen through the codes of this signer.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, signer: Signer) -> Self {
        Self { store, signer, altered: Altered::default() }
    }

    /// The code of what is to be written.
    fn mac_of(&self, content: &[u8]) -> RowMac {
        RowMac::Kept(self.signer.sign(content))
    }

    /// Whether a row is as it was written. One that is not is noted.
    fn vouch(&self, content: &[u8], mac: &RowMac, what: impl FnOnce() -> String) -> bool {
        let why = match mac {
            RowMac::Kept(code) if self.signer.is_signed(content, code) => {
                self.altered.clear(what);
                return true;
            }
            RowMac::Kept(_) => WRONG,
            RowMac::None | RowMac::Refused => WITHOUT,
        };
        self.altered.note(what(), why);
        false
    }

    /// The row, if it is as it was written.
    fn trusted<T: Signed>(&self, row: T) -> Result<T, StoreError> {
        if self.vouch(&row.content(), row.mac(), || row.named()) {
            Ok(row)
        } else {
            Err(StoreError::Altered { table: T::TABLE.name() })
        }
    }

    /// Rows of a list, those that are not as they were written marked.
    fn looked_over<T: Signed>(&self, mut rows: Vec<T>) -> Vec<T> {
        for row in &mut rows {
            if !self.vouch(&row.content(), row.mac(), || row.named()) {
                row.refuse();
            }
        }
        rows
    }

    /// Looks over every row that has a code, and notes those that are not as they were written. How many were looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look_over(&self) -> Result<u64, StoreError> {
        let (mut looked, mut before) = (0, self.altered.names());
        for table in SignedTable::ALL {
            let mut after = RowPlace::default();
            loop {
                let rows = self.store.signed_rows(table, &after, limits::STORE_ROWS_MAX).await?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.place);
                looked += u64::try_from(rows.len()).unwrap_or(u64::MAX);
                for row in &rows {
                    if let Some(altered) = self.look_at(table, row) {
                        before.remove(&altered);
                    }
                }
                // Whoever has to answer comes first.
                tokio::task::yield_now().await;
            }
        }
        // What was known of and is not among them is gone, or stands elsewhere.
        before.into_iter().for_each(|gone| self.altered.clear(|| gone));
        Ok(looked)
    }

    /// The row's name, if it is not as it was written.
    fn look_at(&self, table: SignedTable, found: &FoundRow) -> Option<String> {
        match &found.row {
            Ok(row) => {
                let sound = self.vouch(&row.content(), row.mac(), || named(row));
                (!sound).then(|| named(row))
            }
            Err(_) => {
                let place: Vec<_> =
                    found.place.iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
                let what = format!("the row {} of {}", place.join(" "), table.name());
                self.altered.note(what.clone(), UNREADABLE);
                Some(what)
            }
        }
    }
}

fn named(row: &SignedRow) -> String {
    match row {
        SignedRow::Secret(row) => row.named(),
        SignedRow::Entity(row) => row.named(),
        SignedRow::Function(row) => row.named(),
        SignedRow::Approval(row) => row.named(),
        SignedRow::Code(row) => row.named(),
    }
}

/// A row that has a code.
trait Signed {
    const TABLE: SignedTable;

    fn content(&self) -> Vec<u8>;
    fn mac(&self) -> &RowMac;
    /// Marks it as one of which nothing may be used.
    fn refuse(&mut self);
    /// Its name, for people.
    fn named(&self) -> String;
}

macro_rules! signed {
    ($row:ty, $table:ident, |$of:ident| $named:expr) => {
        impl Signed for $row {
            const TABLE: SignedTable = SignedTable::$table;

            fn content(&self) -> Vec<u8> {
                Self::content(self)
            }

            fn mac(&self) -> &RowMac {
                &self.mac
            }

            fn refuse(&mut self) {
                self.mac = RowMac::Refused;
            }

            fn named(&self) -> String {
                let $of = self;
                $named
            }
        }
    };
}

signed!(SecretRow, Secrets, |row| format!("the secret {} ({})", row.name, row.region));
signed!(EntityRow, Entities, |row| match row.region.as_str() {
    "" => format!("the entity {} {}", row.kind, row.name),
    region => format!("the entity {} {} ({region})", row.kind, row.name),
});
signed!(FunctionRow, Functions, |row| format!("the function {} ({})", row.name, row.region));
signed!(ApprovalRow, Approvals, |row| format!("the approval of {} ({})", row.name, row.region));
signed!(StoredCode, Code, |row| format!("what is known of the code {}", row.digest));
