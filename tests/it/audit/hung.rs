//! A disk that hangs: a file system that is frozen takes no write and gives no error.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::json;

use super::disk::{metric, ready};
use super::log::{must_be_whole, of_event};

const SOON: Duration = Duration::from_secs(120);

fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success(),
        "{program} {arguments:?} (the tests mount a disk, which needs root): {told}"
    );
}

/// A file system of its own, in a file.
struct Disk(PathBuf);

impl Disk {
    fn mount(scratch: &Path) -> Self {
        let (image, at) = (scratch.join("image"), scratch.join("disk"));
        std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        std::fs::create_dir(&at).unwrap();
        run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()]);
        Self(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// As long as this is there, nobody who writes comes back; not even a `kill -9` ends him.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn freeze(at: &'a Path) -> Self {
        run("fsfreeze", &["--freeze", at.to_str().unwrap()]);
        Self(at)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_hangs_lets_no_answer_leave_is_told_and_is_over_when_it_comes_back() {
    let scratch = Scratch::new("audit-hung");
    let disk = Disk::mount(scratch.path());
    let environment = vec![("PAWL_AUDIT_DIR", disk.0.to_str().unwrap().to_owned())];
    let pawl = Pawl::start(Options { store: Store::Embedded, environment, ..Options::default() });
    let _ = pawl.create("plain", "canary-value");
    assert_eq!(ready(&pawl).0, 200);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let frozen = Frozen::freeze(&disk.0);
        let calls = [
            ("GetSecretValue", json!({"SecretId": "plain"})),
            (
                "CreateSecret",
                json!({"Name": "made", "SecretString": "x", "ClientRequestToken": pawl_tests::aws::token()}),
            ),
            ("ListSecrets", json!({})),
        ];
        let asked: Vec<_> = calls
            .into_iter()
            .map(|(operation, body)| {
                let (pawl, answered) = (&pawl, &answered);
                scope.spawn(move || {
                    let answer = pawl.try_call(operation, &body);
                    answered.fetch_add(1, Ordering::SeqCst);
                    (operation, answer.status)
                })
            })
            .collect();
        eventually("it says that it is not ready", SOON, || {
            (ready(&pawl) == (503, "the audit log cannot be written\n".to_owned())).then_some(())
        });
        assert_eq!(metric(&pawl, "pawl_audit_failing"), 1);
        assert_eq!(answered.load(Ordering::SeqCst), 0, "an answer has left without its record");
        drop(frozen);
        eventually("it is ready again by itself", SOON, || (ready(&pawl).0 == 200).then_some(()));
        for asked in asked {
            let (operation, status) = asked.join().unwrap();
            assert_eq!(status, 200, "{operation}");
        }
    });
    assert_eq!(metric(&pawl, "pawl_audit_failing"), 0);
    assert_eq!(pawl.value("made", "AWSCURRENT").unwrap().1, "x");
    assert_eq!(pawl.terminate(), Some(0));
    // The log is where `verify` looks for it.
    let audit = pawl.data_dir().join("audit");
    std::fs::remove_dir_all(disk.0.join("lost+found")).unwrap();
    assert!(Command::new("cp").arg("-r").arg(&disk.0).arg(&audit).status().unwrap().success());
    let _ = must_be_whole(&pawl);
    assert_eq!(of_event(&pawl, "CreateSecret").len(), 2);
    assert_eq!(of_event(&pawl, "ListSecrets").len(), 1);
}
