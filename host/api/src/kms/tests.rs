use serde_json::{Value, json};

use super::request::through;
use super::{Operation, model};
use crate::error::ErrorCode;
use crate::model::Kind;

fn right(kind: &Kind) -> Value {
    match kind {
        Kind::Text(rule) => json!(rule.choices.first().copied().unwrap_or("alias")),
        Kind::Integer(rule) => json!(rule.max),
        Kind::Boolean => json!(true),
        Kind::Blob(_) => json!("AAEC"),
        Kind::Timestamp => json!(1.5),
        Kind::List(list) => json!([right(&list.element)]),
        Kind::Map(_) => json!({"a": "1", "b": ""}),
        Kind::Structure(structure) => structure
            .members
            .iter()
            .map(|member| (member.name.to_owned(), right(&member.kind)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[test]
fn every_member_of_the_table_is_one_of_the_shape() {
    for operation in Operation::ALL {
        let whole = right(&Kind::Structure(model::of(*operation)));
        let read =
            through(*operation, whole.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read, whole, "{operation:?}");
        for member in model::of(*operation).members.iter().filter(|member| member.required) {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(member.name);
            let refused = through(*operation, without.to_string().as_bytes()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ValidationException, "{operation:?} {}", member.name);
        }
    }
}

#[test]
fn a_context_is_a_map_of_texts() {
    let encrypt = |context: Value| {
        let body = json!({"KeyId": "k", "Plaintext": "AAEC", "EncryptionContext": context});
        through(Operation::Encrypt, body.to_string().as_bytes()).map_err(|error| error.code)
    };
    assert!(encrypt(json!({})).is_ok() && encrypt(json!({"a": "1"})).is_ok() && encrypt(Value::Null).is_ok());
    for wrong in [json!([]), json!("a"), json!({"a": 1}), json!({"a": {"b": "c"}}), json!({"a": null})] {
        assert_eq!(encrypt(wrong.clone()), Err(ErrorCode::SerializationException), "{wrong}");
    }
    // The last of two members with one name counts, as in every map.
    let twice = br#"{"KeyId":"k","KeyId":"l","Plaintext":"AAEC","EncryptionContext":{"a":"1","a":"2"}}"#;
    let read = through(Operation::Encrypt, twice).unwrap();
    assert_eq!((&read["KeyId"], &read["EncryptionContext"]["a"]), (&json!("l"), &json!("2")));
}

#[test]
fn what_may_be_a_secret_is_not_quoted() {
    let body = json!({"KeyId": "k", "Plaintext": "", "EncryptionContext": {}});
    let refused = through(Operation::Encrypt, body.to_string().as_bytes()).unwrap_err();
    assert_eq!(
        refused.message,
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater \
         than or equal to 1"
    );
}
