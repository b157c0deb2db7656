//! `pawl dev`.

use pawl_api::pawl::AdvanceClockRequest;

use crate::arguments::ClockCommand;
use crate::output::{Format, Printer};
use crate::settings::Environment;
use crate::{CommandError, connect, span};

/// Moves the development clock.
pub(crate) fn clock(
    command: ClockCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let ClockCommand::Advance { by, connection } = command;
    let client = connect(&connection, environment)?;
    let answer = client.call(&AdvanceClockRequest { seconds: by.as_secs() })?;
    match printer.format {
        Format::Json => printer.json(&answer)?,
        Format::Text => {
            printer.line(&format!("the server's clock is {} further: {}", span::show(by), answer.now))?;
        }
    }
    Ok(())
}
