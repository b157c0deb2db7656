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
const DAY_MILLIS: i64 = 86_400_000;

/// What is read, in words, and the numbers of the secrets of a round.
type Pattern<'a> = (String, &'a dyn Fn(&mut Dice) -> Vec<usize>);

pub(crate) fn run() -> Vec<Row> {
    let today = Timestamp::from_millis(i64::try_from(aws::now()).unwrap() * 1_000);
    let yesterday = Timestamp::from_millis(today.millis() - DAY_MILLIS);
    let few = serve(&[(0..FEW, today)]);
    let many = serve(&[(0..MANY, today), (MANY..MANY + FRESH, yesterday)]);
    let mut rows = vec![start_row(&many)];
    let scratch = Scratch::new("floor");
    let answer = few.try_call("GetSecretValue", &json!({"SecretId": loader::name(0)})).body;
    let floor = Floor::start(scratch.path(), &answer);

    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut reads = Reads::new(&floor, &few);
    rows.push(Row::new("memory before any read", megabytes(&many), ""));
    let hot: Vec<usize> = (0..HOT).map(|_| dice.below(MANY)).collect();
    let uniform = |dice: &mut Dice| (0..REQUESTS).map(|_| dice.below(MANY)).collect::<Vec<_>>();
    let patterns: &mut [Pattern<'_>] = &mut [
        (format!("{MANY} secrets, hot set of {HOT}"), &|_| hot.clone()),
        (format!("{MANY} secrets, uniformly random, nothing read before"), &uniform),
    ];
    rows.extend(reads.compare(&many, patterns, &mut dice));
    let fresh: Vec<usize> = (MANY..MANY + FRESH).collect();
    let first = Measured::pawl(&many, &gets(&many, &fresh), FRESH);
    rows.push(reads.row("the first read of each secret on a day", &[first]));

    read_all(&many);
    rows.push(Row::new("memory after every secret was read once", megabytes(&many), ""));
    let patterns: &mut [Pattern<'_>] =
        &mut [(format!("{MANY} secrets, uniformly random, every secret read before"), &uniform)];
    rows.extend(reads.compare(&many, patterns, &mut dice));
    rows.extend(lists(&many));
    rows.push(Row::new("memory after all of this", megabytes(&many), ""));
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
    Row::new(format!("start to listening, {MANY} secrets; bytes of the directory"), figure, "<= 300 ms")
}

fn megabytes(pawl: &Pawl) -> String {
    format!("{:.0} MB", pawl.resident_bytes() as f64 / 1e6)
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

/// Signed requests, one for each secret.
fn gets(pawl: &Pawl, numbers: &[usize]) -> Arc<Vec<Vec<u8>>> {
    let get = |number: &usize| pawl.signed("GetSecretValue", &json!({"SecretId": loader::name(*number)}));
    Arc::new(numbers.iter().map(|number| get(number).bytes(true)).collect())
}

fn read_all(pawl: &Pawl) {
    let numbers: Vec<usize> = (0..MANY).collect();
    // Signed in helpings: a signature lives for five minutes.
    for part in numbers.chunks(MANY / 10) {
        let batch = |numbers: &[usize]| {
            let names: Vec<String> = numbers.iter().map(|number| loader::name(*number)).collect();
            pawl.signed("BatchGetSecretValue", &json!({"SecretIdList": names})).bytes(true)
        };
        let requests: Vec<_> = part.chunks(BATCH).map(batch).collect();
        let count = requests.len();
        let _ = load::run(pawl.address(), &Arc::new(requests), count);
    }
}

/// Reads are compared with what the floor and a thousand secrets give in the same rounds.
struct Reads<'a> {
    floor: &'a Floor,
    few: &'a Pawl,
    floors: Vec<Measured>,
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

fn middle(runs: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    median(runs.iter().map(of).collect())
}

fn micros(at: Duration) -> f64 {
    at.as_secs_f64() * 1e6
}

impl<'a> Reads<'a> {
    const fn new(floor: &'a Floor, few: &'a Pawl) -> Self {
        Self { floor, few, floors: Vec::new() }
    }

    fn compare(&mut self, many: &Pawl, patterns: &[Pattern<'_>], dice: &mut Dice) -> Vec<Row> {
        self.floors = Vec::new();
        let mut runs: Vec<Vec<Measured>> = patterns.iter().map(|_| Vec::new()).collect();
        let mut fews = Vec::new();
        for _ in 0..ROUNDS {
            let requests = gets(self.few, &(0..FEW).collect::<Vec<_>>());
            let _ = load::run(self.few.address(), &requests, FEW * 2);
            let time = || self.floor.processor_time();
            self.floors.push(Measured::of(self.floor.address, time, &requests, REQUESTS));
            fews.push(Measured::pawl(self.few, &requests, REQUESTS));
            for ((_, numbers), runs) in patterns.iter().zip(&mut runs) {
                let numbers = numbers(dice);
                let requests = gets(many, &numbers);
                if numbers.len() < REQUESTS {
                    // A hot set is one that was read before.
                    let _ = load::run(many.address(), &requests, numbers.len());
                }
                runs.push(Measured::pawl(many, &requests, REQUESTS));
            }
        }
        let mut rows = vec![self.row(&format!("{FEW} secrets"), &fews)];
        rows.extend(patterns.iter().zip(&runs).map(|((name, _), runs)| self.row(name, runs)));
        rows
    }

    /// `runs` as a share of the floor of the last rounds.
    fn row(&self, name: &str, runs: &[Measured]) -> Row {
        let rate = |runs| middle(runs, |run| run.throughput.per_second);
        let processor = |runs| middle(runs, |run| micros(run.processor));
        let share = 100.0 * rate(runs) / rate(&self.floors);
        let figure = format!(
            "**{share:.0} %**, {:.1} k/s (p50 {:.0} us, p99 {:.0} us; {:.0} us of the server's processors, the floor's {:.0})",
            rate(runs) / 1e3,
            middle(runs, |run| micros(run.throughput.p50)),
            middle(runs, |run| micros(run.throughput.p99)),
            processor(runs),
            processor(&self.floors),
        );
        Row::new(format!("GetSecretValue / floor: {name}"), figure, ">= 50 %")
    }
}

fn lists(pawl: &Pawl) -> Vec<Row> {
    let mut rows = Vec::new();
    for by in ["created-date", "last-changed-date", "last-accessed-date", "name"] {
        for order in ["asc", "desc"] {
            let walk = pages::walk(pawl, &json!({"SortBy": by, "SortOrder": order, "MaxResults": 100}), true);
            assert_eq!(walk.secrets, MANY + FRESH, "{by} {order}");
            rows.push(Row::new(format!("ListSecrets, {by} {order}"), sides(&walk), ""));
        }
    }
    for (name, key, value) in [
        ("a name's prefix that finds a thousand", "name", "bench/team-500/"),
        ("a word of the description that finds none", "description", "nowhere"),
    ] {
        let filters = json!({"Filters": [{"Key": key, "Values": [value]}], "MaxResults": 100});
        let walk = pages::walk(pawl, &filters, false);
        let figure = format!("{} pages, {} found, {}", walk.times.len(), walk.secrets, sides(&walk));
        rows.push(Row::new(format!("ListSecrets, filtered by {name}"), figure, ""));
    }
    rows
}

/// What a page costs at the beginning, in the middle and at the end.
fn sides(walk: &Walk) -> String {
    let around = walk.times.len().min(100);
    let at = |from: usize| {
        let times = walk.times.iter().skip(from).take(around).map(|time| time.as_secs_f64() * 1e3);
        format!("{:.2}", median(times.collect()))
    };
    let last = walk.times.len() - around;
    format!("first {} ms, middle {} ms, last {} ms a page", at(0), at(last / 2), at(last))
}
