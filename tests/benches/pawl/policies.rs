//! GetSecretValue by a user whose twenty statements all speak of it, audited and decrypted, against the floor.

use std::process::Command;
use std::sync::Arc;

use pawl_tests::aws::{Signer, now};
use pawl_tests::command::Ran;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use serde_json::{Value, json};

use crate::floor::Floor;
use crate::{Row, load, median, read};

const STATEMENTS: usize = 20;
const REQUESTS: usize = 60_000;
const WARM_UP: usize = 6_000;
const ROUNDS: usize = 5;

/// Statements as teams write them: what is denied first, then what each place of names allows, and last what is asked for here.
fn statements() -> Vec<Value> {
    let read = json!(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]);
    let mut statements = vec![
        json!({"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*",
               "Condition": {"StringEquals": {"secretsmanager:ResourceTag/classification": "secret"}}}),
        json!({"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
               "Condition": {"NotIpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16"]}}}),
        json!({"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
               "Condition": {"StringEqualsIfExists": {"secretsmanager:VersionStage": "AWSPENDING"}}}),
        json!({"Effect": "Deny", "Action": "*", "Resource": "*",
               "Condition": {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}),
    ];
    for team in 0..STATEMENTS - statements.len() - 1 {
        statements.push(json!({"Effect": "Allow", "Action": read,
            "Resource": format!("arn:aws:secretsmanager:*:*:secret:team-{team}/*"),
            "Condition": {"StringLike": {"aws:PrincipalArn": format!("arn:aws:iam::*:user/team-{team}-*")}}}));
    }
    statements.push(
        json!({"Effect": "Allow", "Action": read, "Resource": "arn:aws:secretsmanager:*:*:secret:bench/*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}}),
    );
    statements
}

fn aws(pawl: &Pawl, arguments: &[&str]) -> Ran {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    Ran::of(command.args(["--endpoint-url", &pawl.endpoint(), "--output", "json"]).args(arguments))
}

/// A user with these statements, and its key.
fn reader(pawl: &Pawl) -> Signer {
    let statements = statements();
    assert_eq!(statements.len(), STATEMENTS);
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let _ = aws(pawl, &["iam", "create-user", "--user-name", "reader"]).ok();
    let arn =
        aws(pawl, &["iam", "create-policy", "--policy-name", "reading", "--policy-document", &policy]).json();
    let arn = arn.pointer("/Policy/Arn").unwrap().as_str().unwrap().to_owned();
    let _ = aws(pawl, &["iam", "attach-user-policy", "--user-name", "reader", "--policy-arn", &arn]).ok();
    let key = aws(pawl, &["iam", "create-access-key", "--user-name", "reader"]).json();
    let text = |name: &str| key.pointer(&format!("/AccessKey/{name}")).unwrap().as_str().unwrap().to_owned();
    Signer { access_key_id: text("AccessKeyId"), secret_access_key: text("SecretAccessKey"), ..pawl.signer() }
}

pub(crate) fn run() -> Vec<Row> {
    let pawl = Pawl::start(Options::default());
    let scratch = Scratch::new("floor");
    let names = read::fill(&pawl);
    let signer = reader(&pawl);
    let signed = |name: &String| {
        let body = json!({"SecretId": name}).to_string();
        let request = pawl.request("secretsmanager.GetSecretValue", body.as_bytes());
        signer.sign(request, now()).bytes(true)
    };
    let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": names.first()})).body;
    let floor = Floor::start(scratch.path(), &answer);

    let (mut floors, mut reads, mut p50s) = (Vec::new(), Vec::new(), Vec::new());
    let requests = Arc::new(names.iter().map(signed).collect::<Vec<_>>());
    let _ = load::run(floor.address, &requests, WARM_UP);
    let _ = load::run(pawl.address(), &requests, WARM_UP);
    for _ in 0..ROUNDS {
        let requests = Arc::new(names.iter().map(signed).collect::<Vec<_>>());
        floors.push(load::run(floor.address, &requests, REQUESTS).per_second);
        let read = load::run(pawl.address(), &requests, REQUESTS);
        reads.push(read.per_second);
        p50s.push(read.p50.as_secs_f64() * 1e6);
    }
    let (floor, read) = (median(floors), median(reads));
    vec![
        Row::new(
            format!("GetSecretValue by a user with {STATEMENTS} statements, audited"),
            format!("{:.1} k/s (p50 {:.0} us), floor {:.1} k/s", read / 1e3, median(p50s), floor / 1e3),
            "",
        ),
        Row::new("with policies and audit / floor", format!("{:.0} %", 100.0 * read / floor), ">= 50 %"),
    ]
}
