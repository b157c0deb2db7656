//! Backups: made under load, damaged in every way, restored; and the way from one store to another.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pawl_tests::command::Ran;
use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::free_port;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use pawl_tests::{aws, http};
use serde_json::{Value, json};

/// Runs a command that works on this server's store, whether or not the server runs.
fn on_store(pawl: &Pawl, arguments: &[&str]) -> Ran {
    let dir = pawl.data_dir().to_str().unwrap();
    let mut all = arguments.to_vec();
    all.extend(["--data-dir", dir, "--output", "json"]);
    if let Some(database) = pawl.database() {
        all.extend(["--database-url", database.url()]);
    }
    pawl.cli(&all)
}

/// A server that is not started, with the root key of another and a store of its own.
fn heir(of: &Pawl) -> Pawl {
    Pawl::prepare(Options { root_key: of.root_key(), ..Options::default() })
}

fn path(scratch: &Scratch, name: &str) -> (PathBuf, String) {
    let path = scratch.path().join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

fn in_region(pawl: &Pawl, region: &str, operation: &str, body: &Value) -> http::Answer {
    let signer = aws::Signer { region: region.to_owned(), ..pawl.signer() };
    let request = pawl.request(&format!("secretsmanager.{operation}"), body.to_string().as_bytes());
    signer.sign(request, aws::now()).send(pawl.address())
}

/// A secret in each state that there is.
fn furnish(pawl: &Pawl) {
    let _ = pawl.create("plain", "a plain value");
    let _ = pawl.create("odd/!+=.@-_", &"€".repeat(65_536 / 3));
    pawl.call(
        "CreateSecret",
        json!({"Name": "binary", "SecretBinary": "AP//AA==", "ClientRequestToken": aws::token(),
        "Tags": [{"Key": "k", "Value": "v"}], "Description": "of \"bytes\"\n"}),
    );
    let _ = pawl.create("versions", "one");
    for value in ["two", "three", "four"] {
        pawl.call(
            "PutSecretValue",
            json!({"SecretId": "versions", "SecretString": value,
            "ClientRequestToken": aws::token()}),
        );
    }
    let _ = pawl.create("replicated", "everywhere");
    pawl.call(
        "ReplicateSecretToRegions",
        json!({"SecretId": "replicated", "AddReplicaRegions": [{"Region": "eu-west-1"}]}),
    );
    let _ = pawl.create("deleted", "for a while");
    pawl.call("DeleteSecret", json!({"SecretId": "deleted"}));
    pawl.call("CreateSecret", json!({"Name": "empty", "ClientRequestToken": aws::token()}));
}

/// What a server says of the furniture.
fn seen(pawl: &Pawl) -> Value {
    let versions =
        pawl.call("ListSecretVersionIds", json!({"SecretId": "versions", "IncludeDeprecated": true}));
    let mut values = Vec::new();
    for version in versions["Versions"].as_array().unwrap() {
        let id = version["VersionId"].as_str().unwrap();
        let value = pawl.call("GetSecretValue", json!({"SecretId": "versions", "VersionId": id}));
        values.push((id.to_owned(), value["SecretString"].clone()));
    }
    values.sort_by(|one, other| one.0.cmp(&other.0));
    let replica = in_region(pawl, "eu-west-1", "GetSecretValue", &json!({"SecretId": "replicated"}));
    assert_eq!(replica.status, 200, "{}", replica.body);
    pawl.call("RestoreSecret", json!({"SecretId": "deleted"}));
    let names = ["plain", "odd/!+=.@-_", "binary", "versions", "replicated", "deleted"];
    let of = |name: &&str| pawl.call("GetSecretValue", json!({"SecretId": name}));
    let described = |name: &&str| {
        let mut said = pawl.call("DescribeSecret", json!({"SecretId": name}));
        for changing in ["LastAccessedDate", "LastChangedDate"] {
            let _ = said.as_object_mut().unwrap().shift_remove(changing);
        }
        said
    };
    let all: Vec<Value> = names.iter().map(of).chain(names.iter().map(described)).collect();
    let empty = pawl.try_call("GetSecretValue", &json!({"SecretId": "empty"})).code();
    assert_eq!(values.len(), 4);
    pawl.call("DeleteSecret", json!({"SecretId": "deleted"}));
    json!([all, values, replica.json(), empty])
}

#[test]
fn a_backup_under_load_restores_to_a_store_in_which_everything_opens() {
    let pawl = Pawl::start(Options::default());
    furnish(&pawl);
    let scratch = Scratch::new("backup");
    let (file, name) = path(&scratch, "backup");
    let (done, writes) = (AtomicBool::new(false), AtomicU32::new(0));
    let taken = std::thread::scope(|scope| {
        for writer in 0..4 {
            let (pawl, done, writes) = (&pawl, &done, &writes);
            scope.spawn(move || {
                let secret = format!("load/{writer}");
                let _ = pawl.create(&secret, "0");
                for number in 1.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let _ = pawl.create(&format!("load/{writer}/{number}"), &number.to_string());
                    pawl.call(
                        "PutSecretValue",
                        json!({"SecretId": secret, "SecretString": number.to_string(),
                        "ClientRequestToken": aws::token()}),
                    );
                    writes.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        eventually("the load has begun", Duration::from_secs(60), || {
            (writes.load(Ordering::Relaxed) > 100).then_some(())
        });
        let taken = on_store(&pawl, &["backup", &name]);
        done.store(true, Ordering::Relaxed);
        taken.json()
    });
    assert_eq!(taken["Verified"], true);
    assert!(taken["Secrets"].as_u64().unwrap() > 50, "{taken}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!scratch.path().join("backup.partial").exists());
    let again = on_store(&pawl, &["backup", &name]);
    assert!(again.stderr.contains("not overwritten"), "{}", again.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("a plain value"), "values are sealed");

    let mut heir = heir(&pawl);
    let restored = on_store(&heir, &["restore", &name]).json();
    for what in ["Secrets", "Versions", "AuditRecords", "Events", "Digest"] {
        assert_eq!(restored[what], taken[what], "{what}");
    }
    heir.resume();
    assert_eq!(seen(&heir), seen(&pawl));
    // What a writer had written before the moment is there, and what came after it is not: the secrets of one writer are in a
    // row without a gap, up to one that may be half way.
    for writer in 0..4 {
        let (_, value) = heir.value(&format!("load/{writer}"), "AWSCURRENT").unwrap();
        let last: u32 = value.parse().unwrap();
        for number in 1..=last {
            let (_, value) = heir.value(&format!("load/{writer}/{number}"), "AWSCURRENT").unwrap();
            assert_eq!(value, number.to_string());
        }
        assert_eq!(heir.value(&format!("load/{writer}/{}", last + 2), "AWSCURRENT"), None);
    }
    let _ = heir.create("new", "value");
    let refused = on_store(&heir, &["restore", &name]);
    assert_ne!(refused.code, Some(0), "a server is at work there");
}

/// Every way of damaging the file, with a word for it.
fn damaged(whole: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    // A bit in every line, at its beginning, in its middle and at its end; and every line missing, or twice.
    let mut start = 0;
    for (number, line) in lines.iter().enumerate() {
        for at in [0, line.len() / 2, line.len() - 2, line.len() - 1] {
            let mut bytes = whole.to_vec();
            bytes[start + at] ^= 1;
            all.push((format!("line {number}, byte {at}"), bytes));
        }
        let without = [&whole[..start], &whole[start + line.len()..]].concat();
        all.push((format!("without line {number}"), without));
        let twice = [&whole[..start], line, &whole[start..]].concat();
        all.push((format!("line {number} twice"), twice));
        all.push((format!("cut before line {number}"), whole[..start].to_vec()));
        all.push((format!("cut in line {number}"), whole[..start + line.len() / 2].to_vec()));
        start += line.len();
    }
    all.push(("more at the end".to_owned(), [whole, b"\n"].concat()));
    all.push(("nothing".to_owned(), Vec::new()));
    all.push(("something else".to_owned(), b"not a backup at all".repeat(1000)));
    all.push(("without the last byte".to_owned(), whole[..whole.len() - 1].to_vec()));
    all
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    let pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("one", "value");
    let _ = pawl.create("two", "value");
    assert_eq!(pawl.terminate(), Some(0));
    let scratch = Scratch::new("damage");
    let (file, name) = path(&scratch, "backup");
    on_store(&pawl, &["backup", &name]).ok();
    let whole = std::fs::read(&file).unwrap();
    let target =
        Pawl::prepare(Options { store: Store::Embedded, root_key: pawl.root_key(), ..Options::default() });
    let (bad, bad_name) = path(&scratch, "bad");
    for (what, bytes) in damaged(&whole) {
        std::fs::write(&bad, bytes).unwrap();
        let refused = on_store(&target, &["restore", &bad_name]);
        assert_eq!(refused.code, Some(1), "{what}: {}{}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("cannot be used"), "{what}: {}", refused.stderr);
        assert!(!target.data_dir().join("pawl.db").exists(), "{what}: something was written");
    }

    let stranger = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let key = stranger.data_dir().join("root-key");
    let refused = on_store(&target, &["restore", &name, "--root-key-file", key.to_str().unwrap()]);
    assert!(refused.stderr.contains("not the root key"), "{}", refused.stderr);
    let refused = on_store(&target, &["restore", &name, "--root-key-file", "nowhere"]);
    assert!(refused.stderr.contains("is not there"), "{}", refused.stderr);
    let refused = on_store(&target, &["restore", "nowhere"]);
    assert_eq!(refused.code, Some(1));
    assert!(!target.data_dir().join("pawl.db").exists());

    assert_eq!(on_store(&target, &["restore", &name]).json()["Secrets"], 2);
    let refused = on_store(&target, &["restore", &name]);
    assert!(refused.stderr.contains("not empty"), "{}", refused.stderr);
}

/// A value that does not open is found when the backup is made, and the backup of all others can be had all the same.
#[test]
fn a_value_that_does_not_open_is_named() {
    let pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("sound", "value");
    let _ = pawl.create("broken", "value");
    assert_eq!(pawl.terminate(), Some(0));
    swap_values(&pawl.data_dir().join("pawl.db"));
    let scratch = Scratch::new("unsound");
    let (file, name) = path(&scratch, "backup");
    let refused = on_store(&pawl, &["backup", &name]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("does not open") && refused.stderr.contains(":broken-"),
        "{}",
        refused.stderr
    );
    assert!(!file.exists() && !scratch.path().join("backup.partial").exists());

    assert_eq!(on_store(&pawl, &["backup", &name, "--no-verify"]).json()["Verified"], false);
    let target =
        Pawl::prepare(Options { store: Store::Embedded, root_key: pawl.root_key(), ..Options::default() });
    let refused = on_store(&target, &["restore", &name]);
    assert!(refused.stderr.contains("does not open"), "{}", refused.stderr);
    assert_eq!(on_store(&target, &["restore", &name, "--no-verify"]).json()["Secrets"], 2);
}

/// Exchanges the values of two secrets, as somebody with access to the file could.
fn swap_values(database: &Path) {
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        rows = db.execute('SELECT secret_id, sealed FROM versions ORDER BY secret_id').fetchall()\n\
        (one, a), (two, b) = rows\n\
        db.execute('UPDATE versions SET sealed = ? WHERE secret_id = ?', (b, one))\n\
        db.execute('UPDATE versions SET sealed = ? WHERE secret_id = ?', (a, two))\n\
        db.commit()";
    let mut command = std::process::Command::new("python3");
    Ran::of(command.args(["-c", script]).arg(database)).ok();
}

#[test]
fn what_rotates_is_named_after_a_restore() {
    let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
    let secret = crate::database_secret(free_port(), "app", "password");
    for name in ["running", "tried", "still"] {
        let _ = pawl.create(name, &secret);
    }
    // Nobody listens there: this one goes on trying.
    let _ = pawl.rotate("running", POSTGRES_ROTATOR);
    for name in ["tried", "still"] {
        pawl.call(
            "RotateSecret",
            json!({"SecretId": name, "RotationLambdaARN": POSTGRES_ROTATOR,
            "ClientRequestToken": aws::token(), "RotateImmediately": false,
            "RotationRules": {"AutomaticallyAfterDays": 30}}),
        );
    }
    pawl.call("CancelRotateSecret", json!({"SecretId": "still"}));
    let scratch = Scratch::new("drift");
    let (_, name) = path(&scratch, "backup");
    on_store(&pawl, &["backup", &name]).ok();
    let heir = heir(&pawl);
    let restored = on_store(&heir, &["restore", &name]).json();
    let drift: Vec<(&str, &str)> = restored["RotationDrift"]
        .as_array()
        .unwrap()
        .iter()
        .map(|drift| (drift["Name"].as_str().unwrap(), drift["Reason"].as_str().unwrap()))
        .filter(|(name, _)| *name != "tried")
        .collect();
    assert_eq!(drift, [("running", "Rotating")], "{restored}");
    assert!(restored["RotationDrift"].to_string().contains("\"tried\""), "{restored}");
}

#[test]
fn a_store_moves_to_postgresql_and_is_the_same_there() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    furnish(&pawl);
    for number in 0..300 {
        let _ = pawl.create(&format!("many/{number}"), &format!("value {number}"));
    }
    let before = seen(&pawl);
    let database = Database::new();
    let migrate = ["migrate", "--database-url", database.url()];
    let refused = on_store(&pawl, &migrate);
    assert!(refused.stderr.contains("another pawl"), "{}", refused.stderr);
    assert_eq!(pawl.terminate(), Some(0));
    let moved = on_store(&pawl, &migrate).json();
    assert_eq!(moved["Equal"], true);
    assert!(moved["Secrets"].as_u64().unwrap() >= 308, "{moved}");
    assert!(!moved["To"].as_str().unwrap().contains("password"), "{moved}");

    let store = Store::Shared(database.url().to_owned());
    let there = Pawl::start(Options { store, root_key: pawl.root_key(), ..Options::default() });
    assert_eq!(seen(&there), before);
    assert_eq!(there.value("many/299", "AWSCURRENT").unwrap().1, "value 299");
    let _ = there.create("new", "value");

    // It is not done twice, and what was left behind is not served.
    let refused = on_store(&pawl, &migrate);
    assert!(refused.stderr.contains("not empty"), "{}", refused.stderr);
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("moved"), "{why}");
}
