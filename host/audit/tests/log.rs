//! The log as a whole: written by the real writer into real files, and verified.
#![expect(clippy::unwrap_used, reason = "tests: whatever fails here fails the test, with its reason")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pawl_audit::{
    Anchor, AuditKey, AuditLog, Finding, Opened, Options, PublicKey, Report, chains_in, segments, split,
    verify,
};
use pawl_core::value::SecretBytes;
use pawl_core::world::{Clock, Timestamp};
use sha2::{Digest as _, Sha256};

const HOST: &str = "11111111-2222-4333-8444-555555555555";

#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.wall()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(AtomicI64::new(1_800_000_000_000)))
}

fn key() -> AuditKey {
    AuditKey::from_seed(&SecretBytes::new(vec![3; 32])).unwrap()
}

fn options(dir: &Path, clock: &Arc<TestClock>) -> Options {
    Options {
        dir: dir.to_owned(),
        host: HOST.to_owned(),
        key: key(),
        clock: clock.clone(),
        retention_days: None,
        segment_bytes: 1 << 20,
        anchor: None,
    }
}

fn record(number: usize) -> Vec<u8> {
    format!("{{\"eventName\":\"GetSecretValue\",\"requestID\":\"r{number}\"}}").into_bytes()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn write(log: &AuditLog, numbers: std::ops::Range<usize>) {
    for number in numbers {
        wait(log.submit(&[&record(number)]).unwrap().written()).unwrap();
    }
}

fn checked(dir: &Path, anchor: Option<&Anchor>) -> (Report, Vec<Finding>) {
    let mut findings = Vec::new();
    let keys: [PublicKey; 1] = [key().public()];
    let known = |_: &str| anchor.cloned();
    let report = verify(&chains_in(dir).unwrap(), &keys, &known, &mut |found| findings.push(found.clone()));
    (report.unwrap(), findings)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    segments(&dir.join(HOST)).unwrap().into_iter().map(|segment| segment.path).collect()
}

/// Three segments: two runs, and one that was begun for its size.
fn sample(dir: &Path) -> Anchor {
    let clock = clock();
    let Opened { log, .. } = AuditLog::open(options(dir, &clock)).unwrap();
    write(&log, 0..4);
    drop(log);
    let small = Options { segment_bytes: 600, ..options(dir, &clock) };
    let Opened { log, .. } = AuditLog::open(small).unwrap();
    write(&log, 4..8);
    log.close();
    log.anchor().unwrap()
}

#[test]
fn what_was_written_verifies_and_is_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    let (report, findings) = checked(dir.path(), Some(&anchor));
    assert_eq!(findings, []);
    let [chain] = report.chains.as_slice() else { panic!("{report:?}") };
    assert!(chain.segments >= 3 && chain.signed_through == chain.last, "{chain:?}");
    let text: String = files(dir.path()).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for number in 0..8 {
        assert_eq!(text.matches(&format!("\"r{number}\"")).count(), 1);
    }
}

#[test]
fn every_byte_that_is_changed_is_located() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    for file in files(dir.path()) {
        let whole = std::fs::read(&file).unwrap();
        for place in 0..whole.len() {
            // Another bit each time: case, digits, and what is no text.
            let mask = 1_u8 << (place % 8);
            let mut bent = whole.clone();
            bent[place] ^= mask;
            std::fs::write(&file, &bent).unwrap();
            let (_, findings) = checked(dir.path(), Some(&anchor));
            let line = 1 + whole[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
            let first = findings.first().unwrap_or_else(|| panic!("byte {place} of {file:?} ^ {mask}"));
            assert_eq!(first.file, file, "byte {place} ^ {mask}: {findings:?}");
            // A line feed that is another byte joins its line with the next.
            let next = whole[place] == b'\n';
            let near = first.line.is_some_and(|found| found == line || (next && found == line + 1));
            assert!(near, "byte {place} ^ {mask} is on line {line}: {findings:?}");
        }
        std::fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn lines_that_are_taken_out_put_in_or_swapped_are_located() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    for file in files(dir.path()) {
        let whole = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let place = |lines: &[&str]| std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        for at in 0..lines.len() {
            let mut without = lines.clone();
            without.remove(at);
            place(&without);
            let (_, findings) = checked(dir.path(), Some(&anchor));
            assert!(!findings.is_empty(), "without line {} of {file:?}", at + 1);
            let mut twice = lines.clone();
            twice.insert(at, lines[at]);
            place(&twice);
            let (_, findings) = checked(dir.path(), Some(&anchor));
            let first = findings.first().expect("a line is there twice");
            assert_eq!((&first.file, first.line), (&file, Some(at as u64 + 2)));
            if at > 0 {
                let mut swapped = lines.clone();
                swapped.swap(at - 1, at);
                place(&swapped);
                let (_, findings) = checked(dir.path(), Some(&anchor));
                let first = findings.first().expect("lines were swapped");
                assert_eq!((&first.file, first.line), (&file, Some(at as u64)));
            }
        }
        std::fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn a_segment_or_an_end_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    let files = files(dir.path());
    for (number, file) in files.iter().enumerate() {
        let kept = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        let (_, findings) = checked(dir.path(), Some(&anchor));
        let told: String = findings.iter().map(|found| found.what.clone()).collect();
        let last = number + 1 == files.len();
        let wanted = if last {
            "the end was cut off".to_owned()
        } else {
            format!("segments {0} to {0} are missing", number + 1)
        };
        assert!(told.contains(&wanted), "{told}");
        std::fs::write(file, kept).unwrap();
    }
    // Any end that is cut off: inside of the chain by the next segment, at its end by what the store knows.
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        for end in 0..whole.len() {
            std::fs::write(file, &whole[..end]).unwrap();
            let (_, findings) = checked(dir.path(), Some(&anchor));
            assert!(!findings.is_empty(), "{file:?} cut to {end} bytes");
        }
        std::fs::write(file, &whole).unwrap();
    }
}

#[test]
fn a_log_that_was_written_anew_without_the_key_is_told_by_its_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let forged = Options {
        key: AuditKey::from_seed(&SecretBytes::new(vec![4; 32])).unwrap(),
        ..options(dir.path(), &clock())
    };
    let Opened { log, .. } = AuditLog::open(forged).unwrap();
    write(&log, 0..3);
    log.close();
    let (report, findings) = checked(dir.path(), None);
    assert!(findings.iter().any(|found| found.what.contains("signature")), "{findings:?}");
    assert_eq!(report.chains[0].signed_through, 0);
}

#[test]
fn a_line_that_a_kill_has_cut_off_is_explained_and_one_that_was_cut_off_is_not_overlooked() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock)).unwrap();
    write(&log, 0..3);
    log.close();
    let anchor = log.anchor().unwrap();
    drop(log);
    let file = files(dir.path()).pop().unwrap();
    let mut torn = std::fs::read(&file).unwrap();
    let whole = torn.clone();
    torn.extend_from_slice(b"{\"eventName\":\"Get");
    std::fs::write(&file, &torn).unwrap();
    let (report, findings) = checked(dir.path(), Some(&anchor));
    assert_eq!(findings, []);
    assert!(report.chains[0].remarks[0].contains("has no end"), "{report:?}");
    let opened =
        AuditLog::open(Options { anchor: Some(anchor.clone()), ..options(dir.path(), &clock) }).unwrap();
    assert_eq!((opened.unfinished_bytes, opened.missing), (17, None));
    assert_eq!(checked(dir.path(), Some(&opened.began)).1, [], "the store knows of a line that is there");
    write(&opened.log, 3..4);
    drop(opened);
    let (report, findings) = checked(dir.path(), Some(&anchor));
    assert_eq!(findings, []);
    assert!(report.chains[0].remarks[0].contains("17 bytes of a line that was never finished"), "{report:?}");
    assert_eq!(std::fs::read(&file).unwrap(), torn, "nothing that was written is ever touched");

    // The same host, with its end cut off while it did not run.
    let cut = whole.iter().rposition(|byte| *byte == b'{').unwrap();
    let before = whole[..cut].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(HOST)).unwrap();
    std::fs::write(dir.path().join(HOST).join(file.file_name().unwrap()), &whole[..before]).unwrap();
    let opened = AuditLog::open(Options { anchor: Some(anchor), ..options(dir.path(), &clock) }).unwrap();
    assert!(opened.missing.is_some());
    drop(opened);
    let (_, findings) = checked(dir.path(), None);
    assert!(
        findings.iter().any(|found| found.what.contains("cut off while the host did not run")),
        "{findings:?}"
    );
}

#[test]
fn somebody_who_meddles_while_it_is_written_is_told_and_the_log_goes_on() {
    type Meddle = fn(&Path);
    let meddles: [(&str, Meddle); 3] = [
        ("was removed", |file| std::fs::remove_file(file).unwrap()),
        ("another file", |file| {
            let text = std::fs::read(file).unwrap();
            std::fs::remove_file(file).unwrap();
            std::fs::write(file, text).unwrap();
        }),
        ("bytes, and", |file| {
            std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(300).unwrap();
        }),
    ];
    for (told, meddle) in meddles {
        let dir = tempfile::tempdir().unwrap();
        let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock())).unwrap();
        write(&log, 0..3);
        meddle(&files(dir.path())[0]);
        write(&log, 3..6);
        drop(log);
        let (_, findings) = checked(dir.path(), None);
        let what: String = findings.iter().map(|found| found.what.clone()).collect();
        assert!(what.contains("somebody changed a file") && what.contains(told), "{what}");
        let text: String =
            files(dir.path()).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        assert!((3..6).all(|number| text.contains(&format!("\"r{number}\""))));
    }
}

#[test]
fn days_have_segments_of_their_own_and_old_ones_go_with_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    for _ in 0..6 {
        let kept = Options { retention_days: Some(2), ..options(dir.path(), &clock) };
        let Opened { log, .. } = AuditLog::open(kept).unwrap();
        write(&log, 0..2);
        clock.0.fetch_add(86_400_000, Ordering::Relaxed);
        write(&log, 2..3);
    }
    let left = segments(&dir.path().join(HOST)).unwrap();
    assert!(left[0].number > 1 && left.len() < 8, "{left:?}");
    let (_, findings) = checked(dir.path(), None);
    assert_eq!(findings, []);
    std::fs::remove_file(&left[0].path).unwrap();
    let (_, findings) = checked(dir.path(), None);
    assert!(findings[0].what.contains("no line says that they were kept for long enough"), "{findings:?}");
}

#[test]
fn strangers_are_written_down_no_more_often_than_so() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock)).unwrap();
    let admitted = (0..10_000).filter(|_| log.admits_stranger()).count();
    assert_eq!(admitted, 500);
    clock.0.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!((0..10_000).filter(|_| log.admits_stranger()).count(), 50);
    // A clock that is put back gives nobody anything.
    clock.0.fetch_sub(5_000, Ordering::Relaxed);
    assert_eq!((0..100).filter(|_| log.admits_stranger()).count(), 0);
    drop(log);
    let text = std::fs::read_to_string(&files(dir.path())[0]).unwrap();
    assert!(text.contains("\"calls\":19550"), "{text}");
    assert_eq!(checked(dir.path(), None).1, []);
}

#[test]
fn many_callers_share_writes_and_each_finds_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock())).unwrap();
    let log = Arc::new(log);
    std::thread::scope(|scope| {
        for caller in 0..16 {
            let log = log.clone();
            scope.spawn(move || write(&log, caller * 100..caller * 100 + 100));
        }
    });
    let state = log.state();
    assert_eq!(state.records, 1_600);
    assert!(state.writes < 1_600, "{state:?}");
    log.close();
    let text: String = files(dir.path()).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!((0..1_600).all(|number| text.contains(&format!("\"r{number}\""))));
    assert_eq!(checked(dir.path(), log.anchor().as_ref()).1, []);
}

/// Lines of these records after `previous`, as somebody makes them who has no key.
fn chained(records: &[Vec<u8>], mut seq: u64, mut previous: [u8; 32]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let hashed =
            [record.strip_suffix(b"}").unwrap(), format!(",\"chain\":{{\"seq\":{seq}").as_bytes()].concat();
        previous = Sha256::new().chain_update(previous).chain_update(&hashed).finalize().into();
        out.extend_from_slice(&hashed);
        out.extend_from_slice(format!(",\"hash\":\"{}\"}}}}\n", hex::encode(previous)).as_bytes());
        seq += 1;
    }
    out
}

#[test]
fn an_end_that_was_written_anew_gets_no_signature_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock)).unwrap();
    write(&log, 0..9);
    log.close();
    let anchor = log.anchor().unwrap();
    drop(log);
    let file = files(dir.path()).pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let first = whole.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    let before = split(first.strip_suffix(b"\n").unwrap()).unwrap();
    // The same numbers and more, of other records.
    let forged: Vec<Vec<u8>> = (100..120).map(record).collect();
    std::fs::write(&file, [first, &chained(&forged, before.seq + 1, before.hash)].concat()).unwrap();
    let again = Options { anchor: Some(anchor.clone()), ..options(dir.path(), &clock) };
    let opened = AuditLog::open(again).unwrap();
    assert_eq!(opened.missing, Some((anchor.seq, 21)));
    write(&opened.log, 9..12);
    opened.log.close();
    let (report, findings) = checked(dir.path(), opened.log.anchor().as_ref());
    assert!(report.chains[0].signed_through > 21, "the forged lines are before a checkpoint now: {report:?}");
    assert!(
        findings.iter().any(|found| found.what.contains("written anew while the host did not run")),
        "{findings:?}"
    );
}

#[test]
fn what_nobody_has_signed_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    drop(anchor);
    let host = dir.path().join(HOST);
    let header = std::fs::read(&files(dir.path())[0]).unwrap();
    let header = header.split_inclusive(|byte| *byte == b'\n').next().unwrap().to_vec();
    let head = split(header.strip_suffix(b"\n").unwrap()).unwrap();
    let forged: Vec<Vec<u8>> = (0..300).map(record).collect();
    let text = [&header[..], &chained(&forged, 2, head.hash)].concat();
    let name = files(dir.path())[0].clone();
    std::fs::remove_dir_all(&host).unwrap();
    std::fs::create_dir(&host).unwrap();
    let told = |dir: &Path| checked(dir, None).1.iter().map(|found| found.what.clone()).collect::<String>();
    assert!(told(dir.path()).contains("holds no segment of a log"), "{}", told(dir.path()));
    std::fs::write(&name, text).unwrap();
    assert!(told(dir.path()).contains("not one line is signed"), "{}", told(dir.path()));
}

#[test]
fn a_segment_that_was_renamed_to_another_day_or_names_another_key_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    let file = files(dir.path())[0].clone();
    let old = file.with_file_name("000000001-20200101.jsonl");
    std::fs::rename(&file, &old).unwrap();
    let (_, findings) = checked(dir.path(), Some(&anchor));
    assert!(findings.len() == 1 && findings[0].what.contains("it was renamed"), "{findings:?}");
    std::fs::rename(&old, &file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let other = AuditKey::from_seed(&SecretBytes::new(vec![4; 32])).unwrap().public().hex();
    std::fs::write(&file, text.replace(&key().public().hex(), &other)).unwrap();
    let (_, findings) = checked(dir.path(), Some(&anchor));
    assert!(findings.iter().any(|found| found.what.contains("another public key")), "{findings:?}");
}

#[test]
fn a_directory_that_leads_elsewhere_or_that_anybody_may_write_to_is_no_log() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), dir.path().join(HOST)).unwrap();
    let refused = AuditLog::open(options(dir.path(), &clock())).unwrap_err().to_string();
    assert!(refused.contains("is a symbolic link"), "{refused}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let refused = AuditLog::open(options(dir.path(), &clock())).unwrap_err().to_string();
    assert!(refused.contains("everybody may write"), "{refused}");
}

#[test]
fn the_directories_of_two_hosts_that_were_swapped_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let other = "22222222-2222-4333-8444-555555555555";
    for host in [HOST, other] {
        let own = Options { host: host.to_owned(), ..options(dir.path(), &clock()) };
        let Opened { log, .. } = AuditLog::open(own).unwrap();
        write(&log, 0..4);
    }
    assert_eq!(checked(dir.path(), None).1, []);
    let [one, two, aside] = [HOST, other, "aside"].map(|name| dir.path().join(name));
    for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
        std::fs::rename(from, to).unwrap();
    }
    let (_, findings) = checked(dir.path(), None);
    assert!(
        findings.iter().filter(|found| found.what.contains("not of this file")).count() == 2,
        "{findings:?}"
    );
}

#[test]
fn a_checkpoint_of_another_place_is_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = sample(dir.path());
    let file = files(dir.path())[0].clone();
    let text = std::fs::read_to_string(&file).unwrap();
    let checkpoint =
        text.lines().find(|line| line.starts_with("{\"pawlAudit\":\"checkpoint\"")).unwrap().to_owned();
    let checkpoint = checkpoint.split(",\"chain\":").next().unwrap().to_owned() + "}";
    // Everything of the first segment anew, with the signature that there was.
    let first = text.split_inclusive('\n').next().unwrap();
    let head = split(first.trim_end().as_bytes()).unwrap();
    let mut forged: Vec<Vec<u8>> = (100..104).map(record).collect();
    forged.push(checkpoint.into_bytes());
    std::fs::write(&file, [first.as_bytes(), &chained(&forged, 2, head.hash)].concat()).unwrap();
    let (_, findings) = checked(dir.path(), Some(&anchor));
    assert!(findings.iter().any(|found| found.what.contains("checkpoint of other lines")), "{findings:?}");
}

#[test]
fn reads_and_changes_of_many_tasks_are_all_there_and_those_of_callers_who_hang_up_too() {
    const TASKS: usize = 16;
    const EACH: usize = 200;
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let small = Options { segment_bytes: 64 * 1024, ..options(dir.path(), &clock) };
    let Opened { log, .. } = AuditLog::open(small).unwrap();
    let log = Arc::new(log);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let task = |number: usize| {
            let log = Arc::clone(&log);
            async move {
                for place in 0..EACH {
                    let record = record(number * EACH + place);
                    match place % 5 {
                        0 => log.submit(&[&record]).unwrap().written().await.unwrap(),
                        // Nobody waits for it.
                        1 => drop(log.submit_read(&[&record]).unwrap()),
                        _ => log.submit_read(&[&record]).unwrap().written().await.unwrap(),
                    }
                }
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(number))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    log.close();
    let (report, findings) = checked(dir.path(), log.anchor().as_ref());
    assert_eq!(findings, []);
    assert!(report.chains.iter().all(|chain| chain.segments > 3), "{report:?}");
    let text: String = files(dir.path()).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for number in 0..TASKS * EACH {
        assert_eq!(text.matches(&format!("\"r{number}\"")).count(), 1, "r{number}");
    }
}

#[test]
fn lines_that_a_kill_has_left_without_a_checkpoint_are_not_its_successors() {
    let (dir, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let many = |log: &AuditLog| {
        let records: Vec<Vec<u8>> = (0..4_000).map(record).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        wait(log.submit(&records).unwrap().written()).unwrap();
    };
    let Opened { log, .. } = AuditLog::open(options(dir.path(), &clock())).unwrap();
    many(&log);
    // As it is found after a kill at this moment.
    std::fs::create_dir(left.path().join(HOST)).unwrap();
    for file in files(dir.path()) {
        std::fs::copy(&file, left.path().join(HOST).join(file.file_name().unwrap())).unwrap();
    }
    drop(log);
    let Opened { log, .. } = AuditLog::open(options(left.path(), &clock())).unwrap();
    many(&log);
    log.close();
    let (report, findings) = checked(left.path(), None);
    assert_eq!(findings, []);
    assert!(report.chains[0].lines > 8_000);
}
