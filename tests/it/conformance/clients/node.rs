//! `@aws-sdk/client-secrets-manager` in Node.

use std::process::Command;

use pawl_tests::artifacts;
use pawl_tests::pawl::Pawl;
use serde_json::Value;

use super::worker::Worker;
use super::{Client, NEWER, Reply};

#[derive(Debug)]
pub(crate) struct Node(Worker);

impl Node {
    pub(crate) fn to(pawl: &Pawl) -> Self {
        let mut command = Command::new("node");
        pawl.client(&mut command);
        command.env("PAWL_TEST_NODE_MODULES", artifacts::node_modules());
        Self(Worker::start(command.args(["--input-type=module", "--eval", include_str!("node.mjs")])))
    }
}

impl Client for Node {
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        // It would leave them out and say nothing.
        match NEWER.iter().find(|newer| input.get(**newer).is_some()) {
            Some(newer) => Reply::Unsayable(format!("the field {newer}")),
            None => self.0.call(region, operation, input),
        }
    }
}
