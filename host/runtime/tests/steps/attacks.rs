//! Everything that a hostile rotator could try, against a real worker: each attack ends as it must, tells no password, and
//! leaves a runtime that goes on. `docs/threat-model.md` has the times that these tests print.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pawl_core::function::{Environment, Grants, Target};
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::{Component, StepLimits, StepReport};

use super::Test;
use super::sandbox::guest;
use super::stage::{STEPS, Stage, block, builtin, permanent, postgres, program};

pub(crate) const TESTS: &[Test] = &[
    (
        "attacks::what_floods_or_breaks_is_stopped_in_every_step",
        what_floods_or_breaks_is_stopped_in_every_step,
    ),
    ("attacks::a_guest_that_sleeps_is_woken_by_nobody", a_guest_that_sleeps_is_woken_by_nobody),
    ("attacks::no_channel_gives_a_password", no_channel_gives_a_password),
    (
        "attacks::no_pending_version_points_to_a_server_of_the_guests_own",
        no_pending_version_points_to_a_server_of_the_guests_own,
    ),
    ("attacks::no_password_of_another_account_is_set", no_password_of_another_account_is_set),
    ("attacks::a_guest_has_no_machine", a_guest_has_no_machine),
    ("attacks::no_login_goes_where_it_must_not", no_login_goes_where_it_must_not),
    ("attacks::what_is_imported_without_right_is_named", what_is_imported_without_right_is_named),
    ("attacks::what_is_not_exported_is_named", what_is_not_exported_is_named),
    ("attacks::components_that_want_too_much_are_stopped", components_that_want_too_much_are_stopped),
    ("attacks::nothing_of_a_guest_is_left_for_the_next", nothing_of_a_guest_is_left_for_the_next),
];

/// The password before rotation, as the stage has it. No text may hold it.
const OLD: &str = "old-password";

pub(crate) fn attacker() -> Component {
    static BUILT: OnceLock<Component> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let file = pawl_tests::artifacts::guest("guest-attacks");
            Component::new(std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        })
        .clone()
}

fn limits() -> StepLimits {
    // So much wall clock that it is never what stops a guest whose test is about another limit, on however busy a machine.
    // Nor does the attacker wait for the worker in place of one that it has broken: here it breaks a hundred.
    StepLimits { wall: Duration::from_secs(300), respite: Duration::ZERO, ..StepLimits::default() }
}

/// Runs one attack, and says how long it took until it was over.
async fn attack(stage: &Stage, name: &str, step: Step) -> (StepReport, Duration) {
    attack_granted(stage, name, step, builtin().grants()).await
}

async fn attack_granted(stage: &Stage, name: &str, step: Step, grants: Grants) -> (StepReport, Duration) {
    let environment = Environment::from([("ATTACK".to_owned(), name.to_owned())]);
    let from = Instant::now();
    let report = stage.run_with(&attacker(), step, grants, environment).await;
    let took = from.elapsed();
    let told = format!("{:?} {:?}", report.outcome, report.log);
    let pending = stage.secret.pending.lock().unwrap().clone();
    let pending: Option<serde_json::Value> = pending.map(|text| serde_json::from_str(&text).unwrap());
    let new = pending.as_ref().and_then(|pending| pending["password"].as_str());
    assert!(
        !told.contains(OLD) && new.is_none_or(|new| !told.contains(new)),
        "{name} learnt a password: {told}"
    );
    assert!(told.len() < 512 * 1024, "{name} left {} bytes", told.len());
    assert_eq!(*stage.server.password.lock().unwrap(), OLD, "{name} changed the database");
    (report, took)
}

fn row(name: &str, by: &str, took: Duration) {
    println!("    | {name} | {by} | {:.1} ms |", took.as_secs_f64() * 1000.0);
}

/// The runtime still does its work: all of a step, with a worker as good as new.
async fn goes_on(stage: &Stage) {
    *stage.secret.pending.lock().unwrap() = None;
    assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    *stage.secret.pending.lock().unwrap() = None;
}

fn what_floods_or_breaks_is_stopped_in_every_step() {
    const ATTACKS: [(&str, &str); 13] = [
        ("loop", "fuel|processor time"),
        ("panic", "panicked"),
        ("exit", "exited within a step"),
        ("memory", "used more than 64 MiB of memory"),
        ("recursion", "overflowed its stack|out of bounds|unreachable"),
        ("call-flood", "called the host more than 10000 times"),
        ("log-flood", "called the host more than 10000 times|processor time|fuel"),
        ("byte-flood", "passed more than 32 MiB to the host in one step"),
        // As long as a line of log, and said once: a worker that dies of it would seem to be worth another try.
        ("failure-giant", "xxxxxxxx|passed more than 1 MiB"),
        ("log-giant", "passed more than 1 MiB"),
        ("stderr-flood", "fuel|processor time"),
        ("list-giant", "passed more than 1 MiB|memory"),
        ("handle-leak", "handles"),
    ];
    let stage = Stage::with(program(), limits());
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        goes_on(&stage).await;
        for (name, reasons) in ATTACKS {
            for step in STEPS {
                let (report, took) = attack(&stage, name, step).await;
                let text = permanent(&report);
                assert!(reasons.split('|').any(|reason| text.contains(reason)), "{name} in {step}: {text}");
                assert!(text.len() <= pawl_core::limits::LOG_LINE_BYTES_MAX, "{name}: {} bytes", text.len());
                if step == Step::CreateSecret {
                    row(name, text, took);
                }
            }
            goes_on(&stage).await;
        }
    });
}

fn a_guest_that_sleeps_is_woken_by_nobody() {
    let stage =
        Stage::with(program(), StepLimits { wall: Duration::from_millis(500), ..StepLimits::default() });
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let (report, took) = attack(&stage, "sleep", Step::CreateSecret).await;
        row("sleep", permanent(&report), took);
        assert!(permanent(&report).contains("did not end within 0.5 s"), "{report:?}");
    });
}

fn no_channel_gives_a_password() {
    const CHANNELS: [(&str, &str); 8] = [
        ("read", r#""password" = None"#),
        ("move-to-readable", "note refused"),
        ("plant", "refused"),
        ("weak-rules", "entropy"),
        ("reuse", "must come from random-password"),
        ("old-version", "must come from random-password"),
        ("redirect", "host: refused"),
        ("other-secret", "refused"),
    ];
    let stage = Stage::with(program(), limits());
    *stage.secret.previous.lock().unwrap() =
        Some(stage.secret.current.lock().unwrap().replace(OLD, "the-password-before-last"));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        for (name, because) in CHANNELS {
            let (report, took) = attack(&stage, name, Step::CreateSecret).await;
            let text = permanent(&report);
            row(name, text, took);
            // Stopped by the rule that is there for it, and not by another before it.
            assert!(text.contains(because), "{name}: {text}");
            assert!(!text.contains("it was allowed") && !text.contains("took it"), "{name}: {text}");
            assert!(stage.secret.pending.lock().unwrap().is_none(), "{name} stored a version");
        }
        goes_on(&stage).await;
    });
}

/// Whatever the operator lets a rotator change and reach: applications take what they get where AWSCURRENT says.
fn no_pending_version_points_to_a_server_of_the_guests_own() {
    let stage = Stage::with(program(), limits());
    let fields = ["username", "password", "host", "port", "ssl", "engine"].map(str::to_owned);
    let anywhere = Target::try_from("evil.example:1".to_owned()).unwrap();
    let grants = Grants { pending_fields: fields.into(), targets: [anywhere].into(), ..builtin().grants() };
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let (report, took) = attack_granted(&stage, "redirect", Step::CreateSecret, grants).await;
        let text = permanent(&report);
        row("redirect, granted", text, took);
        for field in ["host", "port", "ssl", "engine"] {
            assert!(text.contains(&format!("`{field}` must be that of AWSCURRENT")), "{text}");
        }
        assert!(stage.secret.pending.lock().unwrap().is_none());
    });
}

fn no_password_of_another_account_is_set() {
    let stage = Stage::with(program(), limits());
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let (report, took) = attack(&stage, "other-account", Step::SetSecret).await;
        row("other-account", permanent(&report), took);
        assert!(permanent(&report).contains("nor its alternate"), "{report:?}");
        assert_eq!(stage.server.password_changes.load(Ordering::SeqCst), 0);
    });
}

fn a_guest_has_no_machine() {
    let stage = Stage::with(program(), limits());
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let (report, took) = attack(&stage, "host", Step::CreateSecret).await;
        let text = permanent(&report);
        row("host", text, took);
        assert!(text.starts_with("Err(") && text.contains("Ok(0)"), "{text}");
        assert!(text.ends_with("[\"ATTACK\"]"), "{text}");
    });
}

fn no_login_goes_where_it_must_not() {
    let stage = Stage::with(program(), limits());
    stage.server.dials.store(true, Ordering::SeqCst);
    let grants = builtin().grants();
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        for host in [
            "169.254.169.254",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fe80::1",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "100.100.100.200",
            "0.0.0.0",
            // As the name service reads numbers.
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
        ] {
            let secret =
                format!(r#"{{"engine":"postgres","host":"{host}","username":"app","password":"{OLD}"}}"#);
            *stage.secret.current.lock().unwrap() = secret;
            let (report, took) = attack(&stage, "login", Step::CreateSecret).await;
            let text = permanent(&report);
            row(&format!("login at {host}"), text, took);
            assert!(text.contains("NotGranted") && text.contains("egress"), "{host}: {text}");
        }
        // Names whose answers change are tried in `dial`: one question, and the address that was checked is dialled.
        let none = Grants { own_target: false, ..grants };
        let (report, took) = attack_granted(&stage, "login", Step::CreateSecret, none).await;
        row("login without a grant", permanent(&report), took);
        assert!(permanent(&report).contains("NotGranted"), "{report:?}");
    });
}

fn refused(text: &str) -> String {
    let component = Component::new(wat::parse_str(text).unwrap_or_else(|error| panic!("{error}")));
    let stage = Stage::new();
    block(async { stage.runtime.prepare(&component).await.unwrap_err().to_string() })
}

fn what_is_imported_without_right_is_named() {
    // A name that would fill a history, or a person's screen.
    let long = format!("evil:{}/secrets@0.1.0", "x".repeat(90_000));
    let error = refused(&format!(r#"(component (import "{long}" (instance)))"#));
    assert!(error.contains("evil:") && error.len() < 2_000, "{} bytes", error.len());
    for import in [
        "wasi:filesystem/types@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "wasi:sockets/ip-name-lookup@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:nn/tensor@0.2.0",
        "evil:rotation/secrets@0.1.0",
    ] {
        let from = Instant::now();
        let error = refused(&format!(r#"(component (import "{import}" (instance)))"#));
        row(&format!("import {import}"), "refused at admission", from.elapsed());
        let interface = import.split('@').next().unwrap();
        assert!(error.contains(interface), "{import}: {error}");
    }
}

fn what_is_not_exported_is_named() {
    for text in [
        "(component)",
        r#"(component (instance $steps) (export "pawl:rotation/steps" (instance $steps)))"#,
        r#"(component (instance $steps) (export "evil:rotation/steps@0.1.0" (instance $steps)))"#,
    ] {
        let error = refused(text);
        assert!(error.contains("pawl:rotation/steps"), "{text}: {error}");
    }
    // The right name, and nothing behind it: no worker takes it.
    let empty = r#"(component (instance $steps) (export "pawl:rotation/steps@0.1.0" (instance $steps)))"#;
    let stage = Stage::new();
    block(async {
        let component = Component::new(wat::parse_str(empty).unwrap());
        let report = stage.run(&component, Step::CreateSecret).await;
        assert_ne!(report.outcome, Outcome::Done);
        goes_on(&stage).await;
    });
}

fn components_that_want_too_much_are_stopped() {
    let stage = Stage::with(program(), limits());
    let twice = "(call $drop (local.get 0))";
    let attacks = [
        ("loop at start", guest(1, "(loop (br 0))", ""), "processor time|fuel"),
        ("trap at start", guest(1, "unreachable", ""), "aborted|trapped"),
        ("4 GiB at once", guest(65_536, "", ""), "memory"),
        ("native recursion", guest(1, "(drop (call $recurse (i32.const 0)))", ""), "overflowed its stack"),
        ("a handle after its drop", guest(1, "", twice), "handle"),
        ("a handle of its own making", guest(1, "", "(call $drop (i32.const 7))"), "handle"),
        ("memory.fill without end", guest(512, "", FILL), "processor time|fuel"),
        (
            "text out of bounds",
            guest(1, "", "(call $write (i32.const 1) (i32.const 65530) (i32.const 64))"),
            "",
        ),
        ("text that is no UTF-8", guest(1, "", BROKEN_TEXT), ""),
    ];
    block(async {
        // Memory that no limiter is asked about.
        let shared = guest(1, ") (memory 1 65536 shared) (func $unused", "");
        let error = stage.runtime.prepare(&shared).await.unwrap_err().to_string();
        assert!(error.contains("threads must be enabled"), "{error}");
        for (name, component, reasons) in attacks {
            stage.runtime.prepare(&component).await.unwrap();
            let from = Instant::now();
            let report = stage.run(&component, Step::CreateSecret).await;
            let text = permanent(&report);
            row(name, text, from.elapsed());
            assert!(reasons.split('|').any(|reason| text.contains(reason)), "{name}: {text}");
            goes_on(&stage).await;
        }
    });
}

const FILL: &str = "(loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 33554432)) (br 0))";
const BROKEN_TEXT: &str =
    "(i32.store8 (i32.const 0) (i32.const 255)) (call $write (i32.const 1) (i32.const 0) (i32.const 1))";

/// A guest that looks through all of its fresh memory for a byte that is not zero, and then leaves marks everywhere.
fn nothing_of_a_guest_is_left_for_the_next() {
    const ROUNDS: usize = 200;
    let look = "(local $at i32)
      (loop $next
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 4194304))))
      (memory.fill (i32.const 16) (i32.const 165) (i32.const 4194288))";
    let stage = Stage::new();
    let components = [guest(64, look, ""), guest(65, look, "")];
    block(async {
        for round in 0..ROUNDS {
            let report = stage.run(&components[round % 2], Step::CreateSecret).await;
            assert_eq!(report.outcome, Outcome::Done, "round {round}: memory was not empty");
        }
        // All rounds of one in one process, and no round of the other in it.
        assert_eq!(stage.runtime.workers().started, 2);
        assert_eq!(stage.runtime.idle_workers().len(), 2);
    });
    // The look is one that finds: a guest that dirties its memory first is stopped by it.
    let finds = guest(64, &look.replacen("(loop", "(i32.store8 (i32.const 99) (i32.const 1)) (loop", 1), "");
    let report = block(stage.run(&finds, Step::CreateSecret));
    assert_eq!(permanent(&report), "the rotator aborted");
}
