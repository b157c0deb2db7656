//! Numbers, dates and networks as policies write them.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate};
use ipnet::{IpNet, Ipv4Net};
use pawl_core::world::Timestamp;

/// A decimal number, exactly, in units of 10^-18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

const FRACTION_DIGITS: usize = 18;
const UNIT: i128 = 1_000_000_000_000_000_000;

impl Decimal {
    /// Digits, with a sign before them and a fraction behind where wanted; 18 of each at most.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let whole = if whole.is_empty() && !fraction.is_empty() { "0" } else { whole };
        let only_digits = whole.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit());
        if !only_digits
            || whole.is_empty()
            || whole.len() > FRACTION_DIGITS
            || fraction.len() > FRACTION_DIGITS
        {
            return None;
        }
        let fraction: i128 = format!("{fraction:0<FRACTION_DIGITS$}").parse().ok()?;
        let value = whole.parse::<i128>().ok()?.checked_mul(UNIT)?.checked_add(fraction)?;
        Some(Self(if negative { -value } else { value }))
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(i128::from(number).saturating_mul(UNIT))
    }
}

/// A date in one of the forms of W3C's profile of ISO 8601 that AWS takes, or seconds since the Unix epoch.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    // Four digits are a year: as seconds they would be the first hours of 1970.
    let year = text.len() == 4 && text.bytes().all(|c| c.is_ascii_digit());
    if !year && let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1000).map(Timestamp::from_millis);
    }
    let day = |text: &str| {
        // chrono takes signs, blanks and single digits too.
        let digits = text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        if !digits || !text.split('-').map(str::len).eq([4, 2, 2]) {
            return None;
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(Timestamp::from(date.and_hms_opt(0, 0, 0)?.and_utc()))
    };
    match text.len() {
        4 => day(&format!("{text}-01-01")),
        7 => day(&format!("{text}-01")),
        10 => day(text),
        _ => DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z"))
            .or_else(|_| DateTime::parse_from_str(&text.replace('Z', "+00:00"), "%Y-%m-%dT%H:%M%:z"))
            .ok()
            .map(|at| Timestamp::from(at.to_utc())),
    }
}

/// A network, or an address as a network of one.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?.trunc();
    // An IPv4 address as IPv6 writes it is the IPv4 address: so are those of requests taken.
    let IpNet::V6(six) = net else { return Some(net) };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    Some(four.and_then(|(addr, bits)| Some(IpNet::V4(Ipv4Net::new(addr, bits).ok()?))).unwrap_or(net))
}
