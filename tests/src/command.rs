//! Other programs: what they are given, and what came of them.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said on the side.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().to_string_lossy()));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// What it printed, when it went well.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn ok(self) -> String {
        assert!(self.code == Some(0), "exit code {:?}:\n{}{}", self.code, self.stdout, self.stderr);
        self.stdout
    }

    /// What it printed, as JSON.
    ///
    /// # Panics
    /// When it failed, or printed something else.
    #[must_use]
    pub fn json(self) -> Value {
        let printed = self.ok();
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in: {printed}"))
    }
}

/// Only what a program needs to be found: none of this machine's keys, settings or proxies.
#[expect(clippy::disallowed_methods, reason = "the harness gives a child its environment")]
pub fn clean(command: &mut Command, home: &Path) {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC");
    // Version managers find the tools that they shim by these.
    for name in ["PYENV_ROOT", "PYENV_VERSION"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}
