//! `pawl function`: what the author of a rotator does on their own machine. One file for each thing.

mod build;
mod inspect;
mod manifest;
mod project;
mod rehearse;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use pawl_core::limits;

use crate::CommandError;
use crate::arguments::FunctionCommand;
use crate::output::Printer;
use crate::settings::Environment;

/// Runs one of the commands.
pub(crate) fn run(
    command: &FunctionCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match command {
        FunctionCommand::New { name } => project::create(name, printer),
        FunctionCommand::Build(args) => build::run(args, printer),
        FunctionCommand::Test(args) => rehearse::run(args, environment, printer),
        FunctionCommand::Inspect { file } => inspect::run(file, printer),
    }
}

fn failed(what: &Path, why: impl std::fmt::Display) -> CommandError {
    CommandError::Failed(format!("{}: {why}", what.display()))
}

/// A component from a file, not looked at yet.
fn component(file: &Path) -> Result<Vec<u8>, CommandError> {
    let max = u64::try_from(limits::COMPONENT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(file)
        // One more, so that what is too long is seen to be.
        .and_then(|opened| opened.take(max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| failed(file, error))?;
    Ok(bytes)
}
