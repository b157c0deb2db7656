//! The wire as AWS's SDKs speak it: shapes, operations and error codes of each service. No HTTP and no decisions.
//!
//! A request's header `X-Amz-Target` becomes a [`Target`]; its body becomes a shape through [`decode`], which refuses what the
//! service's model refuses; an operation answers with the shape that [`Request::Response`] names, or an [`ApiError`].

pub mod error;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod model;
pub mod pawl;
pub mod query;
pub mod secrets_manager;
pub mod sensitive;
mod shape;
pub mod sts;
mod target;
mod time;

pub use error::{ApiError, ErrorCode};
pub use shape::{Request, decode};
pub use target::{Target, X_AMZ_TARGET};
pub use time::EpochSeconds;

/// The `Content-Type` of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
