//! How the rows of a store come to have codes: in one pass at the first start of a host that knows them, or never.
//!
//! The key record says that it was done, and only who has the keys can write that. Afterwards a row without a code is refused. A
//! record that says nothing, where this host or any row knows better, was put back: such a store is not served, for the
//! pass would vouch for whatever stands in it.

use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::{Clock as _, Rng};
use pawl_keyring::{Keyring, RowKey};
use pawl_store::{AdoptError, AuthenticStore, RowSigner, Signer, Store, StoreError};

use crate::epoch::{EpochError, StoreEpoch};
use crate::root_key::{RootKeyError, RootKeys, Unlocked};
use crate::world::SystemClock;

/// Why a store's rows cannot be told from what somebody else wrote.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The key record is of before.
    #[error(
        "the store's key record is of a time before its rows had codes, and {known}: somebody has put it back, and its rows may be \
         anything. Restore the store from a backup{accept} (nothing has been written)"
    )]
    PutBack {
        /// Who knows better.
        known: &'static str,
        /// What accepts it, if anything does.
        accept: String,
    },
    /// Others are always faster.
    #[error("other hosts change the store's keys at this moment; start again")]
    Busy,
    /// The keys.
    #[error("the store's keys are not to be had: {0}")]
    RootKey(#[from] RootKeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What this host remembers.
    #[error(transparent)]
    Epoch(#[from] EpochError),
}

/// The codes of a keyring.
#[derive(Debug)]
struct Codes(RowKey);

impl RowSigner for Codes {
    fn sign(&self, content: &[u8]) -> Vec<u8> {
        self.0.code(content).to_vec()
    }

    fn is_signed(&self, content: &[u8], code: &[u8]) -> bool {
        self.0.is_code(content, code)
    }
}

/// The store, as one whose rows nobody else can have written.
pub(crate) async fn open(
    store: Arc<dyn Store>,
    keyring: &Keyring,
    roots: &Arc<RootKeys>,
    epoch: &StoreEpoch,
    rng: &Arc<dyn Rng>,
) -> Result<Arc<AuthenticStore>, RowsError> {
    let signer: Signer = Arc::new(Codes(keyring.row_key()));
    adopt(&*store, &signer, roots, epoch, rng).await?;
    Ok(Arc::new(AuthenticStore::new(store, signer)))
}

/// Sees to it that every row has its code, and that none without one comes.
async fn adopt(
    store: &dyn Store,
    signer: &Signer,
    roots: &Arc<RootKeys>,
    epoch: &StoreEpoch,
    rng: &Arc<dyn Rng>,
) -> Result<(), RowsError> {
    for _ in 0..limits::CHANGE_TRIES_MAX {
        let Some(record) = store.keyring().await? else { return Err(StoreError::Corrupt.into()) };
        let Some(next) = next_record(record.clone(), roots, rng).await? else {
            store.fence().await?;
            return Ok(epoch.note_signed_rows()?);
        };
        if epoch.knows_signed_rows() {
            let file = epoch.witness_file().display();
            return Err(RowsError::PutBack {
                known: "this host has seen it later",
                accept: format!("; if the whole store was put back on purpose, remove `{file}`, start again"),
            });
        }
        match store.adopt(&record, &next, signer).await {
            Ok(rows) => {
                tracing::info!(
                    rows,
                    "the rows of the store have codes now; one without is refused from now on"
                );
            }
            // Whoever was faster has done it, or has changed the keys otherwise.
            Err(AdoptError::Raced) => {}
            Err(AdoptError::HasCodes) => {
                return Err(RowsError::PutBack { known: "rows have codes", accept: String::new() });
            }
            Err(AdoptError::Store(error)) => return Err(error.into()),
        }
    }
    Err(RowsError::Busy)
}

/// The key record that says that rows have codes; none when it says so already.
async fn next_record(
    record: Vec<u8>,
    roots: &Arc<RootKeys>,
    rng: &Arc<dyn Rng>,
) -> Result<Option<Vec<u8>>, RowsError> {
    let (roots, rng) = (roots.clone(), rng.clone());
    let made = tokio::task::spawn_blocking(move || {
        let Unlocked { mut record, root } = roots.unlock(&record)?;
        if record.rows_signed_at().is_some() {
            return Ok(None);
        }
        record.rows_are_signed(&root, SystemClock::default().wall(), &*rng)?;
        Ok(Some(record.to_bytes()?))
    });
    let broke_off = RootKeyError::NothingNew("a provider of the root key broke off");
    Ok(made.await.unwrap_or(Err(broke_off))?)
}
