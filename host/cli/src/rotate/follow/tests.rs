//! Progress against scripted rotations.

use std::collections::VecDeque;

use pawl_api::EpochSeconds;
use pawl_api::pawl::{Failure, LogLine, StepOutcome, StepRun};
use pawl_core::world::Timestamp;

use super::*;
use crate::output::tests::recorder;

struct Script {
    looks: VecDeque<Result<DescribeRotationResponse, ClientError>>,
    waited: Duration,
}

impl Watch for Script {
    fn look(&mut self) -> Result<DescribeRotationResponse, ClientError> {
        self.looks.pop_front().expect("it was looked at after the end")
    }

    fn pause(&mut self, time: Duration) {
        self.waited += time;
    }

    fn waited(&self) -> Duration {
        self.waited
    }
}

fn at(millis: i64) -> EpochSeconds {
    Timestamp::from_millis(1_785_000_000_000 + millis).into()
}

fn step(step: &str, started: i64, milliseconds: u64, attempts: u32, outcome: StepOutcome) -> StepRun {
    StepRun { step: step.to_owned(), started_date: at(started), milliseconds, attempts, outcome }
}

fn rotation(now: i64, current: Option<&str>, steps: Vec<StepRun>) -> DescribeRotationResponse {
    DescribeRotationResponse {
        arn: "arn".to_owned(),
        name: "prod/db".to_owned(),
        version_id: "v2".to_owned(),
        attempt: 1,
        now: at(now),
        requested_date: at(0),
        step: current.map(str::to_owned),
        steps,
        function_arn: Some("arn:f".to_owned()),
        ..Default::default()
    }
}

fn failed(mut rotation: DescribeRotationResponse, reason: &str, retryable: bool) -> DescribeRotationResponse {
    let step = rotation.step.clone().unwrap_or_default();
    rotation.failure = Some(Failure { step, reason: reason.to_owned(), retryable });
    rotation
}

fn ended(mut rotation: DescribeRotationResponse, status: RotationStatus) -> DescribeRotationResponse {
    rotation.status = status;
    rotation.finished_date = Some(rotation.now);
    rotation
}

fn log(step: &str, message: &str) -> LogLine {
    LogLine { level: "Info".to_owned(), message: message.to_owned(), step: step.to_owned() }
}

/// What is printed, and whether the command succeeds.
fn print(
    looks: Vec<Result<DescribeRotationResponse, ClientError>>,
    format: Format,
    terminal: bool,
) -> (String, Result<(), String>) {
    let (mut printer, written) = recorder(format, terminal);
    let mut script = Script { looks: looks.into(), waited: Duration::ZERO };
    let result = follow(&mut script, "prod/db", Duration::from_secs(1), &mut printer);
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    (text, result.map_err(|error| error.to_string()))
}

fn healed() -> Vec<Result<DescribeRotationResponse, ClientError>> {
    use StepOutcome::{Done, Running, Transient};
    let created = || step("createSecret", 0, 12, 1, Done);
    let down = "database at 127.0.0.1:5432 unreachable";
    let waiting = |now, attempt, not_before| {
        let steps = vec![created(), step("setSecret", 15, 3, attempt - 1, Transient)];
        let mut waiting = failed(rotation(now, Some("setSecret"), steps), down, true);
        waiting.attempt = attempt;
        waiting.not_before = Some(at(not_before));
        waiting
    };
    let mut first = rotation(20, Some("setSecret"), vec![created(), step("setSecret", 15, 0, 1, Running)]);
    first.log = vec![log("createSecret", "made\x1b[2J a password")];
    let with_log = |mut rotation: DescribeRotationResponse| {
        rotation.log.clone_from(&first.log);
        rotation
    };
    let steps = vec![
        created(),
        step("setSecret", 15, 43, 3, Done),
        step("testSecret", 2_000, 18, 1, Done),
        step("finishSecret", 2_020, 3, 1, Done),
    ];
    let mut last = ended(rotation(2_100, None, steps), RotationStatus::Succeeded);
    last.log = vec![first.log[0].clone(), log("testSecret", "logged in")];
    vec![
        Ok(rotation(5, Some("createSecret"), vec![])),
        Ok(first.clone()),
        Ok(with_log(waiting(100, 2, 600))),
        Ok(with_log(waiting(300, 2, 600))),
        Ok(with_log(waiting(700, 3, 1_700))),
        Err(ClientError::Unreachable { url: "http://h".to_owned(), why: "refused".to_owned() }),
        Err(ClientError::Unreachable { url: "http://h".to_owned(), why: "refused".to_owned() }),
        Ok(last),
    ]
}

#[test]
fn a_rotation_that_heals_is_told_line_by_line() {
    // Seven pauses of a poll are more than the second that other tests wait.
    let (mut printer, written) = recorder(Format::Text, false);
    let mut script = Script { looks: healed().into(), waited: Duration::ZERO };
    follow(&mut script, "prod/db", Duration::from_secs(60), &mut printer).unwrap();
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        "rotating prod/db by arn:f, version v2
  createSecret  info: made\u{fffd}[2J a password
  createSecret  done in 12 ms
  setSecret     attempt 2, next try in 500 ms: database at 127.0.0.1:5432 unreachable
  setSecret     attempt 3, next try in 1.0 s: database at 127.0.0.1:5432 unreachable
  the server does not answer, trying again: nothing answers at http://h (refused); is `pawl serve` running there?
  setSecret     done in 43 ms, at attempt 3
  testSecret    info: logged in
  testSecret    done in 18 ms
  finishSecret  done in 3 ms
rotated prod/db in 2.1 s: AWSCURRENT is now version v2
"
    );
}

#[test]
fn a_terminal_sees_the_running_step_in_place() {
    let looks = vec![
        Ok(rotation(1_500, Some("createSecret"), vec![step("createSecret", 0, 0, 1, StepOutcome::Running)])),
        Ok(ended(
            rotation(1_600, None, vec![step("createSecret", 0, 1_550, 1, StepOutcome::Done)]),
            RotationStatus::Succeeded,
        )),
    ];
    let (text, result) = print(looks, Format::Text, true);
    assert_eq!(result, Ok(()));
    assert_eq!(
        text,
        "\r\x1b[Krotating prod/db by arn:f, version v2\n\
         \r  createSecret  running, 1.5 s\x1b[K\
         \r\x1b[K  createSecret  done in 1.5 s\n\
         rotated prod/db in 1.6 s: AWSCURRENT is now version v2\n"
    );
}

#[test]
fn a_failure_says_why_and_what_to_do() {
    let steps = vec![step("setSecret", 0, 9, 1, StepOutcome::Permanent)];
    let refused =
        failed(rotation(10, Some("setSecret"), steps), "database refused the login of `app`", false);
    let (text, result) = print(vec![Ok(ended(refused.clone(), RotationStatus::Failed))], Format::Text, false);
    assert!(result.is_err());
    assert_eq!(
        text,
        "rotating prod/db by arn:f, version v2\n\
         the rotation failed at setSecret: database refused the login of `app`\n\
         AWSCURRENT was not changed. Put right what the reason names, then run `pawl rotate prod/db --wait` again.\n"
    );
    let (text, result) =
        print(vec![Ok(ended(refused.clone(), RotationStatus::Stranded))], Format::Text, false);
    assert!(result.is_err() && text.contains("pawl secret get prod/db --version-stage AWSPENDING"), "{text}");
    for status in [RotationStatus::Cancelled, RotationStatus::Abandoned] {
        let (_, result) = print(vec![Ok(ended(refused.clone(), status))], Format::Text, false);
        assert!(result.is_err());
    }
}

#[test]
fn a_machine_gets_the_last_state_and_nothing_else() {
    let done = ended(rotation(10, None, vec![]), RotationStatus::Succeeded);
    let running = rotation(5, Some("createSecret"), vec![]);
    let (text, result) = print(vec![Ok(running), Ok(done)], Format::Json, true);
    assert_eq!(result, Ok(()));
    let read: DescribeRotationResponse = serde_json::from_str(&text).unwrap();
    assert_eq!(read.status, RotationStatus::Succeeded);
}

#[test]
fn waiting_ends_but_not_the_rotation() {
    let looks = (0..6).map(|_| Ok(rotation(5, Some("createSecret"), vec![]))).collect();
    let (text, result) = print(looks, Format::Text, false);
    assert_eq!(text, "rotating prod/db by arn:f, version v2\n");
    assert!(
        result
            .unwrap_err()
            .starts_with("the rotation of prod/db has not ended after 1.0 s; the server goes on")
    );
}

#[test]
fn a_refusal_ends_the_wait() {
    let gone =
        ClientError::Refused { code: "ResourceNotFoundException".to_owned(), message: "gone".to_owned() };
    let (_, result) = print(vec![Err(gone)], Format::Text, false);
    assert_eq!(result, Err("gone (ResourceNotFoundException)".to_owned()));
}
