//! What the server's other clients notice of hostile rotators: GetSecretValue while guests loop, flood and hoard, against
//! the same calm, in turn. First all of them at once, then each alone, and what an honest rotation takes beside requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pawl_tests::artifacts;
use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::json;

use crate::read::fill;
use crate::usage::Usage;
use crate::{Row, load, median, overhead, stub};

/// Modes of the guest, one rotation of each at any time.
const ATTACKS: [&str; 7] =
    ["loop", "memory", "call-flood", "log-flood", "byte-flood", "stderr-flood", "recursion"];
/// Clients of the server that are not the attacker's: fewer than would take all of the machine by themselves.
const CONNECTIONS: usize = 2;
const REQUESTS: usize = 20_000;
const ROUNDS: usize = 7;
const ROUNDS_ALONE: usize = 3;
/// How long all attackers may take to be at it.
const LIMIT: Duration = Duration::from_secs(120);
/// Honest rotations that are measured beside requests.
const ROTATIONS: usize = 15;

/// One component under a name for each mode.
fn functions() -> Scratch {
    let scratch = Scratch::new("attacks");
    let guest = artifacts::guest("guest-attacks");
    for attack in ATTACKS {
        std::fs::copy(&guest, scratch.path().join(format!("{attack}.wasm"))).unwrap();
        let manifest = format!("[environment]\nATTACK = \"{attack}\"\n");
        std::fs::write(scratch.path().join(format!("{attack}.toml")), manifest).unwrap();
    }
    scratch
}

/// Whether the last rotation of an attacker's secret is over.
fn is_over(pawl: &Pawl, name: &str) -> bool {
    pawl.rotation(name).get("Status").is_some_and(|status| status == "Failed")
}

/// Asks for a rotation again and again, until told to stop, and waits for the end of the last.
fn keep_on(pawl: &Pawl, attack: &str, stop: &AtomicBool, tried: &AtomicUsize) {
    let function = format!("arn:aws:lambda:us-east-1:000000000000:function:{attack}");
    let name = format!("hostile/{attack}");
    while !stop.load(Ordering::Relaxed) {
        let rules = json!({"AutomaticallyAfterDays": 30});
        let body = json!({"SecretId": name, "RotationLambdaARN": function, "RotationRules": rules,
                          "ClientRequestToken": aws::token()});
        // Refused where an earlier one has left a version pending: then that one is taken up again, which is as good.
        let _ = pawl.try_call("RotateSecret", &body);
        // At the attacker's own pace, so that he is no load by asking.
        eventually("the attack is over", LIMIT, || is_over(pawl, &name).then_some(()));
        tried.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server with secrets to read and functions that mean no good.
struct Scene {
    pawl: Pawl,
    names: Vec<String>,
}

impl Scene {
    /// Reads all secrets again and again; the one request in a hundred that took longest, in microseconds.
    fn measure(&self) -> f64 {
        // Signed anew for each round: a signature lives for five minutes.
        let signed =
            |name: &String| self.pawl.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
        let requests = Arc::new(self.names.iter().map(signed).collect::<Vec<_>>());
        load::over(CONNECTIONS, self.pawl.address(), &requests, REQUESTS).p99.as_secs_f64() * 1e6
    }

    /// The same beside attackers; with it who used the processors, and how many attacks were over meanwhile.
    fn attacked(&self, attacks: &[&str]) -> (f64, [f64; 3], usize) {
        let (stop, tried) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for attack in attacks {
                scope.spawn(|| keep_on(&self.pawl, attack, &stop, &tried));
            }
            let all = || (tried.load(Ordering::Relaxed) >= attacks.len()).then_some(());
            eventually("all attackers are at it", LIMIT, all);
            let (before, over) = (Usage::of(self.pawl.process()), tried.load(Ordering::Relaxed));
            let p99 = self.measure();
            let used = Usage::of(self.pawl.process()).since(&before);
            let over = tried.load(Ordering::Relaxed) - over;
            stop.store(true, Ordering::Relaxed);
            (p99, used, over)
        })
    }

    /// Calm and attacked in turn.
    fn compare(&self, attacks: &[&str], rounds: usize) -> String {
        let (mut calm, mut attacked, mut times) = (Vec::new(), Vec::new(), Vec::new());
        let (mut used, mut over) = (Vec::new(), 0);
        for _ in 0..rounds {
            let before = self.measure();
            let (beside, by, ended) = self.attacked(attacks);
            calm.push(before);
            attacked.push(beside);
            times.push(beside / before);
            used.push(by);
            over += ended;
        }
        let share = |who: usize| median(used.iter().filter_map(|by| by.get(who).copied()).collect());
        format!(
            "p99 {:.0} us, calm {:.0} us: {:.1} x; processors: requests {:.2}, crew {:.2}, workers {:.2}; {over} contained",
            median(attacked),
            median(calm),
            median(times),
            share(0),
            share(1),
            share(2)
        )
    }

    /// What a rotation takes whose database answers at once, alone and beside requests without end, in milliseconds.
    fn honest(&self) -> (f64, f64) {
        let _ = overhead::rotate(&self.pawl, "honest");
        let rotate = || (0..ROTATIONS).map(|_| overhead::rotate(&self.pawl, "honest")).collect();
        let alone = median(rotate());
        let stop = AtomicBool::new(false);
        let beside = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = self.saturate();
                }
            });
            let beside = rotate();
            stop.store(true, Ordering::Relaxed);
            beside
        });
        (alone, median(beside))
    }

    /// As many clients as take all of the machine.
    fn saturate(&self) -> f64 {
        let signed =
            |name: &String| self.pawl.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
        let requests = Arc::new(self.names.iter().map(signed).collect::<Vec<_>>());
        load::run(self.pawl.address(), &requests, REQUESTS).per_second
    }
}

pub(crate) fn run() -> Vec<Row> {
    let functions = functions();
    let pawl = Pawl::start(Options { functions: Some(functions.path().to_path_buf()), ..Options::default() });
    let names = fill(&pawl);
    for attack in ATTACKS {
        let value =
            json!({"engine": "postgres", "host": "127.0.0.1", "port": 1, "username": "app", "password": "x"});
        let _ = pawl.create(&format!("hostile/{attack}"), &value.to_string());
    }
    overhead::secret(&pawl, "honest", stub::start(), "password");
    let scene = Scene { pawl, names };
    let _ = scene.measure();
    let what = format!("GetSecretValue, {CONNECTIONS} connections, beside");
    let mut rows = vec![Row::new(
        format!("{what} {} hostile rotations, again and again", ATTACKS.len()),
        scene.compare(&ATTACKS, ROUNDS),
        "<= 2 x",
    )];
    for attack in ATTACKS {
        let from = Instant::now();
        rows.push(Row::new(format!("{what} `{attack}` alone"), scene.compare(&[attack], ROUNDS_ALONE), ""));
        eprintln!("  {attack}: {:.0} s", from.elapsed().as_secs_f64());
    }
    let (alone, beside) = scene.honest();
    rows.push(Row::new(
        format!(
            "a rotation whose database answers at once, beside {} connections that read without pause",
            load::CONNECTIONS
        ),
        format!("p50 {beside:.0} ms, alone {alone:.0} ms, n = {ROTATIONS}"),
        "",
    ));
    rows
}
