//! Waits for a rotation's end and shows each step.

use std::time::{Duration, Instant};

use pawl_api::pawl::{DescribeRotationRequest, DescribeRotationResponse, RotationStatus};
use pawl_core::limits;

use crate::client::{Client, ClientError};
use crate::output::{Format, Printer};
use crate::progress::Progress;
use crate::{CommandError, span};

/// A rotation that can be looked at again and again.
pub(super) trait Watch {
    fn look(&mut self) -> Result<DescribeRotationResponse, ClientError>;

    fn pause(&mut self, time: Duration);

    /// How long it has been watched.
    fn waited(&self) -> Duration;
}

pub(super) struct ServerWatch<'a> {
    pub(super) client: &'a Client,
    pub(super) request: DescribeRotationRequest,
    pub(super) since: Instant,
}

impl Watch for ServerWatch<'_> {
    fn look(&mut self) -> Result<DescribeRotationResponse, ClientError> {
        self.client.call(&self.request)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "Ctrl-C ends the process, and nothing has to be put in order"
    )]
    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn waited(&self) -> Duration {
        self.since.elapsed()
    }
}

/// Looks until the rotation has ended, and prints what is new each time.
pub(super) fn follow(
    watch: &mut dyn Watch,
    name: &str,
    timeout: Duration,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let text = printer.format == Format::Text;
    let in_place = text && printer.terminal;
    let mut progress = Progress::new(name);
    let mut silent = false;
    loop {
        match watch.look() {
            Ok(rotation) => {
                silent = false;
                if in_place {
                    printer.clear()?;
                }
                if text {
                    for line in progress.news(&rotation) {
                        printer.line(&line)?;
                    }
                }
                if rotation.status != RotationStatus::Running {
                    return end(&progress, &rotation, printer);
                }
                if in_place {
                    printer.over(&Progress::now(&rotation))?;
                }
            }
            // A server that is being restarted goes on with the rotation.
            Err(error) if error.is_passing() => {
                if text && !silent {
                    printer.line(&format!("  the server does not answer, trying again: {error}"))?;
                }
                silent = true;
            }
            Err(error) => return Err(error.into()),
        }
        if watch.waited() >= timeout {
            if in_place {
                printer.clear()?;
            }
            return Err(CommandError::Failed(format!(
                "the rotation of {name} has not ended after {}; the server goes on with it, and \
                 `pawl rotate {name} --wait` waits for it again",
                span::show(timeout)
            )));
        }
        watch.pause(limits::ROTATION_POLL);
    }
}

fn end(
    progress: &Progress,
    rotation: &DescribeRotationResponse,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match printer.format {
        Format::Json => printer.json(rotation)?,
        Format::Text => {
            for line in progress.ending(rotation) {
                printer.line(&line)?;
            }
        }
    }
    if rotation.status == RotationStatus::Succeeded { Ok(()) } else { Err(CommandError::Reported) }
}

#[cfg(test)]
mod tests;
