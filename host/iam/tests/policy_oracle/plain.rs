//! One policy, read from its JSON: every rule as plainly as it can be written.

use std::collections::BTreeMap;

use pawl_iam::policy::{Principal, PrincipalKind};
use serde_json::{Map, Value};

/// A request as the second evaluator sees it: texts only.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) principal: Principal,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

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

/// What a policy says, and of what it allows, how it names the caller: `everyone`, `itself`, `role` or `account`.
pub(crate) fn decide(policy: &Value, request: &Request) -> (&'static str, Vec<&'static str>) {
    let variables = policy["Version"] == "2012-10-17";
    let mut ways = Vec::new();
    for statement in list(&policy["Statement"]) {
        let answer = all_of([
            Some(speaks_of_action(statement, request)),
            Some(speaks_of_principal(statement, request)),
            Some(speaks_of_resource(statement, request, variables)),
            conditions_hold(statement, request, variables),
        ]);
        match (statement["Effect"].as_str().unwrap(), answer) {
            ("Deny", Some(true) | None) => return ("denied", Vec::new()),
            ("Allow", Some(true)) => ways.extend(ways_of(statement, request)),
            _ => {}
        }
    }
    (if ways.is_empty() { "nothing" } else { "allowed" }, ways)
}

/// How a statement that allows names the caller. A policy of an identity names no one else.
fn ways_of(statement: &Value, request: &Request) -> Vec<&'static str> {
    let caller = &request.principal;
    let listed = match statement.get("Principal") {
        None => return vec!["itself"],
        Some(Value::String(everyone)) => {
            return vec![if everyone == "*" { "everyone" } else { panic!("{everyone}") }];
        }
        Some(listed) => listed.as_object().unwrap(),
    };
    let root = caller.account().map(|account| format!("arn:aws:iam::{}:root", account.as_str()));
    let mut ways = Vec::new();
    for (kind, names) in listed {
        for name in list(names).into_iter().map(|name| name.as_str().unwrap()) {
            let name = if name.len() == 12 { format!("arn:aws:iam::{name}:root") } else { name.to_owned() };
            match (kind.as_str(), name.as_str()) {
                ("AWS", "*") => ways.push("everyone"),
                ("Service", service)
                    if caller.kind() == PrincipalKind::Service && caller.name() == service =>
                {
                    ways.push("itself");
                }
                ("AWS", arn) if caller.kind() != PrincipalKind::Service && caller.name() == arn => {
                    ways.push("itself");
                }
                ("AWS", arn) if caller.role() == Some(arn) => ways.push("role"),
                ("AWS", arn) if root.as_deref() == Some(arn) => ways.push("account"),
                _ => {}
            }
        }
    }
    ways
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
    match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(resources), _) => list(resources).into_iter().any(is),
        // The policy of a role is about the role.
        (None, None) => true,
        (None, Some(_)) => !list(&statement["NotResource"]).into_iter().any(is),
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
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(listed), _) => levels.iter().any(|level| names(listed, level)),
        // A policy of an identity.
        (None, None) => true,
        (None, Some(_)) => !levels.iter().all(|level| names(&statement["NotPrincipal"], level)),
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
