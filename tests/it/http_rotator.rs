//! A rotator for a system that Pawl never heard of: an API key that is rotated over HTTP, through every accident, and what a rotator
//! may not ask or see.

mod captured;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::artifacts;
use pawl_tests::keyservice::{Asked, KeyService, Moment, Then};
use pawl_tests::needles::Needles;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::process::Server;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(90);
const FIRST: &str = "first-key-of-the-canary-0123456789";
const KEY_ROTATOR: &str = "arn:aws:lambda:us-east-1:000000000000:function:pawl-http-api-key";

fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

/// What an operator writes for the built-in rotator and a service.
fn manifest(origin: &str) -> String {
    format!(
        r#"[grants]
pending-fields = ["api_key"]

[[grants.http]]
origin = "{origin}"
methods = ["GET", "PUT"]
paths = ["/v1/users/*/key"]
sensitive = ["header:authorization", "body"]

[environment]
HTTP_SET_URL = "{origin}/v1/users/{{username}}/key"
HTTP_IDEMPOTENCY_HEADER = "idempotency-key"
"#
    )
}

/// A service, and a host that may rotate its keys.
struct Ground {
    service: KeyService,
    pawl: Pawl,
    /// Kept as long as the host runs.
    _functions: Scratch,
}

impl Ground {
    fn new(watcher: impl Fn(Moment, &Asked) -> Then + Send + Sync + 'static) -> Self {
        Self::with(KeyService::start(watcher), manifest)
    }

    fn with(service: KeyService, manifest: impl Fn(&str) -> String) -> Self {
        let functions = Scratch::new("http-functions");
        let path = functions.path().join("pawl-http-api-key.toml");
        std::fs::write(path, manifest(&service.origin())).unwrap();
        Self::started(service, functions)
    }

    fn started(service: KeyService, functions: Scratch) -> Self {
        let pawl = Pawl::start(Options {
            functions: Some(functions.path().to_owned()),
            trace: true,
            ..Options::default()
        });
        service.give("app", FIRST);
        let ground = Self { service, pawl, _functions: functions };
        ground.create("key");
        ground
    }

    fn create(&self, secret: &str) {
        let value = json!({"username": "app", "api_key": FIRST, "note": "kept as it is"}).to_string();
        let _ = self.pawl.create(secret, &value);
    }

    fn key(&self, label: &str) -> String {
        self.key_of("key", label)
    }

    fn key_of(&self, secret: &str, label: &str) -> String {
        let (_, value) = self.pawl.value(secret, label).unwrap();
        let value: Value = serde_json::from_str(&value).unwrap();
        assert_eq!((&value["username"], &value["note"]), (&json!("app"), &json!("kept as it is")));
        value["api_key"].as_str().unwrap().to_owned()
    }

    /// Rotates with a function that fails for good; gives why. No key is in what the host and the rotation have said.
    fn refused(&self, secret: &str, function: &str) -> String {
        let _ = self.pawl.rotate(secret, function);
        let reason = eventually("a failure that is not tried again", SOON, || {
            let rotation = self.pawl.rotation(secret);
            let ended = rotation["Status"] != "Running";
            rotation["Failure"]["Reason"].as_str().filter(|_| ended).map(str::to_owned)
        });
        assert_eq!(self.key_of(secret, "AWSCURRENT"), FIRST);
        self.is_silent(secret);
        reason
    }

    fn is_silent(&self, secret: &str) {
        let mut hidden = vec![FIRST.to_owned()];
        hidden.extend(self.service.set());
        if self.pawl.value(secret, "AWSPENDING").is_some() {
            hidden.push(self.key_of(secret, "AWSPENDING"));
        }
        let needles = Needles::of(&hidden);
        for said in [self.pawl.log(), self.pawl.printed(), self.pawl.rotation(secret).to_string()] {
            assert_eq!(needles.first_in(said.as_bytes()), None, "{said}");
        }
    }
}

#[test]
fn a_key_is_rotated_over_http_and_the_old_one_opens_nothing() {
    let ground = Ground::new(|_, _| Then::Go);
    let mut old = FIRST.to_owned();
    for round in 1..=2 {
        let token = ground.pawl.rotate("key", KEY_ROTATOR);
        ground.pawl.await_rotation("key", &token, SOON);
        let new = ground.key("AWSCURRENT");
        assert_eq!((ground.service.key("app"), new.len()), (Some(new.clone()), 40));
        assert_eq!((ground.key("AWSPREVIOUS"), ground.service.set().len()), (old, round));
        let set = ground.service.asked().into_iter().rfind(|asked| asked.method == "PUT").unwrap();
        assert_eq!((set.path.as_str(), &set.headers["idempotency-key"]), ("/v1/users/app/key", &token));
        assert!(set.body == json!({"key": new}).to_string().replace(':', ": "));
        old = new;
    }
    ground.is_silent("key");
}

#[test]
fn a_host_that_is_killed_at_any_moment_of_it_goes_on_with_the_same_key() {
    let (count, kill_at, kills): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) = <_>::default();
    let server: Arc<Mutex<Server>> = Arc::default();
    let (its_count, its_kill_at, its_kills) = (Arc::clone(&count), Arc::clone(&kill_at), Arc::clone(&kills));
    let its_server = Arc::clone(&server);
    let mut ground = Ground::new(move |_, _| {
        if its_count.fetch_add(1, Ordering::SeqCst) + 1 == its_kill_at.load(Ordering::SeqCst) {
            its_server.lock().unwrap().kill9();
            its_kills.fetch_add(1, Ordering::SeqCst);
            return Then::Cut;
        }
        Then::Go
    });
    // The PUT, its effect, and the GET of the test.
    for moment in 1..=3 {
        count.store(0, Ordering::SeqCst);
        kill_at.store(moment, Ordering::SeqCst);
        *server.lock().unwrap() = ground.pawl.server();
        let before = ground.service.set().len();
        let token = ground.pawl.rotate("key", KEY_ROTATOR);
        eventually("the host is killed", SOON, || (kills.load(Ordering::SeqCst) == moment).then_some(()));
        ground.pawl.resume();
        ground.pawl.await_rotation("key", &token, SOON);
        let new = ground.key("AWSCURRENT");
        assert_eq!(ground.service.key("app"), Some(new.clone()), "moment {moment}");
        let set = ground.service.set();
        assert!(
            set.len() > before && set[before..].iter().all(|key| *key == new),
            "moment {moment}: a second key"
        );
    }
    ground.is_silent("key");
}

#[test]
fn an_answer_that_is_lost_is_found_out_and_a_server_that_fails_is_asked_again() {
    let script = Arc::new(Mutex::new(Vec::new()));
    let its_script = Arc::clone(&script);
    let ground = Ground::new(move |moment, asked| {
        let mut script = its_script.lock().unwrap();
        match script.last() {
            Some((wanted, _)) if asked.method == "PUT" && *wanted == moment => script.pop().unwrap().1,
            _ => Then::Go,
        }
    });
    for accident in [
        (Moment::Asked, Then::answer(503, "", "")),
        (Moment::Asked, Then::Cut),
        (Moment::Set, Then::Cut),
        (Moment::Set, Then::Answer(b"HTTP/1.1 20".to_vec())),
        (Moment::Set, Then::answer(500, "", "")),
        (Moment::Set, Then::Silence),
    ] {
        let told = format!("{accident:?}");
        let before = ground.service.set().len();
        script.lock().unwrap().push(accident);
        let token = ground.pawl.rotate("key", KEY_ROTATOR);
        ground.pawl.await_rotation("key", &token, SOON);
        assert_eq!(ground.service.key("app"), Some(ground.key("AWSCURRENT")), "{told}");
        assert_eq!(ground.service.set().len(), before + 1, "{told}: set once");
        assert!(script.lock().unwrap().is_empty(), "{told} has happened");
    }
}

#[test]
fn a_service_that_has_an_older_key_is_healed() {
    let ground = Ground::new(|_, _| Then::Go);
    ground.pawl.await_rotation("key", &ground.pawl.rotate("key", KEY_ROTATOR), SOON);
    // As after a restore from a backup.
    ground.service.give("app", FIRST);
    ground.pawl.await_rotation("key", &ground.pawl.rotate("key", KEY_ROTATOR), SOON);
    assert_eq!(ground.service.key("app"), Some(ground.key("AWSCURRENT")));
}

#[test]
fn a_redirect_is_not_followed_and_a_key_that_is_not_accepted_is_not_promoted() {
    let elsewhere = KeyService::calm();
    let location = format!("location: {}/v1/users/app/key\r\n", elsewhere.origin());
    let ground = Ground::new(move |_, _| Then::answer(307, &location, ""));
    let reason = ground.refused("key", KEY_ROTATOR);
    assert!(reason.contains("status 307"), "{reason}");
    assert!(elsewhere.asked().is_empty(), "the key went elsewhere");

    // A service that says yes to everything and forgets what it was told: the test fails, and the old key stays.
    let ground = Ground::new(|_, asked| match asked.method.as_str() {
        "PUT" => Then::answer(204, "", ""),
        _ => Then::Go,
    });
    let reason = ground.refused("key", KEY_ROTATOR);
    assert!(reason.contains("asking with the new key: the server answered with status 401"), "{reason}");
}

#[test]
fn what_the_operator_did_not_grant_is_not_sent() {
    type Lesser = fn(&str) -> String;
    let lesser: [(&str, Lesser); 6] = [
        ("PUT", |origin| manifest(origin).replace(r#""GET", "PUT""#, r#""GET""#)),
        ("/v1/users/app/key", |origin| {
            manifest(origin).replace(r#"["/v1/users/*/key"]"#, r#"["/v1/users/*"]"#)
        }),
        ("body", |origin| manifest(origin).replace(r#", "body""#, "")),
        ("127.0.0.1", |origin| {
            let other = origin.replace("127.0.0.1", "localhost");
            manifest(origin).replace(&format!("origin = \"{origin}\""), &format!("origin = \"{other}\""))
        }),
        ("egress rule", |origin| manifest(origin).replace(origin, "http://169.254.169.254")),
        ("URL", |origin| manifest(origin).replace("{username}/key", "{username}/../app/key")),
    ];
    for (named, manifest) in lesser {
        let ground = Ground::with(KeyService::calm(), manifest);
        let reason = ground.refused("key", KEY_ROTATOR);
        assert!(reason.contains(named), "{named}: {reason}");
        assert!(ground.service.asked().is_empty(), "{named}");
    }
}

#[test]
fn an_echo_ends_the_step_and_reaches_neither_the_rotator_nor_a_log() {
    let service = KeyService::start(|_, asked| {
        let given = &asked.headers["authorization"];
        let text = |body: &str| Then::answer(200, "content-type: text/plain\r\n", body);
        match asked.path.split('/').nth(3) {
            Some("header") => Then::answer(200, &format!("x-echo: {given}\r\n"), ""),
            Some("json") => {
                let body = json!({"you": {"sent": asked.body, "as": given}}).to_string();
                Then::answer(200, "content-type: application/json\r\n", &body)
            }
            Some("base64") => text(&STANDARD.encode(format!("> {given}"))),
            Some("hex") => Then::answer(401, "content-type: text/plain\r\n", &hex::encode_upper(&asked.body)),
            Some("piece") => text(&FIRST[9..22]),
            _ => text(&asked.body),
        }
    });
    let (component, functions) = (artifacts::guest("guest-asks"), Scratch::new("asks-functions"));
    let origin = service.origin();
    let echoes = ["plain", "header", "json", "base64", "hex", "piece"];
    for (name, whole) in echoes.iter().map(|name| (*name, " whole")).chain([("status", "")]) {
        std::fs::copy(&component, functions.path().join(format!("{name}.wasm"))).unwrap();
        let grants = manifest(&origin).replace("[environment]", "answers = true\n\n[environment]");
        let text = format!("{grants}ASK = \"PUT {origin}/v1/users/{name}/key{whole}\"\n");
        std::fs::write(functions.path().join(format!("{name}.toml")), text).unwrap();
    }
    let ground = Ground::started(service, functions);
    for name in echoes {
        ground.create(name);
        let reason = ground.refused(name, &function(name));
        assert!(reason.contains("holds a sensitive value"), "{name}: {reason}");
        assert!(!ground.pawl.rotation(name)["Log"].to_string().contains("answered"), "{name}");
    }
    // The status alone is harmless; and a rotator that tests nothing proves nothing.
    let reason = ground.refused("key", &function("status"));
    assert!(reason.contains("no server has accepted"), "{reason}");
    let log = ground.pawl.rotation("key")["Log"].to_string();
    assert!(log.contains("answered: 200"), "{log}");
}
