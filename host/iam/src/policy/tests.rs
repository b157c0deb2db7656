//! What errors say and where, what is public, what is found. The decisions are in `tests/policies.rs`.

use pawl_core::names::AccountId;

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
        {"Sid": "Maria", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/ops/maria"},
         "Action": "secretsmanager:Get*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
         "Action": "*", "Resource": "*"}]}"#;
    assert_eq!(verdict(policy, &Principal::root(&account())), "Statement[0] (Account) allows as Itself");
    assert_eq!(
        verdict(policy, &Principal::user(&account(), "ops/maria")),
        "Statement[1] (Maria) allows as Itself"
    );
    assert_eq!(
        verdict(policy, &Principal::user(&account(), "paul")),
        "Statement[0] (Account) allows as Account"
    );
    assert_eq!(verdict(policy, &Principal::session(&account(), "app", "i-1")), "Statement[2] denies");
    assert_eq!(verdict(policy, &Principal::service("lambda.amazonaws.com")), "nothing");
}
