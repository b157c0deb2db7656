//! What a million secrets cost: reads against the floor as with a thousand, and pages of lists wherever they are.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::world::Timestamp;
use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use serde_json::json;

use crate::floor::Floor;
use crate::load::{self, Throughput};
use crate::pages::{self, Walk};
use crate::{Row, loader, median};

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;
/// Secrets beyond the million that nobody has read today.
const FRESH: usize = 60_000;
const HOT: usize = 10_000;
const REQUESTS: usize = 60_000;
const ROUNDS: usize = 3;
/// Secrets of one BatchGetSecretValue (AWS's limit).
const BATCH: usize = 20;
/// Signatures are made in so many helpings, as each lives for five minutes.
const HELPINGS: usize = 10;
const DAY_MILLIS: i64 = 86_400_000;
/// Pages at one place of a list, whose middle time is told.
const PAGES: usize = 100;

pub(crate) fn run() -> Vec<Row> {
    let today = Timestamp::from_millis(i64::try_from(aws::now()).unwrap() * 1_000);
    let yesterday = Timestamp::from_millis(today.millis() - DAY_MILLIS);
    let few = serve(&[(0..FEW, today)]);
    let many = serve(&[(0..MANY, today), (MANY..MANY + FRESH, yesterday)]);
    let mut rows = vec![start_row(&many)];
    let told = |rows: &mut Vec<Row>, when: &str| {
        let figure = format!("{:.0} MB", many.resident_bytes() as f64 / 1e6);
        rows.push(Row::new(format!("memory, {MANY} secrets: {when}"), figure, ""));
    };
    told(&mut rows, "before any read");

    let scratch = Scratch::new("floor");
    let answer = few.try_call("GetSecretValue", &json!({"SecretId": loader::name(0)})).body;
    let floor = Floor::start(scratch.path(), &answer);
    let mut reads = Reads::new(&floor, &few, &many);
    rows.extend(reads.compare(&[
        (Pattern::Hot, "hot set of 10000"),
        (Pattern::Uniform, "uniformly random, nothing read before"),
    ]));
    rows.push(reads.first_of_the_day());
    reads.read_all();
    told(&mut rows, "after each was read once");
    rows.extend(reads.compare(&[(Pattern::Uniform, "uniformly random, each read before")]));
    rows.extend(lists(&many));
    told(&mut rows, "after all of this");
    rows
}

/// A server on a directory that holds these secrets, each range with the day on which it was last read.
fn serve(ranges: &[(Range<usize>, Timestamp)]) -> Pawl {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.terminate();
    for (numbers, read_at) in ranges {
        loader::fill(pawl.data_dir(), numbers.clone(), *read_at);
    }
    pawl.resume();
    pawl
}

fn start_row(pawl: &Pawl) -> Row {
    let entries = std::fs::read_dir(pawl.data_dir()).unwrap();
    let bytes: u64 = entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let figure = format!("{:.0} ms, {:.1} GB", pawl.started_in().as_secs_f64() * 1e3, bytes as f64 / 1e9);
    Row::new(format!("start to listening, {MANY} secrets; its directory"), figure, "<= 300 ms")
}

/// A generator that needs to be fair and nothing else (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Which of the many secrets are read.
#[derive(Clone, Copy)]
enum Pattern {
    /// Again and again the same few.
    Hot,
    /// Any of all, each time.
    Uniform,
}

/// Requests, and the processor time that the server took for each.
struct Measured {
    throughput: Throughput,
    processor: Duration,
}

impl Measured {
    fn of(
        address: SocketAddr,
        processor_time: impl Fn() -> Duration,
        requests: &Arc<Vec<Vec<u8>>>,
        count: usize,
    ) -> Self {
        let before = processor_time();
        let throughput = load::run(address, requests, count);
        let processor = (processor_time() - before) / u32::try_from(count).unwrap();
        Self { throughput, processor }
    }

    fn pawl(pawl: &Pawl, requests: &Arc<Vec<Vec<u8>>>, count: usize) -> Self {
        Self::of(pawl.address(), || pawl.processor_time(), requests, count)
    }
}

/// Signed requests, one for each secret.
fn gets(pawl: &Pawl, numbers: impl IntoIterator<Item = usize>) -> Arc<Vec<Vec<u8>>> {
    let get = |number| pawl.signed("GetSecretValue", &json!({"SecretId": loader::name(number)}));
    Arc::new(numbers.into_iter().map(|number| get(number).bytes(true)).collect())
}

/// Reads of many secrets are compared with what the floor and a server with few secrets do in the same rounds.
struct Reads<'a> {
    floor: &'a Floor,
    few: &'a Pawl,
    many: &'a Pawl,
    hot: Vec<usize>,
    dice: Dice,
    floors: Vec<Measured>,
}

impl<'a> Reads<'a> {
    fn new(floor: &'a Floor, few: &'a Pawl, many: &'a Pawl) -> Self {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let hot = (0..HOT).map(|_| dice.below(MANY)).collect();
        Self { floor, few, many, hot, dice, floors: Vec::new() }
    }

    fn compare(&mut self, patterns: &[(Pattern, &str)]) -> Vec<Row> {
        self.floors.clear();
        let (mut fews, mut runs) = (Vec::new(), Vec::new());
        runs.resize_with(patterns.len(), Vec::new);
        for _ in 0..ROUNDS {
            let requests = gets(self.few, 0..FEW);
            let _ = load::run(self.few.address(), &requests, FEW * 2);
            let time = || self.floor.processor_time();
            self.floors.push(Measured::of(self.floor.address, time, &requests, REQUESTS));
            fews.push(Measured::pawl(self.few, &requests, REQUESTS));
            for ((pattern, _), runs) in patterns.iter().zip(&mut runs) {
                runs.push(self.read(*pattern));
            }
        }
        let mut rows = vec![self.row(&format!("{FEW} secrets"), &fews)];
        rows.extend(
            patterns.iter().zip(&runs).map(|((_, name), runs)| self.row(&format!("{MANY}, {name}"), runs)),
        );
        rows
    }

    fn read(&mut self, pattern: Pattern) -> Measured {
        let requests = match pattern {
            Pattern::Hot => {
                let requests = gets(self.many, self.hot.iter().copied());
                let _ = load::run(self.many.address(), &requests, HOT);
                requests
            }
            Pattern::Uniform => gets(self.many, (0..REQUESTS).map(|_| self.dice.below(MANY))),
        };
        Measured::pawl(self.many, &requests, REQUESTS)
    }

    /// Reads that are the first of their secret on this day.
    fn first_of_the_day(&self) -> Row {
        let requests = gets(self.many, MANY..MANY + FRESH);
        let run = Measured::pawl(self.many, &requests, FRESH);
        self.row(&format!("{MANY}, the first read of each on a day"), &[run])
    }

    /// Reads each of the million, so that as many as have room are in memory.
    fn read_all(&self) {
        let batch = |from: usize| {
            let names: Vec<String> = (from..from + BATCH).map(loader::name).collect();
            self.many.signed("BatchGetSecretValue", &json!({"SecretIdList": names})).bytes(true)
        };
        for helping in 0..HELPINGS {
            let from = helping * (MANY / HELPINGS);
            let requests: Vec<_> = (from..from + MANY / HELPINGS).step_by(BATCH).map(batch).collect();
            let count = requests.len();
            let _ = load::run(self.many.address(), &Arc::new(requests), count);
        }
    }

    /// `runs` as a share of the floor of the last rounds.
    fn row(&self, name: &str, runs: &[Measured]) -> Row {
        let rate = |runs| middle(runs, |run| run.throughput.per_second);
        let processor = |runs| middle(runs, |run| micros(run.processor));
        let figure = format!(
            "**{:.0} %**, {:.1} k/s (p50 {:.0} us, p99 {:.0} us; processor {:.0} us, floor {:.0} us)",
            100.0 * rate(runs) / rate(&self.floors),
            rate(runs) / 1e3,
            middle(runs, |run| micros(run.throughput.p50)),
            middle(runs, |run| micros(run.throughput.p99)),
            processor(runs),
            processor(&self.floors),
        );
        Row::new(format!("GetSecretValue / floor: {name}"), figure, ">= 50 %")
    }
}

fn middle(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    median(runs.iter().map(of).collect())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn lists(pawl: &Pawl) -> Vec<Row> {
    let mut rows = Vec::new();
    for by in ["created-date", "last-changed-date", "last-accessed-date", "name"] {
        for order in ["asc", "desc"] {
            let walk = pages::walk(pawl, &json!({"SortBy": by, "SortOrder": order, "MaxResults": 100}), true);
            assert_eq!(walk.secrets, MANY + FRESH, "{by} {order}");
            rows.push(Row::new(format!("ListSecrets, {by} {order}, a page of 100"), places(&walk), ""));
        }
    }
    for (name, key, value) in [
        ("a name's prefix that finds one in a thousand", "name", "bench/team-500/"),
        ("a word of the description that finds none", "description", "nowhere"),
    ] {
        let filters = json!({"Filters": [{"Key": key, "Values": [value]}], "MaxResults": 100});
        let walk = pages::walk(pawl, &filters, false);
        let figure = format!("{} found on {} pages: {}", walk.secrets, walk.times.len(), places(&walk));
        rows.push(Row::new(format!("ListSecrets, filtered by {name}"), figure, ""));
    }
    rows
}

/// What a page costs at the beginning, in the middle and at the end.
fn places(walk: &Walk) -> String {
    let last = walk.times.len().saturating_sub(PAGES);
    let at = |from: usize| {
        median(walk.times.iter().skip(from).take(PAGES).map(|time| time.as_secs_f64() * 1e3).collect())
    };
    format!("first {:.2} ms, middle {:.2} ms, last {:.2} ms", at(0), at(last / 2), at(last))
}
