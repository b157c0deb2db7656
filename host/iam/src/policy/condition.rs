//! When a statement holds: its `Condition`.

use std::ops::{BitAnd, BitOr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use pawl_core::world::Timestamp;

use super::arn::{self, ArnPattern};
use super::context::{ConditionContext, ContextValue};
use super::error::{Fault, excerpt};
use super::operator::{Comparison, Operator, Quantifier, Relation};
use super::pattern::{Case, Pattern, Syntax};
use super::scalar::{self, Decimal};

/// Yes, no, or not to be told, as a value is not of the kind that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl BitAnd for Truth {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

impl BitOr for Truth {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }
}

/// One operator, one key, and the values that are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: Box<str>,
    pub(super) wanted: Wanted,
}

/// What is compared with, in the form that the comparison needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Texts(Box<[Pattern]>),
    Arns(Box<[ArnPattern]>),
    Numbers(Box<[Decimal]>),
    Moments(Box<[Timestamp]>),
    Networks(Box<[IpNet]>),
    Bools(Box<[bool]>),
    Bytes(Box<[Box<[u8]>]>),
}

impl Wanted {
    /// Compiles the values, and tells which of them cannot be.
    pub(super) fn parse(
        operator: Operator,
        values: &[String],
        variables: bool,
    ) -> Result<Self, (usize, Fault)> {
        let text = |wildcards| move |text: &str| Pattern::compile(text, Syntax { wildcards, variables });
        match operator.comparison {
            Comparison::Text | Comparison::TextInAnyCase => each(values, text(false)).map(Self::Texts),
            Comparison::TextLike => each(values, text(true)).map(Self::Texts),
            Comparison::Arn => each(values, |text| ArnPattern::parse(text, variables)).map(Self::Arns),
            Comparison::Number => each(values, kind("a number", Decimal::parse)).map(Self::Numbers),
            Comparison::Moment => {
                let kind = kind("a date (2026-01-31T00:00:00Z) or seconds since 1970", scalar::moment);
                each(values, kind).map(Self::Moments)
            }
            Comparison::Address => {
                let kind = kind("an address or a network (203.0.113.0/24)", scalar::network);
                each(values, kind).map(Self::Networks)
            }
            Comparison::Bool | Comparison::Absent => {
                each(values, kind("true or false", boolean)).map(Self::Bools)
            }
            Comparison::Bytes => {
                let decode = |text: &str| STANDARD.decode(text).ok().map(Vec::into_boxed_slice);
                each(values, kind("base64", decode)).map(Self::Bytes)
            }
        }
    }
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Result<T, Fault>) -> Result<Box<[T]>, (usize, Fault)> {
    values.iter().enumerate().map(|(index, text)| read(text).map_err(|fault| (index, fault))).collect()
}

fn kind<T>(name: &'static str, read: impl Fn(&str) -> Option<T>) -> impl Fn(&str) -> Result<T, Fault> {
    move |text| read(text).ok_or_else(|| Fault::ConditionValue(excerpt(text), name))
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("false").then_some(false)
    }
}

impl Condition {
    /// Whether it holds for a request.
    ///
    /// The rules are the user guide's "Condition operators" and "Set operators for multivalued context keys". A key with
    /// several values and no set operator has no rule there: such a condition cannot be decided.
    pub(super) fn holds(&self, context: &ConditionContext<'_>) -> Truth {
        let is_set = self.operator.quantifier != Quantifier::One;
        let mut values = context.values(&self.key).filter(|value| !(is_set && value.is_null()));
        let first = values.next();
        if let (Comparison::Absent, Wanted::Bools(wanted)) = (self.operator.comparison, &self.wanted) {
            return wanted.contains(&first.is_none()).into();
        }
        let Some(first) = first else {
            let holds = match self.operator.quantifier {
                Quantifier::One => self.operator.is_negated(),
                Quantifier::All => true,
                Quantifier::Any => false,
            };
            return (holds || self.operator.if_exists).into();
        };
        let first = self.compare(first, context);
        match self.operator.quantifier {
            Quantifier::One if values.next().is_some() => Truth::Unknown,
            Quantifier::One => first,
            Quantifier::All => values.fold(first, |all, value| all & self.compare(value, context)),
            Quantifier::Any => values.fold(first, |any, value| any | self.compare(value, context)),
        }
    }

    /// Whether it holds for one value. Of several that are compared with, one must match; where the operator is negated,
    /// none may.
    fn compare(&self, value: &ContextValue<'_>, context: &ConditionContext<'_>) -> Truth {
        let relation = self.operator.relation;
        let matched = match &self.wanted {
            Wanted::Texts(patterns) => {
                let text = value.text();
                let fold = self.operator.comparison == Comparison::TextInAnyCase;
                Some(patterns.iter().any(|pattern| {
                    if fold {
                        pattern.equals_in_any_case(&text, context)
                    } else {
                        pattern.matches(&text, Case::Exact, context)
                    }
                }))
            }
            Wanted::Arns(patterns) => {
                let text = value.text();
                arn::is_arn(&text).then(|| patterns.iter().any(|pattern| pattern.matches(&text, context)))
            }
            Wanted::Numbers(bounds) => {
                number(value).map(|held| bounds.iter().any(|bound| relation.is(held, *bound)))
            }
            Wanted::Moments(bounds) => {
                moment(value).map(|held| bounds.iter().any(|bound| relation.is(held, *bound)))
            }
            Wanted::Networks(networks) => {
                address(value).map(|held| networks.iter().any(|network| network.contains(&held)))
            }
            Wanted::Bools(wanted) => truth(value).map(|held| wanted.contains(&held)),
            Wanted::Bytes(wanted) => bytes(value).map(|held| wanted.iter().any(|bytes| **bytes == *held)),
        };
        matched.map_or(Truth::Unknown, |matched| (matched != (relation == Relation::NotEqual)).into())
    }
}

fn number(value: &ContextValue<'_>) -> Option<Decimal> {
    match value {
        ContextValue::Number(number) => Some(Decimal::from(*number)),
        ContextValue::Text(text) => Decimal::parse(text),
        _ => None,
    }
}

fn moment(value: &ContextValue<'_>) -> Option<Timestamp> {
    match value {
        ContextValue::Moment(moment) => Some(*moment),
        ContextValue::Number(seconds) => seconds.checked_mul(1000).map(Timestamp::from_millis),
        ContextValue::Text(text) => scalar::moment(text),
        _ => None,
    }
}

fn address(value: &ContextValue<'_>) -> Option<std::net::IpAddr> {
    let address = match value {
        ContextValue::Address(address) => Some(*address),
        ContextValue::Text(text) => text.parse().ok(),
        _ => None,
    };
    // An IPv4 client of a socket for both comes as ::ffff:203.0.113.7.
    address.map(|address: std::net::IpAddr| address.to_canonical())
}

fn truth(value: &ContextValue<'_>) -> Option<bool> {
    match value {
        ContextValue::Bool(held) => Some(*held),
        ContextValue::Text(text) => boolean(text),
        _ => None,
    }
}

fn bytes<'v>(value: &'v ContextValue<'_>) -> Option<&'v [u8]> {
    match value {
        ContextValue::Bytes(bytes) => Some(bytes),
        ContextValue::Text(text) => Some(text.as_bytes()),
        _ => None,
    }
}
