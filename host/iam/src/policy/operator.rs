//! The operators of conditions by their names.

use super::error::{Fault, excerpt};

/// What an operator does with the values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    pub(super) comparison: Comparison,
    pub(super) relation: Relation,
    /// Holds where the key has no value.
    pub(super) if_exists: bool,
}

/// For how many values of a key the comparison must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// The key has one value.
    One,
    /// `ForAllValues`
    All,
    /// `ForAnyValue`
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Text,
    TextInAnyCase,
    TextLike,
    Arn,
    Number,
    Moment,
    Address,
    Bool,
    Bytes,
    /// `Null`: whether the key has no value.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    /// Whether `held` stands in this relation to `bound`. For the negation, which is that of all bounds together, it
    /// tells equality.
    pub(super) fn is<T: Ord + Copy>(self, held: T, bound: T) -> bool {
        match self {
            Self::Equal | Self::NotEqual => held == bound,
            Self::Less => held < bound,
            Self::AtMost => held <= bound,
            Self::Greater => held > bound,
            Self::AtLeast => held >= bound,
        }
    }
}

impl Operator {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (quantifier, rest) = match text.split_once(':') {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAllValues") => (Quantifier::All, rest),
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("ForAnyValue") => (Quantifier::Any, rest),
            Some(_) => return Err(Fault::Operator(excerpt(text))),
            None => (Quantifier::One, text),
        };
        let (name, if_exists) =
            match rest.len().checked_sub("IfExists".len()).and_then(|at| rest.split_at_checked(at)) {
                Some((name, suffix)) if suffix.eq_ignore_ascii_case("IfExists") => (name, true),
                _ => (rest, false),
            };
        let (comparison, relation) = named(name).ok_or_else(|| Fault::Operator(excerpt(text)))?;
        if comparison == Comparison::Absent && (if_exists || quantifier != Quantifier::One) {
            return Err(Fault::NullVariant(excerpt(text)));
        }
        Ok(Self { quantifier, comparison, relation, if_exists })
    }

    pub(super) fn is_negated(self) -> bool {
        self.relation == Relation::NotEqual
    }
}

/// In any case: AWS takes `"bool"`, and policies have it.
fn named(name: &str) -> Option<(Comparison, Relation)> {
    use Comparison::{Absent, Address, Arn, Bool, Bytes, Moment, Number, Text, TextInAnyCase, TextLike};
    use Relation::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    const OPERATORS: [(&str, Comparison, Relation); 27] = [
        ("StringEquals", Text, Equal),
        ("StringNotEquals", Text, NotEqual),
        ("StringEqualsIgnoreCase", TextInAnyCase, Equal),
        ("StringNotEqualsIgnoreCase", TextInAnyCase, NotEqual),
        ("StringLike", TextLike, Equal),
        ("StringNotLike", TextLike, NotEqual),
        ("NumericEquals", Number, Equal),
        ("NumericNotEquals", Number, NotEqual),
        ("NumericLessThan", Number, Less),
        ("NumericLessThanEquals", Number, AtMost),
        ("NumericGreaterThan", Number, Greater),
        ("NumericGreaterThanEquals", Number, AtLeast),
        ("DateEquals", Moment, Equal),
        ("DateNotEquals", Moment, NotEqual),
        ("DateLessThan", Moment, Less),
        ("DateLessThanEquals", Moment, AtMost),
        ("DateGreaterThan", Moment, Greater),
        ("DateGreaterThanEquals", Moment, AtLeast),
        ("Bool", Bool, Equal),
        ("BinaryEquals", Bytes, Equal),
        ("IpAddress", Address, Equal),
        ("NotIpAddress", Address, NotEqual),
        ("ArnEquals", Arn, Equal),
        ("ArnLike", Arn, Equal),
        ("ArnNotEquals", Arn, NotEqual),
        ("ArnNotLike", Arn, NotEqual),
        ("Null", Absent, Equal),
    ];
    let known = OPERATORS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    Some((known.1, known.2))
}
