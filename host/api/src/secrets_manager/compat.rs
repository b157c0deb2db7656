//! docs/aws-compat.md, written from the table of the model.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::model::{self, OperationModel};
use crate::model::{Honour, Integer, Kind, Length, Member, Structure, Text};

const HEAD: &str = "\
# What Pawl honours of AWS Secrets Manager's API

Written by `cargo xtask compat` from the table that also checks every request (`host/api/src/secrets_manager/model`); do not edit
it. The end-to-end suite compares the table with botocore's own model, and fails for any operation, member, limit, enum, pattern or
modelled error that is missing here or is another one.

**bold** members are required. *1.44* marks what came with botocore 1.44. A member that is not listed is ignored, at any depth.

| honoured | means |
|---|---|
| yes | as AWS does |
| accepted | taken and checked, with less effect than at AWS |
| refused | a request that has it is refused |
| never | no answer has it |
";

const NOTES: &str = "
## What holds for every operation

- Violations of the table are told in one `ValidationException`, as AWS tells them: `1 validation error detected: Value 'x' at
  'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32`. Ten at most, in the
  table's order. A list of structures is not quoted; AWS prints the names of its own classes there. Sensitive members are never
  quoted.
- Lengths are counted in characters, those of `SecretString` and `SecretBinary` in bytes. Patterns match all of a text.
- A member of a wrong type is a `SerializationException`, in AWS's words where they are known; so is a body that is not JSON, with
  a text that quotes nothing of it.
- `null` is absent, and so is an empty list that is optional and has no least length. Of two members with one name the last counts. Nulls in a
  list are dropped. A fraction is cut off a number that must be whole.
- Names are checked by the operations and not by the table: `Invalid name. Must be a valid name containing alphanumeric
  characters, or any of the following: -/_+=.@!`. So are `RecoveryWindowInDays` (7 to 30), a missing `ClientRequestToken`, and
  filters without a key or without values.
- Names have up to 512 characters in answers too, where AWS's model says 256.
- `EncryptionFailure` and `DecryptionFailure` mean a KMS key that cannot be used now. `PreconditionNotMetException` and
  `MalformedPolicyDocumentException` in operations that take no policy are modelled by AWS, and nothing at Pawl leads to them.
- Besides the modelled errors, every operation can answer `AccessDeniedException`, `IncompleteSignatureException`,
  `InvalidSignatureException`, `MissingAuthenticationTokenException`, `RequestEntityTooLargeException`, `SerializationException`,
  `ThrottlingException`, `UnknownOperationException`, `UnrecognizedClientException` and `ValidationException`.
";

/// The document.
#[must_use]
pub fn document() -> String {
    let mut out = String::from(HEAD);
    out.push_str(NOTES);
    // Writing to a text does not fail.
    let _ = write(&mut out);
    out
}

fn write(out: &mut String) -> fmt::Result {
    let mut parts = Parts::default();
    for operation in model::ALL {
        of_operation(out, operation, &mut parts)?;
    }
    writeln!(out, "\n## Structures")?;
    for part in parts.0.into_values() {
        writeln!(out, "\n### {}\n", part.name)?;
        of_members(out, part)?;
    }
    Ok(())
}

fn of_operation(out: &mut String, operation: &'static OperationModel, parts: &mut Parts) -> fmt::Result {
    let new = if operation.new { " (*1.44*)" } else { "" };
    writeln!(out, "\n## {}{new}", operation.operation.name())?;
    if !operation.remark.is_empty() {
        writeln!(out, "\n{}", operation.remark)?;
    }
    for (what, structure) in [("Request", &operation.request), ("Answer", &operation.response)] {
        if structure.members.is_empty() {
            writeln!(out, "\n{what}: no members.")?;
        } else {
            writeln!(out, "\n{what}:\n")?;
            of_members(out, structure)?;
            parts.below(structure);
        }
    }
    let errors: Vec<String> = operation.errors.iter().map(|code| format!("`{code}`")).collect();
    writeln!(out, "\nErrors: {}.", errors.join(", "))
}

fn of_members(out: &mut String, structure: &'static Structure) -> fmt::Result {
    writeln!(out, "| member | type | honoured |\n|---|---|---|")?;
    structure.members.iter().try_for_each(|member| of_member(out, member))
}

fn of_member(out: &mut String, member: &'static Member) -> fmt::Result {
    let strong = if member.required { "**" } else { "" };
    let new = if member.new { " *1.44*" } else { "" };
    let secret = if member.sensitive { ", sensitive" } else { "" };
    let kind = Described(&member.kind);
    let name = member.name;
    match member.honour {
        Honour::Honoured => writeln!(out, "| {strong}{name}{strong}{new} | {kind}{secret} | yes |"),
        Honour::Accepted(why) => {
            writeln!(out, "| {strong}{name}{strong}{new} | {kind}{secret} | accepted: {why} |")
        }
        Honour::Refused(how) => {
            writeln!(out, "| {strong}{name}{strong}{new} | {kind}{secret} | refused: {how} |")
        }
        Honour::Never(why) => {
            writeln!(out, "| {strong}{name}{strong}{new} | {kind}{secret} | never: {why} |")
        }
    }
}

/// The structures that others hold, each once, in the order of their names.
#[derive(Default)]
struct Parts(BTreeMap<&'static str, &'static Structure>);

impl Parts {
    fn below(&mut self, structure: &'static Structure) {
        structure.members.iter().for_each(|member| self.of(&member.kind));
    }

    fn of(&mut self, kind: &'static Kind) {
        match kind {
            Kind::Structure(structure) => {
                self.0.insert(structure.name, structure);
                self.below(structure);
            }
            Kind::List(list) => self.of(&list.element),
            Kind::Map(map) => self.of(&map.value),
            _ => {}
        }
    }
}

/// A type in words.
struct Described(&'static Kind);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Text(text) => self::text(f, text),
            Kind::Integer(Integer { min, max, .. }) => {
                f.write_str("integer")?;
                range(f, min.as_ref(), max.as_ref(), "")
            }
            Kind::Boolean => f.write_str("boolean"),
            Kind::Blob(length) => lengths(f, "bytes in base64", *length, " bytes"),
            Kind::Timestamp => f.write_str("moment, seconds of the Unix epoch with a fraction"),
            Kind::List(list) => {
                lengths(f, "list", list.length, "")?;
                write!(f, " of: {}", Described(&list.element))
            }
            Kind::Map(map) => write!(f, "map of: {}; to: {}", Described(&map.key), Described(&map.value)),
            Kind::Structure(structure) => {
                write!(f, "[{}](#{})", structure.name, structure.name.to_ascii_lowercase())
            }
        }
    }
}

fn text(f: &mut fmt::Formatter<'_>, text: &Text) -> fmt::Result {
    if !text.choices.is_empty() {
        let choices: Vec<String> = text
            .choices
            .iter()
            .map(|choice| {
                let new = if text.new_choices.contains(choice) { " (*1.44*)" } else { "" };
                format!("`{choice}`{new}")
            })
            .collect();
        return write!(f, "one of {}", choices.join(", "));
    }
    lengths(f, "string", text.length, if text.bytes { " bytes" } else { " characters" })?;
    match text.pattern {
        Some(pattern) => write!(f, ", matching `{}`", pattern.text),
        None => Ok(()),
    }
}

fn lengths(f: &mut fmt::Formatter<'_>, what: &str, length: Length, unit: &str) -> fmt::Result {
    f.write_str(what)?;
    range(f, length.min.as_ref(), length.max.as_ref(), unit)
}

fn range<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    min: Option<&N>,
    max: Option<&N>,
    unit: &str,
) -> fmt::Result {
    match (min, max) {
        (Some(min), Some(max)) => write!(f, ", {min} to {max}{unit}"),
        (None, Some(max)) => write!(f, ", up to {max}{unit}"),
        (Some(min), None) => write!(f, ", {min} or more{unit}"),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_on_disk_is_the_tables() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/aws-compat.md");
        let on_disk = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            on_disk == super::document(),
            "docs/aws-compat.md is out of date; write it with: cargo xtask compat"
        );
    }

    #[test]
    fn no_cell_breaks_its_table() {
        let document = super::document();
        let (_, operations) = document.split_once("\n## AssociateCrossAccountReplica").unwrap();
        let rows = || operations.lines().filter(|line| line.starts_with('|'));
        assert!(rows().count() > 200);
        for row in rows() {
            assert_eq!(row.matches('|').count(), 4, "{row}");
        }
    }
}
