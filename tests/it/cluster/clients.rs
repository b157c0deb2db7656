//! Those who write and read while things break, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::history::{Deed, Operation};
use pawl_tests::http::Answer;
use pawl_tests::wait::pace;
use serde_json::{Value, json};

use super::field::{Front, Trouble};

/// How many plain secrets there are.
pub(super) const SECRETS: u64 = 12;
/// How long a client waits for an answer, before it asks another host.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long the readers of one host do: an answer that comes late must be a true one.
const GREAT_PATIENCE: Duration = Duration::from_secs(120);
/// How often a write is tried again, with the same token, before its outcome is called unknown.
const ATTEMPTS: usize = 5;

/// The value of a version: it names its version, so that a read can be held against itself.
pub(super) fn value_of(token: &str) -> String {
    format!("value of {token}")
}

/// What all clients together were told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What was done to the AWSCURRENT of each secret.
    pub operations: BTreeMap<String, Vec<Operation>>,
    /// Secrets and tokens of writes that were acknowledged.
    pub written: BTreeSet<(String, String)>,
    /// Those of writes that were refused.
    pub refused: BTreeSet<(String, String)>,
    pub troubles: Vec<Trouble>,
    pub wrong: Vec<String>,
    pub calls: usize,
    pub throttled: usize,
    pub unknown: usize,
}

impl Heard {
    pub(super) fn add(&mut self, other: Self) {
        for (secret, operations) in other.operations {
            self.operations.entry(secret).or_default().extend(operations);
        }
        self.written.extend(other.written);
        self.refused.extend(other.refused);
        self.troubles.extend(other.troubles);
        self.wrong.extend(other.wrong);
        self.calls += other.calls;
        self.throttled += other.throttled;
        self.unknown += other.unknown;
    }

    pub(super) fn record(&mut self, secret: &str, operation: Operation) {
        self.operations.entry(secret.to_owned()).or_default().push(operation);
    }
}

/// Numbers that every run draws alike: xorshift.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }
}

/// One of them.
pub(super) struct Client<'a> {
    front: &'a Front,
    name: String,
    chance: Chance,
    /// Own versions that were acknowledged, by secret: what AWSCURRENT can be moved to.
    own: BTreeMap<String, Vec<String>>,
    pub heard: Heard,
}

impl<'a> Client<'a> {
    pub(super) fn new(front: &'a Front, name: String, seed: u64) -> Self {
        Self { front, name, chance: Chance::new(seed), own: BTreeMap::new(), heard: Heard::default() }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance.below(end)
    }

    pub(super) fn any_host(&mut self) -> usize {
        usize::try_from(self.below(self.front.hosts() as u64)).unwrap()
    }

    /// Waits for its turn; false when it is over.
    pub(super) fn next_turn(&self, pause: Duration) -> bool {
        pace(pause);
        if self.front.hold.load(Ordering::SeqCst) {
            self.front.waiting.fetch_add(1, Ordering::SeqCst);
            while self.front.hold.load(Ordering::SeqCst) {
                pace(Duration::from_millis(5));
            }
            self.front.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        !self.front.over.load(Ordering::SeqCst)
    }

    /// An answer that is not an error of the service; trouble is remembered.
    pub(super) fn call(
        &mut self,
        host: usize,
        operation: &str,
        input: &Value,
        limit: Duration,
    ) -> Option<Answer> {
        self.heard.calls += 1;
        match self.front.call(host, operation, input, limit) {
            Ok(answer) => {
                self.heard.throttled += usize::from(answer.code() == "ThrottlingException");
                Some(answer)
            }
            Err(trouble) => {
                self.heard.troubles.push(trouble);
                None
            }
        }
    }

    fn operation(&self, host: usize, from: Duration, answered: bool, deed: Deed) -> Operation {
        let to = answered.then(|| self.front.now());
        Operation { by: format!("{} at host {host}", self.name), from, to, deed }
    }

    /// Reads AWSCURRENT through a host; the version that it is.
    pub(super) fn read(&mut self, host: usize, secret: &str, limit: Duration) -> Option<String> {
        let from = self.front.now();
        let answer = self.call(host, "GetSecretValue", &json!({"SecretId": secret}), limit)?;
        let body = answer.json();
        let Some(version) = body["VersionId"].as_str().filter(|_| answer.status == 200) else {
            if answer.code() != "ThrottlingException" {
                self.heard
                    .wrong
                    .push(format!("a read of {secret} at host {host}: {} {}", answer.status, answer.body));
            }
            return None;
        };
        let value = body["SecretString"].as_str().unwrap_or_default();
        if !value.starts_with('{') && value != value_of(version) {
            self.heard.wrong.push(format!("{secret} {version} at host {host} is `{value}`"));
        }
        let read = self.operation(host, from, true, Deed::Read(version.to_owned()));
        self.heard.record(secret, read);
        Some(version.to_owned())
    }

    /// Sends a write with a token, to other hosts too when no answer comes; none when nobody knows whether it happened.
    fn send(&mut self, mut host: usize, operation: &str, input: &Value) -> Option<(usize, Answer)> {
        for attempt in 1.. {
            let answer = self.call(host, operation, input, PATIENCE);
            let again = answer.as_ref().is_none_or(|answer| answer.code() == "ThrottlingException");
            if !again || attempt == ATTEMPTS || self.front.over.load(Ordering::SeqCst) {
                return answer.map(|answer| (host, answer));
            }
            host = self.any_host();
        }
        None
    }

    /// Writes a version, with AWSCURRENT or with a label of the client's own.
    fn write(&mut self, secret: &str, label: Option<&str>) {
        let (token, from, host) = (aws::token(), self.front.now(), self.any_host());
        let mut input =
            json!({"SecretId": secret, "SecretString": value_of(&token), "ClientRequestToken": token});
        if let Some(label) = label {
            input["VersionStages"] = json!([label]);
        }
        let before = self.heard.troubles.len();
        let outcome = self.send(host, "PutSecretValue", &input);
        let doubtful = self.heard.troubles.len() > before;
        let done = outcome.as_ref().is_some_and(|(_, answer)| answer.status == 200);
        match &outcome {
            Some((_, answer)) if !done => {
                if answer.code() != "ThrottlingException" {
                    self.heard.wrong.push(format!("a write of {secret}: {} {}", answer.status, answer.body));
                }
                // An earlier attempt may have been carried out after all.
                if !doubtful {
                    self.heard.refused.insert((secret.to_owned(), token));
                    return;
                }
            }
            Some(_) => {
                self.heard.written.insert((secret.to_owned(), token.clone()));
                self.own.entry(secret.to_owned()).or_default().push(token.clone());
                self.front.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            None => {}
        }
        self.heard.unknown += usize::from(!done);
        if label.is_none() {
            let write =
                self.operation(outcome.map_or(host, |(host, _)| host), from, done, Deed::Write(token));
            self.heard.record(secret, write);
        }
    }

    /// Moves AWSCURRENT from where it was seen to an earlier version. Not tried again: it is not the same move then.
    fn move_current(&mut self, secret: &str) {
        let (asked, host) = (self.any_host(), self.any_host());
        let Some(old) = self.read(asked, secret, PATIENCE) else { return };
        let count = self.own.get(secret).map_or(0, Vec::len) as u64;
        if count == 0 {
            return;
        }
        let chosen = usize::try_from(self.below(count)).unwrap();
        let new = self.own[secret][chosen].clone();
        if new == old {
            return;
        }
        let from = self.front.now();
        let input = json!({"SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": new,
                           "RemoveFromVersionId": old});
        let answer = self.call(host, "UpdateSecretVersionStage", &input, PATIENCE);
        let done = answer.as_ref().is_some_and(|answer| answer.status == 200);
        if let Some(answer) = answer
            && !done
        {
            // Others have moved it since.
            if !["InvalidParameterException", "ThrottlingException"].contains(&&*answer.code()) {
                self.heard.wrong.push(format!("a move in {secret}: {} {}", answer.status, answer.body));
            }
            return;
        }
        self.heard.unknown += usize::from(!done);
        if done {
            self.front.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        let moved = self.operation(host, from, done, Deed::Move(old, new));
        self.heard.record(secret, moved);
    }

    /// Looks where the labels are.
    fn describe(&mut self, secret: &str) {
        let host = self.any_host();
        let Some(answer) = self.call(host, "DescribeSecret", &json!({"SecretId": secret}), PATIENCE) else {
            return;
        };
        if answer.status == 200
            && let Err(why) = current_of(&answer.json()["VersionIdsToStages"])
        {
            self.heard.wrong.push(format!("{secret} in the middle of it, at host {host}: {why}"));
        }
    }

    /// Writes and reads through every host until it is over.
    pub(super) fn work(mut self) -> Heard {
        let label = format!("of-{}", self.name);
        while self.next_turn(Duration::from_millis(40)) {
            let secret = format!("k{}", self.below(SECRETS));
            match self.below(20) {
                0..=5 => self.write(&secret, None),
                6 => self.write(&secret, Some(&label)),
                7..=8 => self.move_current(&secret),
                9 => self.describe(&secret),
                _ => {
                    let host = self.any_host();
                    let _ = self.read(host, &secret, PATIENCE);
                }
            }
        }
        self.heard
    }

    /// Reads everything through one host, whatever that host is going through, and waits as long as it takes.
    pub(super) fn watch(mut self, host: usize, secrets: &[String]) -> Heard {
        for secret in secrets.iter().cycle() {
            if !self.next_turn(Duration::from_millis(25)) {
                break;
            }
            let _ = self.read(host, secret, GREAT_PATIENCE);
        }
        self.heard
    }
}

/// The version with AWSCURRENT, where every label is in one place.
pub(super) fn current_of(map: &Value) -> Result<String, String> {
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for (version, labels) in map.as_object().into_iter().flatten() {
        for label in labels.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if let Some(other) = places.insert(label, version) {
                return Err(format!("{label} is on {version} and on {other}"));
            }
        }
    }
    places
        .get("AWSCURRENT")
        .map(|version| (*version).to_owned())
        .ok_or_else(|| format!("no AWSCURRENT in {map}"))
}
