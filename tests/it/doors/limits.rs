//! Clients that are slow, many, greedy or deaf, and those beside them who are none of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::wait::eventually;
use serde_json::json;

use super::client::connect;

const LIMIT: Duration = Duration::from_secs(90);

fn with(environment: &[(&'static str, &str)]) -> Pawl {
    let environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Pawl::start(Options { environment, ..Options::default() })
}

fn get(path: &str) -> Request {
    Request { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
        .header("host", "localhost")
}

fn figure(pawl: &Pawl, name: &str) -> f64 {
    let page = get("/metrics").send(pawl.address()).body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |figure| figure.parse().unwrap())
}

/// Waits until a server closes a connection.
fn closed(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn five_hundred_who_never_finish_their_headers_keep_nobody_out() {
    let pawl = with(&[("PAWL_CONNECTIONS_MAX", "520")]);
    let _ = pawl.create("a", "v");
    let mut slow: Vec<TcpStream> = Vec::new();
    for _ in 0..500 {
        let mut stream = connect(pawl.address());
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
        slow.push(stream);
    }
    eventually("they are all there", LIMIT, || (figure(&pawl, "pawl_connections") >= 500.0).then_some(()));
    assert_eq!(pawl.value("a", "AWSCURRENT").unwrap().1, "v");
    // Those that came when places ran out were given less time; a byte now and then changes nothing.
    for stream in &mut slow {
        let _ = stream.write_all(b"x");
    }
    slow.iter_mut().for_each(closed);
    eventually("nobody of them is left", LIMIT, || (figure(&pawl, "pawl_connections") <= 2.0).then_some(()));
}

#[test]
fn headers_are_not_endless() {
    let pawl = with(&[]);
    let long = get("/healthz").header("x-long", &"x".repeat(200 * 1024));
    assert!(matches!(long.try_send(pawl.address()).map(|answer| answer.status), Ok(431) | Err(_)));
    let many = (0..120).fold(get("/healthz"), |request, number| request.header(&format!("x-{number}"), "x"));
    assert_eq!(many.send(pawl.address()).status, 431);
    let path = format!("/{}", "x".repeat(200 * 1024));
    assert!(matches!(
        get(&path).try_send(pawl.address()).map(|answer| answer.status),
        Ok(414 | 431) | Err(_)
    ));
    assert_eq!(get("/healthz").header("x-token", &"x".repeat(40 * 1024)).send(pawl.address()).status, 200);
}

#[test]
fn who_reads_nothing_is_left() {
    let pawl = with(&[]);
    let mut deaf = connect(pawl.address());
    deaf.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let question = get("/metrics").bytes(true);
    // As many answers as fill what the system keeps for both, and more.
    let all = question.repeat(20_000);
    let _ = deaf.write_all(&all);
    eventually("it is cut off", LIMIT, || {
        (figure(&pawl, "pawl_turned_away_total{reason=\"stalled\"}") >= 1.0).then_some(())
    });
}

#[test]
fn an_address_has_so_many_connections() {
    let pawl = with(&[("PAWL_CONNECTIONS_PER_ADDRESS", "8")]);
    let held: Vec<TcpStream> = (0..8).map(|_| connect(pawl.address())).collect();
    let mut ninth = connect(pawl.address());
    closed(&mut ninth);
    drop(held);
    let told = eventually("there is room again", LIMIT, || {
        get("/metrics").try_send(pawl.address()).ok().filter(|answer| answer.status == 200)
    });
    assert!(told.body.contains("pawl_turned_away_total{reason=\"address-connections\"}"), "{}", told.body);
}

#[test]
fn one_who_floods_is_slowed_and_another_is_not() {
    let pawl = with(&[("PAWL_REQUESTS_PER_IDENTITY", "20")]);
    let script = r#"
iam = boto3.client("iam", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
keys = {}
for name in ["flood", "calm"]:
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/SecretsManagerReadWrite")
    keys[name] = iam.create_access_key(UserName=name)["AccessKey"]
print(json.dumps({name: [key["AccessKeyId"], key["SecretAccessKey"]] for name, key in keys.items()}))
"#;
    let keys = pawl.boto3(script, &json!({}));
    let signer = |name: &str| Signer {
        access_key_id: keys[name][0].as_str().unwrap().to_owned(),
        secret_access_key: keys[name][1].as_str().unwrap().to_owned(),
        ..pawl.signer()
    };
    let ask = |signer: &Signer| {
        let request = pawl.request("secretsmanager.ListSecrets", b"{}");
        signer.sign(request, aws::now()).send(pawl.address())
    };
    let (flood, calm) = (signer("flood"), signer("calm"));
    let answers: Vec<_> = (0..300).map(|_| ask(&flood)).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(answers.len() - refused.len() >= 40 && refused.len() > 100, "{}", refused.len());
    assert!(refused.iter().all(|answer| answer.status == 400 && answer.code() == "ThrottlingException"));
    assert_eq!(refused[0].message(), "Rate exceeded");
    for _ in 0..20 {
        assert_eq!(ask(&calm).status, 200);
    }
    assert!(figure(&pawl, "pawl_turned_away_total{reason=\"identity-rate\"}") >= 100.0);
    // SDKs know the answer, and come again.
    let script = r#"
sm = boto3.client("secretsmanager", endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=args[0],
                  aws_secret_access_key=args[1], config=Config(retries={"mode": "standard", "max_attempts": 12}))
for _ in range(60):
    sm.list_secrets()
print("null")
"#;
    let _ = pawl.boto3(script, &keys["flood"]);
    // Other protocols have other names for it.
    let query = r#"
from botocore.exceptions import ClientError
def codes(service, operation, **parameters):
    client = boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"total_max_attempts": 1}))
    found = set()
    for _ in range(90):
        try:
            getattr(client, operation)(**parameters)
        except ClientError as error:
            found.add((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
    return found
assert codes("sts", "get_caller_identity") == {("Throttling", 400)}
assert codes("lambda", "list_functions") == {("TooManyRequestsException", 429)}
assert codes("kms", "list_keys") == {("ThrottlingException", 400)}
print("null")
"#;
    let _ = pawl.boto3(query, &json!({}));
}

#[test]
fn who_guesses_is_not_heard_for_a_while() {
    let pawl = with(&[("PAWL_REFUSALS_PER_ADDRESS", "5")]);
    let guess = Signer { secret_access_key: "guessed".to_owned(), ..pawl.signer() };
    let guesses: Vec<String> = (0..40)
        .map(|_| {
            guess
                .sign(pawl.request("secretsmanager.ListSecrets", b"{}"), aws::now())
                .send(pawl.address())
                .code()
        })
        .collect();
    assert!(guesses.iter().filter(|code| *code == "InvalidSignatureException").count() >= 10);
    assert!(guesses.iter().any(|code| code == "ThrottlingException"));
    eventually("he is heard again", LIMIT, || {
        (pawl.try_call("ListSecrets", &json!({})).status == 200).then_some(())
    });
    assert!(figure(&pawl, "pawl_turned_away_total{reason=\"address-refusals\"}") >= 1.0);
}
