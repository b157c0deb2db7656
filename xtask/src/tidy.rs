//! The house rules that no compiler knows. All that is wrong is told at once.

use std::path::Path;
use std::process::Command;

use crate::metadata::{self, Member};
use crate::stage;

/// Lines of a source file, its tests at the end left out.
const FILE_LINES_MAX: usize = 500;

/// Who may depend on whom. What is not here is not allowed; a member that is not here is not allowed to exist.
const EDGES: &[(&str, &[&str])] = &[
    ("pawl-core", &[]),
    ("pawl-iam", &["pawl-core"]),
    ("pawl-keyring", &["pawl-core"]),
    ("pawl-store", &["pawl-core", "pawl-keyring"]),
    ("pawl-api", &["pawl-core"]),
    ("pawl-audit", &["pawl-core"]),
    ("pawl-runtime", &["pawl-core"]),
    ("pawl-rotators", &["pawl-core"]),
    (
        "pawl-server",
        &[
            "pawl-core",
            "pawl-iam",
            "pawl-keyring",
            "pawl-store",
            "pawl-api",
            "pawl-audit",
            "pawl-runtime",
            "pawl-rotators",
        ],
    ),
    ("pawl-cli", &["pawl-core", "pawl-iam", "pawl-api", "pawl-audit", "pawl-runtime", "pawl-server"]),
    ("pawl-guest", &[]),
    ("pawl-fuzz", &["pawl-core", "pawl-iam", "pawl-api"]),
    ("pawl-tests", &[]),
    ("xtask", &["pawl-api", "pawl-tests"]),
];

/// What a member's tests may use beyond that.
const TEST_EDGES: &[(&str, &[&str])] = &[
    ("pawl-runtime", &["pawl-rotators", "pawl-tests"]),
    // The codes of rows, by a real key.
    ("pawl-store", &["pawl-keyring"]),
    // The benches load a million secrets without the server, and measure a built-in rotator.
    ("pawl-tests", &["pawl-core", "pawl-api", "pawl-keyring", "pawl-rotators", "pawl-store"]),
];

/// What a guest may depend on.
const GUEST_EDGES: &[&str] = &["pawl-guest"];

/// Crates that decide and never do: no runtime, no socket, no database.
const PURE: &[&str] = &["pawl-core", "pawl-iam"];
const IMPURE_CRATES: &[&str] = &["tokio", "axum", "sqlx", "hyper", "wasmtime", "getrandom", "ureq"];

/// Checks everything.
pub(crate) fn run() -> Result<(), String> {
    let members = metadata::members()?;
    let mut wrong = Vec::new();
    for member in &members {
        direction(member, &mut wrong);
        manifest(member, &mut wrong)?;
    }
    let files = files()?;
    for (name, text) in &files {
        if name.ends_with(".rs") {
            source(name, text, &files, &mut wrong);
        }
        if name.ends_with(".md") {
            links(name, text, &mut wrong);
        }
        words(name, text, &mut wrong);
    }
    if wrong.is_empty() {
        println!("{} members and {} files are tidy", members.len(), files.len());
        return Ok(());
    }
    for line in &wrong {
        eprintln!("{line}");
    }
    Err(format!("{} house rules are broken; see them again with: cargo xtask tidy", wrong.len()))
}

/// The text files of the repository, those not yet committed included.
fn files() -> Result<Vec<(String, String)>, String> {
    let output = Command::new("git")
        .current_dir(stage::root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = |name: &str| {
        std::fs::read_to_string(stage::root().join(name)).ok().map(|text| (name.to_owned(), text))
    };
    let files: Vec<_> = names.lines().filter(|name| !name.ends_with("Cargo.lock")).filter_map(text).collect();
    if files.is_empty() { Err("git lists no files".to_owned()) } else { Ok(files) }
}

fn direction(member: &Member, wrong: &mut Vec<String>) {
    let allowed_of = |table: &[(&str, &'static [&'static str])]| {
        table.iter().find(|(name, _)| *name == member.name).map(|(_, allowed)| *allowed)
    };
    let allowed = if member.is_guest { Some(GUEST_EDGES) } else { allowed_of(EDGES) };
    let Some(allowed) = allowed else {
        wrong
            .push(format!("{}: a new member needs its place in the table of xtask/src/tidy.rs", member.name));
        return;
    };
    for (dependency, only_tests) in &member.dependencies {
        let by_tests = allowed_of(TEST_EDGES).unwrap_or_default();
        let may = allowed.contains(&dependency.as_str())
            || (*only_tests && by_tests.contains(&dependency.as_str()));
        if !may && *dependency != member.name {
            wrong.push(format!(
                "{}: must not depend on {dependency} (DESIGN: dependencies point one way)",
                member.name
            ));
        }
    }
}

fn manifest(member: &Member, wrong: &mut Vec<String>) -> Result<(), String> {
    let path = member.manifest.display();
    let text = std::fs::read_to_string(&member.manifest).map_err(|error| format!("{path}: {error}"))?;
    let flat: String = text.split_whitespace().collect();
    if !flat.contains("[lints]workspace=true") {
        wrong.push(format!("{}: its Cargo.toml lacks `[lints] workspace = true`", member.name));
    }
    let (normal, _) = text.split_once("[dev-dependencies]").unwrap_or((&text, ""));
    for line in normal.lines().filter(|_| PURE.contains(&member.name.as_str())) {
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if IMPURE_CRATES.contains(&name) {
            wrong.push(format!("{}: is pure, and `{name}` is not", member.name));
        }
    }
    Ok(())
}

fn source(name: &str, text: &str, files: &[(String, String)], wrong: &mut Vec<String>) {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
    if lines > FILE_LINES_MAX && !is_test_module(name, files) {
        wrong.push(format!("{name}: {lines} lines without its tests, {FILE_LINES_MAX} are the most"));
    }
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{name}:{}", number + 1);
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        if code.starts_with(concat!("#[", "instrument"))
            || code.starts_with(concat!("#[tracing::", "instrument"))
        {
            let attribute: String = text.lines().skip(number).take(8).collect();
            let attribute = attribute.split_once(")]").map_or("", |(before, _)| before);
            if !attribute.contains("skip_all") {
                wrong.push(format!("{}: instrument without skip_all records arguments", place()));
            }
        }
        for unfinished in [concat!("to", "do!("), concat!("unimple", "mented!(")] {
            if code.contains(unfinished) {
                wrong.push(format!("{}: `{unfinished}`", place()));
            }
        }
    }
}

/// Whether a file is a module that only tests have: declared so, or in a crate's tests.
fn is_test_module(name: &str, files: &[(String, String)]) -> bool {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let declared = |(other, text): &(String, String)| {
        let beside =
            Path::new(other).parent() == Some(folder) || Path::new(other).with_extension("") == folder;
        let for_tests = ["#[cfg(test)]\nmod", "#[cfg(any(test, feature = \"testing\"))]\npub mod"];
        beside
            && other.ends_with(".rs")
            && for_tests.iter().any(|before| text.contains(&format!("{before} {stem};")))
    };
    name.contains("/tests/") || files.iter().any(declared)
}

/// Words that must not stand in any file.
fn words(name: &str, text: &str, wrong: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        let mut tell = |what: &str| wrong.push(format!("{name}:{}: {what}", number + 1));
        for path in [concat!("/wo", "rk/"), concat!("/ro", "ot/")] {
            if line.contains(path) {
                tell(&format!("`{path}` is a path of one machine"));
            }
        }
        for registry in [
            concat!("crates", ".io"),
            concat!("pypi", ".org"),
            concat!("npmjs", ".org"),
            concat!("debian", ".org"),
        ] {
            if line.contains(registry) {
                tell(&format!("`{registry}` names a package registry's host"));
            }
        }
        for later in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            let is_word = line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == later);
            if is_word && !line.contains('#') {
                tell(&format!("{later} without the number of its issue"));
            }
        }
    }
}

/// Links to files of the repository that are not there.
fn links(name: &str, text: &str, wrong: &mut Vec<String>) {
    let folder = stage::root().join(name);
    let folder = folder.parent().unwrap_or(stage::root());
    for (number, line) in text.lines().enumerate() {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split(['#', ' ']).next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !folder.join(path).exists() {
                wrong.push(format!("{name}:{}: the link to `{path}` leads nowhere", number + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        source(name, text, &[], &mut wrong);
        words(name, text, &mut wrong);
        links(name, text, &mut wrong);
        wrong
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let broken = [
            "x\n".repeat(501),
            concat!("#[", "instrument(skip(self))]\nfn f() {}").to_owned(),
            concat!("fn f() { to", "do!() }").to_owned(),
            concat!("// TO", "DO: later").to_owned(),
            concat!("\"/wo", "rk/main\"").to_owned(),
            concat!("see crates", ".io").to_owned(),
            "[a](no/such/file.md)".to_owned(),
        ];
        for text in &broken {
            assert_eq!(told("a.rs", text).len(), 1, "{text:.60}: {:?}", told("a.rs", text));
        }
    }

    #[test]
    fn what_keeps_the_rules_is_let_be() {
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(500), "y\n".repeat(500));
        let kept = [
            tested.as_str(),
            concat!("#[", "instrument(\n    level = \"debug\",\n    skip_all\n)]\nfn f() {}"),
            concat!("// TO", "DO(#12): later"),
            "[a](Cargo.toml) [b](https://example.com/x) [c](#here)",
        ];
        for text in kept {
            assert_eq!(told("a.rs", text), Vec::<String>::new(), "{text:.60}");
        }
    }

    #[test]
    fn a_dependency_that_points_back_is_found() {
        let member = |name: &str, dependency: &str, only_tests| Member {
            name: name.to_owned(),
            manifest: std::path::PathBuf::new(),
            is_guest: false,
            dependencies: vec![(dependency.to_owned(), only_tests)],
        };
        let told = |member: &Member| {
            let mut wrong = Vec::new();
            direction(member, &mut wrong);
            wrong.len()
        };
        assert_eq!(told(&member("pawl-server", "pawl-core", false)), 0);
        assert_eq!(told(&member("pawl-core", "pawl-server", false)), 1);
        assert_eq!(told(&member("pawl-runtime", "pawl-store", false)), 1, "they never meet");
        assert_eq!(told(&member("pawl-store", "pawl-runtime", true)), 1, "not even in tests");
        assert_eq!(told(&member("pawl-newcomer", "pawl-core", false)), 1);
    }
}
