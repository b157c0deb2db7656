//! Rows that have codes, wherever they stand, and how those of a store from before there were codes get theirs.
//!
//! Hosts of the release before know no codes. Those that still run when the first one of this release gives every row its code are
//! kept from writing by triggers, which let everything else by: a row whose document they had changed would be refused for ever.

use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection};

use super::commit::{exactly, finish, undo};
use super::fault::Failure;
use super::primary::{Limit, Work};
use super::rows::{self, Reader};
use super::{rows_max, sql};
use crate::error::StoreError;
use crate::mac::{AdoptError, FoundRow, RowPlace, SignedTable, Signer};
use pawl_core::limits;

/// The statement that reads a table, and the one that gives rows their codes.
const fn statements(table: SignedTable) -> (&'static str, &'static str) {
    match table {
        SignedTable::Secrets => (sql::SIGNED_SECRETS, sql::SIGN_SECRETS),
        SignedTable::Entities => (sql::SIGNED_ENTITIES, sql::SIGN_ENTITIES),
        SignedTable::Functions => (sql::SIGNED_FUNCTIONS, sql::SIGN_FUNCTIONS),
        SignedTable::Approvals => (sql::SIGNED_APPROVALS, sql::SIGN_APPROVALS),
        SignedTable::Code => (sql::SIGNED_CODE, sql::SIGN_CODE),
    }
}

/// The statement for one page.
pub(super) fn query(table: SignedTable, after: &RowPlace, limit: u32) -> super::Query<'_> {
    let [one, two, three] = after;
    sqlx::query(statements(table).0).bind(one).bind(two).bind(three).bind(rows_max(limit))
}

pub(super) fn found(rows: &[PgRow], table: SignedTable) -> Result<Vec<FoundRow>, StoreError> {
    rows::all(rows, table.name(), |row| row.found(table))
}

/// Gives every row its code, and the store its new key record.
pub(super) struct Adopt<'a> {
    pub(super) expected: &'a [u8],
    pub(super) next: &'a [u8],
    pub(super) signer: &'a Signer,
}

impl Work for Adopt<'_> {
    type Answer = Result<u64, AdoptError>;
    const REPEATABLE: bool = false;
    const LIMIT: Limit = Limit::Long;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Failure> {
        connection.execute(sql::BEGIN).await?;
        match self.all(connection).await {
            Ok(Ok(adopted)) => finish(connection).await.map(|()| Ok(adopted)),
            Ok(Err(refused)) => {
                connection.execute(sql::ROLLBACK).await?;
                Ok(Err(refused))
            }
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

impl Adopt<'_> {
    async fn all(&self, connection: &mut PgConnection) -> Result<Result<u64, AdoptError>, Failure> {
        // Whoever writes is waited for.
        connection.execute("SET LOCAL lock_timeout = 0").await?;
        connection.execute(sql::LOCK_SIGNED).await?;
        let swap =
            sqlx::query(sql::SWAP_KEYRING).bind(self.expected).bind(self.next).bind(Vec::<String>::new());
        if swap.fetch_all(&mut *connection).await?.len() != 1 {
            return Ok(Err(AdoptError::Raced));
        }
        let row = sqlx::query(sql::HAS_MACS).fetch_one(&mut *connection).await?;
        if Reader::new(&row, "secrets").get::<bool>("found")? {
            return Ok(Err(AdoptError::HasCodes));
        }
        let mut adopted = 0;
        for table in SignedTable::ALL {
            adopted += self.table(connection, table).await?;
        }
        raise(connection).await?;
        Ok(Ok(adopted))
    }

    async fn table(&self, connection: &mut PgConnection, table: SignedTable) -> Result<u64, Failure> {
        let (mut after, mut adopted) = (RowPlace::default(), 0);
        loop {
            let rows = query(table, &after, limits::STORE_ROWS_MAX).fetch_all(&mut *connection).await?;
            let rows = found(&rows, table)?;
            let Some(last) = rows.last() else { return Ok(adopted) };
            after.clone_from(&last.place);
            let (mut places, mut macs) = ([Vec::new(), Vec::new(), Vec::new()], Vec::new());
            for FoundRow { place, row } in rows {
                let Ok(row) = row else { continue };
                macs.push(self.signer.sign(&row.content()));
                places.iter_mut().zip(place).for_each(|(parts, part)| parts.push(part));
            }
            let ([one, two, three], number) = (places, macs.len());
            let query = sqlx::query(statements(table).1).bind(one).bind(two).bind(three).bind(macs);
            exactly(number, query.execute(&mut *connection).await?.rows_affected())?;
            adopted += u64::try_from(number).unwrap_or(u64::MAX);
        }
    }
}

/// Raises the fence, if it does not stand.
pub(super) struct Fence;

impl Work for Fence {
    type Answer = ();
    // Twice is once.
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Long;

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        if stands(connection).await? {
            return Ok(());
        }
        connection.execute(sql::BEGIN).await?;
        let raised = async {
            connection.execute("SET LOCAL lock_timeout = 0").await?;
            // Hosts that start together take turns.
            connection.execute(sql::LOCK_SIGNED).await?;
            raise(&mut *connection).await
        };
        match raised.await {
            Ok(()) => finish(connection).await,
            Err(failure) => Err(undo(connection, failure).await),
        }
    }
}

async fn stands(connection: &mut PgConnection) -> Result<bool, Failure> {
    let row = sqlx::query(sql::IS_FENCED).fetch_one(connection).await?;
    Ok(Reader::new(&row, "pg_trigger").get("fenced")?)
}

async fn raise(connection: &mut PgConnection) -> Result<(), Failure> {
    if stands(connection).await? {
        return Ok(());
    }
    for statement in [
        sql::FENCE_FUNCTION,
        sql::FENCE_ADDED_SECRETS,
        sql::FENCE_CHANGED_SECRETS,
        sql::FENCE_ADDED_ENTITIES,
        sql::FENCE_CHANGED_ENTITIES,
        sql::FENCE_ADDED_FUNCTIONS,
        sql::FENCE_CHANGED_FUNCTIONS,
        sql::FENCE_ADDED_APPROVALS,
        sql::FENCE_CHANGED_APPROVALS,
        sql::FENCE_ADDED_CODE,
        sql::FENCE_CHANGED_CODE,
    ] {
        connection.execute(statement).await?;
    }
    Ok(())
}
