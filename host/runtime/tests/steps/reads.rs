//! What a rotator reads that was granted `reveal` or `statements`, through a real worker; and what becomes of it.

use std::sync::atomic::Ordering;

use pawl_core::function::{Environment, Grants};
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::{Component, StepReport};

use super::Test;
use super::stage::{STEPS, Stage, block, builtin, permanent};

pub(crate) const TESTS: &[Test] = &[
    ("reads::a_password_is_revealed_by_the_grant_alone", a_password_is_revealed_by_the_grant_alone),
    (
        "reads::a_statement_goes_through_and_no_password_comes_back",
        a_statement_goes_through_and_no_password_comes_back,
    ),
];

/// The password, as the stage has it.
const OLD: &str = "old-password";

fn reader() -> Component {
    Component::new(std::fs::read(pawl_tests::artifacts::guest("guest-reads")).unwrap())
}

async fn read(stage: &Stage, what: &str, step: Step, grants: Grants) -> StepReport {
    let environment = Environment::from([("READ".to_owned(), what.to_owned())]);
    let report = stage.run_with(&reader(), step, grants, environment).await;
    let told = format!("{:?} {:?} {:?}", report.outcome, report.log, stage.secret.notices.lock().unwrap());
    assert!(!told.contains(OLD), "{what} in {step}: {told}");
    report
}

fn a_password_is_revealed_by_the_grant_alone() {
    let stage = Stage::new();
    block(async {
        let report = read(&stage, "reveal", Step::CreateSecret, builtin().grants()).await;
        assert!(permanent(&report).contains("`reveal`"), "{report:?}");
        assert_eq!((report.reveals, report.log.len()), (0, 0));
        assert!(stage.secret.notices.lock().unwrap().is_empty());
        for step in [Step::CreateSecret, Step::SetSecret, Step::TestSecret] {
            let grants = Grants { reveal: true, ..builtin().grants() };
            let report = read(&stage, "reveal", step, grants).await;
            // The guest has it and says it everywhere; nobody else gets it.
            assert!(permanent(&report).starts_with("[held a sensitive value"), "{report:?}");
            let lines: Vec<_> = report.log.iter().map(|line| line.text.as_str()).collect();
            assert!(lines[0].starts_with("[held a sensitive value"), "{lines:?}");
            assert!(lines[1].starts_with("reveal: the rotator is shown the field `password`"), "{lines:?}");
            assert_eq!(report.reveals, 1);
        }
        assert_eq!(stage.secret.notices.lock().unwrap().len(), 3);
        stage.secret.superseded.store(true, Ordering::SeqCst);
        let grants = Grants { reveal: true, ..builtin().grants() };
        assert_eq!(read(&stage, "reveal", Step::SetSecret, grants).await.outcome, Outcome::Superseded);
    });
}

fn a_statement_goes_through_and_no_password_comes_back() {
    let stage = Stage::new();
    block(async {
        let without = read(&stage, "SELECT 1", Step::CreateSecret, builtin().grants()).await;
        assert!(permanent(&without).contains("`statements`"), "{without:?}");
        let grants = Grants { statements: true, ..builtin().grants() };
        for step in STEPS.into_iter().take(3) {
            let fine = read(&stage, "SELECT 1", step, grants.clone()).await;
            assert_eq!(permanent(&fine), r#"[[Some("SELECT 1"), Some("a"), None]]"#);
            let count = read(&stage, "execute", step, grants.clone()).await;
            assert_eq!(permanent(&count), "7");
            let echo = read(&stage, "SELECT password", step, grants.clone()).await;
            assert!(permanent(&echo).contains("holds a sensitive value"), "{echo:?}");
            assert!(echo.log.is_empty(), "{echo:?}");
        }
    });
}
