//! The corpus of decisions: policies of every kind together, and what AWS's documentation says of them.
//!
//! Each file of `corpus` is a list of [`Group`]s; each request of a group is a case, and so is each policy that is refused.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;
use pawl_iam::decision::{Decision, Denial, Policies, PolicyType, Request, decide};
use pawl_iam::policy::{ConditionContext, ContextValue, PolicyDocument, PolicyKind, Principal};
use serde::Deserialize;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
/// The issue's own measure.
const CASES_MIN: usize = 300;

/// Policies, and requests to them. A policy is a document, or a list of statements of one of 2012-10-17.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    /// The title of the page of AWS's documentation, and what there.
    source: String,
    #[serde(default)]
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Value>,
    resource: Option<Value>,
    /// What the resource's policy is attached to: `secret`, `key`, `function` or `trust`.
    kind: Option<String>,
    /// What cases have that do not say otherwise.
    #[serde(default)]
    usual: Usual,
    #[serde(default)]
    cases: Vec<Case>,
    #[serde(default)]
    refused: Vec<Refused>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual {
    by: Option<String>,
    may: Option<String>,
    on: Option<String>,
    #[serde(default)]
    with: BTreeMap<String, Value>,
}

/// A request: by whom (`root`, `user/NAME`, `session/ROLE/SESSION`, `service/NAME`, with `ACCOUNT:` before it for another one),
/// and what comes of it: by which policy it is allowed, or a part of the sentence with which it is denied.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    by: Option<String>,
    may: Option<String>,
    on: Option<String>,
    /// A null takes away what is usual.
    #[serde(default)]
    with: BTreeMap<String, Value>,
    allowed: Option<String>,
    denied: Option<String>,
}

/// A policy that is none: its kind, what is said to its author, and IAM's sentence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    kind: String,
    policy: Option<Value>,
    text: Option<String>,
    error: String,
    sentence: Option<String>,
}

fn kind(name: &str) -> PolicyKind {
    match name {
        "secret" => PolicyKind::Secret,
        "key" => PolicyKind::Key,
        "function" => PolicyKind::Function,
        "trust" => PolicyKind::Trust,
        "identity" => PolicyKind::Identity,
        other => panic!("no policy is attached to a {other}"),
    }
}

fn text(policy: &Value) -> String {
    match policy {
        Value::Array(statements) => json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
        document => document.to_string(),
    }
}

fn principal(text: &str) -> Principal {
    let (account, text) = match text.split_once(':') {
        Some((account, rest)) if account.len() == 12 => (account, rest),
        _ => (ACCOUNT, text),
    };
    let account = AccountId::try_from(account.to_owned()).unwrap();
    match text.split_once('/') {
        None if text == "root" => Principal::root(&account),
        Some(("user", name)) => Principal::user(&account, name),
        Some(("service", name)) => Principal::service(name),
        Some(("session", name)) => {
            let (role, session) = name.rsplit_once('/').unwrap();
            Principal::session(&account, role, session)
        }
        _ => panic!("{text} is no principal"),
    }
}

/// Texts, booleans and numbers; `ip:` and `moment:` before a text make it an address or a date.
fn typed(value: &Value) -> ContextValue<'_> {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.as_i64().unwrap().into(),
        Value::String(text) => match text.split_once(':') {
            Some(("ip", address)) => address.parse::<IpAddr>().unwrap().into(),
            Some(("moment", date)) => {
                Timestamp::from(date.parse::<chrono::DateTime<chrono::Utc>>().unwrap()).into()
            }
            _ => text.as_str().into(),
        },
        other => panic!("{other} is no value of a request"),
    }
}

struct Compiled {
    identity: Vec<PolicyDocument>,
    boundary: Option<PolicyDocument>,
    session: Option<PolicyDocument>,
    resource: Option<PolicyDocument>,
}

impl Group {
    fn compile(&self) -> Compiled {
        let read = |kind, policy: &Value| {
            PolicyDocument::parse_as(kind, &text(policy))
                .unwrap_or_else(|error| panic!("{}: {error}", self.name))
        };
        let identity = |policy| read(PolicyKind::Identity, policy);
        let kind = self.kind.as_deref().map_or(PolicyKind::Secret, kind);
        Compiled {
            identity: self.identity.iter().map(identity).collect(),
            boundary: self.boundary.as_ref().map(identity),
            session: self.session.as_ref().map(identity),
            resource: self.resource.as_ref().map(|policy| read(kind, policy)),
        }
    }

    fn wrong(&self) -> Vec<String> {
        assert!(!self.source.is_empty(), "{}: has no source", self.name);
        assert!(!self.cases.is_empty() || !self.refused.is_empty(), "{}: asks nothing", self.name);
        let compiled = self.compile();
        let cases = self.cases.iter().filter_map(|case| self.ask(case, &compiled).err());
        let refused = self.refused.iter().filter_map(|refused| refused.read().err());
        cases.chain(refused).map(|what| format!("{}: {what}", self.name)).collect()
    }

    fn ask(&self, case: &Case, compiled: &Compiled) -> Result<(), String> {
        let usual = &self.usual;
        let pick = |own: &Option<String>, usual: &Option<String>, otherwise: &str| {
            own.clone().or_else(|| usual.clone()).unwrap_or_else(|| otherwise.to_owned())
        };
        let principal = principal(&pick(&case.by, &usual.by, "user/reader"));
        let action = pick(&case.may, &usual.may, "secretsmanager:GetSecretValue");
        let resource =
            pick(&case.on, &usual.on, "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-a1B2c3");
        let mut with = usual.with.clone();
        with.extend(case.with.clone());
        with.retain(|_, value| !value.is_null());
        let mut context: ConditionContext<'_> = principal.context();
        for (key, value) in &with {
            for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
                context.push(key, typed(value));
            }
        }
        let request =
            Request { principal: &principal, action: &action, resource: &resource, context: &context };
        let policies = Policies {
            identity: &compiled.identity,
            boundary: compiled.boundary.as_ref(),
            session: compiled.session.as_ref(),
            resource: compiled.resource.as_ref(),
        };
        let asked = format!("{} may {action} on {resource} with {with:?}", principal.name());
        match (decide(&request, &policies), &case.allowed, &case.denied) {
            (Decision::Allowed(source), Some(by), None) => {
                let held = source.map_or("root", |source| name(source.policy));
                if held == by {
                    Ok(())
                } else {
                    Err(format!("{asked}: allowed by {held}, instead of by {by}"))
                }
            }
            (Decision::Denied(denial), None, Some(part)) => {
                told(&denial, part).map_err(|what| format!("{asked}: {what}"))
            }
            (_, Some(_), Some(_)) | (_, None, None) => {
                panic!("{}: {asked}: either allowed or denied", self.name)
            }
            (Decision::Allowed(source), ..) => Err(format!("{asked}: allowed by {source:?}")),
            (Decision::Denied(denial), ..) => Err(format!("{asked}: {denial}")),
        }
    }
}

fn name(policy: PolicyType) -> &'static str {
    match policy {
        PolicyType::Identity => "identity",
        PolicyType::Boundary => "boundary",
        PolicyType::Session => "session",
        PolicyType::Resource => "resource",
        PolicyType::Trust => "trust",
    }
}

fn told(denial: &Denial<'_>, part: &str) -> Result<(), String> {
    let sentence = denial.to_string();
    // Short of a sentence is a policy's name: `an explicit deny in a session policy` holds all that is to be known.
    assert!(part.len() >= 12, "{part} says too little");
    if sentence.contains(part) { Ok(()) } else { Err(format!("{sentence}, instead of {part}")) }
}

impl Refused {
    fn read(&self) -> Result<(), String> {
        let kind = kind(&self.kind);
        let text =
            self.text.clone().unwrap_or_else(|| text(self.policy.as_ref().expect("a policy or a text")));
        let error = match PolicyDocument::parse_as(kind, &text) {
            Ok(_) => return Err(format!("{text} is read, instead of: {}", self.error)),
            Err(error) => error,
        };
        if !error.to_string().contains(&self.error) {
            return Err(format!("{error}, instead of {}", self.error));
        }
        match &self.sentence {
            Some(sentence) if error.sentence(kind) != *sentence => {
                Err(format!("{:?}, instead of {sentence:?}", error.sentence(kind)))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn every_decision_of_the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut wrong, mut cases, mut allowed) = (Vec::new(), 0, 0);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let file = file.file_name().unwrap().to_string_lossy().into_owned();
        let groups: Vec<Group> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for group in groups {
            cases += group.cases.len() + group.refused.len();
            allowed += group.cases.iter().filter(|case| case.allowed.is_some()).count();
            wrong.extend(group.wrong().into_iter().map(|what| format!("{file}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= CASES_MIN, "only {cases} cases are in the corpus");
    assert!(allowed >= cases / 4, "only {allowed} of {cases} are allowed");
}
