//! The chapters on languages with a runtime of their own. What builds their components comes from PyPI and npm, as the chapters say: where
//! it cannot be had these tests fail. A debug build of Pawl compiles such a component in 30 to 45 s, so each test has it done once: the
//! chapters by a server that rotates over HTTP, and what `new` writes by `pawl function test`, crashes included, on a database.

use super::{PATH, Terminal, document, follow_the_document, free_port};

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
