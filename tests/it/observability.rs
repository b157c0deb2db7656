//! What an operator sees of a host: its figures, its log lines and its traces; and what nobody sees in any of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use pawl_tests::http::Request;
use pawl_tests::needles::Needles;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, SECRET_ACCESS_KEY, Store};
use pawl_tests::postgres::{Postgres, free_port};
use pawl_tests::wait::eventually;
use prost::Message as _;
use serde_json::{Value, json};

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);
/// A name, and a value: neither may be seen.
const NAME: &str = "canary-name-0f6b2d";
const VALUE: &str = "canary-value-93c1e7";

fn get(pawl: &Pawl, path: &str) -> pawl_tests::http::Answer {
    let host = pawl.address().to_string();
    let headers = vec![("host".to_owned(), host)];
    Request { method: "GET".to_owned(), path: path.to_owned(), headers, body: Vec::new() }
        .send(pawl.address())
}

fn figures(pawl: &Pawl) -> String {
    let answer = get(pawl, "/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(answer.body.ends_with("# EOF\n"));
    answer.body
}

/// The figure of one series; 0 where there is none yet.
fn figure(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |figure| figure.parse().unwrap())
}

/// A database's secret under [`NAME`], rotated once well and then failing, for its password was changed behind its back.
fn rotate_well_and_badly(pawl: &Pawl, postgres: &Postgres) -> Vec<String> {
    postgres.create_role("app", VALUE);
    let _ = pawl.create(NAME, &database_secret(postgres.port(), "app", VALUE));
    pawl.await_rotation(NAME, &pawl.rotate(NAME, POSTGRES_ROTATOR), SOON);
    let current = pawl.password(NAME, "AWSCURRENT");
    postgres.alter_role("app", "canary-elsewhere-51d0");
    let _ = pawl.rotate(NAME, POSTGRES_ROTATOR);
    eventually("the rotation gives up", SOON, || (pawl.rotation(NAME)["Status"] == "Failed").then_some(()));
    let pending = pawl.value(NAME, "AWSPENDING").map(|(_, value)| value).unwrap_or_default();
    let pending: Value = serde_json::from_str(&pending).unwrap_or_default();
    let pending = pending["password"].as_str().unwrap_or(VALUE).to_owned();
    vec![VALUE.to_owned(), current, pending, "canary-elsewhere-51d0".to_owned()]
}

#[test]
fn figures_are_right_and_name_no_secret() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("counted", "value");
    for _ in 0..3 {
        let _ = pawl.call("GetSecretValue", json!({"SecretId": "counted"}));
    }
    let refused = pawl.try_call("GetSecretValue", &json!({"SecretId": "absent"}));
    assert_eq!(refused.code(), "ResourceNotFoundException");
    let page = figures(&pawl);
    let requests = |operation: &str, code: &str| {
        figure(
            &page,
            &format!(
                "pawl_requests_total{{service=\"secretsmanager\",operation=\"{operation}\",code=\"{code}\"}}"
            ),
        )
    };
    assert_eq!(requests("CreateSecret", "OK"), 1.0);
    assert_eq!(requests("GetSecretValue", "OK"), 3.0);
    assert_eq!(requests("GetSecretValue", "ResourceNotFoundException"), 1.0);
    assert_eq!(
        figure(
            &page,
            "pawl_request_duration_seconds_count{service=\"secretsmanager\",operation=\"GetSecretValue\"}"
        ),
        4.0
    );
    assert_eq!(figure(&page, "pawl_requests_in_flight"), 0.0);
    assert_eq!(figure(&page, "pawl_store_up"), 1.0);
    assert!(figure(&page, "pawl_store_commit_duration_seconds_count") >= 1.0);
    assert_eq!(figure(&page, "pawl_cache_secrets"), 1.0);
    assert!(figure(&page, "pawl_cache_hits_total") >= 3.0);
    assert!(figure(&page, "process_start_time_seconds") > 1e9);
    assert!(figure(&page, "process_resident_memory_bytes") > 1e6);
    assert!(figure(&page, "process_open_fds") > 3.0);

    // What anybody can send makes no series of its own.
    for number in 0..20 {
        let _ = pawl.request(&format!("secretsmanager.Made{number}"), b"{}").send(pawl.address());
        let _ = get(&pawl, &format!("/made/{number}"));
    }
    let page = figures(&pawl);
    let unknown = "pawl_requests_total{service=\"unknown\",operation=\"unknown\",code=\"MissingAuthenticationTokenException\"}";
    assert_eq!(figure(&page, unknown), 40.0);
    assert!(!page.contains("Made") && !page.contains("made"));

    let hidden = rotate_well_and_badly(&pawl, &postgres);
    let page = figures(&pawl);
    let function = "function=\"pawl-postgres-single-user\"";
    let ended = |status: &str| {
        figure(&page, &format!("pawl_rotations_ended_total{{{function},status=\"{status}\"}}"))
    };
    assert_eq!((ended("succeeded"), ended("failed"), ended("stranded")), (1.0, 1.0, 0.0));
    let step = format!("pawl_rotation_steps_total{{{function},step=\"finishSecret\",outcome=\"done\"}}");
    assert_eq!(figure(&page, &step), 1.0);
    assert!(figure(&page, "pawl_database_logins_total{engine=\"postgres\",outcome=\"ok\"}") >= 1.0);
    assert!(figure(&page, "pawl_database_logins_total{engine=\"postgres\",outcome=\"refused\"}") >= 1.0);
    assert!(figure(&page, "pawl_workers_started_total") >= 1.0);
    assert_eq!(figure(&page, "pawl_rotations_running"), 0.0);
    for word in [NAME, "counted", "arn:", "canary"].into_iter().chain(hidden.iter().map(String::as_str)) {
        assert!(!page.contains(word), "`{word}` is in:\n{page}");
    }
}

/// A collector of traces that keeps what it is sent.
struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                std::thread::spawn(move || collect(stream, &kept));
            }
        });
        Self { address, bodies }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }

    /// Every span so far, and with it what its resource is called.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.bodies() {
            for of_resource in ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans {
                let resource = of_resource.resource.unwrap();
                let named = |key: &str, value: &str| {
                    resource
                        .attributes
                        .iter()
                        .any(|pair| pair.key == key && text(pair.value.as_ref()) == value)
                };
                assert!(named("service.name", "pawl"), "{resource:?}");
                spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }
}

/// Takes requests from one connection until it ends.
fn collect(mut stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut held = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = held.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&held[..end]).to_ascii_lowercase();
            assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
            let whole = end + 4 + length.trim().parse::<usize>().unwrap();
            if held.len() >= whole {
                kept.lock().unwrap().push(held[end + 4..whole].to_vec());
                held.drain(..whole);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                continue;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => held.extend_from_slice(&buffer[..read]),
        }
    }
}

fn text(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    span.attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

#[test]
fn traces_tell_what_was_done_and_to_nothing_by_name() {
    let postgres = Postgres::start();
    let collector = Collector::start();
    let endpoint = format!("http://{}", collector.address);
    let environment = vec![("PAWL_OTLP_ENDPOINT", endpoint)];
    let pawl = Pawl::start(Options { environment, trace: true, ..Options::default() });
    let mut hidden = rotate_well_and_badly(&pawl, &postgres);
    let body =
        json!({"SecretId": NAME, "SecretString": VALUE, "ClientRequestToken": pawl_tests::aws::token()});
    let put = pawl.signed("PutSecretValue", &body);
    let signature =
        put.headers.iter().find_map(|(_, value)| value.split_once("Signature=")).unwrap().1.to_owned();
    let answer = put.send(pawl.address());
    assert_eq!(answer.status, 200);
    let id = answer.header("x-amzn-requestid").unwrap().to_owned();
    // What is still in the queue is sent before the process ends.
    assert_eq!(pawl.terminate(), Some(0));

    let spans = collector.spans();
    let put = spans.iter().find(|span| attributes(span).get("request.id") == Some(&id)).unwrap();
    assert_eq!(put.name, "PutSecretValue");
    let told = attributes(put);
    let expected =
        [("operation", "PutSecretValue"), ("region", "us-east-1"), ("code", "OK"), ("status", "200")];
    for (key, value) in expected {
        assert_eq!(told.get(key).map(String::as_str), Some(value), "{told:?}");
    }
    let commit = spans.iter().find(|span| span.parent_span_id == put.span_id).unwrap();
    assert_eq!((commit.name.as_str(), &commit.trace_id), ("store.commit", &put.trace_id));

    let done = |span: &&Span| attributes(span).get("outcome").map(String::as_str) == Some("done");
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        let span = spans.iter().filter(|span| span.name == step).find(done).unwrap();
        let rotation = spans.iter().find(|other| other.span_id == span.parent_span_id).unwrap();
        assert_eq!((rotation.name.as_str(), rotation.parent_span_id.is_empty()), ("rotation", true));
    }
    let failed =
        spans.iter().find(|span| attributes(span).get("outcome").is_some_and(|was| was == "permanent"));
    let error = opentelemetry_proto::tonic::trace::v1::status::StatusCode::Error as i32;
    assert_eq!(failed.unwrap().status.as_ref().unwrap().code, error);
    assert!(spans.iter().all(|span| span.events.is_empty()), "log lines stay");

    hidden.extend([NAME.to_owned(), SECRET_ACCESS_KEY.to_owned(), signature, "canary-name".to_owned()]);
    let needles = Needles::of(&hidden);
    for body in collector.bodies() {
        if let Some((text, _)) = needles.first_in(&body) {
            panic!("`{text}` has left the machine in {}", String::from_utf8_lossy(&body));
        }
        assert!(!String::from_utf8_lossy(&body).contains("arn:"), "an ARN has left the machine");
    }
    let log = pawl.log();
    assert!(log.contains(NAME), "the log, which stays, is what names secrets");
}

#[test]
fn a_collector_that_is_not_there_costs_nothing_but_spans() {
    let endpoint = format!("http://127.0.0.1:{}", free_port());
    let pawl = Pawl::start(Options {
        environment: vec![
            ("PAWL_OTLP_ENDPOINT", endpoint),
            // The SDK's own setting: a batch is sent at once.
            ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
        ],
        ..Options::default()
    });
    let _ = pawl.create("a", "b");
    // More than the queue holds.
    for _ in 0..3_000 {
        assert_eq!(get(&pawl, "/nothing").status, 400);
    }
    eventually("it is told", SOON, || {
        pawl.log().contains("the collector does not take traces").then_some(())
    });
    assert_eq!(pawl.value("a", "AWSCURRENT").unwrap().1, "b");
    assert_eq!(pawl.terminate(), Some(0));
    assert_eq!(
        pawl.log().matches("the collector does not take traces").count(),
        1,
        "once, and not for every batch"
    );
}

/// The answer to a request that the host fails to carry out: its secret's row was damaged.
fn failing(pawl: &mut Pawl) -> String {
    let _ = pawl.create("damaged", "value");
    let damage =
        "SET session_replication_role = replica; UPDATE secrets SET document = '{}' WHERE name = 'damaged'";
    let _ = pawl.database().unwrap().admin(damage);
    pawl.kill9();
    pawl.resume();
    let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": "damaged"}));
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalServiceError"));
    assert!(!answer.body.contains("document"), "{}", answer.body);
    answer.header("x-amzn-requestid").unwrap().to_owned()
}

#[test]
fn what_failed_is_found_in_the_log_by_the_id_of_its_request() {
    let environment = vec![("PAWL_LOG_FORMAT", "json".to_owned())];
    let mut pawl = Pawl::start(Options { store: Store::Private, environment, ..Options::default() });
    let id = failing(&mut pawl);
    let lines: Vec<Value> = pawl.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_request: Vec<&Value> = lines.iter().filter(|line| line["request.id"] == id.as_str()).collect();
    let told = of_request.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert_eq!(told["operation"], "GetSecretValue");
    assert!(told["error"].as_str().is_some_and(|error| error.contains("not as pawl wrote it")), "{told}");

    let environment = vec![("PAWL_LOG", "info,pawl_server::access=debug".to_owned())];
    let mut pawl = Pawl::start(Options { store: Store::Private, environment, ..Options::default() });
    let id = failing(&mut pawl);
    let log = pawl.log();
    let of_request: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    assert!(
        of_request.iter().any(|line| line.contains("ERROR") && line.contains("the operation failed")),
        "{log}"
    );
    let access = of_request.iter().find(|line| line.contains("pawl_server::access")).unwrap();
    for word in ["status=500", "code=\"InternalServiceError\"", "operation=\"GetSecretValue\"", "took="] {
        assert!(access.contains(word), "`{word}` is not in: {access}");
    }
}
