//! Those who judge: each takes an operation and its input as JSON, and gives the answer as JSON.

mod boto3;
mod command_line;
mod node;
mod rust_sdk;
mod wire;
mod worker;

pub(crate) use boto3::Boto3;
pub(crate) use command_line::{CommandLine, kebab};
pub(crate) use node::Node;
pub(crate) use rust_sdk::RustSdk;
pub(crate) use wire::Wire;

use serde_json::Value;

/// Operations and members that came after the pinned clients: the wire says them in their place.
pub(crate) const NEWER: [&str; 5] = [
    "ListResourcePolicies",
    "AssociateCrossAccountReplica",
    "DisassociateCrossAccountReplica",
    "PolicyName",
    "CrossAccountPrimaryARN",
];

/// What came of a call.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Success(Value),
    Failure {
        code: String,
        message: String,
        status: u16,
    },
    /// This client has no way to say it: a field or an operation that is newer than it.
    Unsayable(String),
}

/// A client of Secrets Manager.
pub(crate) trait Client {
    /// Calls an operation in a region.
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply;
}
