//! The cron expressions of Secrets Manager: six fields, minutes `0`, year `*`.
//!
//! Days are counted as AWS counts them: 1 is Sunday. One of the two day fields is `?`. `L` is the last day of the month, or of
//! the week (Saturday); `6L` or `FRIL` the last Friday of the month; `6#3` or `FRI#3` the third. Crate `cron` walks the calendar;
//! it knows neither `L` nor `#`, so days of these forms are chosen here.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};
use cron::Schedule as Calendar;

use crate::limits;
use crate::world::Timestamp;

/// What is wrong with a cron expression. The texts go to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not six.
    #[error("A cron expression has six fields, separated by spaces.")]
    Fields,
    /// Windows open on the hour.
    #[error("The minutes field must be 0.")]
    Minutes,
    /// AWS knows no others.
    #[error("The year field must be *.")]
    Year,
    /// Both day fields say something, or neither does.
    #[error("Exactly one of the day-of-month and day-of-week fields must be ?.")]
    Days,
    /// A field that cannot be read.
    #[error("The {field} field can't be `{text}`.")]
    Field {
        /// Which.
        field: &'static str,
        /// As it was given.
        text: String,
    },
    /// A day that none of the months has.
    #[error("None of these months has such a day.")]
    Never,
    /// Closer than AWS allows.
    #[error("A secret can be rotated every {hours} hours at most.", hours = limits::ROTATION_HOURS_MIN)]
    TooOften,
}

/// The longest that a valid expression can rest: February has a fifth Sunday in leap years only, and 2100 is none.
const HORIZON_MONTHS: Months = Months::new(12 * 41);
const WEEK: u32 = 7;

/// Small numbers, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers(u32);

impl Numbers {
    const fn insert(&mut self, number: u32) {
        self.0 |= 1 << number;
    }

    const fn holds(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    fn iter(self) -> impl Iterator<Item = u32> + Clone {
        (0..u32::BITS).filter(move |&n| self.holds(n))
    }
}

impl fmt::Display for Numbers {
    /// As a field of a cron expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for number in self.iter() {
            write!(f, "{between}{number}")?;
            between = ",";
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth { days: Numbers, last: bool },
    OfWeek { days: Numbers, last: Numbers, nth: Vec<(u32, u32)> },
}

/// A cron expression that can be honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    hours: Numbers,
    days: Days,
    /// What crate `cron` makes of the fields, with every day where they hold one of AWS's forms that it does not know.
    calendar: Box<Calendar>,
}

/// What one field may hold.
struct FieldRule {
    field: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const HOURS: FieldRule = FieldRule { field: "hours", least: 0, most: 23, names: &[] };
const DAYS_OF_MONTH: FieldRule = FieldRule { field: "day-of-month", least: 1, most: 31, names: &[] };
const MONTHS: FieldRule = FieldRule {
    field: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const DAYS_OF_WEEK: FieldRule = FieldRule {
    field: "day-of-week",
    least: 1,
    most: WEEK,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl FieldRule {
    fn refuse(&self, text: &str) -> CronError {
        CronError::Field { field: self.field, text: text.to_owned() }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(index) => self.least + u32::try_from(index).ok()?,
            None => u32::try_from(super::digits(text)?).ok()?,
        };
        (self.least..=self.most).contains(&number).then_some(number)
    }

    /// Adds what one part between commas names: `*`, `a`, `a-b`, and each with `/step`.
    fn add(&self, numbers: &mut Numbers, part: &str) -> Option<()> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(u32::try_from(super::digits(step)?).ok()?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None => {
                let from = self.number(range)?;
                // `4/12` counts on from 4 to the end of the field.
                (from, if step.is_some() { self.most } else { from })
            }
        };
        let step = step.unwrap_or(1);
        if from > to || step == 0 {
            return None;
        }
        (from..=to).step_by(usize::try_from(step).ok()?).for_each(|n| numbers.insert(n));
        Some(())
    }

    fn parse(&self, text: &str) -> Result<Numbers, CronError> {
        let mut numbers = Numbers::default();
        for part in text.split(',') {
            self.add(&mut numbers, part).ok_or_else(|| self.refuse(text))?;
        }
        Ok(numbers)
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let mut fields = text.split_ascii_whitespace();
        let mut field = || fields.next().ok_or(CronError::Fields);
        let (minutes, hours, of_month, months, of_week, year) =
            (field()?, field()?, field()?, field()?, field()?, field()?);
        if fields.next().is_some() {
            return Err(CronError::Fields);
        }
        if minutes != "0" {
            return Err(CronError::Minutes);
        }
        if year != "*" {
            return Err(CronError::Year);
        }
        let days = match (of_month, of_week) {
            ("?", "?") => return Err(CronError::Days),
            (of_month, "?") => Days::of_month(of_month)?,
            ("?", of_week) => Days::of_week(of_week)?,
            _ => return Err(CronError::Days),
        };
        let (hours, months) = (HOURS.parse(hours)?, MONTHS.parse(months)?);
        if !days.exist_in(months) {
            return Err(CronError::Never);
        }
        let (of_month, of_week) = days.translated();
        let translated = format!("0 0 {hours} {of_month} {months} {of_week}");
        let calendar = translated.parse().map(Box::new).map_err(|_| CronError::Never)?;
        let cron = Self { hours, days, calendar };
        if cron.hours_between_min() < limits::ROTATION_HOURS_MIN {
            return Err(CronError::TooOften);
        }
        Ok(cron)
    }
}

impl Cron {
    /// The first due moment after `at`.
    pub(super) fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let from = at.utc();
        let horizon = from.checked_add_months(HORIZON_MONTHS)?;
        self.calendar
            .after(&from)
            .take_while(|due| *due <= horizon)
            .find(|due| self.days.hold(due.date_naive()))
            .map(Timestamp::from)
    }

    /// Whether it names more than one hour of a day: "a schedule in hours".
    pub(super) const fn is_hourly(&self) -> bool {
        self.hours.0.count_ones() > 1
    }

    /// The longest window that ends before the next opens, and before midnight.
    pub(super) fn window_hours_max(&self) -> u32 {
        let to_midnight = self.hours.iter().map(|hour| super::DAY_HOURS - hour).min();
        self.hours_between_min().min(to_midnight.unwrap_or(super::DAY_HOURS))
    }

    fn hours_between_min(&self) -> u32 {
        let hours = self.hours.iter();
        let within = hours.clone().zip(hours.clone().skip(1)).map(|(one, next)| next - one).min();
        let overnight = match (hours.clone().min(), hours.max()) {
            (Some(first), Some(last)) if self.days.may_adjoin() => super::DAY_HOURS - last + first,
            _ => super::DAY_HOURS,
        };
        within.unwrap_or(super::DAY_HOURS).min(overnight)
    }
}

impl Days {
    /// The day fields as crate `cron` reads them: of the month, and of the week.
    fn translated(&self) -> (String, String) {
        let any = || "*".to_owned();
        match self {
            Self::OfMonth { days, last: false } => (days.to_string(), any()),
            Self::OfWeek { days, last: Numbers(0), nth } if nth.is_empty() => (any(), days.to_string()),
            Self::OfMonth { .. } | Self::OfWeek { .. } => (any(), any()),
        }
    }

    fn of_month(text: &str) -> Result<Self, CronError> {
        let (mut days, mut last) = (Numbers::default(), false);
        for part in text.split(',') {
            if part == "L" {
                last = true;
            } else {
                DAYS_OF_MONTH.add(&mut days, part).ok_or_else(|| DAYS_OF_MONTH.refuse(text))?;
            }
        }
        Ok(Self::OfMonth { days, last })
    }

    fn of_week(text: &str) -> Result<Self, CronError> {
        let (mut days, mut last, mut nth) = (Numbers::default(), Numbers::default(), Vec::new());
        for part in text.split(',') {
            let read = if part == "L" {
                days.insert(WEEK);
                Some(())
            } else if let Some((day, number)) = part.split_once('#') {
                DAYS_OF_WEEK.number(day).zip(super::digits(number)).and_then(|(day, number)| {
                    nth.push((day, super::in_range(number, 1, 5)?));
                    Some(())
                })
            } else if let Some(day) = part.strip_suffix('L') {
                DAYS_OF_WEEK.number(day).map(|day| last.insert(day))
            } else {
                DAYS_OF_WEEK.add(&mut days, part)
            };
            read.ok_or_else(|| DAYS_OF_WEEK.refuse(text))?;
        }
        Ok(Self::OfWeek { days, last, nth })
    }

    fn hold(&self, day: NaiveDate) -> bool {
        let is_last_week = day.day() + WEEK > days_in_month(day);
        match self {
            Self::OfMonth { days, last } => {
                days.holds(day.day()) || (*last && day.day() == days_in_month(day))
            }
            Self::OfWeek { days, last, nth } => {
                let weekday = day.weekday().number_from_sunday();
                let week = (day.day() - 1) / WEEK + 1;
                days.holds(weekday) || (is_last_week && last.holds(weekday)) || nth.contains(&(weekday, week))
            }
        }
    }

    fn exist_in(&self, months: Numbers) -> bool {
        let longest = |month| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match self {
            Self::OfMonth { days, last } => {
                *last
                    || days
                        .iter()
                        .next()
                        .is_some_and(|first| months.iter().any(|month| first <= longest(month)))
            }
            Self::OfWeek { .. } => true,
        }
    }

    /// Whether two days in a row may both be meant. Says so a little too often, never too seldom.
    fn may_adjoin(&self) -> bool {
        match self {
            Self::OfMonth { days, last } => {
                let pairs = days.iter().any(|day| days.holds((day + 1) % u32::BITS));
                let over_the_end = days.holds(1) && (*last || (28..=31).any(|day| days.holds(day)));
                pairs || over_the_end || (*last && (27..=30).any(|day| days.holds(day)))
            }
            Self::OfWeek { days, last, nth } => {
                let mut all = Numbers(days.0 | last.0);
                nth.iter().for_each(|&(day, _)| all.insert(day));
                all.iter().any(|day| all.holds(day % WEEK + 1))
            }
        }
    }
}

fn days_in_month(day: NaiveDate) -> u32 {
    u32::from(day.num_days_in_month())
}
