//! What a call leaves, in CloudTrail's form.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::pawl::{ACCESS_KEY_ID, Options, POSTGRES_ROTATOR, Pawl};
use pawl_tests::postgres::Postgres;
use serde_json::{Value, json};

use super::log::{must_be_whole, of_event, records, soon};
use crate::database_secret;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn every_operation_of_every_service_leaves_a_record() {
    let pawl = Pawl::start(Options::default());
    let names = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut operations = BTreeMap::new();
    let manager = pawl_api::secrets_manager::Operation::ALL.iter().map(|operation| operation.name());
    operations.insert("secretsmanager", names(manager.collect()));
    let kms = pawl_api::kms::Operation::ALL.iter().map(|operation| operation.name());
    operations.insert("kms", names(kms.collect()));
    let iam = pawl_api::iam::Operation::ALL.iter().map(|operation| operation.name());
    operations.insert("iam", names(iam.collect()));
    let sts = pawl_api::sts::Operation::ALL.iter().map(|operation| operation.name());
    operations.insert("sts", names(sts.collect()));
    let lambda = pawl_api::lambda::Operation::ALL.iter().map(|operation| operation.name());
    operations.insert("lambda", names(lambda.collect()));
    let mut told = pawl.boto3(include_str!("../boto3/audit_every.py"), &json!({"operations": operations}));
    for (operation, told) in told["secretsmanager"].as_object_mut().unwrap() {
        if told.is_null() {
            let answer = pawl.try_call(operation, &json!({}));
            let request = answer.header("x-amzn-requestid").unwrap();
            let code = (answer.status != 200).then(|| answer.code());
            *told = json!({"request": request, "code": code});
        }
    }
    let records = records(&pawl);
    let mut seen = BTreeSet::new();
    for (service, operations) in &operations {
        for operation in operations {
            let told = &told[service][operation];
            let request = told["request"].as_str().unwrap_or_else(|| panic!("{service} {operation}: {told}"));
            let record = records.iter().find(|record| {
                record["requestID"] == request && record["eventSource"] == format!("{service}.amazonaws.com")
            });
            let record = record.unwrap_or_else(|| panic!("{service} {operation} left no record: {told}"));
            let name = record["eventName"].as_str().unwrap();
            assert!(name.starts_with(operation), "{operation}: {record}");
            assert_eq!(record.get("errorCode").is_some(), told["code"].is_string(), "{told} {record}");
            for member in [
                "eventVersion",
                "userIdentity",
                "eventTime",
                "eventSource",
                "eventName",
                "awsRegion",
                "sourceIPAddress",
                "userAgent",
                "requestParameters",
                "responseElements",
                "requestID",
                "eventID",
                "readOnly",
                "eventType",
                "managementEvent",
                "recipientAccountId",
                "eventCategory",
                "chain",
            ] {
                assert!(record.get(member).is_some(), "{operation} has no {member}: {record}");
            }
            assert!(seen.insert(record["eventID"].as_str().unwrap()), "an eventID comes twice");
        }
    }
    for operation in pawl_api::pawl::Operation::ALL {
        let request = pawl.request(operation.target(), b"{}");
        let signer = aws_signer(&pawl);
        let answer = signer.sign(request, aws::now()).send(pawl.address());
        let request = answer.header("x-amzn-requestid").unwrap().to_owned();
        let found = super::log::records(&pawl);
        let record = found.iter().find(|record| record["requestID"] == *request);
        assert_eq!(record.unwrap()["eventName"], operation.name());
    }
    must_be_whole(&pawl);
}

fn aws_signer(pawl: &Pawl) -> aws::Signer {
    aws::Signer { service: "pawl".to_owned(), ..pawl.signer() }
}

#[test]
fn the_aws_cli_reads_a_secret_and_the_record_is_as_cloudtrails() {
    let pawl = Pawl::start(Options::default());
    let arn = pawl.create("db/app", "canary-value")["ARN"].as_str().unwrap().to_owned();
    let got =
        pawl.aws(&["get-secret-value", "--secret-id", "db/app", "--version-stage", "AWSCURRENT"]).json();
    assert_eq!(got["SecretString"], "canary-value");
    let record = of_event(&pawl, "GetSecretValue").pop().unwrap();
    assert_eq!(record["eventSource"], "secretsmanager.amazonaws.com");
    assert_eq!(record["requestParameters"], json!({"secretId": "db/app", "versionStage": "AWSCURRENT"}));
    assert_eq!(record["responseElements"], Value::Null);
    assert_eq!((&record["readOnly"], &record["awsRegion"]), (&json!(true), &json!("us-east-1")));
    assert_eq!(record["sourceIPAddress"], "127.0.0.1");
    assert!(record["userAgent"].as_str().unwrap().starts_with("aws-cli/"), "{record}");
    assert_eq!(
        record["userIdentity"],
        json!({"type": "Root", "principalId": "000000000000", "arn": "arn:aws:iam::000000000000:root",
               "accountId": "000000000000", "accessKeyId": ACCESS_KEY_ID})
    );
    assert_eq!(
        record["resources"],
        json!([{"accountId": "000000000000", "type": "AWS::SecretsManager::Secret", "ARN": arn}])
    );
    let made = of_event(&pawl, "CreateSecret").pop().unwrap();
    assert_eq!(made["responseElements"]["arn"], *arn);
    assert_eq!(made["requestParameters"]["name"], "db/app");
    assert!(made["requestParameters"].get("secretString").is_none() && made["readOnly"] == false, "{made}");
}

#[test]
fn who_is_refused_is_recorded_with_what_was_claimed() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("plain", "x");
    let body = json!({"SecretId": "plain"});
    let mut wrong = pawl.signer();
    wrong.secret_access_key = "not the key".to_owned();
    let request = pawl.request("secretsmanager.GetSecretValue", body.to_string().as_bytes());
    let answer = wrong.sign(request.clone(), aws::now()).send(pawl.address());
    assert_eq!(answer.code(), "InvalidSignatureException");
    let record = of_event(&pawl, "GetSecretValue").pop().unwrap();
    assert_eq!(record["userIdentity"], json!({"type": "Unknown", "accessKeyId": ACCESS_KEY_ID}));
    assert_eq!(record["errorCode"], "InvalidSignatureException");
    assert_eq!(record["requestParameters"], Value::Null, "a stranger is believed nothing");
    // Without any signature.
    assert!(request.send(pawl.address()).status >= 400);
    let record = of_event(&pawl, "GetSecretValue").pop().unwrap();
    assert_eq!(record["userIdentity"], json!({"type": "Unknown"}));
    // Strangers cannot fill the disk.
    for _ in 0..1_200 {
        let _ = request.send(pawl.address());
    }
    let strangers = of_event(&pawl, "GetSecretValue").len();
    assert!((400..1_150).contains(&strangers), "{strangers} lines of strangers");
    let _ = pawl.aws(&["list-secrets"]).ok();
    let told = pawl_tests::wait::eventually("the others are counted", SOON, || {
        super::log::lines(&pawl).into_iter().find(|line| line["pawlAudit"] == "suppressed")
    });
    assert!(told["calls"].as_u64().unwrap() > 10, "{told}");
    must_be_whole(&pawl);
}

#[test]
fn users_sessions_keys_and_what_they_are_denied_are_recorded() {
    let pawl = Pawl::start(Options::default());
    let told = pawl.boto3(
        &format!("{}\n{}", include_str!("../boto3/iam.py"), include_str!("../boto3/audit_who.py")),
        &json!({}),
    );
    let records = records(&pawl);
    let of = |request: &Value| {
        let found =
            records.iter().filter(|record| record["requestID"] == *request && !record["requestID"].is_null());
        found.cloned().collect::<Vec<_>>()
    };
    // A user, by its own key.
    let read = of(&told["user_read"]);
    assert_eq!(read[0]["userIdentity"]["type"], "IAMUser");
    assert_eq!(read[0]["userIdentity"]["userName"], "app");
    assert_eq!(read[0]["userIdentity"]["accessKeyId"], told["key"]);
    // A secret under a key of its own: the key's use is Secrets Manager's, for the caller.
    let decrypt = read.iter().find(|record| record["eventName"] == "Decrypt").expect("the key was used");
    assert_eq!(decrypt["userIdentity"]["invokedBy"], "secretsmanager.amazonaws.com");
    assert_eq!(decrypt["userIdentity"]["userName"], "app");
    assert_eq!(decrypt["eventSource"], "kms.amazonaws.com");
    assert_eq!(decrypt["requestParameters"]["encryptionContext"]["SecretARN"], told["arn"]);
    assert_eq!(decrypt["resources"][0]["ARN"], told["key_arn"]);
    let made = of(&told["create"]);
    assert!(made.iter().any(|record| record["eventName"] == "GenerateDataKey"), "{made:?}");
    // Denied, with AWS's message.
    let denied = of(&told["denied"]);
    assert_eq!(denied[0]["errorCode"], "AccessDenied");
    assert!(
        denied[0]["errorMessage"].as_str().unwrap().contains("is not authorized to perform"),
        "{denied:?}"
    );
    // A session of a role.
    let session = of(&told["session_read"]);
    let who = &session[0]["userIdentity"];
    assert_eq!(
        (&who["type"], &who["sessionContext"]["sessionIssuer"]["userName"]),
        (&json!("AssumedRole"), &json!("reader"))
    );
    assert!(who["arn"].as_str().unwrap().ends_with(":assumed-role/reader/s1"), "{who}");
    let assumed = of(&told["assume"]);
    let given = &assumed[0]["responseElements"];
    assert_eq!(given["credentials"]["accessKeyId"], told["session_key"]);
    assert!(
        given["credentials"].get("secretAccessKey").is_none()
            && given["credentials"].get("sessionToken").is_none()
    );
    let query = |arguments: &[&str]| {
        let dir = pawl.data_dir().to_str().unwrap();
        let whole = [&["audit", "query", "--data-dir", dir, "--output", "json"], arguments].concat();
        let text = pawl.cli(&whole).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    assert!(!query(&["--principal", "reader", "--event", "GetSecretValue"]).is_empty());
    assert!(query(&["--outcome", "denied"]).iter().all(|record| record["errorCode"] == "AccessDenied"));
    assert_eq!(query(&["--request-id", told["denied"].as_str().unwrap()]).len(), 1);
    assert!(query(&["--secret", "db/app"]).len() >= 3);
    assert!(query(&["--from", "2100-01-01"]).is_empty() && query(&["--to", "2000-01-01"]).is_empty());
    assert_eq!(pawl.cli(&["audit", "query", "--from", "yesterday"]).code, Some(2));
    must_be_whole(&pawl);
}

#[test]
fn a_rotation_leaves_its_steps_with_digest_and_grants() {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    postgres.create_role("app", "first-password");
    let _ = pawl.create("db", &database_secret(postgres.port(), "app", "first-password"));
    let token = pawl.rotate("db", POSTGRES_ROTATOR);
    pawl.await_rotation("db", &token, SOON);
    let ended = soon(&pawl, "RotationSucceeded");
    assert_eq!((&ended["eventType"], &ended["requestID"]), (&json!("AwsServiceEvent"), &json!(token)));
    assert_eq!(ended["userIdentity"]["invokedBy"], "secretsmanager.amazonaws.com");
    let steps = of_event(&pawl, "RotationStep");
    let names: Vec<&str> =
        steps.iter().map(|step| step["additionalEventData"]["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["createSecret", "setSecret", "testSecret", "finishSecret"]);
    for step in &steps {
        let data = &step["additionalEventData"];
        assert_eq!((&data["outcome"], &data["versionId"]), (&json!("Done"), &json!(token)));
        assert!(data["functionDigest"].as_str().unwrap().len() >= 64, "{step}");
        assert!(data["grants"].is_object(), "{step}");
        assert_eq!(step["userIdentity"]["arn"], POSTGRES_ROTATOR);
    }
    assert_eq!(of_event(&pawl, "RotateSecret").len(), 1);
    must_be_whole(&pawl);
}
