//! What a secret holds and what its database has come apart, and what becomes of it: found by `--check`, healed from whatever
//! version still opens the database, and left to a person before an account is locked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pawl_tests::aws::{self, Signer};
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);
/// `limits::FAILED_LOGINS_MAX`, which this test is about: a change of it is to be noticed.
const REFUSALS_MAX: usize = 4;

/// A database behind a proxy that counts refused logins, and may hold up what is asked.
struct Field {
    postgres: Postgres,
    proxy: Proxy,
    pawl: Pawl,
    refused: Arc<AtomicUsize>,
    /// Done when a password change is about to reach the server; once.
    at_change: Arc<Mutex<Option<AtChange>>>,
}

type AtChange = Box<dyn FnOnce() -> Then + Send>;

impl Field {
    fn new() -> Self {
        let postgres = Postgres::start();
        let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
        let refused: Arc<AtomicUsize> = Arc::default();
        let at_change: Arc<Mutex<Option<AtChange>>> = Arc::default();
        let (counted, planned) = (Arc::clone(&refused), Arc::clone(&at_change));
        let proxy = Proxy::start(postgres.port(), move |event| match event {
            Event::Refused(_) => {
                counted.fetch_add(1, Ordering::SeqCst);
                Then::Forward
            }
            // The change has been committed, and the host does not know it yet.
            Event::Answered(_, sql) if sql.contains("COMMIT") => {
                let plan = planned.lock().unwrap().take();
                plan.map_or(Then::Forward, |plan| plan())
            }
            _ => Then::Forward,
        });
        Self { postgres, proxy, pawl, refused, at_change }
    }

    /// A role whose secret has been rotated once.
    fn rotated(&self, name: &str) -> String {
        self.postgres.create_role(name, "first-password");
        let _ = self.pawl.create(name, &database_secret(self.proxy.port(), name, "first-password"));
        self.pawl.await_rotation(name, &self.pawl.rotate(name, POSTGRES_ROTATOR), SOON);
        self.pawl.password(name, "AWSCURRENT")
    }

    fn check(&self, name: &str) -> Value {
        let ran = self.pawl.cli(&["rotate", name, "--check", "--no-repair", "--output", "json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error} in {ran:?}"))
    }

    fn logs_in(&self, name: &str) -> bool {
        self.postgres.login(name, &self.pawl.password(name, "AWSCURRENT")) == Login::Accepted
    }

    fn ended(&self, name: &str, status: &str) -> Value {
        eventually(&format!("{name} is {status}"), SOON, || {
            let rotation = self.pawl.rotation(name);
            (rotation["Status"] == status).then_some(rotation)
        })
    }

    /// How far the next moment of the schedule is, and a minute more.
    fn seconds_to_rotation(&self) -> u64 {
        let request = self.pawl.request("Pawl.PlanRotations", b"{}");
        let signer = Signer { service: "pawl".to_owned(), ..self.pawl.signer() };
        let plan = signer.sign(request, aws::now()).send(self.pawl.address()).json();
        let now = plan["Now"].as_f64().unwrap();
        let planned =
            plan["Secrets"].as_array().unwrap().iter().find(|secret| secret["Name"] == "app").unwrap();
        let moment = planned["Rotations"][0]["Date"].as_f64().unwrap();
        Duration::from_secs_f64((moment - now).max(0.0)).as_secs() + 60
    }

    fn events(&self, kind: &str) -> usize {
        self.pawl.cli(&["events", "--after", "0", "--type", kind]).ok().lines().count()
    }
}

#[test]
fn a_database_that_is_restored_from_a_backup_is_found_and_healed() {
    let field = Field::new();
    let first = field.rotated("app");
    assert_eq!(field.check("app")["Drift"], "None");
    for _ in 0..2 {
        field.pawl.await_rotation("app", &field.pawl.rotate("app", POSTGRES_ROTATOR), SOON);
    }
    // Two rotations back: neither AWSCURRENT nor AWSPREVIOUS.
    field.postgres.alter_role("app", &first);
    let found = field.check("app");
    assert_eq!(found["Drift"], "Drifted", "{found}");
    assert!(!found.to_string().contains(&first));
    let told = field.pawl.cli(&["rotate", "app", "--check"]).ok();
    assert!(told.contains("drifted") && told.contains("rotated app"), "{told}");
    assert!(field.logs_in("app"));
    assert_eq!(field.check("app")["Drift"], "None");
}

#[test]
fn a_database_that_refuses_everything_sees_so_many_logins_and_then_a_person_is_told() {
    let field = Field::new();
    let _ = field.rotated("app");
    let rules = json!({"SecretId": "app", "RotationLambdaARN": POSTGRES_ROTATOR,
                       "RotationRules": {"AutomaticallyAfterDays": 1}, "RotateImmediately": false,
                       "ClientRequestToken": aws::token()});
    let _ = field.pawl.call("RotateSecret", rules);
    eventually("the trial is over", SOON, || {
        (field.pawl.rotation("app")["Status"] != "Running").then_some(())
    });
    field.postgres.alter_role("app", "changed by hand");
    let before = field.refused.load(Ordering::SeqCst);
    // AWSCURRENT and AWSPREVIOUS are all that there is to try; each day's window tries again, until it could lock the account.
    for day in 0..4 {
        let seconds = field.seconds_to_rotation();
        let _ = field.pawl.cli(&["dev", "clock", "advance", &format!("{seconds}s")]).ok();
        // A second secret's whole rotation: whatever the scheduler wants to do for the first it has had time for.
        let _ = field.rotated(&format!("other{day}"));
    }
    let spent = field.refused.load(Ordering::SeqCst) - before;
    assert!((2..=REFUSALS_MAX).contains(&spent), "{spent} refused logins");
    let rotation = field.ended("app", "Failed");
    assert!(rotation["Failure"]["Reason"].as_str().unwrap().contains("refused"), "{rotation}");
    assert_eq!(field.events("RotationCircuitOpened"), 1);
    assert!(field.pawl.cli(&["doctor"]).stdout.contains("rotations that have failed: 1"), "doctor names it");
    // A person puts it right, and asks.
    field.postgres.alter_role("app", &field.pawl.password("app", "AWSCURRENT"));
    let told = field.pawl.cli(&["rotate", "app", "--wait"]).ok();
    assert!(told.contains("rotated app"), "{told}");
    assert!(field.logs_in("app"));
}

#[test]
fn a_rotation_that_is_cancelled_too_late_ends_well_and_is_the_last() {
    let field = Field::new();
    let before = field.rotated("app");
    let cancel = field.pawl.signed("CancelRotateSecret", &json!({"SecretId": "app"}));
    let address = field.pawl.address();
    *field.at_change.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(cancel.try_send(address).unwrap().status, 200);
        Then::Cut
    }));
    let token = field.pawl.rotate("app", POSTGRES_ROTATOR);
    field.pawl.await_rotation("app", &token, SOON);
    assert!(field.logs_in("app"));
    assert_eq!(field.postgres.login("app", &before), Login::Refused);
    let described = field.pawl.call("DescribeSecret", json!({"SecretId": "app"}));
    assert_eq!(described["RotationEnabled"], false);
}

#[test]
fn a_value_that_is_put_in_the_middle_leaves_a_database_that_the_next_rotation_heals() {
    let field = Field::new();
    let before = field.rotated("app");
    let value = database_secret(field.proxy.port(), "app", &before);
    let put = field.pawl.signed(
        "PutSecretValue",
        &json!({"SecretId": "app", "SecretString": value,
        "ClientRequestToken": aws::token()}),
    );
    let address = field.pawl.address();
    *field.at_change.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(put.try_send(address).unwrap().status, 200);
        Then::Forward
    }));
    let _ = field.pawl.rotate("app", POSTGRES_ROTATOR);
    let _ = field.ended("app", "Abandoned");
    // The facts' weakness 3: what AWS's function makes of this is an account that nobody can open any more.
    assert!(!field.logs_in("app"), "the database has the password of the rotation that was ended");
    assert_eq!(field.check("app")["Drift"], "Drifted");
    let told = field.pawl.cli(&["rotate", "app", "--check"]).ok();
    assert!(told.contains("rotated app"), "{told}");
    assert!(field.logs_in("app"));
}
