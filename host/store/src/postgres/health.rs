//! A look over the whole store.

use pawl_core::limits;
use sqlx::{PgConnection, Row};

use super::fault::{Failure, is_missing};
use super::primary::{Limit, Work};
use super::rows::Reader;
use super::{schema, sql};
use crate::error::StoreError;
use crate::record::Health;

/// Looks at everything.
pub(super) struct Look;

impl Work for Look {
    type Answer = Health;
    const REPEATABLE: bool = true;
    const LIMIT: Limit = Limit::Long;

    async fn run(&self, connection: &mut PgConnection) -> Result<Health, Failure> {
        let mut problems = Vec::new();
        let orphans = count(connection, sql::ORPHANS, "orphans").await?;
        if orphans > 0 {
            problems.push(format!("{orphans} values belong to no secret"));
        }
        let misnumbered = count(connection, sql::MISNUMBERED, "misnumbered").await?;
        if misnumbered > 0 {
            problems.push(format!("{misnumbered} records have a number that was not given to them"));
        }
        let journal = durability(connection, &mut problems).await?;
        problems.truncate(limits::STORE_PROBLEMS_MAX);
        let bytes = match count(connection, sql::BYTES, "bytes").await {
            Err(Failure::Undone(error)) if is_missing(&error) => 0,
            bytes => bytes?,
        };
        let counts = sqlx::query(sql::COUNTS).fetch_one(&mut *connection).await?;
        let counts = Reader::new(&counts, "secrets");
        Ok(Health {
            problems,
            schema: schema::found(connection).await?.unwrap_or(0),
            journal,
            bytes,
            // What a table has free is the server's to know.
            free_bytes: 0,
            secrets: counts.number("secrets")?,
            versions: counts.number("versions")?,
            audit: counts.number("audit")?,
            events: counts.number("events")?,
        })
    }
}

async fn count(
    connection: &mut PgConnection,
    statement: &'static str,
    column: &'static str,
) -> Result<u64, Failure> {
    let row = sqlx::query(statement).fetch_one(connection).await?;
    Ok(Reader::new(&row, "pg_class").number(column)?)
}

/// How a change is kept, and what would break that promise.
async fn durability(connection: &mut PgConnection, problems: &mut Vec<String>) -> Result<String, Failure> {
    let row = sqlx::query(sql::DURABILITY).fetch_one(&mut *connection).await?;
    let get = |column: &str| -> Result<Option<String>, StoreError> {
        row.try_get(column).map_err(|_| StoreError::Inconsistent { table: "pg_settings", column: "setting" })
    };
    let session = get("session")?.unwrap_or_default();
    if let Some(weak) = get("configured")?.filter(|value| !matches!(value.as_str(), "on" | "remote_apply")) {
        problems.push(format!(
            "synchronous_commit is {weak} for this role or database: pawl raises it for its own sessions, set it to on"
        ));
    }
    for setting in ["fsync", "full_page_writes"] {
        if get(setting)?.as_deref() == Some("off") {
            problems
                .push(format!("{setting} is off: a crash of the server can destroy the store, set it to on"));
        }
    }
    let standbys = match get("standbys")?.as_deref() {
        None | Some("") => "no synchronous standby".to_owned(),
        Some(_) => match count(connection, sql::STANDBYS, "standbys").await? {
            // The role may not see them; a commit waits for them all the same.
            0 => "synchronous standbys by synchronous_standby_names".to_owned(),
            1 => "1 synchronous standby".to_owned(),
            several => format!("{several} synchronous standbys"),
        },
    };
    Ok(format!("synchronous_commit={session}, {standbys}"))
}
