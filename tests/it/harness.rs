//! The ground that the other tests stand on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pawl_tests::pair::{self, Pair};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::wait::eventually;

#[test]
fn a_stopped_database_comes_back_as_it_was() {
    let mut postgres = Postgres::start();
    postgres.create_role("app", "it's a password");
    assert_eq!(postgres.login("app", "it's a password"), Login::Accepted);
    assert_eq!(postgres.login("app", "another"), Login::Refused);
    postgres.stop();
    assert!(matches!(postgres.login("app", "it's a password"), Login::Failed(_)));
    postgres.resume();
    assert_eq!(postgres.login("app", "it's a password"), Login::Accepted);
    postgres.alter_role("app", "another");
    assert_eq!(postgres.login("app", "another"), Login::Accepted);
    assert!(!postgres.log().contains("another"), "the harness itself logs passwords");
    assert!(!postgres.log().contains("s a password"), "the harness itself logs passwords");
    assert!(postgres.log().contains("SELECT 1"), "statements are logged");
}

#[test]
fn the_proxy_sees_every_event_and_can_cut() {
    let postgres = Postgres::start();
    postgres.create_role("app", "password");
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let its_seen = Arc::clone(&seen);
    let proxy = Proxy::start(postgres.port(), move |event| {
        its_seen.lock().unwrap().push(event.clone());
        if matches!(event, Event::Asked(3, _)) { Then::Cut } else { Then::Forward }
    });
    let through = postgres.behind(proxy.port());
    assert_eq!(through.login("app", "password"), Login::Accepted);
    assert_eq!(through.login("app", "wrong"), Login::Refused);
    assert!(matches!(through.login("app", "password"), Login::Failed(_)), "the statement was to be cut");
    eventually("the third connection's end is seen", Duration::from_secs(10), || {
        seen.lock().unwrap().contains(&Event::Closed(3)).then_some(())
    });
    let seen = seen.lock().unwrap();
    let of = |number: usize| -> Vec<&Event> {
        let is_of = |event: &&Event| match event {
            Event::Opened(n) | Event::LoggedIn(n) | Event::Refused(n) | Event::Closed(n) => *n == number,
            Event::Asked(n, _) | Event::Answered(n, _) | Event::Told(n, _) => *n == number,
        };
        seen.iter().filter(is_of).collect()
    };
    let asked = "SELECT 1".to_owned();
    assert_eq!(
        of(1),
        [
            &Event::Opened(1),
            &Event::LoggedIn(1),
            &Event::Asked(1, asked.clone()),
            &Event::Answered(1, asked.clone()),
            &Event::Told(1, asked.clone()),
            &Event::Closed(1)
        ]
    );
    assert_eq!(of(2), [&Event::Opened(2), &Event::Refused(2), &Event::Closed(2)]);
    assert_eq!(of(3), [&Event::Opened(3), &Event::LoggedIn(3), &Event::Asked(3, asked), &Event::Closed(3)]);
}

#[test]
fn a_pair_loses_no_commit_with_its_primary() {
    let mut pair = Pair::start();
    let _ = pair.admin(pair::DATABASE, &["CREATE TABLE kept (number integer)"]);
    let mut expected = 0;
    for _round in 0..2 {
        for _ in 0..20 {
            expected += 1;
            let _ = pair.admin(pair::DATABASE, &[&format!("INSERT INTO kept VALUES ({expected})")]);
        }
        pair.kill9_primary();
        assert!(pair.try_admin(pair::DATABASE, &["SELECT 1"]).is_err(), "the primary is dead");
        let killed = std::time::Instant::now();
        println!("the standby took writes {:?} after it was told to", pair.promote() - killed);
        assert_eq!(pair.admin(pair::DATABASE, &["SELECT count(*) FROM kept"]), expected.to_string());
        // Nothing waits for a standby that is not there.
        expected += 1;
        let _ = pair.admin(pair::DATABASE, &[&format!("INSERT INTO kept VALUES ({expected})")]);
        pair.rejoin();
    }
}
