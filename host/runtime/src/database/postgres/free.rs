//! Statements of a rotator's own. Each is prepared, so that a server takes one and no more.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row};

use super::in_time;
use crate::database::{StatementFailure, TextRow};

/// A parameter as text, whatever the server wants there: it reads it as it would a literal.
#[derive(Debug)]
struct Text<'a>(Option<&'a str>);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

pub(super) async fn execute(
    client: &Client,
    statement: &str,
    parameters: &[Option<String>],
) -> Result<u64, StatementFailure> {
    let texts = texts(parameters)?;
    // What the library makes of the wrong number of parameters is a panic.
    let prepared = in_time(client.prepare(statement)).await?;
    fits(prepared.params().len(), &texts)?;
    in_time(client.execute(&prepared, &lent(&texts))).await
}

pub(super) async fn query(
    client: &Client,
    statement: &str,
    parameters: &[Option<String>],
) -> Result<Vec<TextRow>, StatementFailure> {
    let texts = texts(parameters)?;
    let prepared = in_time(client.prepare(statement)).await?;
    fits(prepared.params().len(), &texts)?;
    for (place, column) in prepared.columns().iter().enumerate() {
        if !is_shown(column.type_()) {
            return Err(StatementFailure::Unfit(format!(
                "column {} of the answer is neither text nor number nor boolean: cast it to text in the statement; it was not run",
                place + 1
            )));
        }
    }
    let rows = in_time(client.query(&prepared, &lent(&texts))).await?;
    rows.iter().map(text_row).collect()
}

fn texts(parameters: &[Option<String>]) -> Result<Vec<Text<'_>>, StatementFailure> {
    if parameters.iter().flatten().any(|text| text.contains('\0')) {
        return Err(StatementFailure::Unfit("a parameter holds a NUL character".to_owned()));
    }
    Ok(parameters.iter().map(|text| Text(text.as_deref())).collect())
}

fn lent<'a>(texts: &'a [Text<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    texts.iter().map(|text| text as &(dyn ToSql + Sync)).collect()
}

fn fits(wanted: usize, given: &[Text<'_>]) -> Result<(), StatementFailure> {
    if wanted == given.len() {
        return Ok(());
    }
    let given = given.len();
    Err(StatementFailure::Unfit(format!("the statement has {wanted} parameters, and {given} were given")))
}

fn is_shown(of: &Type) -> bool {
    const SHOWN: [Type; 13] = [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::NAME,
        Type::UNKNOWN,
        // What a function that returns nothing returns.
        Type::VOID,
    ];
    SHOWN.contains(of)
}

fn text_row(row: &Row) -> Result<TextRow, StatementFailure> {
    let shown = |place: usize| {
        let column = row.columns().get(place)?;
        let text = match *column.type_() {
            Type::BOOL => row.try_get::<_, Option<bool>>(place).ok()?.map(|it| it.to_string()),
            Type::INT2 => row.try_get::<_, Option<i16>>(place).ok()?.map(|it| it.to_string()),
            Type::INT4 => row.try_get::<_, Option<i32>>(place).ok()?.map(|it| it.to_string()),
            Type::INT8 => row.try_get::<_, Option<i64>>(place).ok()?.map(|it| it.to_string()),
            Type::OID => row.try_get::<_, Option<u32>>(place).ok()?.map(|it| it.to_string()),
            Type::FLOAT4 => row.try_get::<_, Option<f32>>(place).ok()?.map(|it| it.to_string()),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(place).ok()?.map(|it| it.to_string()),
            Type::VOID => None,
            _ => row.try_get::<_, Option<String>>(place).ok()?,
        };
        Some(text)
    };
    let strange =
        || StatementFailure::Lost("the server's answer is not of the kind that it had announced".to_owned());
    (0..row.len()).map(|place| shown(place).ok_or_else(strange)).collect()
}
