//! What the embedded store costs by itself, with no server around it: `cost DIR read|write [SECRETS]`, in release.
//!
//! DIR keeps its secrets for the next run. Prints operations a second and the processor time of each.
#![expect(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bench: whatever fails here ends it, and its numbers are for people"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use pawl_store::{
    Change, CommitError, Expect, Options, RowMac, SealedVersion, SecretRow, SqliteStore, Store,
};

const TASKS: u64 = 64;
const READS: u64 = 200_000;
const WRITES: u64 = 20_000;
const BATCH: u64 = 50_000;
const DOCUMENT_BYTES: usize = 1_500;
const SEALED_BYTES: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, mode, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: cost DIR read|write [SECRETS]");
        return;
    };
    let secrets = rest.first().map_or(100_000, |count| count.parse().unwrap());
    let dir = Path::new(dir);
    std::fs::create_dir_all(dir).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(&dir.join("pawl.db"), Options::default()).await.unwrap());
        fill(&store, secrets).await;
        match mode.as_str() {
            "read" => read(&store, secrets).await,
            "write" => {
                floor(dir);
                write(&store, secrets).await;
                floor(dir);
            }
            _ => eprintln!("read or write"),
        }
        store.close().await;
    });
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn row(number: u64, revision: u64) -> SecretRow {
    let name = format!("bench/team-{:03}/secret-{number:07}", number % 997);
    let arn = format!("\"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-aaaaaa\"");
    let moment = Timestamp::from_millis((1_700_000_000_000 + number + 1_000_000 * revision).cast_signed());
    SecretRow {
        arn: serde_json::from_str(&arn).unwrap(),
        region: region(),
        name: name.parse().unwrap(),
        revision,
        document: format!("{{\"revision\":{revision},\"rest\":\"{}\"}}", "d".repeat(DOCUMENT_BYTES)),
        created_at: Timestamp::from_millis(number.cast_signed()),
        purge_at: None,
        next_rotation_at: None,
        rotation_due_at: None,
        last_changed_at: moment,
        last_accessed_at: None,
        replica_of: None,
        rotation_state: None,
        mac: RowMac::None,
    }
}

fn version(revision: u64) -> SealedVersion {
    SealedVersion { version_id: format!("{revision:032x}").parse().unwrap(), sealed: vec![7; SEALED_BYTES] }
}

async fn fill(store: &SqliteStore, secrets: u64) {
    let there = store.check().await.unwrap().secrets;
    for from in (there..secrets).step_by(BATCH as usize) {
        let began = Instant::now();
        let changes = (from..(from + BATCH).min(secrets)).map(|number| {
            let mut change = Change::new(Expect::New, row(number, 1));
            change.put = vec![version(1)];
            change
        });
        store.commit_all(changes.collect()).await.unwrap();
        println!("made {from} and following in {:.1} s", began.elapsed().as_secs_f64());
    }
}

/// Numbers that need to be fair and nothing else (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

async fn read(store: &Arc<SqliteStore>, secrets: u64) {
    for _ in 0..3 {
        let next = Arc::new(AtomicU64::new(0));
        let measure = Measure::begin();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, next) = (Arc::clone(store), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut dice = Dice(88_172_645_463_325_252 + task * 7_919);
                    while next.fetch_add(1, Ordering::Relaxed) < READS {
                        let row = row(dice.below(secrets), 1);
                        assert!(store.load_full(&row.region, &row.name).await.unwrap().is_some());
                        // As a request would: it answers somebody between two reads.
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        measure.end("load_full, uniformly random", READS);
    }
    let measure = Measure::begin();
    let mut dice = Dice(88_172_645_463_325_252);
    for _ in 0..READS {
        std::hint::black_box(row(dice.below(secrets), 1));
    }
    measure.end("(making the names, which is the bench's own)", READS);
}

async fn write(store: &Arc<SqliteStore>, secrets: u64) {
    for _ in 0..3 {
        let next = Arc::new(AtomicU64::new(0));
        let measure = Measure::begin();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, next) = (Arc::clone(store), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut dice = Dice(88_172_645_463_325_252 + task * 7_919);
                    while next.fetch_add(1, Ordering::Relaxed) < WRITES {
                        put(&store, dice.below(secrets)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        measure.end("PutSecretValue's change, durable", WRITES);
    }
}

/// As PutSecretValue changes the store.
async fn put(store: &SqliteStore, number: u64) {
    loop {
        let head = row(number, 1);
        let Loaded { revision } = Loaded::of(store, &head).await;
        let mut change = Change::new(Expect::Revision(revision), row(number, revision + 1));
        change.put = vec![version(revision + 1)];
        change.remove_versions = vec![version(revision.saturating_sub(1)).version_id];
        let record = format!(
            "{{\"action\":\"PutSecretValue\",\"name\":\"{}\",\"more\":\"{}\"}}",
            head.name,
            "r".repeat(200)
        );
        change.audit = vec![record.clone()];
        change.events = vec![record];
        match store.commit(change).await {
            Ok(()) => return,
            Err(CommitError::LostRace) => {}
            Err(error) => panic_with(&error),
        }
    }
}

struct Loaded {
    revision: u64,
}

impl Loaded {
    async fn of(store: &SqliteStore, row: &SecretRow) -> Self {
        let loaded = store.load(&row.region, &row.name).await.unwrap().unwrap();
        Self { revision: loaded.head.revision }
    }
}

fn panic_with(error: &CommitError) {
    eprintln!("{error}");
    std::process::exit(1);
}

/// What the disk alone does: helpings of the bytes of 32 changes, each made durable.
fn floor(dir: &Path) {
    let path = dir.join("floor");
    let mut file = File::create(&path).unwrap();
    let bytes = vec![1; 32 * 12 * 1024];
    let rounds = 400;
    let began = Instant::now();
    for _ in 0..rounds {
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    let took = began.elapsed() / rounds;
    println!("a write of {} KiB and its fdatasync: {:.0} us", bytes.len() / 1024, took.as_secs_f64() * 1e6);
    let _ = std::fs::remove_file(path);
}

/// Calls and bytes that were written.
fn written() -> [u64; 2] {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    ["syscw: ", "wchar: "]
        .map(|name| io.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or_default())
}

struct Measure {
    began: Instant,
    written: [u64; 2],
    processor: Vec<(String, Duration)>,
}

impl Measure {
    fn begin() -> Self {
        Self { began: Instant::now(), written: written(), processor: processor() }
    }

    fn end(self, what: &str, count: u64) {
        let took = self.began.elapsed().as_secs_f64();
        let total =
            |threads: &[(String, Duration)]| threads.iter().map(|(_, time)| time.as_secs_f64()).sum::<f64>();
        let now = processor();
        let [calls, bytes] = written();
        let [calls, bytes] = [calls - self.written[0], bytes - self.written[1]];
        let used = total(&now) - total(&self.processor);
        println!(
            "{what}: {:.0} /s, processor {:.1} us each, {:.1} KB written in {:.1} calls",
            count as f64 / took,
            used * 1e6 / count as f64,
            bytes as f64 / 1e3 / count as f64,
            calls as f64 / count as f64,
        );
        for (name, time) in &now {
            let before =
                self.processor.iter().filter(|(other, _)| other == name).map(|(_, time)| *time).sum();
            let share = time.saturating_sub(before).as_secs_f64() * 1e6 / count as f64;
            if share > 1.0 {
                println!("    {name}: {share:.1} us");
            }
        }
    }
}

/// Processor time of this process's threads, by their names.
fn processor() -> Vec<(String, Duration)> {
    let mut times: Vec<(String, Duration)> = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim().to_owned();
        let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos = stat.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let time = Duration::from_nanos(nanos);
        match times.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += time,
            None => times.push((name, time)),
        }
    }
    times
}
