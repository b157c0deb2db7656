//! AWS's sentences, and who is let in by a resource's policy alone. The corpus is in `tests/decisions.rs`.

use super::*;
use crate::policy::ConditionContext;
use pawl_core::names::AccountId;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-a1B2c3";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/i-1";

fn account() -> AccountId {
    AccountId::try_from("111122223333".to_owned()).unwrap()
}

fn identity(effect: &str, action: &str) -> PolicyDocument {
    let text = format!(r#"{{"Statement": {{"Effect": "{effect}", "Action": "{action}", "Resource": "*"}}}}"#);
    PolicyDocument::parse_identity(&text).unwrap()
}

fn secret(effect: &str, aws: &str) -> PolicyDocument {
    let text = format!(
        r#"{{"Statement": {{"Effect": "{effect}", "Principal": {{"AWS": "{aws}"}}, "Action": "*", "Resource": "*"}}}}"#
    );
    PolicyDocument::parse(&text).unwrap()
}

/// The decision on GetSecretValue, as it is told.
fn told(principal: &Principal, policies: &Policies<'_, PolicyDocument>) -> String {
    let context = ConditionContext::default();
    let request =
        Request { principal, action: "secretsmanager:GetSecretValue", resource: ARN, context: &context };
    match decide(&request, policies) {
        Decision::Allowed(None) => "allowed".to_owned(),
        Decision::Allowed(Some(source)) => format!("allowed by {:?}", source.policy),
        Decision::Denied(denial) => denial.to_string(),
    }
}

#[test]
fn every_denial_is_told_in_aws_s_words() {
    let user = Principal::user(&account(), "ops/JohnDoe");
    let (allow, deny, other) =
        ([identity("Allow", "*")], [identity("Deny", "secretsmanager:*")], [identity("Allow", "s3:*")]);
    let (open, closed) = (secret("Allow", "111122223333"), secret("Deny", "*"));
    let all = Policies { identity: &allow, boundary: None, session: None, resource: Some(&open) };
    let told = |policies: Policies<'_, PolicyDocument>| told(&user, &policies);
    let start = format!(
        "User: arn:aws:iam::111122223333:user/ops/JohnDoe is not authorized to perform: secretsmanager:GetSecretValue on \
         resource: {ARN}"
    );
    assert_eq!(told(Policies { ..all }), "allowed by Identity");
    for (policies, why) in [
        (Policies { identity: &other, ..all }, "because no identity-based policy allows the A action"),
        (Policies { identity: &deny, ..all }, "with an explicit deny in an identity-based policy"),
        (Policies { boundary: other.first(), ..all }, "because no permissions boundary allows the A action"),
        (Policies { boundary: deny.first(), ..all }, "with an explicit deny in a permissions boundary"),
        (Policies { session: other.first(), ..all }, "because no session policy allows the A action"),
        (Policies { session: deny.first(), ..all }, "with an explicit deny in a session policy"),
        (Policies { resource: Some(&closed), ..all }, "with an explicit deny in a resource-based policy"),
    ] {
        let why = why.replace("the A ", "the secretsmanager:GetSecretValue ");
        assert_eq!(told(policies), format!("{start} {why}"));
    }
    let lambda = super::Principal::service("lambda.amazonaws.com");
    let by_service = super::tests::told(&lambda, &Policies::default());
    assert!(
        by_service
            .ends_with("because no resource-based policy allows the secretsmanager:GetSecretValue action")
    );
}

#[test]
fn what_a_secret_s_policy_does_by_itself_depends_on_whom_it_names() {
    let none = [identity("Allow", "s3:*")];
    let session = Principal::session(&account(), "app", "i-1");
    let root = Principal::root(&account());
    for (names, limited, allowed) in [
        ("*", true, true),
        (SESSION, true, true),
        (ROLE, false, true),
        (ROLE, true, false),
        ("111122223333", false, false),
        ("arn:aws:iam::111122223333:role/other", false, false),
    ] {
        let resource = secret("Allow", names);
        let limit = limited.then(|| identity("Allow", "s3:*"));
        for (boundary, session_policy) in [(limit.as_ref(), None), (None, limit.as_ref())] {
            let policies =
                Policies { identity: &none, boundary, session: session_policy, resource: Some(&resource) };
            let told = told(&session, &policies);
            assert_eq!(told == "allowed by Resource", allowed, "{names}, limited: {limited}: {told}");
        }
    }
    assert_eq!(told(&root, &Policies::default()), "allowed");
    let closed = secret("Deny", "111122223333");
    assert!(
        told(&root, &Policies { resource: Some(&closed), ..Policies::default() }).contains("explicit deny")
    );
}

#[test]
fn a_role_and_a_key_let_in_only_whom_their_policy_names() {
    let all = [identity("Allow", "*")];
    let none: [PolicyDocument; 0] = [];
    let user = Principal::user(&account(), "ann");
    let trust = |names: &str| {
        let text = format!(
            r#"{{"Statement": {{"Effect": "Allow", "Principal": {{"AWS": "{names}"}}, "Action": "sts:AssumeRole"}}}}"#
        );
        PolicyDocument::parse_trust(&text).unwrap()
    };
    let context = ConditionContext::default();
    for (names, identity, told) in [
        ("arn:aws:iam::111122223333:user/ann", &none[..], ""),
        ("111122223333", &all[..], ""),
        ("111122223333", &none[..], "because no identity-based policy allows the sts:AssumeRole action"),
        (
            "arn:aws:iam::111122223333:user/bob",
            &all[..],
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: \
             arn:aws:iam::111122223333:role/app because no role trust policy allows the sts:AssumeRole action",
        ),
    ] {
        let trust = trust(names);
        let request =
            Request { principal: &user, action: "sts:AssumeRole", resource: ROLE, context: &context };
        let policies = Policies { identity, resource: Some(&trust), ..Policies::default() };
        match decide(&request, &policies) {
            Decision::Allowed(_) => assert!(told.is_empty(), "{names}: {told}"),
            Decision::Denied(denial) => {
                assert!(!told.is_empty() && denial.to_string().ends_with(told), "{names}: {denial}");
            }
        }
    }
    let key = r#"{"Statement": {"Sid": "Enable IAM policies", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"}}}"#;
    let key = PolicyDocument::parse_key(key).unwrap();
    let resource = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let root = Principal::root(&account());
    let policies = Policies { identity: &all, resource: Some(&key), ..Policies::default() };
    let asked = |principal| {
        decide(&Request { principal, action: "kms:Decrypt", resource, context: &context }, &policies)
            .is_allowed()
    };
    assert_eq!((asked(&user), asked(&root)), (true, false));
}
