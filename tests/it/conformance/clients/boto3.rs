//! boto3, as it is installed.

use std::process::Command;

use pawl_tests::pawl::Pawl;
use serde_json::{Value, json};

use super::worker::Worker;
use super::{Client, Reply};

#[derive(Debug)]
pub(crate) struct Boto3(Worker);

impl Boto3 {
    pub(crate) fn to(pawl: &Pawl) -> Self {
        let mut command = Command::new("python3");
        pawl.client(&mut command);
        Self(Worker::start(command.args(["-c", include_str!("boto3.py")])))
    }

    /// The operations of the service model that this boto3 has, and the errors of each.
    pub(crate) fn model(&mut self) -> Value {
        self.0.ask(&json!({"model": true}))
    }
}

impl Client for Boto3 {
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        self.0.call(region, operation, input)
    }
}
