//! Somebody who can write to the store changes rows, removes their codes, or puts back what was there before: nothing wrong is
//! answered, what was changed is named, and everything else goes on. On both backends.

use std::os::unix::fs::DirBuilderExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::names::{AccountId, Label, Region, SecretName, VersionId};
use pawl_core::secret::Secret;
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::{KeyRecord, Keyring, RowKey, SealContext, root_file};
use pawl_store::{
    Change, Expect, RowMac, RowSigner, SealedVersion, SecretRow, Signer, SqliteStore, Store as _,
};
use pawl_tests::aws;
use pawl_tests::command::Ran;
use pawl_tests::http::Answer;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::eventually;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

#[derive(Debug)]
struct Codes(RowKey);

impl RowSigner for Codes {
    fn sign(&self, content: &[u8]) -> Vec<u8> {
        self.0.code(content).to_vec()
    }

    fn is_signed(&self, content: &[u8], code: &[u8]) -> bool {
        self.0.is_code(content, code)
    }
}

fn keyring(pawl: &Pawl, record: &[u8]) -> Keyring {
    let root = root_file::load(&pawl.data_dir().join("root-key")).unwrap().unwrap();
    KeyRecord::parse(record).unwrap().unlock(&root).unwrap().keyring().unwrap()
}

/// What a host of this store makes codes with.
pub(crate) fn signer(pawl: &Pawl, record: &[u8]) -> Signer {
    Arc::new(Codes(keyring(pawl, record).row_key()))
}

/// Gives a secret that was changed by hand, in the file of a server that does not run, the code of what it is now.
pub(crate) fn sign_again(pawl: &Pawl, name: &str) {
    let file = pawl.data_dir().join("pawl.db");
    let mac = Runtime::new().unwrap().block_on(async {
        let record = SqliteStore::inspect(&file).await.unwrap().unwrap();
        let store = SqliteStore::open_to_read(&file).await.unwrap();
        let found = store.load(&"us-east-1".parse().unwrap(), &name.parse().unwrap()).await.unwrap().unwrap();
        store.close().await;
        signer(pawl, &record).sign(&found.head.content())
    });
    let connection = Connection::open(&file).unwrap();
    assert_eq!(connection.execute("UPDATE secrets SET mac = ?2 WHERE name = ?1", (name, mac)).unwrap(), 1);
    connection.close().unwrap();
}

/// Changes the store of a server that is stopped, and starts it again.
fn tamper(pawl: &mut Pawl, sql: &str) {
    assert_eq!(pawl.terminate(), Some(0));
    change(pawl, sql);
    pawl.resume();
}

fn change(pawl: &Pawl, sql: &str) {
    match pawl.database() {
        // Without what keeps hosts of before from writing: an attacker knows of it.
        Some(database) => drop(database.admin(&format!("SET session_replication_role = replica; {sql}"))),
        None => {
            let connection = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
            connection.execute_batch(sql).unwrap();
            connection.close().unwrap();
        }
    }
}

fn both() -> [Pawl; 2] {
    [Store::Embedded, Store::Private].map(|store| Pawl::start(Options { store, ..Options::default() }))
}

fn put_now(pawl: &Pawl) {
    let put =
        json!({"SecretId": "target", "SecretString": "value of now", "ClientRequestToken": aws::token()});
    let _ = pawl.call("PutSecretValue", put);
}

fn get(pawl: &Pawl, name: &str) -> Answer {
    pawl.try_call("GetSecretValue", &json!({"SecretId": name}))
}

fn names(pawl: &Pawl) -> Vec<String> {
    let listed = pawl.call("ListSecrets", json!({}))["SecretList"].clone();
    let mut names: Vec<String> =
        listed.as_array().unwrap().iter().map(|secret| secret["Name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Refused, with nothing of it told, and named to the operator.
fn is_refused(pawl: &Pawl, name: &str, what: &str) {
    for (operation, body) in [
        ("GetSecretValue", json!({"SecretId": name})),
        ("DescribeSecret", json!({"SecretId": name})),
        (
            "PutSecretValue",
            json!({"SecretId": name, "SecretString": "over it", "ClientRequestToken": aws::token()}),
        ),
        ("DeleteSecret", json!({"SecretId": name})),
        ("GetResourcePolicy", json!({"SecretId": name})),
    ] {
        let refused = pawl.try_call(operation, &body);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (500, "InternalServiceError"),
            "{what}: {operation}"
        );
        assert!(
            !refused.body.contains("value of") && !refused.body.contains("row"),
            "{what}: {}",
            refused.body
        );
    }
    assert!(!names(pawl).contains(&name.to_owned()), "{what}: it is listed");
    let doctor = pawl.cli(&["doctor"]);
    let named = doctor.stdout.contains(&format!("the secret {name} "));
    assert!(doctor.code == Some(1) && named, "{what}: {}", doctor.stdout);
    assert!(pawl.log().contains(&format!("the secret {name} ")), "{what}: {}", pawl.log());
    assert_eq!(get(pawl, "other").json()["SecretString"], "value of other", "{what}: others go on");
}

/// What a thief of the store's credentials would do first.
#[test]
fn a_secrets_row_that_was_changed_is_refused_and_named() {
    for mut pawl in both() {
        let _ = pawl.create("target", "value of before");
        let put =
            json!({"SecretId": "target", "SecretString": "value of now", "ClientRequestToken": aws::token()});
        let _ = pawl.call("PutSecretValue", put);
        let policy = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DeleteSecret", "Resource": "*"}});
        let _ = pawl
            .call("PutResourcePolicy", json!({"SecretId": "target", "ResourcePolicy": policy.to_string()}));
        let _ = pawl.create("other", "value of other");
        let is_shared = pawl.database().is_some();
        let bytes = if is_shared { "'\\x00'" } else { "x'00'" };
        // The date of access is noted once a day: from here on reading changes nothing.
        for name in ["target", "other"] {
            assert_eq!(get(&pawl, name).status, 200);
        }
        tamper(&mut pawl, "CREATE TABLE kept AS SELECT * FROM secrets");
        for (what, assignment) in [
            ("labels exchanged", "document = replace(replace(replace(document, 'AWSCURRENT', '-'), 'AWSPREVIOUS', 'AWSCURRENT'), '-', 'AWSPREVIOUS')".to_owned()),
            ("the policy allows", "document = replace(document, 'Deny', 'Allow')".to_owned()),
            ("another's document", "document = (SELECT document FROM kept WHERE kept.name = 'other')".to_owned()),
            ("a date", "purge_at = 1".to_owned()),
            ("no code", "mac = NULL".to_owned()),
            ("another code", format!("mac = {bytes}")),
            ("another's code", "mac = (SELECT mac FROM kept WHERE kept.name = 'other')".to_owned()),
        ] {
            tamper(&mut pawl, &format!("UPDATE secrets SET {assignment} WHERE name = 'target'"));
            is_refused(&pawl, "target", what);
            tamper(
                &mut pawl,
                "UPDATE secrets SET document = (SELECT document FROM kept WHERE kept.name = 'target'), \
                 purge_at = NULL, mac = (SELECT mac FROM kept WHERE kept.name = 'target') WHERE name = 'target'",
            );
            assert_eq!(get(&pawl, "target").json()["SecretString"], "value of now", "{what}, undone");
            assert_eq!(pawl.cli(&["doctor"]).code, Some(0), "{what}, undone");
        }
        // Nobody has read it: it is found all the same.
        let told = |pawl: &Pawl| pawl.log().matches("the secret target ").count();
        let before = told(&pawl);
        tamper(
            &mut pawl,
            "UPDATE secrets SET document = replace(document, 'Deny', 'Allow') WHERE name = 'target'",
        );
        eventually("the row is named", Duration::from_secs(60), || (told(&pawl) > before).then_some(()));
    }
}

/// Reads the secret as a user, by a key of his.
fn read_as(pawl: &Pawl, key: &Value) -> Answer {
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let signer = aws::Signer {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        ..pawl.signer()
    };
    let body = json!({"SecretId": "other"}).to_string();
    signer
        .sign(pawl.request("secretsmanager.GetSecretValue", body.as_bytes()), aws::now())
        .send(pawl.address())
}

/// Users, policies, keys: as if they were not there, and denying where that would allow more.
#[test]
fn what_decides_beside_secrets_is_refused_as_well() {
    for mut pawl in both() {
        let _ = pawl.create("other", "value of other");
        let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let deny =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}"#;
        let keys = ["ann", "bob", "eve"].map(|name| {
            call(&pawl, &["iam", "create-user", "--user-name", name]);
            let put =
                ["iam", "put-user-policy", "--user-name", name, "--policy-name", "all", "--policy-document"];
            call(&pawl, &[&put[..], &[if name == "eve" { deny } else { all }]].concat());
            call(&pawl, &["iam", "create-access-key", "--user-name", name])["AccessKey"].clone()
        });
        let made =
            call(&pawl, &["iam", "create-policy", "--policy-name", "limits", "--policy-document", deny]);
        let arn = made["Policy"]["Arn"].as_str().unwrap().to_owned();
        call(&pawl, &["iam", "attach-user-policy", "--user-name", "ann", "--policy-arn", &arn]);
        let key = call(&pawl, &["kms", "create-key"])["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        let reads = |pawl: &Pawl| keys.each_ref().map(|key| read_as(pawl, key).status);
        assert_eq!(reads(&pawl), [200, 200, 400]);
        tamper(
            &mut pawl,
            "UPDATE entities SET document = replace(document, 'Deny', 'Allow') WHERE name = 'limits'",
        );
        assert_eq!(reads(&pawl), [400, 200, 400], "nobody knows what the policy denied");
        assert!(read_as(&pawl, &keys[0]).body.contains("AccessDenied"));
        // Somebody allows himself everything, and somebody changes a key.
        tamper(
            &mut pawl,
            &format!(
                "UPDATE entities SET document = replace(replace(document, 'Deny', 'Allow'), 'kms:*', '*') WHERE name = 'eve'; \
                 UPDATE entities SET document = replace(document, '\"', ' \"') WHERE name = '{key}'"
            ),
        );
        assert_eq!(reads(&pawl)[..2], [400, 200]);
        let eve = read_as(&pawl, &keys[2]);
        assert!(eve.status >= 400 && !eve.body.contains("value of other"), "{}", eve.body);
        let refused = cli(&pawl, &["kms", "describe-key", "--key-id", &key]);
        assert!(
            refused.code != Some(0) && refused.stderr.contains("KMSInternalException"),
            "{}",
            refused.stderr
        );
        let doctor = pawl.cli(&["doctor"]);
        for named in ["iam:policy limits", "iam:user eve", &format!("kms:key {key}")] {
            assert!(doctor.stdout.contains(named), "{named}: {}", doctor.stdout);
            assert!(pawl.log().contains(named), "{named}");
        }
    }
}

/// A command of the AWS CLI, of any service.
fn cli(pawl: &Pawl, arguments: &[&str]) -> Ran {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    Ran::of(command.args(["--output", "json"]).args(arguments))
}

fn call(pawl: &Pawl, arguments: &[&str]) -> Value {
    let printed = cli(pawl, arguments).ok();
    if printed.trim().is_empty() { Value::Null } else { serde_json::from_str(&printed).unwrap() }
}

/// Fills the data directory of a server that never ran with a store as the release before would have left it: a key record of the
/// first format, and rows without codes. Answers the record.
fn of_before(pawl: &Pawl, names: &[&str]) -> Vec<u8> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(pawl.data_dir()).unwrap();
    let root = root_file::create(&pawl.data_dir().join("root-key"), &Dice).unwrap();
    let (keyring, record) = Keyring::create(&root, &Dice).unwrap();
    let (region, account): (Region, AccountId) =
        ("us-east-1".parse().unwrap(), "000000000000".parse().unwrap());
    let changes = names.iter().map(|name| {
        let name: SecretName = name.parse().unwrap();
        let arn = SecretArn::mint(&region, &account, &name, &Dice);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut secret = Secret::new(arn.clone(), region.clone(), name.clone(), now);
        let version_id: VersionId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let context = SealContext { arn: arn.as_str(), version_id: version_id.as_str() };
        let value = SecretValue::text(format!("value of {name}")).unwrap();
        let mark = ContentMark(hex::encode(keyring.fingerprint(&context, &value).as_bytes()));
        secret.put(&version_id, &mark, &[Label::current()], now).unwrap();
        let sealed = keyring.seal(&context, &value, &Dice).unwrap().into_bytes();
        let row = SecretRow {
            arn,
            region: region.clone(),
            name,
            revision: 1,
            document: serde_json::to_string(&secret).unwrap(),
            created_at: now,
            purge_at: None,
            next_rotation_at: None,
            rotation_due_at: None,
            last_changed_at: now,
            last_accessed_at: None,
            replica_of: None,
            rotation_state: None,
            mac: RowMac::None,
        };
        Change { put: vec![SealedVersion { version_id, sealed }], ..Change::new(Expect::New, row) }
    });
    let changes: Vec<Change> = changes.collect();
    Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open(&pawl.data_dir().join("pawl.db"), pawl_store::Options::default())
            .await
            .unwrap();
        assert!(store.store_keyring(record.as_bytes()).await.unwrap());
        store.commit_all(changes).await.unwrap();
        store.close().await;
    });
    record.as_bytes().to_vec()
}

/// Different bytes each time.
struct Dice;

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut source = std::fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut source, bytes).unwrap();
    }
}

#[test]
fn rows_of_the_release_before_get_codes_once_and_are_never_believed_without_again() {
    let mut pawl = Pawl::prepare(Options { store: Store::Embedded, ..Options::default() });
    let older = of_before(&pawl, &["target", "other"]);
    pawl.resume();
    assert!(pawl.log().contains("the rows of the store have codes now"), "{}", pawl.log());
    assert_eq!(get(&pawl, "target").json()["SecretString"], "value of target");
    assert_eq!(pawl.cli(&["doctor"]).code, Some(0));
    assert_eq!(pawl.terminate(), Some(0));
    pawl.resume();
    assert_eq!(pawl.log().matches("the rows of the store have codes now").count(), 1, "once");

    // From now on a row without a code is no row of ours.
    tamper(&mut pawl, "UPDATE secrets SET mac = NULL WHERE name = 'target'");
    is_refused(&pawl, "target", "the code was removed");
    // Nor does the record of before help, as long as this host knows better, or one row does.
    assert_eq!(pawl.terminate(), Some(0));
    let connection = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    assert_eq!(connection.execute("UPDATE keyring SET wrapped = ?1", [&older]).unwrap(), 1);
    connection.close().unwrap();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("this host has seen it later") && why.contains("store-epoch"), "{why}");
    std::fs::remove_file(pawl.data_dir().join("store-epoch")).unwrap();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("rows have codes"), "{why}");
}

/// PostgreSQL, put back from an older dump: the whole of it is as authentic as it was, and older than what its hosts know.
#[test]
fn a_database_restored_from_an_older_dump_is_noticed() {
    let mut pawl = Pawl::start(Options { store: Store::Private, ..Options::default() });
    let _ = pawl.create("target", "value of before");
    assert_eq!(pawl.terminate(), Some(0));
    let database = pawl.database().unwrap();
    let dump = database.dump();
    pawl.resume();
    put_now(&pawl);
    assert_eq!(pawl.cli(&["doctor"]).code, Some(0));
    assert_eq!(pawl.terminate(), Some(0));
    pawl.database().unwrap().restore(&dump);
    pawl.resume();
    assert!(pawl.log().contains("the store was rolled back"), "{}", pawl.log());
    let doctor = pawl.cli(&["doctor"]);
    assert!(
        doctor.code == Some(1) && doctor.stdout.contains("the store was rolled back"),
        "{}",
        doctor.stdout
    );
    assert_eq!(get(&pawl, "target").json()["SecretString"], "value of before", "it is whole, and of before");
    assert!(!doctor.stdout.contains("not as it was written"), "{}", doctor.stdout);
}

/// One row, put back whole with its code, under a host that has seen the later one.
#[test]
fn a_row_that_goes_back_under_a_running_host_is_refused() {
    let pawl = Pawl::start(Options { store: Store::Private, ..Options::default() });
    let _ = pawl.create("target", "value of before");
    let _ = pawl.create("other", "value of other");
    change(&pawl, "CREATE TABLE kept AS SELECT * FROM secrets");
    put_now(&pawl);
    assert_eq!(get(&pawl, "target").json()["SecretString"], "value of now");
    change(
        &pawl,
        "UPDATE secrets SET document = kept.document, mac = kept.mac, revision = kept.revision, \
         last_changed_at = kept.last_changed_at, last_accessed_at = kept.last_accessed_at FROM kept \
         WHERE secrets.name = 'target' AND kept.name = 'target'",
    );
    for _ in 0..2 {
        assert_eq!(get(&pawl, "target").code(), "InternalServiceError", "the older value is the wrong one");
    }
    assert!(pawl.log().contains("went back"), "{}", pawl.log());
    let doctor = pawl.cli(&["doctor"]);
    assert!(doctor.code == Some(1) && doctor.stdout.contains("went back"), "{}", doctor.stdout);
    assert_eq!(get(&pawl, "other").json()["SecretString"], "value of other");
}
