//! Rotation rules as the referee understands them: written from AWS's documents and docs/rotation.md, without the product's code.

use std::sync::LazyLock;

use pawl_core::schedule::Schedule;

use crate::chance::Chance;
use crate::{DAY, HOUR};

/// Days that a cron expression names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Days {
    Every,
    Weekday(u32),
    OfMonth(u32),
    LastOfMonth,
    Nth(u32, u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    Days(i64),
    Hours(i64),
    Cron { hours: Vec<i64>, days: Days },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) cadence: Cadence,
    /// Hours of a window, where they are named.
    pub(crate) hours: Option<i64>,
    /// What the tag says: whether missed ones are made up for.
    pub(crate) makes_up: Option<bool>,
}

/// Opening and close, in milliseconds.
pub(crate) type Window = (i64, i64);

impl Rule {
    pub(crate) fn any(chance: &mut Chance) -> Self {
        let days = |chance: &mut Chance| match chance.between(0, 120) {
            0 if chance.once_in(2) => Days::Every,
            0..=8 => Days::Weekday(u32::try_from(chance.between(1, 8)).unwrap()),
            9..=105 => Days::OfMonth(u32::try_from(chance.between(1, 32)).unwrap()),
            106..=112 => Days::LastOfMonth,
            _ => {
                let (day, week) = (chance.between(1, 8), chance.between(1, 6));
                Days::Nth(u32::try_from(day).unwrap(), u32::try_from(week).unwrap())
            }
        };
        loop {
            // Few that rotate often: they alone would make most of the work.
            let cadence = match chance.between(0, 10) {
                0 if chance.once_in(150) => Cadence::Hours(chance.scaled(4, 48)),
                0 => Cadence::Hours(chance.scaled(200, 4_000)),
                1..=5 if chance.once_in(40) => Cadence::Days(chance.scaled(1, 20)),
                1..=5 => Cadence::Days(chance.scaled(20, 700)),
                _ if chance.once_in(600) => Cadence::Cron { hours: vec![0, 8, 16], days: Days::Every },
                _ if chance.once_in(20) => Cadence::Cron { hours: vec![3, 15], days: days(chance) },
                _ => Cadence::Cron { hours: vec![chance.between(0, 24)], days: days(chance) },
            };
            let hours = (!chance.once_in(3)).then(|| chance.scaled(1, 24));
            let rule = Self { cadence, hours, makes_up: None };
            if rule.parsed().is_some() {
                return rule;
            }
        }
    }

    /// The same for the product.
    pub(crate) fn parsed(&self) -> Option<Schedule> {
        let duration = self.hours.map(|hours| format!("{hours}h"));
        let (days, expression) = match &self.cadence {
            Cadence::Days(days) => (Some(*days), None),
            Cadence::Hours(hours) => (None, Some(format!("rate({hours} hours)"))),
            Cadence::Cron { hours, days } => {
                let hours: Vec<_> = hours.iter().map(ToString::to_string).collect();
                let (of_month, of_week) = match days {
                    Days::Every => ("*".to_owned(), "?".to_owned()),
                    Days::Weekday(day) => ("?".to_owned(), day.to_string()),
                    Days::OfMonth(day) => (day.to_string(), "?".to_owned()),
                    Days::LastOfMonth => ("L".to_owned(), "?".to_owned()),
                    Days::Nth(day, week) => ("?".to_owned(), format!("{day}#{week}")),
                };
                (None, Some(format!("cron(0 {} {of_month} * {of_week} *)", hours.join(","))))
            }
        };
        Schedule::parse(days, duration.as_deref(), expression.as_deref()).ok()
    }

    pub(crate) fn makes_up(&self) -> bool {
        let plain = self.hours.is_none() && !matches!(self.cadence, Cadence::Cron { .. });
        self.makes_up.unwrap_or(plain)
    }

    /// From where a rate counts what happened at `at`.
    pub(crate) fn anchor(&self, at: i64) -> i64 {
        match self.cadence {
            Cadence::Days(_) => at - at.rem_euclid(DAY),
            _ => at - at.rem_euclid(HOUR),
        }
    }

    fn window(&self, opens: i64) -> Window {
        let midnight = opens - opens.rem_euclid(DAY) + DAY;
        let in_hours = match &self.cadence {
            Cadence::Days(_) => false,
            Cadence::Hours(_) => true,
            Cadence::Cron { hours, .. } => hours.len() > 1,
        };
        let closes = match self.hours {
            Some(hours) => opens + hours * HOUR,
            None if in_hours => opens + HOUR,
            None => midnight,
        };
        (opens, closes.min(midnight))
    }

    /// The first regular window that opens after `after`, counted from `base`.
    pub(crate) fn next(&self, base: i64, after: i64) -> Window {
        let step = match &self.cadence {
            Cadence::Days(days) => days * DAY,
            Cadence::Hours(hours) => hours * HOUR,
            Cadence::Cron { hours, days } => return self.next_named(hours, *days, after),
        };
        let steps = (after - base).div_euclid(step).max(0) + 1;
        self.window(base + steps * step)
    }

    fn next_named(&self, hours: &[i64], days: Days, after: i64) -> Window {
        let mut day = after.div_euclid(DAY);
        loop {
            if days.hold(day) {
                let opens = hours.iter().map(|hour| day * DAY + hour * HOUR).find(|opens| *opens > after);
                if let Some(opens) = opens {
                    return self.window(opens);
                }
            }
            day += 1;
        }
    }

    /// Of a rate with hours: those hours on each day after a window that was missed.
    pub(crate) fn same_hours(&self, missed: i64, after: i64) -> Option<Window> {
        let is_rate = !matches!(self.cadence, Cadence::Cron { .. });
        (is_rate && self.hours.is_some())
            .then(|| self.window(missed + ((after - missed).div_euclid(DAY).max(0) + 1) * DAY))
    }
}

impl Days {
    /// Whether the day so many days after 1970-01-01, a Thursday, is meant.
    fn hold(self, day: i64) -> bool {
        let weekday = u32::try_from((day + 4).rem_euclid(7)).unwrap() + 1;
        let (of_month, length) = day_of_month(day);
        match self {
            Self::Every => true,
            Self::Weekday(wanted) => weekday == wanted,
            Self::OfMonth(wanted) => of_month == wanted,
            Self::LastOfMonth => of_month == length,
            Self::Nth(wanted, week) => weekday == wanted && of_month.div_ceil(7) == week,
        }
    }
}

/// The first day of 2026, counted from 1970-01-01.
const FIRST: i64 = 20_454;

/// The day of the month, and how many the month has.
pub(crate) fn day_of_month(day: i64) -> (u32, u32) {
    static CALENDAR: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
        let is_leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = (2026..2060).flat_map(|year| {
            let february = 28 + u32::from(is_leap(year));
            [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        });
        lengths.flat_map(|length| (1..=length).map(move |day| (day, length))).collect()
    });
    CALENDAR[usize::try_from(day - FIRST).unwrap()]
}
