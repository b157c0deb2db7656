//! Secrets under keys of their own.

use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, Store};
use pawl_tests::postgres::{Login, Postgres};
use pawl_tests::scratch::Scratch;
use pawl_tests::{aws, http};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SOON, create_under, kms, new_key, try_kms};
use crate::{database_secret, rows};

fn get(pawl: &Pawl, name: &str) -> http::Answer {
    pawl.try_call("GetSecretValue", &json!({"SecretId": name}))
}

fn put(pawl: &Pawl, name: &str, value: &str) -> http::Answer {
    let body = json!({"SecretId": name, "SecretString": value, "ClientRequestToken": aws::token()});
    pawl.try_call("PutSecretValue", &body)
}

/// Has a secret's values sealed by another key.
fn use_key(pawl: &Pawl, name: &str, key: &str) -> http::Answer {
    let body = json!({"SecretId": name, "KmsKeyId": key, "ClientRequestToken": aws::token()});
    pawl.try_call("UpdateSecret", &body)
}

/// The keys of a secret's versions, by label; `-` for those without one.
fn keys_of(pawl: &Pawl, name: &str) -> Value {
    let listed = pawl.call("ListSecretVersionIds", json!({"SecretId": name, "IncludeDeprecated": true}));
    let mut keys = serde_json::Map::new();
    for version in listed["Versions"].as_array().unwrap() {
        let label = version["VersionStages"][0].as_str().unwrap_or("-");
        assert_eq!(version["KmsKeyIds"].as_array().map(Vec::len), Some(1), "{version}");
        keys.insert(label.to_owned(), version["KmsKeyIds"][0].clone());
    }
    Value::Object(keys)
}

#[test]
fn a_secret_is_read_and_written_only_while_its_key_may_be_used() {
    let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
    let (key, arn) = new_key(&pawl);
    kms(&pawl, "CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": key}));
    let _ = create_under(&pawl, "db", "hunter2", "alias/app");
    let _ = pawl.create("plain", "free");
    assert_eq!(get(&pawl, "db").json()["SecretString"], "hunter2");
    let described = pawl.call("DescribeSecret", json!({"SecretId": "db"}));
    assert_eq!(described["KmsKeyId"], "alias/app");
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": arn}));
    assert_eq!(keys_of(&pawl, "plain"), json!({"AWSCURRENT": "DefaultEncryptionKey"}));

    for (close, open) in [("DisableKey", "EnableKey"), ("ScheduleKeyDeletion", "CancelKeyDeletion")] {
        kms(&pawl, close, json!({"KeyId": key}));
        let read = get(&pawl, "db");
        assert_eq!(read.code(), "DecryptionFailure", "{close}: {}", read.body);
        assert!(!read.body.contains("hunter2") && read.body.contains(&arn), "{}", read.body);
        let written = put(&pawl, "db", "hunter3");
        assert_eq!(written.code(), "EncryptionFailure", "{close}: {}", written.body);
        let refused = pawl.try_call(
            "CreateSecret",
            &json!({"Name": "new", "SecretString": "v", "KmsKeyId": key,
            "ClientRequestToken": aws::token()}),
        );
        assert_eq!(refused.code(), "EncryptionFailure", "{}", refused.body);
        assert_eq!(get(&pawl, "plain").json()["SecretString"], "free");
        let batch = pawl.call("BatchGetSecretValue", json!({"SecretIdList": ["db", "plain"]}));
        assert_eq!(batch["Errors"][0]["ErrorCode"], "DecryptionFailure", "{batch}");
        assert_eq!(batch["SecretValues"].as_array().map(Vec::len), Some(1), "{batch}");
        // What needs no value goes on.
        pawl.call("TagResource", json!({"SecretId": "db", "Tags": [{"Key": "a", "Value": "b"}]}));
        kms(&pawl, open, json!({"KeyId": key}));
        if open == "CancelKeyDeletion" {
            kms(&pawl, "EnableKey", json!({"KeyId": key}));
        }
        assert_eq!(get(&pawl, "db").json()["SecretString"], "hunter2");
    }
    assert_eq!(put(&pawl, "db", "hunter3").status, 200);
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": arn, "AWSPREVIOUS": arn}));

    // Gone for good, and every value with it: until the secret is given another key and another value.
    kms(&pawl, "ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}));
    let _ = pawl.cli(&["dev", "clock", "advance", "8d"]).ok();
    assert_eq!(get(&pawl, "db").code(), "DecryptionFailure");
    assert_eq!(put(&pawl, "db", "hunter4").code(), "EncryptionFailure");
    assert_eq!(use_key(&pawl, "db", "").status, 200);
    assert_eq!(get(&pawl, "db").code(), "DecryptionFailure");
    assert_eq!(put(&pawl, "db", "hunter4").status, 200);
    assert_eq!(get(&pawl, "db").json()["SecretString"], "hunter4");
    assert_eq!(
        keys_of(&pawl, "db"),
        json!({"AWSCURRENT": "DefaultEncryptionKey", "AWSPREVIOUS": arn, "-": arn})
    );
}

#[test]
fn another_key_takes_over_the_versions_that_aws_names() {
    let mut pawl = Pawl::start(Options::default());
    let ((one, one_arn), (two, two_arn)) = (new_key(&pawl), new_key(&pawl));
    let _ = pawl.create("db", "v1");
    assert_eq!(put(&pawl, "db", "v2").status, 200);
    assert_eq!(put(&pawl, "db", "v3").status, 200);
    let default = "DefaultEncryptionKey";
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": default, "AWSPREVIOUS": default, "-": default}));
    assert_eq!(use_key(&pawl, "db", &one).status, 200);
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": one_arn, "AWSPREVIOUS": one_arn, "-": default}));
    assert_eq!(use_key(&pawl, "db", &two_arn).status, 200);
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": two_arn, "AWSPREVIOUS": two_arn, "-": default}));
    kms(&pawl, "DisableKey", json!({"KeyId": one}));
    let all = |pawl: &Pawl| {
        assert_eq!(pawl.value("db", "AWSCURRENT").unwrap().1, "v3");
        assert_eq!(pawl.value("db", "AWSPREVIOUS").unwrap().1, "v2");
    };
    all(&pawl);
    pawl.kill9();
    pawl.resume();
    all(&pawl);
    // The same key again seals nothing anew, nor does its rotation.
    kms(&pawl, "RotateKeyOnDemand", json!({"KeyId": two}));
    assert_eq!(use_key(&pawl, "db", &two).status, 200);
    all(&pawl);
    assert_eq!(use_key(&pawl, "db", "").status, 200);
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": default, "AWSPREVIOUS": default, "-": default}));
    kms(&pawl, "DisableKey", json!({"KeyId": two}));
    all(&pawl);
}

#[test]
fn a_key_that_is_no_key_for_secrets_is_refused() {
    let pawl = Pawl::start(Options::default());
    let hmac = kms(&pawl, "CreateKey", json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}));
    let hmac = hmac["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let _ = pawl.create("s", "v");
    let absent = "12345678-1234-4234-8234-123456789012";
    let elsewhere = format!("arn:aws:kms:eu-west-1:000000000000:key/{absent}");
    for wrong in [absent, "alias/none", "nothing", &elsewhere, &hmac] {
        for answer in [
            use_key(&pawl, "s", wrong),
            pawl.try_call(
                "CreateSecret",
                &json!({"Name": "new", "SecretString": "v", "KmsKeyId": wrong,
                "ClientRequestToken": aws::token()}),
            ),
        ] {
            assert_eq!(answer.code(), "InvalidParameterException", "{wrong}: {}", answer.body);
            let text = "The operation failed because of an invalid KMS key: ";
            assert!(answer.body.contains(text), "{wrong}: {}", answer.body);
        }
    }
    assert_eq!(pawl.value("s", "AWSCURRENT").unwrap().1, "v");
}

/// Rotations put their values through the same door.
#[test]
fn a_rotation_seals_the_new_password_under_the_secrets_key() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    let (key, arn) = new_key(&pawl);
    postgres.create_role("app", "first-password");
    let value = database_secret(postgres.port(), "app", "first-password");
    let _ = create_under(&pawl, "db", &value, &key);
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), SOON);
    assert_eq!(keys_of(&pawl, "db"), json!({"AWSCURRENT": arn, "AWSPREVIOUS": arn}));
    let password = pawl.password("db", "AWSCURRENT");
    assert_ne!(password, "first-password");
    assert_eq!(postgres.login("app", &password), Login::Accepted);
    kms(&pawl, "DisableKey", json!({"KeyId": key}));
    let refused =
        pawl.try_call("RotateSecret", &json!({"SecretId": "db", "ClientRequestToken": aws::token()}));
    // It begins, cannot open a value, and changes no password.
    assert!(refused.status == 200 || refused.code() == "DecryptionFailure", "{}", refused.body);
    assert_eq!(postgres.login("app", &password), Login::Accepted);
}

#[test]
fn a_replica_that_stands_alone_takes_its_own_key() {
    let pawl = Pawl::start(Options::default());
    let (key, arn) = new_key(&pawl);
    let _ = create_under(&pawl, "r", "hunter2", &key);
    pawl.call(
        "ReplicateSecretToRegions",
        json!({"SecretId": "r", "AddReplicaRegions": [{"Region": "eu-west-1"}]}),
    );
    let there = |operation: &str, body: &Value| {
        let signer = aws::Signer { region: "eu-west-1".to_owned(), ..pawl.signer() };
        let request = pawl.request(&format!("secretsmanager.{operation}"), body.to_string().as_bytes());
        signer.sign(request, aws::now()).send(pawl.address())
    };
    let read = there("GetSecretValue", &json!({"SecretId": "r"}));
    assert_eq!(read.json()["SecretString"], "hunter2", "{}", read.body);
    let listed = there("ListSecretVersionIds", &json!({"SecretId": "r"})).json();
    assert_eq!(listed["Versions"][0]["KmsKeyIds"], json!([arn]), "the primary's");
    let alone = there("StopReplicationToReplica", &json!({"SecretId": "r"}));
    assert_eq!(alone.status, 200, "{}", alone.body);
    kms(&pawl, "DisableKey", json!({"KeyId": key}));
    assert_eq!(get(&pawl, "r").code(), "DecryptionFailure");
    assert_eq!(there("GetSecretValue", &json!({"SecretId": "r"})).json()["SecretString"], "hunter2");
    let listed = there("ListSecretVersionIds", &json!({"SecretId": "r"})).json();
    assert_eq!(listed["Versions"][0]["KmsKeyIds"], json!(["DefaultEncryptionKey"]));
}

#[test]
fn a_backup_holds_keys_and_what_is_under_them() {
    let pawl = Pawl::start(Options::default());
    let (key, arn) = new_key(&pawl);
    kms(&pawl, "CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": key}));
    kms(&pawl, "RotateKeyOnDemand", json!({"KeyId": key}));
    let sealed = kms(&pawl, "Encrypt", json!({"KeyId": key, "Plaintext": "aHVudGVyMg=="}));
    let _ = create_under(&pawl, "db", "hunter2", "alias/app");
    let scratch = Scratch::new("backup");
    let file = scratch.path().join("all.backup").to_str().unwrap().to_owned();
    let on_store = |pawl: &Pawl, arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--data-dir", pawl.data_dir().to_str().unwrap()]);
        if let Some(database) = pawl.database() {
            all.extend(["--database-url", database.url()]);
        }
        pawl.cli(&all).ok()
    };
    let _ = on_store(&pawl, &["backup", &file]);
    let mut heir = Pawl::prepare(Options { root_key: pawl.root_key(), ..Options::default() });
    let _ = on_store(&heir, &["restore", &file]);
    heir.resume();
    let opened = kms(&heir, "Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
    assert_eq!(opened["Plaintext"], "aHVudGVyMg==");
    assert_eq!(heir.value("db", "AWSCURRENT").unwrap().1, "hunter2");
    assert_eq!(keys_of(&heir, "db"), json!({"AWSCURRENT": arn}));
    assert_eq!(try_kms(&heir, "DescribeKey", &json!({"KeyId": "alias/app"})).status, 200);
}

/// Before there were keys, what a secret named as its key was kept as a text, and nothing else came of it.
#[test]
fn a_secret_whose_key_was_mere_text_goes_on_as_it_was() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, ..Options::default() });
    let _ = pawl.create("old", "v1");
    assert_eq!(pawl.terminate(), Some(0));
    let connection = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    let sql =
        "UPDATE secrets SET document = json_set(document, '$.kms_key_id', 'alias/old') WHERE name = 'old'";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    connection.close().unwrap();
    rows::sign_again(&pawl, "old");
    pawl.resume();
    assert_eq!(get(&pawl, "old").json()["SecretString"], "v1");
    assert_eq!(put(&pawl, "old", "v2").status, 200);
    assert_eq!(pawl.call("DescribeSecret", json!({"SecretId": "old"}))["KmsKeyId"], "alias/old");
    let default = "DefaultEncryptionKey";
    assert_eq!(keys_of(&pawl, "old"), json!({"AWSCURRENT": default, "AWSPREVIOUS": default}));
    assert!(pawl.log().contains("names a KMS key that does not exist"), "{}", pawl.log());
    // Once the key is there, what is written is under it.
    let (key, arn) = new_key(&pawl);
    kms(&pawl, "CreateAlias", json!({"AliasName": "alias/old", "TargetKeyId": key}));
    assert_eq!(put(&pawl, "old", "v3").status, 200);
    assert_eq!(keys_of(&pawl, "old"), json!({"AWSCURRENT": arn, "AWSPREVIOUS": default, "-": default}));
    assert_eq!(get(&pawl, "old").json()["SecretString"], "v3");
}
