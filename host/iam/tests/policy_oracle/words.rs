//! Random policies and requests, of few words so that they often meet.

use pawl_core::names::AccountId;
use pawl_iam::policy::{PolicyKind, Principal};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::plain::Request;

const OURS: &str = "111122223333";
const THEIRS: &str = "444455556666";

const ACTIONS: [&str; 7] = [
    "*",
    "secretsmanager:*",
    "secretsmanager:Get*",
    "SecretsManager:GETsecretVALUE",
    "secretsmanager:?utSecretValue",
    "secretsmanager:*Secret*",
    "secretsmanager:DeleteSecret",
];
const KEY_ACTIONS: [&str; 6] = ["*", "kms:*", "kms:?ecrypt", "KMS:decrypt", "kms:*Key", "kms:Encrypt"];
const TRUST_ACTIONS: [&str; 4] = ["sts:AssumeRole", "sts:*", "STS:assumerole", "sts:?agSession"];
const ALL_ACTIONS: [&str; 12] = [
    "*",
    "*:*",
    "secretsmanager:*",
    "secretsmanager:Get*",
    "SecretsManager:GETsecretVALUE",
    "secretsmanager:*Secret*",
    "kms:*",
    "kms:?ecrypt",
    "KMS:decrypt",
    "sts:AssumeRole",
    "sts:*",
    "s3:*",
];
const ALL_RESOURCES: [&str; 9] = [
    "*",
    "arn:aws:*",
    "arn:aws:secretsmanager:*:111122223333:secret:a*",
    "arn:aws:secretsmanager:us-east-1:*:secret:${aws:username}-*",
    "arn:aws:kms:*:*:key/*",
    "arn:aws:kms:us-east-1:111122223333:key/r?d",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::111122223333:role/${aws:username}",
    "arn:aws:s3:::*",
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

/// Of each kind, what is written in it: actions and resources.
fn vocabulary(kind: PolicyKind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        PolicyKind::Secret | PolicyKind::Function => (&ACTIONS, &RESOURCES),
        PolicyKind::Key => (&KEY_ACTIONS, &ALL_RESOURCES),
        PolicyKind::Trust => (&TRUST_ACTIONS, &[]),
        PolicyKind::Identity => (&ALL_ACTIONS, &ALL_RESOURCES),
    }
}

fn statement(kind: PolicyKind, deny: f64) -> impl Strategy<Value = Value> {
    let (actions, resources) = vocabulary(kind);
    let resources = if resources.is_empty() { &["*"][..] } else { resources };
    let seldom = || prop::bool::weighted(0.2);
    let names = (prop::bool::weighted(deny), seldom(), seldom(), seldom());
    let parts = (principals(), some(actions), some(resources), prop::collection::vec(condition(), 0..3));
    (names, parts).prop_map(
        move |((deny, not_principal, not_action, not_resource), (who, what, which, conditions))| {
            let mut statement = Map::new();
            let not_principal = not_principal && deny;
            statement.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
            if kind != PolicyKind::Identity {
                statement.insert(if not_principal { "NotPrincipal" } else { "Principal" }.to_owned(), who);
            }
            statement.insert(if not_action { "NotAction" } else { "Action" }.to_owned(), what);
            if kind != PolicyKind::Trust {
                statement.insert(if not_resource { "NotResource" } else { "Resource" }.to_owned(), which);
            }
            if !conditions.is_empty() {
                statement.insert("Condition".to_owned(), Value::Object(conditions.into_iter().collect()));
            }
            Value::Object(statement)
        },
    )
}

/// A policy of a kind, of whose statements this part denies.
pub(crate) fn policy(kind: PolicyKind, deny: f64) -> impl Strategy<Value = Value> {
    let version = prop::bool::weighted(0.8).prop_map(|new| if new { "2012-10-17" } else { "2008-10-17" });
    (version, prop::collection::vec(statement(kind, deny), 1..4))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

/// A request to what a policy of a kind is attached to.
pub(crate) fn request(kind: PolicyKind) -> impl Strategy<Value = Request> {
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
    let (actions, names): (&[&str], &[&str]) = match kind {
        PolicyKind::Key => (&["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey"], &["red", "blue"]),
        PolicyKind::Trust => (&["sts:AssumeRole", "sts:TagSession"], &["red", "blue"]),
        PolicyKind::Secret | PolicyKind::Function | PolicyKind::Identity => (
            &[
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:DeleteSecret",
            ],
            &["red-a1B2c3", "blue-a1B2c3", "a-a1B2c3", "redder-a1B2c3"],
        ),
    };
    let start = match kind {
        PolicyKind::Key => format!("arn:aws:kms:us-east-1:{OURS}:key/"),
        PolicyKind::Trust => format!("arn:aws:iam::{OURS}:role/"),
        PolicyKind::Secret | PolicyKind::Function | PolicyKind::Identity => {
            format!("arn:aws:secretsmanager:us-east-1:{OURS}:secret:")
        }
    };
    let (action, name) = (select(actions), select(names));
    let values = prop::collection::vec(select(&HELD[..]), 0..3);
    let keys =
        ["aws:principaltag/team", "aws:tagkeys", "secretsmanager:name", "aws:sourcearn", "aws:username"];
    let context = prop::collection::vec(values, keys.len()).prop_map(move |lists| {
        let entry = |(key, values): (&str, Vec<&str>)| {
            (!values.is_empty()).then(|| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
        };
        keys.into_iter().zip(lists).filter_map(entry).collect()
    });
    (principal, action, name, context).prop_map(move |(principal, action, name, context)| Request {
        principal,
        action: action.to_owned(),
        resource: format!("{start}{name}"),
        context,
    })
}
