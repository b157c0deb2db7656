//! A rotation of a real PostgreSQL role, against the same SQL from native Rust, turn by turn.

use std::time::Instant;

use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::postgres::Postgres;
use tokio_postgres::NoTls;

use crate::{Row, median, overhead};

const ROTATIONS: usize = 30;
const WARM_UP: usize = 3;

pub(crate) async fn login(
    port: u16,
    user: &str,
    password: &str,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(user).password(password).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What the rotator does: the new password is tried first, then set by the role itself, then tried again.
async fn native(port: u16, role: &str, old: &str, new: &str) {
    assert!(login(port, role, new).await.is_err(), "the new password is not in force yet");
    let session = login(port, role, old).await.unwrap();
    let verifier = postgres_protocol::password::scram_sha_256(new.as_bytes());
    session.batch_execute(&format!("ALTER ROLE \"{role}\" PASSWORD '{verifier}'")).await.unwrap();
    drop(session);
    login(port, role, new).await.unwrap().batch_execute("").await.unwrap();
}

pub(crate) fn run() -> Vec<Row> {
    let postgres = Postgres::start();
    let pawl = Pawl::start(Options::default());
    let port = postgres.port();
    postgres.create_role("pawls", "password-0");
    postgres.create_role("natives", "password-0");
    overhead::secret(&pawl, "pawls", port, "password-0");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + ROTATIONS {
        let by_pawl = overhead::rotate(&pawl, "pawls");
        let (old, new) = (format!("password-{number}"), format!("password-{}", number + 1));
        let from = Instant::now();
        runtime.block_on(native(port, "natives", &old, &new));
        let by_hand = from.elapsed().as_secs_f64() * 1e3;
        if number >= WARM_UP {
            ours.push(by_pawl);
            theirs.push(by_hand);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let history = pawl.cli(&["rotate", "pawls", "--history", "--last", "30", "--output", "json"]).json();
    let gaps: Vec<f64> = history
        .get("Rotations")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|rotation| rotation.get("GapMicroseconds").unwrap().as_f64().unwrap() / 1e3)
        .collect();
    assert_eq!(gaps.len(), ROTATIONS);
    vec![
        Row::new(
            format!("PostgreSQL rotation by native Rust, n = {ROTATIONS}"),
            format!("p50 {theirs:.1} ms"),
            "",
        ),
        Row::new(format!("PostgreSQL rotation by Pawl, n = {ROTATIONS}"), format!("p50 {ours:.1} ms"), ""),
        Row::new(
            format!("the gap of each, from the password's change to the promotion, n = {ROTATIONS}"),
            format!("p50 {:.1} ms", median(gaps)),
            "<= 10 ms",
        ),
        Row::new("Pawl / native", format!("{:.2}", ours / theirs), "<= 1.5"),
    ]
}
