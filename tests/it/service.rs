//! The process itself: it starts, ends, keeps what it has acknowledged, and refuses to start on a false root key.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::wait::eventually;
use serde_json::json;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut pawl = Pawl::start(Options::default());
    for number in 0..20 {
        let _ = pawl.create(&format!("kept/{number}"), &format!("value {number}"));
    }
    pawl.kill9();
    pawl.resume();
    for number in 0..20 {
        let (_, value) = pawl.value(&format!("kept/{number}"), "AWSCURRENT").unwrap();
        assert_eq!(value, format!("value {number}"));
    }
}

#[test]
fn a_missing_or_false_root_key_is_refused_before_anything_is_written() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("kept", "value");
    assert_eq!(pawl.terminate(), Some(0));
    let key = pawl.data_dir().join("root-key");
    let database = pawl.data_dir().join("pawl.db");
    let (held, before) = (std::fs::read(&key).unwrap(), std::fs::read(&database).unwrap());

    std::fs::remove_file(&key).unwrap();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("root key") && why.contains("not there"), "{why}");
    assert!(!key.exists(), "a new key was made over sealed values");

    let other = Pawl::start(Options::default());
    std::fs::copy(other.data_dir().join("root-key"), &key).unwrap();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("does not open the store"), "{why}");
    assert_eq!(std::fs::read(&database).unwrap(), before, "something was written");

    std::fs::write(&key, held).unwrap();
    pawl.resume();
    assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
}

#[test]
fn a_directory_whose_store_is_gone_is_not_served_an_empty_one() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("kept", "value");
    assert_eq!(pawl.terminate(), Some(0));
    for file in ["pawl.db", "pawl.db-wal", "pawl.db-shm"] {
        let file = pawl.data_dir().join(file);
        assert!(!file.exists() || std::fs::remove_file(&file).is_ok());
    }
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("--database-url") && why.contains("restore a backup"), "{why}");
    assert!(!pawl.data_dir().join("pawl.db").exists(), "an empty store was made");
}

#[test]
fn a_store_is_one_accounts() {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.create("kept", "value");
    assert_eq!(pawl.terminate(), Some(0));
    pawl.set_environment("PAWL_ACCOUNT", "111111111111");
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("of account 000000000000") && why.contains("--account 000000000000"), "{why}");
    pawl.set_environment("PAWL_ACCOUNT", "000000000000");
    pawl.resume();
    assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
}

#[test]
fn two_servers_do_not_share_a_data_directory() {
    let pawl = Pawl::start(Options::default());
    let mut second = Pawl::beside(&pawl);
    let why = second.try_resume().unwrap_err();
    assert!(why.contains("another pawl"), "{why}");
    let _ = pawl.create("a", "b");
}

/// A server whose worker processes have been put to work.
fn busy() -> (Pawl, Vec<u32>) {
    let pawl = Pawl::start(Options::default());
    let _ = pawl
        .create("db", &crate::database_secret(pawl_tests::postgres::free_port(), "app", "first-password"));
    let _ = pawl.rotate("db", POSTGRES_ROTATOR);
    let children = eventually("a worker has been started", Duration::from_secs(60), || {
        let tried = pawl.rotation("db")["Attempt"].as_u64().unwrap_or(0) > 1;
        Some(pawl.children()).filter(|children| tried && !children.is_empty())
    });
    (pawl, children)
}

#[test]
fn it_ends_when_it_is_asked_to_and_leaves_no_process() {
    let (pawl, children) = busy();
    assert_eq!(pawl.terminate(), Some(0));
    eventually("its worker processes are gone", Duration::from_secs(10), || all_gone(&children));
}

#[test]
fn its_workers_die_with_it() {
    let (pawl, children) = busy();
    pawl.kill9();
    eventually("its worker processes are gone", Duration::from_secs(10), || all_gone(&children));
}

fn all_gone(processes: &[u32]) -> Option<()> {
    let alive = |id: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    (!processes.iter().any(alive)).then_some(())
}

#[test]
fn health_needs_no_signature_and_names_no_secret() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a-name-that-must-not-show", "value");
    for path in ["/healthz", "/readyz"] {
        let request = Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: vec![("host".to_owned(), pawl.address().to_string())],
            body: Vec::new(),
        };
        let answer = request.send(pawl.address());
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(!answer.body.contains("must-not-show"), "{path}: {}", answer.body);
    }
}

#[test]
fn only_its_owner_reads_the_data_directory() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a", "b");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(pawl.data_dir()) & 0o077, 0, "{:o}", mode(pawl.data_dir()));
    let mut files = 0;
    for entry in std::fs::read_dir(pawl.data_dir()).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            files += 1;
            assert_eq!(
                mode(&entry.path()) & 0o077,
                0,
                "{} {:o}",
                entry.path().display(),
                mode(&entry.path())
            );
        }
    }
    assert!(files >= 2, "a root key and a database at least");
}

#[test]
fn two_regions_are_two_namespaces() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("same", "here");
    let mut signer = pawl.signer();
    signer.region = "eu-west-1".to_owned();
    let body = json!({"SecretId": "same"}).to_string();
    let request = pawl.request("secretsmanager.GetSecretValue", body.as_bytes());
    let answer = signer.sign(request, pawl_tests::aws::now()).send(pawl.address());
    assert_eq!(answer.code(), "ResourceNotFoundException", "{}", answer.body);
}
