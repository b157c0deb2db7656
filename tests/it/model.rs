//! The table that checks requests and writes docs/aws-compat.md, against AWS's own model as the installed botocore has it.

use std::collections::BTreeSet;
use std::process::Command;

use pawl_api::model::{Integer, Kind, Length, Member, Structure, Text};
use pawl_api::secrets_manager::Operation;
use pawl_api::secrets_manager::model::{self, OperationModel};
use serde_json::Value;

/// Prints the model, wherever botocore keeps it and however it is packed.
const PRINT: &str = "import json, sys, botocore.loaders as b; print(json.dumps(b.Loader().load_service_model(sys.argv[1], 'service-2')))";

pub(crate) fn aws(service: &str) -> Value {
    let output = Command::new("python3").args(["-c", PRINT, service]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// AWS's model, what of the table it has confirmed, and what is wrong with the table.
pub(crate) struct Comparison {
    aws: Value,
    members: usize,
    wrong: Vec<String>,
}

impl Comparison {
    pub(crate) const fn new(aws: Value) -> Self {
        Self { aws, members: 0, wrong: Vec::new() }
    }

    /// What AWS's model calls the request of an operation.
    pub(crate) fn input(&self, operation: &str) -> Option<String> {
        self.aws["operations"][operation]["input"]["shape"].as_str().map(str::to_owned)
    }

    /// Fails for whatever is another than AWS's, and when fewer members were compared than that.
    pub(crate) fn must_agree(&self, members: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.members >= members, "only {} members were compared", self.members);
    }

    fn of(aws: Value) -> Self {
        let mut comparison = Self::new(aws);
        let operations = comparison.aws["operations"].as_object().unwrap().clone();
        for (name, theirs) in &operations {
            let ours = Operation::from_target(&format!("secretsmanager.{name}"));
            match ours.map(model::of) {
                Some(ours) => comparison.operation(name, theirs, ours),
                None => comparison.tell(name, "is not in the table"),
            }
        }
        for ours in model::ALL.iter().filter(|ours| !ours.new) {
            let name = ours.operation.name();
            if !operations.contains_key(name) {
                comparison.tell(name, "is not in AWS's model");
            }
        }
        comparison
    }

    fn tell(&mut self, place: &str, what: impl std::fmt::Display) {
        self.wrong.push(format!("{place} {what}"));
    }

    fn differ<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, what: &str, theirs: &T, ours: &T) {
        if theirs != ours {
            self.tell(place, format_args!("has another {what}: AWS {theirs:?}, the table {ours:?}"));
        }
    }

    fn operation(&mut self, name: &str, theirs: &Value, ours: &OperationModel) {
        self.structure(&format!("{name} request"), theirs["input"]["shape"].as_str(), &ours.request);
        self.structure(&format!("{name} response"), theirs["output"]["shape"].as_str(), &ours.response);
        let errors = theirs["errors"].as_array().into_iter().flatten().map(|error| &error["shape"]);
        let theirs: BTreeSet<&str> = errors.filter_map(Value::as_str).collect();
        let ours: BTreeSet<&str> = ours.errors.iter().map(|code| code.as_str()).collect();
        self.differ(name, "set of errors", &theirs, &ours);
    }

    pub(crate) fn structure(&mut self, place: &str, shape: Option<&str>, ours: &Structure) {
        let theirs = shape.map(|shape| self.aws["shapes"][shape].clone()).unwrap_or_default();
        let members = theirs["members"].as_object().cloned().unwrap_or_default();
        let required: Vec<&str> =
            theirs["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, theirs) in &members {
            let place = format!("{place}: {name}");
            match ours.members.iter().find(|member| member.name == name) {
                Some(ours) => {
                    self.members += 1;
                    self.differ(&place, "required flag", &required.contains(&name.as_str()), &ours.required);
                    let shape = theirs["shape"].as_str().unwrap();
                    let sensitive = self.aws["shapes"][shape]["sensitive"] == true;
                    self.differ(&place, "sensitive flag", &sensitive, &ours.sensitive);
                    self.kind(&place, shape, &ours.kind);
                }
                None => self.tell(&place, "is not in the table"),
            }
        }
        let gone = |member: &&Member| !member.new && !members.contains_key(member.name);
        for member in ours.members.iter().filter(gone) {
            self.tell(place, format_args!("has no {} in AWS's model", member.name));
        }
    }

    fn kind(&mut self, place: &str, shape: &str, ours: &Kind) {
        let theirs = self.aws["shapes"][shape].clone();
        let length = Length { min: size(&theirs["min"]), max: size(&theirs["max"]) };
        match (theirs["type"].as_str().unwrap(), ours) {
            ("string", Kind::Text(Text { length: ours, pattern, choices, new_choices, .. })) => {
                self.differ(place, "length", &length, ours);
                self.differ(
                    place,
                    "pattern",
                    &theirs["pattern"].as_str(),
                    &pattern.map(|pattern| pattern.text),
                );
                let choice = theirs["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let theirs: BTreeSet<&str> = choice.collect();
                // An older model lacks the new ones.
                let known = |choice: &&str| theirs.contains(choice) || !new_choices.contains(choice);
                self.differ(place, "enum", &theirs, &choices.iter().copied().filter(known).collect());
            }
            (kind @ ("integer" | "long"), Kind::Integer(ours)) => {
                let (min, max) = (theirs["min"].as_i64(), theirs["max"].as_i64());
                self.differ(place, "range", &Integer { long: kind == "long", min, max }, ours);
            }
            ("blob", Kind::Blob(ours)) => self.differ(place, "length", &length, ours),
            ("boolean", Kind::Boolean) | ("timestamp", Kind::Timestamp) => {}
            ("list", Kind::List(ours)) => {
                self.differ(place, "length", &length, &ours.length);
                self.kind(&format!("{place}[]"), theirs["member"]["shape"].as_str().unwrap(), &ours.element);
            }
            ("map", Kind::Map(ours)) => {
                self.kind(&format!("{place} key"), theirs["key"]["shape"].as_str().unwrap(), &ours.key);
                self.kind(&format!("{place} value"), theirs["value"]["shape"].as_str().unwrap(), &ours.value);
            }
            ("structure", Kind::Structure(ours)) => {
                self.differ(place, "structure", &shape, &ours.name);
                self.structure(place, Some(shape), ours);
            }
            (kind, ours) => self.tell(place, format_args!("is a {kind}, and not {ours:?}")),
        }
    }
}

fn size(limit: &Value) -> Option<usize> {
    limit.as_u64().map(|limit| usize::try_from(limit).unwrap())
}

#[test]
fn the_table_knows_all_of_awss_model_as_it_is() {
    let comparison = Comparison::of(aws("secretsmanager"));
    assert!(comparison.wrong.is_empty(), "{}", comparison.wrong.join("\n"));
    assert!(comparison.members >= 200, "only {} members were compared", comparison.members);
}

/// That the comparison sees each kind of difference.
#[test]
fn a_model_that_changes_is_seen() {
    let aws = aws("secretsmanager");
    assert!(Comparison::of(aws.clone()).wrong.is_empty());
    let changes: [(&str, Value); 13] = [
        ("/operations/ReadMinds", serde_json::json!({})),
        ("/shapes/GetSecretValueRequest/members/Reason", serde_json::json!({"shape": "NameType"})),
        ("/shapes/GetSecretValueRequest/required", serde_json::json!([])),
        ("/shapes/SecretIdType/max", serde_json::json!(2049)),
        ("/shapes/SecretIdType/min", Value::Null),
        ("/shapes/MaxResultsType/max", serde_json::json!(101)),
        ("/shapes/SortOrderType/enum", serde_json::json!(["asc", "desc", "random"])),
        ("/shapes/StatusType/enum", serde_json::json!(["InSync", "Failed", "Pending", "Detached"])),
        ("/shapes/RegionType/pattern", serde_json::json!(".*")),
        ("/shapes/SecretStringType/sensitive", serde_json::json!(false)),
        ("/shapes/FiltersListType/max", serde_json::json!(11)),
        ("/shapes/BooleanType/type", serde_json::json!("string")),
        ("/operations/GetSecretValue/errors", serde_json::json!([{"shape": "ThrottlingException"}])),
    ];
    for (place, value) in changes {
        let mut changed = aws.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        assert!(!Comparison::of(changed).wrong.is_empty(), "{place}");
    }
}
