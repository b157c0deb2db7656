//! AWS's own clients, unmodified, judge the wire and the rules of versions and labels.

use pawl_tests::pawl::{Options, Pawl};
use serde_json::{Value, json};

/// Runs a script on a server of its own.
fn judge(script: &str) {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(script, &json!({}));
}

#[test]
fn boto3_finds_the_life_of_a_secret_as_on_aws() {
    judge(include_str!("boto3/life.py"));
}

#[test]
fn boto3_finds_labels_as_on_aws() {
    judge(include_str!("boto3/labels.py"));
}

#[test]
fn boto3_finds_tokens_idempotent() {
    judge(include_str!("boto3/tokens.py"));
}

#[test]
fn boto3_finds_lists_paged_sorted_and_filtered() {
    judge(include_str!("boto3/lists.py"));
}

#[test]
fn boto3_finds_ids_and_names_as_on_aws() {
    judge(include_str!("boto3/names.py"));
}

#[test]
fn boto3_gets_random_passwords_that_keep_their_rules() {
    judge(include_str!("boto3/passwords.py"));
}

#[test]
fn the_aws_command_line_reads_what_it_has_written() {
    let pawl = Pawl::start(Options::default());
    let created = pawl.aws(&["create-secret", "--name", "cli/one", "--secret-string", "Grüße"]).json();
    let arn = created["ARN"].as_str().unwrap();
    let got = pawl.aws(&["get-secret-value", "--secret-id", arn]).json();
    assert_eq!(got["SecretString"], "Grüße");
    assert_eq!(got["VersionId"], created["VersionId"]);
    let put = pawl.aws(&["put-secret-value", "--secret-id", "cli/one", "--secret-string", "two"]).json();
    assert_eq!(put["VersionStages"], json!(["AWSCURRENT"]));
    let text = pawl.aws(&["get-secret-value", "--secret-id", "cli/one", "--query", "SecretString"]).json();
    assert_eq!(text, "two");
    let listed = pawl.aws(&["list-secrets"]).json();
    assert_eq!(listed["SecretList"].as_array().map(Vec::len), Some(1));
    let gone =
        pawl.aws(&["delete-secret", "--secret-id", "cli/one", "--force-delete-without-recovery"]).json();
    assert_eq!(gone["ARN"], arn);
    let missing = pawl.aws(&["get-secret-value", "--secret-id", "cli/one"]);
    assert_ne!(missing.code, Some(0));
    assert!(missing.stderr.contains("(ResourceNotFoundException)"), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("Secrets Manager can't find the specified secret."),
        "{}",
        missing.stderr
    );
}

#[test]
fn pawls_own_command_line_does_the_same() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.cli(&["secret", "create", "own/one", "--value", "first"]).ok();
    assert!(pawl.cli(&["secret", "get", "own/one"]).ok().contains("first"));
    let got = pawl.cli(&["secret", "get", "own/one", "--output", "json"]).json();
    assert_eq!(got["SecretString"], "first");
    assert!(pawl.cli(&["secret", "list"]).ok().contains("own/one"));
    let described: Value = pawl.cli(&["secret", "describe", "own/one", "--output", "json"]).json();
    assert_eq!(described["Name"], "own/one");
    let _ = pawl.cli(&["doctor"]).ok();
    let _ = pawl.cli(&["secret", "delete", "own/one", "--force"]).ok();
    assert_eq!(pawl.cli(&["secret", "get", "own/one"]).code, Some(1));
    assert_eq!(pawl.cli(&["secret", "no-such-verb"]).code, Some(2));
}
