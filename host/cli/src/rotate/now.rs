//! `pawl rotate NAME`: asks for a rotation now, and sets how the secret rotates from now on.

use std::time::Instant;

use pawl_api::ErrorCode;
use pawl_api::pawl::DescribeRotationRequest;
use pawl_api::secrets_manager::shapes::{DescribeSecretRequest, RotateSecretRequest, RotationRules};
use pawl_core::function::FunctionArn;
use pawl_core::limits;
use pawl_core::names::{AccountId, Region};
use pawl_server::world::{SystemRng, uuid};

use super::follow::{ServerWatch, follow};
use crate::arguments::RotateArgs;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Asks for a rotation and, with `--wait`, follows it to its end.
pub(super) fn run(
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
pub(super) fn is_incomplete(error: &ClientError) -> bool {
    let refused = pawl_api::secrets_manager::refusal::rotation_incomplete();
    error.code() == Some(ErrorCode::InvalidRequestException)
        && matches!(error, ClientError::Refused { message, .. } if *message == refused.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_beside_its_secret() {
        assert_eq!(
            by_name(
                "arn:aws:secretsmanager:eu-west-1:111111111111:secret:a-b1b2b3",
                "pawl-postgres-single-user"
            )
            .as_deref(),
            Some("arn:aws:lambda:eu-west-1:111111111111:function:pawl-postgres-single-user")
        );
        assert_eq!(by_name("a", "f"), None);
    }

    #[test]
    fn a_schedule_is_in_days_where_it_can_be() {
        use clap::Parser;
        let rules_of = |line: &str| {
            let cli = crate::arguments::Cli::try_parse_from(line.split(' ')).unwrap();
            let crate::arguments::Command::Rotate(args) = cli.command else { panic!("not rotate") };
            rules(&args)
        };
        let expression =
            |text: &str| RotationRules { schedule_expression: Some(text.to_owned()), ..Default::default() };
        assert_eq!(rules_of("pawl rotate a"), None);
        let days = RotationRules { automatically_after_days: Some(30), ..Default::default() };
        assert_eq!(rules_of("pawl rotate a --every 30d"), Some(days));
        assert_eq!(rules_of("pawl rotate a --every 12h"), Some(expression("rate(12 hours)")));
        assert_eq!(rules_of("pawl rotate a --every 90m"), Some(expression("rate(2 hours)")));
        assert_eq!(rules_of("pawl rotate a --schedule rate(1day)"), Some(expression("rate(1day)")));
    }

    #[test]
    fn only_the_refusal_of_a_second_rotation_is_waited_for() {
        let refused = |message: &str| ClientError::Refused {
            code: "InvalidRequestException".to_owned(),
            message: message.to_owned(),
        };
        assert!(is_incomplete(&refused(
            "A previous rotation isn't complete. That rotation will be reattempted."
        )));
        assert!(!is_incomplete(&refused("No Lambda rotation function ARN is associated with this secret.")));
    }
}
