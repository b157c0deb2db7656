//! AWS Key Management Service, 2014-11-01, as far as symmetric and HMAC keys need it.

pub mod model;
pub mod operation;
pub mod refusal;
mod request;
pub mod shapes;
#[cfg(test)]
mod tests;

pub use operation::Operation;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "kms";
