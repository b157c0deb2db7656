//! No lockout and no second password: `kill -9` at every event that the database sees of a rotation, and at the moments
//! that only the service sees; then the rotation must end well by itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::process::Server;
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::scram;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::database_secret;

/// Kills, at least (the number is 50).
const KILLS: usize = 60;
/// Kills where the store is PostgreSQL: what differs is only who holds the rotation.
const KILLS_ON_POSTGRESQL: usize = 12;
const SOON: Duration = Duration::from_secs(60);

/// What the proxy does at its events.
#[derive(Default)]
struct Plan {
    /// Kill at the nth event from now; none for never.
    countdown: Option<usize>,
    /// What to kill.
    server: Server,
    /// Every event of this round.
    events: Vec<Event>,
}

/// A rotation under fire.
struct Field {
    postgres: Postgres,
    plan: Arc<Mutex<Plan>>,
    kills: Arc<AtomicUsize>,
    proxy: Proxy,
    pawl: Pawl,
}

impl Field {
    fn new(options: Options) -> Self {
        let postgres = Postgres::start();
        let pawl = Pawl::start(options);
        let plan: Arc<Mutex<Plan>> = Arc::default();
        let kills: Arc<AtomicUsize> = Arc::default();
        let (its_plan, its_kills) = (Arc::clone(&plan), Arc::clone(&kills));
        let proxy = Proxy::start(postgres.port(), move |event| {
            let mut plan = its_plan.lock().unwrap();
            plan.events.push(event.clone());
            match &mut plan.countdown {
                Some(1) => {
                    plan.countdown = None;
                    plan.server.kill9();
                    its_kills.fetch_add(1, Ordering::SeqCst);
                    Then::Cut
                }
                Some(count) => {
                    *count -= 1;
                    Then::Forward
                }
                None => Then::Forward,
            }
        });
        Self { postgres, plan, kills, proxy, pawl }
    }

    fn arm(&self, countdown: Option<usize>) {
        let mut plan = self.plan.lock().unwrap();
        plan.countdown = countdown;
        plan.server = self.pawl.server();
    }

    fn killed(&self) -> usize {
        self.kills.load(Ordering::SeqCst)
    }

    /// Makes a role and its secret, and asks for its rotation; the answer may be lost with the server.
    fn begin(&self, name: &str, countdown: Option<usize>) -> Round {
        let old = format!("old-password-of-{name}");
        self.postgres.create_role(name, &old);
        let created = self.pawl.create(name, &database_secret(self.proxy.port(), name, &old));
        self.plan.lock().unwrap().events.clear();
        self.arm(countdown);
        let token = aws::token();
        let body = json!({"SecretId": name, "RotationLambdaARN": POSTGRES_ROTATOR, "ClientRequestToken": token,
                          "RotationRules": {"AutomaticallyAfterDays": 30}});
        let request = self.pawl.signed("RotateSecret", &body);
        if let Ok(answer) = request.try_send(self.pawl.address()) {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let first = created["VersionId"].as_str().unwrap().to_owned();
        Round { name: name.to_owned(), old, first, token }
    }

    /// Kills now, from outside.
    fn kill(&self) {
        self.pawl.kill9();
        self.kills.fetch_add(1, Ordering::SeqCst);
    }

    /// What must hold once the rotation has ended, whatever happened on the way.
    fn check(&self, round: &Round) {
        let Round { name, old, first, token } = round;
        self.pawl.await_rotation(name, token, SOON);
        let (version, _) = self.pawl.value(name, "AWSCURRENT").unwrap();
        assert_eq!(version, *token);
        let password = self.pawl.password(name, "AWSCURRENT");
        assert_eq!(
            self.postgres.login(name, &password),
            Login::Accepted,
            "{name}: AWSCURRENT does not log in"
        );
        assert_eq!(self.postgres.login(name, old), Login::Refused, "{name}: the old password still logs in");
        let (previous, _) = self.pawl.value(name, "AWSPREVIOUS").unwrap();
        assert_eq!(previous, *first);
        assert_eq!(self.pawl.password(name, "AWSPREVIOUS"), *old);

        let listed =
            self.pawl.call("ListSecretVersionIds", json!({"SecretId": name, "IncludeDeprecated": true}));
        let versions: BTreeSet<&str> =
            listed["Versions"].as_array().unwrap().iter().map(|v| v["VersionId"].as_str().unwrap()).collect();
        assert_eq!(
            versions,
            BTreeSet::from([first.as_str(), token.as_str()]),
            "one new version and no other"
        );

        // Each verifier has a salt of its own; all must be of the one password.
        let plan = self.plan.lock().unwrap();
        let mut verifiers = 0;
        for event in &plan.events {
            if let Event::Asked(_, sql) = event {
                assert!(!sql.contains(&password), "{name}: a statement holds the password");
                if let Some(verifier) = scram::in_statement(sql) {
                    verifiers += 1;
                    assert!(
                        scram::is_of(&verifier, &password),
                        "{name}: the database was given another password"
                    );
                }
            }
        }
        assert!(verifiers >= 1, "{name}: nobody set a password: {:?}", plan.events);
    }
}

struct Round {
    name: String,
    old: String,
    first: String,
    token: String,
}

/// The moments of a rotation that the database does not see.
const UNSEEN: [&str; 3] = ["asked for", "pending value stored", "promoted"];

#[test]
fn a_killed_server_finishes_its_rotations_with_one_password() {
    let (missed, kills) = fire(&mut Field::new(Options::default()), KILLS);
    // Only the last events, after which the server may be quicker than its executioner, can be missed.
    assert!(missed.len() <= 2, "no kill at {missed:?} in {kills} kills");
}

#[test]
fn on_postgresql_too() {
    let options = Options { store: Store::Private, ..Options::default() };
    let _ = fire(&mut Field::new(options), KILLS_ON_POSTGRESQL);
}

/// Kills a server so many times; the events at which it was not killed, and how often it was.
fn fire(field: &mut Field, kills: usize) -> (Vec<Event>, usize) {
    // Undisturbed, to learn how many events a rotation has.
    let calm = field.begin("calm", None);
    field.check(&calm);
    let events = field.plan.lock().unwrap().events.clone();
    assert!(!events.iter().any(|event| matches!(event, Event::Refused(_))), "a refused login: {events:?}");
    for expected in ["LoggedIn", "Asked", "Answered", "Told", "Closed"] {
        assert!(
            events.iter().any(|event| format!("{event:?}").starts_with(expected)),
            "{expected}: {events:?}"
        );
    }

    let mut hit = BTreeSet::new();
    let mut number = 0;
    // Fewer kills than there are moments are spread over all of them.
    let stride = (events.len() + UNSEEN.len()).div_ceil(kills).max(1);
    while field.killed() < kills {
        let name = format!("round{number}");
        let moment = number * stride % (events.len() + UNSEEN.len());
        // Every third round is hit again while it recovers.
        let again = (number % 3 == 2).then_some(1 + number % 7);
        number += 1;
        let before = field.killed();
        let round = match moment.checked_sub(events.len()) {
            None => {
                let round = field.begin(&name, Some(moment + 1));
                wait_for_kill_or_end(field, &round, before);
                round
            }
            Some(unseen) => {
                let round = field.begin(&name, None);
                wait_for(field, &round, unseen);
                field.kill();
                round
            }
        };
        field.arm(None);
        if field.killed() > before {
            hit.insert(moment);
            field.pawl.resume();
        }
        if again.is_some() {
            field.arm(again);
            let before = field.killed();
            wait_for_kill_or_end(field, &round, before);
            field.arm(None);
            if field.killed() > before {
                field.pawl.resume();
            }
        }
        field.check(&round);
        assert!(number < 3 * kills, "most rounds were not hit: {} of {number}", field.killed());
    }
    println!(
        "{} kills in {number} rounds, at {} of {} moments",
        field.killed(),
        hit.len(),
        events.len() + UNSEEN.len()
    );
    let missed =
        (0..events.len()).filter(|moment| !hit.contains(moment)).map(|m| events[m].clone()).collect();
    (missed, field.killed())
}

/// The server may be quicker than its executioner: then there is nothing to recover from, and the round counts nothing.
fn wait_for_kill_or_end(field: &Field, round: &Round, before: usize) {
    eventually("the server is killed or the rotation has ended", SOON, || {
        (field.killed() > before || ended(field, round)).then_some(())
    });
}

fn ended(field: &Field, round: &Round) -> bool {
    labels(field, round).is_some_and(|labels| labels == json!(["AWSCURRENT"]))
}

/// The labels of the new version, as long as there is a server to ask.
fn labels(field: &Field, round: &Round) -> Option<Value> {
    let request = field.pawl.signed("DescribeSecret", &json!({"SecretId": round.name}));
    let answer = request.try_send(field.pawl.address()).ok()?;
    Some(answer.json()["VersionIdsToStages"][&round.token].clone())
}

fn wait_for(field: &Field, round: &Round, unseen: usize) {
    eventually(UNSEEN[unseen], SOON, || {
        let reached = match unseen {
            0 => true,
            1 => {
                let body = json!({"SecretId": round.name, "VersionId": round.token});
                field.pawl.try_call("GetSecretValue", &body).status == 200
            }
            _ => labels(field, round)
                .is_some_and(|labels| labels.as_array().is_some_and(|l| l.contains(&json!("AWSCURRENT")))),
        };
        reached.then_some(())
    });
}
