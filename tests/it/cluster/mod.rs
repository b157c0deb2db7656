//! Several hosts on one PostgreSQL, while hosts die and stand still, are cut off from the store, and the store itself fails over.
//!
//! `PAWL_TEST_CLUSTER_SECONDS=600` with `-- --ignored` runs the long form of the storm; `PAWL_TEST_CLUSTER_SEED=n` another of its orders.

mod clients;
mod field;
mod hosts;
mod identities;
mod sleepers;
mod turner;
mod verdict;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::cut::State;
use pawl_tests::pawl::Pawl;
use pawl_tests::process::Server;
use pawl_tests::wait::eventually;
use serde_json::json;

use self::clients::{Chance, Client, Heard, SECRETS, value_of};
use self::field::{BACK_WITHIN, Field, Front, HOSTS, SOON};
use self::turner::Target;

/// Those who write, and read at every host.
const WORKERS: usize = 5;
/// All threads that use the hosts: also a reader for each host, one that turns passwords, one that logs in with them.
const CLIENTS: usize = WORKERS + HOSTS + 2;

/// What the storm is played with.
struct Storm {
    field: Field,
    target: Target,
    /// Every secret's first version.
    firsts: BTreeMap<String, String>,
    /// The secrets that are no database's.
    plain: Vec<String>,
}

/// What a schedule of faults works with.
struct Stage<'a> {
    field: &'a mut Field,
    target: &'a Target,
    plain: &'a [String],
    heard: &'a Mutex<Heard>,
}

impl Storm {
    fn new() -> Self {
        let (field, target) = (Field::new(), Target::new());
        let mut firsts = target.furnish(&field.hosts[0]);
        let plain: Vec<String> = (0..SECRETS).map(|number| format!("k{number}")).collect();
        let probes = (0..HOSTS).map(|host| format!("probe-{host}"));
        for name in plain.iter().cloned().chain(probes) {
            let token = aws::token();
            let made = json!({"Name": name, "SecretString": value_of(&token), "ClientRequestToken": token});
            let _ = field.hosts[0].call("CreateSecret", made);
            firsts.insert(name, token);
        }
        Self { field, target, firsts, plain }
    }

    /// Runs `faults` under load, and judges what came of it.
    fn blow(mut self, seed: u64, faults: impl FnOnce(&mut Stage<'_>)) {
        let everything: Vec<String> = self.plain.iter().cloned().chain(Target::names()).collect();
        let (front, heard) = (Arc::clone(&self.field.front), Mutex::new(Heard::default()));
        let (front, hear) = (&*front, |what: Heard| heard.lock().unwrap().add(what));
        let (hear, everything, postgres) = (&hear, &everything, &self.target.postgres);
        let client = |name: String, number: usize| Client::new(front, name, seed + number as u64);
        let turned = std::thread::scope(|scope| {
            let _end = Curtain::of(&self.field);
            for number in 0..WORKERS {
                let worker = client(format!("client {number}"), number);
                scope.spawn(move || hear(worker.work()));
            }
            for host in 0..HOSTS {
                let reader = client(format!("reader {host}"), WORKERS + host);
                scope.spawn(move || hear(reader.watch(host, everything)));
            }
            let turner = client("the turner".to_owned(), WORKERS + HOSTS);
            let turner = scope.spawn(move || turner.turn(front));
            let application = client("the application".to_owned(), WORKERS + HOSTS + 1);
            let application = scope.spawn(move || application.log_in(front, postgres));
            let field = &mut self.field;
            faults(&mut Stage { field, target: &self.target, plain: &self.plain, heard: &heard });
            front.over.store(true, Ordering::SeqCst);
            let (its, turned) = turner.join().unwrap();
            hear(its);
            let (its, logins) = application.join().unwrap();
            hear(its);
            println!("{logins} logins; the slowest rotation took {:?}", turned.slowest);
            turned
        });
        let mut heard = heard.into_inner().unwrap();
        heard.add(verdict::agreement(&self.field, everything));
        verdict::durability(&self.field.hosts, &heard);
        verdict::histories(&self.firsts, &heard);
        let rotations = turned.tokens.values().map(Vec::len).sum::<usize>();
        println!("{rotations} rotations, {} histories", heard.operations.len());
        let firsts =
            Target::names().into_iter().map(|name| (name.clone(), self.firsts[&name].clone())).collect();
        turner::settle(&self.field.hosts[0], &self.target.postgres, &firsts, &turned);
        // Last, for what is lost or stale is worse than what is impolite.
        verdict::manners(front, &heard);
    }
}

/// Ends the load when the schedule ends, be it by a failure: nobody must wait then for a host that stands still.
struct Curtain {
    front: Arc<Front>,
    servers: Vec<Server>,
}

impl Curtain {
    fn of(field: &Field) -> Self {
        Self { front: Arc::clone(&field.front), servers: field.hosts.iter().map(Pawl::server).collect() }
    }
}

impl Drop for Curtain {
    fn drop(&mut self) {
        self.front.over.store(true, Ordering::SeqCst);
        self.front.hold.store(false, Ordering::SeqCst);
        if std::thread::panicking() {
            self.servers.iter().for_each(Server::kill9);
        }
    }
}

impl Stage<'_> {
    fn quiet(&self) {
        let heard = verdict::quiet(self.field, CLIENTS, self.plain);
        self.heard.lock().unwrap().add(heard);
    }

    /// A host stands still in the middle of a password's change.
    fn pause(&mut self) {
        self.target.hold.store(true, Ordering::SeqCst);
        eventually("a password's change is on its way", SOON, || self.target.caught().then_some(()));
        let host = self.field.pause_a_rotating_host(|| self.target.hold.store(false, Ordering::SeqCst));
        println!("         host {host} goes on");
    }

    fn fail_over(&mut self, its_wires: State) {
        let took = self.field.fail_over(its_wires);
        println!("         the slowest host was back {took:?} after the store's own failover");
        // Only where somebody measures: a busy machine is no defect of the product.
        if is_measured() && took > BACK_WITHIN {
            let late = format!("the slowest host was back {took:?} after the store's own failover");
            self.heard.lock().unwrap().wrong.push(late);
        }
    }
}

/// The short form: every fault once.
#[test]
fn what_was_acknowledged_holds_whatever_breaks() {
    Storm::new().blow(1, |stage| {
        stage.field.progress(60);
        for host in 0..HOSTS {
            stage.field.kill(host, 20);
        }
        stage.quiet();
        stage.field.cut(2, State::Silent, 8);
        stage.field.cut(0, State::Closed, 8);
        stage.quiet();
        stage.pause();
        stage.quiet();
        stage.fail_over(State::Open);
        stage.field.progress(40);
        stage.field.rejoin();
        stage.fail_over(State::Silent);
        stage.field.progress(40);
        stage.quiet();
    });
}

/// A tester's own choice.
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
fn chosen(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Whether the storm is run for its figures as well.
fn is_measured() -> bool {
    chosen("PAWL_TEST_CLUSTER_SECONDS").is_some()
}

/// The long form: faults by chance, for as long as it is told to.
#[test]
#[ignore = "the long form: PAWL_TEST_CLUSTER_SECONDS=600 cargo test -p pawl-tests --test it -- --ignored --nocapture cluster"]
fn the_long_form_of_the_storm() {
    let seconds = chosen("PAWL_TEST_CLUSTER_SECONDS").unwrap_or(120);
    let seed = chosen("PAWL_TEST_CLUSTER_SEED").unwrap_or(2);
    let limit = Duration::from_secs(seconds);
    Storm::new().blow(seed, |stage| {
        let mut chance = Chance::new(seed);
        while stage.field.front.now() < limit {
            let host = usize::try_from(chance.below(HOSTS as u64)).unwrap();
            let writes = 5 + usize::try_from(chance.below(40)).unwrap();
            match chance.below(8) {
                0..=2 => stage.field.kill(host, writes),
                3 => stage.field.cut(host, State::Silent, writes),
                4 => stage.field.cut(host, State::Closed, writes),
                5 => stage.pause(),
                6 => {
                    stage.fail_over(if chance.below(2) == 0 { State::Open } else { State::Silent });
                    stage.field.progress(writes);
                    stage.field.rejoin();
                }
                _ => stage.quiet(),
            }
            stage.field.progress(writes);
        }
    });
}
