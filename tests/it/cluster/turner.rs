//! Rotations while things break: who asks for them, who logs in with what they make, and what the database was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pawl_tests::aws;
use pawl_tests::history::{Deed, Operation};
use pawl_tests::pawl::{POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::scram;
use pawl_tests::wait::pace;
use serde_json::{Value, json};

use super::clients::{Client, Heard};
use super::field::Front;
use crate::database_secret;

/// How many secrets of a database there are.
const ROLES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(4);
/// A rotation that takes longer has not resumed by itself. Longer than a lease and a failover together.
const ROTATED_WITHIN: Duration = Duration::from_secs(90);
/// A login that does not work for so long is a lockout: longer than a rotation is between its two ends.
const LOCKED_OUT_AFTER: Duration = Duration::from_secs(90);

/// The database whose passwords are turned. A change of a password can be held up on its way.
pub(super) struct Target {
    pub postgres: Postgres,
    /// Whether changes of passwords are held up.
    pub hold: Arc<AtomicBool>,
    held: Arc<AtomicUsize>,
    proxy: Proxy,
}

impl Target {
    pub(super) fn new() -> Self {
        let postgres = Postgres::start();
        let (hold, held): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let (its_hold, its_held) = (Arc::clone(&hold), Arc::clone(&held));
        let proxy = Proxy::start(postgres.port(), move |event| {
            if matches!(event, Event::Asked(_, sql) if sql.contains("ALTER ROLE")) {
                its_held.fetch_add(1, Ordering::SeqCst);
                while its_hold.load(Ordering::SeqCst) {
                    pace(Duration::from_millis(5));
                }
                its_held.fetch_sub(1, Ordering::SeqCst);
            }
            Then::Forward
        });
        Self { postgres, hold, held, proxy }
    }

    /// Whether a change of a password is held up now.
    pub(super) fn caught(&self) -> bool {
        self.held.load(Ordering::SeqCst) > 0
    }

    /// The names of the secrets, which are those of the roles.
    pub(super) fn names() -> Vec<String> {
        (0..ROLES).map(|number| format!("db{number}")).collect()
    }

    /// Makes the roles and their secrets; the version that each begins with.
    pub(super) fn furnish(&self, pawl: &Pawl) -> BTreeMap<String, String> {
        let make = |name: String| {
            let password = format!("first-password-of-{name}");
            self.postgres.create_role(&name, &password);
            let made = pawl.create(&name, &database_secret(self.proxy.port(), &name, &password));
            (name, made["VersionId"].as_str().unwrap().to_owned())
        };
        Self::names().into_iter().map(make).collect()
    }
}

/// What came of the rotations.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// Tokens of each secret, in the order in which they were asked for.
    pub tokens: BTreeMap<String, Vec<String>>,
    /// The longest that one took.
    pub slowest: Duration,
}

impl Client<'_> {
    /// Turns one password after the other until it is over, each rotation when the last has ended.
    pub(super) fn turn(mut self, front: &Front) -> (Heard, Turned) {
        let mut turned = Turned::default();
        let names = Target::names();
        for name in names.iter().cycle() {
            if !self.next_turn(Duration::from_millis(100)) {
                break;
            }
            let (token, from, began) = (aws::token(), front.now(), Instant::now());
            let input = json!({"SecretId": name, "RotationLambdaARN": POSTGRES_ROTATOR, "ClientRequestToken": token,
                               "RotationRules": {"AutomaticallyAfterDays": 30}});
            turned.tokens.entry(name.clone()).or_default().push(token.clone());
            let ended = self.until_turned(front, name, &token, &input);
            let to = ended.then(|| front.now());
            if ended {
                turned.slowest = turned.slowest.max(began.elapsed());
            } else {
                self.heard
                    .wrong
                    .push(format!("the rotation {token} of {name} did not end in {ROTATED_WITHIN:?}"));
            }
            let write = Operation { by: "the rotation".to_owned(), from, to, deed: Deed::Write(token) };
            self.heard.record(name, write);
        }
        (self.heard, turned)
    }

    /// Asks for a rotation until it is known to have begun, and waits for its end.
    fn until_turned(&mut self, front: &Front, name: &str, token: &str, input: &Value) -> bool {
        let began = Instant::now();
        let mut begun = false;
        while began.elapsed() < ROTATED_WITHIN {
            let host = self.any_host();
            if !begun {
                let answer = self.call(host, "RotateSecret", input, PATIENCE);
                begun = answer.as_ref().is_some_and(|answer| answer.status == 200);
                if let Some(answer) =
                    answer.filter(|answer| answer.status != 200 && answer.code() != "ThrottlingException")
                {
                    // Asked for by an earlier attempt whose answer was lost.
                    begun =
                        self.heard.troubles.iter().any(|trouble| trouble.what.starts_with("RotateSecret"));
                    if !begun {
                        self.heard
                            .wrong
                            .push(format!("a rotation of {name}: {} {}", answer.status, answer.body));
                    }
                }
                continue;
            }
            if let Some(answer) = self.call(host, "DescribeSecret", &json!({"SecretId": name}), PATIENCE)
                && answer.json()["VersionIdsToStages"][token] == json!(["AWSCURRENT"])
            {
                front.acknowledged.fetch_add(1, Ordering::SeqCst);
                return true;
            }
            pace(Duration::from_millis(30));
        }
        false
    }

    /// An application: logs in with AWSCURRENT or, while a rotation is between its two ends, with AWSPENDING.
    pub(super) fn log_in(mut self, front: &Front, target: &Postgres) -> (Heard, usize) {
        let mut logins = 0;
        for name in Target::names().iter().cycle() {
            if !self.next_turn(Duration::from_millis(100)) {
                break;
            }
            let mut locked_out_since = None;
            loop {
                match self.try_log_in(name, target) {
                    Some(true) => {
                        logins += 1;
                        break;
                    }
                    Some(false) => {
                        let since = *locked_out_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > LOCKED_OUT_AFTER {
                            self.heard
                                .wrong
                                .push(format!("{name}: neither AWSCURRENT nor AWSPENDING logs in"));
                            break;
                        }
                    }
                    None if front.over.load(Ordering::SeqCst) => break,
                    None => {}
                }
                pace(Duration::from_millis(20));
            }
        }
        (self.heard, logins)
    }

    /// Whether one of both passwords is accepted; none when one of them could not be read.
    fn try_log_in(&mut self, name: &str, target: &Postgres) -> Option<bool> {
        for label in ["AWSCURRENT", "AWSPENDING"] {
            let host = self.any_host();
            let input = json!({"SecretId": name, "VersionStage": label});
            let answer = self.call(host, "GetSecretValue", &input, PATIENCE)?;
            let value: Value =
                serde_json::from_str(answer.json()["SecretString"].as_str().unwrap_or("{}")).unwrap();
            if let Some(password) = value["password"].as_str() {
                match target.login(name, password) {
                    Login::Accepted => return Some(true),
                    Login::Refused => {}
                    Login::Failed(why) => self.heard.wrong.push(format!("a login of {name}: {why}")),
                }
            }
        }
        Some(false)
    }
}

/// Holds what the database was told against the rotations that there were: each has made one password, which nobody sets again once
/// the next one's was set, and the last is the one that logs in.
pub(super) fn settle(pawl: &Pawl, target: &Postgres, firsts: &BTreeMap<String, String>, turned: &Turned) {
    let log = target.log();
    for (name, first) in firsts {
        let tokens: Vec<String> =
            [first].into_iter().chain(turned.tokens.get(name).into_iter().flatten()).cloned().collect();
        let listed = pawl.call(
            "ListSecretVersionIds",
            json!({"SecretId": name, "IncludeDeprecated": true, "MaxResults": 100}),
        );
        let versions: BTreeSet<&str> = listed["Versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| version["VersionId"].as_str().unwrap())
            .collect();
        let asked: BTreeSet<&str> = tokens.iter().map(String::as_str).collect();
        assert_eq!(versions, asked, "{name}: one version for each rotation, and no other");
        let passwords: Vec<String> = tokens.iter().map(|token| password(pawl, name, token)).collect();
        let (mut at, mut set) = (0, BTreeSet::new());
        for verifier in committed(&log, name) {
            let is = passwords.iter().skip(at).position(|password| scram::is_of(&verifier, password));
            at += is.unwrap_or_else(|| {
                let earlier = passwords.iter().take(at).any(|password| scram::is_of(&verifier, password));
                panic!(
                    "{name}: a password was set that is {}",
                    if earlier { "an earlier rotation's" } else { "no rotation's" }
                )
            });
            set.insert(at);
        }
        let all: BTreeSet<usize> = (1..tokens.len()).collect();
        assert_eq!(set, all, "{name}: every rotation has set its password");
        let (current, _) = pawl.value(name, "AWSCURRENT").unwrap();
        assert_eq!(current, *tokens.last().unwrap(), "{name}");
        assert_eq!(target.login(name, passwords.last().unwrap()), Login::Accepted, "{name} is locked out");
    }
}

fn password(pawl: &Pawl, name: &str, version: &str) -> String {
    let read = pawl.call("GetSecretValue", json!({"SecretId": name, "VersionId": version}));
    let value: Value = serde_json::from_str(read["SecretString"].as_str().unwrap()).unwrap();
    value["password"].as_str().unwrap().to_owned()
}

/// The verifiers that a role was given and that were not taken back, as PostgreSQL's log has them: its lines begin with the time and
/// the number of the session's process.
fn committed(log: &str, role: &str) -> Vec<String> {
    let of_role = format!("ALTER ROLE \"{role}\" PASSWORD");
    let (mut open, mut committed) = (BTreeMap::new(), Vec::new());
    for line in log.lines() {
        let session = line.split(['[', ']']).nth(1).unwrap_or_default();
        if line.contains("statement:") && line.contains(&of_role) {
            open.insert(session, scram::in_statement(line).unwrap());
        } else if line.contains("statement:") && line.contains("COMMIT") {
            committed.extend(open.remove(session));
        } else if ["ROLLBACK", "ERROR: ", "FATAL: "].iter().any(|end| line.contains(end)) {
            open.remove(session);
        }
    }
    committed
}

#[test]
fn what_was_taken_back_was_not_set() {
    let line = |session: u32, text: &str| format!("2026-11-23 02:00:00.000 UTC [{session}] {text}\n");
    let set = |session, verifier: &str| {
        line(
            session,
            &format!(
                "LOG:  statement: SET LOCAL a = 1; ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$4096:{verifier}'"
            ),
        )
    };
    let log = [
        set(1, "one"),
        set(2, "two"),
        line(2, "FATAL:  terminating connection due to idle-in-transaction timeout"),
        set(3, "three"),
        line(3, "LOG:  statement: ROLLBACK"),
        line(1, "LOG:  statement: SET LOCAL statement_timeout = 0; COMMIT"),
        set(2, "four"),
        line(3, "LOG:  statement: SET LOCAL statement_timeout = 0; COMMIT"),
    ];
    assert_eq!(committed(&log.concat(), "app"), ["SCRAM-SHA-256$4096:one"]);
    assert!(committed(&log.concat(), "other").is_empty());
}
