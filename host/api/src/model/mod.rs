//! What a service's model says of its members: types, limits, and how far Pawl honours each.
//!
//! One table serves three purposes: it refuses requests ([`crate::decode`]), it is compared with AWS's own model by a test,
//! and it becomes docs/aws-compat.md.

mod constraint;
mod pattern;
mod rewrite;
mod walk;

pub use self::constraint::Constraint;
pub use self::pattern::Pattern;
pub(crate) use self::walk::{Admitted, admit, detected, not_json};

/// A structure: a request, an answer, or a part of one.
#[derive(Debug)]
pub struct Structure {
    /// Its name, as AWS's model has it.
    pub name: &'static str,
    /// Its members, in the order of AWS's model.
    pub members: &'static [Member],
}

/// A member of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether AWS's model requires it.
    pub required: bool,
    /// Whether it holds a secret: never quoted, never logged.
    pub sensitive: bool,
    /// Whether it came with botocore 1.44, and older models do not have it.
    pub new: bool,
    /// How far Pawl honours it.
    pub honour: Honour,
}

/// How far Pawl honours a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honour {
    /// As AWS does.
    Honoured,
    /// Taken, with less effect than it has at AWS, for this reason.
    Accepted(&'static str),
    /// A request that has it is refused, in this way.
    Refused(&'static str),
    /// An answer never has it, for this reason.
    Never(&'static str),
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text(Text),
    /// A whole number.
    Integer(Integer),
    /// True or false.
    Boolean,
    /// Bytes, as base64. The length is that of the bytes.
    Blob(Length),
    /// A moment.
    Timestamp,
    /// A list.
    List(&'static List),
    /// A map.
    Map(&'static Map),
    /// A structure.
    Structure(&'static Structure),
}

/// How long something may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The least, if the model has one.
    pub min: Option<usize>,
    /// The most, if the model has one.
    pub max: Option<usize>,
}

/// What a text may be.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Its length, in characters unless `bytes`.
    pub length: Length,
    /// Whether the length is counted in bytes of UTF-8.
    pub bytes: bool,
    /// What all of it matches.
    pub pattern: Option<&'static Pattern>,
    /// What it must be one of, in the order in which AWS's error lists them; empty for any text.
    pub choices: &'static [&'static str],
    /// Those of the choices that came with botocore 1.44.
    pub new_choices: &'static [&'static str],
}

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    /// Whether AWS's model calls it a long, which an error's text shows.
    pub long: bool,
    /// The least, if the model has one.
    pub min: Option<i64>,
    /// The most, if the model has one.
    pub max: Option<i64>,
}

/// What a list may be.
#[derive(Debug)]
pub struct List {
    /// How many elements.
    pub length: Length,
    /// What each of them is.
    pub element: Kind,
}

/// What a map may be.
#[derive(Debug)]
pub struct Map {
    /// What its keys are.
    pub key: Kind,
    /// What its values are.
    pub value: Kind,
}

impl Length {
    /// Any length.
    pub const ANY: Self = Self { min: None, max: None };

    /// From `min` to `max`.
    #[must_use]
    pub const fn within(min: usize, max: usize) -> Self {
        Self { min: Some(min), max: Some(max) }
    }

    /// From `min`.
    #[must_use]
    pub const fn from(min: usize) -> Self {
        Self { min: Some(min), max: None }
    }

    /// Up to `max`.
    #[must_use]
    pub const fn to(max: usize) -> Self {
        Self { min: None, max: Some(max) }
    }
}

impl Text {
    /// Any text of this length.
    #[must_use]
    pub const fn of(length: Length) -> Self {
        Self { length, bytes: false, pattern: None, choices: &[], new_choices: &[] }
    }

    /// One of `choices`.
    #[must_use]
    pub const fn one_of(choices: &'static [&'static str]) -> Self {
        Self { choices, ..Self::of(Length::ANY) }
    }

    /// This, some of its choices as of botocore 1.44.
    #[must_use]
    pub const fn since_1_44(self, new_choices: &'static [&'static str]) -> Self {
        Self { new_choices, ..self }
    }

    /// This, if all of it matches.
    #[must_use]
    pub const fn matching(self, pattern: &'static Pattern) -> Self {
        Self { pattern: Some(pattern), ..self }
    }

    /// This, its length counted in bytes.
    #[must_use]
    pub const fn in_bytes(self) -> Self {
        Self { bytes: true, ..self }
    }
}

impl Member {
    /// An optional member that is honoured.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, sensitive: false, new: false, honour: Honour::Honoured }
    }

    /// This, required.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// This, holding a secret.
    #[must_use]
    pub const fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// This, as of botocore 1.44.
    #[must_use]
    pub const fn since_1_44(self) -> Self {
        Self { new: true, ..self }
    }

    /// This, with less effect than at AWS.
    #[must_use]
    pub const fn accepted(self, why: &'static str) -> Self {
        Self { honour: Honour::Accepted(why), ..self }
    }

    /// This, refused.
    #[must_use]
    pub const fn refused(self, how: &'static str) -> Self {
        Self { honour: Honour::Refused(how), ..self }
    }

    /// This, in no answer.
    #[must_use]
    pub const fn never(self, why: &'static str) -> Self {
        Self { honour: Honour::Never(why), ..self }
    }
}

impl Kind {
    /// Whether an error tells what is wrong with such an element in one breath for the whole list.
    #[must_use]
    pub const fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_) | Self::Structure(_))
    }
}

/// A member's name as errors spell it: `SecretId` is `secretId`.
pub(crate) fn spelt(name: &str) -> impl Iterator<Item = char> {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars)
}

#[cfg(test)]
mod tests;
