//! How far the receiver is, and which host sends: one setting of the store, which is only ever swapped by who knows it.

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::host::Host;

/// The setting's name.
const SETTING: &str = "webhook";

/// What the setting holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// The last event that was taken.
    after: u64,
    /// The host that sends.
    owner: String,
    /// Until when, by the store's clock if it has one.
    until: Timestamp,
}

/// The right to send, as long as nobody took it over.
#[derive(Debug)]
pub(super) struct Hold {
    cursor: Cursor,
    /// As the store has it.
    stored: Vec<u8>,
}

/// What a hold is taken and kept by: a host, or a test's.
pub(super) trait Holder {
    fn store(&self) -> &dyn Store;

    fn owner(&self) -> &str;

    fn wall(&self) -> Timestamp;
}

impl Holder for Host {
    fn store(&self) -> &dyn Store {
        self.app.queue()
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn wall(&self) -> Timestamp {
        self.app.clock().wall()
    }
}

async fn now(holder: &impl Holder) -> Result<Timestamp, StoreError> {
    Ok(holder.store().time().await?.unwrap_or_else(|| holder.wall()))
}

impl Hold {
    /// Makes the first place, which is the end: a new receiver is told of what happens from then on.
    pub(super) async fn begin(holder: &impl Holder) -> Result<(), StoreError> {
        let store = holder.store();
        if store.meta(SETTING).await?.is_some() {
            return Ok(());
        }
        let after = store.last_event().await?;
        let cursor = Cursor { after, owner: String::new(), until: Timestamp::from_millis(0) };
        // Another host may be faster.
        store.swap_meta(SETTING, None, &encode(&cursor)?).await?;
        Ok(())
    }

    /// Takes the right to send, unless another host has it.
    pub(super) async fn take(holder: &impl Holder) -> Result<Option<Self>, StoreError> {
        let (store, now) = (holder.store(), now(holder).await?);
        let before = store.meta(SETTING).await?;
        let held: Option<Cursor> = before.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        // Under its own name it is this host's, which has crashed since.
        if held.as_ref().is_some_and(|held| held.owner != holder.owner() && held.until > now) {
            return Ok(None);
        }
        let last = store.last_event().await?;
        // A store that was restored may be behind what was sent once.
        let after = held.map_or(last, |held| held.after.min(last));
        let cursor = Cursor { after, owner: holder.owner().to_owned(), until: now + limits::WEBHOOK_LEASE };
        let stored = encode(&cursor)?;
        let taken = store.swap_meta(SETTING, before.as_deref(), &stored).await?;
        Ok(taken.then_some(Self { cursor, stored }))
    }

    /// The last event that was taken.
    pub(super) const fn after(&self) -> u64 {
        self.cursor.after
    }

    /// Notes that an event was taken, and holds on. False when another host has the right by now.
    pub(super) async fn advance(&mut self, holder: &impl Holder, after: u64) -> Result<bool, StoreError> {
        let until = now(holder).await? + limits::WEBHOOK_LEASE;
        self.swap(holder, Cursor { after, until, ..self.cursor.clone() }).await
    }

    /// Holds on. False when another host has the right by now.
    pub(super) async fn renew(&mut self, holder: &impl Holder) -> Result<bool, StoreError> {
        let now = now(holder).await?;
        // Writing costs a wait for the disk.
        if now + limits::WEBHOOK_LEASE / 2 < self.cursor.until {
            return Ok(true);
        }
        self.advance(holder, self.cursor.after).await
    }

    /// Lets another host send at once.
    pub(super) async fn give_back(&mut self, holder: &impl Holder) -> Result<(), StoreError> {
        let until = Timestamp::from_millis(0);
        self.swap(holder, Cursor { until, ..self.cursor.clone() }).await?;
        Ok(())
    }

    async fn swap(&mut self, holder: &impl Holder, cursor: Cursor) -> Result<bool, StoreError> {
        let bytes = encode(&cursor)?;
        if bytes == self.stored {
            return Ok(true);
        }
        let swapped = holder.store().swap_meta(SETTING, Some(&self.stored), &bytes).await?;
        if swapped {
            (self.cursor, self.stored) = (cursor, bytes);
        }
        Ok(swapped)
    }
}

fn encode(cursor: &Cursor) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(cursor).map_err(|_| StoreError::Broken("a webhook's place that cannot be written"))
}
