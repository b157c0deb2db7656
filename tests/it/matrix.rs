//! The crash matrix in short, and that its judge can say no.
//!
//! `PAWL_TEST_MATRIX='--runs 50 --fault host'` runs another; `cargo xtask crash-matrix` runs many.

#[path = "../matrix/mod.rs"]
pub(crate) mod crashes;

use pawl_tests::process::children_of;
use serde_json::Value;

use self::crashes::engine::{Kind, Strategy};
use self::crashes::ground::Ground;
use self::crashes::judge::{FAILED_LOGINS_MAX, Judge, Sample, Subject, Violation};
use self::crashes::wire::{Event, What};

/// Every fault once in every cell of the servers that the machine has. The seeds are the same every time, so that what fails once
/// fails again.
const SHORT: &str = "--turns 1 --seed 5001 --engine postgres --engine mariadb --jobs 4";

#[test]
#[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
fn every_fault_in_every_cell_leaves_a_login_and_one_password() {
    let given = std::env::var("PAWL_TEST_MATRIX").unwrap_or_else(|_| SHORT.to_owned());
    let words: Vec<String> = given.split_whitespace().map(str::to_owned).collect();
    let arguments = crashes::parse(&words, pawl_tests::aws::now())
        .unwrap_or_else(|why| panic!("{why}\n{}", crashes::USAGE));
    assert!(crashes::matrix(&arguments), "runs went wrong: see above");
}

/// A rotation that nobody disturbed, and what somebody made of it before it is judged.
struct Trial<'a> {
    ground: &'a mut Ground,
    subject: Subject,
    state: Value,
    samples: Vec<Sample>,
    events: Vec<Event>,
}

impl<'a> Trial<'a> {
    /// Rotates; `before` has the account as it is before.
    fn of(ground: &'a mut Ground, strategy: Strategy, before: impl FnOnce(&mut Ground, &Subject)) -> Self {
        let (subject, order) = ground.subject(strategy, false, false);
        before(ground, &subject);
        ground.wire.begin();
        let state = ground.rotate(false, &order);
        let events = ground.wire.events();
        Self { ground, subject, state, samples: Vec::new(), events }
    }

    fn calm(ground: &'a mut Ground) -> Self {
        Self::of(ground, Strategy::Single, |_, _| {})
    }

    /// Gives the account another password behind Pawl's back.
    fn change(&mut self, password: &str) {
        self.ground.engine.change(&self.subject.old.user, password);
    }

    fn sample(&mut self, at: &str) {
        let accounts = [self.subject.old.user.clone()];
        let sample = Sample::take(&mut *self.ground.engine, at, &self.subject.old, &accounts);
        self.samples.push(sample);
    }

    /// What the server keeps of a password that is not the account's.
    fn foreign(&mut self) -> String {
        let (other, _) = self.ground.subject(Strategy::Single, false, false);
        self.ground.engine.kept(&other.account).unwrap()
    }

    fn hear(&mut self, what: What) {
        let account = self.subject.account.clone();
        self.events.push(Event { connection: 1, account, what });
    }

    fn current(&mut self) -> String {
        let caller = self.ground.callers(false).remove(0);
        let body = serde_json::json!({"SecretId": self.subject.secret});
        let answer = caller.call("GetSecretValue", &body).unwrap().json();
        let value: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        value["password"].as_str().unwrap().to_owned()
    }

    fn verdict(self) -> Vec<Violation> {
        let caller = self.ground.callers(false).remove(0);
        let mut judge = Judge {
            subject: &self.subject,
            engine: &mut *self.ground.engine,
            caller: &caller,
            violations: Vec::new(),
        };
        if self.state["Status"] == "Succeeded" {
            judge.ended(&self.samples, &self.events);
        } else {
            judge.stuck(self.state.to_string());
        }
        judge.violations
    }
}

/// Whether something of this name was found, in these words.
#[track_caller]
fn found(violations: &[Violation], name: &str, words: &str) {
    let is = |violation: &Violation| violation.name() == name && violation.text().contains(words);
    assert!(violations.iter().any(is), "no `{name}: {words}` in {violations:?}");
}

#[test]
fn the_judge_of_the_matrix_says_no() {
    let mut ground = Ground::new(Kind::Postgres);
    let ground = &mut ground;

    let mut fair = Trial::calm(ground);
    fair.sample("at the end");
    assert_eq!(fair.verdict(), [], "nothing was wrong");

    let mut locked_out = Trial::calm(ground);
    locked_out.change("behind its back");
    found(&locked_out.verdict(), "lockout", "AWSCURRENT does not log in");

    let mut undone = Trial::calm(ground);
    let old = undone.subject.old.password.clone();
    undone.change(&old);
    found(&undone.verdict(), "wrong", "the old login");

    let mut gap = Trial::calm(ground);
    let current = gap.current();
    gap.change("neither the old nor the new");
    gap.sample("in the middle");
    gap.change(&current);
    found(&gap.verdict(), "lockout", "in the middle");

    let mut second = Trial::calm(ground);
    let foreign = second.foreign();
    second.hear(What::Asked(format!("ALTER ROLE a PASSWORD '{foreign}'")));
    found(&second.verdict(), "second password", "not the one in AWSCURRENT");

    let mut none = Trial::calm(ground);
    none.events.clear();
    found(&none.verdict(), "wrong", "was given no password");

    let mut version = Trial::calm(ground);
    let caller = version.ground.callers(false).remove(0);
    let put = serde_json::json!({"SecretId": version.subject.secret, "SecretString": "{}", "VersionStages": ["X"],
                                 "ClientRequestToken": pawl_tests::aws::token()});
    assert_eq!(caller.call("PutSecretValue", &put).unwrap().status, 200);
    version.sample("at the end");
    found(&version.verdict(), "second password", "versions");

    let mut told = Trial::calm(ground);
    let current = told.current();
    told.hear(What::Asked(format!("SELECT '{current}'")));
    found(&told.verdict(), "wrong", "holds a password");

    let mut rude = Trial::calm(ground);
    for _ in 0..=FAILED_LOGINS_MAX {
        rude.hear(What::Refused);
    }
    found(&rude.verdict(), "wrong", "logins in a row");
}

#[test]
fn a_rotation_that_cannot_end_is_a_hand_and_a_lockout() {
    let mut ground = Ground::new(Kind::Postgres);
    let drift = |ground: &mut Ground, subject: &Subject| ground.engine.change(&subject.account, "by hand");
    let verdict = Trial::of(&mut ground, Strategy::Single, drift).verdict();
    found(&verdict, "needed a hand", "Failed");
    found(&verdict, "lockout", "no login that the store knows works");
}

#[test]
fn the_shim_is_in_the_host_and_not_in_its_workers() {
    let mut ground = Ground::new(Kind::Postgres);
    let trial = Trial::calm(&mut ground);
    let host = trial.ground.both(false).2.pawl.process();
    let has_shim = |process: u32| {
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
        maps.contains("/shim-")
    };
    let workers = children_of(host);
    assert!(has_shim(host) && !workers.is_empty());
    assert!(!workers.into_iter().any(has_shim), "a worker has the shim");
}
