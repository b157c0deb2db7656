//! `pawl key`: the root key of a running server, and its rotation.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use pawl_api::pawl::{
    DescribeRootKeyRequest, DescribeRootKeyResponse, ForgetRootKeysRequest, RotateRootKeyRequest,
};
use pawl_core::limits;

use crate::output::{Format, Printer, plain};
use crate::settings::{ConnectionArgs, Environment};
use crate::{CommandError, connect, span};

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Move the store to a new root key, from the server's first provider: a new key in its file, a new data key of its KMS, or the
    /// provider that was named first at the last start. Reads and writes go on meanwhile.
    Rotate(RotateKeyArgs),
    /// Show which root key the store is under, and how far a rotation is.
    Status(ConnectionArgs),
    /// List the root keys and the keys under them.
    List(ConnectionArgs),
    /// Remove former root keys, which open nothing in the store any more, from the server's root key file. Backups from before the
    /// rotation are then worth nothing without a copy of yours.
    Forget(ConnectionArgs),
}

#[derive(Args)]
pub(crate) struct RotateKeyArgs {
    /// Wait for its end, and show how far it is.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait. The rotation itself goes on after that.
    #[arg(long, value_name = "TIME", value_parser = span::parse, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
    /// Take back a rotation that waits for a host without the new root key.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) cancel: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Runs one of the commands.
pub(crate) fn run(
    command: &KeyCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match command {
        KeyCommand::Rotate(args) => rotate(args, environment, printer),
        KeyCommand::Status(args) | KeyCommand::List(args) => {
            let standing = connect(args, environment)?.call(&DescribeRootKeyRequest {})?;
            match printer.format {
                Format::Json => printer.json(&standing)?,
                Format::Text => {
                    let whole = matches!(command, KeyCommand::List(_));
                    for line in lines(&standing, whole) {
                        printer.line(&plain(&line))?;
                    }
                }
            }
            Ok(())
        }
        KeyCommand::Forget(args) => {
            let done = connect(args, environment)?.call(&ForgetRootKeysRequest {})?;
            match printer.format {
                Format::Json => printer.json(&done)?,
                Format::Text if done.forgotten.is_empty() => printer.line("there is no former root key")?,
                Format::Text => printer.line(&format!("forgotten: {}", done.forgotten.join(", ")))?,
            }
            Ok(())
        }
    }
}

fn rotate(
    args: &RotateKeyArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let begun = client.call(&RotateRootKeyRequest { cancel: args.cancel.then_some(true) })?;
    if args.cancel {
        return match printer.format {
            Format::Json => Ok(printer.json(&begun)?),
            Format::Text => Ok(printer.line("the rotation of the root key was taken back")?),
        };
    }
    let (from, to) = (begun.from.unwrap_or_default(), begun.to.unwrap_or_default());
    if printer.format == Format::Text {
        printer.line(&format!("the store moves from root key {from} to {to}"))?;
    }
    if !args.wait {
        if printer.format == Format::Json {
            return Ok(printer.json(&client.call(&DescribeRootKeyRequest {})?)?);
        }
        return Ok(printer.line("  `pawl key status` shows how far it is")?);
    }
    let since = Instant::now();
    let mut shown = String::new();
    loop {
        let standing = match client.call(&DescribeRootKeyRequest {}) {
            Ok(standing) => standing,
            Err(error) if error.is_passing() && args.timeout.is_none_or(|limit| since.elapsed() < limit) => {
                std::thread::park_timeout(limits::KEY_FOLLOW_EVERY);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if standing.rotation.is_none() {
            return match printer.format {
                Format::Json => Ok(printer.json(&standing)?),
                Format::Text => {
                    for line in lines(&standing, false) {
                        printer.line(&plain(&line))?;
                    }
                    Ok(())
                }
            };
        }
        let progress = rotation(&standing).join("; ");
        if printer.format == Format::Text && progress != shown {
            printer.line(&plain(&progress))?;
            shown = progress;
        }
        if args.timeout.is_some_and(|limit| since.elapsed() >= limit) {
            return Err(CommandError::Failed(
                "the rotation of the root key has not ended yet; it goes on, and `pawl key status` shows how far it is".to_owned(),
            ));
        }
        std::thread::park_timeout(limits::KEY_FOLLOW_EVERY);
    }
}

fn lines(standing: &DescribeRootKeyResponse, whole: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for root in &standing.root_keys {
        lines.push(format!("root key {} ({}), since {}", root.id, root.provider, root.created_date));
    }
    lines.extend(rotation(standing));
    if let Some(problem) = &standing.problem {
        lines.push(format!("PROBLEM: {problem}"));
    }
    if let Some(ended) = &standing.last_rotation {
        lines.push(format!(
            "root key {} was replaced by {} at {}; nothing in the store is under it, and backups from before need it",
            ended.from, ended.to, ended.ended_date
        ));
    }
    if !standing.former_root_keys.is_empty() {
        lines.push(format!(
            "former root keys that the server still has: {}; `pawl key forget` removes them",
            standing.former_root_keys.join(", ")
        ));
    }
    if whole {
        for key in &standing.keys {
            let until = key.until_date.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
            lines.push(format!(
                "key-encryption key {} {}, made {}{until}",
                key.id, key.state, key.created_date
            ));
        }
        lines.push(format!("providers of this host: {}", standing.providers));
    }
    lines
}

fn rotation(standing: &DescribeRootKeyResponse) -> Vec<String> {
    let Some(rotation) = &standing.rotation else { return Vec::new() };
    let mut lines = vec![match rotation.phase.as_str() {
        "Publishing" => format!("moving to root key {}: hosts are learning it", rotation.to),
        _ => format!(
            "moving to root key {}: {} values sealed anew, {} looked at",
            rotation.to, rotation.resealed, rotation.looked_at
        ),
    }];
    for host in standing.hosts.iter().filter(|host| host.there && !host.has_new_root_key) {
        lines.push(format!(
            "waiting for host {}, which does not have it: give it the new provider and restart it, or stop it",
            host.id
        ));
    }
    if rotation.unreadable > 0 {
        lines.push(format!(
            "{} values do not open and stay as they are; the server's log names them",
            rotation.unreadable
        ));
    }
    lines
}
