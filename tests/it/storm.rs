//! Sixty-four clients at once on eight secrets: what they were told must be what is there when they are done.

use std::collections::{BTreeMap, BTreeSet};

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLIENTS: u64 = 64;
const SECRETS: u64 = 8;
/// Calls of each client: about half a minute in all.
const CALLS: u32 = 180;
/// Of a hundred calls, those that may be told to come back later: every secret has eight writers at any time.
const THROTTLED_PERCENT_MAX: usize = 2;

/// A client with a connection of its own, and what it was told.
struct Client {
    stream: TcpStream,
    host: String,
    signer: Signer,
    chance: u64,
    heard: Heard,
}

/// What was acknowledged, refused or wrong.
#[derive(Debug, Default)]
struct Heard {
    /// Values by secret and token.
    written: BTreeMap<(String, String), String>,
    refused: BTreeSet<(String, String)>,
    /// Labels that were put on a version of a secret.
    labelled: BTreeSet<(String, String)>,
    calls: usize,
    throttled: usize,
    wrong: Vec<String>,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    async fn connect(pawl: &Pawl, number: u64) -> Self {
        let stream = TcpStream::connect(pawl.address()).await.unwrap();
        let (host, signer) = (pawl.address().to_string(), pawl.signer());
        Self { stream, host, signer, chance: number * 0x9E37_79B9 + 1, heard: Heard::default() }
    }

    /// A number below `end`: xorshift, so that every run asks the same.
    fn below(&mut self, end: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % end
    }

    async fn call(&mut self, operation: &str, input: &Value) -> Answer {
        let target = format!("secretsmanager.{operation}");
        let request = aws::request(&self.host, &target, input.to_string().as_bytes());
        let answer = exchange(&mut self.stream, &self.signer.sign(request, aws::now())).await;
        self.heard.calls += 1;
        if answer.status >= 500 {
            self.heard.wrong.push(format!("{operation} {input} answered {} {}", answer.status, answer.body));
        }
        self.heard.throttled += usize::from(answer.code() == "ThrottlingException");
        answer
    }

    /// Says that an answer must be a success, or one of these refusals.
    fn expect(&mut self, what: &str, answer: &Answer, refusals: &[&str]) -> bool {
        let code = answer.code();
        let explained = answer.status == 200 || code == "ThrottlingException" || refusals.contains(&&*code);
        if !explained {
            self.heard.wrong.push(format!("{what} answered {} {}", answer.status, answer.body));
        }
        answer.status == 200
    }

    /// Writes a version, reads it back, and asks for it once more as a client that lost the answer would.
    async fn write(&mut self, secret: &str, operation: &str, label: Option<String>) {
        let (token, value) = (aws::token(), format!("value of {}", aws::token()));
        let mut input = json!({"SecretId": secret, "SecretString": value, "ClientRequestToken": token});
        if let Some(label) = &label {
            input["VersionStages"] = json!([label]);
        }
        let answer = self.call(operation, &input).await;
        // Marked for deletion by another client, for a moment.
        if !self.expect(operation, &answer, &["InvalidRequestException"]) {
            self.heard.refused.insert((secret.to_owned(), token));
            return;
        }
        self.heard.written.insert((secret.to_owned(), token.clone()), value.clone());
        if let Some(label) = label {
            self.heard.labelled.insert((secret.to_owned(), label));
        }
        let read = self.call("GetSecretValue", &json!({"SecretId": secret, "VersionId": token})).await;
        if self.expect("a read of what was written", &read, &["InvalidRequestException"])
            && read.json()["SecretString"] != value
        {
            self.heard.wrong.push(format!("{token} was acknowledged with {value}, and is {}", read.body));
        }
        let again = self.call(operation, &input).await;
        self.expect("the same request again", &again, &["InvalidRequestException"]);
        input["SecretString"] = json!("another value");
        let other = self.call(operation, &input).await;
        if other.status == 200 {
            self.heard.wrong.push(format!("{token} was written twice with two values"));
        }
    }

    /// Moves a label from where it was seen to where a version was seen.
    async fn move_label(&mut self, secret: &str) {
        let described = self.call("DescribeSecret", &json!({"SecretId": secret})).await.json();
        let holders: Vec<(String, Vec<String>)> = holders(&described["VersionIdsToStages"]);
        if holders.is_empty() {
            return;
        }
        let to = holders[usize::try_from(self.below(holders.len() as u64)).unwrap()].0.clone();
        let label = if self.below(3) == 0 { "AWSCURRENT".to_owned() } else { format!("L{}", self.below(4)) };
        let from = holders.iter().find(|(_, labels)| labels.contains(&label)).map(|(id, _)| id.clone());
        let mut input = json!({"SecretId": secret, "VersionStage": label, "MoveToVersionId": to});
        if let Some(from) = from {
            input["RemoveFromVersionId"] = json!(from);
        }
        let answer = self.call("UpdateSecretVersionStage", &input).await;
        // Others have moved it since.
        if self.expect("a move", &answer, &["InvalidParameterException", "InvalidRequestException"]) {
            self.heard.labelled.insert((secret.to_owned(), label));
        }
    }

    async fn look(&mut self, secret: &str) {
        match self.below(3) {
            0 => {
                let answer = self.call("GetSecretValue", &json!({"SecretId": secret})).await;
                self.expect("a read", &answer, &["InvalidRequestException"]);
            }
            1 => {
                let answer = self.call("DescribeSecret", &json!({"SecretId": secret})).await;
                self.expect("a description", &answer, &[]);
                if let Err(why) = one_of_each(&answer.json()["VersionIdsToStages"]) {
                    self.heard.wrong.push(format!("{secret} in the middle of it: {why}"));
                }
            }
            _ => {
                let answer = self.call("ListSecretVersionIds", &json!({"SecretId": secret})).await;
                self.expect("a list of versions", &answer, &[]);
            }
        }
    }

    async fn storm(mut self) -> Heard {
        for _ in 0..CALLS {
            let secret = format!("k{}", self.below(SECRETS));
            match self.below(20) {
                0..=3 => self.write(&secret, "PutSecretValue", None).await,
                4..=5 => self.write(&secret, "UpdateSecret", None).await,
                6..=7 => {
                    let label = format!("L{}", self.below(4));
                    self.write(&secret, "PutSecretValue", Some(label)).await;
                }
                8..=10 => self.move_label(&secret).await,
                11 => {
                    let tags = json!({"SecretId": secret, "Tags": [{"Key": format!("t{}", self.below(5)), "Value": "v"}]});
                    let answer = self.call("TagResource", &tags).await;
                    self.expect("a tag", &answer, &["InvalidRequestException"]);
                }
                12 => {
                    let id = json!({"SecretId": secret});
                    let answer = self.call("DeleteSecret", &id).await;
                    self.expect("a deletion", &answer, &["InvalidRequestException"]);
                    let answer = self.call("RestoreSecret", &id).await;
                    self.expect("a restoration", &answer, &[]);
                }
                _ => self.look(&secret).await,
            }
        }
        self.heard
    }
}

async fn exchange(stream: &mut TcpStream, request: &Request) -> Answer {
    stream.write_all(&request.bytes(true)).await.unwrap();
    let mut received = Vec::new();
    loop {
        let count = stream.read_buf(&mut received).await.unwrap();
        assert!(count > 0, "the server hung up after {:?}", String::from_utf8_lossy(&received));
        if let Some(answer) = Answer::parse(&received) {
            return answer;
        }
    }
}

fn holders(map: &Value) -> Vec<(String, Vec<String>)> {
    let labels = |list: &Value| {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    map.as_object().into_iter().flatten().map(|(id, list)| (id.clone(), labels(list))).collect()
}

/// Every label once, AWSCURRENT among them; gives where each of them is.
fn one_of_each(map: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut places = BTreeMap::new();
    for (id, labels) in holders(map) {
        for label in labels {
            if let Some(other) = places.insert(label.clone(), id.clone()) {
                return Err(format!("{label} is on {id} and on {other}"));
            }
        }
    }
    if places.contains_key("AWSCURRENT") { Ok(places) } else { Err(format!("no AWSCURRENT in {map}")) }
}

/// All versions of a secret, page by page, with their labels.
fn versions(pawl: &Pawl, secret: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (mut found, mut input) = (BTreeMap::new(), json!({"SecretId": secret, "IncludeDeprecated": true}));
    loop {
        let page = pawl.call("ListSecretVersionIds", input.clone());
        for version in page["Versions"].as_array().unwrap() {
            let labels = version["VersionStages"].as_array().into_iter().flatten();
            let labels = labels.map(|label| label.as_str().unwrap().to_owned()).collect();
            let id = version["VersionId"].as_str().unwrap().to_owned();
            assert!(found.insert(id.clone(), labels).is_none(), "{id} of {secret} is listed twice");
        }
        match page.get("NextToken") {
            Some(next) => input["NextToken"] = next.clone(),
            None => return found,
        }
    }
}

/// Holds one secret against everything that was heard of it.
fn settle(pawl: &Pawl, secret: &str, heard: &Heard) {
    let described = pawl.call("DescribeSecret", json!({"SecretId": secret}));
    assert!(described.get("DeletedDate").is_none(), "whoever deleted {secret} has restored it: {described}");
    let places =
        one_of_each(&described["VersionIdsToStages"]).unwrap_or_else(|why| panic!("{secret}: {why}"));
    let of_secret = |pair: &&(String, String)| pair.0 == secret;
    for (_, label) in heard.labelled.iter().filter(of_secret) {
        assert!(places.contains_key(label), "{secret} has lost {label}: {places:?}");
    }
    assert_ne!(places.get("AWSCURRENT"), places.get("AWSPREVIOUS"), "{secret}");
    let listed = versions(pawl, secret);
    for (label, id) in &places {
        assert!(
            listed.get(id).is_some_and(|labels| labels.contains(label)),
            "{secret}: {label} on {id} is not listed"
        );
    }
    let labels = listed.values().map(BTreeSet::len).sum::<usize>();
    assert_eq!(labels, places.len(), "{secret}: DescribeSecret and ListSecretVersionIds differ");
    let (_, first) = pawl.value(secret, "AWSCURRENT").unwrap();
    assert!(first.starts_with("value of "), "{secret}: {first}");
    let written: BTreeMap<&str, &str> = heard
        .written
        .iter()
        .filter(|((of, _), _)| of == secret)
        .map(|((_, token), value)| (&**token, &**value))
        .collect();
    let there: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(
        there,
        written.keys().copied().collect(),
        "{secret}: the versions are those that were acknowledged"
    );
    for (token, value) in written {
        let read = pawl.call("GetSecretValue", json!({"SecretId": secret, "VersionId": token}));
        assert_eq!(read["SecretString"], value, "{secret} {token}");
    }
    for (_, token) in heard.refused.iter().filter(of_secret) {
        assert!(!listed.contains_key(token), "{secret}: {token} was refused, and is there");
    }
}

#[test]
fn sixty_four_clients_leave_eight_secrets_as_they_were_told() {
    let pawl = Pawl::start(Options::default());
    let mut all = Heard::default();
    for number in 0..SECRETS {
        let (name, token) = (format!("k{number}"), aws::token());
        let value = format!("value of {token}");
        let _ = pawl
            .call("CreateSecret", json!({"Name": name, "SecretString": value, "ClientRequestToken": token}));
        all.written.insert((name, token), value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(Client::connect(&pawl, number).await.storm());
        }
        while let Some(heard) = clients.join_next().await {
            let heard = heard.unwrap();
            all.written.extend(heard.written);
            all.refused.extend(heard.refused);
            all.labelled.extend(heard.labelled);
            all.wrong.extend(heard.wrong);
            all.calls += heard.calls;
            all.throttled += heard.throttled;
        }
    });
    println!("{} calls, {} versions, {} throttled", all.calls, all.written.len(), all.throttled);
    assert!(
        all.wrong.is_empty(),
        "{} answers are wrong, as:\n{}",
        all.wrong.len(),
        all.wrong[..all.wrong.len().min(20)].join("\n")
    );
    let bearable = all.calls * THROTTLED_PERCENT_MAX / 100;
    assert!(all.throttled <= bearable, "{} of {} calls were throttled", all.throttled, all.calls);
    for number in 0..SECRETS {
        settle(&pawl, &format!("k{number}"), &all);
    }
}
