//! What a session is set to before it is used, and what a server must be for it.

use pawl_core::limits;
use sqlx::{PgConnection, Row};

use super::fault::fault;
use crate::error::{Outage, StoreError};

/// Every setting that a promise of ours rests on, and what the server is.
///
/// - `synchronous_commit` is never weaker than `on`: what was acknowledged is on the disk of the primary, and on that of the
///   synchronous standby if there is one. `remote_write` is weaker (a standby's crash loses it), `remote_apply` is stronger.
/// - No statement has a time limit on the server, *on purpose*: a limit that ends while COMMIT waits for the synchronous standby
///   makes PostgreSQL answer that the change is committed, with a warning, though the standby does not have it, and a failover
///   then loses what was acknowledged. For the same reason no statement is ever cancelled, and an operator must not cancel a
///   COMMIT that waits (`pg_cancel_backend`), but end its session. Limits are kept on this side, by closing the connection.
/// - A transaction whose host has stopped must not keep its rows locked.
/// - Where serializable is the default, revisions and row locks are still what is relied on.
const SETUP: &str = "SELECT \
     set_config('synchronous_commit', \
                CASE WHEN current_setting('synchronous_commit', true) = 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false), \
     set_config('statement_timeout', '0', false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     current_setting('transaction_read_only') AS read_only, \
     current_setting('server_encoding') AS encoding, ";

/// The whole of it, with the limits that are numbers of ours.
fn statement() -> String {
    let (lock, idle) =
        (limits::STORE_PG_LOCK_TIMEOUT.as_millis(), limits::STORE_PG_IDLE_TRANSACTION.as_millis());
    format!(
        "{SETUP} set_config('lock_timeout', '{lock}', false), \
         set_config('idle_in_transaction_session_timeout', '{idle}', false)"
    )
}

/// Sets a new session up, in one way to the server and back. A server that takes no writes, or none of our text, is refused.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    // Numbers of ours only.
    let statement = sqlx::AssertSqlSafe(statement());
    let row = sqlx::raw_sql(statement).fetch_one(connection).await.map_err(fault)?;
    let is = |column: &str, expected: &str| -> Result<bool, StoreError> {
        let found: &str = row.try_get(column).map_err(fault)?;
        Ok(found.eq_ignore_ascii_case(expected))
    };
    // A standby in recovery says that its transactions are read-only, as does a primary that was made so.
    if !is("read_only", "off")? {
        return Err(StoreError::Unavailable(Outage::NotPrimary));
    }
    if !is("encoding", "UTF8")? {
        return Err(StoreError::Unavailable(Outage::NotUtf8));
    }
    Ok(())
}
