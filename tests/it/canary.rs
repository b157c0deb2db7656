//! Nothing in clear: what was never to be seen is looked for everywhere a secret could have left a trace.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use pawl_tests::aws;
use pawl_tests::needles::{Needles, holds};
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, SECRET_ACCESS_KEY};
use pawl_tests::postgres::Postgres;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);

/// Every file below a directory.
pub(crate) fn files(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), into);
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            // A file that went away meanwhile (a journal) holds nothing any more.
            into.push((entry.path().display().to_string(), bytes));
        }
    }
}

/// The passwords that a secret of the database has now: current, previous and pending.
pub(crate) fn passwords(pawl: &Pawl, name: &str, hidden: &mut Vec<String>) {
    for label in ["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"] {
        if let Some((_, value)) = pawl.value(name, label) {
            let value: Value = serde_json::from_str(&value).unwrap();
            hidden.push(value["password"].as_str().unwrap().to_owned());
        }
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one life of a secret, from its making to every way of its failing"
)]
fn no_secret_is_found_where_none_belongs() {
    let postgres = Postgres::start();
    let mut pawl = Pawl::start(Options { trace: true, dev_clock: true, ..Options::default() });
    let mut hidden = vec![SECRET_ACCESS_KEY.to_owned()];
    let mut bodies = Vec::new();
    let mut marker = |what: &str| {
        let marker = format!("canary-{what}-{}", aws::token());
        hidden.push(marker.clone());
        marker
    };

    // A plain secret: made, read, changed, and refused in every way that has the value at hand.
    let (first, second, third) = (marker("first"), marker("second"), marker("third"));
    let token = aws::token();
    let make = json!({"Name": "plain", "SecretString": first, "ClientRequestToken": token});
    pawl.call("CreateSecret", make);
    let binary = base64::engine::general_purpose::STANDARD.encode(&second);
    pawl.call(
        "PutSecretValue",
        json!({"SecretId": "plain", "SecretBinary": binary, "ClientRequestToken": aws::token()}),
    );
    pawl.call(
        "UpdateSecret",
        json!({"SecretId": "plain", "SecretString": third, "ClientRequestToken": aws::token()}),
    );
    assert_eq!(pawl.value("plain", "AWSCURRENT").unwrap().1, third);
    let refused = [
        (
            "CreateSecret",
            json!({"Name": "plain", "SecretString": marker("taken"), "ClientRequestToken": token}),
        ),
        (
            "CreateSecret",
            json!({"Name": "a b", "SecretString": marker("badname"), "ClientRequestToken": token}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "plain", "SecretString": marker("used"), "ClientRequestToken": token}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "none", "SecretString": marker("none"), "ClientRequestToken": token}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "plain", "SecretString": marker("short"), "ClientRequestToken": "x"}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "plain", "SecretString": [marker("list")], "ClientRequestToken": token}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "plain", "SecretBinary": format!("%{}", marker("notbase64")),
                                  "ClientRequestToken": token}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "plain", "SecretString": marker("long").repeat(2_000),
                                  "ClientRequestToken": token}),
        ),
        ("NoSuchOperation", json!({"SecretString": marker("unknown")})),
    ];
    for (operation, body) in refused {
        let answer = pawl.try_call(operation, &body);
        assert!(answer.status >= 400, "{operation} answered {}", answer.body);
        bodies.push(answer.body);
    }
    let torn = format!("{{\"SecretId\": \"plain\", \"SecretString\": \"{}\", ", marker("torn"));
    let request = pawl.request("secretsmanager.PutSecretValue", torn.as_bytes());
    bodies.push(pawl.signer().sign(request, aws::now()).send(pawl.address()).body);
    let unsigned = json!({"SecretId": "plain", "SecretString": marker("unsigned")}).to_string();
    bodies.push(pawl.request("secretsmanager.PutSecretValue", unsigned.as_bytes()).send(pawl.address()).body);

    // A database's: rotated, then failing because its password was changed behind the service's back.
    let (password, other, elsewhere) = (marker("password"), marker("other"), marker("elsewhere"));
    postgres.create_role("app", &password);
    let mut value: Value = serde_json::from_str(&database_secret(postgres.port(), "app", &password)).unwrap();
    value["apiKey"] = json!(marker("field"));
    let _ = pawl.create("db", &value.to_string());
    pawl.await_rotation("db", &pawl.rotate("db", POSTGRES_ROTATOR), SOON);
    passwords(&pawl, "db", &mut hidden);
    bodies.push(pawl.rotation("db").to_string());
    postgres.alter_role("app", &elsewhere);
    let _ = pawl.rotate("db", POSTGRES_ROTATOR);
    let failed = eventually("the rotation gives up", SOON, || {
        let rotation = pawl.rotation("db");
        (rotation["Status"] == "Failed").then_some(rotation)
    });
    bodies.push(failed.to_string());
    passwords(&pawl, "db", &mut hidden);
    // A value that no rotator can work with.
    let _ = pawl.create("odd", &format!("not JSON: {other}"));
    let _ = pawl.rotate("odd", POSTGRES_ROTATOR);
    let failed = eventually("the rotation gives up", SOON, || {
        let rotation = pawl.rotation("odd");
        (rotation["Status"] == "Failed").then_some(rotation)
    });
    bodies.push(failed.to_string());
    for arguments in
        [&["secret", "list"][..], &["secret", "describe", "db"], &["rotate", "db", "--wait"], &["doctor"]]
    {
        let ran = pawl.cli(arguments);
        bodies.push(ran.stdout + &ran.stderr);
    }
    passwords(&pawl, "db", &mut hidden);
    let random = pawl.call("GetRandomPassword", json!({}));
    hidden.push(random["RandomPassword"].as_str().unwrap().to_owned());

    // Running, then killed, then ended as it should: the journals differ.
    let mut places = Vec::new();
    files(pawl.data_dir(), &mut places);
    pawl.kill9();
    files(pawl.data_dir(), &mut places);
    pawl.resume();
    assert_eq!(pawl.terminate(), Some(0));
    files(pawl.data_dir(), &mut places);
    if let Some(database) = pawl.database() {
        let _ = database.admin("CHECKPOINT");
        files(database.data_dir(), &mut places);
    }
    places.push(("pawl's log".to_owned(), pawl.log().into_bytes()));
    places.push(("pawl's output".to_owned(), pawl.printed().into_bytes()));
    places.push(("PostgreSQL's log".to_owned(), postgres.log().into_bytes()));
    places.extend(bodies.into_iter().map(|body| ("an answer".to_owned(), body.into_bytes())));

    // The search can find: each place that matters holds what it should.
    let found = |what: &str, place: &str| {
        let whole = |(name, bytes): &(String, Vec<u8>)| name.contains(place) && holds(bytes, what.as_bytes());
        places.iter().any(whole)
    };
    assert!(found("plain", "/data/"), "the store holds the secret's name");
    assert!(found("PutSecretValue", "/audit/"), "the audit log holds what was done");
    assert!(found("DEBUG", "pawl's log"), "the log is a log of everything");
    assert!(
        found("SCRAM-SHA-256$", "PostgreSQL's log"),
        "PostgreSQL logs the statement that sets a password"
    );
    assert!(places.len() > 10 && hidden.len() > 15);

    let needles = Needles::of(&hidden);
    for (name, bytes) in &places {
        if let Some((text, form)) = needles.first_in(bytes) {
            panic!("`{text}` is in {name} as {}", String::from_utf8_lossy(form));
        }
    }
}
