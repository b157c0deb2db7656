//! Who a caller is, and what he may do.
//!
//! Pure: bytes and a moment in, an answer out. Nothing here reads a clock, a store or a socket, and nothing can panic.

pub mod decision;
pub mod policy;
pub mod sigv4;
