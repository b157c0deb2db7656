//! The crash matrix: rotations on real servers, with something that goes wrong in the middle of each.

use crate::machine;
use crate::stage;

/// Builds with optimisation and runs it; what it takes is in tests/matrix/command.rs.
pub(crate) fn run(given: &[String]) -> Result<(), String> {
    machine::guest_target()?;
    machine::postgres()?;
    machine::mariadb()?;
    stage::run(stage::cargo().args(["build", "--release", "--package", "pawl-cli", "--bin", "pawl"]))?;
    stage::run(
        stage::cargo().args(["bench", "--package", "pawl-tests", "--bench", "matrix", "--"]).args(given),
    )
}
