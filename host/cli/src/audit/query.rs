//! `pawl audit query`.

use pawl_audit::{Filter, Outcome, Shown};

use super::files::{Records, chains};
use super::{OutcomeArg, QueryArgs};
use crate::CommandError;
use crate::output::{Format, Printer};
use crate::settings::Environment;

pub(super) fn run(
    args: &QueryArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let filter = Filter {
        secret: args.secret.clone(),
        principal: args.principal.clone(),
        event: args.event.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        outcome: args.outcome.map(|outcome| match outcome {
            OutcomeArg::Ok => Outcome::Ok,
            OutcomeArg::Denied => Outcome::Denied,
            OutcomeArg::Error => Outcome::Error,
        }),
        request_id: args.request_id.clone(),
    };
    let mut records = Records::of(chains(&args.log.dir(environment)?)?)?;
    let mut head = true;
    while let Some(shown) = records.next()? {
        if shown.is_in(&filter) {
            show(&shown, std::mem::take(&mut head), printer)?;
        }
    }
    Ok(())
}

/// Prints one record; before the first one the names of the columns.
pub(super) fn show(shown: &Shown, head: bool, printer: &mut Printer) -> Result<(), CommandError> {
    if printer.format == Format::Json {
        let line =
            serde_json::to_string(shown.value()).map_err(|error| CommandError::Failed(error.to_string()))?;
        return Ok(printer.line(&line)?);
    }
    if head {
        printer.line(&row("TIME", "OUTCOME", "EVENT", "PRINCIPAL", "ABOUT"))?;
    }
    let outcome = match shown.outcome() {
        Outcome::Ok => "ok",
        Outcome::Denied => "denied",
        Outcome::Error => shown.text("/errorCode"),
    };
    let (time, event) = (shown.text("/eventTime"), shown.text("/eventName"));
    Ok(printer.line(&row(time, outcome, event, short(shown.principal()), short(shown.about())))?)
}

fn row(time: &str, outcome: &str, event: &str, principal: &str, about: &str) -> String {
    format!("{time:<20}  {outcome:<8}  {event:<28}  {principal:<36}  {about}")
}

/// An ARN without what is the same in most.
fn short(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}
