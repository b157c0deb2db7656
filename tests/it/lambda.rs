//! Lambda's API: AWS's own clients, unmodified, upload functions, and what is no function or no request is refused.

use std::path::PathBuf;
use std::process::Command;

use pawl_tests::artifacts;
use pawl_tests::command::Ran;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::scratch::Scratch;
use serde_json::{Value, json};

/// What the scripts have in common.
const COMMON: &str = include_str!("boto3/lambda.py");

fn judge(pawl: &Pawl, script: &str) {
    let component = artifacts::guest("guest-trespasses");
    let _ = pawl.boto3(&format!("{COMMON}\n{script}"), &json!({"component": component}));
}

#[test]
fn boto3_finds_the_life_of_a_function_as_on_aws() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_life.py"));
}

#[test]
fn boto3_finds_functions_listed_rehearsed_and_those_of_the_host_read_only() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_lists.py"));
}

#[test]
fn boto3_finds_what_pawl_has_not_refused_by_name() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_refusals.py"));
}

/// A package with a component that asks for what is approved for `name`, and where it is.
fn package(pawl: &Pawl, scratch: &Scratch, name: &str) -> PathBuf {
    let path = scratch.path().join("package.zip");
    let script = format!(
        "{COMMON}\n\
         grants = '[grants]\\nengines = [\"postgres\"]\\n'\n\
         approve(args['name'], grants)\n\
         open(args['to'], 'wb').write(zipped(('rotator.wasm', with_manifest(grants))))\n"
    );
    let component = artifacts::guest("guest-trespasses");
    let _ = pawl.boto3(&script, &json!({"component": component, "name": name, "to": path}));
    path
}

fn aws_lambda(pawl: &Pawl, arguments: &[&str]) -> Ran {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    let endpoint = format!("http://{}", pawl.address());
    Ran::of(command.args(["--endpoint-url", &endpoint, "--output", "json", "lambda"]).args(arguments))
}

#[test]
fn the_aws_command_line_uploads_publishes_permits_and_invokes() {
    let pawl = Pawl::start(Options::default());
    let scratch = Scratch::new("lambda");
    let zip = format!("fileb://{}", package(&pawl, &scratch, "cli-rotator").display());
    let role = "arn:aws:iam::000000000000:role/rotator";
    let aws = |arguments: &[&str]| aws_lambda(&pawl, arguments);
    let name = ["--function-name", "cli-rotator"];
    let created = aws(&[
        &["create-function", "--zip-file", &zip, "--role", role, "--runtime", "provided.al2023"][..],
        &["--handler", "rotator", "--timeout", "20"],
        &name,
    ]
    .concat())
    .json();
    assert_eq!((&created["State"], &created["Timeout"]), (&json!("Active"), &json!(20)));
    let _ = aws(&[&["wait", "function-active-v2"][..], &name].concat()).ok();
    let published = aws(&[&["publish-version", "--description", "first"][..], &name].concat()).json();
    assert_eq!(published["Version"], "1");
    let alias = ["create-alias", "--name", "live", "--function-version", "1"];
    let alias = aws(&[&alias[..], &name].concat()).json();
    let live = alias["AliasArn"].as_str().unwrap();
    let permission = ["add-permission", "--statement-id", "rotation", "--action", "lambda:InvokeFunction"];
    let service = ["--principal", "secretsmanager.amazonaws.com", "--qualifier", "live"];
    let added = aws(&[&permission[..], &service, &name].concat()).json();
    assert!(added["Statement"].as_str().unwrap().contains(live), "{added}");
    let policy = aws(&["get-policy", "--function-name", live]).json();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Sid"], "rotation");
    let out = scratch.path().join("answer.json");
    let out = out.to_str().unwrap();
    let payload = r#"{"Step":"createSecret","SecretId":"absent","ClientRequestToken":"0123456789abcdef0123456789abcdef"}"#;
    let invoke = ["invoke", "--function-name", live, "--log-type", "Tail", "--payload", payload, out];
    let invoked = aws(&invoke).json();
    assert_eq!((&invoked["StatusCode"], &invoked["ExecutedVersion"]), (&json!(200), &json!("1")));
    assert!(!invoked["LogResult"].as_str().unwrap().is_empty());
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(answer["errorType"], "ResourceNotFoundException", "{answer}");
    let listed = aws(&["list-functions", "--query", "Functions[].FunctionName"]).json();
    assert!(listed.as_array().unwrap().contains(&json!("cli-rotator")));
    let missing = aws(&["get-function", "--function-name", "absent"]);
    assert!(missing.stderr.contains("(ResourceNotFoundException)"), "{}", missing.stderr);
    let _ = aws(&[&["delete-function"][..], &name].concat()).ok();
    assert_ne!(aws(&[&["get-function"][..], &name].concat()).code, Some(0));
}

#[test]
fn two_hosts_of_one_postgresql_lose_no_change_and_make_no_function_twice() {
    let one = Pawl::start(Options { store: Store::Private, ..Options::default() });
    let url = one.database().unwrap().url().to_owned();
    let shared = Options { store: Store::Shared(url), root_key: one.root_key(), ..Options::default() };
    let other = Pawl::start(shared);
    let component = artifacts::guest("guest-trespasses");
    let elsewhere = format!("http://{}", other.address());
    let script = format!("{COMMON}\n{}", include_str!("boto3/lambda_hosts.py"));
    let _ = one.boto3(&script, &json!({"component": component, "elsewhere": elsewhere}));
    judge(&one, include_str!("boto3/lambda_life.py"));
}

#[test]
fn functions_and_approvals_outlive_the_host() {
    let mut pawl = Pawl::start(Options::default());
    let scratch = Scratch::new("lambda");
    let zip = format!("fileb://{}", package(&pawl, &scratch, "kept").display());
    let role = "arn:aws:iam::000000000000:role/rotator";
    let create = ["create-function", "--function-name", "kept", "--zip-file", &zip, "--role", role];
    let more = ["--runtime", "provided.al2023", "--handler", "rotator"];
    let created = aws_lambda(&pawl, &[&create[..], &more].concat()).json();
    pawl.kill9();
    pawl.resume();
    let got = aws_lambda(&pawl, &["get-function", "--function-name", "kept"]).json();
    assert_eq!(got["Configuration"], created);
    let update = ["update-function-code", "--function-name", "kept", "--zip-file", &zip, "--publish"];
    assert_eq!(aws_lambda(&pawl, &update).json()["Version"], "1");
}
