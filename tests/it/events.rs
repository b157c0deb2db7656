//! What happened: the history of rotations, the events that callers follow, and the receiver that is told of each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver as Channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pawl_tests::database::Database;
use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::Postgres;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);
/// Part of the receiver's address: whoever knows it can write to it.
const PATH: &str = "/hook/canary-path-7d10";
/// What messages are signed with.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// All events, by the command line.
fn events(pawl: &Pawl) -> Vec<Value> {
    let printed = pawl.cli(&["events", "--after", "0", "--output", "json"]).ok();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["Type"].as_str().unwrap()).collect()
}

#[test]
fn rotations_leave_a_history_and_are_told() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "canary-first");
    let _ = pawl.create("prod/db", &database_secret(postgres.port(), "app", "canary-first"));
    assert_eq!(pawl.cli(&["rotate", "prod/db", "--history"]).ok(), "prod/db has not been rotated yet\n");
    let token = pawl.rotate("prod/db", POSTGRES_ROTATOR);
    pawl.await_rotation("prod/db", &token, SOON);
    let second = pawl.password("prod/db", "AWSCURRENT");
    postgres.alter_role("app", "canary-elsewhere");
    let _ = pawl.rotate("prod/db", POSTGRES_ROTATOR);
    eventually("the rotation gives up", SOON, || {
        (pawl.rotation("prod/db")["Status"] == "Failed").then_some(())
    });

    let history = pawl.cli(&["rotate", "prod/db", "--history", "--output", "json"]).json();
    let rotations = history["Rotations"].as_array().unwrap();
    assert_eq!(rotations.len(), 2);
    let (failed, done) = (&rotations[0], &rotations[1]);
    assert_eq!((&failed["Status"], &failed["Number"]), (&json!("Failed"), &json!(2)));
    assert!(failed["Failure"]["Reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!((&done["Status"], &done["Number"]), (&json!("Succeeded"), &json!(1)));
    assert_eq!(done["VersionId"], json!(token));
    let steps: Vec<&str> =
        done["Steps"].as_array().unwrap().iter().map(|step| step["Step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["createSecret", "setSecret", "testSecret", "finishSecret"]);
    assert!(done["FunctionDigest"].as_str().unwrap().len() > 32);
    assert!(done["GapMicroseconds"].as_u64().is_some_and(|gap| gap < 60_000_000), "{done}");
    let table = pawl.cli(&["rotate", "prod/db", "--history"]).ok();
    assert!(table.starts_with("NUMBER  REQUESTED"), "{table}");
    let page = pawl.cli(&["rotate", "prod/db", "--history", "--last", "1", "--details"]).ok();
    assert!(
        page.starts_with("#2  ") && page.ends_with("there are more: ask for them with --last\n"),
        "{page}"
    );

    let told = events(&pawl);
    let of_rotation: Vec<&str> = types(&told)
        .into_iter()
        .filter(|kind| kind.starts_with("Rotation") || *kind == "VersionPromoted")
        .collect();
    let expected =
        ["RotationStarted", "VersionPromoted", "RotationSucceeded", "RotationStarted", "RotationFailed"];
    assert_eq!(of_rotation, expected, "{told:?}");
    assert!(told.windows(2).all(|two| two[0]["Sequence"].as_u64() < two[1]["Sequence"].as_u64()));
    let failures =
        pawl.cli(&["events", "--after", "0", "--type", "RotationFailed", "--secret", "prod/db"]).ok();
    assert!(failures.lines().count() == 1 && failures.contains("(a person must act)"), "{failures}");
    assert_eq!(pawl.cli(&["events", "--after", "0", "--secret", "other"]).ok(), "");

    let doctor = pawl.cli(&["doctor"]);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("FAIL  rotations that have failed: 1 (arn:"), "{}", doctor.stdout);
    let page = metrics(&pawl);
    assert!(page.contains("pawl_rotation_states{state=\"failed\"} 1\n"), "{page}");
    let everything = format!("{told:?}{history}{table}{page}");
    for password in ["canary-first", "canary-elsewhere", &second] {
        assert!(!everything.contains(password));
    }
}

fn metrics(pawl: &Pawl) -> String {
    let headers = vec![("host".to_owned(), pawl.address().to_string())];
    let request =
        Request { method: "GET".to_owned(), path: "/metrics".to_owned(), headers, body: Vec::new() };
    request.send(pawl.address()).body
}

/// A `pawl events --follow`, and what it prints.
struct Follower {
    child: Child,
    lines: Channel<String>,
}

impl Follower {
    fn of(pawl: &Pawl, arguments: &[&str]) -> Self {
        let mut command = Command::new(pawl_tests::artifacts::pawl());
        pawl.client(&mut command);
        command.args(["events", "--follow", "--output", "json"]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let printed = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(SOON).unwrap()).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn who_follows_sees_what_comes_and_survives_a_restart() {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.create("one", "value");
    let follower = Follower::of(&pawl, &["--after", "0", "--type", "SecretCreated"]);
    assert_eq!(follower.next()["SecretName"], "one");
    let _ = pawl.create("two", "value");
    assert_eq!(follower.next()["SecretName"], "two");
    // A host that stops does not wait for those who wait.
    assert_eq!(pawl.terminate(), Some(0));
    let address = pawl.address();
    pawl.resume();
    let _ = pawl.create("three", "value");
    // It has another port now, so this one is of the new server; numbers go on.
    assert_ne!(address, pawl.address());
    let again = Follower::of(&pawl, &["--after", "1"]);
    assert_eq!(again.next()["SecretName"], "two");
    assert_eq!(again.next()["SecretName"], "three");
}

#[test]
fn who_follows_one_host_sees_what_another_does() {
    let database = Database::new();
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let first = Pawl::start(on(None));
    let second = Pawl::start(on(first.root_key()));
    let follower = Follower::of(&first, &["--after", "0"]);
    for name in ["one", "two", "three"] {
        let _ = second.create(name, "value");
        assert_eq!(follower.next()["SecretName"], name);
    }
}

/// One request, as the receiver got it.
#[derive(Clone, Debug)]
struct Told {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn event(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["data"].clone()
    }
}

/// A webhook's receiver that first answers what it was given, and 200 from then on.
struct Hook {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    stop: Arc<Mutex<bool>>,
}

impl Hook {
    fn start(address: &str, first: &[&str]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (told, stop): (Arc<Mutex<Vec<Told>>>, Arc<Mutex<bool>>) = Default::default();
        let (its, stopped) = (told.clone(), stop.clone());
        let mut answers = first.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>().into_iter();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if *stopped.lock().unwrap() {
                    break;
                }
                let answer = answers.next().unwrap_or_else(|| "200 OK".to_owned());
                if let Some(request) = receive(stream, &answer) {
                    its.lock().unwrap().push(request);
                }
            }
        });
        Self { address, told, stop }
    }

    fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Nobody answers there any more.
    fn stop(&self) {
        *self.stop.lock().unwrap() = true;
        let _ = TcpStream::connect_timeout(&self.address, SOON);
        eventually("the receiver is gone", SOON, || TcpStream::connect_timeout(&self.address, SOON).err());
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What it has been told of, once each, in the order of the first time.
    fn names(&self) -> Vec<String> {
        let mut seen: Vec<(String, String)> = Vec::new();
        for told in self.told() {
            let id = told.header("webhook-id").to_owned();
            if !seen.iter().any(|(known, _)| *known == id) {
                seen.push((id, told.event()["SecretName"].as_str().unwrap().to_owned()));
            }
        }
        seen.into_iter().map(|(_, name)| name).collect()
    }

    fn await_names(&self, names: &[&str]) {
        eventually(&format!("the receiver knows of {names:?}"), SOON, || {
            self.names()
                .ends_with(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .then_some(())
        });
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        *self.stop.lock().unwrap() = true;
        let _ = TcpStream::connect_timeout(&self.address, SOON);
    }
}

fn receive(mut stream: TcpStream, answer: &str) -> Option<Told> {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length: usize = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let more = if answer.starts_with("302") { "location: /elsewhere\r\n" } else { "" };
    let text = format!("HTTP/1.1 {answer}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).ok()?;
    Some(Told { path, headers, body: String::from_utf8(body).unwrap() })
}

/// The signature as the specification has it, by other code than the product's.
fn is_signed(told: &Told) -> bool {
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, at) = (told.header("webhook-id"), told.header("webhook-timestamp"));
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", told.body.as_bytes()] {
        mac.update(part);
    }
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    told.header("webhook-signature") == format!("v1,{signature}")
}

fn hooked(hook: &Hook, scratch: &Scratch) -> Vec<(&'static str, String)> {
    let file = scratch.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    vec![("PAWL_WEBHOOK_URL", hook.url()), ("PAWL_WEBHOOK_SECRET_FILE", file.to_str().unwrap().to_owned())]
}

#[test]
fn a_receiver_is_told_of_everything_in_order_whatever_happens() {
    let (postgres, scratch) = (Postgres::start(), Scratch::new("webhook"));
    let hook = Hook::start("127.0.0.1:0", &["302 Found", "500 Internal Server Error"]);
    let mut pawl = Pawl::start(Options { environment: hooked(&hook, &scratch), ..Options::default() });
    let _ = pawl.create("one", "canary-value");
    let _ = pawl.create("two", "canary-value");
    hook.await_names(&["one", "two"]);
    let told = hook.told();
    assert_eq!(told.len(), 4, "a redirection, a failure, and both");
    assert!(told.iter().all(|told| told.path == PATH), "nothing follows a redirection");
    assert!(told.iter().all(is_signed));
    assert_eq!(told[0].header("webhook-id"), told[2].header("webhook-id"), "it is known when it comes again");
    assert_ne!(told[2].header("webhook-id"), told[3].header("webhook-id"));
    let message: Value = serde_json::from_str(&told[3].body).unwrap();
    assert_eq!(
        (&message["type"], &message["data"]["Type"]),
        (&json!("SecretCreated"), &json!("SecretCreated"))
    );
    assert_eq!(message["data"], *events(&pawl).last().unwrap(), "what callers see as well");

    // It is down: rotations do not mind, and nothing is lost with the host.
    hook.stop();
    postgres.create_role("app", "canary-value");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "canary-value"));
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), SOON);
    eventually("the figures say that events wait", SOON, || {
        let page = metrics(&pawl);
        let waiting = page.lines().find_map(|line| line.strip_prefix("pawl_webhook_waiting "));
        waiting.and_then(|text| text.parse::<f64>().ok()).filter(|waiting| *waiting > 1.0)
    });
    pawl.kill9();
    pawl.resume();
    let known: Vec<String> =
        events(&pawl).iter().map(|event| event["EventId"].as_str().unwrap().to_owned()).collect();
    let back = Hook::start(&hook.address.to_string(), &[]);
    eventually("the receiver has caught up", SOON, || {
        let told = back.told();
        told.iter().any(|told| told.header("webhook-id") == known.last().unwrap()).then_some(())
    });
    let mut heard: Vec<String> = Vec::new();
    for told in hook.told().into_iter().chain(back.told()) {
        assert!(is_signed(&told) && !told.body.contains("canary-value"));
        let id = told.header("webhook-id").to_owned();
        if !heard.contains(&id) {
            heard.push(id);
        }
    }
    assert_eq!(heard, known, "everything, in order");
    assert!(!pawl.log().contains("canary-path"), "the address may hold a secret");
}

#[test]
fn one_host_of_several_tells_the_receiver() {
    let (database, scratch) = (Database::new(), Scratch::new("webhook"));
    let hook = Hook::start("127.0.0.1:0", &[]);
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        environment: hooked(&hook, &scratch),
        ..Options::default()
    };
    let first = Pawl::start(on(None));
    let second = Pawl::start(on(first.root_key()));
    let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let _ = if number % 2 == 0 { &first } else { &second }.create(name, "value");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    hook.await_names(&names);
    assert_eq!(hook.told().len(), 10, "each once");
    // Whichever it was, it is the other one's turn when it ends.
    assert_eq!(first.terminate(), Some(0));
    let _ = second.create("after", "value");
    hook.await_names(&["after"]);
}

#[test]
fn a_receiver_in_clear_on_another_machine_is_refused() {
    let scratch = Scratch::new("webhook");
    let file = scratch.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let environment = vec![
        ("PAWL_WEBHOOK_URL", "http://192.0.2.1/canary-path".to_owned()),
        ("PAWL_WEBHOOK_SECRET_FILE", file.to_str().unwrap().to_owned()),
    ];
    let mut pawl = Pawl::prepare(Options { environment, ..Options::default() });
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("is not encrypted") && !why.contains("canary-path"), "{why}");
}
