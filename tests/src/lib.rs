//! What the end-to-end tests, the benches and `cargo xtask demo` stand on: a private PostgreSQL or MariaDB, a `pawl serve` that can be
//! killed at any point, AWS's own clients, and a proxy that sees every statement.
//! `PAWL_TEST_BINARY` names a `pawl` to test in the place of one that is built from this checkout.
//! `PAWL_TEST_STORE=postgres` gives every server a database of its own in a private PostgreSQL, in the place of SQLite.
//!
//! Everything here panics when the ground gives way: a test can do nothing about a database that does not start.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test harness: whatever fails here fails the test, with its reason"
)]

pub mod artifacts;
pub mod aws;
pub mod command;
pub mod cut;
pub mod database;
pub mod history;
pub mod http;
pub mod keyservice;
pub mod mariadb;
pub mod needles;
pub mod pair;
pub mod pawl;
pub mod postgres;
pub mod process;
pub mod processor;
pub mod proxy;
pub mod redis;
pub mod scram;
pub mod scratch;
pub mod wait;
