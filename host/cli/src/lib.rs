//! The `pawl` command: the server, and the client for everything that a person does with it.
//!
//! Exit codes: 0 done, 1 failed, 2 bad usage.

mod arguments;
mod audit;
mod backup;
mod client;
mod credentials;
mod demo;
mod development;
mod doctor;
mod events;
mod function;
mod key;
mod memory;
mod migrate;
mod output;
mod place;
mod progress;
mod restore;
mod root_key;
mod rotate;
mod secret;
mod serve;
mod settings;
mod span;
mod traces;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Cli, Command, DevCommand};
use crate::client::{Client, ClientError};
use crate::output::Printer;
use crate::settings::{ConnectionArgs, Environment, SettingsError};

/// Why a command did not do what it was for.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// The command line, the environment or the settings file is wrong.
    #[error(transparent)]
    Usage(#[from] SettingsError),
    /// The server refused, or does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Anything else, for a person.
    #[error("{0}")]
    Failed(String),
    /// Everything has been said already.
    #[error("failed")]
    Reported,
    /// The output could not be written.
    #[error("could not write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Client(ClientError::Endpoint { .. } | ClientError::Trust(_)) => {
                ExitCode::from(2)
            }
            // Whoever closed the pipe had seen enough.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Client(_) | Self::Failed(_) | Self::Reported | Self::Output(_) => ExitCode::FAILURE,
        }
    }

    fn is_silent(&self) -> bool {
        match self {
            Self::Reported => true,
            Self::Output(error) => error.kind() == std::io::ErrorKind::BrokenPipe,
            Self::Usage(_) | Self::Client(_) | Self::Failed(_) => false,
        }
    }
}

/// Runs the command that the process was started with. `worker` and `compile` are the binary's own business.
#[must_use]
pub fn run() -> ExitCode {
    // Clap ends the process with 2 for bad usage, and with 0 for help.
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                // Nothing is left to be done when even this cannot be written.
                let _ = writeln!(std::io::stderr(), "pawl: {}", output::plain(&error.to_string()));
            }
            error.exit_code()
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), CommandError> {
    settings::with_environment(|environment| {
        let mut printer = Printer::of_process(cli.output);
        match cli.command {
            Command::Serve(args) => serve::serve(&args, environment),
            Command::Secret { command } => secret::run(command, environment, &mut printer),
            Command::Rotate(args) => rotate::run(&args, environment, &mut printer),
            Command::Function { command } => function::run(&command, environment, &mut printer),
            Command::Key { command } => key::run(&command, environment, &mut printer),
            Command::Events(args) => events::run(&args, environment, &mut printer),
            Command::Audit { command } => audit::run(&command, environment, &mut printer),
            Command::Doctor(args) => doctor::run(&args, environment, &mut printer),
            Command::Backup(args) => backup::run(&args, environment, &mut printer),
            Command::Restore(args) => restore::run(&args, environment, &mut printer),
            Command::Migrate(args) => migrate::run(&args, environment, &mut printer),
            Command::Demo(args) => demo::run(&args, environment),
            Command::Dev { command: DevCommand::Clock { command } } => {
                development::clock(command, environment, &mut printer)
            }
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "pawl", &mut std::io::stdout());
                Ok(())
            }
            Command::Worker | Command::Compile => Err(CommandError::Failed(
                "this command is for Pawl itself; it takes its input from a pipe".to_owned(),
            )),
        }
    })
}

/// A client for the server and the identity that the arguments and the environment name.
fn connect(args: &ConnectionArgs, environment: &Environment<'_>) -> Result<Client, CommandError> {
    Ok(Client::new(settings::connection(args, environment)?)?)
}
