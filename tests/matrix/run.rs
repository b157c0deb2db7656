//! One run: a rotation, what goes wrong in it, and what comes of it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pawl_tests::process::{children_of, signal};
use pawl_tests::wait::pace;

use super::engine::{Kind, Strategy};
use super::errand::Errand;
use super::fault::{Absence, Fault, Plan, Strike};
use super::ground::Ground;
use super::judge::{Judge, Sample, Subject, Violation};

/// What is run, and with which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) engine: Kind,
    pub(crate) strategy: Strategy,
    pub(crate) fault: Fault,
}

impl Case {
    /// What to type to have it again.
    pub(crate) fn replay(&self) -> String {
        format!(
            "cargo xtask crash-matrix --runs 1 --seed {} --engine {} --strategy {} --fault {}",
            self.seed,
            self.engine.name(),
            self.strategy.name(),
            self.fault.name()
        )
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    /// Things that went wrong: the rotation may have been quicker.
    pub(crate) struck: usize,
    /// From the moment at which all was there again to the end of the rotation.
    pub(crate) resumed: Option<Duration>,
    pub(crate) violations: Vec<Violation>,
    /// What the engine calls itself.
    pub(crate) version: Option<String>,
    /// For whoever must find out why.
    pub(crate) story: String,
}

/// A rotation that takes longer has not resumed by itself: twice a lease, and more.
const LIMIT: Duration = Duration::from_secs(60);
/// How often the moment of a fault is looked for.
const GLANCE: Duration = Duration::from_millis(1);

/// A run under way.
struct Run<'a> {
    ground: &'a mut Ground,
    case: Case,
    shared: bool,
    plan: Plan,
    subject: Subject,
    errand: Errand,
    samples: Vec<Sample>,
    /// What went wrong before the end.
    violations: Vec<Violation>,
    struck: usize,
    /// When all was there again.
    mended: Instant,
    began: Instant,
    story: String,
}

/// Runs a case on its ground.
pub(crate) fn run(ground: &mut Ground, case: Case) -> Outcome {
    let shared = case.fault.is_shared();
    let moments = ground.moments(case.strategy, shared, Plan::is_settled(case.seed));
    let plan = Plan::draw(case.seed, case.fault, &moments);
    for (host, clock) in ground.hosts(shared).into_iter().zip(plan.clocks) {
        host.set_clock(clock).expect("a host with another clock");
    }
    let (subject, order) = ground.subject(case.strategy, shared, plan.settled);
    ground.wire.begin();
    let callers = ground.callers(shared);
    if let Some(strike) = plan.strikes.first() {
        let (_, wire, host) = ground.both(shared);
        strike.arm(&host.board, wire);
    }
    let errand = Errand::start(callers, order);
    let now = Instant::now();
    let mut run = Run {
        ground,
        case,
        shared,
        plan,
        subject,
        errand,
        samples: Vec::new(),
        violations: Vec::new(),
        struck: 0,
        mended: now,
        began: now,
        story: String::new(),
    };
    if let Err(why) = run.suffer() {
        return run.broken(&why);
    }
    run.end()
}

impl Run<'_> {
    fn say(&mut self, what: &str) {
        let _ = writeln!(self.story, "  {:8.3} {what}", self.began.elapsed().as_secs_f64());
    }

    /// Everything that goes wrong, one after the other, and its mending.
    fn suffer(&mut self) -> Result<(), String> {
        for (number, strike) in self.plan.strikes.clone().into_iter().enumerate() {
            if number > 0 {
                let (_, wire, host) = self.ground.both(self.shared);
                strike.arm(&host.board, wire);
            }
            let due = self.await_moment(&strike);
            if due {
                self.struck += 1;
                self.strike(&strike)?;
            }
            let (_, wire, host) = self.ground.both(self.shared);
            host.board.disarm();
            wire.disarm();
            if !due {
                // It has ended before: there is nothing left to disturb. But the last call may just have been the one.
                if strike.is_due(&host.board, wire) {
                    self.struck += 1;
                    self.strike(&strike)?;
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for the moment of a fault; whether it came before the rotation's end.
    fn await_moment(&mut self, strike: &Strike) -> bool {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            let (_, wire, host) = self.ground.both(self.shared);
            if strike.is_due(&host.board, wire) {
                return true;
            }
            if self.errand.has_ended() {
                return false;
            }
            pace(GLANCE);
        }
        false
    }

    fn sample(&mut self, at: &str) {
        let accounts = [self.subject.old.user.clone()];
        let sample = Sample::take(&mut *self.ground.engine, at, &self.subject.old, &accounts);
        self.say(&format!("{at}: the old login is {:?}", sample.old));
        self.samples.push(sample);
    }

    /// Does what the fault is, looks who could still log in, and mends it.
    fn strike(&mut self, strike: &Strike) -> Result<(), String> {
        match *strike {
            Strike::HaltHost { .. } => return self.be_absent(),
            Strike::KillHost { .. } if self.case.fault == Fault::Takeover => return self.be_absent(),
            Strike::KillHost { .. } => {
                self.ground.both(self.shared).2.bury();
                self.sample("the host is dead");
                self.mended = Instant::now();
                self.ground.both(self.shared).2.restart()?;
            }
            Strike::KillWorkers { .. } => {
                let host = self.ground.both(self.shared).2;
                let workers = children_of(host.pawl.process());
                signal("KILL", &workers);
                host.board.go_on();
                self.mended = Instant::now();
                self.sample(&format!("{} workers are dead", workers.len()));
            }
            Strike::KillDatabase { end, down, .. } => {
                let (engine, wire, _) = self.ground.both(self.shared);
                engine.stop(end);
                wire.release();
                pace(down);
                engine.resume();
                self.mended = Instant::now();
                self.sample("the database was dead");
            }
            Strike::Cut { .. } => {
                self.mended = Instant::now();
                self.sample("the connection is cut");
            }
            Strike::FillDisk { full, .. } => {
                self.sample("the disk is full");
                pace(full);
                self.ground.both(self.shared).2.board.disarm();
                self.mended = Instant::now();
            }
        }
        Ok(())
    }

    /// The host is away for longer than its lease lasts; the other ends the rotation, and then it comes back.
    fn be_absent(&mut self) -> Result<(), String> {
        let still = self.plan.absence == Absence::Still;
        let server = self.ground.both(true).2.server();
        if still {
            server.pause();
            self.ground.both(true).2.board.go_on();
            self.sample("the host stands still");
        } else {
            self.ground.both(true).2.bury();
            self.sample("the host is dead");
        }
        self.mended = Instant::now();
        self.await_end();
        if !self.errand.has_ended() {
            let text = format!("the other host did not go on with it within {LIMIT:?}");
            self.violations.push(Violation::Hand(text));
        }
        if still {
            server.go_on();
            // What it was about to do it does now, or is kept from it.
            self.ground.settle(LIMIT);
        } else {
            self.ground.both(true).2.restart()?;
        }
        Ok(())
    }

    fn await_end(&self) {
        let began = Instant::now();
        while !self.errand.has_ended() && began.elapsed() < LIMIT {
            pace(GLANCE);
        }
    }

    /// The host does not come up again.
    fn broken(mut self, why: &str) -> Outcome {
        self.say(why);
        self.ground.forget_hosts(self.shared);
        let violations = vec![Violation::Hand("the host does not come up again".to_owned())];
        self.outcome(None, violations)
    }

    fn end(mut self) -> Outcome {
        self.await_end();
        let heard = self.errand.heard();
        let events = self.ground.wire.events();
        let callers = self.ground.callers(self.shared);
        // Of two hosts, the one that was not touched is asked.
        let caller = callers.last().expect("a host");
        let mut judge = Judge {
            subject: &self.subject,
            engine: &mut *self.ground.engine,
            caller,
            violations: self.violations.clone(),
        };
        match &heard.ended {
            Some((_, state)) if state["Status"] == "Succeeded" => judge.ended(&self.samples, &events),
            Some((_, state)) => judge.stuck(format!("it ended as {state}")),
            None => judge.stuck(format!("it has not ended after {LIMIT:?}: {heard:?}")),
        }
        let mut violations = judge.violations;
        if let Some(refused) = heard.refused {
            violations.push(Violation::Other(format!("RotateSecret was refused: {refused}")));
        }
        let resumed = heard.ended.map(|(at, _)| at.saturating_duration_since(self.mended));
        if !violations.is_empty() {
            for event in events {
                let _ =
                    writeln!(self.story, "  wire {} {}: {:?}", event.connection, event.account, event.what);
            }
            let trace = self.ground.both(self.shared).2.board.trace();
            let _ = writeln!(self.story, "  calls {trace}");
            for host in self.ground.hosts(self.shared) {
                let _ = writeln!(self.story, "  host clock {}:\n{}", self.case.seed, tail(&host.pawl.log()));
            }
            self.ground.forget_hosts(self.shared);
        }
        let resumed = resumed.filter(|_| self.struck > 0);
        self.outcome(resumed, violations)
    }

    fn outcome(self, resumed: Option<Duration>, violations: Vec<Violation>) -> Outcome {
        let story = format!("  {:?}\n{}", self.plan, self.story);
        let version = Some(self.ground.version.clone());
        Outcome { case: self.case, struck: self.struck, resumed, violations, version, story }
    }
}

/// The end of a log.
pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(40));
    last.map(|line| format!("    {line}\n")).collect()
}
