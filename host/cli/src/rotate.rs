//! `pawl rotate`.

use std::time::{Duration, Instant};

use pawl_api::ErrorCode;
use pawl_api::pawl::{DescribeRotationRequest, DescribeRotationResponse, RotationStatus};
use pawl_api::secrets_manager::shapes::{DescribeSecretRequest, RotateSecretRequest, RotationRules};
use pawl_core::function::FunctionArn;
use pawl_core::limits;
use pawl_core::names::{AccountId, Region};
use pawl_server::world::{SystemRng, uuid};

use crate::arguments::RotateArgs;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer};
use crate::progress::Progress;
use crate::settings::Environment;
use crate::{CommandError, connect, span};

/// Asks for a rotation and, with `--wait`, follows it to its end.
pub(crate) fn run(
    args: &RotateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let function =
        args.function.as_deref().map(|given| function_arn(&client, &args.name, given)).transpose()?;
    let asked = client.call(&RotateSecretRequest {
        secret_id: args.name.clone(),
        client_request_token: Some(uuid(&SystemRng)),
        rotation_lambda_arn: function,
        rotation_rules: rules(args),
        rotate_immediately: None,
        ..Default::default()
    });
    let version_id = match asked {
        Ok(answer) if !args.wait => {
            return match printer.format {
                Format::Json => Ok(printer.json(&answer)?),
                Format::Text => {
                    let version = answer.version_id.unwrap_or_default();
                    printer.line(&format!("rotating {}, version {version}", answer.name))?;
                    Ok(printer.line(&format!("  see how it goes: pawl secret describe {}", args.name))?)
                }
            };
        }
        Ok(answer) => answer.version_id,
        Err(error) if args.wait && is_incomplete(&error) => {
            if printer.format == Format::Text {
                printer.line("a rotation that began earlier is not complete; waiting for that one")?;
            }
            None
        }
        Err(error) if is_incomplete(&error) => {
            let what_to_do = "run this again with --wait to follow it";
            return Err(CommandError::Failed(format!("{error}; {what_to_do}")));
        }
        Err(error) => return Err(error.into()),
    };
    let mut watch = ServerWatch {
        client: &client,
        request: DescribeRotationRequest { secret_id: args.name.clone(), version_id },
        since: Instant::now(),
    };
    follow(&mut watch, &args.name, args.timeout.unwrap_or(limits::ROTATION_WAIT_DEFAULT), printer)
}

/// The ARN of a function: as given, or by its name in the secret's own region and account.
fn function_arn(client: &Client, secret: &str, given: &str) -> Result<String, CommandError> {
    if given.starts_with("arn:") {
        return Ok(given.to_owned());
    }
    let secret = client.call(&DescribeSecretRequest { secret_id: secret.to_owned() })?;
    by_name(&secret.arn, given).ok_or_else(|| {
        CommandError::Failed(format!("`{}` is not a secret's ARN; name the function by its ARN", secret.arn))
    })
}

fn by_name(secret_arn: &str, function: &str) -> Option<String> {
    let mut parts = secret_arn.split(':').skip(3);
    let region: Region = parts.next()?.parse().ok()?;
    let account: AccountId = parts.next()?.parse().ok()?;
    Some(FunctionArn::new(&region, &account, function).to_string())
}

fn rules(args: &RotateArgs) -> Option<RotationRules> {
    const DAY: u64 = 86_400;
    if let Some(expression) = &args.schedule {
        return Some(RotationRules { schedule_expression: Some(expression.clone()), ..Default::default() });
    }
    let seconds = args.every?.as_secs();
    Some(match i64::try_from(seconds / DAY) {
        Ok(days) if seconds.is_multiple_of(DAY) => {
            RotationRules { automatically_after_days: Some(days), ..Default::default() }
        }
        // Schedules have whole hours; the next one up keeps the server's lower bound the judge of short ones.
        _ => {
            let expression = format!("rate({} hours)", seconds.div_ceil(3_600));
            RotationRules { schedule_expression: Some(expression), ..Default::default() }
        }
    })
}

/// Whether AWSPENDING is on the version of another rotation.
fn is_incomplete(error: &ClientError) -> bool {
    let refused = pawl_api::secrets_manager::refusal::rotation_incomplete();
    error.code() == Some(ErrorCode::InvalidRequestException)
        && matches!(error, ClientError::Refused { message, .. } if *message == refused.message)
}

/// A rotation that can be looked at again and again.
trait Watch {
    fn look(&mut self) -> Result<DescribeRotationResponse, ClientError>;

    fn pause(&mut self, time: Duration);

    /// How long it has been watched.
    fn waited(&self) -> Duration;
}

struct ServerWatch<'a> {
    client: &'a Client,
    request: DescribeRotationRequest,
    since: Instant,
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
fn follow(
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
