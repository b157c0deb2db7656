//! What a decision costs: `cargo run --release -p pawl-iam --example decide`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;
use pawl_iam::decision::{Policies, Request, decide};
use pawl_iam::policy::{ConditionContext, PolicyDocument, Principal};

/// The read path's measure.
const STATEMENTS: usize = 20;
const ARN: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/team-19/db-a1B2c3";

/// Decisions of a round, which is shorter than a time slice; the best round is told, as others may have been disturbed.
const ROUND: u32 = 100;
const ROUNDS: u32 = 4_000;

fn measure(name: &str, mut work: impl FnMut()) {
    let round = |work: &mut dyn FnMut()| {
        let from = Instant::now();
        (0..ROUND).for_each(|_| work());
        from.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(|_| round(&mut work)).min().unwrap();
    println!("{name:<66} {:>6} ns", best.as_nanos() / u128::from(ROUND));
}

fn policy(statement: impl Fn(usize) -> String) -> String {
    let mut text = "{\"Version\": \"2012-10-17\", \"Statement\": [".to_owned();
    for index in 0..STATEMENTS {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{{{}}}", statement(index)).unwrap();
    }
    text + "]}"
}

/// Twenty services, as the policy of an application has them; the last is ours.
fn services() -> String {
    const SERVICES: [&str; 6] = ["s3", "sqs", "dynamodb", "logs", "ec2", "kms"];
    policy(|index| {
        match index {
        19 => "\"Effect\": \"Allow\", \"Action\": [\"secretsmanager:GetSecretValue\", \"secretsmanager:DescribeSecret\"], \
               \"Resource\": \"arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/team-19/*\""
            .to_owned(),
        _ => {
            let service = SERVICES.iter().cycle().nth(index).unwrap();
            format!(
                "\"Effect\": \"Allow\", \"Action\": [\"{service}:Get*\", \"{service}:List*\", \"{service}:Put{index}\"], \
                 \"Resource\": \"arn:aws:{service}:*:111122223333:x{index}/*\""
            )
        }
    }
    })
}

/// Twenty statements on GetSecretValue, each for other secrets; the last is for this one.
fn secrets(condition: &str) -> String {
    policy(|index| {
        format!(
            "\"Effect\": \"Allow\", \"Action\": \"secretsmanager:GetSecretValue\", \
             \"Resource\": \"arn:aws:secretsmanager:*:111122223333:secret:prod/team-{index}/*\"{condition}"
        )
    })
}

/// Twenty statements of a secret's policy, each for another role.
fn roles() -> String {
    policy(|index| {
        format!(
            "\"Effect\": \"Allow\", \"Principal\": {{\"AWS\": \"arn:aws:iam::111122223333:role/app-{index}\"}}, \
             \"Action\": \"secretsmanager:GetSecretValue\", \"Resource\": \"*\""
        )
    })
}

fn context(principal: &Principal) -> ConditionContext<'_> {
    let mut context = principal.context();
    context.push("aws:CurrentTime", Timestamp::from_millis(1_780_000_000_000));
    context.push("aws:EpochTime", 1_780_000_000);
    context.push("aws:SecureTransport", false);
    context.push("aws:userid", "AROAEXAMPLEROLEID1234:i-1");
    context.push("aws:RequestedRegion", "us-east-1");
    context.push("aws:SourceIp", IpAddr::from([192, 0, 2, 7]));
    context.push("secretsmanager:SecretId", ARN);
    context.push_tag("aws:ResourceTag/", "team", "red");
    context.push_tag("secretsmanager:ResourceTag/", "team", "red");
    context.push("secretsmanager:VersionStage", "AWSCURRENT");
    context
}

fn main() {
    let account = AccountId::try_from("111122223333".to_owned()).unwrap();
    let principal = Principal::session(&account, "app-19", "i-1");
    let stage = ", \"Condition\": {\"ForAnyValue:StringEquals\": {\"secretsmanager:VersionStage\": \"AWSCURRENT\"}, \
                 \"IpAddress\": {\"aws:SourceIp\": \"192.0.2.0/24\"}}";
    let services = PolicyDocument::parse_identity(&services()).unwrap();
    let plain = PolicyDocument::parse_identity(&secrets("")).unwrap();
    let staged = PolicyDocument::parse_identity(&secrets(stage)).unwrap();
    let roles = PolicyDocument::parse(&roles()).unwrap();
    let all = PolicyDocument::parse_identity(
        "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"secretsmanager:*\", \"Resource\": \"*\"}}",
    )
    .unwrap();
    let context = context(&principal);
    let request = Request {
        principal: &principal,
        action: "secretsmanager:GetSecretValue",
        resource: ARN,
        context: &context,
    };
    let run = |name: &str,
               identity: &[&PolicyDocument],
               limits: Option<&PolicyDocument>,
               resource: Option<&PolicyDocument>| {
        let policies = Policies { identity, boundary: limits, session: limits, resource };
        assert!(decide(&request, &policies).is_allowed(), "{name}");
        measure(name, || {
            let _ = black_box(decide(black_box(&request), black_box(&policies)));
        });
    };
    run("one statement", &[&all], None, None);
    run("20 statements of several services", &[&services], None, None);
    run("20 statements on GetSecretValue, each of other secrets", &[&plain], None, None);
    run("the same, each with two conditions", &[&staged], None, None);
    run("20 statements of a secret's policy, each for another role", &[], None, Some(&roles));
    run("20 each: identity, boundary, session, secret", &[&staged], Some(&plain), Some(&roles));
    measure("a request's context, made anew", || {
        black_box(self::context(black_box(&principal)));
    });
}
