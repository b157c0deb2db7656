//! What is done for guests comes after what is done for callers: at its own pace, on threads and in processes that give way.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pawl_core::function::Environment;
use pawl_core::limits;
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::StepLimits;

use super::Test;
use super::attacks::attacker;
use super::stage::{Stage, block, builtin, permanent, postgres, program, workers};

pub(crate) const TESTS: &[Test] = &[
    ("pace::a_flood_is_served_no_faster_than_it_may", a_flood_is_served_no_faster_than_it_may),
    ("pace::who_breaks_workers_waits_for_the_next", who_breaks_workers_waits_for_the_next),
    ("pace::guests_and_their_servants_give_way", guests_and_their_servants_give_way),
];

/// How long an attack in createSecret takes, and how it ends.
async fn attack(stage: &Stage, name: &str) -> (Duration, String) {
    let environment = Environment::from([("ATTACK".to_owned(), name.to_owned())]);
    let from = Instant::now();
    let report = stage.run_with(&attacker(), Step::CreateSecret, builtin().grants(), environment).await;
    (from.elapsed(), permanent(&report).to_owned())
}

fn a_flood_is_served_no_faster_than_it_may() {
    let stage =
        Stage::with(program(), StepLimits { wall: Duration::from_secs(300), ..StepLimits::default() });
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let (took, how) = attack(&stage, "call-flood").await;
        assert!(how.contains("called the host more than"), "{how}");
        let least = limits::HOSTCALL_PACE * limits::HOSTCALLS_MAX - limits::HOSTCALL_START;
        assert!(took >= least, "{took:?} and not {least:?}");
        let (took, how) = attack(&stage, "byte-flood").await;
        assert!(how.contains("passed more than"), "{how}");
        // The last call is not served, and whole KiB are counted.
        let kibibytes = u32::try_from((limits::STEP_BYTES_MAX - limits::HOSTCALL_BYTES_MAX) / 1024).unwrap();
        let least = limits::HOSTCALL_KIBIBYTE_PACE * (kibibytes - 64) - limits::HOSTCALL_START;
        assert!(took >= least, "{took:?} and not {least:?}");
    });
}

fn who_breaks_workers_waits_for_the_next() {
    let stage =
        Stage::with(program(), StepLimits { wall: Duration::from_secs(300), ..StepLimits::default() });
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let mut least = Duration::ZERO;
        for _ in 0..4 {
            let (took, how) = attack(&stage, "panic").await;
            assert!(how.contains("panicked"), "{how}");
            assert!(took >= least, "{took:?} and not {least:?}");
            least = (least * 2).max(limits::RESPITE_FIRST);
        }
        assert_eq!(stage.run(&postgres(), Step::CreateSecret).await.outcome, Outcome::Done);
    });
}

/// Name and niceness of a thread, and how long its turns are, in nanoseconds, where the kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manners {
    name: String,
    niceness: i32,
    turn: Option<u128>,
}

fn manners(thread: &Path) -> Manners {
    let text = std::fs::read_to_string(thread.join("stat")).unwrap();
    let (head, rest) = text.rsplit_once(") ").unwrap();
    let name = head.split_once('(').unwrap().1.to_owned();
    let niceness = rest.split_whitespace().nth(16).unwrap().parse().unwrap();
    let told = std::fs::read_to_string(thread.join("sched")).unwrap_or_default();
    let turn =
        told.lines().find_map(|line| line.strip_prefix("se.slice")?.split_whitespace().nth(1)?.parse().ok());
    Manners { name, niceness, turn }
}

/// What a thread is like that was told to give way: to whoever is as `own`.
fn courteous(own: &Manners, nicer_by: i32, turn: Duration) -> (i32, Option<u128>) {
    (
        (own.niceness + nicer_by).min(19),
        own.turn.map(|usual| {
            assert!(usual < turn.as_nanos(), "who gives way has longer turns than {usual}");
            turn.as_nanos()
        }),
    )
}

fn guests_and_their_servants_give_way() {
    let stage =
        Stage::with(program(), StepLimits { wall: Duration::from_secs(300), ..StepLimits::default() });
    let own = manners(Path::new("/proc/thread-self"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let its_seen = Arc::clone(&seen);
    // In the middle of a step, on the thread that serves its guest.
    stage.server.at_login(move || {
        let servant = manners(Path::new("/proc/thread-self"));
        let mut guests = Vec::new();
        for worker in workers() {
            for thread in std::fs::read_dir(format!("/proc/{worker}/task")).unwrap().flatten() {
                guests.push(manners(&thread.path()));
            }
        }
        its_seen.lock().unwrap().push((servant, guests));
    });
    block(async {
        for step in [Step::CreateSecret, Step::SetSecret] {
            assert_eq!(stage.run(&postgres(), step).await.outcome, Outcome::Done);
        }
    });
    let seen = seen.lock().unwrap();
    let (servant, guests) = seen.first().unwrap();
    assert_eq!(servant.name, "crew");
    let expected = courteous(&own, limits::CREW_NICENESS, limits::CREW_TURN);
    assert_eq!((servant.niceness, servant.turn), expected);
    let expected = courteous(&own, limits::CREW_NICENESS + limits::WORKER_NICENESS, limits::WORKER_TURN);
    assert!(guests.len() > 1, "a worker has several threads: {guests:?}");
    for guest in guests {
        assert_eq!((guest.niceness, guest.turn), expected, "{guest:?}");
    }
}
