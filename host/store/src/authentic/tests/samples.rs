//! Rows that are written well.

use super::*;

pub(super) fn signer() -> Signer {
    let (keyring, _) = Keyring::create(&RootKey::generate(&Dice), &Dice).unwrap();
    Arc::new(Codes(keyring.row_key()))
}

pub(super) fn region() -> Region {
    "us-east-1".parse().unwrap()
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn secret(name: &str, full: bool) -> SecretRow {
    let arn = format!("\"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-aaaaaa\"");
    let when = |millis| full.then_some(at(millis));
    SecretRow {
        arn: serde_json::from_str(&arn).unwrap(),
        region: region(),
        name: name.parse().unwrap(),
        revision: 1,
        document: format!("{{\"labels\":{{\"AWSCURRENT\":\"of {name}\"}},\"policy\":\"it's denied\"}}"),
        created_at: at(1_000),
        purge_at: when(5_000),
        next_rotation_at: when(6_000),
        rotation_due_at: when(7_000),
        last_changed_at: at(2_000),
        last_accessed_at: when(3_000),
        replica_of: full.then(|| "eu-west-1".parse().unwrap()),
        rotation_state: full.then_some(RotationState::Waiting),
        mac: RowMac::None,
    }
}

pub(super) fn function(name: &str, revision: u64) -> FunctionRow {
    FunctionRow {
        id: format!("id of {name}"),
        region: region(),
        name: name.parse().unwrap(),
        revision,
        document: format!("{{\"name\":\"{name}\"}}"),
        mac: RowMac::None,
    }
}

pub(super) fn code(number: u8) -> StoredCode {
    StoredCode {
        digest: Digest::from_bytes([number; 32]),
        document: format!("{{\"grants\":{number}}}"),
        component: vec![number; 100],
        mac: RowMac::None,
    }
}

pub(super) fn entity(kind: &str, name: &str, expect: Expect, document: &str) -> EntityChange {
    let put = EntityPut {
        document: document.to_owned(),
        sealed: Some(format!("sealed of {name}").into_bytes()),
        keys: Some(vec![format!("key of {name}")]),
    };
    let (kind, region, name) = (kind.to_owned(), String::new(), name.to_owned());
    EntityChange { kind, region, name, expect, put: Some(put), signer: None }
}

pub(super) fn approval(name: &str, document: &str) -> ApprovalChange {
    ApprovalChange {
        region: region(),
        name: name.parse().unwrap(),
        document: Some(document.to_owned()),
        mac: RowMac::None,
        audit: Vec::new(),
        events: Vec::new(),
    }
}
