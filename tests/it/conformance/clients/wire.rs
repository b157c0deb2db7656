//! The wire itself: what no SDK would send, and what no SDK shows.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::Answer;
use pawl_tests::pawl::Pawl;
use serde_json::{Value, json};

use super::{Client, Reply};
use crate::conformance::coverage;

/// Operations whose token every SDK fills in.
const IDEMPOTENT: [&str; 4] = ["CreateSecret", "PutSecretValue", "UpdateSecret", "RotateSecret"];

/// Signed HTTP without an SDK. Every answer is held against what all of AWS's answers have in common.
#[derive(Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
    signer: Signer,
    /// What was not as every answer is.
    pub(crate) wrong: BTreeSet<String>,
}

impl Wire {
    pub(crate) fn to(pawl: &Pawl) -> Self {
        Self { address: pawl.address(), signer: pawl.signer(), wrong: BTreeSet::new() }
    }

    /// Sends the very input.
    pub(crate) fn send(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        let body = input.to_string();
        let target = format!("secretsmanager.{operation}");
        let request = aws::request(&self.address.to_string(), &target, body.as_bytes());
        let signer = Signer { region: region.to_owned(), ..self.signer.clone() };
        let answer = signer.sign(request, aws::now()).send(self.address);
        if let Err(why) = as_every_answer(operation, &answer) {
            let start: String = body.chars().take(200).collect();
            self.wrong.insert(format!("{operation} {start}: {why}"));
        }
        if answer.status == 200 {
            return Reply::Success(if answer.body.is_empty() { json!({}) } else { answer.json() });
        }
        Reply::Failure { code: answer.code(), message: answer.message(), status: answer.status }
    }
}

impl Client for Wire {
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        let mut input = input.clone();
        if IDEMPOTENT.contains(&operation)
            && let Some(members) = input.as_object_mut()
        {
            members.entry("ClientRequestToken").or_insert_with(|| aws::token().into());
        }
        self.send(region, operation, &input)
    }
}

/// What aws-api.md section 1 says of every answer.
fn as_every_answer(operation: &str, answer: &Answer) -> Result<(), String> {
    if answer.header("x-amzn-requestid").is_none_or(str::is_empty) {
        return Err("no x-amzn-RequestId".to_owned());
    }
    if answer.header("content-type") != Some("application/x-amz-json-1.1") {
        return Err(format!("the content type is {:?}", answer.header("content-type")));
    }
    let body = answer.json();
    if answer.status == 200 {
        let empty = ["TagResource", "UntagResource"].contains(&operation);
        if empty && !answer.body.is_empty() && answer.body != "{}" {
            return Err(format!("its answer has no members, and this is {}", answer.body));
        }
        return if answer.body.is_empty() { Ok(()) } else { absent_is_absent(&body) };
    }
    if answer.status != 400 {
        return Err(format!("status {}: {}", answer.status, answer.body));
    }
    let code = answer.code();
    let member = if coverage::is_modelled(&code) { "Message" } else { "message" };
    let members: Vec<&String> = body.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    if members != ["__type", member] {
        return Err(format!(
            "the members of an error are __type and {member}, and these are {}",
            answer.body
        ));
    }
    if body["__type"] != code.as_str() {
        return Err(format!("the code has a namespace: {}", answer.body));
    }
    let header = answer.header("x-amzn-errortype");
    if header.is_some_and(|header| header.split(':').next() != Some(&code)) {
        return Err(format!("x-amzn-ErrorType is {header:?} beside {code}"));
    }
    Ok(())
}

/// No nulls, no empty texts where AWS has nothing, no moments finer than a millisecond.
fn absent_is_absent(value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err("a null".to_owned()),
        Value::Array(items) => items.iter().try_for_each(absent_is_absent),
        Value::Object(members) => members.iter().try_for_each(|(key, value)| {
            let may_not_be_empty = ["NextToken", "Description", "KmsKeyId", "PrimaryRegion"];
            if may_not_be_empty.contains(&&**key) && value == "" {
                return Err(format!("an empty {key}"));
            }
            if key.ends_with("Date") {
                let millis = value.as_f64().map(|seconds| seconds * 1000.0);
                if millis.is_none_or(|millis| (millis - millis.round()).abs() > 0.01) {
                    return Err(format!("{key} is {value}, not seconds with at most three decimals"));
                }
            }
            absent_is_absent(value).map_err(|why| format!("{key}: {why}"))
        }),
        _ => Ok(()),
    }
}
