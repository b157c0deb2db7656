//! The chapters on languages with a runtime of their own. What builds their components comes from PyPI and npm, as the chapters say: where
//! it cannot be had these tests fail. A debug build of Pawl compiles such a component in 30 to 45 s, so each test has it done once: the
//! chapters by a server that rotates over HTTP, and what `new` writes by `pawl function test`, crashes included, on a database.

use super::{PATH, Terminal, document, follow_the_document, free_port};

use pawl_tests::keyservice::{KeyService, Then};
use pawl_tests::postgres::Postgres;
use pawl_tests::scratch::Scratch;

const PYTHON: &str = "In Python";
const JAVASCRIPT: &str = "In JavaScript";
pub(super) const CHAPTERS: [&str; 2] = [PYTHON, JAVASCRIPT];

/// The service that is rotated, and the chapter.
fn follow(chapter: &str) {
    let (pawl, service) = (free_port(), free_port());
    let text = document().replace("7295", &pawl.to_string()).replace("8081", &service.to_string());
    follow_the_document(&text, |heading| heading == PATH[1] || heading == chapter, pawl);
}

#[test]
fn a_rotator_in_python_is_written_tested_deployed_and_scheduled_as_the_document_says() {
    follow(PYTHON);
}

#[test]
fn a_rotator_in_javascript_is_written_tested_deployed_and_scheduled_as_the_document_says() {
    follow(JAVASCRIPT);
}

/// What `pawl function new` writes rotates a role of PostgreSQL as it stands, crashes included.
fn a_new_project_rotates_a_role(language: &str, get_tools: &str) {
    let postgres = Postgres::start();
    let scratch = Scratch::new("author");
    let mut terminal = Terminal::open(scratch.path(), free_port());
    let url = format!("{}?sslmode=disable", postgres.superuser_url("postgres"));
    for command in [
        format!("pawl function new shop-db --lang {language}"),
        get_tools.to_owned(),
        format!("pawl function test shop-db --database '{url}'"),
    ] {
        let (code, printed) = terminal.r#type(&command);
        println!("$ {command}\n{}", printed.join("\n"));
        assert_eq!(code, 0, "{command}");
        if command.contains("function test") {
            assert_eq!(printed.last().map(String::as_str), Some("20 ok, 0 failed"));
        }
    }
}

#[test]
fn a_new_project_in_python_rotates_a_role() {
    let get_tools = "python3 -m venv shop-db/.venv && shop-db/.venv/bin/pip install --quiet --requirement shop-db/requirements.txt";
    a_new_project_rotates_a_role("python", get_tools);
}

#[test]
fn a_new_project_in_javascript_rotates_a_role() {
    a_new_project_rotates_a_role("js", "npm install --silent --prefix shop-db");
}

/// A service that makes a key for each token that it is asked with, the same for the same one.
fn key_maker() -> KeyService {
    use sha2::Digest as _;
    KeyService::start(|_, asked| {
        let key = hex::encode(sha2::Sha256::digest(&asked.headers["idempotency-key"]));
        let body = serde_json::json!({"data": {"key": key}}).to_string();
        Then::answer(201, "content-type: application/json\r\n", &body)
    })
}

/// `capture`, `reveal` and `statements`, each of them used, in every gap of a rotation, and not a word of a password anywhere.
fn all_that_the_sdk_has(language: &str, (name, source): (&str, &str), get_tools: &str) {
    let (postgres, service) = (Postgres::start(), key_maker());
    let scratch = Scratch::new("author");
    let mut terminal = Terminal::open(scratch.path(), free_port());
    let mut run = |command: &str| {
        let (code, printed) = terminal.r#type(command);
        println!("$ {command}\n{}", printed.join("\n"));
        assert_eq!(code, 0, "{command}");
        printed
    };
    let _ = run(&format!("pawl function new shop-db --lang {language}"));
    let _ = run(get_tools);
    for (file, text) in [(name, source), ("pawl.toml", include_str!("everything/pawl.toml"))] {
        let text = text.replace("SERVICE", &service.origin());
        std::fs::write(scratch.path().join("shop/shop-db").join(file), text).unwrap();
    }
    let url = format!("{}?sslmode=disable", postgres.superuser_url("postgres"));
    let printed = run(&format!("pawl function test shop-db --database '{url}'"));
    assert_eq!(printed.last().map(String::as_str), Some("20 ok, 0 failed"));
    assert!(!service.asked().is_empty(), "no key was asked for");
}

#[test]
fn a_rotator_in_python_takes_keys_reads_passwords_and_runs_statements() {
    let get_tools = "python3 -m venv shop-db/.venv && shop-db/.venv/bin/pip install --quiet --requirement shop-db/requirements.txt";
    all_that_the_sdk_has("python", ("rotator.py", include_str!("everything/rotator.py")), get_tools);
}

#[test]
fn a_rotator_in_javascript_takes_keys_reads_passwords_and_runs_statements() {
    let source = ("rotator.js", include_str!("everything/rotator.js"));
    all_that_the_sdk_has("js", source, "npm install --silent --prefix shop-db");
}
