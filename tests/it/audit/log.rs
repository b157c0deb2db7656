//! The log as the tests read it: with eyes of their own.

use std::path::PathBuf;
use std::time::Duration;

use pawl_tests::command::Ran;
use pawl_tests::pawl::Pawl;
use pawl_tests::wait::eventually;
use serde_json::Value;

/// The segments of every host whose log is in this server's data directory.
pub(super) fn segments(pawl: &Pawl) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for host in std::fs::read_dir(pawl.data_dir().join("audit")).unwrap().flatten() {
        if host.path().is_dir() {
            found.extend(std::fs::read_dir(host.path()).unwrap().flatten().map(|entry| entry.path()));
        }
    }
    found.sort();
    found
}

/// All lines, the log's own among them.
pub(super) fn lines(pawl: &Pawl) -> Vec<Value> {
    let mut lines = Vec::new();
    for segment in segments(pawl) {
        let text = std::fs::read_to_string(segment).unwrap();
        // One that is being written is not there yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        lines.extend(whole.lines().filter(|line| !line.is_empty()).map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error} in: {line}"))
        }));
    }
    lines
}

/// The records of calls and of services' deeds.
pub(super) fn records(pawl: &Pawl) -> Vec<Value> {
    lines(pawl).into_iter().filter(|line| line.get("eventName").is_some()).collect()
}

/// The records of an event.
pub(super) fn of_event(pawl: &Pawl, name: &str) -> Vec<Value> {
    records(pawl).into_iter().filter(|record| record["eventName"] == name).collect()
}

/// The record of an event that Pawl writes of its own accord, soon.
pub(super) fn soon(pawl: &Pawl, name: &str) -> Value {
    eventually(&format!("{name} is recorded"), Duration::from_secs(30), || of_event(pawl, name).pop())
}

/// `pawl audit verify` on the server's data directory.
pub(super) fn verify(pawl: &Pawl) -> Ran {
    let dir = pawl.data_dir().to_str().unwrap();
    let mut arguments = vec!["audit", "verify", "--data-dir", dir];
    let url = pawl.database_url();
    if let Some(url) = &url {
        arguments.extend(["--database-url", url]);
    }
    pawl.cli(&arguments)
}

/// The log must be whole.
pub(super) fn must_be_whole(pawl: &Pawl) -> String {
    let ran = verify(pawl);
    assert!(ran.code == Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("the audit log is whole"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("was not asked"), "{}", ran.stdout);
    ran.stdout
}
