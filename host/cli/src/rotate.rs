//! `pawl rotate`: one file for each thing that it does.

mod follow;
mod now;

use crate::CommandError;
use crate::arguments::RotateArgs;
use crate::output::Printer;
use crate::settings::Environment;

/// Does what the arguments ask for.
pub(crate) fn run(
    args: &RotateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    now::run(args, environment, printer)
}
