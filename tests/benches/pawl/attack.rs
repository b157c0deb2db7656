//! What the server's other clients notice of hostile rotators: GetSecretValue while guests loop, flood and hoard, against
//! the same calm, in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pawl_tests::artifacts;
use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::json;

use crate::read::fill;
use crate::{Row, load, median};

/// Modes of the guest, one rotation of each at any time.
const ATTACKS: [&str; 7] =
    ["loop", "memory", "call-flood", "log-flood", "byte-flood", "stderr-flood", "recursion"];
/// Clients of the server that are not the attacker's: fewer than would take all of the machine by themselves.
const CONNECTIONS: usize = 2;
const REQUESTS: usize = 10_000;
const ROUNDS: usize = 5;
/// How long all attackers may take to be at it.
const LIMIT: Duration = Duration::from_secs(60);

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

pub(crate) fn run() -> Vec<Row> {
    let functions = functions();
    let pawl = Pawl::start(Options { functions: Some(functions.path().to_path_buf()), ..Options::default() });
    let names = fill(&pawl);
    for attack in ATTACKS {
        let value =
            json!({"engine": "postgres", "host": "127.0.0.1", "port": 1, "username": "app", "password": "x"});
        let _ = pawl.create(&format!("hostile/{attack}"), &value.to_string());
    }
    // Signed anew for each round: a signature lives for five minutes.
    let measure = || {
        let signed = |name: &String| pawl.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
        let requests = Arc::new(names.iter().map(signed).collect::<Vec<_>>());
        load::over(CONNECTIONS, pawl.address(), &requests, REQUESTS).p99.as_secs_f64() * 1e6
    };
    let _ = measure();
    let (mut calm, mut attacked) = (Vec::new(), Vec::new());
    let tried = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        calm.push(measure());
        let (stop, before) = (AtomicBool::new(false), tried.load(Ordering::Relaxed));
        attacked.push(std::thread::scope(|scope| {
            for attack in ATTACKS {
                scope.spawn(|| keep_on(&pawl, attack, &stop, &tried));
            }
            let all = || (tried.load(Ordering::Relaxed) >= before + ATTACKS.len()).then_some(());
            eventually("all attackers are at it", LIMIT, all);
            let p99 = measure();
            stop.store(true, Ordering::Relaxed);
            p99
        }));
    }
    let (calm, attacked) = (median(calm), median(attacked));
    vec![
        Row::new(format!("GetSecretValue, {CONNECTIONS} connections, calm"), format!("p99 {calm:.0} us"), ""),
        Row::new(
            format!("the same beside {} hostile rotations, again and again", ATTACKS.len()),
            format!("p99 {attacked:.0} us ({:.1} x), {} contained", attacked / calm, tried.into_inner()),
            "<= 2 x",
        ),
    ]
}
