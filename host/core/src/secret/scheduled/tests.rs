use std::time::Duration;

use super::*;
use crate::arn::SecretArn;
use crate::function::{Digest, FunctionArn};
use crate::names::VersionId;
use crate::rotation::{Outcome, Step, StepRun};
use crate::schedule::{GROUP_TAG, MISSED_TAG, OFFSET_TAG, ORDER_TAG};
use crate::secret::{RotationConfig, Tag};
use crate::version::ContentMark;
use crate::world::Rng;

/// As many ARNs as are wanted, and steps without jitter.
struct Numbered(u8);

impl Rng for Numbered {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

const NOW: &str = "2027-03-10T13:37:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::from(text.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
}

fn id(n: u8) -> VersionId {
    format!("{n:032}").parse().unwrap()
}

fn schedule(rule: &str) -> Schedule {
    let (rule, duration) = rule.split_once(" for ").map_or((rule, None), |(rule, hours)| (rule, Some(hours)));
    match rule.parse() {
        Ok(days) => Schedule::parse(Some(days), duration, None),
        Err(_) => Schedule::parse(None, duration, Some(rule)),
    }
    .unwrap_or_else(|error| panic!("{rule}: {error}"))
}

fn configure(secret: &mut Secret, rule: &str, now: Timestamp) {
    let function = FunctionArn::given("f".to_owned());
    let config = RotationConfig { enabled: true, function, schedule: Some(schedule(rule)) };
    secret.configure_rotation(config, now);
}

fn named(name: &str, rule: &str) -> Secret {
    let (region, name) = ("us-east-1".parse().unwrap(), name.parse().unwrap());
    let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &Numbered(0));
    let mut secret = Secret::new(arn, region, name, at(NOW));
    secret.put(&id(1), &ContentMark("1".to_owned()), &[], at(NOW)).unwrap();
    configure(&mut secret, rule, at(NOW));
    secret
}

fn secret(rule: &str) -> Secret {
    named("x", rule)
}

fn tag(secret: &mut Secret, key: &str, value: &str) {
    secret.tag(vec![Tag { key: key.to_owned(), value: value.to_owned() }], at(NOW)).unwrap();
}

/// What a scheduler does with a secret that is due, alone.
fn look(secret: &mut Secret, now: Timestamp) -> Turn {
    secret.take_turn(now, CatchUp::default().turn(now))
}

fn begun(secret: &mut Secret, token: u8, now: Timestamp) {
    assert!(matches!(look(secret, now), Turn::Begin { .. }), "{now:?} {:?}", secret.next_rotation_at);
    secret.rotate(&id(token), Digest::from_bytes([0; 32]), now).unwrap();
}

/// Lets a rotation end with its first step.
fn ended(secret: &mut Secret, token: u8, outcome: Outcome, now: Timestamp) {
    let run = StepRun::begun(now);
    secret.step_ended(&id(token), (Step::CreateSecret, outcome), run, now, &Numbered(0));
}

/// As the steps leave it.
fn succeeded(secret: &mut Secret, now: Timestamp) {
    secret.rotation.as_mut().unwrap().status = Status::Succeeded;
    secret.reschedule_after_rotation(now);
}

fn window(secret: &Secret) -> (String, String) {
    let Window { opens, closes } = secret.next_window.unwrap().window;
    (opens.to_string(), closes.to_string())
}

fn opens(secret: &Secret) -> String {
    window(secret).0
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn ten_thousand_secrets_with_one_rule_are_spread_over_their_window() {
    for (rule, minutes) in
        [("cron(0 2 * * ? *) for 1h", 45), ("30", 24 * 60 - 15), ("rate(12 hours) for 4h", 225)]
    {
        let mut tenths = [0_u32; 10];
        for number in 0..10_000 {
            let secret = named(&format!("s{number}"), rule);
            let (at, next) = (secret.next_rotation_at.unwrap(), secret.next_window.unwrap());
            assert!(next.window.holds(at) && at <= next.window.last_moment());
            let tenth = at.millis_since(next.window.opens) * 10 / (minutes * 60_000 + 1_000);
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{rule}: {tenths:?}");
    }
}

#[test]
fn a_moment_is_the_secrets_own_in_every_window() {
    let secret = secret("cron(0 2 * * ? *) for 1h");
    let planned: Vec<_> = secret.planned(at("2027-03-20T00:00:00Z")).collect();
    assert_eq!(planned.len(), 9);
    let place = |planned: &Planned| planned.at.millis_since(planned.window.opens);
    assert!(planned.iter().all(|next| place(next) == place(&planned[0]) && next.fits && !next.made_up));
    assert_eq!(planned[0].at, secret.next_rotation_at.unwrap());
    // This very number is a promise: another version of Pawl must not move everybody's rotations.
    assert_eq!(planned[0].at.to_string(), "2027-03-11T02:21:26.000Z");
}

#[test]
fn the_plan_is_what_happens() {
    for rule in ["30", "7 for 3h", "rate(4 hours)", "rate(30 hours) for 6h", "cron(0 3,15 ? * MON *)"] {
        let mut secret = secret(rule);
        let planned: Vec<_> = secret.planned(at("2027-09-01T00:00:00Z")).take(20).collect();
        for (token, next) in (2..).zip(planned) {
            assert_eq!(
                (secret.next_rotation_at, secret.next_window.unwrap().window),
                (Some(next.at), next.window)
            );
            assert_eq!(look(&mut secret, next.at - seconds(1)), Turn::NotDue);
            begun(&mut secret, token, next.at + seconds(1));
            assert_eq!(look(&mut secret, next.at + seconds(1)), Turn::NotDue, "a second host");
            secret.labels.detach(&crate::names::Label::pending());
            succeeded(&mut secret, next.at + seconds(30));
        }
    }
}

#[test]
fn the_place_in_a_window_does_not_make_the_next_one_later() {
    let mut secret = secret("rate(12 hours) for 4h");
    let first = secret.next_window.unwrap().window.opens;
    for n in 0..20_u8 {
        let due = secret.next_rotation_at.unwrap();
        begun(&mut secret, 2 + n, due);
        succeeded(&mut secret, due + seconds(3_000));
        secret.labels.detach(&crate::names::Label::pending());
        assert_eq!(secret.next_window.unwrap().window.opens, first + seconds(12 * 3_600) * u32::from(n + 1));
    }
}

#[test]
fn a_persons_rotation_or_value_counts_as_one() {
    let mut secret = secret("10");
    assert_eq!(opens(&secret), "2027-03-20T00:00:00.000Z");
    secret.put(&id(2), &ContentMark("2".to_owned()), &[], at("2027-03-15T10:00:00Z")).unwrap();
    assert_eq!(opens(&secret), "2027-03-25T00:00:00.000Z");
    secret.rotate(&id(3), Digest::from_bytes([0; 32]), at("2027-03-16T23:59:59Z")).unwrap();
    assert_eq!(opens(&secret), "2027-03-25T00:00:00.000Z", "it has not succeeded yet");
    succeeded(&mut secret, at("2027-03-17T00:00:03Z"));
    assert_eq!(opens(&secret), "2027-03-26T00:00:00.000Z");
    // In the window itself, before the schedule's own moment: it was this window's.
    secret.put(&id(4), &ContentMark("4".to_owned()), &[], at("2027-03-26T00:00:01Z")).unwrap();
    assert_eq!(opens(&secret), "2027-04-05T00:00:00.000Z");
}

#[test]
fn what_comes_to_nothing_puts_nothing_off() {
    let mut secret = secret("10");
    let due = secret.next_rotation_at;
    let failed_at = at("2027-03-12T08:00:00Z");
    secret.rotate(&id(2), Digest::from_bytes([0; 32]), failed_at).unwrap();
    ended(&mut secret, 2, Outcome::Permanent("no".to_owned()), failed_at);
    assert_eq!(secret.next_rotation_at, due);
    // The schedule's own begins, fails, and is tried again in the window after.
    begun(&mut secret, 3, due.unwrap());
    ended(&mut secret, 2, Outcome::Permanent("no".to_owned()), due.unwrap() + seconds(5));
    assert_eq!(opens(&secret), "2027-03-30T00:00:00.000Z");
}

#[test]
fn a_new_rule_counts_from_now_and_the_same_one_changes_nothing() {
    let mut secret = secret("rate(12 hours) for 4h");
    let before = secret.clone();
    let later = at("2027-03-10T18:00:00Z");
    configure(&mut secret, "rate(12 hours) for 4h", later);
    assert_eq!(secret, before);
    // Another function is a change, and moves no date.
    let mut config = secret.rotation_config.as_deref().unwrap().clone();
    config.function = FunctionArn::given("g".to_owned());
    secret.configure_rotation(config, later);
    assert_eq!((secret.next_rotation_at, secret.next_window), (before.next_rotation_at, before.next_window));
    configure(&mut secret, "10", later);
    assert_eq!(opens(&secret), "2027-03-20T00:00:00.000Z");
    // Turned off and on again it counts from then.
    secret.cancel_rotation(later);
    assert_eq!((secret.next_rotation_at, secret.next_window), (None, None));
    configure(&mut secret, "10", later.plus_days(5));
    assert_eq!(opens(&secret), "2027-03-25T00:00:00.000Z");
}

#[test]
fn plain_rates_are_made_up_for_at_once_and_once() {
    let mut secret = secret("30");
    // Eighty days without a host: two windows went by.
    let back = at("2027-06-01T06:00:00Z");
    assert_eq!(look(&mut secret, back), Turn::Begin { caught_up: true });
    assert_eq!(opens(&secret), "2027-07-01T00:00:00.000Z");
    assert_eq!(look(&mut secret, back + seconds(60)), Turn::NotDue);
}

#[test]
fn rules_that_name_hours_wait_for_them() {
    for (rule, back, waits_for) in [
        // The same hours of the next day, and not a month later.
        ("30 for 3h", "2027-04-09T06:00:00Z", "2027-04-10T00:00:00.000Z"),
        ("30 for 3h", "2027-04-12T23:00:00Z", "2027-04-13T00:00:00.000Z"),
        ("rate(100 hours) for 2h", "2027-03-15T06:00:00Z", "2027-03-15T17:00:00.000Z"),
        ("rate(12 hours) for 2h", "2027-03-11T06:00:00Z", "2027-03-11T13:00:00.000Z"),
        ("cron(0 2 ? * SUN#1 *)", "2027-04-05T00:00:00Z", "2027-05-02T02:00:00.000Z"),
        ("cron(0 0 29 2 ? *) for 4h", "2028-02-29T04:00:00Z", "2032-02-29T00:00:00.000Z"),
    ] {
        let mut secret = secret(rule);
        let missed = secret.next_window.unwrap().window;
        let turn = look(&mut secret, at(back));
        let Turn::Moved { missed: told, to, until, caught_up: false } = turn else {
            panic!("{rule}: {turn:?}")
        };
        assert_eq!((told, to.opens.to_string().as_str()), (missed, waits_for), "{rule}");
        assert_eq!(Some(until), secret.next_rotation_at);
        assert!(to.holds(until), "{rule}");
        begun(&mut secret, 2, until);
    }
}

#[test]
fn a_tag_says_otherwise() {
    let mut secret = secret("30");
    tag(&mut secret, MISSED_TAG, "wait");
    let turn = look(&mut secret, at("2027-04-20T06:00:00Z"));
    assert!(matches!(turn, Turn::Moved { to, .. } if to.opens == at("2027-05-09T00:00:00Z")), "{turn:?}");

    let mut secret = self::secret("cron(0 2 1 * ? *) for 3h");
    tag(&mut secret, MISSED_TAG, "make-up");
    assert_eq!(look(&mut secret, at("2027-04-01T06:00:00Z")), Turn::Begin { caught_up: true });
    assert_eq!(opens(&secret), "2027-05-01T02:00:00.000Z");
}

#[test]
fn a_window_that_opens_soon_is_waited_for() {
    let mut secret = secret("rate(4 hours)");
    assert_eq!(opens(&secret), "2027-03-10T17:00:00.000Z");
    let mut other = secret.clone();
    assert!(matches!(look(&mut secret, at("2027-03-10T20:30:00Z")), Turn::Moved { caught_up: false, .. }));
    assert_eq!(opens(&secret), "2027-03-10T21:00:00.000Z");
    assert_eq!(look(&mut other, at("2027-03-10T19:30:00Z")), Turn::Begin { caught_up: true });
    assert_eq!(opens(&other), "2027-03-10T23:00:00.000Z");
}

#[test]
fn a_thousand_missed_ones_take_turns() {
    let back = at("2027-06-01T06:00:00Z");
    let mut turns = CatchUp::default();
    let mut begin_at = Vec::new();
    for number in 0..1_000 {
        let mut secret = named(&format!("s{number}"), "30");
        let free = turns.turn(back);
        match secret.take_turn(back, free) {
            Turn::Begin { caught_up: true } => begin_at.push(back),
            Turn::Moved { until, caught_up: true, .. } => {
                let until_later = until + seconds(1);
                assert_eq!(look(&mut secret, until_later), Turn::Begin { caught_up: false });
                begin_at.push(until);
            }
            turn => panic!("{turn:?}"),
        }
        turns.take(free);
    }
    let pace = u64::try_from(limits::CATCH_UP_PACE.as_millis()).unwrap();
    assert!(begin_at.windows(2).all(|pair| pair[1].millis_since(pair[0]) == pace));
    // A clock that is put right again does not make anybody wait for a turn in the far future.
    assert_eq!(turns.turn(at(NOW)), at(NOW));
}

#[test]
fn behind_its_plan_in_an_open_window_it_takes_a_turn_inside_of_the_window() {
    let mut secret = secret("cron(0 2 * * ? *) for 3h");
    let due = secret.next_rotation_at.unwrap();
    let window = secret.next_window.unwrap().window;
    // As late as a busy host may be.
    assert_eq!(
        secret.clone().take_turn(due + limits::ROTATION_LATE, at(NOW)),
        Turn::Begin { caught_up: false }
    );
    let late = due + limits::ROTATION_LATE + seconds(1);
    // The turns go on until long after the window.
    let turn = secret.take_turn(late, window.closes + seconds(9_999));
    assert_eq!(
        turn,
        Turn::Moved { missed: window, to: window, until: window.last_moment(), caught_up: true }
    );
    assert_eq!(
        secret.clone().take_turn(window.last_start(), window.last_start()),
        Turn::Begin { caught_up: true }
    );
    let missed = secret.take_turn(window.last_start() + seconds(1), window.closes);
    assert!(matches!(missed, Turn::Moved { to, .. } if to.opens == window.opens.plus_days(1)), "{missed:?}");
}

#[test]
fn members_of_a_group_follow_each_other() {
    let member = |name: &str, order: &str, rule: &str| {
        let mut secret = named(name, rule);
        tag(&mut secret, OFFSET_TAG, "10m");
        tag(&mut secret, ORDER_TAG, order);
        tag(&mut secret, GROUP_TAG, "billing");
        secret
    };
    let rule = "cron(0 2 * * ? *) for 3h";
    let first = member("a", "0", rule).next_rotation_at.unwrap();
    assert_eq!(member("b", "1", rule).next_rotation_at, Some(first + seconds(600)));
    assert_eq!(member("c", "3", rule).next_rotation_at, Some(first + seconds(1_800)));
    // And after a downtime.
    let back = at("2027-03-11T04:00:00Z");
    assert_eq!(look(&mut member("a", "0", rule), back), Turn::Begin { caught_up: true });
    let turn = look(&mut member("b", "1", rule), back);
    assert!(matches!(turn, Turn::Moved { until, .. } if until == back + seconds(600)), "{turn:?}");

    let short = member("d", "6", "cron(0 2 * * ? *) for 1h");
    assert_eq!(short.next_rotation_at, Some(short.next_window.unwrap().window.last_moment()));
    assert_eq!(short.plan_warnings(at(NOW)), [PlanWarning::GroupDoesNotFit]);
    // A tag that is taken away leaves the secret in its window, at its own place.
    let mut alone = member("x", "1", rule);
    alone.untag(&[GROUP_TAG.to_owned()], at(NOW)).unwrap();
    assert_eq!(alone.next_rotation_at, secret(rule).next_rotation_at);
    assert!(alone.plan_warnings(at(NOW)).is_empty());
}

#[test]
fn clocks_that_jump_rotate_nothing_twice() {
    let mut secret = secret("1");
    let due = secret.next_rotation_at.unwrap();
    begun(&mut secret, 2, due);
    succeeded(&mut secret, due + seconds(9));
    secret.labels.detach(&crate::names::Label::pending());
    // Back by two days, and forward again to where it was.
    for back in [48, 24, 1, 0] {
        assert_eq!(look(&mut secret, due - seconds(back * 3_600)), Turn::NotDue);
    }
    // Forward by a year: one rotation for all that were left out, and the plan says so when the clock is right again.
    begun(&mut secret, 3, due.plus_days(365));
    succeeded(&mut secret, due.plus_days(365));
    assert_eq!(look(&mut secret, due.plus_days(365) + seconds(99)), Turn::NotDue);
    let warnings = secret.plan_warnings(due);
    assert_eq!(warnings, [PlanWarning::CountedFromFuture(due.plus_days(365))]);
}

#[test]
fn leap_days_are_days() {
    let mut secret = secret("1");
    secret.begin_schedule(at("2028-02-28T23:59:59Z"));
    assert_eq!(opens(&secret), "2028-02-29T00:00:00.000Z");
    let due = secret.next_rotation_at.unwrap();
    begun(&mut secret, 2, due);
    assert_eq!(opens(&secret), "2028-03-01T00:00:00.000Z");
}

#[test]
fn a_moment_of_an_older_version_is_its_windows_opening() {
    let mut secret = secret("30");
    let (at, window) = (secret.next_rotation_at, secret.next_window.unwrap().window);
    secret.next_rotation_at = Some(window.opens);
    secret.next_window = None;
    let turn = look(&mut secret, window.opens + seconds(1));
    assert_eq!(turn, Turn::Moved { missed: window, to: window, until: at.unwrap(), caught_up: false });
    assert_eq!((secret.next_rotation_at, secret.next_window.unwrap().window), (at, window));
}

#[test]
fn what_no_schedule_rotates_has_no_turn_and_no_plan() {
    let mut secret = secret("1");
    let due = secret.next_rotation_at.unwrap();
    secret.rotation_config.as_mut().unwrap().enabled = false;
    assert_eq!(
        (look(&mut secret, due), secret.next_rotation_at, secret.next_window),
        (Turn::NotDue, None, None)
    );
    assert_eq!(secret.planned(due.plus_days(99)).count(), 0);
    assert_eq!(secret.plan_warnings(due), [PlanWarning::Disabled]);

    let mut busy = self::secret("1");
    busy.rotate(&id(2), Digest::from_bytes([0; 32]), due).unwrap();
    assert_eq!((look(&mut busy, due), busy.next_rotation_at), (Turn::NotDue, Some(due)));
    assert!(busy.plan_warnings(due + seconds(3_600)).is_empty());
    ended(&mut busy, 2, Outcome::Transient("later".to_owned()), due);
    assert_eq!(busy.plan_warnings(due), [PlanWarning::Incomplete("Running")]);

    let mut gone = self::secret("1");
    gone.schedule_deletion(due.plus_days(7), due);
    assert_eq!((gone.next_rotation_at, gone.next_window), (None, None));
    gone.restore(due);
    assert!(gone.next_rotation_at.is_some_and(|at| at > due));
}

#[test]
fn tags_that_cannot_be_read_do_nothing_and_are_told() {
    let mut secret = secret("1");
    let before = secret.next_rotation_at;
    for (key, value) in [
        (GROUP_TAG, ""),
        (ORDER_TAG, "-1"),
        (OFFSET_TAG, "25h"),
        (MISSED_TAG, "never"),
        ("pawl:rotation-x", "y"),
    ] {
        tag(&mut secret, key, value);
    }
    assert_eq!(secret.next_rotation_at, before);
    let told: Vec<_> = secret.plan_warnings(at(NOW)).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        told[2],
        "the tag pawl:rotation-offset must be a time up to a day such as 90s, 30m or 2h, and is `25h`; it is ignored"
    );
}

#[test]
fn a_plan_is_stored_with_its_secret() {
    let secret = secret("30");
    let json = serde_json::to_value(&secret).unwrap();
    assert_eq!(json["next_window"]["counted_from"], at(NOW).millis());
    assert_eq!(json["next_window"]["opens"], at("2027-04-09T00:00:00Z").millis());
    assert_eq!(serde_json::from_value::<Secret>(json).unwrap(), secret);
}

#[test]
fn a_turn_that_came_to_nothing_is_had_again_where_the_rule_lets_it() {
    let mut daily = secret("cron(0 2 * * ? *) for 3h");
    let due = daily.next_rotation_at.unwrap();
    let (of, next) = (daily.next_window, due + limits::SCHEDULE_RETRY);
    assert!(matches!(look(&mut daily, due), Turn::Begin { .. }));
    daily.try_turn_again(of, next, due);
    assert_eq!((daily.next_rotation_at, daily.next_window), (Some(next), of), "its window is open still");
    begun(&mut daily, 2, next);
    assert!(daily.next_rotation_at > Some(next + seconds(3 * 3600)));

    let mut closed = secret("cron(0 2 * * ? *) for 1h");
    let last = closed.next_window.unwrap().window.last_start();
    let of = closed.next_window;
    closed.next_rotation_at = Some(last);
    assert!(matches!(look(&mut closed, last), Turn::Begin { .. }));
    let tomorrow = closed.next_rotation_at;
    closed.try_turn_again(of, last + limits::SCHEDULE_RETRY, last);
    assert_eq!(closed.next_rotation_at, tomorrow, "it wants its hours and no others");

    tag(&mut closed, MISSED_TAG, "make-up");
    closed.try_turn_again(of, last + limits::SCHEDULE_RETRY, last);
    assert_eq!(closed.next_rotation_at, Some(last + limits::SCHEDULE_RETRY));
    begun(&mut closed, 2, last + limits::SCHEDULE_RETRY);
}
