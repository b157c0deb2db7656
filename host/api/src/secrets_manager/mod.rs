//! AWS Secrets Manager, 2017-10-17.

pub mod compat;
pub mod model;
pub mod operation;
pub mod refusal;
mod request;
pub mod shapes;
#[cfg(test)]
mod tests;

pub use crate::error;
pub use operation::Operation;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "secretsmanager";
