//! Measures: ratios within one run, never against a clock.

use crate::machine;
use crate::stage;

/// Builds with optimisation and runs the benches; arguments are names of those wanted.
pub(crate) fn run(wanted: &[String]) -> Result<(), String> {
    machine::guest_target()?;
    machine::postgres()?;
    stage::run(stage::cargo().args(["build", "--release", "--package", "pawl-cli", "--bin", "pawl"]))?;
    stage::run(
        stage::cargo().args(["bench", "--package", "pawl-tests", "--bench", "pawl", "--"]).args(wanted),
    )
}
