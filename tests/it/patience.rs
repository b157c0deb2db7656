//! A start whose store is slow, or away for a moment.

use std::time::{Duration, Instant};

use pawl_tests::cut::{Cut, State};
use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::eventually;

const SOON: Duration = Duration::from_secs(60);
const WAITS: &str = "the start waits for the store";
/// As `limits::START_STORE_WAIT`, and time for the last try.
const MOST: Duration = Duration::from_secs(50);

/// A database behind a wire.
fn wired(database: &Database) -> (Cut, String) {
    let (before, after) = database.url().rsplit_once(':').unwrap();
    let (port, name) = after.split_once('/').unwrap();
    let wire = Cut::start(port.parse().unwrap());
    let url = format!("{before}:{}/{name}", wire.port());
    (wire, url)
}

#[test]
fn a_start_waits_for_a_store_that_is_away_or_silent_for_a_moment() {
    let database = Database::new();
    let (wire, url) = wired(&database);
    let mut pawl = Pawl::start(Options { store: Store::Shared(url), ..Options::default() });
    let _ = pawl.create("kept", "value");
    for state in [State::Closed, State::Silent] {
        assert_eq!(pawl.terminate(), Some(0));
        let so_far = pawl.log().matches(WAITS).count();
        wire.set(state);
        let log = pawl.log_file();
        std::thread::scope(|scope| {
            let wire = &wire;
            scope.spawn(move || {
                eventually("it says that it waits", SOON, || {
                    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
                    (text.matches(WAITS).count() > so_far).then_some(())
                });
                wire.set(State::Open);
            });
            pawl.resume();
        });
        assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
    }
}

#[test]
fn a_start_does_not_wait_for_ever() {
    let database = Database::new();
    let (wire, url) = wired(&database);
    let mut pawl = Pawl::start(Options { store: Store::Shared(url), ..Options::default() });
    assert_eq!(pawl.terminate(), Some(0));
    wire.set(State::Closed);
    let began = Instant::now();
    let why = pawl.try_resume().unwrap_err();
    let took = began.elapsed();
    assert!(why.contains("no database server answers") && took < MOST, "{took:?}: {why}");
    assert!(took > Duration::from_secs(20), "it has not waited: {took:?}");
}
