//! What must hold of every parser, whatever it is given: one `check_` function each, over arbitrary bytes.
//!
//! libFuzzer looks for bytes that break one (`cargo xtask fuzz`, `fuzz/libfuzzer`); the test `replay` runs all of them over the
//! kept inputs, `fuzz/seeds/TARGET` and `fuzz/crashes/TARGET`, in the ordinary suite. Inputs are text that a person can read and
//! write: a request is written as HTTP has it, other inputs have one argument to a line.
#![expect(clippy::expect_used, reason = "a check that fails must say so and stop")]

mod arn;
mod decision;
mod filter;
mod json_edge;
mod lambda;
mod name;
mod policy;
mod query;
mod schedule;
mod sigv4;
mod wire;

pub use arn::check_arn;
pub use decision::check_decision;
pub use filter::check_filter;
pub use json_edge::check_json_edge;
pub use lambda::check_lambda;
pub use name::check_name;
pub use policy::check_policy;
pub use query::check_query;
pub use schedule::check_schedule;
pub use sigv4::check_sigv4;

/// A check: it returns whether the parser took the input, or has found a defect.
pub type Check = fn(&[u8]) -> bool;

/// Every target by its name, which is also that of its folder of seeds.
pub const TARGETS: &[(&str, Check)] = &[
    ("arn", check_arn),
    ("decision", check_decision),
    ("filter", check_filter),
    ("json_edge", check_json_edge),
    ("lambda", check_lambda),
    ("name", check_name),
    ("policy", check_policy),
    ("query", check_query),
    ("schedule", check_schedule),
    ("sigv4", check_sigv4),
];
