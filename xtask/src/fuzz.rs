//! Looks for inputs that a parser cannot bear: libFuzzer's programs, one after the other.
//!
//! The counters that guide libFuzzer need no nightly compiler: they are flags that every rustc takes. (cargo-fuzz sets the same
//! ones, and works on `fuzz/libfuzzer` too, for those who want its other tools.)

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::stage;

/// Time for one target when nothing is said.
const SECONDS: u64 = 60;
/// An input that takes longer is a defect.
const INPUT_SECONDS_MAX: u32 = 5;

/// Counters at every edge of the code and every comparison. One codegen unit, as the counters of several would be told apart badly.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// What is to be run.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    seconds: u64,
    target: Option<String>,
}

/// Runs one target or all: `[--seconds N] [TARGET]`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let targets = targets()?;
    let Wanted { seconds, target } = wanted(arguments, &targets)?;
    let targets = target.map_or(targets, |target| vec![target]);
    let programs = build()?;
    let mut crashed = Vec::new();
    let mut table = String::new();
    for target in &targets {
        let told = fuzz(&programs.join(target), target, seconds)?;
        table.push_str(&told.row(target));
        if !told.clean {
            crashed.push(target.as_str());
        }
    }
    println!("\n| target | runs | per second | edges | result |\n|---|---|---|---|---|\n{table}");
    if crashed.is_empty() { Ok(()) } else { Err(advice(&crashed)) }
}

fn folder(name: &str) -> PathBuf {
    stage::root().join("fuzz").join(name)
}

/// The targets, as they have seeds.
fn targets() -> Result<Vec<String>, String> {
    let seeds = folder("seeds");
    let entries = std::fs::read_dir(&seeds).map_err(|error| format!("{}: {error}", seeds.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn wanted(arguments: &[String], targets: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted { seconds: SECONDS, target: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            let number = rest.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
            wanted.seconds = number.ok_or("--seconds wants a number from 1")?;
        } else if targets.contains(argument) && wanted.target.is_none() {
            wanted.target = Some(argument.clone());
        } else {
            let known = targets.join(", ");
            return Err(format!("usage: cargo xtask fuzz [--seconds N] [TARGET]; the targets are {known}"));
        }
    }
    Ok(wanted)
}

/// Builds all targets; the folder of their programs.
fn build() -> Result<PathBuf, String> {
    let host = stage::cargo().args(["-vV"]).output().map_err(|error| format!("cargo: {error}"))?;
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let target_dir = crate::metadata::target_dir()?.join("fuzz");
    let mut cargo = stage::cargo();
    // With a target named, the flags are not for build scripts and macros.
    cargo.args(["build", "--release", "--target", host, "--manifest-path"]);
    cargo.arg(folder("libfuzzer").join("Cargo.toml")).arg("--target-dir").arg(&target_dir);
    stage::run(cargo.env("RUSTFLAGS", FLAGS.join(" ")))?;
    Ok(target_dir.join(host).join("release"))
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    runs: u64,
    per_second: u64,
    edges: u64,
    clean: bool,
}

impl Told {
    fn row(&self, target: &str) -> String {
        let result = if self.clean { "clean" } else { "**crash**" };
        format!("| {target} | {} | {} | {} | {result} |\n", self.runs, self.per_second, self.edges)
    }

    /// Reads one line of libFuzzer's: `#9585  DONE  cov: 2073 ft: 9535 corp: 2594/1138Kb lim: 2420 exec/s: 1260 rss: 33Mb`.
    fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix('#') else { return };
        let mut words = rest.split_ascii_whitespace();
        let Some(runs) = words.next().and_then(|word| word.parse().ok()) else { return };
        self.runs = runs;
        let words: Vec<&str> = words.collect();
        let after = |label: &str| {
            let at = words.iter().position(|word| *word == label)?;
            words.get(at + 1)?.parse().ok()
        };
        self.edges = after("cov:").unwrap_or(self.edges);
        self.per_second = after("exec/s:").unwrap_or(self.per_second);
    }
}

/// Runs one target. What it finds on the way stays in Cargo's target directory, for the next run to begin with.
fn fuzz(program: &Path, target: &str, seconds: u64) -> Result<Told, String> {
    let corpus = program.with_file_name("corpus").join(target);
    let crashes = folder("crashes").join(target);
    for folder in [&corpus, &crashes] {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut command = Command::new(program);
    command.arg(&corpus).arg(folder("seeds").join(target)).args([
        format!("-dict={}", folder("dictionaries").join(target).display()),
        format!("-artifact_prefix={}/", crashes.display()),
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
    ]);
    println!("\n== {target}, {seconds} s");
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` cannot be run: {error}", program.display()))?;
    let mut told = Told::default();
    let lines = child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines());
    // From the first word of a crash on, everything is for reading.
    let mut crashing = false;
    for line in lines.map_while(Result::ok) {
        told.read(&line);
        crashing |= line.contains("panicked at") || line.starts_with("==");
        if crashing || line.contains("\tDONE ") || line.contains("\tpulse ") {
            println!("{line}");
        }
    }
    told.clean = child.wait().is_ok_and(|status| status.success());
    // Nothing but crashes is to be kept in the repository.
    let _ = std::fs::remove_dir(&crashes).and_then(|()| std::fs::remove_dir(folder("crashes")));
    Ok(told)
}

fn advice(crashed: &[&str]) -> String {
    let names = crashed.join(", ");
    format!(
        "{names} crashed. The input is in fuzz/crashes/TARGET (its name begins with crash-, timeout- or oom-). Give it a name that \
         says what it is, mend the parser (or the check, when it is the check that is wrong), and keep the input: \
         `cargo test -p pawl-fuzz` runs it with the seeds from now on"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_run_is_told_by_its_last_line() {
        let mut told = Told::default();
        for line in [
            "INFO: Seed: 1",
            "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 26Mb",
            "#2594\tREDUCE cov: 2073 ft: 9535 corp: 2594/1138Kb lim: 2420 exec/s: 2943 rss: 33Mb L: 270/2384 MS: 2 EraseBytes-",
            "#9585\tDONE   cov: 2074 ft: 9535 corp: 2594/1138Kb lim: 2420 exec/s: 1260 rss: 33Mb",
            "###### Recommended dictionary. ######",
            "Done 9585 runs in 601 second(s)",
        ] {
            told.read(line);
        }
        assert_eq!(told, Told { runs: 9_585, per_second: 1_260, edges: 2_074, clean: false });
    }

    #[test]
    fn a_target_and_a_time_can_be_chosen() {
        let targets = words("arn name");
        let read = |text: &str| wanted(&words(text), &targets);
        assert_eq!(read(""), Ok(Wanted { seconds: SECONDS, target: None }));
        assert_eq!(read("--seconds 600 arn"), Ok(Wanted { seconds: 600, target: Some("arn".to_owned()) }));
        for wrong in ["--seconds", "--seconds 0", "--seconds x", "nobody", "arn name"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_target_has_a_program_and_a_dictionary() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 7, "{targets:?}");
        for target in targets {
            assert!(folder("libfuzzer/targets").join(format!("{target}.rs")).is_file(), "{target}");
            assert!(folder("dictionaries").join(&target).is_file(), "{target}");
        }
    }
}
