//! What must hold of everything that the clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use pawl_tests::history::{Deed, Operation, linearizable};
use pawl_tests::pawl::Pawl;
use pawl_tests::wait::eventually;
use serde_json::json;

use super::clients::{Heard, current_of, value_of};
use super::field::{Field, Front, HOSTS};

/// How long after a fault's end a client may still hear of it.
const GRACE: Duration = Duration::from_secs(5);

/// At a moment without writes: every host says the same of every secret, and one version has AWSCURRENT. Gives what was read, as a part
/// of the history.
pub(super) fn agreement(field: &Field, secrets: &[String]) -> Heard {
    let mut heard = Heard::default();
    for secret in secrets {
        let mut said = BTreeSet::new();
        for (number, host) in field.hosts.iter().enumerate() {
            let described = host.call("DescribeSecret", json!({"SecretId": secret}));
            let current = current_of(&described["VersionIdsToStages"])
                .unwrap_or_else(|why| panic!("{secret} at host {number}: {why}"));
            let from = field.front.now();
            let (version, value) = host.value(secret, "AWSCURRENT").unwrap();
            assert_eq!(version, current, "{secret} at host {number}");
            let (by, to) = (format!("the judge at host {number}"), Some(field.front.now()));
            heard.record(secret, Operation { by, from, to, deed: Deed::Read(version.clone()) });
            said.insert((version, value));
        }
        assert_eq!(said.len(), 1, "{secret}: the hosts do not agree: {said:?}");
    }
    heard
}

/// Holds every client up, looks, and lets them go on.
pub(super) fn quiet(field: &Field, clients: usize, secrets: &[String]) -> Heard {
    let front = &field.front;
    front.hold.store(true, Ordering::SeqCst);
    eventually("every client waits", Duration::from_secs(180), || {
        (front.waiting.load(Ordering::SeqCst) == clients).then_some(())
    });
    let heard = agreement(field, secrets);
    front.hold.store(false, Ordering::SeqCst);
    heard
}

/// No acknowledged write is lost, and none that was refused has happened: every version, by its id, read through one host or another.
pub(super) fn durability(hosts: &[Pawl], heard: &Heard) {
    for (number, (secret, token)) in heard.written.iter().enumerate() {
        let read = hosts[number % HOSTS]
            .try_call("GetSecretValue", &json!({"SecretId": secret, "VersionId": token}));
        assert_eq!(read.status, 200, "{secret} {token} was acknowledged: {}", read.body);
        assert_eq!(read.json()["SecretString"], value_of(token), "{secret} {token}");
    }
    for (secret, token) in &heard.refused {
        let read = hosts[0].try_call("GetSecretValue", &json!({"SecretId": secret, "VersionId": token}));
        assert_eq!(read.code(), "ResourceNotFoundException", "{secret} {token} was refused: {}", read.body);
    }
}

/// Every secret's history is that of one register.
pub(super) fn histories(firsts: &BTreeMap<String, String>, heard: &Heard) {
    let mut told = Vec::new();
    for (secret, operations) in &heard.operations {
        if let Err(why) = linearizable(&firsts[secret], operations) {
            told.push(format!("{secret}: {why}"));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Nothing is wrong with any answer, and every error lies within a fault of its own host.
pub(super) fn manners(front: &Front, heard: &Heard) {
    println!(
        "{} calls, {} writes acknowledged, {} of unknown outcome, {} throttled, {} failed",
        heard.calls,
        heard.written.len(),
        heard.unknown,
        heard.throttled,
        heard.troubles.len()
    );
    let slowest = |answered: bool| {
        let of_kind = heard.troubles.iter().filter(|trouble| trouble.what.contains('{') == answered);
        let times: Vec<Duration> = of_kind.map(|trouble| trouble.to.saturating_sub(trouble.from)).collect();
        (times.len(), times.into_iter().max().unwrap_or_default())
    };
    println!("answered with an error: {:?} (the slowest); not answered: {:?}", slowest(true), slowest(false));
    let some = |all: &[String]| all[..all.len().min(20)].join("\n");
    assert!(heard.wrong.is_empty(), "{} answers are wrong, as:\n{}", heard.wrong.len(), some(&heard.wrong));
    let unlike: Vec<String> = heard
        .troubles
        .iter()
        .filter(|trouble| trouble.what.contains("{") && !trouble.what.contains("InternalServiceError"))
        .map(|trouble| format!("{trouble:?}"))
        .collect();
    assert!(unlike.is_empty(), "{} errors are none that clients try again:\n{}", unlike.len(), some(&unlike));
    let unexplained: Vec<String> = front
        .unexplained(heard.troubles.clone(), GRACE)
        .iter()
        .map(|trouble| format!("{trouble:?}"))
        .collect();
    assert!(unexplained.is_empty(), "{} errors without a fault:\n{}", unexplained.len(), some(&unexplained));
}
