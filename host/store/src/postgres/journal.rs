//! Audit records and events in the order of their numbers.
//!
//! Transactions commit in another order than that in which they began. Were a record numbered when it is added, one with a lower
//! number could appear after a reader has gone past it, and that reader would never see it. So a record is added without a
//! number, and numbered once it is committed: whoever reads first numbers what has none, in a small transaction that holds the
//! row of the counter, so there is one at a time, and each sees all that was numbered before it.

use pawl_core::limits;
use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection};

use super::commit::{finish, undo};
use super::fault::Failure;
use super::primary::{Limit, Work};
use super::rows::Reader;
use super::sql;

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub(super) enum Journal {
    Audit,
    Events,
}

impl Journal {
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Events => "events",
        }
    }

    const fn unnumbered(self) -> &'static str {
        match self {
            Self::Audit => sql::AUDIT_UNNUMBERED,
            Self::Events => sql::EVENTS_UNNUMBERED,
        }
    }

    const fn number(self) -> &'static str {
        match self {
            Self::Audit => sql::NUMBER_AUDIT,
            Self::Events => sql::NUMBER_EVENTS,
        }
    }

    pub(super) const fn export(self) -> &'static str {
        match self {
            Self::Audit => sql::EXPORT_AUDIT,
            Self::Events => sql::EXPORT_EVENTS,
        }
    }

    pub(super) const fn export_unnumbered(self) -> &'static str {
        match self {
            Self::Audit => sql::EXPORT_AUDIT_UNNUMBERED,
            Self::Events => sql::EXPORT_EVENTS_UNNUMBERED,
        }
    }

    pub(super) const fn import(self) -> &'static str {
        match self {
            Self::Audit => sql::IMPORT_AUDIT,
            Self::Events => sql::IMPORT_EVENTS,
        }
    }

    /// Makes the next number that of after an import.
    pub(super) const fn count_on(self) -> &'static str {
        match self {
            Self::Audit => sql::COUNT_AUDIT_ON,
            Self::Events => sql::COUNT_EVENTS_ON,
        }
    }

    const fn after(self) -> &'static str {
        match self {
            Self::Audit => sql::AUDIT_AFTER,
            Self::Events => sql::EVENTS_AFTER,
        }
    }
}

/// A page of a journal, after all that is committed has a number, or more of it than a page holds.
pub(super) struct Page {
    pub(super) of: Journal,
    pub(super) after: i64,
    pub(super) limit: i64,
}

impl Work for Page {
    type Answer = Vec<PgRow>;
    // Numbering twice numbers what is left.
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, Failure> {
        if !sqlx::query(self.of.unnumbered()).fetch_all(&mut *connection).await?.is_empty() {
            connection.execute(sql::BEGIN).await?;
            match number(connection, self.of).await {
                Ok(()) => finish(connection).await?,
                Err(error) => return Err(undo(connection, Failure::Undone(error)).await),
            }
        }
        let page = sqlx::query(self.of.after()).bind(self.after).bind(self.limit);
        Ok(page.fetch_all(connection).await?)
    }
}

/// The latest event's number, after all that is committed has one.
pub(super) struct LastEvent;

impl Work for LastEvent {
    type Answer = u64;
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Change;

    async fn run(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        number_all(connection, Journal::Events).await?;
        let row = sqlx::query(sql::LAST_EVENT).fetch_one(connection).await?;
        Ok(Reader::new(&row, "counters").number("numbered")?)
    }
}

/// Numbers what has no number, in a transaction of its own.
async fn number_all(connection: &mut PgConnection, of: Journal) -> Result<(), Failure> {
    while !sqlx::query(of.unnumbered()).fetch_all(&mut *connection).await?.is_empty() {
        connection.execute(sql::BEGIN).await?;
        match number(connection, of).await {
            Ok(()) => finish(connection).await?,
            Err(error) => return Err(undo(connection, Failure::Undone(error)).await),
        }
    }
    Ok(())
}

/// Numbers the oldest. The lock comes in a statement of its own: the next one then sees what was numbered while it was waited for.
async fn number(connection: &mut PgConnection, journal: Journal) -> Result<(), sqlx::Error> {
    sqlx::query(sql::LOCK_COUNTER).bind(journal.table()).fetch_all(&mut *connection).await?;
    let limit = i64::from(limits::STORE_PG_NUMBERED_AT_ONCE);
    sqlx::query(journal.number()).bind(limit).execute(connection).await?;
    Ok(())
}
