//! `kill -9` under load: every call that was answered has its record, and every change that was made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::wait::eventually;
use serde_json::json;

use super::log::{lines, must_be_whole, records};

const CLIENTS: usize = 16;
const KILLS: usize = 6;

#[test]
fn no_answered_call_and_no_committed_change_is_without_a_record_after_a_kill() {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.create("read", "x");
    let answered: Mutex<BTreeSet<String>> = Mutex::default();
    let made: Mutex<Vec<String>> = Mutex::default();
    for round in 0..KILLS {
        let (stop, begun) = (AtomicBool::new(false), Barrier::new(CLIENTS + 1));
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (pawl, stop, begun, answered, made) = (&pawl, &stop, &begun, &answered, &made);
                scope.spawn(move || {
                    begun.wait();
                    for call in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let name = format!("made-{round}-{client}-{call}");
                        let request = if client % 2 == 0 {
                            pawl.signed("GetSecretValue", &json!({"SecretId": "read"}))
                        } else {
                            made.lock().unwrap().push(name.clone());
                            let body = json!({"Name": name, "SecretString": "x", "ClientRequestToken": aws::token()});
                            pawl.signed("CreateSecret", &body)
                        };
                        let Ok(answer) = request.try_send(pawl.address()) else { return };
                        assert_eq!(answer.status, 200, "{}", answer.body);
                        answered.lock().unwrap().insert(answer.header("x-amzn-requestid").unwrap().to_owned());
                    }
                });
            }
            begun.wait();
            let wanted = (round + 1) * 120;
            eventually("there is load", Duration::from_secs(60), || {
                (answered.lock().unwrap().len() >= wanted).then_some(())
            });
            pawl.kill9();
            stop.store(true, Ordering::Relaxed);
        });
        pawl.resume();
    }
    let made = made.into_inner().unwrap();
    let committed: Vec<&String> =
        made.iter().filter(|name| pawl.value(name, "AWSCURRENT").is_some()).collect();
    // Those that nobody was answered for come from the store, soon after a start.
    let last = records(&pawl).len();
    assert!(last > KILLS * 100);
    let all = || {
        let text: String = records(&pawl)
            .iter()
            .filter(|record| record["eventName"] == "CreateSecret")
            .map(|record| record["resources"][0]["ARN"].as_str().unwrap_or_default().to_owned() + "\n")
            .collect();
        committed.iter().all(|name| text.contains(&format!(":secret:{name}-"))).then_some(())
    };
    eventually("every committed change is recorded", Duration::from_secs(60), all);
    let ids: BTreeSet<String> =
        records(&pawl).iter().filter_map(|record| record["requestID"].as_str().map(str::to_owned)).collect();
    let lost: Vec<String> = answered.into_inner().unwrap().difference(&ids).cloned().collect();
    assert!(lost.is_empty(), "{} answered calls have no record: {lost:?}", lost.len());
    // No change is recorded twice as done.
    let mut seen = BTreeSet::new();
    for record in records(&pawl).iter().filter(|record| record["eventName"] == "CreateSecret") {
        if record.get("errorCode").is_none() {
            assert!(seen.insert(record["requestID"].as_str().unwrap().to_owned()), "twice: {record}");
        }
    }
    let starts = lines(&pawl).iter().filter(|line| line["pawlAudit"] == "segment").count();
    assert!(starts > KILLS, "each start begins a segment");
    must_be_whole(&pawl);
}
