//! Files that were cut, put back or deleted from: what was found is said, nothing wrong is answered, and what was purged is gone.

use pawl_tests::pawl::{Options, Pawl, Store};
use rusqlite::Connection;
use serde_json::json;

const SECRETS: usize = 40;

fn embedded() -> Pawl {
    let pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    for number in 0..SECRETS {
        // Long enough that the file has more than a few pages.
        let _ = pawl.create(&format!("kept/{number}"), &format!("{number}:{}", "x".repeat(3_000)));
    }
    pawl
}

/// Every secret that is answered at all is answered as it was written; how many are not.
fn unanswered(pawl: &Pawl) -> usize {
    let missing = |number: &usize| {
        let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": format!("kept/{number}")}));
        if answer.status != 200 {
            return true;
        }
        let expected = format!("{number}:{}", "x".repeat(3_000));
        assert_eq!(answer.json()["SecretString"].as_str(), Some(expected.as_str()), "a wrong answer");
        false
    };
    (0..SECRETS).filter(missing).count()
}

#[test]
fn a_database_file_that_was_cut_is_refused_or_told() {
    let mut pawl = embedded();
    assert_eq!(pawl.terminate(), Some(0));
    let file = pawl.data_dir().join("pawl.db");
    let whole = std::fs::read(&file).unwrap();
    let length = whole.len();
    for kept in [0, 50, 4_096, length / 3, length - 20_000, length - 1] {
        std::fs::write(&file, &whole[..kept]).unwrap();
        match pawl.try_resume() {
            Err(why) => assert!(why.contains("pawl.db"), "cut to {kept}: {why}"),
            Ok(()) => {
                let missing = unanswered(&pawl);
                let doctor = pawl.cli(&["doctor"]);
                assert!(
                    doctor.code == Some(1) && doctor.stdout.contains("FAIL"),
                    "cut to {kept} of {length}, {missing} not answered: {}{}",
                    doctor.stdout,
                    doctor.stderr
                );
                pawl.kill9();
            }
        }
        for beside in ["pawl.db-wal", "pawl.db-shm"] {
            let _ = std::fs::remove_file(pawl.data_dir().join(beside));
        }
    }
    std::fs::write(&file, &whole).unwrap();
    pawl.resume();
    assert_eq!(unanswered(&pawl), 0);
}

#[test]
fn an_older_copy_of_the_store_is_noticed() {
    let mut pawl = embedded();
    assert_eq!(pawl.terminate(), Some(0));
    let file = pawl.data_dir().join("pawl.db");
    let older = std::fs::read(&file).unwrap();
    pawl.resume();
    let _ = pawl.create("newer", "value");
    assert_eq!(pawl.cli(&["doctor"]).code, Some(0));
    assert_eq!(pawl.terminate(), Some(0));
    std::fs::write(&file, older).unwrap();
    pawl.resume();
    assert!(pawl.log().contains("the store was rolled back"), "{}", pawl.log());
    let doctor = pawl.cli(&["doctor"]);
    assert!(
        doctor.code == Some(1) && doctor.stdout.contains("the store was rolled back"),
        "{}",
        doctor.stdout
    );
    assert!(doctor.stdout.contains("store-epoch"), "what to do is not said: {}", doctor.stdout);
}

#[test]
fn a_root_key_file_that_was_cut_is_named() {
    let mut pawl = embedded();
    assert_eq!(pawl.terminate(), Some(0));
    let file = pawl.data_dir().join("root-key");
    let whole = std::fs::read(&file).unwrap();
    for kept in [0, 40, whole.len() - 2, whole.len() - 20] {
        std::fs::write(&file, &whole[..kept]).unwrap();
        let why = pawl.try_resume().unwrap_err();
        let named = why.contains("is empty") || why.contains("does not hold a line with 32 bytes");
        assert!(named && why.contains("restore it from its backup"), "cut to {kept}: {why}");
    }
    std::fs::write(&file, &whole).unwrap();
    pawl.resume();
    assert_eq!(unanswered(&pawl), 0);
}

#[test]
fn nothing_of_a_purged_secret_is_left_in_the_files_of_the_store() {
    let mut pawl = embedded();
    let sealed = |pawl: &Pawl, name: &str| -> Vec<u8> {
        let connection = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
        let sql = "SELECT v.sealed FROM versions v JOIN secrets s ON s.id = v.secret_id WHERE s.name = ?1";
        connection.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let names = ["kept/3", "kept/4", "kept/5"];
    let purged: Vec<Vec<u8>> = names.iter().map(|name| sealed(&pawl, name)).collect();
    let stays = sealed(&pawl, "kept/6");
    let holds = |pawl: &Pawl, bytes: &[u8]| {
        ["pawl.db", "pawl.db-wal"].iter().any(|file| {
            let held = std::fs::read(pawl.data_dir().join(file)).unwrap_or_default();
            // The wrapped data key, and the first block of the value.
            held.windows(48).any(|window| window == &bytes[30..78])
        })
    };
    assert!(purged.iter().all(|bytes| holds(&pawl, bytes)), "the search finds nothing at all");
    for name in names {
        let _ = pawl.call("DeleteSecret", json!({"SecretId": name, "ForceDeleteWithoutRecovery": true}));
    }
    assert_eq!(pawl.terminate(), Some(0));
    assert!(!purged.iter().any(|bytes| holds(&pawl, bytes)), "a purged value is still in the files");
    assert!(holds(&pawl, &stays));
    pawl.resume();
    assert_eq!(unanswered(&pawl), names.len());
}
