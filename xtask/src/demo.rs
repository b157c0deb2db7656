//! The main job in front of one's eyes: a real PostgreSQL password turned by a sandboxed component that never sees it.

use std::time::Instant;

use pawl_tests::artifacts;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::postgres::{Login, Postgres};
use serde_json::{Value, json};

use crate::machine;
use crate::stage;

const SECRET: &str = "demo/shop";
const ROLE: &str = "shop";
const FIRST_PASSWORD: &str = "kept-in-a-wiki-since-2019";
const ROTATOR: &str = "pawl-postgres-single-user";
/// The same rotation, by a guest that tells all that it sees.
const WITNESS: &str = "guest-peeks";

/// Enough of a password to tell it from another.
fn hint(password: &str) -> String {
    let shown: String = password.chars().take(3).collect();
    format!("{shown}…")
}

fn said(login: &Login) -> String {
    match login {
        Login::Accepted => "accepted".to_owned(),
        Login::Refused => "refused".to_owned(),
        Login::Failed(why) => format!("failed: {why}"),
    }
}

/// Builds, runs, and fails when anything is otherwise than it should be.
pub(crate) fn run() -> Result<(), String> {
    let from = Instant::now();
    machine::guest_target()?;
    machine::postgres()?;
    stage::run(stage::cargo().args(["build", "--package", "pawl-cli", "--bin", "pawl"]))?;
    let functions = artifacts::functions();

    let postgres = Postgres::start();
    postgres.create_role(ROLE, FIRST_PASSWORD);
    let pawl = Pawl::start(Options { functions: Some(functions.path().to_path_buf()), ..Options::default() });
    let version = postgres.admin("SHOW server_version");
    println!(
        "\nPostgreSQL {version}, scram-sha-256, on 127.0.0.1:{}: role `{ROLE}`, password {}",
        postgres.port(),
        hint(FIRST_PASSWORD)
    );
    println!(
        "pawl serve, embedded SQLite, on http://{}: up in {} ms",
        pawl.address(),
        pawl.started_in().as_millis()
    );

    let value = json!({"engine": "postgres", "host": "127.0.0.1", "port": postgres.port(), "username": ROLE,
                       "password": FIRST_PASSWORD, "dbname": "postgres", "ssl": false});
    say("pawl secret create", &pawl.cli(&["secret", "create", SECRET, "--value", &value.to_string()]).ok());
    println!("\nrotating after {:.1} s\n", from.elapsed().as_secs_f64());
    say(
        &format!("pawl rotate {SECRET} --function {ROTATOR} --wait"),
        &pawl.cli(&["rotate", SECRET, "--function", ROTATOR, "--wait"]).ok(),
    );

    let new = pawl.password(SECRET, "AWSCURRENT");
    let previous = pawl.password(SECRET, "AWSPREVIOUS");
    let (old_login, new_login) = (postgres.login(ROLE, FIRST_PASSWORD), postgres.login(ROLE, &new));
    println!("\nwhat PostgreSQL says now");
    println!("  old password {:<5} {}", hint(FIRST_PASSWORD), said(&old_login));
    println!("  new password {:<5} {}", hint(&new), said(&new_login));
    let kept = if previous == FIRST_PASSWORD { "the old password" } else { "something else" };
    println!("  AWSPREVIOUS holds  {kept}");

    println!("\nwhat it took");
    let rotation = pawl.rotation(SECRET);
    for step in list(&rotation, "Steps") {
        let milliseconds = step.get("Milliseconds").and_then(Value::as_u64).unwrap_or_default();
        println!("  {:<13} {milliseconds:>5} ms", text(step, "Step"));
    }
    println!("\nwhat PostgreSQL saw (log_statement = all)");
    let log = postgres.log();
    let statement = log.lines().rev().find(|line| line.contains("SCRAM-SHA-256$")).unwrap_or("nothing");
    println!("  {:.100}…", statement.split("statement: ").last().unwrap_or_default());

    println!("\nwhat a rotator sees (the same rotation by `{WITNESS}`, which logs all that it is shown)");
    let _ = pawl.cli(&["rotate", SECRET, "--function", WITNESS, "--wait"]).ok();
    let witness = pawl.rotation(SECRET);
    for line in list(&witness, "Log") {
        println!("  {}", text(line, "Message"));
    }
    let newest = pawl.password(SECRET, "AWSCURRENT");
    let everywhere = format!("{log}{}{}{rotation}{witness}", postgres.log(), pawl.log());
    let leaked = [FIRST_PASSWORD, &new, &newest].iter().any(|password| everywhere.contains(*password));

    let right = old_login == Login::Refused
        && new_login == Login::Accepted
        && previous == FIRST_PASSWORD
        && postgres.login(ROLE, &newest) == Login::Accepted
        && !leaked;
    println!("\n{:.1} s in all", from.elapsed().as_secs_f64());
    if right { Ok(()) } else { Err("something is not as it should be: see above".to_owned()) }
}

fn say(command: &str, output: &str) {
    println!("$ {command}");
    for line in output.lines() {
        println!("  {line}");
    }
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
