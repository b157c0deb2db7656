//! What a rotator must hold to, looked at one thing after the other.

mod crashes;
mod leaks;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use pawl_core::limits;
use pawl_core::rotation::{LogLine, Outcome, Status, Step};
use pawl_core::value::SecretValue;
use pawl_runtime::port::Which;
use pawl_server::{Drill, DrillError, Ended, Opens, Ran};

use self::leaks::Leaks;
use super::report::Report;
use crate::span;

/// In their order.
const STEPS: [Step; 4] = [Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret];

/// Why no further check makes sense.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// A check has failed, and has been reported.
    #[error("a check has failed")]
    Failed,
    #[error(transparent)]
    Drill(#[from] DrillError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// The checks of one rotator against one target.
pub(super) struct Checks<'a, 'p> {
    stage: &'a mut Drill,
    report: &'a mut Report<'p>,
    /// Whether the secret is a login that the host itself can try.
    is_login: bool,
    leaks: Leaks,
    slowest: BTreeMap<Step, Duration>,
    memory_bytes: u64,
}

impl<'a, 'p> Checks<'a, 'p> {
    pub(super) fn new(stage: &'a mut Drill, report: &'a mut Report<'p>) -> Self {
        let (leaks, slowest) = (Leaks::default(), BTreeMap::new());
        Self { stage, report, is_login: false, leaks, slowest, memory_bytes: 0 }
    }

    /// Makes all of them, or as many as make sense.
    pub(super) async fn run(&mut self) -> Result<(), Stop> {
        self.admitted().await?;
        self.first_value().await?;
        self.leaks.keep(self.stage.stored(Which::Current).await?);
        let old = self.stage.stored(Which::Current).await?;
        self.stage.rotate().await?;
        self.create().await?;
        self.not_yet(Step::TestSecret).await?;
        self.set().await?;
        self.not_yet(Step::FinishSecret).await?;
        self.test().await?;
        self.finish(old).await?;
        self.crashes().await?;
        self.no_leaks()?;
        let times = STEPS.iter().filter_map(|step| {
            let took = self.slowest.get(step)?;
            Some(format!("{step} {}", span::show(*took)))
        });
        let times: Vec<String> = times.collect();
        let limit = span::show(limits::STEP_WALL);
        self.report.say(&format!("\nat the slowest: {} (of {limit} for a step)", times.join(", ")))?;
        let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
        let limit = u64::try_from(limits::GUEST_MEMORY_BYTES_MAX).unwrap_or(u64::MAX);
        Ok(self.report.say(&format!("memory at most: {} (of {})", mib(self.memory_bytes), mib(limit)))?)
    }

    async fn admitted(&mut self) -> Result<(), Stop> {
        let name = "a server takes the component";
        let began = std::time::Instant::now();
        match self.stage.admit().await? {
            Ok(_) => Ok(self.report.ok_in(name, began.elapsed())?),
            Err(error) => self.fail(name, vec![error.to_string()]),
        }
    }

    async fn first_value(&mut self) -> Result<(), Stop> {
        let name = "AWSCURRENT opens the database";
        match self.stage.opens(Which::Current).await? {
            Opens::Yes => {
                self.is_login = true;
                Ok(self.report.ok(name)?)
            }
            Opens::No(why) => {
                let advice = "the test begins with a login that works: put right what --secret says";
                self.fail(name, vec![why, advice.to_owned()])
            }
            Opens::Untried(why) => {
                let why = format!(
                    "no login that the host can try itself: {why}; only the rotator's own testSecret is asked"
                );
                Ok(self.report.skipped(name, why)?)
            }
        }
    }

    async fn create(&mut self) -> Result<(), Stop> {
        let step = Step::CreateSecret;
        let name = "createSecret stores a pending version";
        let ended = self.done(step, name).await?;
        let Some(pending) = self.stage.stored(Which::Pending).await? else {
            let why = "it succeeded and stored nothing: `Rotation::create_pending` makes and stores the new version";
            return self.fail(name, vec![why.to_owned()]);
        };
        self.leaks.keep(Some((pending.0.clone(), pending.1.duplicate())));
        self.report.ok_in(name, ended.took)?;
        self.stage.crash().await?;
        self.still_open("the old password works after a crash", Which::Current).await?;
        let name = "createSecret again, after a crash, keeps the pending version";
        let again = self.done(step, name).await?;
        let kept = self.stage.stored(Which::Pending).await?;
        if !kept.is_some_and(|kept| same(&kept.1, &pending.1)) {
            return self
                .fail(name, vec!["it stored another value: a retry must keep the first one".to_owned()]);
        }
        self.report.ok_in(name, again.took)?;
        self.stage.note(step, again).await?;
        Ok(())
    }

    /// A step that comes too early must not succeed.
    async fn not_yet(&mut self, step: Step) -> Result<(), Stop> {
        let (name, advice) = match step {
            Step::TestSecret => (
                "testSecret before setSecret fails",
                "it succeeds with a password that the target does not have yet: prove `Rotation::pending()`, not another version",
            ),
            _ => (
                "finishSecret before testSecret is refused",
                "it succeeds and AWSCURRENT has not moved: give the error of `Rotation::promote` back",
            ),
        };
        let before = self.stage.stored(Which::Current).await?.map(|current| current.0);
        let Ran::Ended(ended) = self.stage.run(step, None).await? else { return Err(Stop::Failed) };
        self.hear(&ended);
        let moved = self.stage.stored(Which::Current).await?.map(|current| current.0) != before;
        match ended.outcome {
            Outcome::Done => self.fail(name, vec![advice.to_owned()]),
            _ if moved => self.fail(name, vec!["AWSCURRENT has moved all the same".to_owned()]),
            _ => Ok(self.report.ok(name)?),
        }
    }

    async fn set(&mut self) -> Result<(), Stop> {
        let step = Step::SetSecret;
        let name = "setSecret";
        let ended = self.done(step, name).await?;
        self.report.ok_in(name, ended.took)?;
        self.stage.crash().await?;
        self.still_open("the new password works after a crash", Which::Pending).await?;
        let name = "setSecret again, after a crash, does no harm";
        let again = self.done(step, name).await?;
        self.opens(name, Which::Pending).await?;
        self.report.ok_in(name, again.took)?;
        self.stage.note(step, again).await?;
        Ok(())
    }

    async fn test(&mut self) -> Result<(), Stop> {
        let step = Step::TestSecret;
        let ended = self.done(step, "testSecret").await?;
        self.report.ok_in("testSecret", ended.took)?;
        self.stage.crash().await?;
        let name = "testSecret again, after a crash";
        let again = self.done(step, name).await?;
        self.report.ok_in(name, again.took)?;
        self.stage.note(step, again).await?;
        Ok(())
    }

    async fn finish(&mut self, old: Option<(pawl_core::names::VersionId, SecretValue)>) -> Result<(), Stop> {
        let step = Step::FinishSecret;
        let pending = self.stage.stored(Which::Pending).await?;
        let name = "finishSecret makes the pending version AWSCURRENT";
        let ended = self.done(step, name).await?;
        let current = self.stage.stored(Which::Current).await?;
        if current.as_ref().map(|current| &current.0) != pending.as_ref().map(|pending| &pending.0) {
            let why = "it succeeded and AWSCURRENT has not moved: `Rotation::promote` moves it";
            return self.fail(name, vec![why.to_owned()]);
        }
        self.report.ok_in(name, ended.took)?;
        self.stage.crash().await?;
        let name = "finishSecret again, after a crash";
        let again = self.done(step, name).await?;
        self.report.ok_in(name, again.took)?;
        let status = self.stage.note(step, again).await?;
        let name = "the rotation succeeds, and AWSPREVIOUS keeps the old version";
        let previous = self.stage.stored(Which::Previous).await?;
        if status != Status::Succeeded || previous.map(|it| it.0) != old.map(|it| it.0) {
            return self.fail(name, vec![format!("the rotation is {}", status.name())]);
        }
        self.opens(name, Which::Current).await?;
        Ok(self.report.ok(name)?)
    }

    /// Where the host can tell, that a version opens the database: as a check.
    async fn still_open(&mut self, name: &str, which: Which) -> Result<(), Stop> {
        self.opens(name, which).await?;
        if self.is_login { Ok(self.report.ok(name)?) } else { Ok(()) }
    }

    /// The same, as a part of a check.
    async fn opens(&mut self, name: &str, which: Which) -> Result<(), Stop> {
        if !self.is_login {
            return Ok(());
        }
        match self.stage.opens(which).await? {
            Opens::Yes => Ok(()),
            Opens::No(why) | Opens::Untried(why) => self.fail(name, vec![why]),
        }
    }

    /// Runs a step that must succeed, a few times if it asks for that. What it did is not noted.
    async fn done(&mut self, step: Step, name: &str) -> Result<Ended, Stop> {
        let mut wait = limits::BACKOFF_FIRST;
        for attempt in 1..=limits::DRILL_TRIES_MAX {
            let Ran::Ended(ended) = self.stage.run(step, None).await? else { return Err(Stop::Failed) };
            self.hear(&ended);
            let slowest = self.slowest.entry(step).or_default();
            *slowest = ended.took.max(*slowest);
            match &ended.outcome {
                Outcome::Done => return Ok(ended),
                Outcome::Transient(_) if attempt < limits::DRILL_TRIES_MAX => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Outcome::Transient(why) => {
                    let tries = format!("{why} (a transient failure, {attempt} times)");
                    return self.fail(name, notes(tries, &ended.log));
                }
                Outcome::Permanent(why) => return self.fail(name, notes(why.clone(), &ended.log)),
                Outcome::Superseded => {
                    return self.fail(name, vec!["another rotation has taken over the secret".to_owned()]);
                }
            }
        }
        Err(Stop::Failed)
    }

    /// Keeps what a step has said, to look through it at the end.
    fn hear(&mut self, ended: &Ended) {
        self.memory_bytes = self.memory_bytes.max(ended.memory_bytes);
        self.leaks.hear(ended.log.iter().map(|line| line.message.as_str()));
        if let Outcome::Transient(why) | Outcome::Permanent(why) = &ended.outcome {
            self.leaks.hear([why.as_str()]);
        }
    }

    fn no_leaks(&mut self) -> Result<(), Stop> {
        let name = "log lines and failures hold nothing of a secret";
        match self.leaks.found() {
            None => Ok(self.report.ok(name)?),
            Some(field) => {
                let why =
                    format!("the value of `{field}` stands in a line or a failure that the rotator wrote");
                self.fail(name, vec![why, "everybody who may see the rotation reads those".to_owned()])
            }
        }
    }

    fn fail<T>(&mut self, name: &str, notes: Vec<String>) -> Result<T, Stop> {
        self.report.failed(name, notes)?;
        Err(Stop::Failed)
    }
}

fn same(one: &SecretValue, other: &SecretValue) -> bool {
    one.bytes().same_as(other.bytes())
}

fn notes(why: String, log: &[LogLine]) -> Vec<String> {
    let lines = log.iter().map(|line| format!("it wrote: {}: {}", line.level, line.message));
    std::iter::once(why).chain(lines).collect()
}
