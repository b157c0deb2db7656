//! A rotation as a person follows it: what is new since the last look, what goes on now, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use pawl_api::EpochSeconds;
use pawl_api::pawl::{DescribeRotationResponse, Failure, LogLine, RotationStatus, StepOutcome, StepRun};

use crate::output::plain;
use crate::span;

/// Remembers what was said.
pub(crate) struct Progress {
    /// The secret, as the person calls it.
    name: String,
    begun: bool,
    /// Lines of the function's log that were said.
    logged: usize,
    /// Steps whose end was said.
    done: BTreeSet<String>,
    /// The step and try that was said to come next.
    retry: Option<(String, u32)>,
}

impl Progress {
    /// Nothing was said yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), begun: false, logged: 0, done: BTreeSet::new(), retry: None }
    }

    /// What is new in `rotation` since the last call, line by line.
    pub(crate) fn news(&mut self, rotation: &DescribeRotationResponse) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.begun {
            self.begun = true;
            let by = rotation.function_arn.as_deref().map(|arn| format!(" by {arn}")).unwrap_or_default();
            lines.push(format!("rotating {}{by}, version {}", self.name, rotation.version_id));
        }
        for run in &rotation.steps {
            self.log(&mut lines, &rotation.log, |line| line.step == run.step);
            if run.outcome == StepOutcome::Done && self.done.insert(run.step.clone()) {
                lines.push(step_line(&run.step, &ended(run)));
            }
        }
        self.log(&mut lines, &rotation.log, |_| true);
        if let Some(failure) = &rotation.failure {
            self.retrying(&mut lines, rotation, failure);
        }
        lines.iter().map(|line| plain(line).replace('\n', " ")).collect()
    }

    fn log(&mut self, lines: &mut Vec<String>, log: &[LogLine], wanted: impl Fn(&LogLine) -> bool) {
        for line in log.iter().skip(self.logged).take_while(|line| wanted(line)) {
            lines.push(step_line(&line.step, &format!("{}: {}", line.level.to_lowercase(), line.message)));
            self.logged += 1;
        }
    }

    /// Says once for each try why the one before did not do.
    fn retrying(&mut self, lines: &mut Vec<String>, rotation: &DescribeRotationResponse, failure: &Failure) {
        let next = (failure.step.clone(), rotation.attempt);
        if !failure.retryable
            || rotation.status != RotationStatus::Running
            || self.retry.as_ref() == Some(&next)
        {
            return;
        }
        let when = match wait(rotation) {
            Some(wait) => format!("next try in {}", span::show(wait)),
            None => "trying now".to_owned(),
        };
        lines.push(step_line(
            &failure.step,
            &format!("attempt {}, {when}: {}", rotation.attempt, failure.reason),
        ));
        self.retry = Some(next);
    }

    /// What goes on now, in one short line.
    pub(crate) fn now(rotation: &DescribeRotationResponse) -> String {
        let Some(step) = &rotation.step else { return "  waiting".to_owned() };
        let state = match wait(rotation) {
            Some(wait) => format!("attempt {} in {}", rotation.attempt, span::show(wait)),
            None => match rotation.steps.last().filter(|run| run.step == *step) {
                Some(run) => format!("running, {}", span::show(between(run.started_date, rotation.now))),
                None => "waiting for a host".to_owned(),
            },
        };
        plain(&step_line(step, &state))
    }

    /// How it ended and what to do; nothing while it runs.
    pub(crate) fn ending(&self, rotation: &DescribeRotationResponse) -> Vec<String> {
        let name = &self.name;
        let lines = match rotation.status {
            RotationStatus::Running => vec![],
            RotationStatus::Succeeded => {
                let took =
                    rotation.finished_date.map(|at| between(rotation.requested_date, at)).unwrap_or_default();
                vec![format!(
                    "rotated {name} in {}: AWSCURRENT is now version {}",
                    span::show(took),
                    rotation.version_id
                )]
            }
            RotationStatus::Failed => vec![
                format!("the rotation failed{}", reason(rotation)),
                format!(
                    "AWSCURRENT was not changed. Put right what the reason names, then run \
                     `pawl rotate {name} --wait` again."
                ),
            ],
            RotationStatus::Stranded => vec![
                format!("the rotation is stranded{}", reason(rotation)),
                format!(
                    "The database may have taken the new password already. Until the rotation has been finished, \
                     the password that works is in AWSCURRENT or in AWSPENDING \
                     (`pawl secret get {name} --version-stage AWSPENDING`). Put right what the reason names, then run \
                     `pawl rotate {name} --wait` again: it goes on with the same new password."
                ),
            ],
            RotationStatus::Cancelled => vec![format!("the rotation was cancelled{}", reason(rotation))],
            RotationStatus::Abandoned => vec![
                format!("the rotation was abandoned{}", reason(rotation)),
                format!("Somebody has changed {name} meanwhile; what they did stands."),
            ],
        };
        lines.iter().map(|line| plain(line)).collect()
    }
}

fn step_line(step: &str, text: &str) -> String {
    format!("  {step:<13} {text}")
}

fn ended(run: &StepRun) -> String {
    let took = span::show(Duration::from_millis(run.milliseconds));
    match run.attempts {
        0 | 1 => format!("done in {took}"),
        attempts => format!("done in {took}, at attempt {attempts}"),
    }
}

fn reason(rotation: &DescribeRotationResponse) -> String {
    rotation
        .failure
        .as_ref()
        .map(|failure| format!(" at {}: {}", failure.step, failure.reason))
        .unwrap_or_default()
}

/// How long until the next try may start, by the server's own time.
fn wait(rotation: &DescribeRotationResponse) -> Option<Duration> {
    let wait = between(rotation.now, rotation.not_before?);
    (!wait.is_zero()).then_some(wait)
}

fn between(earlier: EpochSeconds, later: EpochSeconds) -> Duration {
    Duration::from_millis(later.0.millis_since(earlier.0))
}
