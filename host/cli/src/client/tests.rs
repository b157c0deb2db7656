//! Calls against a server that answers one prepared answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use pawl_api::secrets_manager::shapes::{GetSecretValueRequest, TagResourceRequest};
use pawl_core::value::SecretBytes;
use pawl_iam::sigv4::{SigningKey, present, verify};

use super::*;
use crate::settings::Trust;

/// What the server received.
struct Received {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

fn server(status: &'static str, answer: &'static str) -> (String, JoinHandle<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let headers: Vec<(String, Vec<u8>)> = lines[1..]
            .iter()
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| String::from_utf8_lossy(value).parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let length = answer.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{answer}").unwrap();
        Received { line: lines[0].clone(), headers, body }
    });
    (url, serving)
}

fn client(endpoint: &str) -> Client {
    let credentials = Credentials {
        access_key_id: "AKIATEST".to_owned(),
        secret: SecretBytes::new(b"canary".to_vec()),
        session_token: Some(SecretBytes::new(b"token".to_vec())),
        source: Source::Environment,
    };
    let region = "eu-west-1".to_owned();
    Client::new(Connection {
        endpoint: endpoint.to_owned(),
        trust: Trust::default(),
        region,
        credentials: Some(credentials),
    })
    .unwrap()
}

fn ask(client: &Client) -> Result<pawl_api::secrets_manager::shapes::GetSecretValueResponse, ClientError> {
    client.call(&GetSecretValueRequest { secret_id: "a".to_owned(), ..Default::default() })
}

#[test]
fn what_is_sent_is_what_was_signed() {
    let (url, serving) = server(
        "200 OK",
        r#"{"ARN":"arn","Name":"a","VersionId":"v","VersionStages":[],"CreatedDate":1.5,"SecretString":"s","New":1}"#,
    );
    let found = ask(&client(&url)).unwrap();
    assert_eq!(found.secret_string.unwrap().bytes().expose(), b"s");

    let received = serving.join().unwrap();
    assert_eq!(received.line, "POST / HTTP/1.1");
    assert_eq!(received.body, br#"{"SecretId":"a"}"#);
    let headers: Vec<(&str, &[u8])> =
        received.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let head = Head { method: "POST", path: "/", query: "", headers: &headers };
    let presented = present(&head).unwrap();
    assert_eq!(
        (presented.access_key_id(), presented.region(), presented.service(), presented.session_token()),
        ("AKIATEST", "eu-west-1", "secretsmanager", Some("token"))
    );
    let secret = SecretBytes::new(b"canary".to_vec());
    let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
    assert_eq!(verify(&head, &presented, &received.body, &key, SystemClock::default().wall()), Ok(()));
}

#[test]
fn an_answer_without_a_byte_is_an_empty_one() {
    let (url, serving) = server("200 OK", "");
    client(&url).call(&TagResourceRequest { secret_id: "a".to_owned(), tags: vec![] }).unwrap();
    serving.join().unwrap();
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let refusal = |status, answer| {
        let (url, serving) = server(status, answer);
        let error = ask(&client(&url)).unwrap_err();
        serving.join().unwrap();
        (error.to_string().replace(&url, "URL"), error.code())
    };
    assert_eq!(
        refusal("400 Bad Request", r#"{"__type":"ResourceNotFoundException","Message":"gone"}"#),
        ("gone (ResourceNotFoundException)".to_owned(), Some(ErrorCode::ResourceNotFoundException))
    );
    assert_eq!(
        refusal("400 Bad Request", r#"{"__type":"InvalidSignatureException","message":"does not match"}"#),
        (
            "the server refused the signature (InvalidSignatureException): does not match; the credentials came from \
             AWS_ACCESS_KEY_ID in the environment"
                .to_owned(),
            Some(ErrorCode::InvalidSignatureException)
        )
    );
    assert_eq!(
        refusal("404 Not Found", "<html>"),
        (
            "the server at URL did not answer properly: HTTP status 404 without an error of AWS's form; is it Pawl?"
                .to_owned(),
            None
        )
    );
    let (text, _) = refusal("302 Found", "");
    assert!(text.contains("HTTP status 302"), "{text}");
}

#[test]
fn nobody_there_is_said_with_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&client(&format!("http://{free}"))).unwrap_err();
    assert!(error.is_passing());
    let text = error.to_string();
    assert!(text.starts_with(&format!("nothing answers at http://{free} (")), "{text}");
    assert!(text.ends_with("is `pawl serve` running there?"), "{text}");
}

#[test]
fn an_endpoint_is_http_or_https_and_nothing_is_sent_without_a_key() {
    for wrong in ["", "localhost:7295", "https://", "ftp://localhost", "http://", "http://u:p@localhost"] {
        let connection = Connection {
            endpoint: wrong.to_owned(),
            trust: Trust::default(),
            region: "us-east-1".to_owned(),
            credentials: None,
        };
        assert!(matches!(Client::new(connection), Err(ClientError::Endpoint { .. })), "{wrong}");
    }
    let connection = Connection {
        endpoint: "http://127.0.0.1:1/".to_owned(),
        trust: Trust::default(),
        region: "us-east-1".to_owned(),
        credentials: None,
    };
    let client = Client::new(connection).unwrap();
    assert!(matches!(ask(&client), Err(ClientError::NoCredentials)));
}
