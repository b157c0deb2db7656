//! A bad request gets AWS's error and changes nothing.

use pawl_core::limits;
use pawl_tests::aws::{self, Signer};
use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, Pawl};
use serde_json::json;

use crate::inventory;

/// A request, and the error that it must get.
struct Case {
    what: &'static str,
    request: Request,
    status: u16,
    code: &'static str,
}

/// Whether the code is of the model (`Message`) or stands before every service (`message`).
const MODELLED: [&str; 4] = [
    "ResourceNotFoundException",
    "InvalidParameterException",
    "InvalidRequestException",
    "ResourceExistsException",
];

/// A minute beyond what a clock may be wrong.
const TOO_FAR_SECONDS: u64 = limits::SIGNATURE_SKEW_MAX.as_secs() + 60;

fn put(pawl: &Pawl) -> Request {
    let body = json!({"SecretId": "kept", "SecretString": "changed", "ClientRequestToken": aws::token()});
    pawl.request("secretsmanager.PutSecretValue", body.to_string().as_bytes())
}

fn authentication(pawl: &Pawl) -> Vec<Case> {
    let good = pawl.signer();
    let signed = |signer: &Signer| signer.sign(put(pawl), aws::now());
    let case = |what, request, code| Case { what, request, status: 400, code };
    let wrong_key = Signer { secret_access_key: "x".repeat(40), ..good.clone() };
    let unknown = Signer { access_key_id: "AKIANOBODYHASTHISKEY".to_owned(), ..good.clone() };
    let other_service = Signer { service: "dynamodb".to_owned(), ..good.clone() };
    let mut tampered = signed(&good);
    tampered.body = String::from_utf8(tampered.body).unwrap().replace("changed", "CHANGED").into_bytes();
    vec![
        case("unsigned", put(pawl), "MissingAuthenticationTokenException"),
        case("signed with a wrong key", signed(&wrong_key), "InvalidSignatureException"),
        case("signed with a key that nobody has", signed(&unknown), "UnrecognizedClientException"),
        case("signed for another service", signed(&other_service), "InvalidSignatureException"),
        case("a stale date", good.sign(put(pawl), aws::now() - TOO_FAR_SECONDS), "InvalidSignatureException"),
        case(
            "a date to come",
            good.sign(put(pawl), aws::now() + TOO_FAR_SECONDS),
            "InvalidSignatureException",
        ),
        case("a body changed after signing", tampered, "InvalidSignatureException"),
        case(
            "a target changed after signing",
            signed(&good).replace("x-amz-target", "secretsmanager.DeleteSecret"),
            "InvalidSignatureException",
        ),
        case(
            "a header taken out after signing",
            signed(&good).without("x-amz-date"),
            "IncompleteSignatureException",
        ),
        case(
            "an authorization of another kind",
            put(pawl).header("authorization", "Bearer of-a-token"),
            "IncompleteSignatureException",
        ),
        case(
            "an authorization without its parts",
            put(pawl).header("authorization", "AWS4-HMAC-SHA256 Credential=a/b"),
            "IncompleteSignatureException",
        ),
        case(
            "a target that was left out of the signature",
            good.sign(put(pawl).without("x-amz-target"), aws::now())
                .header("x-amz-target", "secretsmanager.PutSecretValue"),
            "InvalidSignatureException",
        ),
    ]
}

fn shape(pawl: &Pawl) -> Vec<Case> {
    let sign = |request: Request| pawl.signer().sign(request, aws::now());
    let call =
        |operation: &str, body: &[u8]| sign(pawl.request(&format!("secretsmanager.{operation}"), body));
    let case = |what, request, code| Case { what, request, status: 400, code };
    let mut oversized = br#"{"SecretId": "kept", "SecretString": ""#.to_vec();
    oversized.resize(limits::BODY_BYTES_MAX + 1, b'x');
    vec![
        case(
            "a target that names nothing",
            sign(pawl.request("no.Such", b"{}")),
            "UnknownOperationException",
        ),
        case("an operation that nobody has", call("ReadEverySecret", b"{}"), "UnknownOperationException"),
        case("no target", sign(put(pawl).without("x-amz-target")), "UnknownOperationException"),
        case("no JSON", call("PutSecretValue", b"SecretId=kept"), "SerializationException"),
        case("half of a JSON", call("PutSecretValue", br#"{"SecretId": "kept""#), "SerializationException"),
        case("not an object", call("PutSecretValue", br#"["kept"]"#), "SerializationException"),
        case(
            "a field of a wrong kind",
            call("PutSecretValue", br#"{"SecretId": 7}"#),
            "SerializationException",
        ),
        case(
            "bytes that are no text",
            call("PutSecretValue", b"{\"SecretId\": \"\xff\"}"),
            "SerializationException",
        ),
        Case {
            what: "more than a request may hold",
            request: call("PutSecretValue", &oversized),
            status: 413,
            code: "RequestEntityTooLargeException",
        },
    ]
}

fn meaning(pawl: &Pawl) -> Vec<Case> {
    let call = |operation: &str, body: serde_json::Value| pawl.signed(operation, &body);
    let case = |what, request, code| Case { what, request, status: 400, code };
    let token = aws::token();
    let mut cases = vec![
        case("no name", call("CreateSecret", json!({"ClientRequestToken": token})), "ValidationException"),
        case(
            "no token",
            call("CreateSecret", json!({"Name": "new", "SecretString": "x"})),
            "InvalidRequestException",
        ),
        case(
            "no token, and no such secret",
            call("PutSecretValue", json!({"SecretId": "never-was", "SecretString": "x"})),
            "InvalidRequestException",
        ),
        case(
            "no token for a rotation",
            call("RotateSecret", json!({"SecretId": "kept"})),
            "InvalidParameterException",
        ),
        case(
            "a name that is taken",
            call("CreateSecret", json!({"Name": "kept", "SecretString": "x", "ClientRequestToken": token})),
            "ResourceExistsException",
        ),
        case(
            "no such secret",
            call(
                "PutSecretValue",
                json!({"SecretId": "never-was", "SecretString": "x", "ClientRequestToken": token}),
            ),
            "ResourceNotFoundException",
        ),
    ];
    cases.extend(values(pawl));
    for name in ["a b", "a:b", "a*b", "é", "a\u{0}b", "a\nb"] {
        cases.push(case(
            "a name that is none",
            call("CreateSecret", json!({"Name": name, "SecretString": "x", "ClientRequestToken": token})),
            "ValidationException",
        ));
        cases.push(case(
            "an id that is none",
            call("DeleteSecret", json!({"SecretId": name, "ForceDeleteWithoutRecovery": true})),
            "ValidationException",
        ));
    }
    cases
}

fn values(pawl: &Pawl) -> Vec<Case> {
    let call = |operation: &str, body: serde_json::Value| pawl.signed(operation, &body);
    let case = |what, request, code| Case { what, request, status: 400, code };
    let token = aws::token();
    vec![
        case(
            "a value of either kind at once",
            call(
                "PutSecretValue",
                json!({"SecretId": "kept", "SecretString": "x", "SecretBinary": "eA==", "ClientRequestToken": token}),
            ),
            "InvalidParameterException",
        ),
        case(
            "a value longer than a value may be",
            call(
                "PutSecretValue",
                json!({"SecretId": "kept", "SecretString": "x".repeat(limits::VALUE_BYTES_MAX + 1), "ClientRequestToken": token}),
            ),
            "ValidationException",
        ),
        case(
            "a token that is too short",
            call(
                "PutSecretValue",
                json!({"SecretId": "kept", "SecretString": "x", "ClientRequestToken": "short"}),
            ),
            "ValidationException",
        ),
        case(
            "a rotation by a function that nobody wrote",
            call(
                "RotateSecret",
                json!({"SecretId": "kept", "ClientRequestToken": token,
                       "RotationLambdaARN": "arn:aws:lambda:us-east-1:000000000000:function:nobody-wrote-this"}),
            ),
            "AccessDeniedException",
        ),
        case(
            "a window shorter than AWS has",
            call("DeleteSecret", json!({"SecretId": "kept", "RecoveryWindowInDays": 6})),
            "InvalidParameterException",
        ),
    ]
}

#[test]
fn every_bad_request_gets_awss_error_and_changes_nothing() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("kept", "as it is");
    let value = pawl.value("kept", "AWSCURRENT");
    // After that read: it moves LastAccessedDate.
    let before = inventory(&pawl);
    let mut wrong = Vec::new();
    for case in authentication(&pawl).into_iter().chain(shape(&pawl)).chain(meaning(&pawl)) {
        let answer = case.request.send(pawl.address());
        let body = answer.json();
        let member = if MODELLED.contains(&case.code) { "Message" } else { "message" };
        let right = answer.status == case.status
            && body["__type"] == case.code
            && body[member].as_str().is_some_and(|message| !message.is_empty())
            && body.as_object().map(serde_json::Map::len) == Some(2)
            && answer.header("x-amzn-requestid").is_some()
            && answer.header("content-type") == Some("application/x-amz-json-1.1");
        if !right {
            wrong.push(format!(
                "{}: wanted {} {}, got {} {:.300}",
                case.what, case.status, case.code, answer.status, answer.body
            ));
        }
        assert_eq!(inventory(&pawl), before, "{} changed something", case.what);
    }
    assert_eq!(pawl.value("kept", "AWSCURRENT"), value);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_request_of_ours_is_refused_and_harmless() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("kept", "as it is");
    let before = inventory(&pawl);
    for (method, path) in
        [("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("POST", "/elsewhere"), ("GET", "/../etc/passwd")]
    {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("host".to_owned(), pawl.address().to_string())],
            body: Vec::new(),
        };
        let answer = request.send(pawl.address());
        assert!(
            (400..500).contains(&answer.status),
            "{method} {path} answered {} {}",
            answer.status,
            answer.body
        );
    }
    assert_eq!(inventory(&pawl), before);
}

#[test]
fn a_wrong_key_learns_nothing_of_what_there_is() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("kept", "as it is");
    let wrong = Signer { secret_access_key: "x".repeat(40), ..pawl.signer() };
    let ask = |name: &str| {
        let body = json!({"SecretId": name}).to_string();
        let request = pawl.request("secretsmanager.GetSecretValue", body.as_bytes());
        wrong.sign(request, aws::now()).send(pawl.address())
    };
    let (there, missing) = (ask("kept"), ask("lost"));
    assert_eq!((there.status, there.code()), (missing.status, missing.code()));
    assert!(!there.body.contains("kept"), "{}", there.body);
}
