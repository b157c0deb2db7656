//! What errors say and where, what is public, what is found. The decisions are in `tests/policies.rs`.

use pawl_core::names::AccountId;
use proptest::prelude::*;

use super::pattern::{Case, Pattern, Syntax};
use super::*;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-a1B2c3";

fn account() -> AccountId {
    AccountId::try_from("111122223333".to_owned()).unwrap()
}

fn verdict(policy: &str, principal: &Principal) -> String {
    let document = PolicyDocument::parse(policy).unwrap();
    let context = principal.context();
    let request = AccessRequest {
        principal,
        action: "secretsmanager:GetSecretValue",
        resource: ARN,
        context: &context,
    };
    match document.decide(&request) {
        Verdict::NoStatement => "nothing".to_owned(),
        Verdict::Allowed { by, grant } => format!("{by} allows as {grant:?}"),
        Verdict::Denied { by } => format!("{by} denies"),
    }
}

#[test]
fn the_closest_grant_is_told_and_a_denial_wins() {
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*"},
        {"Sid": "Writer", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/ops/writer"},
         "Action": "secretsmanager:Get*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
         "Action": "*", "Resource": "*"}]}"#;
    assert_eq!(verdict(policy, &Principal::root(&account())), "Statement[0] (Account) allows as Itself");
    assert_eq!(
        verdict(policy, &Principal::user(&account(), "ops/writer")),
        "Statement[1] (Writer) allows as Itself"
    );
    assert_eq!(
        verdict(policy, &Principal::user(&account(), "other")),
        "Statement[0] (Account) allows as Account"
    );
    assert_eq!(verdict(policy, &Principal::session(&account(), "app", "i-1")), "Statement[2] denies");
    assert_eq!(verdict(policy, &Principal::service("lambda.amazonaws.com")), "nothing");
}

#[test]
fn a_context_is_asked_for_by_conditions_and_by_variables() {
    let asks = |more: &str| {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
                {{"Effect": "Allow", "Action": "*", {more}}}]}}"#
        );
        PolicyDocument::parse_identity(&text).unwrap().asks_context()
    };
    assert!(!asks(r#""Resource": "arn:aws:s3:::*""#));
    assert!(asks(r#""Resource": "arn:aws:s3:::${aws:username}/*""#));
    assert!(asks(r#""NotResource": ["*", "arn:aws:s3:::${aws:username}/*"]"#));
    assert!(asks(r#""Resource": "*", "Condition": {"Null": {"aws:username": true}}"#));
}

#[test]
fn white_space_does_not_count_for_quotas() {
    assert_eq!(quota_chars(" {\n\t\"Sid\": \"é\"\u{a0}}\r\n"), 11);
}

/// The obvious matcher, which tries everything.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, first) => first.is_none(),
        (Some(('*', rest)), first) => {
            naive(rest, text) || first.is_some_and(|(_, text)| naive(pattern, text))
        }
        (Some(('?', rest)), Some((_, text))) => naive(rest, text),
        (Some((c, rest)), Some((d, text))) => c == d && naive(rest, text),
        _ => false,
    }
}

/// A policy in which everything stands once, to be spoilt.
const FULL: &str = r#"{"Version": "2012-10-17", "Id": "x", "Statement": [{"Sid": "A", "Effect": "Deny",
    "NotPrincipal": {"AWS": ["*", "111122223333", "arn:aws:iam::111122223333:role/a"], "Service": "a.b"},
    "NotAction": ["*", "secretsmanager:G?t*"], "NotResource": ["*", "arn:aws:secretsmanager:*:*:secret:${aws:a, 'b'}*"],
    "Condition": {"StringLike": {"aws:a": ["${*}*", "${aws:a}"]}, "ArnLike": {"aws:b": "arn:a:${b:c}:*::e:f"},
    "NumericEquals": {"aws:c": [1, -0.5, "+2"]}, "DateLessThan": {"aws:d": ["2026-01-01T00:00Z", 1]},
    "IpAddressIfExists": {"aws:e": ["::/0", "1.2.3.4"]}, "ForAllValues:Bool": {"aws:f": [true]},
    "BinaryEquals": {"aws:g": "AA=="}, "Null": {"aws:h": "true"},
    "StringNotEqualsIgnoreCase": {"aws:i": "\u00e9${aws:a}"}}}]}"#;

/// What is done to a policy in a fuzz target too: nothing of it may panic.
fn use_all_of(text: &str) {
    let principal = Principal::session(&account(), "path/app", "s").through("accounts.google.com");
    let mut context = principal.context();
    for (key, value) in [("aws:a", "1.5"), ("aws:b", "arn:a:b:c:d:e:f"), ("aws:d", "2026"), ("aws:e", "::1")]
    {
        context.push(key, value);
    }
    context.push("aws:c", i64::MIN);
    context.push("aws:f", false);
    context.push("aws:g", b"\xff".as_slice());
    match PolicyDocument::parse(text) {
        Ok(document) => {
            let action = "secretsmanager:GetSecretValue";
            let request = AccessRequest { principal: &principal, action, resource: ARN, context: &context };
            let _ = (document.decide(&request), document.is_public(), document.findings(Some(&request)));
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

#[test]
fn the_full_policy_can_be_read() {
    assert_eq!(PolicyDocument::parse(FULL).map(|document| document.statements.len()), Ok(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn wildcards_match_as_the_obvious_matcher_says(pattern in "[abé*?]{0,9}", text in "[abé]{0,9}") {
        let compiled = Pattern::compile(&pattern, Syntax { wildcards: true, variables: true }).unwrap();
        let (plain, context) = (|text: &str| text.chars().collect::<Vec<_>>(), ConditionContext::default());
        let expected = naive(&plain(&pattern), &plain(&text));
        prop_assert_eq!(compiled.matches(&text, Case::Exact, &context), expected);
        prop_assert_eq!(compiled.matches(&text.to_ascii_uppercase(), Case::Ascii, &context), expected);
    }

    #[test]
    fn long_parts_with_gaps_are_found_as_the_obvious_matcher_says(
        part in "[ab?]{20,80}",
        before in "[ab]{0,9}",
        after in "[ab]{0,9}",
        spoilt in any::<Option<prop::sample::Index>>(),
    ) {
        let mut text: Vec<char> = format!("{before}{part}{after}").replace('?', "é").chars().collect();
        if let Some(index) = spoilt {
            let index = index.index(text.len());
            text[index] = 'x';
        }
        let pattern = format!("*{part}*");
        let expected = naive(&pattern.chars().collect::<Vec<_>>(), &text);
        let compiled = Pattern::compile(&pattern, Syntax { wildcards: true, variables: true }).unwrap();
        let text = String::from_iter(&text);
        prop_assert_eq!(compiled.matches(&text, Case::Exact, &ConditionContext::default()), expected);
    }

    #[test]
    fn no_text_panics(text in ".*") {
        use_all_of(&text);
    }

    #[test]
    fn no_spoilt_policy_panics(
        at in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        with in "[\\[\\]{}\":,.$*?'0-9a-zé/-]{0,3}",
    ) {
        let chars: Vec<char> = FULL.chars().collect();
        let at = at.index(chars.len());
        let to = chars.len().min(at + to.index(8));
        use_all_of(&[String::from_iter(&chars[..at]), with, String::from_iter(&chars[to..])].concat());
    }

    #[test]
    fn no_text_in_any_place_panics(text in any::<String>()) {
        let text = serde_json::Value::from(text);
        for place in ["\"secretsmanager:G?t*\"", "\"arn:a:${b:c}:*::e:f\"", "\"${*}*\"", "\"2026-01-01T00:00Z\"",
            "\"+2\"", "\"::/0\"", "\"AA==\"", "\"111122223333\"", "\"a.b\"", "\"aws:i\"", "\"StringLike\"", "\"x\""] {
            assert!(FULL.contains(place));
            use_all_of(&FULL.replace(place, &text.to_string()));
        }
    }
}
