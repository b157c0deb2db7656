//! Changes of several regions' secrets at once happen as a whole or not at all, whenever the server is killed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pawl_tests::aws;
use pawl_tests::http::Answer;
use pawl_tests::pawl::{Options, Pawl, REGION};
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

/// Kills, each in the middle of four secrets' changes.
const KILLS: usize = 8;
const SECRETS: usize = 4;
const ELSEWHERE: &str = "eu-west-1";

fn try_in(pawl: &Pawl, region: &str, operation: &str, body: &Value) -> Option<Answer> {
    let request = pawl.request(&format!("secretsmanager.{operation}"), body.to_string().as_bytes());
    let signer = aws::Signer { region: region.to_owned(), ..pawl.signer() };
    signer.sign(request, aws::now()).try_send(pawl.address()).ok()
}

/// What an operation answers when it is there; none when there is no such secret.
fn found(pawl: &Pawl, region: &str, operation: &str, name: &str) -> Option<Value> {
    let answer = try_in(pawl, region, operation, &json!({"SecretId": name})).unwrap();
    if answer.code() == "ResourceNotFoundException" {
        return None;
    }
    assert!(answer.status == 200, "{operation} in {region}: {} {}", answer.status, answer.body);
    Some(answer.json())
}

#[test]
fn a_kill_in_the_middle_leaves_no_half_of_a_replica() {
    let mut pawl = Pawl::start(Options::default());
    for round in 0..KILLS {
        let names: Vec<String> = (0..SECRETS).map(|number| format!("r{round}-{number}")).collect();
        let replicas = json!([{"Region": ELSEWHERE}]);
        for name in &names {
            let body = json!({"Name": name, "SecretString": "a value", "AddReplicaRegions": replicas, "ClientRequestToken": aws::token()});
            assert_eq!(try_in(&pawl, REGION, "CreateSecret", &body).unwrap().status, 200);
        }
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| shuffle(&pawl, name, &done));
            }
            // Another moment of the changes each time.
            eventually("the changes are under way", Duration::from_secs(60), || {
                (done.load(Ordering::SeqCst) > 5 + 7 * round).then_some(())
            });
            pawl.kill9();
        });
        pawl.resume();
        for name in &names {
            look_at(&pawl, name);
        }
    }
}

/// Replicates a secret, lets go of the replica, takes it over, until the server is gone.
fn shuffle(pawl: &Pawl, name: &str, done: &AtomicUsize) {
    let again = json!({"SecretId": name, "AddReplicaRegions": [{"Region": ELSEWHERE}], "ForceOverwriteReplicaSecret": true});
    loop {
        for (region, operation, body) in [
            (ELSEWHERE, "StopReplicationToReplica", json!({"SecretId": name})),
            (REGION, "ReplicateSecretToRegions", again.clone()),
            (
                REGION,
                "PutSecretValue",
                json!({"SecretId": name, "SecretString": "another", "ClientRequestToken": aws::token()}),
            ),
            (
                REGION,
                "RemoveRegionsFromReplication",
                json!({"SecretId": name, "RemoveReplicaRegions": [ELSEWHERE]}),
            ),
            (REGION, "ReplicateSecretToRegions", again.clone()),
        ] {
            let Some(answer) = try_in(pawl, region, operation, &body) else { return };
            assert!(answer.status < 500, "{operation}: {} {}", answer.status, answer.body);
            done.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn look_at(pawl: &Pawl, name: &str) {
    let primary = found(pawl, REGION, "DescribeSecret", name).expect("the primary is there");
    found(pawl, REGION, "GetSecretValue", name).expect("it has a value");
    let in_sync = primary["ReplicationStatus"]
        .as_array()
        .is_some_and(|regions| regions.iter().any(|region| region["Status"] == "InSync"));
    let there = found(pawl, ELSEWHERE, "DescribeSecret", name);
    assert!(!in_sync || there.is_some(), "{name}: the primary has a replica that is not there");
    if let Some(there) = there {
        found(pawl, ELSEWHERE, "GetSecretValue", name).expect("whatever it is, it has a value");
        let is_replica = there.get("PrimaryRegion").is_some_and(|region| region == REGION);
        assert!(!is_replica || in_sync, "{name}: a replica whose primary does not know it");
    }
}
