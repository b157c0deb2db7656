//! What rotations leave behind: a rotator that keeps and tells all that it sees rotates again and again, through real workers, and
//! then the memory of the workers, what was logged and traced and what crashed is looked through for every password that there was.
//!
//! `PAWL_TEST_ROTATIONS=10001 cargo test --release -p pawl-runtime --test steps -- residue` is the long form.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use pawl_core::function::Environment;
use pawl_core::rotation::{Outcome, Step};
use pawl_runtime::{StepLimits, StepReport};
use pawl_tests::needles::{Needles, holds};
use pawl_tests::process;
use rustix::process::{Pid, Signal, kill_process};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::Test;
use super::attacks::attacker;
use super::stage::{STEPS, Stage, block, builtin, program, transient, workers};

pub(crate) const TESTS: &[Test] =
    &[("residue::nothing_of_a_password_is_left", nothing_of_a_password_is_left)];

/// Rotations in the short form, and stretches of them: after each all is looked through.
const ROTATIONS: u64 = 60;
const STRETCHES: u64 = 10;

fn rotations() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
    let wanted = std::env::var("PAWL_TEST_ROTATIONS").ok().and_then(|wanted| wanted.parse().ok());
    wanted.unwrap_or(ROTATIONS)
}

/// What this process traces, every span and event of it, at every level: names and fields.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<String>>);

impl Traced {
    /// From now on, for the rest of this process.
    fn all() -> &'static Self {
        static ALL: OnceLock<Traced> = OnceLock::new();
        ALL.get_or_init(|| {
            let traced = Self::default();
            tracing::subscriber::set_global_default(traced.clone()).unwrap();
            traced
        })
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, what: &Metadata<'_>, fields: impl FnOnce(&mut dyn Visit)) {
        let mut text = format!("{} {}", what.target(), what.name());
        fields(&mut Fields(&mut text));
        let mut all = self.0.lock().unwrap();
        all.push_str(&text);
        all.push('\n');
    }
}

/// Fields as text, one after the other.
struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(span.metadata(), |fields| span.record(fields));
        // Which span it is tells nothing here.
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Looks into processes: how many there were, into how many bytes, and how often the marks were found that must be there.
#[derive(Default)]
struct Looks {
    /// What a guest may read: the look finds what a guest has seen.
    readable: String,
    /// A text of a password's kind that is put into the worker with the function's environment: the search for passwords, the same one,
    /// finds it.
    planted: String,
    bytes: AtomicU64,
    taken: AtomicU64,
    read: AtomicU64,
    found: AtomicU64,
}

impl Looks {
    fn look(&self, process: u32, hidden: &[String]) {
        let needles = Needles::of(hidden);
        let planted = [self.planted.clone()];
        let control = Needles::of(&planted);
        let (mut read, mut found) = (false, false);
        for (region, bytes) in process::memory(process) {
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            read |= holds(&bytes, self.readable.as_bytes());
            found |= control.first_in(&bytes).is_some();
            if let Some((text, form)) = needles.first_in(&bytes) {
                panic!("`{text}` is in a worker's memory as {}: {region}", String::from_utf8_lossy(form));
            }
        }
        self.read.fetch_add(u64::from(read), Ordering::Relaxed);
        self.found.fetch_add(u64::from(found), Ordering::Relaxed);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there were enough looks, and each in the middle of a step has found what is there.
    fn judge(&self, in_steps: u64) {
        let [taken, bytes, read, found] =
            [&self.taken, &self.bytes, &self.read, &self.found].map(|count| count.load(Ordering::Relaxed));
        println!(
            "    {taken} looks into workers' memory, {} MB; what a guest may read was found in {read}, the planted mark in {found}",
            bytes / 1_000_000
        );
        assert!(taken > in_steps, "{taken} looks, the one at the end among them");
        assert!(found >= in_steps, "{found} looks of {in_steps} have found the planted mark");
        assert!(read > 0, "no look has found even what a guest may read");
    }
}

/// A text that stands in no program, this one's workers among them.
fn made_now(what: &str) -> String {
    let odd = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    format!("{what}-{:032x}", u128::from(std::process::id()).wrapping_mul(odd))
}

fn password(value: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(value).unwrap();
    value["password"].as_str().unwrap().to_owned()
}

/// A rotator that remembers, on a stage of its own, and all that came of it since it was looked through.
struct Scene {
    stage: Stage,
    looks: Arc<Looks>,
    /// All passwords so far.
    hidden: Arc<Mutex<Vec<String>>>,
    /// Whether the next login is the moment for a look into its worker.
    due: Arc<AtomicU64>,
    told: String,
    lines: usize,
    told_bytes: usize,
    traced_bytes: usize,
}

impl Scene {
    fn new() -> Self {
        // Looks are taken in the middle of a step, and take their time.
        let wall = Duration::from_secs(600);
        let stage = Stage::with(program(), StepLimits { wall, ..StepLimits::default() });
        let (first, readable) = (made_now("password"), made_now("readable"));
        *stage.server.password.lock().unwrap() = first.clone();
        *stage.secret.current.lock().unwrap() = format!(
            r#"{{"engine":"postgres","host":"db.internal","username":"app","password":"{first}","dbname":"{readable}","note":"kept"}}"#
        );
        let hidden = Arc::new(Mutex::new(vec![first]));
        let looks = Arc::new(Looks { readable, planted: made_now("planted"), ..Looks::default() });
        let due = Arc::new(AtomicU64::new(0));
        // When its guest has just asked for a login.
        let (its_hidden, its_looks, its_due) = (Arc::clone(&hidden), Arc::clone(&looks), Arc::clone(&due));
        stage.server.at_login(move || {
            if its_due.swap(0, Ordering::SeqCst) == 1 {
                for worker in workers() {
                    its_looks.look(worker.unsigned_abs(), &its_hidden.lock().unwrap());
                }
            }
        });
        Self { stage, looks, hidden, due, told: String::new(), lines: 0, told_bytes: 0, traced_bytes: 0 }
    }

    async fn step(&self, step: Step) -> StepReport {
        let environment = [("ATTACK", "remember"), ("PLANTED", self.looks.planted.as_str())];
        let environment: Environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        self.stage.run_with(&attacker(), step, builtin().grants(), environment).await
    }

    async fn rotate(&mut self) {
        for step in STEPS {
            let report = self.step(step).await;
            assert_eq!(report.outcome, Outcome::Done, "{step}: {report:?}");
            let pending = self.stage.secret.pending.lock().unwrap().as_deref().map(password);
            let mut hidden = self.hidden.lock().unwrap();
            if let Some(new) = pending.filter(|new| hidden.last() != Some(new)) {
                hidden.push(new);
            }
            let from = self.told.len();
            write!(self.told, "{report:?}").unwrap();
            self.lines += report.log.len();
            assert!(
                self.told.get(from..).unwrap().contains(&self.looks.readable),
                "the guest tells what it may read"
            );
        }
        self.stage.secret.turn();
    }

    /// Looks through all that was told and traced since the last time, for all passwords so far.
    fn look_through(&mut self) {
        let (told, traced) = (std::mem::take(&mut self.told), Traced::all().take());
        let hidden = self.hidden.lock().unwrap();
        let needles = Needles::of(&hidden);
        assert_eq!(needles.first_in(told.as_bytes()), None, "in what the rotator is told and tells");
        assert_eq!(needles.first_in(traced.as_bytes()), None, "in traces");
        self.told_bytes += told.len();
        self.traced_bytes += traced.len();
    }
}

fn nothing_of_a_password_is_left() {
    Traced::all();
    let total = rotations();
    let every = (total / STRETCHES).max(1);
    let mut scene = Scene::new();
    let from = Instant::now();
    block(async {
        for number in 0..total {
            scene.due.store(u64::from(number % every == every / 2), Ordering::SeqCst);
            scene.rotate().await;
            if number % every == every - 1 {
                scene.look_through();
            }
        }
        // A worker is replaced after a thousand steps, perhaps just now.
        while scene.stage.runtime.idle_workers().is_empty() {
            scene.rotate().await;
        }
        scene.look_through();
    });
    let took = from.elapsed();
    let promoted = scene.stage.secret.promoted.load(Ordering::SeqCst);
    let passwords = scene.hidden.lock().unwrap().len() as u64;
    assert!(promoted >= total && passwords == promoted + 1, "{promoted} rotations, {passwords} passwords");
    for worker in scene.stage.runtime.idle_workers() {
        scene.looks.look(worker, &scene.hidden.lock().unwrap());
    }
    let crashed = crash(&scene);
    println!(
        "    {promoted} rotations, {} steps of a rotator that remembers, {:.1} s, {} workers; {passwords} passwords; {} lines of log \
         and outcomes, {} kB, and {} kB of traces: none found; {crashed} workers crashed, no core file",
        promoted * 4,
        took.as_secs_f64(),
        scene.stage.runtime.workers().started,
        scene.lines,
        scene.told_bytes / 1_000,
        scene.traced_bytes / 1_000,
    );
    scene.looks.judge(STRETCHES.min(total));
}

/// Workers that crash, idle or in the middle of a step, leave no core file, wherever the kernel would put it: neither in a directory
/// nor through a pipe, which is told by how they ended.
fn crash(scene: &Scene) -> usize {
    let mut crashed = scene.stage.runtime.idle_workers();
    for worker in &crashed {
        crash_one(*worker);
    }
    let struck = Arc::new(Mutex::new(Vec::new()));
    let its_struck = Arc::clone(&struck);
    scene.stage.server.at_login(move || {
        for worker in workers().into_iter().map(i32::unsigned_abs) {
            crash_one(worker);
            its_struck.lock().unwrap().push(worker);
        }
    });
    let report = block(scene.step(Step::CreateSecret));
    let end = transient(&report);
    // "(core dumped)" would follow.
    assert!(end.ends_with("signal: 11 (SIGSEGV)"), "{end}");
    crashed.append(&mut struck.lock().unwrap());
    // A worker's directory is `/`.
    for directory in
        [std::path::Path::new("/"), scene.stage.directory.path(), &std::env::current_dir().unwrap()]
    {
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

fn crash_one(worker: u32) {
    let limits = std::fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().skip(4).take(2).all(|limit| limit == "0"), "{core}");
    let process = Pid::from_raw(i32::try_from(worker).unwrap()).unwrap();
    kill_process(process, Signal::SEGV).unwrap();
}
