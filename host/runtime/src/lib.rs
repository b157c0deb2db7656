//! Runs rotators: a WebAssembly component and the secret under rotation in, an outcome out.
//!
//! ```text
//!  Runtime::run_step ── one pipe ── `pawl worker` (Wasmtime, no key, no network, no secret)
//!    │  Capabilities: every call of the guest, checked against grants, fence and rules
//!    ├── SecretsPort: the secret, bound to one rotation (the server implements it)
//!    └── Driver: logins and typed statements (dial is the one place that opens sockets)
//! ```
//!
//! The guest's half of the WIT lives in the worker, as messages; the half that does something lives here, beside the secrets
//! and away from the guest. Components are compiled by `pawl compile`, another child, and kept authenticated on disk.
//! Knows no HTTP edge and no store.

mod artifact;
pub mod capability;
mod compile;
mod courtesy;
mod crew;
pub mod database;
pub mod dial;
mod engine;
mod http;
mod line;
mod pace;
mod pool;
pub mod port;
mod program;
mod respite;
mod runtime;
mod step;
mod stream;
mod tcp;
mod wire;
mod worker;

pub use capability::{EarlyLogin, LogLine, LoginJob, NoLogin, Severity, TriedLogin};
pub use compile::{AdmitError, Admitted, compile_main};
pub use pool::WorkerCounts;
pub use runtime::{Component, Runtime, RuntimeConfig};
pub use step::{Allowance, StepJob, StepLimits, StepReport};
pub use wire::Used;
pub use worker::worker_main;
