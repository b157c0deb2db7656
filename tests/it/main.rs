//! The end-to-end tests: `pawl serve` as a process, AWS's own clients, a real PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests: whatever fails here fails the test, with its reason"
)]

mod adversarial;
mod alternating_mysql;
mod alternating_postgres;
mod audit;
mod authors;
mod backup;
mod canary;
mod clients;
mod cluster;
mod conformance;
mod damage;
mod doors;
mod events;
mod functions;
mod harness;
mod healing;
mod http_rotator;
mod iam;
mod kill;
mod kms;
mod labels;
mod lambda;
mod mariadb;
mod matrix;
mod model;
mod observability;
mod patience;
mod plans;
mod redis;
mod refusals;
mod replicas;
mod root_key;
mod rotations;
mod rows;
mod sandbox;
mod service;
mod storm;
mod weaknesses;

use pawl_tests::pawl::Pawl;
use serde_json::json;

/// A secret for the role `role` of the PostgreSQL on `port`, as AWS's templates want it.
fn database_secret(port: u16, role: &str, password: &str) -> String {
    json!({
        "engine": "postgres", "host": "127.0.0.1", "port": port, "username": role, "password": password,
        "dbname": "postgres", "ssl": false, "note": "kept as it is",
    })
    .to_string()
}

/// The names of all secrets, planned deletions included: what a refused request must leave as it was.
fn inventory(pawl: &Pawl) -> serde_json::Value {
    pawl.call("ListSecrets", json!({"IncludePlannedDeletion": true, "MaxResults": 100}))["SecretList"].clone()
}
