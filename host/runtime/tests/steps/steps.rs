//! The PostgreSQL rotator through a whole rotation, and what the host does when something dies.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pawl_core::function::Grants;
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::{Component, StepLimits};

use super::Test;
use super::stage::{STEPS, Stage, block, permanent, postgres, program, transient};

pub(crate) const TESTS: &[Test] = &[
    ("steps::four_steps_each_done_twice_rotate_once", four_steps_each_done_twice_rotate_once),
    ("steps::without_a_grant_nothing_is_dialled", without_a_grant_nothing_is_dialled),
    ("steps::a_superseded_rotation_ends_as_that", a_superseded_rotation_ends_as_that),
    ("steps::a_worker_killed_in_a_step_is_worth_another_try", a_worker_killed_in_a_step_is_worth_another_try),
    ("steps::an_idle_worker_that_died_is_replaced", an_idle_worker_that_died_is_replaced),
    (
        "steps::a_database_that_is_too_slow_is_worth_another_try",
        a_database_that_is_too_slow_is_worth_another_try,
    ),
    ("steps::a_tampered_artifact_is_compiled_again", a_tampered_artifact_is_compiled_again),
    ("steps::what_is_no_rotator_is_refused_by_name", what_is_no_rotator_is_refused_by_name),
    (
        "steps::admission_tells_imports_and_manifest_whether_compiled_before_or_not",
        admission_tells_imports_and_manifest_whether_compiled_before_or_not,
    ),
    (
        "steps::a_program_that_does_not_start_is_worth_another_try",
        a_program_that_does_not_start_is_worth_another_try,
    ),
    ("steps::the_overhead_of_a_warm_worker", the_overhead_of_a_warm_worker),
];

fn four_steps_each_done_twice_rotate_once() {
    block(async {
        let stage = Stage::new();
        stage.runtime.prepare(&postgres()).await.unwrap();
        for step in STEPS {
            for _ in 0..2 {
                let report = stage.run(&postgres(), step).await;
                assert_eq!(report.outcome, Outcome::Done, "{step}: {:?}", report.log);
            }
        }
        let pending: serde_json::Value =
            serde_json::from_str(stage.secret.pending.lock().unwrap().as_ref().unwrap()).unwrap();
        assert_eq!(pending["password"], *stage.server.password.lock().unwrap());
        assert_ne!(pending["password"], "old-password");
        assert_eq!(pending["password"].as_str().unwrap().len(), 32);
        assert_eq!(pending["note"], "kept");
        assert_eq!(stage.server.password_changes.load(Ordering::SeqCst), 1);
        assert_eq!(stage.secret.promoted.load(Ordering::SeqCst), 2);
        assert_eq!(stage.runtime.idle_workers().len(), 1, "one worker did all of it");
    });
}

fn without_a_grant_nothing_is_dialled() {
    block(async {
        let stage = Stage::new();
        stage.server.at_login(|| panic!("dialled"));
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
        let report = stage.run_granted(&postgres(), Step::SetSecret, Grants::default()).await;
        assert!(permanent(&report).contains("grants"), "{report:?}");
    });
}

fn a_superseded_rotation_ends_as_that() {
    block(async {
        let stage = Stage::new();
        stage.secret.superseded.store(true, Ordering::SeqCst);
        for step in STEPS {
            assert_eq!(stage.run(&postgres(), step).await.outcome, Outcome::Superseded, "{step}");
        }
    });
}

fn kill(process: u32) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

fn a_worker_killed_in_a_step_is_worth_another_try() {
    block(async {
        let stage = Stage::new();
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
        let workers = stage.runtime.idle_workers();
        let victim = workers[0];
        stage.server.at_login(move || kill(victim));
        let report = stage.run(&postgres(), Step::SetSecret).await;
        assert!(transient(&report).contains("worker process ended unexpectedly"), "{report:?}");
        stage.server.at_login(|| ());
        for step in STEPS {
            assert_eq!(stage.run(&postgres(), step).await.outcome, Outcome::Done, "{step}");
        }
        assert!(!stage.runtime.idle_workers().contains(&victim));
    });
}

fn an_idle_worker_that_died_is_replaced() {
    block(async {
        let stage = Stage::new();
        stage.runtime.prestart().await;
        let victim = stage.runtime.idle_workers()[0];
        kill(victim);
        // The kernel has ended it when nothing of it can be seen but its status.
        let status = format!("/proc/{victim}/stat");
        while !std::fs::read_to_string(&status).unwrap_or_default().contains(") Z") {
            tokio::task::yield_now().await;
        }
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
}

fn a_database_that_is_too_slow_is_worth_another_try() {
    block(async {
        let stage =
            Stage::with(program(), StepLimits { wall: Duration::from_millis(300), ..StepLimits::default() });
        stage.runtime.prepare(&postgres()).await.unwrap();
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
        stage.server.mute.store(true, Ordering::SeqCst);
        let report = stage.run(&postgres(), Step::SetSecret).await;
        assert!(transient(&report).contains("did not end within 0.3 s"), "{report:?}");
        assert_eq!(stage.runtime.idle_workers(), [] as [u32; 0], "a worker in an unknown state was kept");
    });
}

fn a_tampered_artifact_is_compiled_again() {
    block(async {
        let stage = Stage::new();
        stage.runtime.prepare(&postgres()).await.unwrap();
        let compiled = stage.directory.path().join("compiled");
        let file = std::fs::read_dir(compiled).unwrap().next().unwrap().unwrap().path();
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0xff;
        std::fs::write(&file, &bad).unwrap();
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
        assert_eq!(std::fs::read(&file).unwrap(), good);
    });
}

fn admission_tells_imports_and_manifest_whether_compiled_before_or_not() {
    // A custom section at the end: its number, its length, its name's length, its name, and the text.
    let text = b"[grants]\nown-target = true\n";
    let section =
        [&[0, u8::try_from(1 + 13 + text.len()).unwrap(), 13], &b"pawl:manifest"[..], text].concat();
    let component = Component::new([postgres().bytes(), &section].concat());
    block(async {
        let stage = Stage::new();
        let started = Instant::now();
        let first = stage.runtime.admit(&component, "somebody").await.unwrap();
        println!("admission of the PostgreSQL rotator took {} ms", started.elapsed().as_millis());
        assert_eq!(first.manifest.as_deref().map(str::as_bytes), Some(&text[..]));
        assert!(first.imports.iter().any(|import| import == "pawl:rotation/database@0.1.0"), "{first:?}");
        assert_eq!(stage.runtime.admit(&component, "somebody").await.unwrap(), first);
        let plain = stage.runtime.admit(&postgres(), "somebody").await.unwrap();
        assert_eq!((plain.manifest, plain.imports), (None, first.imports));
        assert_eq!(stage.run(&component, Step::CreateSecret).await.outcome, Outcome::Done);
        // A name that the world has, before another shape.
        let other = r#"(component (import "pawl:rotation/log@0.1.0" (instance (export "shout" (func))))
            (instance $steps) (export "pawl:rotation/steps@0.1.0" (instance $steps)))"#;
        let other = Component::new(wat::parse_str(other).unwrap());
        let error = stage.runtime.admit(&other, "somebody").await.unwrap_err().to_string();
        assert!(error.contains("does not fit") && error.contains("shout"), "{error}");
    });
}

fn what_is_no_rotator_is_refused_by_name() {
    block(async {
        let stage = Stage::new();
        let refusal = async |text: &str| {
            let component = Component::new(wat::parse_str(text).unwrap());
            stage.runtime.prepare(&component).await.unwrap_err().to_string()
        };
        let sockets = refusal(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#).await;
        assert!(sockets.contains("imports wasi:sockets/tcp@0.2.0, which"), "{sockets}");
        let unversioned = refusal(r#"(component (import "anything" (func)))"#).await;
        assert!(unversioned.contains("imports anything, which"), "{unversioned}");
        assert!(refusal("(component)").await.contains("does not export pawl:rotation/steps"));
        assert!(refusal("(module)").await.contains("is a core module, and no component"));
        let error =
            stage.runtime.prepare(&Component::new(&b"(component)"[..])).await.unwrap_err().to_string();
        assert!(error.contains("is not a valid WebAssembly component"), "text was taken: {error}");
        assert!(
            stage.runtime.prepare(&Component::new(&b""[..])).await.unwrap_err().to_string().contains("empty")
        );
        // A step of one never gets as far as a worker.
        let report = stage.run(&Component::new(&b"junk"[..]), Step::CreateSecret).await;
        assert!(permanent(&report).contains("is not a valid WebAssembly component"), "{report:?}");
    });
}

fn a_program_that_does_not_start_is_worth_another_try() {
    block(async {
        let stage = Stage::with("/no/such/program".into(), StepLimits::default());
        assert!(transient(&stage.run(&postgres(), Step::CreateSecret).await).contains("does not start"));
        stage.runtime.prestart().await;
        assert_eq!(stage.runtime.idle_workers(), [] as [u32; 0]);
    });
}

/// Prints a number and holds none: machines differ.
fn the_overhead_of_a_warm_worker() {
    block(async {
        let stage = Stage::new();
        for step in STEPS {
            assert_eq!(stage.run(&postgres(), step).await.outcome, Outcome::Done);
        }
        let mut micros = Vec::new();
        for _ in 0..500 {
            let start = Instant::now();
            for step in STEPS {
                assert_eq!(stage.run(&postgres(), step).await.outcome, Outcome::Done);
            }
            micros.push(start.elapsed().as_micros());
        }
        micros.sort_unstable();
        println!("    four warm steps: p50 {} us, p99 {} us", micros[250], micros[495]);
    });
}
