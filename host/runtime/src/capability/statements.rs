//! The WIT's `statements`: what a rotator says to a database in its own words, because the operator has granted that.
//!
//! No sensitive value goes in, and none comes back: an answer with one in it ends the step, as one over HTTP does.

use std::sync::atomic::Ordering;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use super::database::{database_error, from_secret, in_time};
use super::{Capabilities, Violation, journal};
use crate::database::TextRow;
use crate::http::echo::Echo;
use crate::wire::{DatabaseError, Handle, RanStatement};

type Answered<T> = Result<T, DatabaseError>;

impl Capabilities {
    pub(super) async fn run(
        &mut self,
        session: Handle,
        (statement, parameters): (&str, &[Option<String>]),
        rows: bool,
    ) -> Result<Answered<RanStatement>, Violation> {
        let held = self.handles.session(session)?;
        let echo = match self.may_run(statement, parameters).await {
            Ok(echo) => echo,
            Err(error) => return Ok(Err(error)),
        };
        if self.config.rehearsal {
            let at = format!("{}:{}", held.host, held.port);
            self.would(&format!("run at {at}: {}", self.kept(statement.to_owned())));
            let none = "a rehearsal runs no statements, so that there are no rows to go on with";
            return Ok(if rows { refused(none) } else { Ok(RanStatement::Touched(0)) });
        }
        if let Err(error) = self.fence().await {
            return Ok(Err(database_error(error)));
        }
        held.ran_own.store(true, Ordering::Relaxed);
        let answer = if rows {
            in_time(held.session.query(statement, parameters)).await
        } else {
            let touched = in_time(held.session.execute(statement, parameters)).await;
            return Ok(touched.map(|count| RanStatement::Touched(u32::try_from(count).unwrap_or(u32::MAX))));
        };
        let answer = match answer.and_then(within) {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        if holds(echo, &answer).await {
            let at = format!("{}:{}", held.host, held.port);
            return Err(Violation(journal::line(&format!(
                "the answer of the database at {at} to a statement holds a sensitive value, or a part of one, and is not shown"
            ))));
        }
        Ok(Ok(RanStatement::Rows(answer)))
    }

    /// Checks a statement against the grants and limits; what its answer must not hold.
    async fn may_run(&mut self, statement: &str, parameters: &[Option<String>]) -> Answered<Echo> {
        if !self.config.grants.statements {
            return refused("the function's grants do not cover `statements`");
        }
        self.statements = self.statements.saturating_add(1);
        if self.statements > limits::STATEMENTS_MAX {
            return refused(&format!("a step may run {} statements", limits::STATEMENTS_MAX));
        }
        if statement.len() > limits::STATEMENT_BYTES_MAX || statement.contains('\0') {
            let max = limits::STATEMENT_BYTES_MAX;
            return refused(&format!("a statement has at most {max} bytes, and no NUL character"));
        }
        let bytes: usize = parameters.iter().flatten().map(String::len).sum();
        let (count_max, bytes_max) =
            (limits::STATEMENT_PARAMETERS_MAX, limits::STATEMENT_PARAMETER_BYTES_MAX);
        if parameters.len() > count_max || bytes > bytes_max {
            return refused(&format!(
                "a statement has at most {count_max} parameters of {bytes_max} bytes together"
            ));
        }
        let stored = self.values().await.map_err(from_secret)?;
        let wanted: Vec<SecretBytes> = stored.all().chain(self.handles.all_values()).collect();
        if wanted.iter().map(SecretBytes::len).sum::<usize>() > limits::HTTP_LOOKED_FOR_BYTES_MAX * 4 {
            return refused("the step holds more sensitive values than can be looked for in an answer");
        }
        Ok(Echo::of(&wanted, self.config.rng.as_ref()))
    }
}

fn refused<T>(text: &str) -> Answered<T> {
    Err(DatabaseError::Refused(journal::line(text)))
}

/// Rows that are few and small enough to be shown.
fn within(rows: Vec<TextRow>) -> Answered<Vec<TextRow>> {
    let bytes: usize = rows.iter().flatten().flatten().map(String::len).sum();
    let columns: usize = rows.iter().map(Vec::len).sum();
    let (count_max, bytes_max) = (limits::STATEMENT_ROWS_MAX, limits::STATEMENT_ANSWER_BYTES_MAX);
    if rows.len() > count_max || bytes.saturating_add(columns) > bytes_max {
        return refused(&format!(
            "the answer is more than {count_max} rows or {bytes_max} bytes, and is not shown; the statement was run"
        ));
    }
    Ok(rows)
}

/// Whether an answer holds what it must not, within a column or over several.
async fn holds(echo: Echo, rows: &[TextRow]) -> bool {
    let mut text = Zeroizing::new(Vec::new());
    for row in rows {
        for column in row.iter().flatten() {
            text.extend_from_slice(column.as_bytes());
            // White space, of which one reading makes nothing: a value that is cut into columns or rows is found as well.
            text.push(b'\n');
        }
    }
    // Looking takes a while for a long answer, and other rotations share this thread.
    tokio::task::spawn_blocking(move || echo.is_in(&text)).await.unwrap_or(true)
}
