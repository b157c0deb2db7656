//! A client that asks for one rotation, as an SDK does, and looks how it stands until it has ended. It never helps: once the
//! request was acknowledged, it only looks.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pawl_tests::aws;
use pawl_tests::wait::pace;
use serde_json::{Value, json};

use super::host::Caller;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) secret: String,
    pub(crate) function: String,
    pub(crate) token: String,
}

impl Order {
    pub(crate) fn new(secret: &str, function: &str) -> Self {
        let function = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
        Self { secret: secret.to_owned(), function, token: aws::token() }
    }
}

/// What the client has heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// When the request was acknowledged.
    pub(crate) acknowledged: Option<Instant>,
    /// When the rotation was seen to have ended, and how.
    pub(crate) ended: Option<(Instant, Value)>,
    /// The last refusal of the request, which must not be refused.
    pub(crate) refused: Option<String>,
    over: bool,
}

/// A client at work.
pub(crate) struct Errand {
    heard: Arc<Mutex<Heard>>,
    thread: Option<JoinHandle<()>>,
}

impl Errand {
    /// Sends a client off; the first of `hosts` is the one that is asked, the others are asked when it does not answer.
    pub(crate) fn start(hosts: Vec<Caller>, order: Order) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let its = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            ask(&hosts, &order, &its);
            look(&hosts, &order, &its);
        });
        Self { heard, thread: Some(thread) }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.heard.lock().unwrap().ended.is_some()
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.heard.lock().unwrap().over = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends the request until it is acknowledged, always the same one: it may have been carried out without an answer.
fn ask(hosts: &[Caller], order: &Order, heard: &Mutex<Heard>) {
    let body = json!({"SecretId": order.secret, "RotationLambdaARN": order.function,
                      "ClientRequestToken": order.token, "RotationRules": {"AutomaticallyAfterDays": 30}});
    for host in hosts.iter().cycle() {
        let answer = host.call("RotateSecret", &body);
        let mut heard = heard.lock().unwrap();
        match answer {
            Ok(answer) if answer.status == 200 => {
                heard.acknowledged = Some(Instant::now());
                return;
            }
            Ok(answer) if answer.status < 500 => {
                heard.refused = Some(format!("{} {}", answer.status, answer.body));
            }
            Ok(_) | Err(_) => {}
        }
        if heard.over {
            return;
        }
        drop(heard);
        pace(Duration::from_millis(5));
    }
}

/// Looks until the rotation has ended.
fn look(hosts: &[Caller], order: &Order, heard: &Mutex<Heard>) {
    let body = json!({"SecretId": order.secret});
    let began = Instant::now();
    for host in hosts.iter().cycle() {
        let answer = host.call_pawl("DescribeRotation", &body);
        let state = answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.json());
        let ended = state.filter(|state| state["Status"] != "Running" && state["VersionId"] == order.token);
        let mut heard = heard.lock().unwrap();
        if let Some(state) = ended {
            heard.ended = Some((Instant::now(), state));
            return;
        }
        if heard.over {
            return;
        }
        drop(heard);
        // The first moments matter most; after a failed try the next is half a second away.
        pace(Duration::from_millis(if began.elapsed() < Duration::from_millis(250) { 3 } else { 10 }));
    }
}
