//! Resource policies.

use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;
use pawl_iam::policy::{
    AccessRequest, Check, ConditionContext, Place, PolicyDocument, PolicyError, Principal, Verdict,
};
use serde_json::{Value, json};

/// Statements that are also decided one by one.
const STATEMENTS_ALONE: usize = 6;
/// What an author may be told of his own text is cut short: the place has four names at most.
const MESSAGE_CHARS_MAX: usize = 8_000;

/// Lines: a principal (`root`, `user/NAME`, `known/NAME`, `session/ROLE/NAME`, `web/ROLE/NAME`, `federated`, `service/NAME`), an action, a secret's ARN; then `key=value` of
/// the request's context up to an empty line; then the policy. It is refused with a place that it has, or it is one policy
/// however its JSON is spelt, and each verdict is that of the statement that it names.
pub fn check_policy(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let (asked, text) = text.split_once("\n\n").unwrap_or(("", text));
    let document = match PolicyDocument::parse(text) {
        Ok(document) => document,
        Err(error) => {
            check_refusal(&error, text);
            return false;
        }
    };
    let value: Value = serde_json::from_str(text).expect("a policy is JSON");
    let respelt = serde_json::to_string_pretty(&value).expect("a value is JSON");
    // A fraction's digits are not all kept, so it cannot be spelt again; and blanks count, so that the longer text may be too long.
    let can_be_respelt = !has_fractions(&value);
    if can_be_respelt && respelt.chars().count() <= pawl_core::limits::POLICY_CHARS_MAX {
        assert_eq!(PolicyDocument::parse(&respelt).as_ref(), Ok(&document), "one policy, two spellings");
    }

    let mut lines = asked.split('\n');
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let account: AccountId = "111122223333".parse().expect("an account");
    let principal = principal(&account, line().unwrap_or("root"));
    let action = line().unwrap_or("secretsmanager:GetSecretValue");
    let resource = line().unwrap_or("arn:aws:secretsmanager:us-east-1:111122223333:secret:a-AbCdEf");
    let mut context = principal.context();
    lines.filter_map(|line| line.split_once('=')).for_each(|(key, value)| push(&mut context, key, value));
    let request = AccessRequest { principal: &principal, action, resource, context: &context };
    assert_eq!(document.decide(&request), document.decide(&request), "one question, one answer");
    if can_be_respelt {
        check_verdict(&document, &value, &request);
    }
    check_findings(&document, &request);
    true
}

pub(crate) fn has_fractions(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fractions),
        Value::Object(members) => members.values().any(has_fractions),
        _ => false,
    }
}

/// The id of callers that are known by one.
pub(crate) const KNOWN_ID: &str = "AIDAKNOWN";
/// The identity provider of those who come through one.
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example";

pub(crate) fn principal(account: &AccountId, text: &str) -> Principal {
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    match (part(), part(), part()) {
        ("user", name, _) => Principal::user(account, name),
        ("session", role, name) => Principal::session(account, role, name),
        ("service", name, _) => Principal::service(name),
        ("known", name, _) => Principal::user(account, name).identified(KNOWN_ID),
        ("web", role, name) => Principal::session(account, role, name).through(PROVIDER).identified(KNOWN_ID),
        ("federated", ..) => Principal::federated(PROVIDER),
        _ => Principal::root(account),
    }
}

/// A value is of the kind that its text has.
pub(crate) fn push<'a>(context: &mut ConditionContext<'a>, key: &'a str, value: &'a str) {
    match value.split_once(':') {
        Some(("number", text)) => context.push(key, text.parse().unwrap_or(0_i64)),
        Some(("bool", text)) => context.push(key, text == "true"),
        Some(("bytes", text)) => context.push(key, text.as_bytes()),
        Some(("millis", text)) => context.push(key, Timestamp::from_millis(text.parse().unwrap_or(0))),
        Some(("ip", text)) => match text.parse::<std::net::IpAddr>() {
            Ok(address) => context.push(key, address),
            Err(_) => context.push(key, text),
        },
        _ => context.push(key, value),
    }
}

pub(crate) fn check_refusal(error: &PolicyError, text: &str) {
    let said = error.to_string();
    assert!(said.chars().count() <= MESSAGE_CHARS_MAX, "{} characters", said.len());
    assert!(!said.contains(char::is_control), "{said:?}");
    if let Place::Text { line, column } = error.place() {
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(line), "{said}: the text has {lines} lines");
        let bytes = text.split('\n').nth(line - 1).unwrap_or_default().len();
        assert!(*column <= bytes + 1, "{said}: the line has {bytes} bytes");
    }
}

pub(crate) fn statements(value: &Value) -> Vec<&Value> {
    match value.get("Statement") {
        Some(Value::Array(all)) => all.iter().collect(),
        one => one.into_iter().collect(),
    }
}

/// The policy with other statements.
fn with(value: &Value, statements: Vec<Value>) -> Option<PolicyDocument> {
    let mut value = value.clone();
    *value.get_mut("Statement")? = Value::Array(statements);
    PolicyDocument::parse(&value.to_string()).ok()
}

fn check_verdict(document: &PolicyDocument, value: &Value, request: &AccessRequest<'_>) {
    let verdict = document.decide(request);
    let all = statements(value);
    let effect = |index: usize| all.get(index).and_then(|one| one.get("Effect")).and_then(Value::as_str);
    let alone = |index: usize| with(value, vec![(*all.get(index)?).clone()]);
    match verdict {
        Verdict::Denied { by } => {
            assert_eq!(effect(by.index), Some("Deny"), "{by}");
            let alone = alone(by.index).expect("one of its statements is a policy");
            assert!(matches!(alone.decide(request), Verdict::Denied { .. }), "{by} alone");
        }
        Verdict::Allowed { by, grant } => {
            assert_eq!(effect(by.index), Some("Allow"), "{by}");
            let alone = alone(by.index).expect("one of its statements is a policy");
            let allowed =
                matches!(alone.decide(request), Verdict::Allowed { grant: held, .. } if held == grant);
            assert!(allowed, "{by} alone");
        }
        Verdict::NoStatement => {
            for index in 0..all.len().min(STATEMENTS_ALONE) {
                let alone = alone(index).expect("one of its statements is a policy");
                assert_eq!(alone.decide(request), Verdict::NoStatement, "Statement[{index}] alone");
            }
        }
    }
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
    let with_deny = with(value, all.into_iter().cloned().chain([deny]).collect());
    if let Some(closed) = with_deny {
        let known = request.resource.starts_with("arn:") && request.action.starts_with("secretsmanager:");
        let denied = matches!(closed.decide(request), Verdict::Denied { .. });
        assert!(denied || !known, "a denial of everything wins over {verdict:?}");
    }
}

fn check_findings(document: &PolicyDocument, author: &AccessRequest<'_>) {
    let by_itself = document.findings(None);
    let findings = document.findings(Some(author));
    assert!(findings.len() >= by_itself.len(), "an author is told no less");
    let has = |check| findings.iter().any(|finding| finding.check == check);
    assert_eq!(document.is_public(), document.public_statement().is_some());
    assert_eq!(document.is_public(), has(Check::PublicAccess));
    assert!(!has(Check::Syntax), "it was read");
    for finding in &findings {
        assert!(!finding.message.contains(char::is_control), "{:?}", finding.message);
    }
    if has(Check::LockOut) {
        for action in ["secretsmanager:PutResourcePolicy", "secretsmanager:DeleteResourcePolicy"] {
            let denied = document.decide(&AccessRequest { action, ..*author });
            assert!(matches!(denied, Verdict::Denied { .. }), "{action}: {denied:?}");
        }
    }
}
