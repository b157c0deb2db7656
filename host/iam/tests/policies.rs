//! The corpus of policies: what each means, by whose word.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;
use pawl_iam::policy::{AccessRequest, ConditionContext, ContextValue, PolicyDocument, Principal, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-a1B2c3";
const ACCOUNT: &str = "111122223333";

const CORPUS: [(&str, &str); 4] = [
    ("secrets", include_str!("policies/secrets.json")),
    ("conditions", include_str!("policies/conditions.json")),
    ("public", include_str!("policies/public.json")),
    ("faults", include_str!("policies/faults.json")),
];

/// One policy, as a `text`, as a `policy`, or as a `statement` that differs from [`usual`] (null takes a member away).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    source: String,
    text: Option<String>,
    policy: Option<Value>,
    statement: Option<Map<String, Value>>,
    error: Option<String>,
    public: Option<bool>,
    findings: Option<Vec<String>>,
    #[serde(default)]
    asks: Vec<Ask>,
}

/// One request: by whom (`root`, `user/NAME`, `session/ROLE/SESSION`, `service/NAME`), and what is said of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    by: String,
    account: Option<String>,
    through: Option<String>,
    may: Option<String>,
    on: Option<String>,
    #[serde(default)]
    with: BTreeMap<String, Value>,
    is: String,
}

fn usual() -> Map<String, Value> {
    let statement = json!({
        "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"
    });
    statement.as_object().unwrap().clone()
}

impl Case {
    fn text(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        if let Some(policy) = &self.policy {
            return policy.to_string();
        }
        let mut statement = usual();
        for (name, value) in self.statement.as_ref().expect("a text, a policy or a statement") {
            statement.remove(name);
            if !value.is_null() {
                statement.insert(name.clone(), value.clone());
            }
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }
}

impl Ask {
    fn principal(&self) -> Principal {
        let account =
            AccountId::try_from(self.account.clone().unwrap_or_else(|| ACCOUNT.to_owned())).unwrap();
        let principal = match self.by.split_once('/') {
            None => Principal::root(&account),
            Some(("user", name)) => Principal::user(&account, name),
            Some(("service", name)) => Principal::service(name),
            Some(("session", name)) => {
                let (role, session) = name.rsplit_once('/').unwrap();
                Principal::session(&account, role, session)
            }
            Some((kind, _)) => panic!("no principal is a {kind}"),
        };
        match &self.through {
            Some(provider) => principal.through(provider),
            None => principal,
        }
    }

    fn answer(&self, document: &PolicyDocument) -> String {
        let principal = self.principal();
        let mut context = principal.context();
        for (key, value) in &self.with {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                context.push(key, typed(value));
            }
        }
        let action = format!("secretsmanager:{}", self.may.as_deref().unwrap_or("GetSecretValue"));
        let resource = self.on.as_deref().unwrap_or(SECRET);
        match document.decide(&AccessRequest {
            principal: &principal,
            action: &action,
            resource,
            context: &context,
        }) {
            Verdict::NoStatement => "nothing".to_owned(),
            Verdict::Allowed { by, grant } => {
                format!("allowed by {} as {grant:?}", by.sid.unwrap_or_default())
            }
            Verdict::Denied { by } => format!("denied by {}", by.sid.unwrap_or_default()),
        }
    }
}

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

/// Whether an answer says all that is expected: `allowed by A as Role` is also `allowed`, and `allowed as Role`.
fn says(answer: &str, expected: &str) -> bool {
    let part = |text: &str, mark: &str| {
        let after =
            text.split_once(mark).map(|(_, after)| after.split(' ').next().unwrap_or_default().to_owned());
        after.filter(|after| !after.is_empty())
    };
    let same = |mark: &str| part(expected, mark).is_none_or(|wanted| part(answer, mark) == Some(wanted));
    answer.split(' ').next() == expected.split(' ').next() && same(" by ") && same(" as ")
}

fn findings(document: &PolicyDocument) -> Vec<&'static str> {
    let account = AccountId::try_from(ACCOUNT.to_owned()).unwrap();
    let principal = Principal::root(&account);
    let context = principal.context();
    let author = AccessRequest { principal: &principal, action: "", resource: SECRET, context: &context };
    document.findings(Some(&author)).into_iter().map(|finding| finding.check.name()).collect()
}

fn wrong_with(case: &Case) -> Vec<String> {
    assert!(!case.source.is_empty(), "{}: has no source", case.name);
    let document = match (PolicyDocument::parse(&case.text()), &case.error) {
        (Ok(document), None) => document,
        (Ok(_), Some(error)) => return vec![format!("is read, instead of: {error}")],
        (Err(error), Some(expected)) if error.to_string().contains(expected) => return Vec::new(),
        (Err(error), _) => return vec![error.to_string()],
    };
    let mut wrong = Vec::new();
    for ask in &case.asks {
        let answer = ask.answer(&document);
        if !says(&answer, &ask.is) {
            wrong.push(format!(
                "{} {:?} with {:?}: {answer}, instead of {}",
                ask.by, ask.may, ask.with, ask.is
            ));
        }
    }
    if case.public.is_some_and(|public| public != document.is_public()) {
        wrong.push(format!("public: {:?}", document.public_statement()));
    }
    if let Some(expected) = &case.findings
        && *expected != findings(&document)
    {
        wrong.push(format!("findings: {:?}, instead of {expected:?}", findings(&document)));
    }
    if case.asks.is_empty() && case.public.is_none() && case.findings.is_none() {
        wrong.push("asks nothing".to_owned());
    }
    wrong
}

#[test]
fn every_case_of_the_corpus_holds() {
    let (mut wrong, mut questions) = (Vec::new(), 0);
    for (file, text) in CORPUS {
        let cases: Vec<Case> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for case in cases {
            questions +=
                case.asks.len() + usize::from(case.public.is_some()) + usize::from(case.error.is_some());
            wrong.extend(wrong_with(&case).into_iter().map(|what| format!("{file}, {}: {what}", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} of {questions} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(questions >= 340, "only {questions} questions are left in the corpus");
}

#[test]
fn a_policy_has_20480_characters_and_no_more() {
    let with = |chars: usize| {
        let statement = Value::Object(usual());
        let empty = json!({"Id": "", "Statement": statement}).to_string().chars().count();
        json!({"Id": "é".repeat(chars - empty), "Statement": statement}).to_string()
    };
    assert!(PolicyDocument::parse(&with(20_480)).is_ok());
    let error = PolicyDocument::parse(&with(20_481)).unwrap_err();
    assert_eq!(error.to_string(), "the document: has 20481 characters, 20480 are the most");
}

#[test]
fn a_request_has_no_case_in_its_keys_and_several_values_of_one() {
    let mut context = ConditionContext::default();
    context.push_tag("aws:ResourceTag/", "Team", "red");
    let text = json!({"Statement": {
        "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"AWS:resourcetag/team": "red"}}
    }});
    let document = PolicyDocument::parse(&text.to_string()).unwrap();
    let principal = Principal::service("lambda.amazonaws.com");
    let request = AccessRequest {
        principal: &principal,
        action: "secretsmanager:GetSecretValue",
        resource: SECRET,
        context: &context,
    };
    assert!(matches!(document.decide(&request), Verdict::Allowed { .. }));
}
