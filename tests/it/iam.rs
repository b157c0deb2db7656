//! Users, roles and their policies, judged by AWS's own clients: who may do what, and in which words it is refused.

use std::process::Command;

use pawl_tests::pawl::{Options, Pawl};
use serde_json::{Value, json};

/// What the scripts share.
const COMMON: &str = include_str!("boto3/iam.py");

fn judge(script: &str) {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(&format!("{COMMON}\n{script}"), &json!({}));
}

#[test]
fn boto3_finds_an_application_that_may_read_one_secret_and_nothing_beside_it() {
    judge(include_str!("boto3/iam_story.py"));
}

#[test]
fn boto3_finds_users_groups_roles_and_policies_as_on_aws() {
    judge(include_str!("boto3/iam_entities.py"));
}

#[test]
fn boto3_finds_sessions_limited_and_over_when_they_end() {
    judge(include_str!("boto3/iam_sessions.py"));
}

#[test]
fn boto3_finds_every_operation_closed_to_a_user_without_policies_and_opened_by_the_right_ones() {
    let pawl = Pawl::start(Options::default());
    let script = format!("{COMMON}\n{}", include_str!("boto3/iam_closed.py"));
    let _ = pawl.boto3(&script, &json!({"matrix": include_str!("boto3/iam_matrix.txt")}));
}

/// A command of the AWS CLI with these credentials instead of the root identity's.
fn aws_as(pawl: &Pawl, credentials: &Value, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    command.args(["--output", "json"]).args(arguments);
    command.env_remove("AWS_SHARED_CREDENTIALS_FILE");
    for (name, member) in [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ] {
        match credentials[member].as_str() {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What a command of the root identity prints.
fn json_of(pawl: &Pawl, arguments: &[&str]) -> Value {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    let output = command.args(["--output", "json"]).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// The commands that an administrator types, and what the application sees; through kill -9 as well.
#[test]
fn the_aws_cli_makes_a_role_for_an_application_and_the_next_start_knows_it() {
    let mut pawl = Pawl::start(Options::default());
    let secret = pawl.create("prod/db", "a value")["ARN"].as_str().unwrap().to_owned();
    json_of(&pawl, &["iam", "create-user", "--user-name", "app", "--tags", "Key=team,Value=blue"]);
    let key = json_of(&pawl, &["iam", "create-access-key", "--user-name", "app"])["AccessKey"].clone();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/app"}}]});
    json_of(
        &pawl,
        &["iam", "create-role", "--role-name", "reader", "--assume-role-policy-document", &trust.to_string()],
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue", "Resource": secret}]});
    let policy = policy.to_string();
    let put = [
        "iam",
        "put-role-policy",
        "--role-name",
        "reader",
        "--policy-name",
        "one",
        "--policy-document",
        &policy,
    ];
    json_of(&pawl, &put);
    pawl.kill9();
    pawl.resume();

    let (ok, who) = aws_as(&pawl, &key, &["sts", "get-caller-identity"]);
    assert!(ok && who.contains("arn:aws:iam::000000000000:user/app"), "{who}");
    let role = "arn:aws:iam::000000000000:role/reader";
    let assume = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "now"];
    let (ok, assumed) = aws_as(&pawl, &key, &assume);
    assert!(ok, "{assumed}");
    let session = serde_json::from_str::<Value>(&assumed).unwrap()["Credentials"].clone();
    let read = ["secretsmanager", "get-secret-value", "--secret-id", "prod/db"];
    let (ok, value) = aws_as(&pawl, &session, &read);
    assert!(ok && value.contains("a value"), "{value}");
    let (ok, refused) = aws_as(&pawl, &key, &read);
    let sentence = "An error occurred (AccessDeniedException) when calling the GetSecretValue operation: User: \
                    arn:aws:iam::000000000000:user/app is not authorized to perform: secretsmanager:GetSecretValue on \
                    resource: prod/db because no identity-based policy allows the secretsmanager:GetSecretValue action";
    assert!(!ok && refused.contains(sentence), "{refused}");
    // A session goes on after a start as well: nothing of it was stored.
    pawl.kill9();
    pawl.resume();
    assert!(aws_as(&pawl, &session, &read).0);
    json_of(&pawl, &["iam", "delete-role-policy", "--role-name", "reader", "--policy-name", "one"]);
    assert!(!aws_as(&pawl, &session, &read).0);
    assert!(!pawl.log().contains(key["SecretAccessKey"].as_str().unwrap()));
}
