//! Requests that say two things at once, to two readers: one who decides, and one who does, or who writes it down.

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl};
use serde_json::{Value, json};

fn form(pawl: &Pawl, signer: &Signer, service: &str, body: &str) -> Answer {
    signed_form(pawl, signer, service, body).send(pawl.address())
}

fn signed_form(pawl: &Pawl, signer: &Signer, service: &str, body: &str) -> Request {
    let request = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    }
    .header("host", &pawl.address().to_string())
    .header("content-type", "application/x-www-form-urlencoded");
    Signer { service: service.to_owned(), ..signer.clone() }.sign(request, aws::now())
}

/// A user with this policy, and the user's key.
fn user(pawl: &Pawl, name: &str, policy: &Value) -> Signer {
    let script = r#"
iam = boto3.client("iam", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
iam.create_user(UserName=args[0])
iam.put_user_policy(UserName=args[0], PolicyName="p", PolicyDocument=args[1])
key = iam.create_access_key(UserName=args[0])["AccessKey"]
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
"#;
    let key = pawl.boto3(script, &json!([name, policy.to_string()]));
    let text = |place: usize| key[place].as_str().unwrap().to_owned();
    Signer { access_key_id: text(0), secret_access_key: text(1), ..pawl.signer() }
}

#[test]
fn a_form_says_each_thing_once() {
    let pawl = Pawl::start(Options::default());
    let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}});
    let mallory = user(&pawl, "mallory", &all);
    for body in [
        // What is done would be done to one, and told of the other.
        "Action=DeleteUser&Version=2010-05-08&UserName=mallory&UserName=decoy",
        "Action=DeleteUser&Version=2010-05-08&UserName=mallory&UserN%61me=decoy",
        "Action=GetUser&Action=DeleteUser&Version=2010-05-08&UserName=mallory",
        // A policy that is to limit a session would get lost.
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=me&PolicyArns.member.2.arn=x",
    ] {
        let service = if body.contains("AssumeRole") { "sts" } else { "iam" };
        let answer = form(&pawl, &mallory, service, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.contains("<Code>ValidationError</Code>"), "{}", answer.body);
    }
    let answer = form(&pawl, &mallory, "iam", "Action=GetUser&Version=2010-05-08&UserName=mallory");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn nobody_signs_in_the_name_of_anothers_key() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a", "v");
    let own = pawl.signed("GetSecretValue", &json!({"SecretId": "a"}));
    let (_, header) =
        own.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap();
    let header = header.clone();
    assert_eq!(own.clone().send(pawl.address()).status, 200);
    // Whoever reads the header for `Credential=` and no more would have found the victim's.
    let decoy = header.replacen("Credential=", "XCredential=AKIAVICTIMVICTIMVICT/1/2/3/4, Credential=", 1);
    let answer = own.clone().replace("authorization", &decoy).send(pawl.address());
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "IncompleteSignatureException"),
        "{}",
        answer.body
    );
    for twice in [
        header.replacen("Credential=", "Credential=AKIAVICTIMVICTIMVICT/1/2/3/4, Credential=", 1),
        format!("{header}, {}", header.split_once(' ').unwrap().1),
    ] {
        assert_eq!(
            own.clone().replace("authorization", &twice).send(pawl.address()).code(),
            "IncompleteSignatureException"
        );
    }
    assert_eq!(
        own.clone().header("authorization", &header).send(pawl.address()).code(),
        "IncompleteSignatureException"
    );
    // A signature in the query beside one in a header, and one whose names are in escapes.
    for query in [
        "?X-Amz-Signature=0",
        "?X-Amz-Credential=x",
        "?X%2DAmz-Credential=x",
        "?X-Amz-Algorith%6D=AWS4-HMAC-SHA256",
    ] {
        let request = Request { path: format!("/{query}"), ..own.clone() };
        let answer = request.send(pawl.address());
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.code(), "IncompleteSignatureException", "{query}");
    }
    // No header that decides is there unsigned, and no operation is another one's.
    let unsigned = own.clone().header("x-amz-target", "secretsmanager.DeleteSecret");
    assert_eq!(unsigned.send(pawl.address()).code(), "InvalidSignatureException");
    let other = own.clone().replace("x-amz-target", "secretsmanager.DeleteSecret");
    assert_eq!(other.send(pawl.address()).code(), "InvalidSignatureException");
    let elsewhere = own.clone().replace("host", "elsewhere");
    assert_eq!(elsewhere.send(pawl.address()).code(), "InvalidSignatureException");
    for path in ["//", "/./", "/x/..", "/%2e"] {
        let request = Request { path: path.to_owned(), ..own.clone() };
        assert!(request.send(pawl.address()).status >= 400, "{path}");
    }
    assert_eq!(
        own.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").send(pawl.address()).code(),
        "InvalidSignatureException"
    );
}

#[test]
fn a_bodys_length_is_said_once() {
    use std::io::{Read as _, Write as _};
    let pawl = Pawl::start(Options::default());
    let bytes = pawl.signed("ListSecrets", &json!({})).bytes(false);
    let text = String::from_utf8(bytes).unwrap();
    let smuggled = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    for (from, to) in [
        ("content-length: 2\r\n", "content-length: 2\r\ncontent-length: 60\r\n".to_owned()),
        ("content-length: 2\r\n", "content-length: 2, 60\r\n".to_owned()),
        ("content-length: 2\r\n", "content-length: +2\r\n".to_owned()),
        ("content-length: 2\r\n", "content-length: 2\r\ntransfer-encoding: gzip\r\n".to_owned()),
        ("content-length: 2\r\n", "content-length : 2\r\n".to_owned()),
        ("content-length: 2\r\n", "content-length: 2\r\n x: folded\r\n".to_owned()),
    ] {
        assert!(text.to_lowercase().contains(from), "{text}");
        let at = text.to_lowercase().find(from).unwrap();
        let bent = format!("{}{to}{}{smuggled}", &text[..at], &text[at + from.len()..]);
        let mut stream = super::client::connect(pawl.address());
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        stream.write_all(bent.as_bytes()).unwrap();
        let mut received = String::new();
        let _ = stream.read_to_string(&mut received);
        assert!(!received.contains(" 200 "), "{to:?}: {received}");
        assert!(received.matches("HTTP/1.1 ").count() <= 1, "{to:?}: {received}");
    }
}
