//! Runs rotators.
#[doc(hidden)]
pub mod wire;
pub mod port;
mod compile;
mod engine;
mod worker;
pub use compile::{AdmitError, compile_main};
pub use worker::worker_main;

pub mod capability;
pub mod database;
pub mod dial;
pub mod port;
mod wire;
