//! KMS, judged by AWS's own clients: keys, ciphertexts, and secrets under keys of their own.

mod model;
mod secrets;
mod tampering;

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::aws::{self, Signer};
use pawl_tests::command::Ran;
use pawl_tests::http::Answer;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// Calls an operation of KMS and gives whatever it answers.
fn try_kms(pawl: &Pawl, operation: &str, body: &Value) -> Answer {
    let signer = Signer { service: "kms".to_owned(), ..pawl.signer() };
    let request = pawl.request(&format!("TrentService.{operation}"), body.to_string().as_bytes());
    signer.sign(request, aws::now()).send(pawl.address())
}

/// Calls an operation of KMS that must succeed.
#[expect(clippy::needless_pass_by_value, reason = "reads better at many call sites")]
fn kms(pawl: &Pawl, operation: &str, body: Value) -> Value {
    let answer = try_kms(pawl, operation, &body);
    assert!(answer.status == 200, "{operation} answered {} {}", answer.status, answer.body);
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// A new key's id and ARN.
fn new_key(pawl: &Pawl) -> (String, String) {
    let made = kms(pawl, "CreateKey", json!({}))["KeyMetadata"].clone();
    (made["KeyId"].as_str().unwrap().to_owned(), made["Arn"].as_str().unwrap().to_owned())
}

/// A secret under a key.
fn create_under(pawl: &Pawl, name: &str, value: &str, key: &str) -> Value {
    let token = aws::token();
    pawl.call(
        "CreateSecret",
        json!({"Name": name, "SecretString": value, "KmsKeyId": key, "ClientRequestToken": token}),
    )
}

/// Runs `aws kms ARGUMENTS` against a server.
fn aws_kms(pawl: &Pawl, arguments: &[&str]) -> Ran {
    let mut command = Command::new("aws");
    pawl.client(&mut command);
    Ran::of(command.args(["--output", "json", "kms"]).args(arguments))
}

#[test]
fn boto3_finds_no_way_from_one_key_to_another() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(include_str!("boto3/kms_attacks.py"), &json!({}));
}

#[test]
fn boto3_finds_the_life_of_a_key_as_on_aws() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(include_str!("boto3/kms_keys.py"), &json!({}));
}

#[test]
fn boto3_finds_ciphertexts_as_on_aws() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(include_str!("boto3/kms_ciphertexts.py"), &json!({}));
}

#[test]
fn a_key_asks_its_policy_together_with_the_callers() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.boto3(include_str!("boto3/kms_users.py"), &json!({}));
}

#[test]
fn the_aws_command_line_opens_what_it_has_encrypted() {
    let pawl = Pawl::start(Options::default());
    let made = aws_kms(&pawl, &["create-key", "--description", "cli"]).json();
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    let named = aws_kms(&pawl, &["create-alias", "--alias-name", "alias/cli", "--target-key-id", arn]);
    assert_eq!((named.code, named.stdout.as_str()), (Some(0), ""));
    let context = ["--encryption-context", "app=a,stage=test"];
    // From files, as both generations of the command line take them in the same way.
    let scratch = Scratch::new("kms");
    let file = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        format!("fileb://{}", path.to_str().unwrap())
    };
    let plaintext = file("plaintext", b"hunter2");
    let encrypt = ["encrypt", "--key-id", "alias/cli", "--plaintext", &plaintext];
    let sealed = aws_kms(&pawl, &[&encrypt[..], &context].concat()).json();
    assert_eq!(sealed["KeyId"], arn);
    let blob = STANDARD.decode(sealed["CiphertextBlob"].as_str().unwrap()).unwrap();
    let blob = file("ciphertext", &blob);
    let decrypt = ["decrypt", "--ciphertext-blob", &blob, "--query", "Plaintext"];
    assert_eq!(aws_kms(&pawl, &[&decrypt[..], &context].concat()).json(), "aHVudGVyMg==");
    let wrong = aws_kms(&pawl, &decrypt);
    assert_ne!(wrong.code, Some(0));
    assert!(wrong.stderr.contains("(InvalidCiphertextException)"), "{}", wrong.stderr);
    let listed = aws_kms(&pawl, &["list-aliases"]).json();
    assert_eq!(listed["Aliases"][0]["AliasName"], "alias/cli");
    let gone = aws_kms(&pawl, &["schedule-key-deletion", "--key-id", arn, "--pending-window-in-days", "7"]);
    assert_eq!(gone.json()["KeyState"], "PendingDeletion");
}

#[test]
fn a_call_that_is_signed_for_another_service_is_refused() {
    let pawl = Pawl::start(Options::default());
    let request = pawl.request("TrentService.ListKeys", b"{}");
    let answer = pawl.signer().sign(request, aws::now()).send(pawl.address());
    assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidSignatureException"));
    assert!(answer.body.contains("'kms'"), "{}", answer.body);
}

#[test]
fn a_keys_time_runs_by_the_clock() {
    let pawl = Pawl::start(Options { dev_clock: true, ..Options::default() });
    let (key, arn) = new_key(&pawl);
    kms(&pawl, "CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": key}));
    kms(&pawl, "EnableKeyRotation", json!({"KeyId": key, "RotationPeriodInDays": 90}));
    let sealed = kms(&pawl, "Encrypt", json!({"KeyId": key, "Plaintext": "aHVudGVyMg=="}));
    let advance = |days: u64| {
        let by = format!("{days}d");
        let _ = pawl.cli(&["dev", "clock", "advance", &by]).ok();
    };
    advance(91);
    let rotations = kms(&pawl, "ListKeyRotations", json!({"KeyId": key}))["Rotations"].clone();
    assert_eq!(rotations.as_array().map(Vec::len), Some(1), "{rotations}");
    assert_eq!(rotations[0]["RotationType"], "AUTOMATIC");
    let opened = kms(&pawl, "Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
    assert_eq!(opened["Plaintext"], "aHVudGVyMg==");
    assert_ne!(opened["KeyMaterialId"], rotations[0]["KeyMaterialId"]);
    kms(&pawl, "ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}));
    advance(8);
    let refused = try_kms(&pawl, "DescribeKey", &json!({"KeyId": key}));
    assert_eq!(refused.code(), "NotFoundException");
    assert!(refused.body.contains(&arn), "{}", refused.body);
    assert_eq!(kms(&pawl, "ListAliases", json!({}))["Aliases"], json!([]), "its aliases go with it");
    assert_eq!(kms(&pawl, "ListKeys", json!({}))["Keys"], json!([]));
    let refused = try_kms(&pawl, "Decrypt", &json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
    assert_eq!(refused.code(), "AccessDeniedException");
}

#[test]
fn keys_outlive_a_kill_and_open_what_they_encrypted_before() {
    let mut pawl = Pawl::start(Options::default());
    let (key, _) = new_key(&pawl);
    let sealed = kms(&pawl, "Encrypt", json!({"KeyId": key, "Plaintext": "aHVudGVyMg=="}));
    kms(&pawl, "RotateKeyOnDemand", json!({"KeyId": key}));
    pawl.kill9();
    pawl.resume();
    let opened = kms(&pawl, "Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
    assert_eq!(opened["Plaintext"], "aHVudGVyMg==");
    assert_eq!(
        kms(&pawl, "ListKeyRotations", json!({"KeyId": key}))["Rotations"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn what_one_host_does_to_a_key_another_soon_sees() {
    let one = Pawl::start(Options { store: Store::Private, ..Options::default() });
    let url = one.database().unwrap().url().to_owned();
    let mut two =
        Pawl::prepare(Options { store: Store::Shared(url), root_key: one.root_key(), ..Options::default() });
    two.resume();
    let (key, _) = new_key(&one);
    let sealed = kms(&two, "Encrypt", json!({"KeyId": key, "Plaintext": "aHVudGVyMg=="}));
    kms(&one, "DisableKey", json!({"KeyId": key}));
    eventually("the other host refuses", SOON, || {
        let answer = try_kms(&two, "Decrypt", &json!({"CiphertextBlob": sealed["CiphertextBlob"]}));
        (answer.code() == "DisabledException").then_some(())
    });
    kms(&one, "EnableKey", json!({"KeyId": key}));
    kms(&one, "RotateKeyOnDemand", json!({"KeyId": key}));
    let newer = kms(&one, "Encrypt", json!({"KeyId": key, "Plaintext": "aHVudGVyMg=="}));
    eventually("the other host opens it", SOON, || {
        let answer = try_kms(&two, "Decrypt", &json!({"CiphertextBlob": newer["CiphertextBlob"]}));
        (answer.status == 200).then_some(())
    });
}
