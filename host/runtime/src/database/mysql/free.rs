//! Statements of a rotator's own. A session takes one in a command and no more, and gives no file to a server that asks for one.
//!
//! With parameters a statement is prepared by SQL, from texts in hexadecimal: no `sql_mode` that the rotator may have set makes
//! another thing of them.

use super::connection::Connection;
use crate::database::{StatementFailure, TextRow};

pub(super) async fn execute(
    connection: &Connection,
    statement: &str,
    parameters: &[Option<String>],
) -> Result<u64, StatementFailure> {
    run(connection, statement, parameters).await?;
    // -1 after a statement that has rows.
    let rows = connection.query("SELECT ROW_COUNT()").await?;
    let count = rows.into_iter().flatten().flatten().next().and_then(|count| count.parse().ok());
    end(connection, parameters).await?;
    Ok(count.unwrap_or(0))
}

pub(super) async fn query(
    connection: &Connection,
    statement: &str,
    parameters: &[Option<String>],
) -> Result<Vec<TextRow>, StatementFailure> {
    let rows = run(connection, statement, parameters).await?;
    end(connection, parameters).await?;
    Ok(rows)
}

async fn run(
    connection: &Connection,
    statement: &str,
    parameters: &[Option<String>],
) -> Result<Vec<TextRow>, StatementFailure> {
    if parameters.is_empty() {
        return Ok(connection.query(statement).await?);
    }
    let mut set = format!("SET @pawl_statement = {}", text(statement));
    let mut names = Vec::with_capacity(parameters.len());
    for (number, parameter) in parameters.iter().enumerate() {
        let value = parameter.as_deref().map_or_else(|| "NULL".to_owned(), text);
        set.push_str(&format!(", @pawl_{number} = {value}"));
        names.push(format!("@pawl_{number}"));
    }
    connection.execute(&set).await?;
    connection.execute("PREPARE pawl_statement FROM @pawl_statement").await?;
    Ok(connection.query(&format!("EXECUTE pawl_statement USING {}", names.join(", "))).await?)
}

async fn end(connection: &Connection, parameters: &[Option<String>]) -> Result<(), StatementFailure> {
    if !parameters.is_empty() {
        connection.execute("DEALLOCATE PREPARE pawl_statement").await?;
    }
    Ok(())
}

/// A text that is the same in every `sql_mode` and character set.
fn text(text: &str) -> String {
    format!("CONVERT(X'{}' USING utf8mb4)", hex::encode(text))
}
