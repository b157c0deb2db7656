//! `aws secretsmanager`, a process for each call.

use std::fmt::Write;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::command::Ran;
use pawl_tests::pawl::Pawl;
use serde_json::{Value, json};

use super::{Client, Reply};

pub(crate) struct CommandLine<'a>(pub(crate) &'a Pawl);

impl CommandLine<'_> {
    fn run(&self, region: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new("aws");
        self.0.client(&mut command);
        Ran::of(
            command
                .args(["--endpoint-url", &format!("http://{}", self.0.address()), "--output", "json"])
                .args(["--region", region, "secretsmanager"])
                .args(arguments),
        )
    }

    /// The subcommands that it has, as it names them to someone who asks for another.
    pub(crate) fn subcommands(&self) -> Vec<String> {
        let told = self.run("us-east-1", &["what-is-there"]).stderr;
        let choices = told.split("valid choices are:").nth(1).expect("a list of choices");
        let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase()) && *word != "help";
        let mut names: Vec<String> = choices.split_whitespace().filter(is_name).map(str::to_owned).collect();
        names.sort();
        names
    }
}

/// `GetSecretValue` as the command line spells it.
pub(crate) fn kebab(operation: &str) -> String {
    let mut out = String::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        let _ = write!(out, "{}", letter.to_ascii_lowercase());
    }
    out
}

impl Client for CommandLine<'_> {
    fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        let mut input = input.clone();
        // This command line takes a blob as the text that it is, and gives it in base64.
        if let Some(blob) = input.get_mut("SecretBinary") {
            let bytes = STANDARD.decode(blob.as_str().unwrap_or_default()).expect("base64");
            *blob = String::from_utf8(bytes).expect("a blob that is a text").into();
        }
        let ran = self.run(region, &[&kebab(operation), "--cli-input-json", &input.to_string()]);
        if ran.code == Some(0) {
            let printed = ran.stdout.trim();
            return Reply::Success(if printed.is_empty() {
                json!({})
            } else {
                serde_json::from_str(printed).unwrap_or_else(|why| panic!("{why} in {printed}"))
            });
        }
        // "An error occurred (CODE) when calling the OPERATION operation: MESSAGE"
        let parts = ran.stderr.split_once("An error occurred (").and_then(|(_, after)| after.split_once(')'));
        let message = parts.and_then(|(_, after)| after.split_once(" operation: "));
        match (parts, message) {
            (Some((code, _)), Some((_, message))) => {
                Reply::Failure { code: code.to_owned(), message: message.trim().to_owned(), status: 400 }
            }
            _ => Reply::Unsayable(format!("{}{}", ran.stdout, ran.stderr)),
        }
    }
}
