//! What a secret's tags say about its place among the rotations of others. AWS's API has no field for it; tags every client can set.

use std::fmt;
use std::time::Duration;

use crate::limits;
use crate::secret::Tag;

/// The tag that names a secret's group.
pub const GROUP_TAG: &str = "pawl:rotation-group";
/// The tag with a secret's place in its group: 0, 1, 2, ...
pub const ORDER_TAG: &str = "pawl:rotation-order";
/// The tag with the time between two places of a group: `90s`, `30m`, `2h`.
pub const OFFSET_TAG: &str = "pawl:rotation-offset";
/// The tag that says what becomes of a window that was missed: `wait` or `make-up`.
pub const MISSED_TAG: &str = "pawl:rotation-missed";

/// What becomes of a rotation whose window went by while no host ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// It waits for the next window: rotations are wanted in windows and nowhere else.
    Wait,
    /// It is made up for as soon as a host runs again.
    MakeUp,
}

/// A secret's place among the rotations of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placing {
    /// The group: its members have one moment in common, from which each is moved.
    pub group: Option<String>,
    /// How many times the offset this secret is moved.
    pub order: u32,
    /// The offset.
    pub offset: Duration,
    /// What the tags say about missed windows; none leaves it to the rule.
    pub missed: Option<Missed>,
}

/// A tag about rotation that means nothing, and so does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableTag {
    /// Which.
    pub key: &'static str,
    /// As it was given.
    pub value: String,
}

impl fmt::Display for UnreadableTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = match self.key {
            GROUP_TAG => "the name of a group",
            ORDER_TAG => "a place in the group such as 0 or 3",
            OFFSET_TAG => "a time up to a day such as 90s, 30m or 2h",
            _ => "wait or make-up",
        };
        write!(f, "the tag {} must be {wanted}, and is `{}`; it is ignored", self.key, self.value)
    }
}

impl Placing {
    /// What `tags` say. What cannot be read counts as not said.
    #[must_use]
    pub fn of(tags: &[Tag]) -> Self {
        let said = |key| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str());
        Self {
            group: said(GROUP_TAG).and_then(group),
            order: said(ORDER_TAG).and_then(order).unwrap_or(0),
            offset: said(OFFSET_TAG).and_then(offset).unwrap_or(limits::GROUP_OFFSET_DEFAULT),
            missed: said(MISSED_TAG).and_then(missed),
        }
    }

    /// The tags about rotation that cannot be read.
    pub fn unreadable(tags: &[Tag]) -> impl Iterator<Item = UnreadableTag> {
        tags.iter().filter_map(|tag| {
            let (key, readable) = match tag.key.as_str() {
                GROUP_TAG => (GROUP_TAG, group(&tag.value).is_some()),
                ORDER_TAG => (ORDER_TAG, order(&tag.value).is_some()),
                OFFSET_TAG => (OFFSET_TAG, offset(&tag.value).is_some()),
                MISSED_TAG => (MISSED_TAG, missed(&tag.value).is_some()),
                _ => return None,
            };
            (!readable).then(|| UnreadableTag { key, value: tag.value.clone() })
        })
    }

    /// How far behind its group's moment this secret is; nothing without a group.
    #[must_use]
    pub fn shift(&self) -> Duration {
        match self.group {
            Some(_) => self.offset.saturating_mul(self.order).min(limits::GROUP_SHIFT_MAX),
            None => Duration::ZERO,
        }
    }
}

fn group(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn order(text: &str) -> Option<u32> {
    super::in_range(super::digits(text)?, 0, limits::GROUP_ORDER_MAX)
}

fn offset(text: &str) -> Option<Duration> {
    let unit = |unit: char, seconds: u64| Some((text.strip_suffix(unit)?, seconds));
    let (number, seconds) = unit('s', 1).or_else(|| unit('m', 60)).or_else(|| unit('h', 3_600))?;
    let number = u64::try_from(super::digits(number)?).ok()?;
    let offset = Duration::from_secs(number.checked_mul(seconds)?);
    (!offset.is_zero() && offset <= limits::GROUP_SHIFT_MAX).then_some(offset)
}

fn missed(text: &str) -> Option<Missed> {
    match text {
        "wait" => Some(Missed::Wait),
        "make-up" => Some(Missed::MakeUp),
        _ => None,
    }
}
