//! Code that nobody needs any more goes.

use std::sync::Arc;

use pawl_core::limits;

use crate::host::Host;

/// Sweeps, now and then. Several hosts of one store may: what one has swept the others do not find.
pub(crate) async fn sweep(host: Arc<Host>) {
    loop {
        let wall = host.app.clock().wall();
        match host.app.queue().sweep_code(wall, limits::FUNCTION_CODE_KEPT).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "code that no function names any more was deleted"),
            // Whatever keeps it from the store is told elsewhere.
            Err(error) => tracing::debug!(%error, "code that no function names could not be swept"),
        }
        tokio::time::sleep(limits::FUNCTION_CODE_SWEEP_EVERY).await;
    }
}
