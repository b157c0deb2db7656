//! Pawl's domain: what a secret, a version, a label, a schedule and a rotation are, and what may happen to them.
//!
//! Pure: no runtime, no store, no clock and no randomness of its own ([`world`] is how both come in).

pub mod alternate;
pub mod arn;
pub mod document;
pub mod filter;
pub mod function;
pub mod identity;
pub mod key;
pub mod limits;
pub mod names;
pub mod password;
pub mod replica;
pub mod rotation;
pub mod schedule;
pub mod secret;
mod sorted;
pub mod value;
pub mod version;
pub mod world;
