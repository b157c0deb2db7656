//! One command of many: announced, run, timed, and when it fails, told how to run it again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) use pawl_tests::artifacts::cargo;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    pawl_tests::artifacts::repository()
}

/// A command as one would type it.
pub(crate) fn typed(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words = command.get_args().map(|argument| {
        let text = argument.to_string_lossy();
        if text.contains([' ', '*', '"', '\'']) { format!("'{text}'") } else { text.into_owned() }
    });
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}

/// Runs a command, its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = typed(command);
    println!("\n== {line}");
    let from = Instant::now();
    let status = command.status().map_err(|error| format!("`{line}` cannot be run: {error}"))?;
    println!("== {:.1} s", from.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("failed; run it again with: {line}")) }
}

/// What a run of tests came to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Runs a command whose output counts tests as `cargo test` does, and adds up what its lines say.
pub(crate) fn run_counted(command: &mut Command) -> (Count, Result<(), String>) {
    let line = typed(command);
    println!("\n== {line}");
    let from = Instant::now();
    let mut count = Count::default();
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return (count, Err(format!("`{line}` cannot be run: {error}"))),
    };
    for text in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok))
    {
        println!("{text}");
        if let Some((passed, failed)) = counted(&text) {
            count.passed += passed;
            count.failed += failed;
        }
    }
    // A pipe that is closed on us (`| head`) must not hide the result.
    let _ = std::io::stdout().flush();
    let status = child.wait();
    println!("== {:.1} s", from.elapsed().as_secs_f64());
    let done = match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("failed; run it again with: {line}")),
        Err(error) => Err(format!("`{line}` was lost: {error}")),
    };
    (count, done)
}

/// The numbers in `test result: ok. 3 passed; 0 failed; ...`.
fn counted(line: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = line.trim().strip_prefix("test result: ")?.split([' ', ';']).collect();
    let number = |of: &str| {
        let at = words.iter().position(|word| *word == of)?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    Some((number("passed")?, number("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_other_lines_are_not() {
        let line =
            "test result: ok. 29 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(counted(line), Some((29, 1)));
        assert_eq!(counted("test result: 27 passed; 0 failed"), Some((27, 0)), "a runner of one's own");
        assert_eq!(counted("test result_is_read ... ok"), None);
        assert_eq!(counted("29 passed"), None);
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "a b"]);
        assert_eq!(typed(&command), "cargo test 'a b'");
    }
}
