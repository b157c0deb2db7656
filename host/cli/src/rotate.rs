//! `pawl rotate`: one file for each thing that it does.

mod check;
mod follow;
mod history;
mod now;
mod plan;

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
    if args.check {
        return check::run(args, environment, printer);
    }
    if args.history {
        return history::run(args, environment, printer);
    }
    if args.plan {
        return plan::run(args, environment, printer);
    }
    now::run(args, environment, printer)
}
