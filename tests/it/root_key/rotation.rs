//! The root key is rotated: nobody notices, no crash stops it, and the old key is not needed any more.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::{eventually, pace};
use serde_json::{Value, json};

use super::{SOON, private, root_key, status};

/// Reads a second, together.
const RATE: u64 = 200;

fn name(number: usize) -> String {
    format!("under-load/{number:04}")
}

fn fill(pawl: &Pawl, secrets: usize) {
    for number in 0..secrets {
        let _ = pawl.create(&name(number), &format!("value {number}"));
    }
}

fn all_are_there(pawl: &Pawl, secrets: usize) {
    for number in 0..secrets {
        assert_eq!(pawl.value(&name(number), "AWSCURRENT").unwrap().1, format!("value {number}"));
    }
}

/// Reads these servers' secrets at [`RATE`] while `meanwhile` runs. Every read must answer what was written.
fn under_load<T>(pawls: &[&Pawl], secrets: usize, meanwhile: impl FnOnce() -> T) -> T {
    let (stop, reads, failed) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let readers = 8;
    let began = Instant::now();
    let done = std::thread::scope(|scope| {
        for reader in 0..readers {
            let (stop, reads, failed) = (&stop, &reads, &failed);
            scope.spawn(move || {
                for round in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let number = usize::try_from(round * 131 + reader * 17).unwrap() % secrets;
                    let pawl = pawls[usize::try_from(round).unwrap() % pawls.len()];
                    let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": name(number)}));
                    let right = answer.status == 200
                        && answer.json()["SecretString"].as_str() == Some(format!("value {number}").as_str());
                    if !right {
                        failed.lock().unwrap().push(format!("{} {}", answer.status, answer.body));
                    }
                    reads.fetch_add(1, Ordering::SeqCst);
                    // When this reader's next one is due.
                    let due = Duration::from_millis((round + 1) * readers * 1000 / RATE);
                    pace(due.saturating_sub(began.elapsed()));
                }
            });
        }
        let done = meanwhile();
        stop.store(true, Ordering::SeqCst);
        done
    });
    let (reads, took) = (reads.into_inner(), began.elapsed());
    eprintln!(
        "{reads} reads in {took:?}: {:.0} a second",
        f64::from(u32::try_from(reads).unwrap()) / took.as_secs_f64()
    );
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {reads} reads failed: {:?}", failed.len(), failed.first());
    assert!(reads > 100, "nothing was shown by {reads} reads");
    done
}

fn rotate(pawl: &Pawl) -> Value {
    let ran = pawl.cli(&["key", "rotate", "--wait", "--timeout", "120s", "--output", "json"]);
    assert!(ran.code == Some(0), "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn ended(pawl: &Pawl) -> Value {
    eventually("the rotation of the root key ends", SOON, || {
        let status = status(pawl);
        status["Rotation"].is_null().then_some(status)
    })
}

#[test]
fn no_read_fails_while_the_root_key_is_rotated() {
    let secrets = 300;
    let mut pawl = Pawl::start(Options::default());
    fill(&pawl, secrets);
    let made = pawl.boto3(
        "import boto3\nkms = boto3.client('kms')\nid = kms.create_key()['KeyMetadata']['KeyId']\n\
         iam = boto3.client('iam')\niam.create_user(UserName='u')\nkey = iam.create_access_key(UserName='u')['AccessKey']\n\
         print(json.dumps({'id': id, 'blob': base64.b64encode(kms.encrypt(KeyId=id, Plaintext=b'kept')['CiphertextBlob']).decode()}))"
            .replace("import boto3", "import boto3, base64, json")
            .as_str(),
        &json!({}),
    );
    let before = root_key(&pawl);
    let after = under_load(&[&pawl], secrets, || rotate(&pawl));
    assert_eq!(after["LastRotation"]["From"], before.as_str());
    assert_ne!(root_key(&pawl), before);
    assert_eq!(after["FormerRootKeys"], json!([before]), "the file keeps it until it is told to forget it");
    all_are_there(&pawl, secrets);
    let new = pawl.root_key().unwrap();
    assert_eq!(String::from_utf8(new).unwrap().lines().filter(|line| !line.starts_with('#')).count(), 2);

    // The old one can be forgotten: it opens nothing.
    let forgotten = pawl.cli(&["key", "forget", "--output", "json"]);
    assert!(forgotten.stdout.contains(&before), "{}{}", forgotten.stdout, forgotten.stderr);
    assert_eq!(status(&pawl)["FormerRootKeys"], json!([]));
    pawl.kill9();
    pawl.resume();
    all_are_there(&pawl, secrets);
    let script = format!(
        "import boto3, base64, json\nkms = boto3.client('kms')\n\
         print(json.dumps(kms.decrypt(CiphertextBlob=base64.b64decode('{}'))['Plaintext'].decode()))",
        made["blob"].as_str().unwrap()
    );
    assert_eq!(pawl.boto3(&script, &json!({})), "kept");
    let refused = pawl.cli(&["key", "rotate", "--cancel"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("no rotation of the root key"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_rotation_of_the_root_key_survives_kill_9_anywhere() {
    let secrets = 60;
    let mut pawl = Pawl::start(Options::default());
    fill(&pawl, secrets);
    let mut seen = BTreeSet::new();
    for round in 0..10_u64 {
        let before = root_key(&pawl);
        let server = pawl.server();
        std::thread::scope(|scope| {
            let pawl = &pawl;
            scope.spawn(move || drop(pawl.cli(&["key", "rotate"])));
            pace(Duration::from_millis(20 + 97 * round));
            server.kill9();
        });
        pawl.resume();
        let status = status(&pawl);
        let phase = status["Rotation"]["Phase"].as_str().unwrap_or("none").to_owned();
        seen.insert(phase);
        all_are_there(&pawl, secrets);
        let after = ended(&pawl);
        if after["LastRotation"]["From"] != before.as_str() {
            // It was killed before the first step: the next one takes the key that may be in the file already.
            assert_eq!(root_key(&pawl), before);
            rotate(&pawl);
        }
        assert_ne!(root_key(&pawl), before);
        all_are_there(&pawl, secrets);
        let lines = String::from_utf8(pawl.root_key().unwrap()).unwrap();
        let keys = lines.lines().filter(|line| !line.starts_with('#')).count();
        assert!(keys <= 3, "keys pile up: {keys}");
        let _ = pawl.cli(&["key", "forget"]);
    }
    eprintln!("killed at {seen:?}");
}

#[test]
fn hosts_of_one_store_rotate_its_root_key_together() {
    let database = Database::new();
    let secrets = 60;
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let mut first = Pawl::start(on(None));
    let mut second = Pawl::start(on(first.root_key()));
    fill(&first, secrets);
    let (before, old) = (root_key(&first), first.root_key());
    let after = under_load(&[&first, &second], secrets, || rotate(&first));
    assert_eq!(after["LastRotation"]["From"], before.as_str());
    assert_eq!(root_key(&first), root_key(&second));
    // The other host has found the new key in the store, and put it into its own file.
    for host in [&mut first, &mut second] {
        let _ = host.cli(&["key", "forget"]);
        host.kill9();
        host.resume();
        all_are_there(host, secrets);
    }
    // A host that slept through it is told what is missing.
    let mut late = Pawl::prepare(on(old));
    let why = late.try_resume().unwrap_err();
    assert!(why.contains("does not open the store") && why.contains(&root_key(&first)), "{why}");
}

#[test]
fn a_rotation_waits_for_a_host_that_does_not_have_the_new_root_key() {
    let database = Database::new();
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let mut first = Pawl::start(on(None));
    let file = first.root_key();
    let mut second = Pawl::start(on(file));
    let _ = first.create("kept", "value");
    eventually("both have said that they are there", SOON, || {
        (status(&first)["Hosts"].as_array().unwrap().len() == 2).then_some(())
    });
    // The first one moves to a passphrase, of which the second knows nothing.
    let scratch = pawl_tests::scratch::Scratch::new("passphrase");
    let passphrase = private(scratch.path().join("passphrase"), "correct horse battery staple\n");
    let own = first.data_dir().join("root-key");
    let providers = format!("passphrase:file={} file:{}", passphrase.display(), own.display());
    first.set_environment("PAWL_ROOT_KEY_PROVIDER", &providers);
    assert_eq!(first.terminate(), Some(0));
    first.resume();
    let ran = first.cli(&["key", "rotate", "--wait", "--timeout", "3s"]);
    assert!(ran.code == Some(1) && ran.stdout.contains("waiting for host"), "{}{}", ran.stdout, ran.stderr);
    for host in [&first, &second] {
        assert_eq!(host.value("kept", "AWSCURRENT").unwrap().1, "value");
    }
    // It can be taken back, and done when the second has it as well.
    let ran = first.cli(&["key", "rotate", "--cancel"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(second.terminate(), Some(0));
    let own = second.data_dir().join("root-key");
    let providers = format!("passphrase:file={} file:{}", passphrase.display(), own.display());
    second.set_environment("PAWL_ROOT_KEY_PROVIDER", &providers);
    second.resume();
    rotate(&first);
    assert_eq!(status(&second)["RootKeys"][0]["Provider"], "passphrase");
    for host in [&mut first, &mut second] {
        host.set_environment("PAWL_ROOT_KEY_PROVIDER", &format!("passphrase:file={}", passphrase.display()));
        host.kill9();
        host.resume();
        assert_eq!(host.value("kept", "AWSCURRENT").unwrap().1, "value");
    }
}

#[test]
fn a_backup_from_before_a_rotation_needs_the_root_key_from_before() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("kept", "value");
    let data = pawl.data_dir().display().to_string();
    let scratch = pawl_tests::scratch::Scratch::new("backups");
    let file = scratch.path().join("before").display().to_string();
    let old = private(scratch.path().join("old-key"), &String::from_utf8(pawl.root_key().unwrap()).unwrap());
    let ran = pawl.cli(&["backup", &file, "--data-dir", &data]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let before = root_key(&pawl);
    rotate(&pawl);
    assert_eq!(pawl.terminate(), Some(0));
    let key = pawl.data_dir().join("root-key").display().to_string();

    // The file has both, so a backup of either time can be restored, and served.
    let mut restored =
        Pawl::prepare(Options { store: Store::Embedded, root_key: pawl.root_key(), ..Options::default() });
    let to = restored.data_dir().display().to_string();
    let ran = pawl.cli(&["restore", &file, "--data-dir", &to]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    restored.resume();
    assert_eq!(restored.value("kept", "AWSCURRENT").unwrap().1, "value");
    assert_eq!(root_key(&restored), before);
    // It can go on to the new one.
    rotate(&restored);
    assert_ne!(root_key(&restored), before);
    assert_eq!(restored.value("kept", "AWSCURRENT").unwrap().1, "value");

    // Without the old one, it says which it needs.
    pawl.resume();
    let _ = pawl.cli(&["key", "forget"]);
    let elsewhere = scratch.path().join("elsewhere").display().to_string();
    let ran = pawl.cli(&["restore", &file, "--data-dir", &elsewhere, "--root-key-file", &key]);
    assert!(ran.code == Some(1) && ran.stderr.contains(&before), "{}", ran.stderr);
    let ran =
        pawl.cli(&["restore", &file, "--data-dir", &elsewhere, "--root-key-file", old.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_store_moves_from_a_file_to_a_passphrase() {
    let mut pawl = Pawl::start(Options::default());
    let _ = pawl.create("kept", "value");
    let scratch = pawl_tests::scratch::Scratch::new("passphrase");
    let passphrase = private(scratch.path().join("passphrase"), "correct horse battery staple\n");
    let own = pawl.data_dir().join("root-key");
    assert_eq!(pawl.terminate(), Some(0));
    let both = format!("passphrase:file={} file:{}", passphrase.display(), own.display());
    pawl.set_environment("PAWL_ROOT_KEY_PROVIDER", &both);
    pawl.resume();
    assert_eq!(status(&pawl)["RootKeys"][0]["Provider"], "file");
    rotate(&pawl);
    assert_eq!(pawl.terminate(), Some(0));
    std::fs::remove_file(&own).unwrap();
    let mut alone = Pawl::beside(&pawl);
    alone.set_environment("PAWL_ROOT_KEY_PROVIDER", &format!("passphrase:file={}", passphrase.display()));
    alone.resume();
    assert_eq!(alone.value("kept", "AWSCURRENT").unwrap().1, "value");
}
