//! Ten years of ten thousand secrets: random rules, hosts that come and go with clocks of their own, people who rotate, put, tag
//! and change rules. The secrets are the product's and so is every decision; a referee that knows the documents and not the
//! code judges: no rotation missed, none doubled, all inside of windows. The same in every run; `PAWL_DECADE_SEED` makes
//! another one.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod chance;
mod fleet;
mod referee;
mod rule;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionArn};

use pawl_core::names::{Label, VersionId};
use pawl_core::rotation::{Status, Step};
use pawl_core::schedule::{GROUP_TAG, MISSED_TAG, OFFSET_TAG, ORDER_TAG, Window};
use pawl_core::secret::{CatchUp, RotationConfig, Secret, Tag, Turn};
use pawl_core::version::ContentMark;
use pawl_core::world::{Rng, Timestamp};

use self::chance::Chance;
use self::fleet::Fleet;
use self::referee::{Counts, Record};
use self::rule::Rule;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2027-01-01: two leap years and 3,653 days follow.
const START: i64 = 1_798_761_600_000;
const END: i64 = START + 3_653 * DAY;
const SECRETS: usize = 10_000;
const HOSTS: usize = 3;
/// Members of one group; a fifth of the secrets are in groups.
const GROUP: usize = 4;

#[expect(clippy::disallowed_methods, reason = "how a developer asks for another world")]
fn asked<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

struct Counter(AtomicU64);

impl Rng for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let mut chance = Chance(self.0.fetch_add(1, Ordering::Relaxed));
        bytes.fill_with(|| u8::try_from(chance.draw() & 0xff).unwrap());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The schedule's moment, as it was when this was written down.
    Due,
    /// A rotation ends.
    Ends,
    /// A person does something.
    Person,
}

/// A rotation that runs.
struct Running {
    /// By the clock of the host that began it.
    requested: i64,
    ends: i64,
    by_schedule: bool,
}

struct Subject {
    secret: Secret,
    record: Record,
    running: Option<Running>,
    /// It is behind its plan, and has a turn.
    is_behind: bool,
}

/// Members of a group that began on their plan in one window.
#[derive(Default)]
struct Together {
    opens: i64,
    begun: Vec<Member>,
}

struct Member {
    place: i64,
    began: i64,
    /// At the last moment of the window, where all are that come too late.
    is_last: bool,
}

struct World {
    /// `PAWL_DECADE_TRACE`: the secret whose every event is printed.
    traced: Option<usize>,
    chance: Chance,
    fleet: Fleet,
    events: BinaryHeap<Reverse<(i64, Event, usize)>>,
    subjects: Vec<Subject>,
    turns: Vec<CatchUp>,
    groups: BTreeMap<String, Together>,
    counts: Counts,
    tokens: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let fleet = Fleet::new(&mut chance, HOSTS, START, END);
        let turns = vec![CatchUp::default(); HOSTS];
        let (events, groups) = (BinaryHeap::new(), BTreeMap::new());
        let traced = asked("PAWL_DECADE_TRACE");
        let mut world = Self {
            traced,
            chance,
            fleet,
            events,
            subjects: Vec::new(),
            turns,
            groups,
            counts: Counts::default(),
            tokens: 0,
        };
        let ids = Counter(AtomicU64::new(seed));
        let mut rule = Rule::any(&mut world.chance);
        for index in 0..SECRETS {
            let is_grouped = index < SECRETS / 5;
            // The members of a group have one rule.
            if !is_grouped || index % GROUP == 0 {
                rule = Rule::any(&mut world.chance);
            }
            let now = if is_grouped { START } else { START + world.chance.between(0, 30 * DAY) };
            let (region, name) = ("us-east-1".parse().unwrap(), format!("s{index}").parse().unwrap());
            let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &ids);
            let mut secret = Secret::new(arn, region, name, at(now));
            secret.put(&world.token(), &ContentMark("0".to_owned()), &[], at(now)).unwrap();
            if is_grouped {
                let offset = world.chance.one_of(&["1m", "5m", "20m", "1h"]);
                let tags =
                    [(GROUP_TAG, format!("g{}", index / GROUP)), (ORDER_TAG, (index % GROUP).to_string())];
                let tags = tags.into_iter().chain([(OFFSET_TAG, offset.to_owned())]);
                secret.tag(tags.map(|(key, value)| tag(key, &value)).collect(), at(now)).unwrap();
            }
            set_rule(&mut secret, &rule, now);
            let record = Record::new(rule.clone(), now);
            world.subjects.push(Subject { secret, record, running: None, is_behind: false });
            world.write_down(index);
            let acts = now + world.chance.between(0, 800 * DAY);
            world.events.push(Reverse((acts, Event::Person, index)));
        }
        world
    }

    fn token(&mut self) -> VersionId {
        self.tokens += 1;
        format!("{:032}", self.tokens).parse().unwrap()
    }

    fn write_down(&mut self, index: usize) {
        let subject = &self.subjects[index];
        if let (Some(due), None) = (subject.secret.next_rotation_at, &subject.running) {
            self.events.push(Reverse((due.millis(), Event::Due, index)));
        }
    }

    fn run(&mut self) {
        while let Some(Reverse((time, event, index))) = self.events.pop() {
            if time >= END {
                break;
            }
            if self.traced == Some(index) {
                let secret = &self.subjects[index].secret;
                println!("{:?} {event:?} {:?} {:?}", at(time), secret.next_rotation_at, secret.next_window);
            }
            let judged = match event {
                Event::Due => self.due(time, index),
                Event::Ends => {
                    self.ends(time, index);
                    Ok(())
                }
                Event::Person => self.person(time, index),
            };
            if let Err(why) = judged {
                let Subject { secret, record, .. } = &self.subjects[index];
                let next = (secret.next_rotation_at, secret.next_window);
                panic!(
                    "{} at {:?}: {why}\n{:?}\n{:?}\n{next:?}",
                    secret.name,
                    at(time),
                    record.rule,
                    secret.tags
                );
            }
        }
        for Subject { secret, record, .. } in &self.subjects {
            record
                .none_left_out(END - DAY, &self.fleet, &mut self.counts)
                .unwrap_or_else(|why| panic!("{} at the end: {why}\n{:?}", secret.name, record.rule));
        }
    }

    /// The moment of a schedule: every host that runs then looks, and one at most begins.
    fn due(&mut self, due: i64, index: usize) -> Result<(), String> {
        let subject = &self.subjects[index];
        if subject.running.is_some() || subject.secret.next_rotation_at != Some(at(due)) {
            return Ok(()); // It was another plan.
        }
        let seen = self.fleet.seen_by(&mut self.chance, due - 30 * SECOND, due);
        let first = seen[0].0;
        let (mut begun, mut looked) = (0, 0);
        for (time, host) in seen {
            if time > first + 2 * SECOND || self.subjects[index].running.is_some() && looked > 1 {
                break;
            }
            looked += 1;
            let now = time + self.fleet.ahead[host];
            begun += u32::from(self.look(index, host, (time, now), due)?);
        }
        if begun > 1 {
            return Err("begun twice".to_owned());
        }
        self.counts.raced += u64::from(looked > 1 && begun == 1);
        self.write_down(index);
        Ok(())
    }

    /// One host looks; whether it begins a rotation.
    fn look(&mut self, index: usize, host: usize, (time, now): (i64, i64), due: i64) -> Result<bool, String> {
        let free = self.turns[host].turn(at(now));
        let subject = &mut self.subjects[index];
        let recorded = subject.secret.next_window;
        let turn = subject.secret.take_turn(at(now), free);
        let (caught_up, begins) = match turn {
            Turn::NotDue => return Ok(false),
            Turn::Begin { caught_up } => (caught_up, true),
            Turn::Moved { missed, until, caught_up, .. } => {
                if recorded.is_some_and(|next| next.made_up) {
                    // The turn was missed as well: what follows counts from it.
                    subject.record.none_left_out(now, &self.fleet, &mut self.counts)?;
                    subject.record.missed_turn(missed.opens.millis(), now);
                }
                if until.millis() <= now {
                    return Err(format!("moved to {until:?}, which is past"));
                }
                (caught_up, false)
            }
        };
        if caught_up {
            self.turns[host].take(free);
            subject.is_behind = true;
        }
        if !begins {
            return Ok(false);
        }
        let turn_opened = recorded.filter(|next| next.made_up && at(now) <= next.window.last_start());
        let turn_opened = turn_opened.map(|next| next.window.opens.millis());
        subject.record.begun((now, due), turn_opened, &self.fleet, &mut self.counts)?;
        self.counts.leap_days += u64::from(rule::day_of_month(now / DAY) == (29, 29));
        let is_behind = std::mem::take(&mut subject.is_behind);
        if let Some(next) = recorded.filter(|_| !is_behind && now - due < 2 * SECOND) {
            self.beside_the_group(index, now, next.window)?;
        }
        self.begin(index, (time, now), true);
        Ok(true)
    }

    fn begin(&mut self, index: usize, (time, now): (i64, i64), by_schedule: bool) {
        let token = self.token();
        let took = match self.chance.between(0, 100) {
            0 => self.chance.between(HOUR, 3 * HOUR),
            1..=4 => self.chance.between(MINUTE, 10 * MINUTE),
            _ => self.chance.between(100, 2 * SECOND),
        };
        let subject = &mut self.subjects[index];
        subject.secret.rotate(&token, Digest::from_bytes([0; 32]), at(now)).unwrap();
        let (ends, _) = self.fleet.first_up(time + took);
        subject.running = Some(Running { requested: now, ends, by_schedule });
        subject.record.was_busy(time, ends);
        self.events.push(Reverse((ends, Event::Ends, index)));
    }

    /// A rotation ends, well or badly. The steps themselves are other tests' matter.
    fn ends(&mut self, time: i64, index: usize) {
        let (up, host) = self.fleet.first_up(time);
        let now = up + self.fleet.ahead[host];
        let fails = self.chance.once_in(40);
        let Subject { secret, record, running, .. } = &mut self.subjects[index];
        let Some(Running { requested, by_schedule, .. }) = running.take_if(|running| running.ends == time)
        else {
            return;
        };
        let rotation = secret.rotation.as_mut().unwrap();
        let token = rotation.token.clone();
        rotation.status = match fails {
            true => Status::Failed { step: Step::SetSecret },
            false => Status::Succeeded,
        };
        if !fails {
            secret.labels.detach(&Label::pending());
            secret.labels.attach(Label::current(), &token);
            let labels = secret.labels.clone();
            secret.versions.retain(|id, _| labels.any_on(id));
        }
        let is_ahead = secret.next_rotation_at.is_some_and(|next| next > at(now));
        let held = secret.next_window.filter(|next| next.window.holds(at(requested.min(now))));
        secret.reschedule_after_rotation(at(now));
        self.counts.failed += u64::from(fails);
        if !record.is_off && !(is_ahead && (by_schedule || fails)) {
            let from = held.map_or(requested.min(now), |next| next.window.opens.millis());
            record.count_from(from, now);
        }
        self.write_down(index);
    }

    fn person(&mut self, time: i64, index: usize) -> Result<(), String> {
        let (time, host) = self.fleet.first_up(time);
        let now = time + self.fleet.ahead[host];
        let next = time + self.chance.between(DAY, 800 * DAY);
        self.events.push(Reverse((next, Event::Person, index)));
        let Subject { secret, record, running, .. } = &mut self.subjects[index];
        if running.is_some() {
            return Ok(());
        }
        if !record.is_off {
            record.none_left_out(now - MINUTE, &self.fleet, &mut self.counts)?;
        }
        let what = self.chance.between(0, 20);
        if record.is_off || what < 2 {
            // Turned off, on again, or another rule: everything counts from now.
            if !record.is_off && what == 0 {
                secret.cancel_rotation(at(now));
                record.is_off = true;
                return Ok(());
            }
            let rule = Rule::any(&mut self.chance);
            let rule = Rule { makes_up: record.rule.makes_up, ..rule };
            if index < SECRETS / 5 {
                secret.untag(&[GROUP_TAG.to_owned()], at(now)).unwrap();
            }
            set_rule(secret, &rule, now);
            *record = Record::new(rule, now);
            self.counts.changed += 1;
        } else if what < 4 {
            let (value, makes_up) =
                self.chance.one_of(&[("wait", Some(false)), ("make-up", Some(true)), ("?", None)]);
            secret.tag(vec![tag(MISSED_TAG, value)], at(now)).unwrap();
            record.rule.makes_up = makes_up;
            self.counts.changed += 1;
        } else if what < 12 {
            let held = secret.next_window.filter(|next| next.window.holds(at(now)));
            let token = self.token();
            let secret = &mut self.subjects[index].secret;
            let mark = ContentMark(token.to_string());
            secret.put(&token, &mark, &[], at(now)).unwrap();
            let labels = secret.labels.clone();
            secret.versions.retain(|id, _| labels.any_on(id));
            let from = held.map_or(now, |next| next.window.opens.millis());
            self.subjects[index].record.count_from(from, now);
            self.counts.put += 1;
        } else {
            self.begin(index, (time, now), false);
            self.counts.by_hand += 1;
        }
        self.write_down(index);
        Ok(())
    }

    /// Members of a group that begin as planned keep their distance, unless the window is too short for it.
    fn beside_the_group(&mut self, index: usize, now: i64, window: Window) -> Result<(), String> {
        let secret = &self.subjects[index].secret;
        let placing = secret.placing();
        let Some(group) = &placing.group else { return Ok(()) };
        let is_last = (window.last_moment().millis() - now).abs() < MINUTE;
        let member = Member { place: millis(placing.shift()), began: now, is_last };
        let together = self.groups.entry(group.clone()).or_default();
        if together.opens != window.opens.millis() {
            *together = Together { opens: window.opens.millis(), begun: Vec::new() };
        }
        for other in &together.begun {
            let (apart, wanted) = (now - other.began, member.place - other.place);
            if (apart - wanted).abs() < MINUTE {
                self.counts.beside_their_group += 1;
            } else if !member.is_last && !other.is_last {
                return Err(format!("{apart} ms after another member of {group}, and not {wanted}"));
            }
        }
        together.begun.push(member);
        Ok(())
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

/// What RotateSecret does with a new rule.
fn set_rule(secret: &mut Secret, rule: &Rule, now: i64) {
    let function = FunctionArn::given("f".to_owned());
    let config = RotationConfig { enabled: true, function, schedule: rule.parsed() };
    secret.rotation_config = Some(Box::new(config));
    secret.begin_schedule(at(now));
}

#[test]
fn ten_years_miss_nothing_and_double_nothing() {
    let seed = asked("PAWL_DECADE_SEED").unwrap_or(7);
    let mut world = World::new(seed);
    world.run();
    let counts = &world.counts;
    println!(
        "seed {seed}: {SECRETS} secrets, {HOSTS} hosts, 10 years, {} downtimes of all hosts\n{counts:#?}",
        world.fleet.dark_spans()
    );
    // The world must have had in it what it is there for.
    assert!(counts.in_window > 500_000 && counts.behind_plan > 1_000 && counts.made_up > 1_000, "{counts:?}");
    assert!(counts.windows_missed > 10_000 && counts.raced > 100_000 && counts.leap_days > 100, "{counts:?}");
    assert!(counts.by_hand > 5_000 && counts.put > 5_000 && counts.changed > 2_000 && counts.failed > 5_000);
    assert!(counts.beside_their_group > 10_000, "{counts:?}");
}
