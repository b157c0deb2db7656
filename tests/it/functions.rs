//! Uploaded functions at work: what a rotation begins with it ends with, whatever is done to the function meanwhile.

mod registry;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use pawl_core::function::{AliasRequest, FunctionVersion, Grants, PublishRequest, Routing, Weight};
use pawl_tests::aws::{self, Signer};
use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::process::Server;
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::scram;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use self::registry::{FUNCTION, Registry};
use crate::database_secret;

const SOON: Duration = Duration::from_secs(120);

/// When in a rotation something is done to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// setSecret has logged in: nobody has the new password yet.
    LoggedIn,
    /// The database has the new password, and Pawl does not know it yet.
    HasPassword,
}

impl Moment {
    fn is(self, event: &Event) -> bool {
        match self {
            Self::LoggedIn => matches!(event, Event::LoggedIn(_)),
            // The password comes in a transaction: what counts is the answer to its end.
            Self::HasPassword => {
                matches!(event, Event::Answered(_, sql) if scram::in_statement(sql).is_some())
            }
        }
    }
}

type Deed = Box<dyn FnOnce() -> Then + Send>;

/// A database behind a proxy, a server, and a function that is uploaded.
struct Ground {
    postgres: Postgres,
    pawl: Pawl,
    registry: Registry,
    proxy: Proxy,
    plan: Arc<Mutex<Option<(Moment, Deed)>>>,
}

impl Ground {
    fn new() -> Self {
        let postgres = Postgres::start();
        let pawl = Pawl::start(Options { store: Store::Private, dev_clock: true, ..Options::default() });
        let registry = Registry::open(&pawl);
        let plan: Arc<Mutex<Option<(Moment, Deed)>>> = Arc::default();
        let its_plan = Arc::clone(&plan);
        let proxy = Proxy::start(postgres.port(), move |event| {
            let mut plan = its_plan.lock().unwrap();
            match plan.take() {
                Some((moment, deed)) if moment.is(event) => deed(),
                kept => {
                    *plan = kept;
                    Then::Forward
                }
            }
        });
        registry.approve(Some(registry::own_postgres()));
        registry.create(1);
        Self { postgres, pawl, registry, proxy, plan }
    }

    /// A ground whose function Secrets Manager may invoke, and a secret for it.
    fn permitted() -> Self {
        let ground = Self::new();
        ground.registry.permit(None);
        ground.secret("db");
        ground
    }

    fn secret(&self, name: &str) {
        self.postgres.create_role(name, "first-password");
        let _ = self.pawl.create(name, &database_secret(self.proxy.port(), name, "first-password"));
    }

    /// Does something once, at a moment of the next rotation.
    fn at(&self, moment: Moment, deed: impl FnOnce() + Send + 'static) {
        let deed = Box::new(move || {
            deed();
            Then::Forward
        });
        *self.plan.lock().unwrap() = Some((moment, deed));
    }

    /// Does something, and kills the server, once, at a moment of the next rotation.
    fn at_and_kill(&self, moment: Moment, deed: impl FnOnce() + Send + 'static) {
        let server: Server = self.pawl.server();
        let deed = Box::new(move || {
            deed();
            server.kill9();
            Then::Cut
        });
        *self.plan.lock().unwrap() = Some((moment, deed));
    }

    /// Waits until the server has been killed, and starts it again.
    fn comes_back(&mut self) {
        eventually("the server is dead", SOON, || (!self.pawl.server().is_running()).then_some(()));
        self.pawl.resume();
    }

    fn is_done(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }

    /// Rotates, waits for the good end, and gives the function's ARN and code as the rotation had them.
    fn turn(&self, name: &str, function: &str) -> (String, String) {
        let token = self.pawl.rotate(name, function);
        self.ends_well(name, &token)
    }

    fn ends_well(&self, name: &str, token: &str) -> (String, String) {
        self.pawl.await_rotation(name, token, SOON);
        assert!(self.is_done(), "what was to happen in the middle has happened");
        assert_eq!(self.postgres.login(name, &self.pawl.password(name, "AWSCURRENT")), Login::Accepted);
        assert_eq!(self.postgres.login(name, "first-password"), Login::Refused);
        let rotation = self.pawl.rotation(name);
        let text = |field: &str| rotation[field].as_str().unwrap().to_owned();
        (text("FunctionARN"), text("FunctionDigest"))
    }

    fn refused(&self, name: &str) -> Value {
        let body =
            json!({"SecretId": name, "RotationLambdaARN": FUNCTION, "ClientRequestToken": aws::token()});
        let answer = self.pawl.try_call("RotateSecret", &body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        answer.json()
    }

    fn pawls(&self, operation: &str, body: &Value) -> Answer {
        let request = self.pawl.request(&format!("Pawl.{operation}"), body.to_string().as_bytes());
        let signer = Signer { service: "pawl".to_owned(), ..self.pawl.signer() };
        signer.sign(request, aws::now()).send(self.pawl.address())
    }

    /// Lambda's Invoke, with a rotation event.
    fn invoke(&self, step: &str, secret: &str) -> Answer {
        self.invoke_with(&json!({"Step": step, "SecretId": secret, "ClientRequestToken": aws::token()}))
    }

    fn invoke_with(&self, event: &Value) -> Answer {
        let request = Request {
            method: "POST".to_owned(),
            path: "/2015-03-31/functions/mine/invocations".to_owned(),
            headers: Vec::new(),
            body: event.to_string().into_bytes(),
        };
        let request = request.header("host", "localhost").header("x-amz-log-type", "Tail");
        let signer = Signer { service: "lambda".to_owned(), ..self.pawl.signer() };
        signer.sign(request, aws::now()).send(self.pawl.address())
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let answer = self.pawls("ListEvents", &json!({"MaxResults": 1000, "Types": [kind]}));
        answer.json()["Events"].as_array().unwrap().clone()
    }
}

fn version(number: u32) -> FunctionVersion {
    FunctionVersion::Published(number.to_string().parse().unwrap())
}

#[test]
fn an_uploaded_function_rotates_and_what_it_did_is_told_by_log_and_figures() {
    let ground = Ground::permitted();
    let (arn, code) = ground.turn("db", FUNCTION);
    assert_eq!((arn, code), (format!("{FUNCTION}:$LATEST"), registry::digest(1)));
    let described = ground.pawl.call("DescribeSecret", json!({"SecretId": "db"}));
    assert_eq!(described["RotationLambdaARN"], FUNCTION, "as it was given");

    let logs = ground.pawls("ListFunctionLogs", &json!({"FunctionName": "mine"})).json();
    assert_eq!(logs["FunctionARN"], FUNCTION);
    let lines = logs["Lines"].as_array().unwrap();
    let ends: Vec<_> = lines.iter().filter(|line| line["Level"] == "report").collect();
    let steps: Vec<_> = ends.iter().map(|line| line["Step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["createSecret", "setSecret", "testSecret", "finishSecret"], "{logs}");
    assert!(
        ends.iter()
            .all(|line| line["Version"] == "$LATEST" && !line["Message"].as_str().unwrap().contains(" 0 MB"))
    );
    assert!(!logs.to_string().contains(&ground.pawl.password("db", "AWSCURRENT")));
    let after = json!({"FunctionName": FUNCTION, "After": logs["After"]});
    let none = ground.pawls("ListFunctionLogs", &after).json();
    assert!(none["Lines"].as_array().unwrap().is_empty() && none["Missed"].is_null(), "{none}");
    let absent = ground.pawls("ListFunctionLogs", &json!({"FunctionName": "absent"}));
    assert_eq!((absent.status, &absent.json()["__type"]), (400, &json!("ResourceNotFoundException")));

    let figures = registry::figures(&ground.pawl);
    for figure in ["pawl_function_invocations_total", "pawl_function_errors_total"] {
        let count = if figure.contains("errors") { 0 } else { 4 };
        let line = format!("{figure}{{function=\"mine\",version=\"$LATEST\"}} {count}");
        assert!(figures.lines().any(|found| found == line), "{line}\n{figures}");
    }
    let ended = "pawl_rotations_ended_total{function=\"mine\",status=\"succeeded\"} 1";
    assert!(figures.lines().any(|found| found == ended), "{figures}");
}

#[test]
fn a_rotation_keeps_its_code_when_that_is_updated_or_the_function_deleted() {
    let ground = Ground::permitted();
    let registry = ground.registry.clone();
    ground.at(Moment::LoggedIn, move || registry.update(2));
    assert_eq!(ground.turn("db", FUNCTION).1, registry::digest(1), "what it began with");
    let registry = ground.registry.clone();
    ground.at(Moment::HasPassword, move || registry.delete());
    assert_eq!(ground.turn("db", FUNCTION).1, registry::digest(2), "and the next one has the new code");
    assert_eq!(ground.refused("db")["__type"], "AccessDeniedException");

    // Another host's, or this one's after a crash: nothing but the store knows the code.
    ground.registry.create(3);
    ground.registry.permit(None);
    let registry = ground.registry.clone();
    ground.at_and_kill(Moment::HasPassword, move || registry.delete());
    let token = ground.pawl.rotate("db", FUNCTION);
    let mut ground = ground;
    ground.comes_back();
    assert_eq!(ground.ends_well("db", &token).1, registry::digest(3));
}

#[test]
fn an_alias_is_decided_once_for_each_rotation() {
    let ground = Ground::new();
    ground.registry.change(|function, rng| {
        let now = function.created_at;
        let _ = function.publish(PublishRequest::default(), now, rng).unwrap();
    });
    ground.registry.update(2);
    ground.registry.change(|function, rng| {
        let now = function.created_at;
        let _ = function.publish(PublishRequest::default(), now, rng).unwrap();
        let routing = Routing { version: "2".parse().unwrap(), weight: Weight::from_fraction(0.5).unwrap() };
        let request =
            AliasRequest { version: Some(version(1)), routing: Some(Some(routing)), ..Default::default() };
        let _ = function.create_alias("live".parse().unwrap(), request, rng).unwrap();
    });
    ground.registry.permit(Some("live"));
    let live = format!("{FUNCTION}:live");
    let mut began = [0, 0];
    // Whichever version it is, it is that one from the first step to the last.
    for number in 0..8 {
        let name = format!("db{number}");
        ground.secret(&name);
        let (arn, code) = ground.turn(&name, &live);
        let number: u8 = arn.rsplit(':').next().unwrap().parse().unwrap();
        assert_eq!(code, registry::digest(number), "{arn}");
        began[usize::from(number - 1)] += 1;
        let described = ground.pawl.call("DescribeSecret", json!({"SecretId": name}));
        assert_eq!(described["RotationLambdaARN"], live);
    }
    println!("the alias led to version 1 {} times, and to version 2 {} times", began[0], began[1]);
    // All of them from now on.
    ground.registry.change(|function, rng| {
        let routing = Routing { version: "2".parse().unwrap(), weight: Weight::from_fraction(1.0).unwrap() };
        let request = AliasRequest { routing: Some(Some(routing)), ..Default::default() };
        let _ = function.update_alias(&"live".parse().unwrap(), request, None, rng).unwrap();
    });
    let registry = ground.registry.clone();
    ground.secret("db");
    ground.at(Moment::LoggedIn, move || registry.delete_alias("live"));
    assert_eq!(ground.turn("db", &live).0, format!("{FUNCTION}:2"));
}

#[test]
fn a_function_without_permission_is_refused_and_a_schedule_waits_for_it() {
    let ground = Ground::new();
    ground.secret("db");
    let refused = ground.refused("db");
    assert_eq!(refused["__type"], "AccessDeniedException");
    assert_eq!(
        refused["Message"].as_str().or(refused["message"].as_str()).unwrap(),
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the \
         principal secretsmanager.amazonaws.com."
    );
    let described = ground.pawl.call("DescribeSecret", json!({"SecretId": "db"}));
    assert!(
        described["RotationLambdaARN"].is_null() && described["RotationEnabled"].is_null(),
        "{described}"
    );

    ground.registry.permit(None);
    let _ = ground.turn("db", FUNCTION);
    let first = ground.pawl.value("db", "AWSCURRENT").unwrap();
    ground.registry.forbid();
    let _ = ground.pawl.cli(&["dev", "clock", "advance", "31d"]).ok();
    let told = eventually("the schedule says that it cannot begin", SOON, || {
        ground.events("RotationFailed").into_iter().find(|event| event["Retried"] == true)
    });
    assert!(told["Reason"].as_str().unwrap().contains("could not begin"), "{told}");
    assert_eq!(ground.pawl.value("db", "AWSCURRENT").unwrap(), first);
    let plan = ground.pawls("PlanRotations", &json!({})).json();
    assert_eq!(plan["Secrets"][0]["Warnings"][0]["Code"], "FunctionNotPermitted", "{plan}");
    assert!(registry::figures(&ground.pawl).contains("pawl_rotations_not_begun_total 1"));

    ground.registry.permit(None);
    let _ = ground.pawl.cli(&["dev", "clock", "advance", "20m"]).ok();
    eventually("and begins when it can", SOON, || {
        ground.pawl.value("db", "AWSCURRENT").filter(|value| *value != first)
    });
    assert_eq!(ground.postgres.login("db", &ground.pawl.password("db", "AWSCURRENT")), Login::Accepted);
}

#[test]
fn a_throttle_holds_up_no_rotation_whose_password_the_database_has() {
    let ground = Ground::permitted();
    ground.registry.reserve(Some(0));
    let token = ground.pawl.rotate("db", FUNCTION);
    eventually("the rotation waits", SOON, || {
        let rotation = ground.pawl.rotation("db");
        let reason = rotation["Failure"]["Reason"].as_str().unwrap_or_default().to_owned();
        (rotation["Status"] == "Running" && reason.contains("reserved")).then_some(())
    });
    assert_eq!(ground.postgres.login("db", "first-password"), Login::Accepted);
    ground.registry.reserve(Some(1));
    let _ = ground.ends_well("db", &token);

    let registry = ground.registry.clone();
    ground.at_and_kill(Moment::HasPassword, move || registry.reserve(Some(0)));
    let token = ground.pawl.rotate("db", FUNCTION);
    let mut ground = ground;
    ground.comes_back();
    let _ = ground.ends_well("db", &token);
}

#[test]
fn an_approval_that_is_taken_back_strands_nothing() {
    let ground = Ground::permitted();
    // Before the database has the password the rotation waits for the operator.
    let registry = ground.registry.clone();
    ground.at_and_kill(Moment::LoggedIn, move || registry.approve(Some(Grants::default())));
    let token = ground.pawl.rotate("db", FUNCTION);
    let mut ground = ground;
    ground.comes_back();
    eventually("the rotation waits", SOON, || {
        let reason = ground.pawl.rotation("db")["Failure"]["Reason"].as_str().unwrap_or_default().to_owned();
        (reason.contains("operator") && reason.contains("own-target")).then_some(())
    });
    assert_eq!(ground.postgres.login("db", "first-password"), Login::Accepted);
    ground.registry.approve(Some(registry::own_postgres()));
    let _ = ground.ends_well("db", &token);

    // Afterwards it goes on to its end with what it was approved for, and no other rotation begins.
    let registry = ground.registry.clone();
    ground.at_and_kill(Moment::HasPassword, move || registry.approve(None));
    let token = ground.pawl.rotate("db", FUNCTION);
    ground.comes_back();
    let _ = ground.ends_well("db", &token);
    let refused = ground.refused("db").to_string();
    assert!(
        refused.contains("AccessDeniedException") && refused.contains("pawl function approve mine"),
        "{refused}"
    );
}

#[test]
fn a_rehearsal_by_invoke_tries_every_step_and_changes_nothing() {
    let ground = Ground::permitted();
    let before =
        ground.pawl.call("ListSecretVersionIds", json!({"SecretId": "db", "IncludeDeprecated": true}));
    let versions = |listed: &Value| listed["Versions"].as_array().unwrap().len();
    for (step, would) in [
        ("createSecret", "store a new value"),
        ("setSecret", "change the password of db"),
        ("testSecret", ""),
        ("finishSecret", "move AWSCURRENT"),
    ] {
        let answer = ground.invoke(step, "db");
        assert_eq!(
            (answer.status, answer.header("x-amz-function-error")),
            (200, None),
            "{step}: {}",
            answer.body
        );
        assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
        let told = answer.json();
        assert_eq!((&told["step"], &told["outcome"]), (&json!(step), &json!("done")));
        assert!(told["would"].to_string().contains(would), "{step}: {told}");
        let log =
            base64::engine::general_purpose::STANDARD.decode(answer.header("x-amz-log-result").unwrap());
        let log = String::from_utf8(log.unwrap()).unwrap();
        for line in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "Max Memory Used: "] {
            assert!(log.contains(line), "{log}");
        }
        assert!(!log.contains("Max Memory Used: 0 MB") && !log.contains("first-password"), "{log}");
    }
    let after =
        ground.pawl.call("ListSecretVersionIds", json!({"SecretId": "db", "IncludeDeprecated": true}));
    assert_eq!((versions(&before), versions(&after)), (1, 1), "{after}");
    let described = ground.pawl.call("DescribeSecret", json!({"SecretId": "db"}));
    assert!(described["RotationLambdaARN"].is_null(), "{described}");
    assert_eq!(ground.postgres.login("db", "first-password"), Login::Accepted);
    assert!(!ground.postgres.log().contains("PASSWORD 'SCRAM"), "nothing reached the wire");
    assert!(ground.postgres.refused_logins().is_empty(), "{:?}", ground.postgres.refused_logins());

    // What goes wrong is the function's answer, as on AWS.
    let absent = ground.invoke("testSecret", "absent");
    assert_eq!((absent.status, absent.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(absent.json()["errorType"], "ResourceNotFoundException", "{}", absent.body);
    let no_event = ground.invoke_with(&json!({"key1": "value1"}));
    assert_eq!(no_event.header("x-amz-function-error"), Some("Unhandled"), "{}", no_event.body);
    ground.registry.reserve(Some(0));
    assert_eq!(ground.invoke("testSecret", "db").status, 429);
    ground.registry.reserve(None);

    // Rehearsals cannot lock an account.
    ground.postgres.create_role("wrong", "the-real-one");
    let _ = ground.pawl.create("db/wrong", &database_secret(ground.proxy.port(), "wrong", "another"));
    let answers: Vec<_> = (0..6).map(|_| ground.invoke("setSecret", "db/wrong")).collect();
    assert!(answers.iter().all(|answer| answer.header("x-amz-function-error") == Some("Unhandled")));
    assert!(answers.last().unwrap().body.contains("in a row"), "{}", answers.last().unwrap().body);
    assert_eq!(ground.postgres.refused_logins().len(), 4);
}
