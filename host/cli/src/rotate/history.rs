//! `pawl rotate NAME --history`: the rotations that there were, the newest first.

use std::time::Duration;

use pawl_api::EpochSeconds;
use pawl_api::pawl::{ListRotationsRequest, ListRotationsResponse, PastRotation, RotationStatus, StepRun};
use pawl_core::limits;

use crate::arguments::RotateArgs;
use crate::client::Client;
use crate::output::{Format, Printer, plain, table};
use crate::settings::Environment;
use crate::{CommandError, connect, span};

/// Prints what is kept of the last rotations.
pub(super) fn run(
    args: &RotateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let history = fetch(&client, &args.name, args.last)?;
    match printer.format {
        Format::Json => printer.json(&history)?,
        Format::Text => {
            for line in lines(&history, args.details) {
                printer.line(&line)?;
            }
        }
    }
    Ok(())
}

/// As many of the newest as are wanted, page by page; the answer's token is there when there are more.
fn fetch(client: &Client, name: &str, last: u32) -> Result<ListRotationsResponse, CommandError> {
    let mut request = ListRotationsRequest { secret_id: name.to_owned(), ..Default::default() };
    let mut history: Option<ListRotationsResponse> = None;
    loop {
        let have = history.as_ref().map_or(0, |history| history.rotations.len());
        let wanted = usize::try_from(last).unwrap_or(usize::MAX).saturating_sub(have);
        let page = wanted.min(limits::PAGE_ENTRIES_MAX as usize);
        request.max_results = i64::try_from(page).ok();
        let page = client.call(&request)?;
        request.next_token.clone_from(&page.next_token);
        let all = match history.take() {
            None => page,
            Some(mut all) => {
                all.rotations.extend(page.rotations);
                all.next_token = page.next_token;
                all
            }
        };
        if all.next_token.is_none() || all.rotations.len() >= usize::try_from(last).unwrap_or(usize::MAX) {
            return Ok(all);
        }
        history = Some(all);
    }
}

fn lines(history: &ListRotationsResponse, details: bool) -> Vec<String> {
    if history.rotations.is_empty() {
        return vec![plain(&format!("{} has not been rotated yet", history.name))];
    }
    let mut lines = if details {
        history.rotations.iter().flat_map(|rotation| block(rotation, history.now)).collect()
    } else {
        let header = ["NUMBER", "REQUESTED", "STATUS", "TOOK", "GAP", "VERSION", "WHY"];
        let rows: Vec<Vec<String>> =
            history.rotations.iter().map(|rotation| row(rotation, history.now)).collect();
        table(&header, &rows)
    };
    if history.next_token.is_some() {
        lines.push("there are more: ask for them with --last".to_owned());
    }
    lines.iter().map(|line| plain(line).replace('\n', " ")).collect()
}

fn row(rotation: &PastRotation, now: EpochSeconds) -> Vec<String> {
    vec![
        rotation.number.map_or_else(|| "-".to_owned(), |number| number.to_string()),
        rotation.requested_date.to_string(),
        status(rotation),
        took(rotation, now),
        gap(rotation).unwrap_or_else(|| "-".to_owned()),
        rotation.version_id.clone(),
        why(rotation).unwrap_or_default(),
    ]
}

/// One rotation in full.
fn block(rotation: &PastRotation, now: EpochSeconds) -> Vec<String> {
    let number = rotation.number.map_or_else(|| "now".to_owned(), |number| format!("#{number}"));
    let mut lines = vec![
        format!(
            "{number}  {}  {} in {}, version {}",
            rotation.requested_date,
            status(rotation),
            took(rotation, now),
            rotation.version_id
        ),
        format!("  by {} {}", rotation.function_arn, rotation.function_digest),
    ];
    for run in &rotation.steps {
        lines.push(format!("  {:<13} {}", run.step, step(run)));
        lines.extend(log(rotation, |of| of == run.step));
    }
    let ended_well = |of: &str| rotation.steps.iter().any(|run| run.step == of);
    lines.extend(log(rotation, |of| !ended_well(of)));
    lines.extend(gap(rotation).map(|gap| format!("  AWSCURRENT named the old password for {gap}")));
    lines.extend(why(rotation).map(|why| format!("  {why}")));
    lines
}

fn log(rotation: &PastRotation, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = rotation.log.iter().filter(|line| wanted(&line.step));
    lines.map(|line| format!("    {}: {}", line.level, line.message)).collect()
}

fn step(run: &StepRun) -> String {
    let took = span::show(Duration::from_millis(run.milliseconds));
    if run.attempts > 1 {
        format!("done in {took}, at attempt {}", run.attempts)
    } else {
        format!("done in {took}")
    }
}

fn status(rotation: &PastRotation) -> String {
    let trial = if rotation.trial == Some(true) { " (trial)" } else { "" };
    format!("{:?}{trial}", rotation.status)
}

fn took(rotation: &PastRotation, now: EpochSeconds) -> String {
    let until = rotation.finished_date.unwrap_or(now);
    span::show(Duration::from_millis(until.0.millis_since(rotation.requested_date.0)))
}

/// A gap is short: whole milliseconds would make most of them nothing.
fn gap(rotation: &PastRotation) -> Option<String> {
    let micros = rotation.gap_microseconds?;
    let short = Duration::from_micros(micros);
    Some(match short.as_millis() {
        0..100 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => span::show(short),
    })
}

fn why(rotation: &PastRotation) -> Option<String> {
    let failure = rotation.failure.as_ref().filter(|_| rotation.status != RotationStatus::Succeeded)?;
    let times = match rotation.failed_attempts {
        0 | 1 => String::new(),
        times => format!(", {times} times"),
    };
    Some(format!("{}{times}: {}", failure.step, failure.reason))
}

#[cfg(test)]
mod tests {
    use pawl_api::pawl::{Failure, LogLine, StepOutcome};
    use pawl_core::world::Timestamp;

    use super::*;

    fn at(millis: i64) -> EpochSeconds {
        Timestamp::from_millis(1_785_000_000_000 + millis).into()
    }

    fn history() -> ListRotationsResponse {
        let done = |step: &str, milliseconds, attempts| StepRun {
            step: step.to_owned(),
            started_date: at(0),
            milliseconds,
            attempts,
            outcome: StepOutcome::Done,
        };
        let rotation = |number, status, version: &str| PastRotation {
            number,
            status,
            version_id: version.to_owned(),
            requested_date: at(0),
            function_arn: "arn:f".to_owned(),
            function_digest: "sha256:00".to_owned(),
            ..Default::default()
        };
        let log = |step: &str, message: &str| LogLine {
            level: "info".to_owned(),
            message: message.to_owned(),
            step: step.to_owned(),
        };
        let failure =
            Failure { step: "setSecret".to_owned(), reason: "down\x1b[2J".to_owned(), retryable: true };
        ListRotationsResponse {
            arn: "arn".to_owned(),
            name: "prod/db".to_owned(),
            now: at(90_000),
            rotations: vec![
                PastRotation {
                    failed_attempts: 3,
                    failure: Some(failure),
                    steps: vec![done("createSecret", 12, 1)],
                    log: vec![log("createSecret", "made"), log("setSecret", "no answer")],
                    ..rotation(None, RotationStatus::Running, "v3")
                },
                PastRotation {
                    finished_date: Some(at(1_500)),
                    gap_microseconds: Some(2_310),
                    steps: vec![done("createSecret", 12, 1), done("setSecret", 43, 3)],
                    ..rotation(Some(2), RotationStatus::Succeeded, "v2")
                },
                PastRotation {
                    finished_date: Some(at(20)),
                    trial: Some(true),
                    ..rotation(Some(1), RotationStatus::Failed, "v1")
                },
            ],
            next_token: Some("t".to_owned()),
        }
    }

    #[test]
    fn the_newest_comes_first_and_says_why() {
        assert_eq!(
            lines(&history(), false),
            [
                "NUMBER  REQUESTED                 STATUS          TOOK        GAP     VERSION  WHY",
                "-       2026-07-25T17:20:00.000Z  Running         1 min 30 s  -       v3       setSecret, 3 times: down\u{fffd}[2J",
                "2       2026-07-25T17:20:00.000Z  Succeeded       1.5 s       2.3 ms  v2",
                "1       2026-07-25T17:20:00.000Z  Failed (trial)  20 ms       -       v1",
                "there are more: ask for them with --last",
            ]
        );
        let none = ListRotationsResponse { rotations: Vec::new(), next_token: None, ..history() };
        assert_eq!(lines(&none, false), ["prod/db has not been rotated yet"]);
    }

    #[test]
    fn details_are_steps_and_what_they_wrote() {
        let lines = lines(&history(), true);
        assert_eq!(
            lines[..9],
            [
                "now  2026-07-25T17:20:00.000Z  Running in 1 min 30 s, version v3",
                "  by arn:f sha256:00",
                "  createSecret  done in 12 ms",
                "    info: made",
                "    info: no answer",
                "  setSecret, 3 times: down\u{fffd}[2J",
                "#2  2026-07-25T17:20:00.000Z  Succeeded in 1.5 s, version v2",
                "  by arn:f sha256:00",
                "  createSecret  done in 12 ms",
            ]
        );
        assert!(lines.contains(&"  setSecret     done in 43 ms, at attempt 3".to_owned()), "{lines:?}");
        assert!(lines.contains(&"  AWSCURRENT named the old password for 2.3 ms".to_owned()), "{lines:?}");
    }
}
