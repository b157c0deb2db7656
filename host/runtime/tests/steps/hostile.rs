//! A worker that an attacker has taken over: it may say anything on the pipe, and must win nothing by it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::StepLimits;

use super::Test;
use super::stage::{Stage, block, permanent, postgres, program, transient};

#[path = "../../src/wire.rs"]
#[expect(dead_code, unreachable_pub, reason = "the worker's side of it, as an attacker would write it")]
mod wire;

use wire::{Call, Down, Ended, HEADER_BYTES, NewValue, Up};

pub(crate) const TESTS: &[Test] = &[
    ("hostile::a_handle_that_was_not_given_ends_the_step", a_handle_that_was_not_given_ends_the_step),
    ("hostile::handles_of_an_earlier_step_are_worth_nothing", handles_of_an_earlier_step_are_worth_nothing),
    ("hostile::what_is_not_the_protocol_ends_the_step", what_is_not_the_protocol_ends_the_step),
    ("hostile::calls_without_end_are_ended", calls_without_end_are_ended),
    (
        "hostile::a_worker_that_dies_before_it_asked_is_replaced_unseen",
        a_worker_that_dies_before_it_asked_is_replaced_unseen,
    ),
    ("hostile::a_worker_that_dies_after_it_asked_is_told", a_worker_that_dies_after_it_asked_is_told),
    ("hostile::a_step_of_a_cached_component_costs_little", a_step_of_a_cached_component_costs_little),
    ("hostile::a_worker_that_always_dies_is_told", a_worker_that_always_dies_is_told),
    (
        "hostile::a_program_that_cannot_confine_itself_runs_nothing",
        a_program_that_cannot_confine_itself_runs_nothing,
    ),
];

/// A program whose worker is [`worker`] with this mode, and whose compiler is the real one.
fn taken_over(stage: &tempfile::TempDir, mode: &str) -> PathBuf {
    let path = stage.path().join("pawl");
    let real = program();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = worker ]; then exec '{0}' hostile-{mode}; fi\nexec '{0}' \"$@\"\n",
        real.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// As [`taken_over`], but only the first worker is: those after it are real.
fn first_taken_over(stage: &tempfile::TempDir, mode: &str) -> PathBuf {
    let path = taken_over(stage, mode);
    let once = stage.path().join("once");
    let script = std::fs::read_to_string(&path).unwrap();
    let condition = format!("[ \"$1\" = worker ] && mkdir '{}' 2>/dev/null;", once.display());
    std::fs::write(&path, script.replace("[ \"$1\" = worker ];", &condition)).unwrap();
    path
}

fn a_worker_that_dies_before_it_asked_is_replaced_unseen() {
    for mode in ["dies-start", "dies-load", "dies-run"] {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::with(first_taken_over(&directory, mode), StepLimits::default());
        block(async {
            let report = stage.run(&postgres(), Step::CreateSecret).await;
            assert_eq!(report.outcome, Outcome::Done, "{mode}");
            assert_eq!(stage.runtime.workers().started, 2, "{mode}");
        });
    }
}

fn a_worker_that_dies_after_it_asked_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(first_taken_over(&directory, "dies-asked"), StepLimits::default());
    block(async {
        let report = stage.run(&postgres(), Step::CreateSecret).await;
        assert!(transient(&report).contains("SIGKILL"), "{report:?}");
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
    // What was done is done: its death after its last word changes nothing.
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(first_taken_over(&directory, "dies-done"), StepLimits::default());
    block(async {
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
}

/// What one step costs from this process and back, of a component that the worker has and that does nothing: an instance, the
/// call, and twice the way through the pipe.
fn a_step_of_a_cached_component_costs_little() {
    const ROUNDS: usize = 5_000;
    let component = super::sandbox::guest(1, "", "");
    let stage = Stage::new();
    block(async { stage.runtime.prepare(&component).await.unwrap() });
    let kept = std::fs::read_dir(stage.directory.path().join("compiled")).unwrap().next().unwrap().unwrap();
    // Behind the MAC.
    let artifact = std::fs::read(kept.path()).unwrap().split_off(32);
    let mut worker = std::process::Command::new(program())
        .arg("worker")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (worker.stdin.take().unwrap(), worker.stdout.take().unwrap());
    let mut receive = || {
        let mut header = [0; HEADER_BYTES];
        from.read_exact(&mut header).unwrap();
        let mut body = vec![0; wire::body_bytes::<Up>(header).unwrap()];
        from.read_exact(&mut body).unwrap();
        wire::message::<Up>(&body).unwrap()
    };
    assert!(matches!(receive(), Up::Ready));
    let digest = *component.digest().as_bytes();
    to.write_all(&wire::frame(&Down::Load { digest, artifact }).unwrap()).unwrap();
    assert!(matches!(receive(), Up::Loaded(Ok(()))));
    let limits = wire::GuestLimits { memory_bytes: 1 << 26, fuel: 1_000_000, cpu_millis: 2_000 };
    let environment = std::collections::BTreeMap::new();
    let run = wire::frame(&Down::Run { digest, step: Step::CreateSecret, environment, limits }).unwrap();
    let mut took: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let from = std::time::Instant::now();
            to.write_all(&run).unwrap();
            assert!(matches!(receive(), Up::Used(_)));
            assert!(matches!(receive(), Up::Done(Ended::Done)));
            from.elapsed()
        })
        .collect();
    took.sort();
    println!(
        "    a step that does nothing, there and back: p50 {:?}, p99 {:?}",
        took[ROUNDS / 2],
        took[ROUNDS * 99 / 100]
    );
    drop(to);
    assert!(worker.wait().unwrap().success(), "it ends with its pipe, under its filter");
}

fn a_worker_that_always_dies_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(taken_over(&directory, "dies-run"), StepLimits::default());
    block(async {
        let report = stage.run(&postgres(), Step::CreateSecret).await;
        assert!(transient(&report).contains("SIGKILL"), "{report:?}");
        assert_eq!(stage.runtime.workers().started, 2);
    });
}

fn a_program_that_cannot_confine_itself_runs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(taken_over(&directory, "unconfined"), StepLimits::default());
    block(async {
        let report = stage.run(&postgres(), Step::CreateSecret).await;
        assert!(permanent(&report).contains("cannot be confined here"), "{report:?}");
        assert!(permanent(&report).contains("--unconfined-workers"), "{report:?}");
    });
}

fn outcome_of(mode: &str, step: Step) -> String {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(taken_over(&directory, mode), StepLimits::default());
    block(async {
        let report = stage.run(&postgres(), step).await;
        assert_eq!(stage.runtime.idle_workers(), [] as [u32; 0], "{mode}: the worker was kept");
        permanent(&report).to_owned()
    })
}

fn a_handle_that_was_not_given_ends_the_step() {
    for mode in ["guess-text", "guess-sensitive", "guess-login", "guess-session", "guess-base", "guess-drop"]
    {
        let text = outcome_of(mode, Step::CreateSecret);
        assert!(text.contains("broke a rule"), "{mode}: {text}");
    }
    // A handle of the wrong kind is as good as none.
    let text = outcome_of("wrong-kind", Step::CreateSecret);
    assert!(text.contains("broke a rule"), "{text}");
}

fn handles_of_an_earlier_step_are_worth_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::with(taken_over(&directory, "keep-handles"), StepLimits::default());
    block(async {
        let first = stage.run(&postgres(), Step::CreateSecret).await;
        assert_eq!(first.outcome, Outcome::Done);
        assert_eq!(stage.runtime.idle_workers().len(), 1);
        let second = stage.run(&postgres(), Step::CreateSecret).await;
        assert!(permanent(&second).contains("broke a rule"), "{second:?}");
    });
}

fn what_is_not_the_protocol_ends_the_step() {
    for mode in ["junk", "endless-frame", "greets-again", "trailing"] {
        let text = outcome_of(mode, Step::CreateSecret);
        assert!(text.contains("broke the protocol"), "{mode}: {text}");
    }
}

fn calls_without_end_are_ended() {
    let text = outcome_of("calls", Step::CreateSecret);
    assert!(text.contains("10000"), "{text}");
    let text = outcome_of("drops", Step::CreateSecret);
    assert!(text.contains("broke a rule"), "{text}");
    let text = outcome_of("floods", Step::CreateSecret);
    assert!(text.contains("bytes in one step"), "{text}");
}

/// The taken-over worker: takes the component, and then does not run it.
pub(crate) fn worker(mode: &str) -> ExitCode {
    let mut kept = None;
    match mode {
        "hostile-dies-start" => die(),
        // What `pawl worker` ends with where there are no filters of system calls.
        "hostile-unconfined" => return ExitCode::from(86),
        _ => say(&Up::Ready),
    }
    loop {
        match hear() {
            Some(Down::Load { .. }) if mode == "hostile-dies-load" => die(),
            Some(Down::Load { .. }) => say(&Up::Loaded(Ok(()))),
            Some(Down::Run { .. }) => misbehave(mode, &mut kept),
            Some(Down::Reply(_)) => {}
            None => return ExitCode::SUCCESS,
        }
    }
}

fn misbehave(mode: &str, kept: &mut Option<u32>) {
    const GUESS: u32 = 1;
    let field = "password".to_owned();
    let account = "app".to_owned();
    match mode {
        "hostile-guess-text" => say(&Up::Call(Call::Text { version: GUESS, field })),
        "hostile-guess-sensitive" => say(&Up::Call(Call::Sensitive { version: GUESS, field })),
        "hostile-guess-login" => say(&Up::Call(Call::Login { version: GUESS })),
        "hostile-guess-session" => {
            say(&Up::Call(Call::SetPassword { session: GUESS, account, password: GUESS }));
        }
        "hostile-guess-base" => {
            let value = NewValue::Sensitive(GUESS);
            say(&Up::Call(Call::PutPending { base: GUESS, changes: vec![wire::Change { field, value }] }));
        }
        "hostile-guess-drop" => say(&Up::Call(Call::Drop(GUESS))),
        "hostile-wrong-kind" => {
            let handle = current().unwrap_or(GUESS);
            say(&Up::Call(Call::Ping { session: handle }));
        }
        "hostile-keep-handles" => match *kept {
            None => {
                *kept = current();
                say(&Up::Done(Ended::Done));
            }
            Some(version) => say(&Up::Call(Call::Login { version })),
        },
        "hostile-junk" => raw(&[3, 0, 0, 0, 0xff, 0xff, 0xff]),
        "hostile-endless-frame" => raw(&[0xff, 0xff, 0xff, 0xff]),
        "hostile-trailing" => raw(&[2, 0, 0, 0, 0, 0]),
        "hostile-greets-again" => say(&Up::Ready),
        "hostile-dies-run" => die(),
        "hostile-dies-asked" => {
            let _ = current();
            die();
        }
        "hostile-dies-done" => {
            say(&Up::Done(Ended::Done));
            die();
        }
        "hostile-calls" => loop {
            say(&Up::Call(Call::Pending));
            if hear().is_none() {
                return;
            }
        },
        // A megabyte a time: long before the calls are too many, the bytes are.
        "hostile-floods" => loop {
            say(&Up::Call(Call::Log { level: wire::LogLevel::Info, message: "x".repeat(1_000_000) }));
            if hear().is_none() {
                return;
            }
        },
        "hostile-drops" => {
            while let Ok(frame) = wire::frame(&Up::Call(Call::Drop(GUESS))) {
                if std::io::stdout().write_all(&frame).is_err() {
                    return;
                }
            }
        }
        other => panic!("{other} is no mode"),
    }
}

fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn current() -> Option<u32> {
    say(&Up::Call(Call::Current));
    match hear() {
        Some(Down::Reply(wire::Reply::Version(Ok(Some(version))))) => Some(version.handle),
        _ => None,
    }
}

fn say(message: &Up) {
    raw(&wire::frame(message).unwrap());
}

fn raw(bytes: &[u8]) {
    // The host may have killed this end already.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn hear() -> Option<Down> {
    let mut header = [0; HEADER_BYTES];
    std::io::stdin().read_exact(&mut header).ok()?;
    let mut body = vec![0; wire::body_bytes::<Down>(header).ok()?];
    std::io::stdin().read_exact(&mut body).ok()?;
    wire::message(&body).ok()
}
