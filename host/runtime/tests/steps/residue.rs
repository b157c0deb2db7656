//! What rotations leave behind: a rotator that keeps and tells all that it sees rotates again and again, through real workers, and
//! then the memory of the workers, what was logged and what crashed is looked through for every password that there was.
//!
//! `PAWL_TEST_ROTATIONS=10001 cargo test --release -p pawl-runtime --test steps -- residue` is the long form: one more than ten thousand,
//! because a worker is replaced after a thousand steps, and the last one is to be there for the look at the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pawl_core::function::Environment;
use pawl_core::rotation::Outcome;
use pawl_runtime::{StepLimits, StepReport};
use pawl_tests::needles::{Needles, holds};
use pawl_tests::process;
use rustix::process::{Pid, Signal, kill_process};

use super::Test;
use super::attacks::attacker;
use super::stage::{STEPS, Stage, block, builtin, program, workers};

pub(crate) const TESTS: &[Test] =
    &[("residue::nothing_of_a_password_is_left", nothing_of_a_password_is_left)];

/// Rotations in the short form, and between two looks into memory.
const ROTATIONS: u64 = 60;
const LOOKS: u64 = 10;

fn rotations() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
    let wanted = std::env::var("PAWL_TEST_ROTATIONS").ok().and_then(|wanted| wanted.parse().ok());
    wanted.unwrap_or(ROTATIONS)
}

/// A look into a process: what was found of the passwords, of the control, and how many bytes there were.
#[derive(Default)]
struct Looks {
    /// What a guest may read: by it the look into its memory shows that it finds.
    readable: String,
    bytes: AtomicU64,
    controls: AtomicU64,
    taken: AtomicU64,
}

impl Looks {
    fn look(&self, process: u32, hidden: &[String]) {
        let needles = Needles::of(hidden);
        let mut control = false;
        for (region, bytes) in process::memory(process) {
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            control |= holds(&bytes, self.readable.as_bytes());
            if let Some((text, form)) = needles.first_in(&bytes) {
                panic!("`{text}` is in a worker's memory as {}: {region}", String::from_utf8_lossy(form));
            }
        }
        self.controls.fetch_add(u64::from(control), Ordering::Relaxed);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there were enough looks, and such as find what is there.
    fn judge(&self, least: u64) {
        let [taken, bytes, controls] =
            [&self.taken, &self.bytes, &self.controls].map(|count| count.load(Ordering::Relaxed));
        println!("    {taken} looks into workers' memory, {} MB", bytes / 1_000_000);
        assert!(taken > least, "{taken} looks");
        assert!(controls > 0, "no look has found even what a guest may read");
    }
}

/// A text that stands in no program, this one's workers among them.
fn made_now(what: &str) -> String {
    format!(
        "{what}-{:032x}",
        u128::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    )
}

fn password(value: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    value["password"].as_str().unwrap().to_owned()
}

fn nothing_of_a_password_is_left() {
    // Looks are taken in the middle of a step, and take their time.
    let wall = Duration::from_secs(600);
    let stage = Stage::with(program(), StepLimits { wall, ..StepLimits::default() });
    let (first, readable) = (made_now("password"), made_now("readable"));
    *stage.server.password.lock().unwrap() = first.clone();
    *stage.secret.current.lock().unwrap() = format!(
        r#"{{"engine":"postgres","host":"db.internal","username":"app","password":"{first}","dbname":"{readable}","note":"kept"}}"#
    );
    let hidden = Arc::new(Mutex::new(vec![first]));
    let looks = Arc::new(Looks { readable: readable.clone(), ..Looks::default() });
    let total = rotations();
    let every = (total / LOOKS).max(1);
    let due = Arc::new(AtomicU64::new(0));
    // In the middle of a step, when its guest has just asked for a login.
    let (its_hidden, its_looks, its_due) = (Arc::clone(&hidden), Arc::clone(&looks), Arc::clone(&due));
    stage.server.at_login(move || {
        if its_due.swap(0, Ordering::SeqCst) == 1 {
            for worker in workers() {
                its_looks.look(worker.unsigned_abs(), &its_hidden.lock().unwrap());
            }
        }
    });
    let from = Instant::now();
    let (mut told, mut lines) = (0, 0);
    block(async {
        for number in 0..total {
            due.store(u64::from(number % every == every / 2), Ordering::SeqCst);
            for step in STEPS {
                let report = remember(&stage, step).await;
                assert_eq!(report.outcome, Outcome::Done, "{step} of rotation {number}: {report:?}");
                let pending = stage.secret.pending.lock().unwrap().as_deref().map(password);
                let mut hidden = hidden.lock().unwrap();
                if let Some(new) = pending.filter(|new| hidden.last() != Some(new)) {
                    hidden.push(new);
                }
                // All that the next ones could find is in no log either: the newest first, and all at the end of each stretch.
                let text = format!("{report:?}");
                told += text.len();
                lines += report.log.len();
                assert!(text.contains(&readable), "the guest tells what it may read: {text}");
                for password in hidden.iter().rev().take(3) {
                    assert!(!text.contains(password.as_str()), "{step}: {text}");
                }
                if number % every == 0 {
                    assert_eq!(Needles::of(&hidden).first_in(text.as_bytes()), None, "{step}");
                }
            }
            stage.secret.turn();
        }
    });
    let took = from.elapsed();
    let hidden = hidden.lock().unwrap();
    assert_eq!(hidden.len() as u64, total + 1, "one new password for each rotation");
    assert_eq!(stage.secret.promoted.load(Ordering::SeqCst), total);
    // What waits for its next step, after it has run a thousand.
    for worker in stage.runtime.idle_workers() {
        looks.look(worker, &hidden);
    }
    let crashed = crash(&stage);
    println!(
        "    {total} rotations, {} steps of a rotator that remembers, {:.1} s, {} workers; {} passwords, none found; {lines} lines of \
         log, {} kB, none found; {crashed} workers crashed, no core file",
        total * 4,
        took.as_secs_f64(),
        stage.runtime.workers().started,
        hidden.len(),
        told / 1_000
    );
    looks.judge(LOOKS.min(total));
}

async fn remember(stage: &Stage, step: pawl_core::rotation::Step) -> StepReport {
    let environment = Environment::from([("ATTACK".to_owned(), "remember".to_owned())]);
    stage.run_with(&attacker(), step, builtin().grants(), environment).await
}

/// Workers that crash leave no core file, wherever the kernel would put it.
fn crash(stage: &Stage) -> usize {
    let crashed = stage.runtime.idle_workers();
    for worker in &crashed {
        let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert!(core.split_whitespace().skip(4).take(2).all(|limit| limit == "0"), "{core}");
        let process = Pid::from_raw(i32::try_from(*worker).unwrap()).unwrap();
        kill_process(process, Signal::SEGV).unwrap();
    }
    // A worker's directory is `/`.
    for directory in [std::path::Path::new("/"), stage.directory.path(), &std::env::current_dir().unwrap()] {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(
                !crashed.iter().any(|worker| name == "core" || name == format!("core.{worker}")),
                "{name}"
            );
        }
    }
    crashed.len()
}
