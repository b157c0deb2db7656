//! The shapes of AWS Secrets Manager's operations, as botocore's model has them.
//!
//! Names and ids are plain text here: an operation parses them, so that the error is the one that AWS gives in its place.

mod policy;
mod replica;
mod rotation;
mod secret;
mod value;

use std::collections::BTreeMap;

use pawl_core::limits;
use pawl_core::value::{SecretValue, ValueError};

pub use self::policy::*;
pub use self::replica::*;
pub use self::rotation::*;
pub use self::secret::*;
pub use self::value::*;
use super::refusal;
use crate::error::ApiError;
use crate::model::{Constraint, detected};
use crate::sensitive::{SecretBlob, SecretText};

/// Version ids with the labels of each.
pub type VersionsToStages = BTreeMap<String, Vec<String>>;

/// The one value that a request gives, if it gives one.
///
/// # Errors
/// `InvalidParameterException` when there are two.
pub fn given_value(
    text: Option<SecretText>,
    binary: Option<SecretBlob>,
) -> Result<Option<SecretValue>, ApiError> {
    use pawl_core::value::ValueKind::{Binary, Text};
    let (member, kind, bytes) = match (text, binary) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(refusal::text_and_binary()),
        (Some(text), None) => ("secretString", Text, text.into_bytes()),
        (None, Some(binary)) => ("secretBinary", Binary, binary.into_bytes()),
    };
    let value = SecretValue::new(kind, bytes).map_err(|wrong| unfit(member, &wrong))?;
    Ok(Some(value))
}

/// What the check of the request would have said.
fn unfit(member: &str, wrong: &ValueError) -> ApiError {
    let constraint = match wrong {
        ValueError::Empty => Constraint::LengthMin(1).to_string(),
        ValueError::TooLong => Constraint::LengthMax(limits::VALUE_BYTES_MAX).to_string(),
        ValueError::NotText => "Member must be UTF-8".to_owned(),
    };
    let violation = format!("Value at '{member}' failed to satisfy constraint: {constraint}");
    detected([violation.as_str()].into_iter())
}
