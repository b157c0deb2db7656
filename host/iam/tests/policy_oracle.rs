//! A second evaluator, slow and plain, over the JSON itself. Both must say the same of random policies and requests.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use pawl_core::names::AccountId;
use pawl_iam::policy::{AccessRequest, PolicyDocument, Principal, PrincipalKind, Verdict};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const OURS: &str = "111122223333";
const THEIRS: &str = "444455556666";

/// A request as the second evaluator sees it: texts only.
#[derive(Clone, Debug)]
struct Request {
    principal: Principal,
    action: String,
    resource: String,
    context: BTreeMap<String, Vec<String>>,
}

// The second evaluator.

/// Yes, no, or (none) not to be told.
type Answer = Option<bool>;

fn all_of(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let answers: Vec<Answer> = answers.into_iter().collect();
    if answers.contains(&Some(false)) {
        Some(false)
    } else {
        answers.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
    }
}

fn any_of(answers: impl IntoIterator<Item = Answer>) -> Answer {
    all_of(answers.into_iter().map(|answer| answer.map(|held| !held))).map(|held| !held)
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

fn decide(policy: &Value, request: &Request) -> &'static str {
    let variables = policy["Version"] == "2012-10-17";
    let mut allowed = false;
    for statement in list(&policy["Statement"]) {
        let answer = all_of([
            Some(speaks_of_action(statement, request)),
            Some(speaks_of_principal(statement, request)),
            Some(speaks_of_resource(statement, request, variables)),
            conditions_hold(statement, request, variables),
        ]);
        match (statement["Effect"].as_str().unwrap(), answer) {
            ("Deny", Some(true) | None) => return "denied",
            ("Allow", Some(true)) => allowed = true,
            _ => {}
        }
    }
    if allowed { "allowed" } else { "nothing" }
}

fn speaks_of_action(statement: &Value, request: &Request) -> bool {
    let is = |pattern: &Value| {
        let pattern = pattern.as_str().unwrap().to_lowercase();
        pattern == "*" || like(&chars(&pattern), &request.action.to_lowercase().chars().collect::<Vec<_>>())
    };
    match statement.get("Action") {
        Some(actions) => list(actions).into_iter().any(is),
        None => !list(&statement["NotAction"]).into_iter().any(is),
    }
}

fn speaks_of_resource(statement: &Value, request: &Request, variables: bool) -> bool {
    let resource: Vec<char> = request.resource.chars().collect();
    let is = |pattern: &Value| {
        let pattern = expand(pattern.as_str().unwrap(), request, variables);
        pattern.is_some_and(|pattern| like(&pattern, &resource))
    };
    match statement.get("Resource") {
        Some(resources) => list(resources).into_iter().any(is),
        None => !list(&statement["NotResource"]).into_iter().any(is),
    }
}

fn speaks_of_principal(statement: &Value, request: &Request) -> bool {
    let caller = &request.principal;
    let account = caller.account().map(|account| account.as_str().to_owned());
    let root = account.as_ref().map(|account| format!("arn:aws:iam::{account}:root"));
    // Everything that the caller is, from the account to himself.
    let mut levels = Vec::new();
    if caller.kind() != PrincipalKind::Service {
        levels.push(root.clone().unwrap());
    }
    levels.extend(caller.role().map(str::to_owned));
    if Some(caller.name()) != root.as_deref() {
        levels.push(caller.name().to_owned());
    }
    let names = |listed: &Value, level: &str| {
        if *listed == "*" {
            return true;
        }
        listed.as_object().unwrap().iter().any(|(kind, names)| {
            list(names).into_iter().any(|name| match (kind.as_str(), name.as_str().unwrap()) {
                ("AWS", "*") => true,
                ("AWS", name) if name.len() == 12 => format!("arn:aws:iam::{name}:root") == level,
                ("AWS", name) => level.starts_with("arn:") && name == level,
                (_, name) => !level.starts_with("arn:") && name == level,
            })
        })
    };
    match statement.get("Principal") {
        Some(listed) => levels.iter().any(|level| names(listed, level)),
        None => !levels.iter().all(|level| names(&statement["NotPrincipal"], level)),
    }
}

fn conditions_hold(statement: &Value, request: &Request, variables: bool) -> Answer {
    let empty = Map::new();
    let operators = statement.get("Condition").map_or(&empty, |conditions| conditions.as_object().unwrap());
    all_of(operators.iter().flat_map(|(operator, keys)| {
        let keys = keys.as_object().unwrap();
        keys.iter().map(|(key, wanted)| holds(operator, key, wanted, request, variables))
    }))
}

fn holds(operator: &str, key: &str, wanted: &Value, request: &Request, variables: bool) -> Answer {
    let wanted: Vec<&str> = list(wanted).into_iter().map(|value| value.as_str().unwrap()).collect();
    let mut held = request.context.get(&key.to_lowercase()).cloned().unwrap_or_default();
    let (quantifier, operator) = operator.split_once(':').unwrap_or(("", operator));
    if !quantifier.is_empty() {
        held.retain(|value| !value.is_empty());
    }
    if operator == "Null" {
        return Some(wanted.contains(&if held.is_empty() { "true" } else { "false" }));
    }
    let (operator, if_exists) =
        operator.strip_suffix("IfExists").map_or((operator, false), |name| (name, true));
    let negated = operator.contains("Not");
    if held.is_empty() {
        let absent = match quantifier {
            "ForAllValues" => true,
            "ForAnyValue" => false,
            _ => negated,
        };
        return Some(if_exists || absent);
    }
    let positive = operator.replace("Not", "");
    let one = |value: &String| {
        let matched =
            any_of(wanted.iter().map(|wanted| compare(&positive, value, wanted, request, variables)));
        matched.map(|matched| matched != negated)
    };
    match quantifier {
        "ForAllValues" => all_of(held.iter().map(one)),
        "ForAnyValue" => any_of(held.iter().map(one)),
        _ if held.len() > 1 => None,
        _ => one(&held[0]),
    }
}

fn compare(operator: &str, held: &str, wanted: &str, request: &Request, variables: bool) -> Answer {
    let text: Vec<char> = held.chars().collect();
    match operator {
        "StringEquals" | "StringEqualsIgnoreCase" => {
            let Some(pattern) = expand(wanted, request, variables) else { return Some(false) };
            let wanted: String = pattern.iter().map(|one| one.0).collect();
            let fold = operator.ends_with("Case");
            Some(if fold { wanted.to_lowercase() == held.to_lowercase() } else { wanted == held })
        }
        "StringLike" => Some(expand(wanted, request, variables).is_some_and(|pattern| like(&pattern, &text))),
        "ArnEquals" | "ArnLike" => {
            let parts: Vec<&str> = held.splitn(6, ':').collect();
            if parts.len() < 6 || parts[0] != "arn" {
                return None;
            }
            // No pattern of the vocabulary has a variable in its first five parts.
            let patterns: Vec<&str> = wanted.splitn(6, ':').collect();
            Some(patterns.iter().zip(parts).all(|(pattern, part)| {
                let part: Vec<char> = part.chars().collect();
                expand(pattern, request, variables).is_some_and(|pattern| like(&pattern, &part))
            }))
        }
        "IpAddress" => {
            let address = |text: &str| -> Option<u32> {
                let bytes: Vec<u32> = text.split('.').map(|byte| byte.parse().ok()).collect::<Option<_>>()?;
                (bytes.len() == 4).then(|| bytes.iter().fold(0, |sum, byte| sum * 256 + byte))
            };
            let (network, bits) = wanted.split_once('/').unwrap_or((wanted, "32"));
            let shift = 32 - bits.parse::<u32>().unwrap();
            let cut = |address: u32| u64::from(address) >> shift;
            address(held).map(|held| cut(held) == cut(address(network).unwrap()))
        }
        "Bool" => match held {
            "true" | "false" => Some(held == wanted),
            _ => None,
        },
        "BinaryEquals" => Some((held, wanted) == ("red", "cmVk") || (held, wanted) == ("blue", "Ymx1ZQ==")),
        _ => {
            let order = if operator.starts_with("Numeric") {
                held.parse::<f64>().ok()?.partial_cmp(&wanted.parse::<f64>().unwrap()).unwrap()
            } else {
                seconds(held)?.cmp(&seconds(wanted).unwrap())
            };
            Some(match operator.trim_start_matches("Numeric").trim_start_matches("Date") {
                "Equals" => order.is_eq(),
                "LessThan" => order.is_lt(),
                "LessThanEquals" => order.is_le(),
                "GreaterThan" => order.is_gt(),
                "GreaterThanEquals" => order.is_ge(),
                other => panic!("{other} is no relation"),
            })
        }
    }
}

/// The moments of the vocabulary, looked up in a calendar.
fn seconds(text: &str) -> Option<i64> {
    match text {
        "2026-01-01T00:00:00Z"
        | "2026-01-01"
        | "2026-01"
        | "2026"
        | "1767225600"
        | "2026-01-01T01:00:00+01:00" => Some(1_767_225_600),
        "2026-01-02T00:00:00Z" | "1767312000" => Some(1_767_312_000),
        "7" | "30" => text.parse().ok(),
        _ => None,
    }
}

/// A character of a pattern, and whether it stands for others.
type One = (char, bool);

fn chars(pattern: &str) -> Vec<One> {
    pattern.chars().map(|c| (c, c == '*' || c == '?')).collect()
}

/// The obvious matcher, which tries everything.
fn like(pattern: &[One], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, first) => first.is_none(),
        (Some((('*', true), rest)), first) => {
            like(rest, text) || first.is_some_and(|(_, text)| like(pattern, text))
        }
        (Some((('?', true), rest)), Some((_, text))) => like(rest, text),
        (Some(((c, false), rest)), Some((d, text))) => c == d && like(rest, text),
        _ => false,
    }
}

/// A text with its variables replaced; none when one has no value.
fn expand(text: &str, request: &Request, variables: bool) -> Option<Vec<One>> {
    let Some((before, rest)) = text.split_once("${").filter(|_| variables) else {
        return Some(chars(text));
    };
    let (body, after) = rest.split_once('}').unwrap();
    let (key, default) = body.split_once(", ").map_or((body, None), |(key, default)| (key, Some(default)));
    let value = match (body, request.context.get(&key.to_lowercase()).map(Vec::as_slice)) {
        ("*" | "?" | "$", _) => body.to_owned(),
        (_, Some([value])) => value.clone(),
        _ => default?.trim_matches('\'').to_owned(),
    };
    let mut pattern = chars(before);
    pattern.extend(value.chars().map(|c| (c, false)));
    pattern.extend(expand(after, request, variables)?);
    Some(pattern)
}

// Random policies and requests, of few words so that they often meet.

const ACTIONS: [&str; 7] = [
    "*",
    "secretsmanager:*",
    "secretsmanager:Get*",
    "SecretsManager:GETsecretVALUE",
    "secretsmanager:?utSecretValue",
    "secretsmanager:*Secret*",
    "secretsmanager:DeleteSecret",
];
const RESOURCES: [&str; 6] = [
    "*",
    "arn:aws:secretsmanager:*:111122223333:secret:a*",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:red-??????",
    "arn:aws:secretsmanager:us-east-1:*:secret:${aws:username}-*",
    "arn:aws:secretsmanager:us-east-1:*:secret:${aws:PrincipalTag/team, 'blue'}-*",
    "arn:aws:s3:::*",
];
const PRINCIPALS: [&str; 9] = [
    "*",
    OURS,
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/ops/red",
    "arn:aws:iam::111122223333:user/blue",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:sts::111122223333:assumed-role/app/one",
    "arn:aws:iam::444455556666:user/blue",
];
const TEXTS: [&str; 12] = [
    "red",
    "Red",
    "blue",
    "r*",
    "?ed",
    "*e*",
    "",
    "${aws:username}",
    "${aws:PrincipalTag/team}",
    "x${aws:PrincipalTag/team, 'red'}",
    "${*}${aws:username}*",
    "*",
];
const ARNS: [&str; 5] = [
    "arn:aws:sns:us-east-1:111122223333:red",
    "arn:aws:sns:*:111122223333:*",
    "arn:aws:s*:us-east-1:*:r?d",
    "arn:aws:sns:us-east-1:111122223333:${aws:username}",
    "arn:*:*:*:*:*",
];
const NUMBERS: [&str; 5] = ["7", "7.0", "-7", "30", "7.5"];
const DATES: [&str; 8] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01",
    "2026-01",
    "2026",
    "1767225600",
    "2026-01-01T01:00:00+01:00",
    "2026-01-02T00:00:00Z",
    "1767312000",
];
const ADDRESSES: [&str; 5] = ["192.0.2.0/24", "192.0.2.7", "0.0.0.0/0", "192.0.2.8/31", "198.51.100.0/25"];
const BOOLS: [&str; 2] = ["true", "false"];
/// What requests hold, of each kind, and things of no kind.
const HELD: [&str; 18] = [
    "red",
    "RED",
    "blue",
    "xred",
    "*red",
    "",
    "arn:aws:sns:us-east-1:111122223333:red",
    "arn:aws:sqs:us-east-1:1:rad",
    "7",
    "7.25",
    "30",
    "2026-01-01T00:00:00Z",
    "1767312000",
    "192.0.2.7",
    "192.0.2.9",
    "198.51.100.200",
    "true",
    "false",
];
const KEYS: [&str; 5] =
    ["aws:PrincipalTag/team", "aws:PrincipalTag/TEAM", "aws:TagKeys", "secretsmanager:Name", "aws:SourceArn"];
const KINDS: [(&[&str], &[&str]); 8] = [
    (
        &[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ],
        &TEXTS,
    ),
    (&["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"], &ARNS),
    (
        &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        &NUMBERS,
    ),
    (
        &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        &DATES,
    ),
    (&["IpAddress", "NotIpAddress"], &ADDRESSES),
    (&["Bool"], &BOOLS),
    (&["BinaryEquals"], &["cmVk", "Ymx1ZQ=="]),
    (&["Null"], &BOOLS),
];

fn some(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let most = words.len().min(3);
    (subsequence(words, 1..=most), any::<bool>()).prop_map(|(words, alone)| match words.as_slice() {
        [word] if alone => json!(word),
        words => json!(words),
    })
}

fn principals() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(json!("*")),
        4 => some(&PRINCIPALS).prop_map(|names| json!({"AWS": names})),
        1 => some(&PRINCIPALS).prop_map(|names| json!({"AWS": names, "Service": "lambda.amazonaws.com"})),
    ]
}

fn condition() -> impl Strategy<Value = (String, Value)> {
    let kind = select(&KINDS[..]).prop_flat_map(|(operators, values)| (select(operators), some(values)));
    let keys = subsequence(&KEYS[..], 1..=2);
    let affixes = (select(&["", "", "ForAllValues:", "ForAnyValue:"][..]), select(&["", "", "IfExists"][..]));
    (kind, keys, affixes).prop_map(|((operator, values), keys, (prefix, suffix))| {
        let operator =
            if operator == "Null" { operator.to_owned() } else { format!("{prefix}{operator}{suffix}") };
        let mut object = Map::new();
        for key in keys {
            if !object.keys().any(|held| held.eq_ignore_ascii_case(key)) {
                object.insert(key.to_owned(), values.clone());
            }
        }
        (operator, Value::Object(object))
    })
}

fn statement() -> impl Strategy<Value = Value> {
    let names =
        (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let parts = (principals(), some(&ACTIONS), some(&RESOURCES), prop::collection::vec(condition(), 0..3));
    (names, parts).prop_map(
        |((deny, not_principal, not_action, not_resource), (who, what, which, conditions))| {
            let mut statement = Map::new();
            let not_principal = not_principal && deny;
            statement.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
            statement.insert(if not_principal { "NotPrincipal" } else { "Principal" }.to_owned(), who);
            statement.insert(if not_action { "NotAction" } else { "Action" }.to_owned(), what);
            statement.insert(if not_resource { "NotResource" } else { "Resource" }.to_owned(), which);
            if !conditions.is_empty() {
                statement.insert("Condition".to_owned(), Value::Object(conditions.into_iter().collect()));
            }
            Value::Object(statement)
        },
    )
}

fn policy() -> impl Strategy<Value = Value> {
    let version = prop::bool::weighted(0.8).prop_map(|new| if new { "2012-10-17" } else { "2008-10-17" });
    (version, prop::collection::vec(statement(), 1..4))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

fn request() -> impl Strategy<Value = Request> {
    let account = |id: &str| AccountId::try_from(id.to_owned()).unwrap();
    let principal = select(vec![
        Principal::root(&account(OURS)),
        Principal::user(&account(OURS), "ops/red"),
        Principal::user(&account(OURS), "blue"),
        Principal::user(&account(THEIRS), "blue"),
        Principal::session(&account(OURS), "app", "one"),
        Principal::session(&account(OURS), "app", "two"),
        Principal::service("lambda.amazonaws.com"),
        Principal::service("sns.amazonaws.com"),
    ]);
    let action = select(&["GetSecretValue", "PutSecretValue", "DeleteSecret"][..]);
    let name = select(&["red-a1B2c3", "blue-a1B2c3", "a-a1B2c3", "redder-a1B2c3"][..]);
    let values = prop::collection::vec(select(&HELD[..]), 0..3);
    let keys =
        ["aws:principaltag/team", "aws:tagkeys", "secretsmanager:name", "aws:sourcearn", "aws:username"];
    let context = prop::collection::vec(values, keys.len()).prop_map(move |lists| {
        let entry = |(key, values): (&str, Vec<&str>)| {
            (!values.is_empty()).then(|| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
        };
        keys.into_iter().zip(lists).filter_map(entry).collect()
    });
    (principal, action, name, context).prop_map(|(principal, action, name, context)| Request {
        principal,
        action: format!("secretsmanager:{action}"),
        resource: format!("arn:aws:secretsmanager:us-east-1:{OURS}:secret:{name}"),
        context,
    })
}

fn ours(document: &PolicyDocument, request: &Request) -> &'static str {
    let mut context = pawl_iam::policy::ConditionContext::default();
    for (key, values) in &request.context {
        for value in values {
            context.push(key, value.as_str());
        }
    }
    let verdict = document.decide(&AccessRequest {
        principal: &request.principal,
        action: &request.action,
        resource: &request.resource,
        context: &context,
    });
    match verdict {
        Verdict::NoStatement => "nothing",
        Verdict::Allowed { .. } => "allowed",
        Verdict::Denied { .. } => "denied",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(policy in policy(), requests in prop::collection::vec(request(), 8)) {
        let document = PolicyDocument::parse(&policy.to_string()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for request in requests {
            prop_assert_eq!(ours(&document, &request), decide(&policy, &request), "{:#?} on {:#}", request, policy);
        }
    }
}

/// The property is worth something only where each answer comes often.
#[test]
fn random_policies_and_requests_meet() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answers = BTreeMap::new();
    for _ in 0..2_000 {
        let (policy, request) = (policy(), request()).new_tree(&mut runner).unwrap().current();
        *answers.entry(decide(&policy, &request)).or_insert(0) += 1;
    }
    for answer in ["nothing", "allowed", "denied"] {
        assert!(answers.get(answer).is_some_and(|times| *times > 100), "{answers:?}");
    }
}
