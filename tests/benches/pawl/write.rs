//! PutSecretValue, each durable before it is acknowledged.

use std::sync::Arc;

use pawl_tests::aws;
use pawl_tests::pawl::{Options, Pawl};
use serde_json::json;

use crate::{Row, load, read};

const REQUESTS: usize = 4_000;

pub(crate) fn run() -> Vec<Row> {
    let pawl = Pawl::start(Options::default());
    let names = read::fill(&pawl);
    let put = |name: &String| {
        let body =
            json!({"SecretId": name, "SecretString": "another value", "ClientRequestToken": aws::token()});
        pawl.signed("PutSecretValue", &body).bytes(true)
    };
    let requests: Vec<_> = names.iter().cycle().take(REQUESTS).map(put).collect();
    let puts = load::run(pawl.address(), &Arc::new(requests), REQUESTS);
    let figure = format!(
        "{:.0} /s (p50 {:.1} ms, p99 {:.1} ms)",
        puts.per_second,
        puts.p50.as_secs_f64() * 1e3,
        puts.p99.as_secs_f64() * 1e3
    );
    vec![Row::new(format!("PutSecretValue, durable, {} connections", load::CONNECTIONS), figure, "")]
}
