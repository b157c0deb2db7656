//! Who runs what: lanes side by side, each on a ground of its own, because a rotation that was disturbed mostly waits.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::arguments::{Arguments, Faults};
use super::draw::Draw;
use super::engine::{Kind, Strategy};
use super::fault::Fault;
use super::ground::Ground;
use super::judge::Violation;
use super::run::{Case, Outcome, run};

/// Of a hundred runs, those that wait for a lease to end.
const TAKEOVER_PERCENT: u64 = 1;
/// Lanes that do nothing but wait for leases.
const TAKEOVER_LANES: usize = 3;
/// Violations after which it is not worth going on.
const VIOLATIONS_MAX: usize = 25;
const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// The runs that are wanted: the nth has the nth seed.
pub(crate) fn cases(arguments: &Arguments) -> Vec<Case> {
    let mut cells: Vec<(Kind, Strategy)> = Vec::new();
    for strategy in &arguments.strategies {
        cells.extend(arguments.engines.iter().map(|engine| (*engine, *strategy)));
    }
    let of = |number: u64, fault: Fault| {
        let (engine, strategy) = cells[usize::try_from(number).unwrap() % cells.len()];
        Case { seed: arguments.seed.wrapping_add(number), engine, strategy, fault }
    };
    let quick: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| *fault != Fault::Takeover).collect();
    let runs = match arguments.faults {
        Faults::InTurn(times) => times * (cells.len() * quick.len()) as u64,
        Faults::Drawn | Faults::Only(_) => arguments.runs,
    };
    let mut cases: Vec<Case> = (0..runs)
        .map(|number| match arguments.faults {
            Faults::Only(fault) => of(number, fault),
            Faults::InTurn(_) => {
                let turn = usize::try_from(number).unwrap() / cells.len();
                of(number, quick[turn % quick.len()])
            }
            Faults::Drawn => {
                // Not the run's own chance: what a seed means must not depend on whether the fault was given.
                let mut draw = Draw::new(!arguments.seed.wrapping_add(number));
                let slow = draw.percent(TAKEOVER_PERCENT);
                of(number, if slow { Fault::Takeover } else { Fault::quick(&mut draw) })
            }
        })
        .collect();
    if matches!(arguments.faults, Faults::InTurn(_)) {
        cases.push(of(runs, Fault::Takeover));
    }
    cases
}

/// What is left to do, by what it needs.
#[derive(Debug)]
struct Work {
    quick: BTreeMap<Kind, VecDeque<Case>>,
    slow: VecDeque<Case>,
}

impl Work {
    fn of(cases: &[Case]) -> Self {
        let mut work = Self { quick: BTreeMap::new(), slow: VecDeque::new() };
        for case in cases {
            match case.fault {
                Fault::Takeover => work.slow.push_back(*case),
                _ => work.quick.entry(case.engine).or_default().push_back(*case),
            }
        }
        work
    }

    /// The next run for a lane: of the engine that it has, or else of the one that most is left of.
    fn next(&mut self, slow: bool, has: Option<Kind>) -> Option<Case> {
        if slow {
            return self.slow.pop_front();
        }
        let same = has.filter(|engine| self.quick.get(engine).is_some_and(|left| !left.is_empty()));
        let most = || self.quick.iter().max_by_key(|(_, left)| left.len()).map(|(engine, _)| *engine);
        self.quick.get_mut(&same.or_else(most)?)?.pop_front()
    }
}

/// Runs them all; `report` hears of each.
pub(crate) fn run_all(cases: &[Case], jobs: usize, mut report: impl FnMut(&Outcome)) -> Vec<Outcome> {
    let work = Mutex::new(Work::of(cases));
    let slow = work.lock().unwrap().slow.len().min(TAKEOVER_LANES);
    let engines: Vec<Kind> = work.lock().unwrap().quick.keys().copied().collect();
    let (tell, told) = channel();
    let (began, mut said) = (Instant::now(), Instant::now());
    let mut outcomes: Vec<Outcome> = Vec::new();
    std::thread::scope(|scope| {
        for lane in 0..jobs.max(1) + slow {
            let (work, tell) = (&work, tell.clone());
            let first =
                lane.checked_sub(slow).and_then(|lane| engines.get(lane % engines.len().max(1)).copied());
            scope.spawn(move || travel(work, lane < slow, first, &tell));
        }
        drop(tell);
        let mut violations = 0;
        for outcome in told {
            violations += usize::from(!outcome.violations.is_empty());
            if violations == VIOLATIONS_MAX {
                println!("{VIOLATIONS_MAX} runs went wrong: the others are not worth waiting for");
                *work.lock().unwrap() = Work::of(&[]);
            }
            report(&outcome);
            outcomes.push(outcome);
            if said.elapsed() > PROGRESS_EVERY {
                said = Instant::now();
                println!(
                    "{:>6} of {} runs, {violations} went wrong, {:.0} s",
                    outcomes.len(),
                    cases.len(),
                    began.elapsed().as_secs_f64()
                );
            }
        }
    });
    outcomes
}

/// One lane's way through the work.
fn travel(work: &Mutex<Work>, slow: bool, first: Option<Kind>, tell: &Sender<Outcome>) {
    let mut ground: Option<(Kind, Ground)> = None;
    loop {
        let has = ground.as_ref().map(|(kind, _)| *kind).or(first);
        let Some(case) = work.lock().unwrap().next(slow, has) else { return };
        // What cannot be gone on with is a failure of this run, and the next one has new ground.
        let ran = std::panic::catch_unwind(AssertUnwindSafe(|| {
            if ground.as_ref().is_none_or(|(kind, _)| *kind != case.engine) {
                ground = None;
                ground = Some((case.engine, Ground::new(case.engine)));
            }
            run(&mut ground.as_mut().expect("it was made").1, case)
        }));
        let outcome = ran.unwrap_or_else(|panic| {
            ground = None;
            broken(case, &*panic)
        });
        if tell.send(outcome).is_err() {
            return;
        }
    }
}

fn broken(case: Case, panic: &dyn std::any::Any) -> Outcome {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let violations = vec![Violation::Other(format!("the run broke: {}", text.unwrap_or_default()))];
    Outcome { case, struck: 0, resumed: None, violations, version: None, story: String::new() }
}
