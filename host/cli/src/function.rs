//! `pawl function`: what the author of a rotator does, on their own machine and with a server. One file for each thing.

mod approval;
mod build;
mod deploy;
mod drill;
mod inspect;
mod language;
mod logs;
mod manifest;
mod project;
mod registry;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use pawl_core::limits;

pub(crate) use self::language::Language;
use crate::arguments::FunctionCommand;
use crate::output::Printer;
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Runs one of the commands.
pub(crate) fn run(
    command: &FunctionCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match command {
        FunctionCommand::New { name, lang } => project::create(name, *lang, printer),
        FunctionCommand::Build(args) => build::run(args, printer),
        FunctionCommand::Deploy(args) => deploy::run(args, environment, printer),
        FunctionCommand::List { versions_of, connection } => {
            registry::list(&connect(connection, environment)?, versions_of.as_ref(), printer)
        }
        FunctionCommand::Delete { name, version, connection } => {
            registry::delete(&connect(connection, environment)?, name, *version, printer)
        }
        FunctionCommand::Approve { name, file, connection } => {
            approval::approve(&connect(connection, environment)?, name, file, printer)
        }
        FunctionCommand::Grants { name, connection } => {
            approval::grants(&connect(connection, environment)?, name, printer)
        }
        FunctionCommand::Logs { name, follow, connection } => {
            logs::run(&connect(connection, environment)?, name, *follow, printer)
        }
        FunctionCommand::Test(args) => drill::run(args, environment, printer),
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

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
