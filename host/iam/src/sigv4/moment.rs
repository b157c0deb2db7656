//! The date of a request, in the forms that a request may give it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate};
use pawl_core::world::Timestamp;

use super::error::Malformed;

/// A request's date: the moment, and the text of it that was signed (`20260101T000000Z`).
#[derive(Clone, Debug)]
pub(super) struct Moment<'a> {
    pub(super) at: Timestamp,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Moment<'a> {
    /// ISO 8601's basic form, which `X-Amz-Date` must have.
    pub(super) fn from_basic(text: Cow<'a, str>) -> Result<Self, Malformed> {
        let at = parse_basic(text.as_bytes()).ok_or(Malformed::DateForm)?;
        Ok(Self { at, text })
    }

    /// What a `Date` header may hold: the basic form, or HTTP's own (`Thu, 01 Jan 2026 00:00:00 GMT`).
    pub(super) fn from_date_header(text: &'a str) -> Result<Self, Malformed> {
        if let Ok(moment) = Self::from_basic(Cow::Borrowed(text)) {
            return Ok(moment);
        }
        let parsed = DateTime::parse_from_rfc2822(text).map_err(|_| Malformed::DateForm)?;
        let at = Timestamp::from_millis(parsed.timestamp_millis());
        Self::from_basic(Cow::Owned(basic(at)))
    }

    /// The day, as it stands in a scope.
    pub(super) fn day(&self) -> &str {
        self.text.get(..8).unwrap_or_default()
    }
}

/// A moment in ISO 8601's basic form.
pub(super) fn basic(at: Timestamp) -> String {
    at.utc().format("%Y%m%dT%H%M%SZ").to_string()
}

fn parse_basic(text: &[u8]) -> Option<Timestamp> {
    let &[y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, i1, i2, s1, s2, b'Z'] = text else { return None };
    let year = number(&[y1, y2, y3, y4])?;
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let at = day.and_hms_opt(number(&[h1, h2])?, number(&[i1, i2])?, number(&[s1, s2])?)?;
    Some(Timestamp::from_millis(at.and_utc().timestamp_millis()))
}

/// At most four digits, so nothing overflows.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit.wrapping_sub(b'0')))
    })
}
