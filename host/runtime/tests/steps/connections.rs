//! What a hostile rotator can do over connections that the host makes, in a real worker, with a server of its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pawl_core::function::{Environment, Grants};
use pawl_core::rotation::Step;
use pawl_runtime::{StepLimits, StepReport};

use super::Test;
use super::attacks::attacker;
use super::stage::{Stage, block, builtin, permanent, program};

pub(crate) const TESTS: &[Test] = &[
    ("connections::none_goes_where_it_was_not_granted", none_goes_where_it_was_not_granted),
    ("connections::no_answer_gives_a_password", no_answer_gives_a_password),
    ("connections::floods_end_and_the_runtime_goes_on", floods_end_and_the_runtime_goes_on),
    ("connections::a_server_that_is_silent_costs_the_step", a_server_that_is_silent_costs_the_step),
    ("connections::none_outlives_its_step", none_outlives_its_step),
];

/// The password before rotation, as the stage has it.
const OLD: &str = "old-password";

/// A server that gives back what it is told, or says nothing.
struct Server {
    place: String,
    opened: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

fn server(echoes: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let (opened, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (its_opened, its_ended) = (Arc::clone(&opened), Arc::clone(&ended));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            its_opened.fetch_add(1, Ordering::SeqCst);
            let ended = Arc::clone(&its_ended);
            std::thread::spawn(move || serve(stream.unwrap(), echoes, &ended));
        }
    });
    Server { place, opened, ended }
}

fn serve(mut stream: TcpStream, echoes: bool, ended: &AtomicUsize) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if echoes && stream.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    ended.fetch_add(1, Ordering::SeqCst);
}

fn grants(server: &Server, more: &serde_json::Value) -> Grants {
    let mut grant = serde_json::json!({
        "targets": [server.place, "169.254.169.254:80", "[fd00:ec2::254]:80"], "tls": "none", "sensitive": true,
        "answers": true,
    });
    for (name, value) in more.as_object().unwrap() {
        grant[name] = value.clone();
    }
    Grants { tcp: [serde_json::from_value(grant).unwrap()].into(), ..builtin().grants() }
}

async fn attack(stage: &Stage, server: &Server, name: &str, more: &serde_json::Value) -> StepReport {
    let environment = Environment::from([
        ("ATTACK".to_owned(), name.to_owned()),
        ("PLACE".to_owned(), server.place.clone()),
    ]);
    let report = stage.run_with(&attacker(), Step::SetSecret, grants(server, more), environment).await;
    let told = format!("{:?} {:?}", report.outcome, report.log);
    assert!(!told.contains(OLD) && !told.contains(PASSWORD), "{name} learnt a password: {told}");
    println!("    | {name} | {} |", permanent(&report));
    report
}

/// Long enough to be sent where answers may be read.
const PASSWORD: &str = "old-password-of-sixteen-and-more";

fn stage() -> Stage {
    let stage =
        Stage::with(program(), StepLimits { wall: Duration::from_secs(300), ..StepLimits::default() });
    let long = stage.secret.current.lock().unwrap().replace(OLD, PASSWORD);
    *stage.secret.current.lock().unwrap() = long;
    stage
}

fn none_goes_where_it_was_not_granted() {
    let (stage, server) = (stage(), server(true));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let report = attack(&stage, &server, "tcp-dial", &serde_json::json!({})).await;
        let text = permanent(&report);
        assert_eq!(
            (text.matches(" NotGranted; ").count(), text.matches(" Refused; ").count()),
            (9, 4),
            "{text}"
        );
    });
    assert_eq!(server.opened.load(Ordering::SeqCst), 0);
}

fn no_answer_gives_a_password() {
    let (stage, server) = (stage(), server(true));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        for name in ["tcp-echo", "tcp-guess"] {
            let report = attack(&stage, &server, name, &serde_json::json!({})).await;
            assert!(permanent(&report).contains("holds a sensitive value"), "{name}: {report:?}");
        }
        let blind = serde_json::json!({"answers": false});
        let report = attack(&stage, &server, "tcp-echo", &blind).await;
        assert!(permanent(&report).contains("`answers`"), "{report:?}");
        let mute = serde_json::json!({"sensitive": false});
        let report = attack(&stage, &server, "tcp-echo", &mute).await;
        assert!(permanent(&report).contains("`sensitive`"), "{report:?}");
    });
}

fn floods_end_and_the_runtime_goes_on() {
    let (stage, server) = (stage(), server(false));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let report = attack(&stage, &server, "tcp-flood", &serde_json::json!({})).await;
        assert!(
            permanent(&report).contains("after 17: refused: Refused(\"a step may send 1048576"),
            "{report:?}"
        );
        let report = attack(&stage, &server, "tcp-hoard", &serde_json::json!({})).await;
        assert!(permanent(&report).contains("after 4: refused"), "{report:?}");
        let report = attack(&stage, &server, "tcp-dial", &serde_json::json!({})).await;
        assert!(!permanent(&report).contains("it was allowed"), "{report:?}");
    });
}

fn a_server_that_is_silent_costs_the_step() {
    let (stage, server) = (stage(), server(false));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        let report = attack(&stage, &server, "tcp-silence", &serde_json::json!({})).await;
        assert!(permanent(&report).contains("did not answer in time"), "{report:?}");
    });
}

fn none_outlives_its_step() {
    let (stage, server) = (stage(), server(true));
    block(async {
        stage.runtime.prepare(&attacker()).await.unwrap();
        for round in 1..=2 {
            let report = attack(&stage, &server, "tcp-again", &serde_json::json!({})).await;
            assert!(permanent(&report).contains("0 were left; one is open"), "{report:?}");
            while server.ended.load(Ordering::SeqCst) < round {
                std::thread::yield_now();
            }
        }
    });
}
