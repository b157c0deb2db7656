//! Rotation rules: rates, cron expressions, windows.

use std::time::Duration;

use pawl_core::schedule::Schedule;
use pawl_core::world::Timestamp;

/// Moments of the years 1970 to 9999.
const MILLIS_MAX: i64 = 253_402_300_799_999;
const HOUR_MILLIS: i64 = 3_600_000;
const DAY_HOURS: i64 = 24;
/// Windows that are followed, one after the other.
const WINDOWS: usize = 4;

/// Lines: AutomaticallyAfterDays, Duration, ScheduleExpression, the last rotation, now (both in milliseconds). An empty or
/// missing line is nothing. What makes a schedule goes forward, on the hour, within the calendar, and is stored as it was given.
pub fn check_schedule(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut lines = text.split('\n');
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let (days, duration, expression, last, now) = (line(), line(), line(), line(), line());
    let days = days.and_then(|text| text.parse().ok());
    let Ok(schedule) = Schedule::parse(days, duration, expression) else { return false };

    assert_eq!(schedule.duration(), duration);
    assert_eq!(schedule.expression(), expression);
    let stored = serde_json::to_string(&schedule).expect("a schedule is JSON");
    let read: Schedule = serde_json::from_str(&stored).expect("what is stored is read");
    assert_eq!(read, schedule, "{stored}");

    let (last, mut now) = (moment(last), moment(now));
    for _ in 0..WINDOWS {
        let Some(due) = schedule.next_after(last, now) else {
            assert!(is_at_the_end(now.max(last), expression), "{stored}: no window after {now:?}");
            return true;
        };
        assert!(due > last && due > now, "{stored}: {due:?} is not after {last:?} and {now:?}");
        assert_eq!(due.millis().rem_euclid(HOUR_MILLIS), 0, "{stored}: {due:?} is not on the hour");
        assert_eq!(read.next_after(last, now), Some(due), "{stored}");
        let end = schedule.next_rotation_date(due);
        assert!(end > due && end < due + Duration::from_secs(24 * 3600), "{stored}: {end:?} ends {due:?}");
        if let Some(days) = schedule.automatically_after_days() {
            let most = Duration::from_secs(u64::from(days) * 24 * 3600);
            assert!(due <= now.max(last) + most, "{stored}: {due:?} is later than {days} days after {now:?}");
        }
        // Nothing lies between now and the window that was named.
        let just_before = due - Duration::from_millis(1);
        assert_eq!(schedule.next_after(last, just_before.max(now)), Some(due), "{stored}");
        now = due;
    }
    true
}

/// A moment within the calendar, whatever the line says.
fn moment(line: Option<&str>) -> Timestamp {
    let millis: i64 = line.and_then(|text| text.parse().ok()).unwrap_or(1_767_225_600_000);
    Timestamp::from_millis(millis.rem_euclid(MILLIS_MAX))
}

/// Crate `cron` knows the years to 2100; rates go on to the end of numbers.
fn is_at_the_end(after: Timestamp, expression: Option<&str>) -> bool {
    let rests_for_years = Duration::from_secs(366 * 41 * 24 * 3600);
    let end_of_2100 = Timestamp::from_millis(4_133_980_800_000 - DAY_HOURS * HOUR_MILLIS);
    expression.is_some_and(|text| text.starts_with("cron")) && after + rests_for_years >= end_of_2100
}
