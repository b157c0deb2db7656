use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from(text.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
}

fn expression(text: &str) -> Schedule {
    Schedule::parse(None, None, Some(text)).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[track_caller]
fn next(schedule: &Schedule, after: &str, expected: &str) {
    let after = at(after);
    assert_eq!(schedule.next_after(after, after), Some(at(expected)), "{schedule:?}");
}

#[test]
fn days_are_counted_from_the_midnight_of_the_last_rotation() {
    let month = Schedule::parse(Some(30), None, None).unwrap();
    next(&month, "2026-01-15T13:37:00Z", "2026-02-14T00:00:00Z");
    next(&month, "2026-12-15T00:00:00Z", "2027-01-14T00:00:00Z");
    next(&expression("rate(1 day)"), "2028-02-28T23:59:59Z", "2028-02-29T00:00:00Z");
    next(&expression("rate(10 days)"), "2026-12-28T01:00:00Z", "2027-01-07T00:00:00Z");
    // Missed ones are not made up for one by one.
    assert_eq!(
        month.next_after(at("2026-01-15T13:00:00Z"), at("2026-06-01T08:00:00Z")),
        Some(at("2026-06-14T00:00:00Z"))
    );
}

#[test]
fn hours_do_not_drift_with_the_time_that_a_rotation_takes() {
    next(&expression("rate(4 hours)"), "2026-01-01T08:00:07Z", "2026-01-01T12:00:00Z");
    next(&expression("rate(30 hours)"), "2026-12-31T12:00:00Z", "2027-01-01T18:00:00Z");
}

#[test]
fn cron_means_what_aws_documents() {
    for (text, after, expected) in [
        ("cron(0 8 * * ? *)", "2026-01-01T08:00:00Z", "2026-01-02T08:00:00Z"),
        ("cron(0 8 1 * ? *)", "2026-01-01T08:00:00Z", "2026-02-01T08:00:00Z"),
        ("cron(0 4/12 * * ? *)", "2026-01-01T04:00:00Z", "2026-01-01T16:00:00Z"),
        ("cron(0 4/12 * * ? *)", "2026-01-01T16:00:00Z", "2026-01-02T04:00:00Z"),
        ("cron(0 0/8 * * ? *)", "2026-12-31T16:00:00Z", "2027-01-01T00:00:00Z"),
        ("cron(0 2 1/7 * ? *)", "2026-01-29T02:00:00Z", "2026-02-01T02:00:00Z"),
        ("cron(0 17 1 JAN,apr,7,OCT ? *)", "2026-04-01T17:00:00Z", "2026-07-01T17:00:00Z"),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("cron(0 0 15,L 2 ? *)", "2027-02-15T00:00:00Z", "2027-02-28T00:00:00Z"),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("cron(0 0 31 * ? *)", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"),
        // 2026-01-01 is a Thursday.
        ("cron(0 3 ? * 1 *)", "2026-01-01T00:00:00Z", "2026-01-04T03:00:00Z"),
        ("cron(0 3 ? * SUN *)", "2026-01-04T03:00:00Z", "2026-01-11T03:00:00Z"),
        ("cron(0 3 ? * MON-FRI *)", "2026-01-02T03:00:00Z", "2026-01-05T03:00:00Z"),
        ("cron(0 3 ? * 2/2 *)", "2026-01-01T00:00:00Z", "2026-01-02T03:00:00Z"),
        ("cron(0 3 ? * L *)", "2026-01-01T00:00:00Z", "2026-01-03T03:00:00Z"),
        ("cron(0 3 ? * TUE#3 *)", "2026-01-01T00:00:00Z", "2026-01-20T03:00:00Z"),
        ("cron(0 3 ? * 3#3 *)", "2026-01-20T03:00:00Z", "2026-02-17T03:00:00Z"),
        ("cron(0 3 ? * FRIL *)", "2026-01-01T00:00:00Z", "2026-01-30T03:00:00Z"),
        ("cron(0 3 ? * 6L *)", "2026-01-30T03:00:00Z", "2026-02-27T03:00:00Z"),
    ] {
        next(&expression(text), after, expected);
    }
}

#[test]
fn the_rarest_day_is_found() {
    let start = at("2072-03-01T00:00:00Z");
    let due = expression("cron(0 0 ? 2 SUN#5 *)").next_after(start, start).unwrap();
    assert_eq!(due.utc().format("%m-%d %a").to_string(), "02-29 Sun");
}

#[test]
fn what_cannot_be_honoured_is_refused() {
    use CronError::{Days, Fields, Minutes, Never, TooOften, Year};
    for (fields, why) in [
        ("0 8 * * ?", Fields),
        ("0 8 * * ? * *", Fields),
        ("5 8 * * ? *", Minutes),
        ("* 8 * * ? *", Minutes),
        ("0 8 * * ? 2027", Year),
        ("0 8 * * * *", Days),
        ("0 8 ? * ? *", Days),
        ("0 8 1 * 2 *", Days),
        ("0 8 30 2 ? *", Never),
        ("0 8 31 4,6,9,11 ? *", Never),
        ("0 * * * ? *", TooOften),
        ("0 0,3 * * ? *", TooOften),
        ("0 0,22 * * ? *", TooOften),
        ("0 0,22 1,L * ? *", TooOften),
        ("0 0,22 ? * SAT,SUN *", TooOften),
    ] {
        let text = format!("cron({fields})");
        let refused = Schedule::parse(None, None, Some(&text));
        assert_eq!(refused, Err(ScheduleError::Cron { expression: text, why }));
    }
    assert!(Schedule::parse(None, None, Some("cron(0 0,22 1,15 * ? *)")).is_ok());
    for fields in [
        "0 24 * * ? *",
        "0 8 32 * ? *",
        "0 8 0 * ? *",
        "0 8 LW * ? *",
        "0 8 15W * ? *",
        "0 8 1 13 ? *",
        "0 8 1 JANUARY ? *",
        "0 8 ? * 0 *",
        "0 8 ? * 8 *",
        "0 8 ? * FRI-MON *",
        "0 8 ? * FRI#6 *",
        "0 8 ? * FRI# *",
        "0 8 ? * #2 *",
        "0 */0 * * ? *",
        "0 8, * * ? *",
        "0 +8 * * ? *",
        "0 8 ? * ?L *",
    ] {
        let refused = Schedule::parse(None, None, Some(&format!("cron({fields})")));
        assert!(
            matches!(refused, Err(ScheduleError::Cron { why: CronError::Field { .. }, .. })),
            "{fields}: {refused:?}"
        );
    }
    for rate in
        ["rate(3 hours)", "rate(0 days)", "rate(1000 days)", "rate(4)", "rate(-4 hours)", "rate(4 weeks)"]
    {
        assert_eq!(Schedule::parse(None, None, Some(rate)), Err(ScheduleError::Rate(rate.to_owned())));
    }
    for text in ["", "daily", "rate 4 hours", "RATE(4 hours)", "at(2026-01-01)"] {
        assert_eq!(Schedule::parse(None, None, Some(text)), Err(ScheduleError::Expression(text.to_owned())));
    }
    assert_eq!(Schedule::parse(None, Some("3h"), None), Err(ScheduleError::Missing));
    assert_eq!(Schedule::parse(Some(1), None, Some("rate(1 day)")), Err(ScheduleError::Both));
    for days in [0, 1001, -1, i64::MAX] {
        assert_eq!(Schedule::parse(Some(days), None, None), Err(ScheduleError::Days(days)));
    }
}

#[test]
fn a_window_ends_within_its_day_and_before_the_next() {
    for (text, duration) in [
        ("cron(0 8 * * ? *)", "17h"),
        ("cron(0 0/8 * * ? *)", "9h"),
        ("rate(4 hours)", "5h"),
        ("cron(0 4,20 * * ? *)", "5h"),
    ] {
        assert_eq!(
            Schedule::parse(None, Some(duration), Some(text)),
            Err(ScheduleError::Window(duration.to_owned())),
            "{text}"
        );
    }
    for duration in ["", "h", "0h", "25h", "3", "3m", "-3h", "+3h", "3hh"] {
        let refused = Schedule::parse(Some(1), Some(duration), None);
        assert_eq!(refused, Err(ScheduleError::Duration(duration.to_owned())));
    }
    let date = |duration, text, due: &str| {
        Schedule::parse(None, duration, Some(text)).unwrap().next_rotation_date(at(due)).to_string()
    };
    assert_eq!(date(Some("16h"), "cron(0 8 * * ? *)", "2026-01-01T08:00:00Z"), "2026-01-01T23:59:59.000Z");
    assert_eq!(date(Some("2h"), "cron(0 8 * * ? *)", "2026-01-01T08:00:00Z"), "2026-01-01T09:59:59.000Z");
    assert_eq!(date(None, "cron(0 8 * * ? *)", "2026-01-01T08:00:00Z"), "2026-01-01T23:59:59.000Z");
    assert_eq!(date(None, "cron(0 8/8 * * ? *)", "2026-01-01T08:00:00Z"), "2026-01-01T08:59:59.000Z");
    assert_eq!(date(None, "rate(4 hours)", "2026-01-01T08:00:00Z"), "2026-01-01T08:59:59.000Z");
    assert_eq!(date(Some("4h"), "rate(5 hours)", "2026-01-01T22:00:00Z"), "2026-01-01T23:59:59.000Z");
    assert_eq!(date(None, "rate(2 days)", "2026-12-31T00:00:00Z"), "2026-12-31T23:59:59.000Z");
}

#[test]
fn is_stored_as_it_was_given() {
    let schedule = Schedule::parse(None, Some("3h"), Some("cron(0 8 ? * FRI#2 *)")).unwrap();
    let json = serde_json::to_string(&schedule).unwrap();
    assert_eq!(json, r#"{"Duration":"3h","ScheduleExpression":"cron(0 8 ? * FRI#2 *)"}"#);
    assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    assert!(serde_json::from_str::<Schedule>(r#"{"ScheduleExpression":"rate(1 hour)"}"#).is_err());
    assert_eq!(Schedule::parse(Some(7), None, None).unwrap().automatically_after_days(), Some(7));
    assert_eq!(expression("rate(7 days)").automatically_after_days(), Some(7));
    assert_eq!(expression("rate(7 hours)").automatically_after_days(), None);
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let day = prop_oneof![
        (1u32..=31).prop_map(|d| (d.to_string(), "?".to_owned())),
        Just(("L".to_owned(), "?".to_owned())),
        Just(("*".to_owned(), "?".to_owned())),
        (1u32..=7).prop_map(|d| ("?".to_owned(), d.to_string())),
        (1u32..=7, 1u32..=5).prop_map(|(d, n)| ("?".to_owned(), format!("{d}#{n}"))),
        (1u32..=7).prop_map(|d| ("?".to_owned(), format!("{d}L"))),
    ];
    let month = prop_oneof![Just("*".to_owned()), (1u32..=12).prop_map(|m| m.to_string())];
    let cron = (0u32..24, 4u32..24, day, month)
        .prop_map(|(hour, step, (dom, dow), month)| format!("cron(0 {hour}/{step} {dom} {month} {dow} *)"))
        .prop_filter_map("refused", |text| Schedule::parse(None, None, Some(&text)).ok());
    prop_oneof![
        (1i64..=1000).prop_map(|days| Schedule::parse(Some(days), None, None).unwrap()),
        (4u32..=23_976).prop_map(|hours| expression(&format!("rate({hours} hours)"))),
        cron,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn due_moments_go_forward_four_hours_at_least(
        schedule in any_schedule(),
        last in 0i64..1_800_000_000_000,
        waited in 0i64..100_000_000_000,
    ) {
        let (last, now) = (Timestamp::from_millis(last), Timestamp::from_millis(last + waited));
        let due = schedule.next_after(last, now).unwrap();
        prop_assert!(due > now);
        prop_assert_eq!(due.millis() % HOUR_MILLIS, 0);
        let date = schedule.next_rotation_date(due);
        prop_assert!(date > due && date.day() == due.day());

        // From any moment before it, it is the next one still: nothing lies between.
        let between = Timestamp::from_millis(now.millis().midpoint(due.millis() - 1));
        prop_assert_eq!(schedule.next_after(last, between), Some(due));

        let second = schedule.next_after(due, due).unwrap();
        prop_assert!(second.millis_since(due) >= 4 * HOUR_MILLIS.unsigned_abs());
        prop_assert!(date < second);
    }
}
