//! Somebody with the store's file at hand changes it: nothing wrong is answered, and what was changed is named. And nothing that a
//! key has sealed, nor the key, is in clear anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::aws;
use pawl_tests::needles::{Needles, holds};
use pawl_tests::pawl::{Options, Pawl, Store};
use rusqlite::Connection;
use serde_json::json;

use super::{create_under, kms, new_key, try_kms};
use crate::canary::files;

/// Works on the store of a server that is stopped, and starts it again.
fn tamper<T>(pawl: &mut Pawl, with: impl FnOnce(&Connection) -> T) -> T {
    assert_eq!(pawl.terminate(), Some(0));
    let connection = Connection::open(pawl.data_dir().join("pawl.db")).unwrap();
    let done = with(&connection);
    connection.close().unwrap();
    pawl.resume();
    done
}

/// The sealed value of a secret's only version, and the row that has it.
fn sealed(connection: &Connection, name: &str) -> (i64, Vec<u8>) {
    let sql =
        "SELECT v.rowid, v.sealed FROM versions v JOIN secrets s ON s.id = v.secret_id WHERE s.name = ?1";
    connection.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn overwrite(connection: &Connection, row: i64, sealed: &[u8]) {
    let changed =
        connection.execute("UPDATE versions SET sealed = ?2 WHERE rowid = ?1", (row, sealed)).unwrap();
    assert_eq!(changed, 1);
}

fn code(pawl: &Pawl, name: &str) -> String {
    pawl.try_call("GetSecretValue", &json!({"SecretId": name})).code()
}

fn embedded() -> Pawl {
    Pawl::start(Options { store: Store::Embedded, ..Options::default() })
}

#[test]
fn values_that_were_changed_or_exchanged_do_not_open() {
    let mut pawl = embedded();
    let ((one, _), (two, _)) = (new_key(&pawl), new_key(&pawl));
    let _ = create_under(&pawl, "a", "value of a", &one);
    let _ = create_under(&pawl, "b", "value of b", &one);
    let _ = create_under(&pawl, "c", "value of c", &two);
    let _ = pawl.create("plain", "value of plain");
    let originals = tamper(&mut pawl, |connection| {
        let all = ["a", "b", "c", "plain"].map(|name| sealed(connection, name));
        let [a, b, c, plain] = &all;
        overwrite(connection, a.0, &b.1);
        overwrite(connection, b.0, &a.1);
        overwrite(connection, c.0, &plain.1);
        overwrite(connection, plain.0, &c.1);
        all
    });
    for name in ["a", "b", "c", "plain"] {
        assert_eq!(code(&pawl, name), "DecryptionFailure", "{name}, exchanged");
    }
    assert!(pawl.log().contains("belongs to another secret or version"), "{}", pawl.log());
    // Bits of every part: format, kind, length, the wrapped key's header and body, nonce, value, tag.
    let last = originals[0].1.len() - 1;
    for at in [0, 1, 3, 4, 10, 22, 30, 50, 60, 100, 102, 113, 115, last] {
        tamper(&mut pawl, |connection| {
            let (row, mut bytes) = originals[0].clone();
            bytes[at] ^= 0x10;
            overwrite(connection, row, &bytes);
            overwrite(connection, originals[1].0, &originals[1].1);
        });
        let code = code(&pawl, "a");
        assert_eq!(code, "DecryptionFailure", "byte {at}");
        assert_eq!(pawl.value("b", "AWSCURRENT").unwrap().1, "value of b", "the others are as they were");
    }
    tamper(&mut pawl, |connection| {
        for (row, bytes) in &originals {
            overwrite(connection, *row, bytes);
        }
    });
    for name in ["a", "b", "c", "plain"] {
        assert_eq!(pawl.value(name, "AWSCURRENT").unwrap().1, format!("value of {name}"));
    }
}

#[test]
fn a_keys_material_that_was_changed_is_named_and_opens_nothing() {
    let mut pawl = embedded();
    let ((one, _), (two, _)) = (new_key(&pawl), new_key(&pawl));
    kms(&pawl, "RotateKeyOnDemand", json!({"KeyId": one}));
    let blob =
        kms(&pawl, "Encrypt", json!({"KeyId": one, "Plaintext": "aHVudGVyMg=="}))["CiphertextBlob"].clone();
    let _ = create_under(&pawl, "a", "value of a", &one);
    let material = |connection: &Connection, key: &str| -> Vec<u8> {
        let sql = "SELECT sealed FROM entities WHERE kind = 'kms:key' AND name = ?1";
        connection.query_row(sql, [key], |row| row.get(0)).unwrap()
    };
    let write = |connection: &Connection, key: &str, sealed: &[u8]| {
        let sql = "UPDATE entities SET sealed = ?2 WHERE kind = 'kms:key' AND name = ?1";
        assert_eq!(connection.execute(sql, (key, sealed)).unwrap(), 1);
    };
    let original = tamper(&mut pawl, |connection| material(connection, &one));
    let others = tamper(&mut pawl, |connection| material(connection, &two));
    let mut flipped = original.clone();
    flipped[40] ^= 1;
    // As it was before the rotation: rolled back.
    let older = original[..original.len() - 64].to_vec();
    for (what, wrong) in [("another key's", others), ("flipped", flipped), ("rolled back", older)] {
        tamper(&mut pawl, |connection| write(connection, &one, &wrong));
        let refused = try_kms(&pawl, "Decrypt", &json!({"CiphertextBlob": blob}));
        assert_eq!((refused.status, refused.code().as_str()), (500, "KMSInternalException"), "{what}");
        let read = pawl.try_call("GetSecretValue", &json!({"SecretId": "a"}));
        assert!(read.status >= 400 && !read.body.contains("value of a"), "{what}: {}", read.body);
        assert!(pawl.log().contains(&format!("the entity kms:key {one} ")), "{what}: {}", pawl.log());
        assert_eq!(try_kms(&pawl, "DescribeKey", &json!({"KeyId": two})).status, 200, "{what}");
    }
    tamper(&mut pawl, |connection| write(connection, &one, &original));
    assert_eq!(kms(&pawl, "Decrypt", json!({"CiphertextBlob": blob}))["Plaintext"], "aHVudGVyMg==");
}

#[test]
fn nothing_of_keys_is_found_where_none_belongs() {
    let mut pawl = Pawl::start(Options { store: Store::Embedded, trace: true, ..Options::default() });
    let (key, _) = new_key(&pawl);
    let mut hidden = Vec::new();
    let mut bodies = Vec::new();
    for what in ["message", "value", "other"] {
        hidden.push(format!("canary-{what}-{}", aws::token()));
    }
    let plaintext = STANDARD.encode(&hidden[0]);
    let sealed =
        kms(&pawl, "Encrypt", json!({"KeyId": key, "Plaintext": plaintext}))["CiphertextBlob"].clone();
    let _ = create_under(&pawl, "db", &hidden[1], &key);
    assert_eq!(pawl.value("db", "AWSCURRENT").unwrap().1, hidden[1]);
    assert_eq!(kms(&pawl, "Decrypt", json!({"CiphertextBlob": sealed}))["Plaintext"], plaintext);
    let wrong = json!({"CiphertextBlob": sealed, "EncryptionContext": {"a": "b"}});
    bodies.push(try_kms(&pawl, "Decrypt", &wrong).body);
    let torn = json!({"KeyId": "none", "Plaintext": STANDARD.encode(&hidden[2])});
    bodies.push(try_kms(&pawl, "Encrypt", &torn).body);
    let long = json!({"KeyId": key, "Plaintext": STANDARD.encode(hidden[2].repeat(200))});
    bodies.push(try_kms(&pawl, "Encrypt", &long).body);
    kms(&pawl, "RotateKeyOnDemand", json!({"KeyId": key}));
    kms(&pawl, "DisableKey", json!({"KeyId": key}));
    bodies.push(pawl.try_call("GetSecretValue", &json!({"SecretId": "db"})).body);

    let mut places = Vec::new();
    files(pawl.data_dir(), &mut places);
    pawl.kill9();
    files(pawl.data_dir(), &mut places);
    pawl.resume();
    assert_eq!(pawl.terminate(), Some(0));
    files(pawl.data_dir(), &mut places);
    places.push(("pawl's log".to_owned(), pawl.log().into_bytes()));
    places.extend(bodies.into_iter().map(|body| ("an answer".to_owned(), body.into_bytes())));
    let found = |what: &str, place: &str| {
        places.iter().any(|(name, bytes)| name.contains(place) && holds(bytes, what.as_bytes()))
    };
    assert!(found(&key, "/data/"), "the store holds the key's id");
    assert!(found("DEBUG", "pawl's log"), "the log is a log of everything");
    let needles = Needles::of(&hidden);
    for (name, bytes) in &places {
        if let Some((text, form)) = needles.first_in(bytes) {
            panic!("`{text}` is in {name} as {}", String::from_utf8_lossy(form));
        }
    }
}
