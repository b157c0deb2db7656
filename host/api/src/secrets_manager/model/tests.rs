//! The check of requests, at every edge of every member of the table: what is added there is tested by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::ALL;
use crate::error::ErrorCode;
use crate::model::{Constraint, Integer, Kind, Member, Pattern, Structure, Text};
use crate::secrets_manager::Operation;
use crate::secrets_manager::request::{through_request, through_response};

/// A text of `length` that matches the rule, if there is one.
fn text(rule: Text, length: usize) -> Option<String> {
    if let Some(choice) = rule.choices.first() {
        return Some((*choice).to_owned());
    }
    let (fill, end) = match rule.pattern.map(|pattern| pattern.text) {
        None if rule.bytes => ("x", ""),
        // Two bytes each: AWS counts characters.
        None => ("é", ""),
        Some(text) if text == Pattern::REGION.text => ("a", "-1"),
        Some(text) if text == Pattern::DURATION.text => ("1", "h"),
        Some(_) => ("a", ""),
    };
    let text = format!("{}{end}", fill.repeat(length.checked_sub(end.len())?));
    rule.pattern.is_none_or(|pattern| (pattern.matches)(&text)).then_some(text)
}

/// A value that is right, as long as it may be if it is `longest`.
fn right(kind: &Kind, longest: bool) -> Value {
    match kind {
        Kind::Text(rule) => {
            let most = rule.length.max.unwrap_or(50);
            let least = rule.length.min.unwrap_or(0);
            let lengths: Vec<usize> = if longest { vec![most] } else { (least..=most).collect() };
            json!(lengths.into_iter().find_map(|length| text(*rule, length)).expect("a text that is right"))
        }
        Kind::Integer(Integer { min, max, .. }) => {
            json!(if longest { max.unwrap_or(9) } else { min.unwrap_or(0) })
        }
        Kind::Boolean => json!(true),
        Kind::Blob(length) => blob(if longest { length.max.unwrap() } else { length.min.unwrap() }),
        Kind::Timestamp => json!(1_785_000_000.123),
        Kind::List(list) => {
            let count =
                if longest { list.length.max.unwrap_or(3) } else { list.length.min.unwrap_or(0).max(1) };
            json!(vec![right(&list.element, longest); count])
        }
        Kind::Map(map) => {
            let mut one = Map::new();
            one.insert(right(&map.key, longest).as_str().unwrap().to_owned(), right(&map.value, longest));
            Value::Object(one)
        }
        Kind::Structure(structure) => all(structure, longest, |_| true),
    }
}

fn blob(bytes: usize) -> Value {
    json!(STANDARD.encode(vec![0xA5_u8; bytes]))
}

fn all(structure: &Structure, longest: bool, wanted: impl Fn(&Member) -> bool) -> Value {
    let members = structure.members.iter().filter(|member| wanted(member));
    Value::Object(members.map(|member| (member.name.to_owned(), right(&member.kind, longest))).collect())
}

/// Values of `kind` that are wrong, each with the constraint that it breaks; and values at the edge that are right.
fn edges(kind: &Kind) -> (Vec<Value>, Vec<(Value, Constraint)>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    match kind {
        Kind::Text(rule) => {
            // What a wrong text breaks besides does not matter.
            let any = |length: usize| json!((if rule.bytes { "x" } else { "é" }).repeat(length));
            if let Some(most) = rule.length.max {
                good.extend(text(*rule, most).map(|text| json!(text)));
                bad.push((any(most + 1), Constraint::LengthMax(most)));
                if rule.bytes {
                    bad.push((json!("é".repeat(most / 2 + 1)), Constraint::LengthMax(most)));
                }
            }
            if let Some(least) = rule.length.min {
                good.extend(text(*rule, least).map(|text| json!(text)));
                bad.extend(least.checked_sub(1).map(|length| (any(length), Constraint::LengthMin(least))));
            }
            if let Some(pattern) = rule.pattern {
                bad.push((any(rule.length.max.unwrap_or(9)), Constraint::Matches(pattern)));
            }
            if !rule.choices.is_empty() {
                good.extend(rule.choices.iter().map(|choice| json!(choice)));
                let wrong = ["", "no such choice", &rule.choices[0].to_uppercase().replace("ASC", "Asc")];
                bad.extend(wrong.map(|wrong| (json!(wrong), Constraint::OneOf(rule.choices))));
            }
        }
        Kind::Integer(rule) => {
            good.extend(rule.max.iter().chain(&rule.min).map(|edge| json!(edge)));
            bad.extend(rule.max.map(|most| (json!(most + 1), Constraint::ValueMax(most))));
            bad.extend(rule.min.map(|least| (json!(least - 1), Constraint::ValueMin(least))));
        }
        Kind::Blob(length) => {
            good.extend(length.max.into_iter().chain(length.min).map(blob));
            bad.extend(length.max.map(|most| (blob(most + 1), Constraint::LengthMax(most))));
            bad.extend(length.min.map(|least| (blob(least - 1), Constraint::LengthMin(least))));
        }
        Kind::List(list) => {
            let of = |count: usize| json!(vec![right(&list.element, false); count]);
            good.extend(list.length.max.into_iter().chain(list.length.min).map(of));
            bad.extend(list.length.max.map(|most| (of(most + 1), Constraint::LengthMax(most))));
            if let Some(least) = list.length.min.filter(|least| *least > 1) {
                bad.push((of(least - 1), Constraint::LengthMin(least)));
            }
        }
        Kind::Boolean | Kind::Timestamp | Kind::Map(_) | Kind::Structure(_) => {}
    }
    (good, bad)
}

/// Where a value goes: a request in which only it is yet to be set.
struct Place<'p> {
    operation: Operation,
    /// As errors spell it.
    path: String,
    request: &'p dyn Fn(Value) -> Value,
    sensitive: bool,
}

impl Place<'_> {
    fn admits(&self, value: &Value) {
        let body = (self.request)(value.clone());
        let through = through_request(self.operation, body.to_string().as_bytes());
        let through = through.unwrap_or_else(|error| panic!("{:?} {}: {error}", self.operation, self.path));
        assert_eq!(through, body, "{:?} {}", self.operation, self.path);
    }

    fn refuses(&self, value: &Value, constraint: &str, in_list: bool) {
        let Self { operation, path, .. } = self;
        let body = (self.request)(if in_list { json!([value]) } else { value.clone() });
        let refused = through_request(*operation, body.to_string().as_bytes()).expect_err(path);
        assert_eq!(refused.code, ErrorCode::ValidationException, "{operation:?} {path}: {refused}");
        let quote = match value {
            _ if self.sensitive => "Value".to_owned(),
            Value::String(text) if in_list => format!("Value '[{text}]'"),
            Value::String(text) => format!("Value '{text}'"),
            Value::Number(number) => format!("Value '{number}'"),
            Value::Array(of) if of.iter().all(Value::is_string) => {
                let of: Vec<&str> = of.iter().filter_map(Value::as_str).collect();
                format!("Value '[{}]'", of.join(", "))
            }
            Value::Null => "Value null".to_owned(),
            _ => "Value".to_owned(),
        };
        let told = format!("{quote} at '{path}' failed to satisfy constraint: {constraint}");
        assert!(
            refused.message.contains(&told),
            "{operation:?} {path}: wanted {told:.300}, got {:.300}",
            refused.message
        );
    }
}

fn spelt(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}

fn visit(operation: Operation, structure: &Structure, path: &str, request: &dyn Fn(Value) -> Value) -> usize {
    let mut visited = 0;
    for member in structure.members {
        let set = |value: Value| {
            let mut whole = all(structure, false, |other| other.required || structure.name == "Filter");
            whole.as_object_mut().unwrap().insert(member.name.to_owned(), value);
            request(whole)
        };
        let path = format!("{path}{}", spelt(member.name));
        let place = Place { operation, path: path.clone(), request: &set, sensitive: member.sensitive };
        let (good, bad) = edges(&member.kind);
        good.iter().for_each(|value| place.admits(value));
        bad.iter().for_each(|(value, constraint)| place.refuses(value, &constraint.to_string(), false));
        if member.required {
            place.refuses(&Value::Null, "Member must not be null", false);
        }
        visited += 1;
        match &member.kind {
            Kind::Structure(inner) => visited += visit(operation, inner, &format!("{path}."), &set),
            Kind::List(list) => {
                // The least length of every list of the model is one at most.
                if list.length.min == Some(1) && member.required {
                    let (none, least) = (json!([]), Constraint::LengthMin(1).to_string());
                    let unquoted = Place { sensitive: !list.element.is_scalar(), ..place };
                    unquoted.refuses(&none, &least, false);
                }
                if let Kind::Structure(inner) = &list.element {
                    let one = |value: Value| set(json!([value]));
                    visited += visit(operation, inner, &format!("{path}.1.member."), &one);
                } else {
                    let place = Place { operation, path, request: &set, sensitive: member.sensitive };
                    let (good, bad) = edges(&list.element);
                    good.into_iter().for_each(|value| place.admits(&json!([value])));
                    bad.iter().for_each(|(value, constraint)| {
                        let Kind::Text(_) = list.element else { panic!("a list of another kind") };
                        place.refuses(value, "Member must satisfy constraint: [", true);
                        let body = set(json!([value])).to_string();
                        let refused = through_request(operation, body.as_bytes()).unwrap_err();
                        assert!(refused.message.contains(&constraint.to_string()), "{refused}");
                    });
                }
            }
            _ => {}
        }
    }
    visited
}

#[test]
fn every_limit_of_every_member_holds_at_its_edge() {
    let visited: usize =
        ALL.iter().map(|model| visit(model.operation, &model.request, "", &|request| request)).sum();
    // So that a walk that visits nothing is seen.
    assert!(visited > 90, "{visited}");
}

#[test]
fn shapes_have_every_member_of_the_table_and_no_other_spelling() {
    for model in ALL {
        for longest in [false, true] {
            let request = all(&model.request, longest, |_| true);
            let through = through_request(model.operation, request.to_string().as_bytes());
            assert_eq!(through.as_ref(), Ok(&request), "{}", model.request.name);
            let response = all(&model.response, longest, |_| true);
            assert_eq!(through_response(model.operation, &response), response, "{}", model.response.name);
        }
    }
}

#[test]
fn models_stand_in_the_operations_order() {
    assert!(ALL.iter().map(|model| &model.operation).eq(Operation::ALL));
    for operation in Operation::ALL {
        assert_eq!(super::of(*operation).operation, *operation);
    }
}

/// JSON with names of the model in it, so that something is decoded at times.
fn json_of_any_kind() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|it| json!(it)),
        any::<i64>().prop_map(|it| json!(it)),
        any::<f64>().prop_map(|it| json!(it)),
        "\\PC{0,40}".prop_map(|it| json!(it)),
        "[a-z]{32}".prop_map(|it| json!(it)),
    ];
    let name = prop_oneof![
        Just("SecretId"),
        Just("Name"),
        Just("Tags"),
        Just("Key"),
        Just("Value"),
        Just("Filters"),
        Just("Values"),
        Just("SecretString"),
        Just("SecretBinary"),
        Just("VersionStages"),
        Just("RotationRules"),
        Just("Duration"),
        Just("MaxResults"),
        Just("AddReplicaRegions"),
        Just("Region"),
        Just("Other"),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for operation in Operation::ALL {
            let _ = through_request(*operation, &bytes);
        }
    }

    #[test]
    fn any_json_is_decoded_or_refused_by_a_code_of_the_edge(value in json_of_any_kind()) {
        for operation in Operation::ALL {
            if let Err(refused) = through_request(*operation, value.to_string().as_bytes()) {
                prop_assert!(matches!(
                    refused.code,
                    ErrorCode::SerializationException
                        | ErrorCode::ValidationException
                        | ErrorCode::InvalidParameterException
                ), "{}", refused);
            }
        }
    }

    #[test]
    fn a_body_means_the_same_in_its_plain_form(value in json_of_any_kind()) {
        // Twice each member, the wrong one first.
        let Value::Object(members) = value else { return Ok(()) };
        let twice: Vec<String> = members
            .iter()
            .flat_map(|(name, value)| [format!("{}:null", json!(name)), format!("{}:{value}", json!(name))])
            .collect();
        let twice = format!("{{{}}}", twice.join(","));
        for operation in Operation::ALL {
            let once = through_request(*operation, Value::Object(members.clone()).to_string().as_bytes());
            prop_assert_eq!(&through_request(*operation, twice.as_bytes()), &once);
        }
    }
}
