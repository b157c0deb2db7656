//! What is told of changes, and what is kept of the rotations that they end.

use std::sync::Arc;
use std::time::Duration;

use pawl_core::function::{Digest, FunctionArn};
use pawl_core::limits;
use pawl_core::names::{SecretName, VersionId};
use pawl_core::rotation::{Outcome, Rotation, Step, StepRun};
use pawl_core::secret::{RotationConfig, Tag};
use pawl_core::value::SecretValue;
use pawl_core::world::Rng;
use pawl_store::{RotationState, Store};

use super::EventRecord;
use crate::app::tests::app;
use crate::app::{Action, App, Draft, Fate};
use crate::error::AppError;
use crate::identity::Caller;

struct Stage {
    app: App,
    store: Arc<dyn Store>,
    caller: Caller,
    seen: u64,
    _dir: tempfile::TempDir,
}

fn token(number: u8) -> VersionId {
    format!("{number:032}").parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::text(text.to_owned()).unwrap()
}

impl Stage {
    /// A secret with version 1 and a rotation function.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (app, store) = app(dir.path()).await;
        let caller = Caller::root(app.account(), "us-east-1".parse().unwrap(), "request".to_owned());
        let mut stage = Self { app, store, caller, seen: 0, _dir: dir };
        let name: SecretName = "x".parse().unwrap();
        let put = |draft: &mut Draft<'_>| draft.put(&token(1), &value("CANARY-1"), &[]).map(drop);
        stage
            .app
            .create(&stage.caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace))
            .await
            .unwrap();
        assert_eq!(stage.news().await, ["SecretCreated 1"]);
        let function = FunctionArn::given("arn:f".to_owned());
        stage
            .change(|draft| {
                let config = RotationConfig { enabled: true, function: function.clone(), schedule: None };
                draft.secret.rotation_config = Some(Box::new(config));
            })
            .await;
        assert_eq!(stage.news().await, ["SecretChanged: rotation"]);
        stage
    }

    async fn change(&self, edit: impl Fn(&mut Draft<'_>)) {
        let edit = |draft: &mut Draft<'_>| {
            edit(draft);
            Ok(())
        };
        self.app.change(&self.caller, Action::UpdateSecret, "x", edit).await.unwrap();
    }

    async fn rotate(&self, number: u8) {
        self.change(|draft| {
            let now = draft.now;
            draft.secret.rotate(&token(number), Digest::from_bytes([0; 32]), now).unwrap();
        })
        .await;
    }

    async fn step(&self, number: u8, step: Step, outcome: Outcome) {
        self.change(|draft| {
            let now = draft.now;
            let run = StepRun { took: Duration::from_micros(1_500), ..StepRun::begun(now) };
            draft.secret.step_ended(&token(number), (step, outcome.clone()), run, now, &Zeros);
        })
        .await;
    }

    /// What was told since the last time.
    async fn records(&mut self) -> Vec<EventRecord> {
        let entries = self.store.events(self.seen, 100).await.unwrap();
        self.seen = entries.last().map_or(self.seen, |entry| entry.seq);
        assert!(entries.iter().all(|entry| !entry.record.contains("CANARY")));
        entries.iter().map(|entry| serde_json::from_str(&entry.record).unwrap()).collect()
    }

    async fn news(&mut self) -> Vec<String> {
        let records = self.records().await;
        let short = |record: EventRecord| {
            let token = record.token.map(|token| format!(" {}", token.trim_start_matches('0')));
            let retried = record.retried.map(|retried| if retried { " (retried)" } else { " (given up)" });
            let reason = record.reason.map(|reason| format!(": {reason}"));
            [Some(record.kind), token, retried.map(str::to_owned), reason].into_iter().flatten().collect()
        };
        records.into_iter().map(short).collect()
    }

    /// The rotations that are kept, the newest first.
    async fn kept(&self) -> Vec<(u64, String, Rotation)> {
        let held = self.app.read(&self.caller, Action::DescribeSecret, "x").await.unwrap();
        let kept = self.store.rotations(&held.secret.arn, u64::MAX, 1_000).await.unwrap();
        kept.into_iter()
            .map(|kept| {
                let rotation = serde_json::from_str(&kept.rotation.document).unwrap();
                (kept.number, kept.rotation.status, rotation)
            })
            .collect()
    }

    async fn states(&self) -> Vec<RotationState> {
        let states = self.store.rotation_states().await.unwrap();
        RotationState::ALL.into_iter().filter(|state| states.of(*state) > 0).collect()
    }
}

struct Zeros;

impl Rng for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[tokio::test]
async fn each_change_tells_what_it_was() {
    let mut stage = Stage::new().await;
    stage
        .change(|draft| {
            let now = draft.now;
            draft.secret.description = Some("new".to_owned());
            draft.secret.tag(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }], now).unwrap();
        })
        .await;
    assert_eq!(stage.news().await, ["SecretChanged: description, tags"]);
    let put = |draft: &mut Draft<'_>, number: u8, labels: &[&str]| {
        let labels: Vec<_> = labels.iter().map(|label| label.parse().unwrap()).collect();
        draft.put(&token(number), &value("CANARY"), &labels).unwrap();
    };
    stage.change(|draft| put(draft, 2, &[])).await;
    assert_eq!(stage.news().await, ["VersionPromoted 2"]);
    stage.change(|draft| put(draft, 3, &["BLUE"])).await;
    assert_eq!(stage.news().await, ["SecretChanged 3: staging labels, a version beside the current one"]);
    stage.change(|_| {}).await;
    stage.app.read_value(&stage.caller, "x", None, None).await.unwrap();
    stage.app.write_accesses().await;
    assert_eq!(stage.news().await, [""; 0], "a read is no event");
    stage
        .change(|draft| draft.tell(super::EventType::DriftFound, Some(&token(2)), "it does not log in"))
        .await;
    assert_eq!(stage.news().await, ["DriftFound 2: it does not log in"], "though the secret is as it was");

    stage
        .change(|draft| {
            let now = draft.now;
            draft.secret.schedule_deletion(now.plus_days(7), now);
        })
        .await;
    let news = stage.records().await.remove(0);
    assert_eq!(news.kind, "StartSecretVersionDelete");
    assert!(news.reason.unwrap().starts_with("it can be restored until 20"));
    assert_eq!((news.name.as_str(), news.region.as_str(), news.id.len()), ("x", "us-east-1", 36));
    stage
        .change(|draft| {
            let now = draft.now;
            draft.secret.restore(now);
        })
        .await;
    assert_eq!(stage.news().await, ["CancelSecretVersionDelete"]);
    stage.rotate(4).await;
    let id = pawl_core::arn::SecretId { name: "x".parse().unwrap(), place: None, arn: None };
    let purge = |_: &mut Draft<'_>| Ok(((), Fate::Purged));
    stage.app.change_at(&stage.caller, Action::DeleteSecret, &id, None, purge).await.unwrap();
    assert_eq!(
        stage.news().await,
        [
            "RotationStarted 4: by arn:f",
            "RotationAbandoned 4: the secret was deleted for ever",
            "EndSecretVersionDelete"
        ]
    );
}

#[tokio::test]
async fn a_rotation_is_told_and_kept_from_its_beginning_to_its_end() {
    let mut stage = Stage::new().await;
    stage.rotate(2).await;
    assert_eq!(stage.news().await, ["RotationStarted 2: by arn:f"]);
    assert_eq!((stage.kept().await.len(), stage.states().await), (0, vec![RotationState::Running]));
    let down = || Outcome::Transient("down".to_owned());
    for tries in 1..=5 {
        stage.step(2, Step::CreateSecret, down()).await;
        let expected =
            if u32::is_power_of_two(tries) { vec!["RotationFailed 2 (retried): down"] } else { vec![] };
        assert_eq!(stage.news().await, expected, "try {tries}");
        assert_eq!(stage.states().await, [RotationState::Waiting]);
    }
    stage.step(2, Step::CreateSecret, Outcome::Permanent("no".to_owned())).await;
    assert_eq!(stage.news().await, ["RotationFailed 2 (given up): no"]);
    assert_eq!(stage.states().await, [RotationState::Failed]);
    let kept = stage.kept().await;
    assert_eq!((kept.len(), kept[0].0, kept[0].1.as_str()), (1, 1, "Failed"));
    assert_eq!(kept[0].2.failure.as_ref().unwrap().reason, "no");

    // Begun again under the same token, and left by a person's own new version.
    stage.rotate(2).await;
    assert_eq!(stage.news().await, ["RotationStarted 2: by arn:f"]);
    stage.change(|draft| draft.put(&token(3), &value("CANARY"), &[]).map(drop).unwrap()).await;
    assert_eq!(
        stage.news().await,
        ["VersionPromoted 3", "RotationAbandoned 2: the secret was changed meanwhile"]
    );
    assert_eq!(stage.states().await, []);
    stage.change(|draft| draft.secret.description = Some("x".to_owned())).await;
    let kept: Vec<_> = stage.kept().await.into_iter().map(|(number, status, _)| (number, status)).collect();
    assert_eq!(kept, [(2, "Abandoned".to_owned()), (1, "Failed".to_owned())], "each once");
}

#[tokio::test]
async fn what_takes_anothers_place_leaves_that_ones_history() {
    let mut stage = Stage::new().await;
    stage
        .change(|draft| {
            let now = draft.now;
            draft.secret.begin_check(&token(2), Digest::from_bytes([0; 32]), now).unwrap();
        })
        .await;
    assert_eq!(stage.news().await, ["TestRotationStarted 2: by arn:f"]);
    stage.rotate(3).await;
    let told = stage.news().await;
    assert!(
        told.contains(&"TestRotationFailed 2: another rotation has taken its place".to_owned()),
        "{told:?}"
    );
    assert!(told.contains(&"RotationStarted 3: by arn:f".to_owned()), "{told:?}");
    let kept = stage.kept().await;
    assert_eq!((kept.len(), kept[0].1.as_str(), kept[0].2.check), (1, "Cancelled", true));
    stage
        .change(|draft| {
            let now = draft.now;
            draft.secret.cancel_rotation(now);
        })
        .await;
    let told = stage.news().await;
    assert!(told.contains(&"RotationCancelled 3".to_owned()), "{told:?}");
    assert_eq!(stage.kept().await[0].1, "Cancelled");
}

#[tokio::test]
async fn a_circuit_that_opens_is_told_once() {
    let mut stage = Stage::new().await;
    stage.rotate(2).await;
    stage.news().await;
    for refusals in 1..=limits::FAILED_LOGINS_MAX + 1 {
        stage
            .change(|draft| {
                let account = pawl_core::rotation::Account::new("app", "db", 5432);
                draft.secret.rotation.as_mut().unwrap().note_login(account, true);
            })
            .await;
        let told = stage.news().await;
        assert_eq!(told.len(), usize::from(refusals == limits::FAILED_LOGINS_MAX), "{told:?}");
        assert!(told.iter().all(|news| news.starts_with("RotationCircuitOpened 2")));
    }
}
