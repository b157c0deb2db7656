//! The store's rows of what is to be recorded: none is taken out before it is in the log, and they do not grow for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::eventually;
use rusqlite::Connection;
use serde_json::json;

use super::log::{must_be_whole, records, segments};

const SOON: Duration = Duration::from_secs(300);
/// Changes, in the rows that they leave.
const CHANGES: usize = 100_000;
/// Rows that may be there at any time on a host that has little to do: what the last seconds have left.
const LEFT_MAX: i64 = 50;

fn rows(pawl: &Pawl) -> i64 {
    let store = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    store.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap()
}

/// Puts so many more rows of this kind into the store of a server that does not run, of this host, as a crash would leave them.
fn add(pawl: &Pawl, count: usize, host: &str) {
    let mut store = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    let mut row = json!({
        "at": pawl_tests::aws::now() * 1000, "principal": "arn:aws:iam::000000000000:root",
        "action": "secretsmanager:PutSecretValue", "revision": 1, "host": host,
        "arn": "arn:aws:secretsmanager:us-east-1:000000000000:secret:first-abcdef",
    });
    let adding = store.transaction().unwrap();
    for number in 0..count {
        row["request_id"] = json!(format!("{host}-{number}"));
        adding.execute("INSERT INTO audit (record) VALUES (?1)", [row.to_string()]).unwrap();
    }
    adding.commit().unwrap();
}

#[test]
fn a_hundred_thousand_changes_leave_a_bounded_number_of_rows_and_each_its_record() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("first", "x");
    assert_eq!(pawl.terminate(), Some(0));
    let own = std::fs::read_to_string(pawl.data_dir().join("host-id")).unwrap().trim().to_owned();
    add(&pawl, CHANGES, &own);
    // Those of a host that is elsewhere are not this one's to take out.
    add(&pawl, 7, "another-host");
    pawl.resume();
    // Killed in the middle of it: nothing is lost, and nothing is there twice.
    eventually("some are recorded", SOON, || {
        let size: u64 = segments(&pawl).iter().map(|file| file.metadata().unwrap().len()).sum();
        (size > 2_000_000).then_some(())
    });
    pawl.kill9();
    let at_the_kill = rows(&pawl);
    pawl.resume();
    let left = eventually("they are taken out of the store", SOON, || {
        let left = rows(&pawl);
        (left <= LEFT_MAX).then_some(left)
    });
    eprintln!("{CHANGES} changes: {at_the_kill} rows at the kill, {left} at the end");
    let store = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    let others: i64 = store
        .query_row("SELECT count(*) FROM audit WHERE record LIKE '%another-host%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(others, 7);
    drop(store);
    let mut seen = BTreeSet::new();
    for record in records(&pawl) {
        let Some(id) = record["requestID"].as_str().filter(|id| id.starts_with(&own)) else { continue };
        assert!(seen.insert(id.to_owned()), "twice: {id}");
    }
    assert_eq!(seen.len(), CHANGES);
    // What is changed from now on goes the same way.
    for number in 0..200 {
        let _ = pawl.create(&format!("live/{number}"), "x");
    }
    assert!(rows(&pawl) > 150, "each change leaves its row first");
    eventually("they are taken out as well", SOON, || (rows(&pawl) <= LEFT_MAX).then_some(()));
    pawl.kill9();
    pawl.resume();
    let _ = pawl.create("last", "x");
    let _ = must_be_whole(&pawl);
}
