//! Disks that fail, and disks that hang.
#![expect(clippy::unwrap_used, reason = "tests: whatever fails here fails the test, with its reason")]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pawl_audit::{AuditKey, AuditLog, Opened, Options, chains_in, verify};
use pawl_core::value::SecretBytes;
use pawl_core::world::{Clock, Timestamp};

const HOST: &str = "11111111-2222-4333-8444-555555555555";
/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.wall()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
}

fn key() -> AuditKey {
    AuditKey::from_seed(&SecretBytes::new(vec![3; 32])).unwrap()
}

fn open(dir: &Path, sync: fn(&File) -> io::Result<()>) -> AuditLog {
    let options = Options {
        dir: dir.to_owned(),
        host: HOST.to_owned(),
        key: key(),
        clock: Arc::new(Still),
        retention_days: None,
        segment_bytes: 1 << 30,
        anchor: None,
    };
    let Opened { log, .. } = AuditLog::open_on(options, sync).unwrap();
    log
}

fn record(number: usize) -> Vec<u8> {
    format!("{{\"eventName\":\"GetSecretValue\",\"requestID\":\"r{number}\"}}").into_bytes()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The text of all segments, after the log was closed, which must verify.
fn text_of(dir: &Path) -> String {
    let mut findings = Vec::new();
    let checked = verify(&chains_in(dir).unwrap(), &[key().public()], &|_| None, &mut |found| {
        findings.push(found.clone());
    });
    let _ = checked.unwrap();
    assert_eq!(findings, []);
    let files = pawl_audit::segments(&dir.join(HOST)).unwrap();
    files.into_iter().map(|file| std::fs::read_to_string(file.path).unwrap()).collect()
}

#[test]
fn a_disk_that_fails_to_take_it_stops_every_answer_until_it_does() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    static SYNCS: AtomicUsize = AtomicUsize::new(0);
    fn sync(file: &File) -> io::Result<()> {
        let _ = SYNCS.fetch_add(1, Ordering::SeqCst);
        if FAILS.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        file.sync_data()
    }
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), sync);
    runtime().block_on(async {
        log.submit(&[&record(0)]).unwrap().written().await.unwrap();
        FAILS.store(true, Ordering::SeqCst);
        // The system has it, so a read is answered; the disk refuses it, so nothing is after that.
        log.submit_read(&[&record(1)]).unwrap().written().await.unwrap();
        let refused = async {
            while let Ok(receipt) = log.submit(&[&record(2)]) {
                if receipt.written().await.is_err() {
                    break;
                }
            }
            while log.state().failure.is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.expect("a change is refused");
        assert!(log.submit_read(&[&record(3)]).is_err(), "and so is a read");
        assert!(log.begin(false).is_err() && log.take_unrecorded());
        // It is tried again and again, and a try that fails leaves nothing.
        let before = SYNCS.load(Ordering::SeqCst);
        let tried = async {
            while SYNCS.load(Ordering::SeqCst) < before + 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.expect("it is tried again");
        FAILS.store(false, Ordering::SeqCst);
        let healed = async {
            while log.check().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, healed).await.expect("it recovers by itself");
        log.submit(&[&record(4)]).unwrap().written().await.unwrap();
    });
    log.close();
    let text = text_of(dir.path());
    for (number, times) in [(0, 1), (1, 1), (3, 0), (4, 1)] {
        assert_eq!(text.matches(&format!("\"r{number}\"")).count(), times, "r{number}");
    }
    assert_eq!(text.matches("\"pawlAudit\":\"resumed\"").count(), 1);
}

#[test]
fn a_disk_that_hangs_stops_changes_at_once_and_reads_soon() {
    static GATE: (Mutex<bool>, Condvar) = (Mutex::new(true), Condvar::new());
    fn sync(file: &File) -> io::Result<()> {
        let mut open = GATE.0.lock().unwrap();
        while !*open {
            open = GATE.1.wait(open).unwrap();
        }
        drop(open);
        file.sync_data()
    }
    fn set(open: bool) {
        *GATE.0.lock().unwrap() = open;
        GATE.1.notify_all();
    }
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), sync);
    runtime().block_on(async {
        log.submit(&[&record(0)]).unwrap().written().await.unwrap();
        set(false);
        let change = log.submit(&[&record(1)]).unwrap();
        let mut change = std::pin::pin!(change.written());
        // Reads are answered as long as the disk may just be slow.
        let mut read = 2;
        let last = loop {
            let receipt = log.submit_read(&[&record(read)]).unwrap();
            let mut written = Box::pin(receipt.written());
            match tokio::time::timeout(Duration::from_millis(500), &mut written).await {
                Ok(answer) => answer.unwrap(),
                Err(_) => break written,
            }
            read += 1;
            tokio::task::yield_now().await;
        };
        let waits = tokio::time::timeout(Duration::from_millis(1), &mut change).await;
        assert!(waits.is_err(), "a change is not answered before the disk has it");
        assert!(read > 2, "a read does not wait for the disk at once");
        set(true);
        tokio::time::timeout(PATIENCE, change).await.expect("the disk is back").unwrap();
        tokio::time::timeout(PATIENCE, last).await.expect("the disk is back").unwrap();
        log.submit(&[&record(1_000_000)]).unwrap().written().await.unwrap();
    });
    log.close();
    assert!(text_of(dir.path()).contains("\"r1000000\""));
}
