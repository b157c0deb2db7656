//! Lambda's API: AWS's own clients, unmodified, upload functions, and what is no function or no request is refused.

use std::path::{Path, PathBuf};

use pawl_tests::artifacts;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use serde_json::{Value, json};

/// What the scripts have in common.
const COMMON: &str = include_str!("boto3/lambda.py");

fn judge(pawl: &Pawl, script: &str) {
    let component = artifacts::guest("guest-panics");
    let _ = pawl.boto3(&format!("{COMMON}\n{script}"), &json!({"component": component}));
}

#[test]
fn boto3_finds_the_life_of_a_function_as_on_aws() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_life.py"));
}

#[test]
fn boto3_finds_functions_listed_rehearsed_and_those_of_the_host_read_only() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_lists.py"));
}

#[test]
fn boto3_finds_what_pawl_has_not_refused_by_name() {
    judge(&Pawl::start(Options::default()), include_str!("boto3/lambda_refusals.py"));
}
