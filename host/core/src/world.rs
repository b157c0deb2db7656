//! Time and chance: the only doors through which either comes in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch, UTC. AWS's own timestamps have this grain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// One day in milliseconds.
const DAY_MILLIS: i64 = 86_400_000;

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch with the milliseconds as fraction: AWS JSON's form.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact below the year 287396")]
    pub fn epoch_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Midnight, UTC, of the day that holds this moment.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MILLIS))
    }

    /// This moment plus whole days.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MILLIS)))
    }

    /// This moment plus whole seconds.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self + Duration::from_secs(seconds)
    }

    /// Milliseconds from `earlier` to this moment, zero when it is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// As a calendar date and time, for schedules and for people.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(before.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The clocks of a host.
pub trait Clock: Send + Sync {
    /// The time by which secrets live: schedules, deletion windows, dates in answers. A development clock moves it.
    fn now(&self) -> Timestamp;

    /// The time by which machines agree: signatures and leases. Nothing moves it.
    fn wall(&self) -> Timestamp;
}

/// The source of everything that must not be guessed.
pub trait Rng: Send + Sync {
    /// Fills `bytes` from a cryptographic source.
    fn fill(&self, bytes: &mut [u8]);

    /// A number below `bound` (at least 1), each equally likely.
    fn below(&self, bound: u32) -> u32 {
        let bound = bound.max(1);
        // Numbers at or above the largest multiple of `bound` would favour the small ones.
        let fair = u32::MAX - (u32::MAX % bound);
        loop {
            let mut bytes = [0; 4];
            self.fill(&mut bytes);
            let drawn = u32::from_le_bytes(bytes);
            if drawn < fair {
                return drawn % bound;
            }
        }
    }
}
