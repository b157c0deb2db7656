//! When a secret is rotated: AWS's rotation rules, and the moments that follow from them. All in UTC.
//!
//! AWS rotates "at any time during the window". So does Pawl, but predictably: see [`Window::moment`]. Windows open on the hour,
//! and for a rate in days at midnight.

mod cron;
mod group;
mod window;

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::cron::Cron;
pub use self::cron::CronError;
pub use self::group::{GROUP_TAG, MISSED_TAG, Missed, OFFSET_TAG, ORDER_TAG, Placing, UnreadableTag};
pub use self::window::{Moment, Window};
use crate::limits;
use crate::world::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MILLIS: i64 = 3_600_000;
const DAY_HOURS: u32 = 24;

/// Why rotation rules make no schedule. The texts go to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither of the two ways to say it.
    #[error("RotationRules must specify AutomaticallyAfterDays or ScheduleExpression.")]
    Missing,
    /// Both of them.
    #[error("RotationRules can't specify both AutomaticallyAfterDays and ScheduleExpression.")]
    Both,
    /// Out of AWS's range.
    #[error(
        "AutomaticallyAfterDays must be between 1 and {max}, and is {0}.",
        max = limits::ROTATION_DAYS_MAX
    )]
    Days(i64),
    /// No expression at all.
    #[error("Invalid ScheduleExpression `{0}`. It must be rate(Value Unit) or cron(six fields).")]
    Expression(String),
    /// More characters than AWS takes.
    #[error("ScheduleExpression must have at most {max} characters.", max = limits::SCHEDULE_CHARS_MAX)]
    TooLong,
    /// A rate that is not one.
    #[error(
        "Invalid ScheduleExpression `{0}`. A rate is rate(N hours), from {hours} hours, or rate(N days), up to {days} days.",
        hours = limits::ROTATION_HOURS_MIN, days = limits::ROTATION_RATE_DAYS_MAX
    )]
    Rate(String),
    /// A cron expression that cannot be honoured.
    #[error("Invalid ScheduleExpression `{expression}`. {why}")]
    Cron {
        /// As it was given.
        expression: String,
        /// What is wrong with it.
        why: CronError,
    },
    /// Not a number of hours.
    #[error("Invalid Duration `{0}`. It must be a number of hours from 1 to 24, such as 3h.")]
    Duration(String),
    /// The window would reach into the next one, or into the next day.
    #[error(
        "Invalid Duration `{0}`. The rotation window must not extend into the next UTC day or into the next rotation window."
    )]
    Window(String),
}

/// `RotationRules` as a caller gives them and as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    automatically_after_days: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule_expression: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cadence {
    Days(u32),
    Hours(u32),
    Cron(Cron),
}

/// A rotation schedule and the length of its windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Rules", into = "Rules")]
pub struct Schedule {
    rules: Rules,
    cadence: Cadence,
    /// None: an hour for schedules in hours, else to the end of the day.
    window_hours: Option<u32>,
}

impl Schedule {
    /// Reads the three fields of `RotationRules`.
    ///
    /// # Errors
    /// When they say nothing, too much, or something that no schedule of AWS's can be.
    pub fn parse(
        automatically_after_days: Option<i64>,
        duration: Option<&str>,
        schedule_expression: Option<&str>,
    ) -> Result<Self, ScheduleError> {
        let cadence = match (automatically_after_days, schedule_expression) {
            (None, None) => return Err(ScheduleError::Missing),
            (Some(_), Some(_)) => return Err(ScheduleError::Both),
            (Some(days), None) => {
                Cadence::Days(in_range(days, 1, limits::ROTATION_DAYS_MAX).ok_or(ScheduleError::Days(days))?)
            }
            (None, Some(expression)) => Cadence::parse(expression)?,
        };
        let window_hours = match duration {
            None => None,
            Some(text) => {
                let hours = window_hours(text).ok_or_else(|| ScheduleError::Duration(text.to_owned()))?;
                if hours > cadence.window_hours_max() {
                    return Err(ScheduleError::Window(text.to_owned()));
                }
                Some(hours)
            }
        };
        let rules = Rules {
            automatically_after_days,
            duration: duration.map(str::to_owned),
            schedule_expression: schedule_expression.map(str::to_owned),
        };
        Ok(Self { rules, cadence, window_hours })
    }

    /// When the next window opens: the first after both `last` and `now`.
    ///
    /// `last` is the opening of the window of the last rotation, or any moment that rotations count from (rotation was
    /// configured then, or a person rotated); rates count from its day or hour, so neither the place of a rotation in
    /// its window nor the time that it takes makes the next one later.
    ///
    /// None only at the end of the calendar, which for cron expressions is the year 2100 (crate `cron`).
    #[must_use]
    pub fn next_after(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let after = last.max(now);
        match &self.cadence {
            Cadence::Cron(cron) => cron.next_after(after),
            Cadence::Days(_) | Cadence::Hours(_) => next_of_grid(self.anchor(last), self.step(), after),
        }
    }

    /// The window that opens at `opens`.
    #[must_use]
    pub fn window(&self, opens: Timestamp) -> Window {
        let day_end = opens.day().plus_days(1);
        let closes = match (self.window_hours, &self.cadence) {
            (Some(hours), _) => (opens + HOUR * hours).min(day_end),
            (None, Cadence::Days(_)) => day_end,
            (None, Cadence::Hours(_)) => opens + HOUR,
            (None, Cadence::Cron(cron)) => {
                if cron.is_hourly() {
                    opens + HOUR
                } else {
                    day_end
                }
            }
        };
        Window { opens, closes }
    }

    /// The window of [`Schedule::next_after`].
    #[must_use]
    pub fn next_window(&self, last: Timestamp, now: Timestamp) -> Option<Window> {
        self.next_after(last, now).map(|opens| self.window(opens))
    }

    /// The first window in which a rotation that missed the one of `missed` can begin at `now` or later; one that is open is as
    /// good as one that opens. Of a rate of more than a day whose windows have a `Duration` these are the same hours of the
    /// following days: whoever names the hours means the hours, and not that a month's rotation is left out.
    #[must_use]
    pub fn window_after_missed(&self, missed: Timestamp, now: Timestamp) -> Option<Window> {
        let day = HOUR_MILLIS * i64::from(DAY_HOURS);
        let same_hours = self.window_hours.is_some() && self.step() > day;
        // No window is longer than a day.
        let mut after = missed.max(now.plus_days(-1));
        loop {
            let opens = match same_hours {
                true => next_of_grid(self.anchor(missed), day, after)?,
                false => self.next_after(missed, after)?,
            };
            let window = self.window(opens);
            if window.last_start() >= now {
                return Some(window);
            }
            after = opens;
        }
    }

    /// What becomes of a missed window when nothing else is said: whoever names hours or days wants rotations in them and nowhere
    /// else; a plain rate says how often, and no more.
    #[must_use]
    pub const fn when_missed(&self) -> Missed {
        match (self.window_hours, &self.cadence) {
            (None, Cadence::Days(_) | Cadence::Hours(_)) => Missed::MakeUp,
            (Some(_), _) | (None, Cadence::Cron(_)) => Missed::Wait,
        }
    }

    /// The start of the day or hour that a rate counts from when `from` is in it.
    const fn anchor(&self, from: Timestamp) -> Timestamp {
        match self.cadence {
            Cadence::Days(_) => from.day(),
            Cadence::Hours(_) | Cadence::Cron(_) => hour(from),
        }
    }

    /// Milliseconds from one window of a rate to the next.
    fn step(&self) -> i64 {
        match self.cadence {
            Cadence::Days(days) => HOUR_MILLIS * i64::from(DAY_HOURS * days),
            Cadence::Hours(hours) => HOUR_MILLIS * i64::from(hours),
            Cadence::Cron(_) => HOUR_MILLIS,
        }
    }

    /// AWS's `NextRotationDate` for a window that opens at `opens`: the last second of it.
    #[must_use]
    pub fn next_rotation_date(&self, opens: Timestamp) -> Timestamp {
        self.window(opens).last_second()
    }

    /// `AutomaticallyAfterDays` as answers show it: as given, or the days of a rate in days.
    #[must_use]
    pub const fn automatically_after_days(&self) -> Option<u32> {
        match self.cadence {
            Cadence::Days(days) => Some(days),
            Cadence::Hours(_) | Cadence::Cron(_) => None,
        }
    }

    /// `Duration` as it was given.
    #[must_use]
    pub fn duration(&self) -> Option<&str> {
        self.rules.duration.as_deref()
    }

    /// `ScheduleExpression` as it was given.
    #[must_use]
    pub fn expression(&self) -> Option<&str> {
        self.rules.schedule_expression.as_deref()
    }
}

impl TryFrom<Rules> for Schedule {
    type Error = ScheduleError;

    fn try_from(rules: Rules) -> Result<Self, ScheduleError> {
        Self::parse(
            rules.automatically_after_days,
            rules.duration.as_deref(),
            rules.schedule_expression.as_deref(),
        )
    }
}

impl From<Schedule> for Rules {
    fn from(schedule: Schedule) -> Self {
        schedule.rules
    }
}

impl Cadence {
    fn parse(expression: &str) -> Result<Self, ScheduleError> {
        if expression.len() > limits::SCHEDULE_CHARS_MAX {
            return Err(ScheduleError::TooLong);
        }
        let inside = |kind: &str| expression.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return Self::rate(rate).ok_or_else(|| ScheduleError::Rate(expression.to_owned()));
        }
        if let Some(fields) = inside("cron") {
            return Cron::from_str(fields)
                .map(Self::Cron)
                .map_err(|why| ScheduleError::Cron { expression: expression.to_owned(), why });
        }
        Err(ScheduleError::Expression(expression.to_owned()))
    }

    fn rate(text: &str) -> Option<Self> {
        let (number, unit) = text.trim().split_once(char::is_whitespace)?;
        let number = digits(number)?;
        let days_max = limits::ROTATION_RATE_DAYS_MAX;
        match unit.trim_start() {
            "day" | "days" => in_range(number, 1, days_max).map(Self::Days),
            "hour" | "hours" => {
                in_range(number, limits::ROTATION_HOURS_MIN, days_max * DAY_HOURS).map(Self::Hours)
            }
            _ => None,
        }
    }

    /// How long a window may be so that it ends before the next one opens and before its day does. A rate in hours opens at
    /// any hour; there the end of the day cuts the window short instead.
    fn window_hours_max(&self) -> u32 {
        match self {
            Self::Days(_) => DAY_HOURS,
            Self::Hours(hours) => (*hours).min(DAY_HOURS),
            Self::Cron(cron) => cron.window_hours_max(),
        }
    }
}

/// The first of `start + n * step` that is after `after`, which is not before `start`.
fn next_of_grid(start: Timestamp, step: i64, after: Timestamp) -> Option<Timestamp> {
    let gone = after.millis().checked_sub(start.millis())?;
    let steps = gone.checked_div(step)?.checked_add(1)?;
    Some(Timestamp::from_millis(start.millis().checked_add(steps.checked_mul(step)?)?))
}

/// The start of the hour that holds `at`.
const fn hour(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(HOUR_MILLIS))
}

fn window_hours(text: &str) -> Option<u32> {
    in_range(digits(text.strip_suffix('h')?)?, 1, DAY_HOURS)
}

/// A number of ASCII digits and nothing else (`parse` would take a sign).
fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|c| c.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn in_range(number: i64, least: u32, most: u32) -> Option<u32> {
    u32::try_from(number).ok().filter(|n| (least..=most).contains(n))
}

#[cfg(test)]
mod tests;
