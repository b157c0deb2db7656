//! Whether the log is whole: through the `pawl` command, on files that somebody has changed.

use std::process::{Command, Stdio};
use std::time::Duration;

use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::eventually;

use super::log::{must_be_whole, records, segments, verify};

#[test]
fn a_byte_that_is_changed_a_line_and_a_segment_that_are_missing_are_named() {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.create("one", "x");
    assert_eq!(pawl.terminate(), Some(0));
    pawl.resume();
    let _ = pawl.create("two", "x");
    assert_eq!(pawl.terminate(), Some(0));
    let told = must_be_whole(&pawl);
    assert!(!told.contains("no signature covers them"), "a server that was ended has signed all: {told}");
    let files = segments(&pawl);
    let [first, last] = files.as_slice() else { panic!("{files:?}") };
    let refused = |pawl: &Pawl, wanted: &[&str]| {
        let ran = verify(pawl);
        assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("NOT WHAT WAS WRITTEN"), "{}", ran.stdout);
        for wanted in wanted {
            assert!(ran.stdout.contains(wanted), "{wanted} is not in: {}", ran.stdout);
        }
    };
    let whole = std::fs::read(first).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("\"CreateSecret\"")).unwrap();
    std::fs::write(first, text.replacen("\"name\":\"one\"", "\"name\":\"0ne\"", 1)).unwrap();
    refused(&pawl, &[&format!("{}:{line}: was changed", first.display())]);
    let without: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| at + 1 != line).map(|(_, line)| line).collect();
    std::fs::write(first, without.join("\n") + "\n").unwrap();
    refused(&pawl, &[&format!("{}:{line}: line number", first.display()), "is missing"]);
    std::fs::remove_file(first).unwrap();
    refused(&pawl, &["segments 1 to 1 are missing"]);
    std::fs::write(first, &whole).unwrap();
    must_be_whole(&pawl);
    // The end, which only the store knows.
    let end = std::fs::read_to_string(last).unwrap();
    let kept: Vec<&str> = end.lines().take(2).collect();
    std::fs::write(last, kept.join("\n") + "\n").unwrap();
    refused(&pawl, &["the end was cut off"]);
    // And the next start says so for good.
    pawl.resume();
    let _ = pawl.create("three", "x");
    assert_eq!(pawl.terminate(), Some(0));
    refused(&pawl, &["cut off while the host did not run"]);
    assert!(pawl.log().contains("the end of the audit log was cut off"));
}

#[test]
fn an_auditor_verifies_copied_segments_by_the_public_key_alone() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("one", "x");
    assert_eq!(pawl.terminate(), Some(0));
    let key = pawl.data_dir().join("audit/public-key.pem");
    let files = segments(&pawl);
    let file = files[0].to_str().unwrap();
    let ran = pawl.cli(&["audit", "verify", "--public-key", key.to_str().unwrap(), file]);
    assert!(
        ran.code == Some(0) && ran.stdout.contains("the audit log is whole"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let other = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    let ran = pawl.cli(&["audit", "verify", "--public-key", other, file]);
    assert!(
        ran.code == Some(1) && ran.stdout.contains("whose signature is not by the key"),
        "{}",
        ran.stdout
    );
    // What is no key, and what is no segment.
    assert_eq!(pawl.cli(&["audit", "verify", "--public-key", "x", file]).code, Some(1));
    assert_eq!(pawl.cli(&["audit", "verify", "/etc/hostname"]).code, Some(1));
    assert_eq!(pawl.cli(&["audit", "verify", "--no-such-option"]).code, Some(2));
}

#[test]
fn two_hosts_on_one_store_have_a_chain_each() {
    let database = Database::new();
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let first = Pawl::start(on(None));
    let second = Pawl::start(on(first.root_key()));
    let _ = first.create("one", "x");
    let _ = second.create("two", "x");
    let names = |pawl: &Pawl| {
        let all = records(pawl);
        let made = all.iter().filter(|record| record["eventName"] == "CreateSecret");
        made.map(|record| record["requestParameters"]["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((names(&first), names(&second)), (vec!["one".to_owned()], vec!["two".to_owned()]));
    must_be_whole(&first);
    must_be_whole(&second);
}

#[test]
fn tail_follows_what_is_recorded() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("before", "x");
    let out = pawl.data_dir().join("../followed");
    let file = std::fs::File::create(&out).unwrap();
    let mut command = Command::new(pawl_tests::artifacts::pawl());
    pawl.client(&mut command);
    let dir = pawl.data_dir().to_str().unwrap();
    let mut child = command
        .args(["audit", "tail", "--follow", "--data-dir", dir])
        .stdout(Stdio::from(file))
        .spawn()
        .unwrap();
    let followed = || std::fs::read_to_string(&out).unwrap();
    eventually("the record before is shown", Duration::from_secs(30), || {
        followed().contains("before").then_some(())
    });
    let _ = pawl.create("after", "x");
    eventually("the record after is shown", Duration::from_secs(30), || {
        followed().contains("after").then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let shown = pawl.cli(&["audit", "tail", "-n", "1", "--data-dir", dir]).ok();
    assert!(shown.contains("after") && !shown.contains("before"), "{shown}");
}

#[test]
fn a_log_of_which_the_store_knows_nothing_and_one_that_is_not_there_are_told() {
    let embedded = || Options { store: Store::Embedded, ..Options::default() };
    let mut pawl = Pawl::start(embedded());
    assert_eq!(pawl.terminate(), Some(0));
    pawl.resume();
    let _ = pawl.create("one", "x");
    assert_eq!(pawl.terminate(), Some(0));
    let _ = must_be_whole(&pawl);
    let told = |pawl: &Pawl, wanted: &str| {
        let ran = verify(pawl);
        assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(wanted), "{}", ran.stdout);
    };
    // All that is known of the end is taken out of the store, and the end cut off.
    let store = rusqlite::Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    let head: (String, Vec<u8>) = store
        .query_row("SELECT key, value FROM meta WHERE key LIKE 'audit head %'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    store.execute("DELETE FROM meta WHERE key = ?1", [&head.0]).unwrap();
    told(&pawl, "the store knows nothing of this log");
    store.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (&head.0, &head.1)).unwrap();
    drop(store);
    let _ = must_be_whole(&pawl);
    // Another host's log in the place of this one's: whole, and not what is asked for.
    let other = Pawl::start(embedded());
    let _ = other.create("two", "x");
    assert_eq!(other.terminate(), Some(0));
    let id =
        |pawl: &Pawl| std::fs::read_to_string(pawl.data_dir().join("host-id")).unwrap().trim().to_owned();
    let [mine, theirs] = [&pawl, &other].map(|pawl| pawl.data_dir().join("audit").join(id(pawl)));
    std::fs::rename(&mine, pawl.data_dir().join("aside")).unwrap();
    std::fs::rename(&theirs, pawl.data_dir().join("audit").join(id(&other))).unwrap();
    told(&pawl, "is not there, and the store knows of its line number");
}
