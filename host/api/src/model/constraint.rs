//! Single constraints, in the words in which AWS's services tell them.

use std::fmt;

use super::{Integer, Length, Pattern, Text};

/// One thing that must hold of a member.
#[derive(Clone, Copy, Debug)]
pub enum Constraint {
    /// At most this long.
    LengthMax(usize),
    /// At least this long.
    LengthMin(usize),
    /// At most this much.
    ValueMax(i64),
    /// At least this much.
    ValueMin(i64),
    /// All of it matches.
    Matches(&'static Pattern),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// There at all.
    NotNull,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member must ")?;
        match self {
            Self::LengthMax(most) => write!(f, "have length less than or equal to {most}"),
            Self::LengthMin(least) => write!(f, "have length greater than or equal to {least}"),
            Self::ValueMax(most) => write!(f, "have value less than or equal to {most}"),
            Self::ValueMin(least) => write!(f, "have value greater than or equal to {least}"),
            Self::Matches(pattern) => write!(f, "satisfy regular expression pattern: {}", pattern.text),
            Self::OneOf(choices) => write!(f, "satisfy enum value set: [{}]", choices.join(", ")),
            Self::NotNull => f.write_str("not be null"),
        }
    }
}

impl Length {
    /// What must hold of a length.
    pub(super) fn constraints(self) -> impl Iterator<Item = Constraint> {
        [self.max.map(Constraint::LengthMax), self.min.map(Constraint::LengthMin)].into_iter().flatten()
    }

    /// What does not hold of `length`.
    pub(super) fn broken_by(self, length: usize) -> impl Iterator<Item = Constraint> {
        self.constraints().filter(move |constraint| match constraint {
            Constraint::LengthMax(most) => length > *most,
            Constraint::LengthMin(least) => length < *least,
            _ => false,
        })
    }
}

impl Text {
    /// What must hold of a text, in the order in which AWS lists it for a list's elements.
    pub(super) fn constraints(self) -> impl Iterator<Item = Constraint> {
        self.length.constraints().chain(self.pattern.map(Constraint::Matches)).chain(self.choice())
    }

    /// What does not hold of `text`.
    pub(super) fn broken_by(self, text: &str) -> impl Iterator<Item = Constraint> {
        let length = if self.bytes { text.len() } else { text.chars().count() };
        let pattern = self.pattern.filter(|pattern| !(pattern.matches)(text)).map(Constraint::Matches);
        let choice = self.choice().filter(|_| !self.choices.contains(&text));
        self.length.broken_by(length).chain(pattern).chain(choice)
    }

    fn choice(self) -> Option<Constraint> {
        (!self.choices.is_empty()).then_some(Constraint::OneOf(self.choices))
    }
}

impl Integer {
    /// What does not hold of `number`.
    pub(super) fn broken_by(self, number: i64) -> impl Iterator<Item = Constraint> {
        let most = self.max.filter(|most| number > *most).map(Constraint::ValueMax);
        let least = self.min.filter(|least| number < *least).map(Constraint::ValueMin);
        most.into_iter().chain(least)
    }
}
