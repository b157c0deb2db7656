//! The store of a host, from its key record to rows that nobody else can have written.

use std::sync::Arc;

use pawl_core::names::AccountId;
use pawl_core::world::Rng;
use pawl_keyring::Keyring;
use pawl_store::{AuthenticStore, Store, StoreError};

use super::directory::DataDir;
use super::patience::Patience;
use super::vault::{self, StorePlace, Vault};
use super::{ServeError, tell};
use crate::epoch::StoreEpoch;
use crate::root_key::RootKeys;
use crate::rows;

/// A store that is open.
pub(super) struct Stored {
    pub(super) rows: Arc<AuthenticStore>,
    pub(super) keyring: Keyring,
    pub(super) epoch: StoreEpoch,
}

/// Opens it: where it is, whose directory this is, what opens it, and whose account it must be of.
pub(super) async fn open(
    (place, dir, root_keys, account): (&StorePlace, &DataDir, &Arc<RootKeys>, &AccountId),
    rng: &Arc<dyn Rng>,
    patience: &Patience,
) -> Result<Stored, ServeError> {
    let Vault { store, keyring } =
        patience.with(async || vault::open(place, dir, root_keys, rng).await).await?;
    let epoch =
        patience.with(async || StoreEpoch::begin(&*store, &keyring, dir.path(), &**rng).await).await?;
    tell(&epoch, &epoch.verdict());
    let rows = async || rows::open(store.clone(), &keyring, root_keys, &epoch, rng).await;
    let rows = patience.with(rows).await?;
    patience.with(async || same_account(&*rows, account, place).await).await?;
    patience.with(async || end_dead_leases(&*rows, dir).await).await?;
    Ok(Stored { rows, keyring, epoch })
}

/// On a store of its own the lock on the directory proves that whoever held a lease is gone; on a shared one, that whoever held one in
/// this host's name is.
async fn end_dead_leases(store: &dyn Store, dir: &DataDir) -> Result<(), StoreError> {
    let dead = if store.is_shared() { Some(dir.host_id()) } else { None };
    store.break_leases(dead).await.map(drop)
}

/// Refuses a store of another account: every ARN in it names that one.
async fn same_account(store: &dyn Store, account: &AccountId, place: &StorePlace) -> Result<(), ServeError> {
    let ours = account.as_str().as_bytes();
    if store.swap_meta(ACCOUNT, None, ours).await? {
        return Ok(());
    }
    let found = store.meta(ACCOUNT).await?.unwrap_or_default();
    if found == ours {
        return Ok(());
    }
    let found = String::from_utf8_lossy(&found).into_owned();
    Err(ServeError::OtherAccount { store: place.to_string(), found, given: account.to_string() })
}

/// The setting of the store that holds its account.
const ACCOUNT: &str = "account";
