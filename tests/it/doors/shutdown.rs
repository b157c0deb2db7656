//! How a server ends: those who are waited for, those who are told, and those who are not.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::process::signal;
use pawl_tests::wait::eventually;
use serde_json::json;

use super::client::{connect, try_connect};

const LIMIT: Duration = Duration::from_secs(30);

fn get(path: &str) -> Request {
    Request { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
        .header("host", "localhost")
}

#[test]
fn who_was_heard_is_answered_and_who_waits_is_let_go() {
    let mut pawl = Pawl::start(Options::default());
    let request = pawl.signed(
        "CreateSecret",
        &json!({"Name": "late", "SecretString": "v", "ClientRequestToken": "a".repeat(32)}),
    );
    let bytes = request.bytes(true);
    let (first, rest) = bytes.split_at(bytes.len() - 5);
    let mut under_way = connect(pawl.address());
    under_way.write_all(first).unwrap();
    let mut idle = connect(pawl.address());
    idle.write_all(&get("/healthz").bytes(true)).unwrap();
    eventually("the request has begun", LIMIT, || {
        let page = get("/metrics").send(pawl.address()).body;
        page.contains("pawl_requests_in_flight 1").then_some(())
    });
    signal("TERM", &[pawl.process()]);
    // Nobody else is taken in, and a connection that does nothing is closed at once.
    eventually("no more are taken", LIMIT, || try_connect(pawl.address()).is_err().then_some(()));
    idle.set_read_timeout(Some(LIMIT)).unwrap();
    idle.read_to_end(&mut Vec::new()).unwrap();
    under_way.write_all(rest).unwrap();
    let mut received = Vec::new();
    under_way.set_read_timeout(Some(LIMIT)).unwrap();
    under_way.read_to_end(&mut received).unwrap();
    let answer = Answer::parse(&received).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(pawl.ended(), Some(0));
    pawl.resume();
    assert_eq!(pawl.value("late", "AWSCURRENT").unwrap().1, "v");
}

#[test]
fn a_request_that_never_ends_is_waited_for_only_so_long() {
    let pawl = Pawl::start(Options::default());
    let bytes = pawl.signed("ListSecrets", &json!({})).bytes(true);
    let mut stream = connect(pawl.address());
    stream.write_all(&bytes[..bytes.len() - 1]).unwrap();
    eventually("the request has begun", LIMIT, || {
        let page = get("/metrics").send(pawl.address()).body;
        page.contains("pawl_requests_in_flight 1").then_some(())
    });
    let told = Instant::now();
    assert_eq!(pawl.terminate(), Some(0));
    let took = told.elapsed();
    assert!(pawl.log().contains("some requests were cut off"), "{}", pawl.log());
    // Cut off is cut off: nothing waits for what would still become of them.
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(14), "{took:?}");
}

#[test]
fn load_balancers_hear_of_it_first() {
    let environment = vec![("PAWL_DRAIN_SECONDS", "4".to_owned())];
    let pawl = Pawl::start(Options { environment, ..Options::default() });
    let _ = pawl.create("a", "v");
    assert_eq!(get("/readyz").send(pawl.address()).status, 200);
    let told = Instant::now();
    signal("TERM", &[pawl.process()]);
    let not_ready = eventually("it is not ready", LIMIT, || {
        let answer = get("/readyz").send(pawl.address());
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(not_ready.body, "this host is ending\n");
    assert_eq!(get("/healthz").send(pawl.address()).status, 200);
    assert_eq!(pawl.value("a", "AWSCURRENT").unwrap().1, "v", "new connections are still served");
    assert_eq!(pawl.ended(), Some(0));
    assert!(told.elapsed() >= Duration::from_secs(4));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let environment = vec![("PAWL_DRAIN_SECONDS", "3600".to_owned())];
    let mut pawl = Pawl::start(Options { environment, ..Options::default() });
    let _ = pawl.create("a", "v");
    signal("TERM", &[pawl.process()]);
    eventually("it has heard the first", LIMIT, || {
        (get("/readyz").send(pawl.address()).status == 503).then_some(())
    });
    signal("INT", &[pawl.process()]);
    assert_eq!(pawl.ended(), Some(1));
    pawl.resume();
    assert_eq!(pawl.value("a", "AWSCURRENT").unwrap().1, "v");
}

#[test]
fn a_hangup_without_a_certificate_ends_nothing() {
    let pawl = Pawl::start(Options::default());
    signal("HUP", &[pawl.process()]);
    eventually("it was heard", LIMIT, || pawl.log().contains("SIGHUP").then_some(()));
    assert_eq!(get("/healthz").send(pawl.address()).status, 200);
}
