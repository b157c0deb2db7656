//! Takes out of the store what is in the log.

use pawl_core::limits;
use pawl_store::StoreError;

use super::outbox::Row;
use crate::host::Host;

/// Goes over the store's rows behind the relay. Each host forgets its own: the others' are for them to relay, and those of a host that
/// never comes back, or of a program that had no log, stay.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The last row that was looked at. Not kept: after a start it begins at the first one that is left.
    at: u64,
}

impl Sweep {
    /// Forgets this host's rows up to `through`, which the store knows to have been relayed; some pages of them, the rest next time.
    pub(super) async fn turn(&mut self, host: &Host, through: u64) -> Result<(), StoreError> {
        let store = host.app.queue();
        for _ in 0..limits::AUDIT_SWEEP_PAGES {
            if self.at >= through {
                break;
            }
            let mut rows = store.audit(self.at, limits::AUDIT_RELAY_ROWS).await?;
            rows.retain(|row| row.seq <= through);
            let Some(last) = rows.last().map(|row| row.seq) else {
                self.at = through;
                break;
            };
            let is_own = |record: &str| {
                let row = serde_json::from_str::<Row<'_>>(record);
                row.is_ok_and(|row| row.host.as_deref() == Some(host.owner.as_str()))
            };
            let own: Vec<u64> = rows.iter().filter(|row| is_own(&row.record)).map(|row| row.seq).collect();
            if !own.is_empty() {
                store.forget_audit(&own).await?;
            }
            self.at = last;
        }
        Ok(())
    }
}
