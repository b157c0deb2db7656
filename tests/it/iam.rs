//! Users, roles and their policies, judged by AWS's own clients: who may do what, and in which words it is refused.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::artifacts;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
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
fn boto3_finds_no_way_from_a_little_to_more() {
    judge(include_str!("boto3/iam_attacks.py"));
}

#[test]
fn boto3_finds_each_known_way_to_more_open_to_the_one_permission_that_opens_it_and_to_no_other() {
    judge(include_str!("boto3/iam_escalation.py"));
}

#[test]
fn boto3_finds_policies_of_resources_to_mean_whoever_had_the_name_then() {
    judge(include_str!("boto3/iam_bound.py"));
}

#[test]
fn boto3_finds_that_functions_get_roles_and_secrets_rotators_from_those_who_may() {
    let pawl = Pawl::start(Options::default());
    let parts = [include_str!("boto3/lambda.py"), COMMON, include_str!("boto3/iam_functions.py")];
    let component = artifacts::guest("guest-trespasses");
    let _ = pawl.boto3(&parts.join("\n"), &json!({"component": component}));
}

#[test]
fn boto3_finds_each_condition_key_where_it_decides() {
    judge(include_str!("boto3/iam_conditions.py"));
}

#[test]
fn boto3_finds_what_is_no_policy_refused_in_the_words_of_aws() {
    judge(include_str!("boto3/iam_malformed.py"));
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

/// The credentials of `aws iam create-access-key` or `aws sts assume-role`, made by somebody.
fn credentials(pawl: &Pawl, by: &Value, arguments: &[&str], member: &str) -> Value {
    let (ok, text) = aws_as(pawl, by, arguments);
    assert!(ok, "{arguments:?}: {text}");
    serde_json::from_str::<Value>(&text).unwrap()[member].clone()
}

/// The story that issue 4 ends with, typed: an administrator makes an application a role that may read one secret, at AWSCURRENT
/// alone and under a key of its own; the application reads it; whatever stands beside that is refused in AWS's words.
#[test]
#[expect(clippy::too_many_lines, reason = "a story is told in one piece")]
fn an_administrator_lets_an_application_read_one_secret_at_awscurrent_and_nothing_beside_it() {
    let pawl = Pawl::start(Options::default());
    json_of(&pawl, &["iam", "create-user", "--user-name", "admin"]);
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    json_of(&pawl, &["iam", "attach-user-policy", "--user-name", "admin", "--policy-arn", all]);
    let admin = json_of(&pawl, &["iam", "create-access-key", "--user-name", "admin"])["AccessKey"].clone();
    let done = |arguments: &[&str]| -> Value {
        let (ok, text) = aws_as(&pawl, &admin, arguments);
        assert!(ok, "{arguments:?}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    };

    // The administrator: a key, two secrets under it, a user for the application, and its role.
    let key = done(&["kms", "create-key", "--description", "for the shop"])["KeyMetadata"].clone();
    let (key_id, key_arn) = (key["KeyId"].as_str().unwrap(), key["Arn"].as_str().unwrap());
    done(&["kms", "create-alias", "--alias-name", "alias/shop", "--target-key-id", key_id]);
    let secret = |name: &str| {
        let create = ["secretsmanager", "create-secret", "--kms-key-id", "alias/shop", "--name", name];
        done(&[&create[..], &["--secret-string", "first"]].concat())["ARN"].as_str().unwrap().to_owned()
    };
    let (db, other) = (secret("shop/db"), secret("shop/other"));
    done(&["secretsmanager", "put-secret-value", "--secret-id", "shop/db", "--secret-string", "second"]);
    done(&["iam", "create-user", "--user-name", "shop"]);
    let user = "arn:aws:iam::000000000000:user/shop";
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": user}}]});
    let role = "arn:aws:iam::000000000000:role/shop-reader";
    let create = ["iam", "create-role", "--role-name", "shop-reader", "--assume-role-policy-document"];
    done(&[&create[..], &[&trust.to_string()]].concat());
    let may = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": db,
         "Condition": {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn, "Condition": {"StringEquals": {
            "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com", "kms:EncryptionContext:SecretARN": db}}}]});
    let policy = ["iam", "create-policy", "--policy-name", "read-shop-db", "--policy-document"];
    let policy = done(&[&policy[..], &[&may.to_string()]].concat())["Policy"]["Arn"].clone();
    let attach = ["iam", "attach-role-policy", "--role-name", "shop-reader", "--policy-arn"];
    done(&[&attach[..], &[policy.as_str().unwrap()]].concat());
    let create = ["iam", "create-access-key", "--user-name", "shop"];
    let shop = credentials(&pawl, &admin, &create, "AccessKey");

    // The application.
    let assume = ["sts", "assume-role", "--role-session-name", "web-1", "--role-arn", role];
    let session = credentials(&pawl, &shop, &assume, "Credentials");
    let me = "arn:aws:sts::000000000000:assumed-role/shop-reader/web-1";
    let (ok, who) = aws_as(&pawl, &session, &["sts", "get-caller-identity"]);
    assert!(ok && who.contains(me), "{who}");
    let read = ["secretsmanager", "get-secret-value", "--query", "SecretString", "--secret-id"];
    for more in [&[db.as_str()][..], &["shop/db"], &["shop/db", "--version-stage", "AWSCURRENT"]] {
        let (ok, value) = aws_as(&pawl, &session, &[&read[..], more].concat());
        assert!(ok && value.trim() == "\"second\"", "{value}");
    }

    // Whatever stands beside that, in AWS's words.
    let refused = |by: &Value,
                   principal: &str,
                   arguments: &[&str],
                   operation: &str,
                   action: &str,
                   on: &str| {
        let (ok, text) = aws_as(&pawl, by, arguments);
        let kind = if arguments[0] == "iam" || arguments[0] == "sts" { "" } else { "Exception" };
        let on = if on.is_empty() { String::new() } else { format!(" on resource: {on}") };
        let sentence = format!(
            "An error occurred (AccessDenied{kind}) when calling the {operation} operation: User: {principal} is not authorized \
             to perform: {action}{on} because no identity-based policy allows the {action} action"
        );
        assert!(!ok && text.trim().ends_with(&sentence), "{arguments:?}:\n{text}\nand not\n{sentence}");
    };
    let get = "secretsmanager:GetSecretValue";
    let absent = ["secretsmanager", "get-secret-value", "--secret-id", "shop/none"];
    let previous = [&read[..], &["shop/db", "--version-stage", "AWSPREVIOUS"]].concat();
    refused(&session, me, &previous, "GetSecretValue", get, "shop/db");
    refused(&session, me, &[&read[..], &["shop/other"]].concat(), "GetSecretValue", get, "shop/other");
    refused(&session, me, &[&read[..], &[&other]].concat(), "GetSecretValue", get, &other);
    refused(&session, me, &absent, "GetSecretValue", get, "shop/none");
    for (command, operation, more) in [
        ("describe-secret", "DescribeSecret", &[][..]),
        ("put-secret-value", "PutSecretValue", &["--secret-string", "mine"]),
        ("update-secret", "UpdateSecret", &["--description", "mine"]),
        ("delete-secret", "DeleteSecret", &[]),
        ("rotate-secret", "RotateSecret", &[]),
        ("list-secret-version-ids", "ListSecretVersionIds", &[]),
        ("get-resource-policy", "GetResourcePolicy", &[]),
        ("tag-resource", "TagResource", &["--tags", "Key=a,Value=b"]),
    ] {
        let arguments = [&["secretsmanager", command, "--secret-id", "shop/db"][..], more].concat();
        refused(&session, me, &arguments, operation, &format!("secretsmanager:{operation}"), "shop/db");
    }
    let list = ["secretsmanager", "list-secrets"];
    refused(&session, me, &list, "ListSecrets", "secretsmanager:ListSecrets", "");
    // The key opens nothing for it but that secret, and only through Secrets Manager.
    let blob = done(&["kms", "encrypt", "--key-id", "alias/shop", "--plaintext", "eA=="]);
    let blob = STANDARD.decode(blob["CiphertextBlob"].as_str().unwrap()).unwrap();
    let scratch = Scratch::new("story");
    let file = scratch.path().join("blob");
    std::fs::write(&file, blob).unwrap();
    let blob = format!("fileb://{}", file.display());
    let decrypt = ["kms", "decrypt", "--ciphertext-blob", &blob];
    refused(&session, me, &decrypt, "Decrypt", "kms:Decrypt", key_arn);
    let describe = ["kms", "describe-key", "--key-id", key_id];
    refused(&session, me, &describe, "DescribeKey", "kms:DescribeKey", key_arn);
    refused(
        &session,
        me,
        &["iam", "get-role", "--role-name", "shop-reader"],
        "GetRole",
        "iam:GetRole",
        "role shop-reader",
    );
    // The user itself may take the role, and nothing more; another may not even take it.
    refused(&shop, user, &[&read[..], &["shop/db"]].concat(), "GetSecretValue", get, "shop/db");
    done(&["iam", "create-user", "--user-name", "stranger"]);
    let create = ["iam", "create-access-key", "--user-name", "stranger"];
    let stranger = credentials(&pawl, &admin, &create, "AccessKey");
    let (ok, text) = aws_as(&pawl, &stranger, &assume);
    let start = "An error occurred (AccessDenied) when calling the AssumeRole operation: User: \
                 arn:aws:iam::000000000000:user/stranger is not authorized to perform: sts:AssumeRole on resource: ";
    assert!(!ok && text.contains(&format!("{start}{role}")), "{text}");
    let (ok, value) = aws_as(&pawl, &admin, &[&read[..], &["shop/db"]].concat());
    assert!(ok && value.trim() == "\"second\"", "what was refused has changed nothing: {value}");
}
