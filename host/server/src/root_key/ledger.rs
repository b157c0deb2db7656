//! Everything that a rotation of the root key makes durable goes through here, under its name: whoever adds a step names it, and the tests
//! that kill a host at each of them know of it. The names are in the log for those who ask for `debug`.

use std::sync::Arc;

use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::{Keyring, Transition};
use pawl_store::{EntityRow, HeadPlace, SealedHead, Store, StoreError};

use crate::identity;

/// The store, as far as the keeper of its keys needs it.
pub(super) struct Ledger(Arc<dyn Store>);

impl Ledger {
    pub(super) const fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    pub(super) async fn record(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.keyring().await
    }

    pub(super) async fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.meta(key).await
    }

    pub(super) async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.0.time().await
    }

    pub(super) async fn sealed_heads(
        &self,
        after: Option<&HeadPlace>,
        limit: u32,
    ) -> Result<Vec<SealedHead>, StoreError> {
        self.0.sealed_heads(after, limit).await
    }

    pub(super) async fn sealed_entities(
        &self,
        after: [&str; 3],
        limit: u32,
    ) -> Result<Vec<EntityRow>, StoreError> {
        self.0.sealed_entities(after, limit).await
    }

    /// Replaces the key record, with what the audit log is to say of it.
    pub(super) async fn swap_record(
        &self,
        transition: Transition,
        before: &[u8],
        after: &[u8],
        audit: &[String],
    ) -> Result<bool, StoreError> {
        named(transition, self.0.swap_keyring(before, after, audit)).await
    }

    /// Replaces a setting.
    pub(super) async fn swap_setting(
        &self,
        transition: Transition,
        key: &str,
        held: Option<&[u8]>,
        value: &[u8],
    ) -> Result<bool, StoreError> {
        named(transition, self.0.swap_meta(key, held, value)).await
    }

    /// Seals the root access key of a shared store anew.
    pub(super) async fn reseal_access_key(
        &self,
        keyring: &Keyring,
        rng: &dyn Rng,
    ) -> Result<identity::RootKeySeal, StoreError> {
        let reseal = identity::reseal_shared_root_key(&*self.0, keyring, rng);
        named(Transition::AccessKeyResealed, reseal).await
    }

    /// Adds what the audit log is to say of something that is in no store: before it is done, for a crash must not hide it.
    pub(super) async fn tell(&self, audit: String) -> Result<(), StoreError> {
        self.0.append_audit(&[audit]).await
    }
}

/// A deed that makes something durable.
pub(super) async fn named<T>(transition: Transition, deed: impl Future<Output = T>) -> T {
    tracing::debug!(?transition, "before");
    let done = deed.await;
    tracing::debug!(?transition, "after");
    done
}

/// [`named`], for files.
pub(super) fn named_file<T>(transition: Transition, deed: impl FnOnce() -> T) -> T {
    tracing::debug!(?transition, "before");
    let done = deed();
    tracing::debug!(?transition, "after");
    done
}
