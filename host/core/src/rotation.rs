//! The rotation state machine: pure, so that every path through it can be walked in a test.
//!
//! A rotation has a token, which is the id of the version it makes. Its state is stored with the secret, in the same
//! transaction as every label it moves; whoever finds it there (this host after a crash, another host) goes on at the recorded
//! step. A step may therefore run more than once, and never less than once.

mod history;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::history::NOTICE;
use crate::function::{Digest, FunctionArn};
use crate::limits;
use crate::names::VersionId;
use crate::world::{Rng, Timestamp};

/// The four steps of AWS's rotation function, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Make the new value and store it as AWSPENDING.
    CreateSecret,
    /// Give the database the new password.
    SetSecret,
    /// Log in with it.
    TestSecret,
    /// Move AWSCURRENT.
    FinishSecret,
}

impl Step {
    /// The step after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::CreateSecret => Some(Self::SetSecret),
            Self::SetSecret => Some(Self::TestSecret),
            Self::TestSecret => Some(Self::FinishSecret),
            Self::FinishSecret => None,
        }
    }

    /// AWS's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a step ended. The texts are for people: they name users and targets, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it had to.
    Done,
    /// Worth another try by itself.
    Transient(String),
    /// A person must act.
    Permanent(String),
    /// Another rotation, or a person, has taken over the secret.
    Superseded,
}

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Status {
    /// This step is to be run, now or at `not_before`.
    Running {
        /// The step.
        step: Step,
    },
    /// AWSCURRENT is the new version.
    Succeeded,
    /// Given up before the database can have taken the new password as the only one. The pending version stays; the next
    /// rotation takes it up again.
    Failed {
        /// The step that failed.
        step: Step,
    },
    /// Given up after the database took the new password: AWSCURRENT may name one that no longer opens anything. The pending
    /// version holds the one that does, and the next rotation takes it up again, without making a third.
    Stranded {
        /// The step that failed.
        step: Step,
    },
    /// Ended by CancelRotateSecret.
    Cancelled,
    /// A person stored a new current version meanwhile.
    Abandoned,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Running { .. } => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed { .. } => "Failed",
            Self::Stranded { .. } => "Stranded",
            Self::Cancelled => "Cancelled",
            Self::Abandoned => "Abandoned",
        }
    }

    /// The step to run, if there is one.
    #[must_use]
    pub const fn running(&self) -> Option<Step> {
        match self {
            Self::Running { step } => Some(*step),
            _ => None,
        }
    }
}

/// What is kept of a step that ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step.
    pub step: Step,
    /// When its last try began.
    pub started_at: Timestamp,
    /// How long its last try took, in microseconds.
    pub micros: u64,
    /// Tries, the last one included.
    pub tries: u32,
}

/// What is kept of the last failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The step that failed.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// Whether it is tried again without anybody's doing.
    pub retried: bool,
}

/// A line that a rotator wrote, or the host about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The step that wrote it.
    pub step: Step,
    /// `debug`, `info`, `warn`, or [`NOTICE`].
    pub level: String,
    /// The text, cut and without control characters.
    pub message: String,
}

/// How long a step took and what it wrote, beside its outcome.
#[derive(Clone, Debug)]
pub struct StepRun {
    /// When it began, by the domain's clock.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it wrote.
    pub log: Vec<LogLine>,
    /// What it proved about the new version.
    pub proof: Proof,
    /// When the server had the new password, by the domain's clock, if that happened in this run.
    pub changed_at: Option<Timestamp>,
    /// Of finishSecret: how long AWSCURRENT named a password that was no longer the server's, if that was measured.
    pub gap: Option<Duration>,
}

impl StepRun {
    /// A run that began at `started_at`, with nothing to tell yet.
    #[must_use]
    pub const fn begun(started_at: Timestamp) -> Self {
        Self {
            started_at,
            took: Duration::ZERO,
            log: Vec::new(),
            proof: Proof { login: false, privileges: false },
            changed_at: None,
            gap: None,
        }
    }
}

/// What the host itself has seen the new version do. A rotator's word is not enough to promote on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its credentials opened the server.
    pub login: bool,
    /// Its account can do what the current version's can, and nothing else.
    pub privileges: bool,
}

/// An account on a server, as refused logins are counted: `user@host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(String);

impl Account {
    /// The account of this user at this place. Host names have no case.
    #[must_use]
    pub fn new(username: &str, host: &str, port: u16) -> Self {
        Self(format!("{username}@{}:{port}", host.to_ascii_lowercase()))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One rotation of one secret, from request to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The id of the version that this rotation makes.
    pub token: VersionId,
    /// The function that does it.
    pub function: FunctionArn,
    /// The function's code, pinned from beginning to end.
    pub digest: Digest,
    /// Where it stands.
    pub status: Status,
    /// Failed tries of the step that is running.
    pub failed_tries: u32,
    /// When the running step may be tried (again).
    pub not_before: Timestamp,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The steps that ended well.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
    /// What the rotator wrote.
    #[serde(default)]
    pub log: Vec<LogLine>,
    /// Whether a server may have taken the new password. Noted before it is sent.
    #[serde(default)]
    pub exposed: bool,
    /// When the server had the new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// How long AWSCURRENT named a password that was no longer the server's, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_micros: Option<u64>,
    /// What testSecret has proved.
    #[serde(default)]
    pub proof: Proof,
    /// Logins that servers have refused, in a row, by account. Servers lock accounts for that, so it outlives a crash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<Account, u32>,
    /// CancelRotateSecret came when it was too late to stop without locking the application out: it goes on to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Runs testSecret alone, on a copy of the current value: RotateSecret with `RotateImmediately` false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
    /// Of a trial: its temporary version is gone, and what its token names since is somebody else's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swept: bool,
}

impl Rotation {
    /// A rotation that is to begin now.
    #[must_use]
    pub const fn begin(token: VersionId, function: FunctionArn, digest: Digest, now: Timestamp) -> Self {
        Self {
            token,
            function,
            digest,
            status: Status::Running { step: Step::CreateSecret },
            failed_tries: 0,
            not_before: now,
            requested_at: now,
            finished_at: None,
            steps: Vec::new(),
            failure: None,
            log: Vec::new(),
            exposed: false,
            changed_at: None,
            gap_micros: None,
            proof: Proof { login: false, privileges: false },
            refusals: BTreeMap::new(),
            cancelled: false,
            check: false,
            swept: false,
        }
    }

    /// A trial of the configuration, to begin now: testSecret and nothing else.
    #[must_use]
    pub fn check(token: VersionId, function: FunctionArn, digest: Digest, now: Timestamp) -> Self {
        let status = Status::Running { step: Step::TestSecret };
        Self { status, check: true, ..Self::begin(token, function, digest, now) }
    }

    /// When the next step is due; none once the rotation has ended.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.status.running().map(|_| self.not_before)
    }

    /// Whether the running step is `step`.
    #[must_use]
    pub fn is_at(&self, step: Step) -> bool {
        self.status.running() == Some(step)
    }

    /// Tries again now: a rotation that waits stops waiting; one that was given up, or cancelled, begins again at the first
    /// step with the same token, so that no second password is made. By the function that is configured now: a wrong one can be
    /// replaced.
    pub fn retry_now(&mut self, function: FunctionArn, digest: Digest, now: Timestamp) {
        if self.status.running().is_none() {
            self.function = function;
            self.digest = digest;
            self.status = Status::Running { step: Step::CreateSecret };
            self.failed_tries = 0;
            self.requested_at = now;
            self.finished_at = None;
            self.steps.clear();
            self.log.clear();
            self.failure = None;
        }
        // Whoever asks has looked, or has mended what was wrong.
        self.refusals.clear();
        self.cancelled = false;
        self.not_before = now;
    }

    /// A server is about to be given the new password. From here on, stopping could leave an application without a login.
    pub fn expose(&mut self, now: Timestamp) {
        self.exposed = true;
        self.changed_at.get_or_insert(now);
    }

    /// A login was tried, and the server has refused it or not. Servers count refusals in a row, and so does this.
    pub fn note_login(&mut self, account: Account, refused: bool) {
        if refused {
            let count = self.refusals.entry(account).or_default();
            *count = count.saturating_add(1);
        } else {
            self.refusals.remove(&account);
        }
    }

    /// How often in a row a server has refused this account in this rotation.
    #[must_use]
    pub fn refusals_of(&self, account: &Account) -> u32 {
        self.refusals.get(account).copied().unwrap_or(0)
    }

    /// Whether an account has been refused so often that another try could lock it: a person must look.
    #[must_use]
    pub fn circuit_is_open(&self) -> bool {
        self.refusals.values().any(|count| *count >= limits::FAILED_LOGINS_MAX)
    }

    /// Whether it goes on trying although it has failed as often as a rotation may that has changed nothing yet.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.status.running().is_some() && self.failed_tries >= self.tries_max()
    }

    /// What follows from the end of a step.
    pub fn step_ended(&mut self, step: Step, outcome: Outcome, run: StepRun, now: Timestamp, rng: &dyn Rng) {
        if !self.is_at(step) {
            return;
        }
        if let Some(at) = run.changed_at {
            self.exposed = true;
            self.changed_at = Some(at);
        }
        self.log.extend(run.log);
        self.trim_log();
        match outcome {
            Outcome::Done => {
                if step == Step::TestSecret {
                    self.proof = run.proof;
                }
                if step == Step::FinishSecret {
                    let gap = run.gap.or_else(|| {
                        self.changed_at.map(|changed| Duration::from_millis(now.millis_since(changed)))
                    });
                    self.gap_micros = gap.map(|gap| u64::try_from(gap.as_micros()).unwrap_or(u64::MAX));
                }
                self.steps.push(StepRecord {
                    step,
                    started_at: run.started_at,
                    micros: u64::try_from(run.took.as_micros()).unwrap_or(u64::MAX),
                    tries: self.failed_tries.saturating_add(1),
                });
                self.failed_tries = 0;
                self.failure = None;
                match step.next().filter(|_| !self.check) {
                    Some(next) => {
                        self.status = Status::Running { step: next };
                        // It is due already; what an index of the store has stays as it is.
                        self.not_before = self.not_before.min(now);
                    }
                    None => self.end(Status::Succeeded, now),
                }
            }
            Outcome::Transient(reason) => {
                self.failed_tries = self.failed_tries.saturating_add(1);
                // What the server may have taken already is never given up for what may pass.
                let retried = self.failed_tries < self.tries_max() || (self.exposed && !self.check);
                self.failure = Some(FailureRecord { step, at: now, reason, retried });
                if retried {
                    self.not_before = now + backoff(self.failed_tries, rng);
                } else {
                    self.give_up(step, now);
                }
            }
            Outcome::Permanent(reason) => {
                self.failed_tries = self.failed_tries.saturating_add(1);
                self.failure = Some(FailureRecord { step, at: now, reason, retried: false });
                self.give_up(step, now);
            }
            Outcome::Superseded => self.end(Status::Abandoned, now),
        }
    }

    /// CancelRotateSecret; whether it was running. Once a server may have the new password, ending here would leave AWSCURRENT
    /// with one that opens nothing: then it goes on to its end, and is the last.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        let running = self.status.running().is_some();
        if running && self.exposed && !self.check {
            self.cancelled = true;
        } else if running {
            self.end(Status::Cancelled, now);
        }
        running
    }

    /// Whether its version may hold the password that the server has, although AWSCURRENT has never been on it.
    #[must_use]
    pub fn leaves_adrift(&self) -> bool {
        self.exposed && !self.check && self.status != Status::Succeeded
    }

    /// A person has stored a new current version.
    pub fn abandon(&mut self, now: Timestamp) {
        if self.status != Status::Succeeded && self.status != Status::Abandoned {
            self.end(Status::Abandoned, now);
        }
    }

    /// A trial holds the schedule up while it is tried again, so it is given up sooner.
    const fn tries_max(&self) -> u32 {
        if self.check { limits::CHECK_TRIES_MAX } else { limits::STEP_TRIES_MAX }
    }

    fn give_up(&mut self, step: Step, now: Timestamp) {
        let after_set = !self.check && (step > Step::SetSecret || self.exposed);
        self.end(if after_set { Status::Stranded { step } } else { Status::Failed { step } }, now);
    }

    fn end(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.finished_at = Some(now);
    }
}

/// The wait after the nth failed try: doubling, with a ceiling, and up to a quarter less by chance so that rotations which failed
/// together do not come back together.
fn backoff(failed_tries: u32, rng: &dyn Rng) -> Duration {
    let doublings = failed_tries.saturating_sub(1).min(16);
    let full = limits::BACKOFF_FIRST.saturating_mul(1 << doublings).min(limits::BACKOFF_MAX);
    full - full.mul_f64(f64::from(rng.below(1_000)) / 4_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoChance;
    impl Rng for NoChance {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn begun() -> Rotation {
        Rotation::begin(
            "0".repeat(32).parse().unwrap(),
            FunctionArn::given("arn".to_owned()),
            Digest::from_bytes([0; 32]),
            Timestamp::from_millis(0),
        )
    }

    fn run() -> StepRun {
        StepRun { took: Duration::from_millis(1), ..StepRun::begun(Timestamp::from_millis(0)) }
    }

    fn end(rotation: &mut Rotation, outcome: Outcome, now: i64) {
        let step = rotation.status.running().unwrap();
        rotation.step_ended(step, outcome, run(), Timestamp::from_millis(now), &NoChance);
    }

    #[test]
    fn what_the_host_notes_is_written_once_and_is_pushed_out_by_no_rotator() {
        let mut rotation = begun();
        assert!(!rotation.notice("a key is asked for"));
        assert!(rotation.notice("a key is asked for"), "a second try finds it");
        let noise = |n: usize| LogLine {
            step: Step::CreateSecret,
            level: "warn".to_owned(),
            message: format!("noise {n}"),
        };
        let mut run = StepRun::begun(Timestamp::from_millis(1));
        run.log = (0..limits::LOG_LINES_MAX * 2).map(noise).collect();
        let now = Timestamp::from_millis(2);
        rotation.step_ended(Step::CreateSecret, Outcome::Transient("x".to_owned()), run, now, &NoChance);
        assert_eq!(rotation.log.len(), limits::LOG_LINES_MAX);
        assert!(rotation.log[0].level == NOTICE && rotation.notice("a key is asked for"));
        // Of those that are too many the oldest goes.
        for n in 0..=limits::LOG_LINES_MAX {
            rotation.notice(&format!("notice {n}"));
        }
        assert_eq!(rotation.log.len(), limits::LOG_LINES_MAX);
        assert!(!rotation.notice("a key is asked for"));
    }

    #[test]
    fn four_good_steps_make_a_rotation() {
        let mut rotation = begun();
        for _ in 0..4 {
            end(&mut rotation, Outcome::Done, 1);
        }
        assert_eq!(rotation.status, Status::Succeeded);
        assert_eq!(rotation.due_at(), None);
        let steps: Vec<_> = rotation.steps.iter().map(|s| s.step.name()).collect();
        assert_eq!(steps, ["createSecret", "setSecret", "testSecret", "finishSecret"]);
    }

    #[test]
    fn a_step_that_goes_on_is_due_as_it_was_whatever_the_clock_does() {
        let mut rotation = begun();
        rotation.not_before = Timestamp::from_millis(10);
        end(&mut rotation, Outcome::Done, 12);
        assert_eq!(rotation.not_before, Timestamp::from_millis(10));
        end(&mut rotation, Outcome::Done, 7);
        assert_eq!(rotation.not_before, Timestamp::from_millis(7));
    }

    #[test]
    fn a_transient_failure_waits_longer_each_time_and_is_given_up_at_last() {
        let mut rotation = begun();
        let mut waits = Vec::new();
        while rotation.status.running().is_some() {
            let now = rotation.not_before.millis();
            end(&mut rotation, Outcome::Transient("down".to_owned()), now);
            waits.push(rotation.not_before.millis() - now);
        }
        assert_eq!(u32::try_from(waits.len()).unwrap(), limits::STEP_TRIES_MAX);
        assert_eq!(waits[0], 500);
        assert_eq!(waits[1], 1_000);
        assert_eq!(waits[15], 300_000);
        assert_eq!(rotation.status, Status::Failed { step: Step::CreateSecret });
    }

    #[test]
    fn giving_up_after_set_is_stranded_and_a_retry_keeps_the_token() {
        let mut rotation = begun();
        end(&mut rotation, Outcome::Done, 1);
        end(&mut rotation, Outcome::Done, 1);
        end(&mut rotation, Outcome::Permanent("refused".to_owned()), 2);
        assert_eq!(rotation.status, Status::Stranded { step: Step::TestSecret });
        let token = rotation.token.clone();
        let other = FunctionArn::given("other".to_owned());
        rotation.retry_now(other.clone(), Digest::from_bytes([1; 32]), Timestamp::from_millis(3));
        assert_eq!(rotation.function, other);
        assert!(rotation.is_at(Step::CreateSecret));
        assert_eq!(rotation.token, token);
    }

    #[test]
    fn giving_up_in_set_is_stranded_once_the_server_may_have_the_password() {
        let mut rotation = begun();
        end(&mut rotation, Outcome::Done, 1);
        rotation.expose(Timestamp::from_millis(1));
        end(&mut rotation, Outcome::Permanent("panicked".to_owned()), 2);
        assert_eq!(rotation.status, Status::Stranded { step: Step::SetSecret });
    }

    #[test]
    fn what_may_pass_is_never_given_up_once_the_server_may_have_the_password() {
        let mut rotation = begun();
        end(&mut rotation, Outcome::Done, 1);
        rotation.expose(Timestamp::from_millis(1));
        for _ in 0..limits::STEP_TRIES_MAX * 2 {
            assert!(rotation.status.running().is_some());
            let now = rotation.not_before.millis();
            end(&mut rotation, Outcome::Transient("down".to_owned()), now);
            assert!(rotation.failure.as_ref().is_some_and(|failure| failure.retried));
        }
        assert!(rotation.is_stuck(), "and somebody is told");
    }

    #[test]
    fn cancelling_ends_a_rotation_only_while_that_is_harmless() {
        let mut early = begun();
        assert!(early.cancel(Timestamp::from_millis(1)));
        assert_eq!(early.status, Status::Cancelled);
        let mut late = begun();
        end(&mut late, Outcome::Done, 1);
        late.expose(Timestamp::from_millis(1));
        assert!(late.cancel(Timestamp::from_millis(1)));
        assert!(late.cancelled && late.is_at(Step::SetSecret));
    }

    #[test]
    fn refusals_are_counted_in_a_row_and_by_account() {
        let mut rotation = begun();
        let (app, other) = (Account::new("app", "DB", 5432), Account::new("other", "db", 5432));
        assert_eq!(app, Account::new("app", "db", 5432));
        for _ in 0..limits::FAILED_LOGINS_MAX - 1 {
            rotation.note_login(app.clone(), true);
        }
        rotation.note_login(other, true);
        assert!(!rotation.circuit_is_open());
        rotation.note_login(app.clone(), false);
        assert_eq!(rotation.refusals_of(&app), 0);
        for _ in 0..limits::FAILED_LOGINS_MAX {
            rotation.note_login(app.clone(), true);
        }
        assert!(rotation.circuit_is_open());
        let stored: Rotation = serde_json::from_str(&serde_json::to_string(&rotation).unwrap()).unwrap();
        assert_eq!(stored, rotation);
        rotation.retry_now(FunctionArn::given("f".to_owned()), Digest::from_bytes([0; 32]), app_time());
        assert!(!rotation.circuit_is_open(), "a person has asked");
    }

    fn app_time() -> Timestamp {
        Timestamp::from_millis(5)
    }

    #[test]
    fn a_check_is_its_test_and_strands_nothing() {
        let check = || {
            let Rotation { token, function, digest, .. } = begun();
            Rotation::check(token, function, digest, Timestamp::from_millis(0))
        };
        let mut good = check();
        end(&mut good, Outcome::Done, 1);
        assert_eq!((good.status, good.steps.len()), (Status::Succeeded, 1));
        let mut bad = check();
        end(&mut bad, Outcome::Permanent("refused".to_owned()), 1);
        assert_eq!(bad.status, Status::Failed { step: Step::TestSecret });
    }

    #[test]
    fn a_late_answer_of_an_earlier_step_changes_nothing() {
        let mut rotation = begun();
        end(&mut rotation, Outcome::Done, 1);
        let before = rotation.clone();
        rotation.step_ended(
            Step::CreateSecret,
            Outcome::Permanent("late".to_owned()),
            run(),
            Timestamp::from_millis(2),
            &NoChance,
        );
        assert_eq!(rotation, before);
    }
}
