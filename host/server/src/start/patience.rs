//! A start waits a while for a store that is slow, or away for a moment: a database that is restarted with this host, a failover.

use pawl_core::limits;
use pawl_store::StoreError;
use tokio::time::{Instant, sleep};

use super::ServeError;
use crate::epoch::EpochError;
use crate::identity::IdentityError;
use crate::rows::RowsError;

/// What is left of the time that a start may wait, all its calls together.
pub(super) struct Patience {
    until: Instant,
}

impl Patience {
    pub(super) fn begin() -> Self {
        Self { until: Instant::now() + limits::START_STORE_WAIT }
    }

    /// Does this again until it is done, until it fails by something that waiting does not cure, or until the time is over. What is
    /// done twice must be as good as done once.
    pub(super) async fn with<T, E: Into<ServeError>>(
        &self,
        mut deed: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<T, ServeError> {
        loop {
            let error = match deed().await {
                Ok(done) => return Ok(done),
                Err(error) => error.into(),
            };
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() || !is_passing(&error) {
                return Err(error);
            }
            tracing::warn!(%error, seconds_left = left.as_secs(), "the start waits for the store");
            sleep(limits::START_STORE_PAUSE.min(left)).await;
        }
    }
}

/// Whether the store may answer in a moment.
fn is_passing(error: &ServeError) -> bool {
    match error {
        ServeError::Store(error)
        | ServeError::Epoch(EpochError::Store(error))
        | ServeError::Identity(IdentityError::Store(error))
        | ServeError::Rows(RowsError::Store(error)) => StoreError::is_passing(error),
        _ => false,
    }
}
