//! Rows that have codes, wherever they stand, and how those of a store from before there were codes get theirs.

use rusqlite::Connection;

use super::commit::exactly_one;
use super::connection::{Value, all, run, scalar, transact};
use super::rows::Reader;
use super::{rows_max, sql};
use crate::error::StoreError;
use crate::mac::{AdoptError, FoundRow, RowPlace, SignedTable, Signer};
use pawl_core::limits;

/// The statement that reads a table, and the one that gives a row its code.
const fn statements(table: SignedTable) -> (&'static str, &'static str) {
    match table {
        SignedTable::Secrets => (sql::SIGNED_SECRETS, sql::SIGN_SECRET),
        SignedTable::Entities => (sql::SIGNED_ENTITIES, sql::SIGN_ENTITY),
        SignedTable::Functions => (sql::SIGNED_FUNCTIONS, sql::SIGN_FUNCTION),
        SignedTable::Approvals => (sql::SIGNED_APPROVALS, sql::SIGN_APPROVAL),
        SignedTable::Code => (sql::SIGNED_CODE, sql::SIGN_CODE),
    }
}

pub(super) fn page(
    connection: &Connection,
    table: SignedTable,
    after: &RowPlace,
    limit: u32,
) -> Result<Vec<FoundRow>, StoreError> {
    let [one, two, three] = after.each_ref().map(|part| Value::from(part.as_str()));
    all(connection, statements(table).0, &[one, two, three, rows_max(limit)], |row| {
        Reader::new(row, table.name()).found(table)
    })
}

/// Gives every row its code, and the store its new key record.
pub(super) fn adopt(
    connection: &Connection,
    (expected, next): &(Vec<u8>, Vec<u8>),
    signer: &Signer,
) -> Result<u64, AdoptError> {
    transact(connection, |connection| {
        if run(connection, sql::SWAP_KEYRING, &[Value::Blob(expected), Value::Blob(next)])? != 1 {
            return Err(AdoptError::Raced);
        }
        if scalar::<i64>(connection, sql::HAS_MACS)? != 0 {
            return Err(AdoptError::HasCodes);
        }
        let mut adopted = 0;
        for table in SignedTable::ALL {
            let mut after = RowPlace::default();
            loop {
                let rows = page(connection, table, &after, limits::STORE_ROWS_MAX)?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.place);
                for FoundRow { place, row } in rows {
                    let Ok(row) = row else { continue };
                    let mac = signer.sign(&row.content());
                    let [one, two, three] = place.each_ref().map(|part| Value::from(part.as_str()));
                    let values = [one, two, three, Value::Blob(&mac)];
                    exactly_one(run(connection, statements(table).1, &values)?)?;
                    adopted += 1;
                }
            }
        }
        Ok(adopted)
    })
}
