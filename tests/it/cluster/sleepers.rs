//! A host that is stopped at any event of a rotation and wakes when others have long gone on: it changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::proxy::{Event, Proxy, Then};
use pawl_tests::wait::{eventually, pace};

use super::turner;
use crate::database_secret;

/// Longer than a lease, and than all the rotations after it.
const SOON: Duration = Duration::from_secs(90);

/// A proxy that stands still at one event.
struct Snag {
    proxy: Proxy,
    state: Arc<Caught>,
}

#[derive(Default)]
struct Caught {
    events: AtomicUsize,
    /// Connections that are open.
    open: AtomicUsize,
    /// The event at which it stands still; none for 0.
    at: usize,
    reached: AtomicBool,
    released: AtomicBool,
}

impl Snag {
    fn before(server: u16, at: usize) -> Self {
        let state = Arc::new(Caught { at, ..Caught::default() });
        let its = Arc::clone(&state);
        let proxy = Proxy::start(server, move |event| {
            match event {
                Event::Opened(_) => its.open.fetch_add(1, Ordering::SeqCst),
                Event::Closed(_) => its.open.fetch_sub(1, Ordering::SeqCst),
                _ => 0,
            };
            if its.events.fetch_add(1, Ordering::SeqCst) + 1 == its.at {
                its.reached.store(true, Ordering::SeqCst);
                while !its.released.load(Ordering::SeqCst) {
                    pace(Duration::from_millis(2));
                }
            }
            Then::Forward
        });
        Self { proxy, state }
    }
}

/// A secret whose rotation is to be caught at one event.
struct Sleeper {
    name: String,
    first: String,
    token: String,
    snag: Snag,
}

impl Sleeper {
    fn rotate(pawl: &Pawl, postgres: &Postgres, at: usize) -> Self {
        let (name, password) = (format!("at-{at}"), format!("first-password-at-{at}"));
        postgres.create_role(&name, &password);
        let snag = Snag::before(postgres.port(), at);
        let made = pawl.create(&name, &database_secret(snag.proxy.port(), &name, &password));
        let token = pawl.rotate(&name, POSTGRES_ROTATOR);
        let first = made["VersionId"].as_str().unwrap().to_owned();
        Self { name, first, token, snag }
    }
}

#[test]
fn a_host_that_wakes_after_its_lease_changes_nothing() {
    let (database, postgres) = (Database::new(), Postgres::start());
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let stopped = Pawl::start(on(None));
    let calm = Sleeper::rotate(&stopped, &postgres, 0);
    stopped.await_rotation(&calm.name, &calm.token, SOON);
    let connections_ended = |sleeper: &Sleeper| {
        eventually("its connections have ended", SOON, || {
            (sleeper.snag.state.open.load(Ordering::SeqCst) == 0).then_some(())
        });
    };
    connections_ended(&calm);
    let events = calm.snag.state.events.load(Ordering::SeqCst);

    let sleepers: Vec<Sleeper> = (1..=events).map(|at| Sleeper::rotate(&stopped, &postgres, at)).collect();
    let ended = |sleeper: &Sleeper| stopped.labels(&sleeper.name, &sleeper.token) == ["AWSCURRENT"];
    eventually("every rotation is caught where it should be, or has ended", SOON, || {
        let caught = |sleeper: &Sleeper| sleeper.snag.state.reached.load(Ordering::SeqCst);
        sleepers.iter().all(|sleeper| caught(sleeper) || ended(sleeper)).then_some(())
    });
    stopped.server().pause();
    let claimed: usize =
        database.admin("SELECT count(*) FROM secrets WHERE lease_owner IS NOT NULL").parse().unwrap();
    println!("stopped in {claimed} of {events} rotations");
    assert!(claimed * 2 > events, "most rotations were not caught");
    for sleeper in &sleepers {
        sleeper.snag.state.released.store(true, Ordering::SeqCst);
    }

    let going_on = Pawl::start(on(stopped.root_key()));
    for sleeper in &sleepers {
        going_on.await_rotation(&sleeper.name, &sleeper.token, SOON);
    }
    // Half of them are turned once more, so that what the stopped host holds is not even the last password.
    let mut turned = turner::Turned::default();
    for (number, sleeper) in sleepers.iter().enumerate() {
        let tokens = turned.tokens.entry(sleeper.name.clone()).or_default();
        tokens.push(sleeper.token.clone());
        if number % 2 == 0 {
            let token = going_on.rotate(&sleeper.name, POSTGRES_ROTATOR);
            going_on.await_rotation(&sleeper.name, &token, SOON);
            tokens.push(token);
        }
    }
    let before: Vec<_> = sleepers.iter().map(|sleeper| going_on.value(&sleeper.name, "AWSCURRENT")).collect();

    stopped.server().go_on();
    for (sleeper, before) in sleepers.iter().zip(&before) {
        connections_ended(sleeper);
        assert_eq!(stopped.value(&sleeper.name, "AWSCURRENT"), *before, "{}", sleeper.name);
        assert_eq!(going_on.value(&sleeper.name, "AWSCURRENT"), *before, "{}", sleeper.name);
    }
    // It has gone on with its work when it finishes one more rotation by itself.
    going_on.kill9();
    let last = Sleeper::rotate(&stopped, &postgres, usize::MAX);
    stopped.await_rotation(&last.name, &last.token, SOON);
    for sleeper in &sleepers {
        let password = stopped.password(&sleeper.name, "AWSCURRENT");
        assert_eq!(
            postgres.login(&sleeper.name, &password),
            Login::Accepted,
            "{} is locked out",
            sleeper.name
        );
    }
    let firsts = sleepers.iter().map(|sleeper| (sleeper.name.clone(), sleeper.first.clone())).collect();
    turner::settle(&stopped, &postgres, &firsts, &turned);
}
