//! `kill -9` before and after everything that a rotation of the root key makes durable. The shim kills the host at a line of its log (see
//! `root_key/ledger.rs`): at exactly that moment, and the product has no hook for it.

use std::collections::BTreeSet;

use pawl_keyring::Transition;
use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use super::{SOON, private};
use crate::matrix::crashes::board::Board;

const SECRETS: usize = 8;
const SIDES: [&str; 2] = ["before", "after"];
/// What a host alone comes by, in this order.
const ALONE: [Transition; 10] = [
    Transition::KeyWritten,
    Transition::Begun,
    Transition::Activated,
    Transition::Claimed,
    Transition::SecretResealed,
    Transition::PlaceKept,
    Transition::EntityResealed,
    Transition::AccessKeyResealed,
    Transition::PassEnded,
    Transition::Finished,
];
/// What it comes by later.
const LATER: [Transition; 2] = [Transition::FileForgotten, Transition::FormerForgotten];
/// What there is besides where hosts share a store.
const TOGETHER: [Transition; 3] = [Transition::Said, Transition::TakenOver, Transition::Cancelled];

/// Of former key-encryption keys, 38 hours later nothing is left.
const LATER_SECONDS: i64 = 38 * 3600;

/// A host with a shim in it.
struct Doomed {
    pawl: Pawl,
    board: Board,
    _scratch: Scratch,
}

impl Doomed {
    fn start(store: Store, root_key: Option<Vec<u8>>) -> Self {
        let scratch = Scratch::new("board");
        let board = Board::new(scratch.path().join("board"));
        let mut environment = board.environment();
        environment.push(("PAWL_LOG", "info,pawl_server::root_key::ledger=debug".to_owned()));
        let pawl = Pawl::start(Options { store, root_key, environment, ..Options::default() });
        Self { pawl, board, _scratch: scratch }
    }

    /// How the keys stand; none when the host is being killed.
    fn status(&self) -> Option<Value> {
        let ran = self.pawl.cli(&["key", "status", "--output", "json"]);
        if ran.code == Some(0) { serde_json::from_str(&ran.stdout).ok() } else { None }
    }

    /// Leaves the root key in the file alone that counts.
    fn lose_former_keys(&self) {
        let text = String::from_utf8(self.pawl.root_key().unwrap()).unwrap();
        let first = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let _ = private(self.pawl.data_dir().join("root-key"), &format!("{first}\n"));
    }

    fn all_is_there(&self) {
        for number in 0..SECRETS {
            let (_, value) = self.pawl.value(&format!("kept/{number}"), "AWSCURRENT").unwrap();
            assert_eq!(value, format!("value {number}"));
        }
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let dir = self.pawl.data_dir().to_str().unwrap();
        let ran = self.pawl.cli(&["audit", "query", "--event", name, "--data-dir", dir, "--output", "json"]);
        ran.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What is sealed, of every kind.
fn furnish(pawl: &Pawl) {
    for number in 0..SECRETS {
        let _ = pawl.create(&format!("kept/{number}"), &format!("value {number}"));
    }
    let _ = pawl.boto3(
        "import boto3\nkms = boto3.client('kms')\nkms.create_key()\n\
         iam = boto3.client('iam')\niam.create_user(UserName='u')\niam.create_access_key(UserName='u')",
        &json!({}),
    );
}

/// Has one of the hosts killed at this point; those that are down are started for it. `ask` is called again and again until it happens.
fn strike(hosts: &mut [Doomed], side: &str, transition: Transition, ask: &dyn Fn(&[Doomed])) {
    let line = format!("ledger: {side} transition={transition:?}");
    for host in &*hosts {
        host.board.disarm();
        host.board.set_line(Some(&line));
    }
    for host in &mut *hosts {
        if !host.pawl.server().is_running() {
            // It may die before it serves.
            let began = host.pawl.try_resume();
            assert!(began.is_ok() || host.board.fired(), "{line}: {}", began.unwrap_err());
        }
    }
    eventually(&line, SOON, || {
        if hosts.iter().any(|host| host.board.fired()) {
            return Some(());
        }
        ask(hosts);
        None
    });
    for host in &*hosts {
        host.board.disarm();
    }
    for host in hosts.iter().filter(|host| host.board.fired()) {
        host.pawl.kill9();
    }
}

/// Asks for a rotation where none is under way.
fn rotate(hosts: &[Doomed]) {
    if hosts[0].status().is_some_and(|status| status["Rotation"].is_null()) {
        let _ = hosts[0].pawl.cli(&["key", "rotate"]);
    }
}

/// Starts who is down; the rotation ends, everything is there, and the audit log is whole.
fn settle(hosts: &mut [Doomed], struck: &str) {
    for host in &mut *hosts {
        host.board.disarm();
        if !host.pawl.server().is_running() {
            host.pawl.resume();
        }
    }
    for host in &*hosts {
        eventually(&format!("{struck}: the rotation of the root key ends"), SOON, || {
            host.status().filter(|status| status["Rotation"].is_null())
        });
        host.all_is_there();
    }
}

fn logs_are_whole(hosts: &[Doomed]) {
    for host in hosts {
        let dir = host.pawl.data_dir().to_str().unwrap();
        let url = host.pawl.database_url();
        let mut arguments = vec!["audit", "verify", "--data-dir", dir];
        arguments.extend(url.iter().flat_map(|url| ["--database-url", url.as_str()]));
        let ran = host.pawl.cli(&arguments);
        assert!(
            ran.code == Some(0) && !ran.stdout.contains("without the store"),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

/// Each rotation that has ended is told once by the host that ended it, and each was begun once.
fn rotations_are_told(hosts: &[Doomed]) {
    let all = |name: &str| hosts.iter().flat_map(|host| host.events(name)).collect::<Vec<_>>();
    let ids = |events: &[Value]| {
        let id = |event: &Value| event["additionalEventData"]["to"].as_str().unwrap().to_owned();
        events.iter().map(id).collect::<Vec<_>>()
    };
    let last = hosts[0].status().unwrap()["LastRotation"]["To"].as_str().unwrap().to_owned();
    eventually("the last rotation is told", SOON, || {
        ids(&all("RootKeyRotationSucceeded")).contains(&last).then_some(())
    });
    for name in ["RootKeyRotationStarted", "RootKeyRotationSucceeded", "RootKeyRotationActivated"] {
        let mut told = ids(&all(name));
        let count = told.len();
        told.sort();
        told.dedup();
        assert!(count > 0 && told.len() == count, "{name} is told twice: {:?}", all(name));
    }
}

#[test]
fn every_transition_is_struck_somewhere() {
    let all: BTreeSet<_> = ALONE.iter().chain(&LATER).chain(&TOGETHER).collect();
    assert_eq!(all, Transition::ALL.iter().collect());
}

#[test]
fn a_host_that_is_killed_at_any_transition_ends_the_rotation() {
    let mut hosts = [Doomed::start(Store::Embedded, None)];
    furnish(&hosts[0].pawl);
    // With the old root key at hand until the end; then without it from the moment on when the store has the new one.
    for is_lost in [false, true] {
        for transition in ALONE {
            for side in SIDES {
                strike(&mut hosts, side, transition, &rotate);
                if is_lost && (transition, side) == (Transition::Begun, "after") {
                    hosts[0].lose_former_keys();
                }
            }
        }
        settle(&mut hosts, "Finished");
    }
    // Former root keys: told before they go, and what a crash leaves of the file goes as well.
    rotate(&hosts);
    settle(&mut hosts, "another");
    let forget = |hosts: &[Doomed]| drop(hosts[0].pawl.cli(&["key", "forget"]));
    for side in SIDES {
        let asked = |hosts: &[Doomed]| {
            // After the deed there is nothing to be forgotten any more.
            if hosts[0].status().is_some_and(|status| status["FormerRootKeys"] == json!([])) {
                rotate(hosts);
            }
            forget(hosts);
        };
        strike(&mut hosts, side, Transition::FileForgotten, &asked);
    }
    settle(&mut hosts, "FileForgotten");
    forget(&hosts);
    assert_eq!(hosts[0].status().unwrap()["FormerRootKeys"], json!([]));
    let left = std::fs::read_dir(hosts[0].pawl.data_dir()).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().contains("draft")).collect();
    assert!(left.is_empty(), "keys are left in drafts: {left:?}");
    eventually("what was forgotten is told", SOON, || hosts[0].events("RootKeysForgotten").pop());
    // Former key-encryption keys.
    for side in SIDES {
        hosts[0].pawl.kill9();
        hosts[0].board.shift_clock(LATER_SECONDS);
        strike(&mut hosts, side, Transition::FormerForgotten, &|_| {});
    }
    hosts[0].board.shift_clock(0);
    settle(&mut hosts, "FormerForgotten");
    let keys = hosts[0].status().unwrap()["Keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 1, "{keys}");
    rotations_are_told(&hosts);
    logs_are_whole(&hosts);
}

#[test]
fn hosts_of_one_store_that_are_killed_at_any_transition_end_the_rotation() {
    let database = Database::new();
    let store = || Store::Shared(database.url().to_owned());
    let first = Doomed::start(store(), None);
    let second = Doomed::start(store(), first.pawl.root_key());
    let mut hosts = [first, second];
    furnish(&hosts[0].pawl);
    let order = ALONE.iter().flat_map(|transition| match transition {
        Transition::Activated => vec![Transition::Said, Transition::TakenOver, Transition::Activated],
        other => vec![*other],
    });
    for transition in order {
        for side in SIDES {
            strike(&mut hosts, side, transition, &rotate);
        }
    }
    settle(&mut hosts, "Finished");
    // Taken back while the other host stands still, so that it waits.
    for side in SIDES {
        let other = hosts[1].pawl.server();
        eventually("the other host has said that it is there", SOON, || {
            let status = hosts[0].status()?;
            let there = status["Hosts"].as_array()?.iter().filter(|host| host["There"] == true).count();
            (there == 2).then_some(())
        });
        other.pause();
        let cancel = |hosts: &[Doomed]| {
            rotate(hosts);
            let _ = hosts[0].pawl.cli(&["key", "rotate", "--cancel"]);
        };
        strike(&mut hosts, side, Transition::Cancelled, &cancel);
        other.go_on();
        settle(&mut hosts, "Cancelled");
    }
    rotations_are_told(&hosts);
    logs_are_whole(&hosts);
}
