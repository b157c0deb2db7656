//! What a rotation of the root key leaves in the audit log.

use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

use super::{SOON, root_key};

fn event(pawl: &Pawl, name: &str) -> Value {
    let dir = pawl.data_dir().to_str().unwrap();
    eventually(name, SOON, || {
        let ran = pawl.cli(&["audit", "query", "--event", name, "--data-dir", dir, "--output", "json"]);
        let text = ran.ok();
        let mut records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = records.next()?;
        assert!(records.next().is_none(), "told twice: {text}");
        Some(found)
    })
}

#[test]
fn who_asked_which_keys_and_how_much_was_sealed_anew_are_recorded() {
    let pawl = Pawl::start(Options::default());
    for number in 0..5 {
        let _ = pawl.create(&format!("kept/{number}"), "value");
    }
    let before = root_key(&pawl);
    let ran = pawl.cli(&["key", "rotate", "--wait", "--timeout", "120s"]);
    assert!(ran.code == Some(0), "{}{}", ran.stdout, ran.stderr);
    let after = root_key(&pawl);
    let call = event(&pawl, "RotateRootKey");
    assert_eq!(call["userIdentity"]["type"], "Root");
    let begun = event(&pawl, "RootKeyRotationStarted");
    let told = &begun["additionalEventData"];
    assert_eq!((&told["from"], &told["to"]), (&json!(before), &json!(after)));
    assert_eq!(told["askedBy"], call["userIdentity"]["arn"]);
    assert_eq!(begun["requestID"], call["requestID"], "it leads to the call");
    assert_eq!((&begun["eventSource"], &begun["eventType"]), (&json!("pawl"), &json!("AwsServiceEvent")));
    assert_eq!(event(&pawl, "RootKeyRotationActivated")["additionalEventData"]["to"], after.as_str());
    let ended = event(&pawl, "RootKeyRotationSucceeded");
    let told = &ended["additionalEventData"];
    assert_eq!((&told["from"], &told["to"], &told["unreadable"]), (&json!(before), &json!(after), &json!(0)));
    assert!(told["resealed"].as_u64().unwrap() >= 5, "{ended}");
    assert!(pawl.cli(&["key", "forget"]).code == Some(0));
    let forgotten = event(&pawl, "RootKeysForgotten");
    assert_eq!(forgotten["additionalEventData"]["rootKeys"], json!([before]));
    // The same key again is no former one.
    assert!(pawl.cli(&["key", "forget"]).code == Some(0));
    let _ = event(&pawl, "RootKeysForgotten");
    // No key of the file is in the log.
    let keys = String::from_utf8(pawl.root_key().unwrap()).unwrap();
    let key = keys.lines().find(|line| !line.starts_with('#')).unwrap();
    for host in std::fs::read_dir(pawl.data_dir().join("audit")).unwrap().flatten() {
        for segment in std::fs::read_dir(host.path()).into_iter().flatten().flatten() {
            assert!(!super::holds(&segment.path(), key.as_bytes()), "{segment:?}");
        }
    }
}
