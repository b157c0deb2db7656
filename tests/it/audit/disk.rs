//! A disk that is full: nothing is answered that could not be recorded, and it goes on by itself when there is room.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::json;

use super::log::{lines, must_be_whole, of_event};

const SOON: Duration = Duration::from_secs(120);

/// A small disk of its own, in memory; gone with its owner.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"])
            .arg(at)
            .status();
        assert!(mounted.unwrap().success(), "the tests mount a disk of their own, which needs root");
        Self(at)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

pub(super) fn ready(pawl: &Pawl) -> (u16, String) {
    let request = Request {
        method: "GET".to_owned(),
        path: "/readyz".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let answer = request.header("host", "x").send(pawl.address());
    (answer.status, answer.body)
}

pub(super) fn metric(pawl: &Pawl, name: &str) -> u64 {
    let request = Request {
        method: "GET".to_owned(),
        path: "/metrics".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let page = request.header("host", "x").send(pawl.address()).body;
    let line = page
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")))
        .unwrap_or_else(|| panic!("{name}: {page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_full_disk_stops_every_answer_and_room_starts_them_again() {
    let scratch = Scratch::new("audit-disk");
    let place = scratch.path().join("disk");
    let disk = Disk::mount(&place);
    let environment = vec![("PAWL_AUDIT_DIR", place.to_str().unwrap().to_owned())];
    let pawl = Pawl::start(Options { store: Store::Embedded, environment, ..Options::default() });
    let _ = pawl.create("plain", "canary-value");
    // Somebody else fills the rest.
    let _ = std::fs::write(place.join("filling"), vec![0; 1 << 20]);
    let refused = eventually("a read is refused", SOON, || {
        let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": "plain"}));
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((refused.status, refused.code()), (500, "InternalServiceError".to_owned()));
    assert!(
        !refused.body.contains("canary-value")
            && !refused.body.contains("disk")
            && !refused.body.contains("space")
    );
    eventually("it is not ready", SOON, || {
        // On a crowded machine the first refusal can be that of a writer who was not let to write for seconds.
        let _ = pawl.try_call("GetSecretValue", &json!({"SecretId": "plain"}));
        (ready(&pawl) == (503, "the audit log cannot be written\n".to_owned())).then_some(())
    });
    assert_eq!(metric(&pawl, "pawl_audit_failing"), 1);
    for _ in 0..20 {
        assert_eq!(pawl.try_call("GetSecretValue", &json!({"SecretId": "plain"})).status, 500);
    }
    // A change is refused before it is made.
    let change = json!({"SecretId": "plain", "SecretString": "another", "ClientRequestToken": pawl_tests::aws::token()});
    assert_eq!(pawl.try_call("PutSecretValue", &change).status, 500);
    assert!(pawl.log().contains("the audit log cannot be written"), "the operator is told why");
    std::fs::remove_file(place.join("filling")).unwrap();
    eventually("it goes on by itself", SOON, || (ready(&pawl).0 == 200).then_some(()));
    assert_eq!(pawl.value("plain", "AWSCURRENT").unwrap().1, "canary-value", "what was refused was not done");
    assert_eq!(metric(&pawl, "pawl_audit_failing"), 0);
    assert!(metric(&pawl, "pawl_audit_failures_total") >= 1);
    assert_eq!(pawl.terminate(), Some(0));
    // The log of the small disk is where `verify` looks for it.
    let audit = pawl.data_dir().join("audit");
    assert!(Command::new("cp").arg("-r").arg(&place).arg(&audit).status().unwrap().success());
    drop(disk);
    let told = must_be_whole(&pawl);
    assert!(told.contains("calls were refused without a record"), "{told}");
    let resumed = lines(&pawl).into_iter().find(|line| line["pawlAudit"] == "resumed").unwrap();
    assert!(resumed["refused"].as_u64().unwrap() >= 21, "{resumed}");
    assert!(!of_event(&pawl, "GetSecretValue").is_empty());
}
