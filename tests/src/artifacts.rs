//! What the tests need built: the `pawl` binary and the guests, each once per test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::scratch::Scratch;

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target directory and the profile's folder in it, as the running executable tells them.
fn target() -> (PathBuf, String) {
    let executable = std::env::current_exe().expect("the path of this executable");
    let mut folder = executable.parent().expect("a folder").to_path_buf();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let profile = folder.file_name().expect("a profile's name").to_string_lossy().into_owned();
    folder.pop();
    (folder, profile)
}

/// Cargo, as if called from a shell. What a Cargo that started us has said of its own package would make build scripts that
/// look at it (ring's) run again, and half of the tree with them.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "Cargo tells its own path by the environment")]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if of_package.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.current_dir(repository());
    command
}

fn build(target: &Path, arguments: &[&str]) {
    let output = cargo()
        .arg("build")
        .args(arguments)
        .arg("--quiet")
        .arg("--target-dir")
        .arg(target)
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "cargo build {} failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The `pawl` binary, built in the profile of the caller; or the one that `PAWL_TEST_BINARY` names, which is taken as it is.
///
/// # Panics
/// When it does not build.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
pub fn pawl() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(given) = std::env::var_os("PAWL_TEST_BINARY") {
            return PathBuf::from(given);
        }
        let (folder, profile) = target();
        let mut arguments = vec!["--package", "pawl-cli", "--bin", "pawl"];
        if profile != "debug" {
            arguments.extend(["--profile", &profile]);
        }
        build(&folder, &arguments);
        folder.join(profile).join("pawl")
    })
}

/// The `node_modules` with AWS's SDK for JavaScript, installed into the target directory where it is missing.
///
/// # Panics
/// When npm cannot install it.
#[must_use]
pub fn node_modules() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let target = target().0;
        install_node_modules(&target).unwrap_or_else(|why| panic!("{why}"));
        target.join(NODE_CLIENTS).join("node_modules")
    })
}

const NODE_CLIENTS: &str = "node-clients";

/// Installs what `tests/it/conformance/node/package-lock.json` locks into cargo's target directory, where it is not yet.
///
/// # Errors
/// When npm is not there or cannot install it.
pub fn install_node_modules(target: &Path) -> Result<(), String> {
    let told = |what: &Path, why: std::io::Error| format!("{}: {why}", what.display());
    let source = repository().join("tests/it/conformance/node");
    let lock_path = source.join("package-lock.json");
    let lock = std::fs::read(&lock_path).map_err(|why| told(&lock_path, why))?;
    let folder = target.join(NODE_CLIENTS);
    let stamp = folder.join("installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("installing into {}: @aws-sdk/client-secrets-manager", folder.display());
    std::fs::create_dir_all(&folder).map_err(|why| told(&folder, why))?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(name), folder.join(name)).map_err(|why| told(&folder, why))?;
    }
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .status()
        .map_err(|why| format!("npm cannot be run: {why}"))?;
    if !status.success() {
        return Err(format!("npm ci in {} failed", folder.display()));
    }
    std::fs::write(&stamp, lock).map_err(|why| told(&stamp, why))
}

/// A guest of `tests/guests` as a component, by its package's name.
#[must_use]
pub fn guest(package: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // A target directory of its own: these builds must not wait for, or invalidate, the host's.
        let folder = target().0.join("test-guests");
        let mut arguments = vec!["--target", "wasm32-wasip2", "--profile", "guest"];
        for package in GUESTS {
            arguments.extend(["--package", package]);
        }
        build(&folder, &arguments);
        folder.join("wasm32-wasip2").join("guest")
    });
    built.join(format!("{}.wasm", package.replace('-', "_")))
}

/// The packages under `tests/guests`.
pub const GUESTS: [&str; 8] = [
    "guest-asks",
    "guest-attacks",
    "guest-loops",
    "guest-hoards",
    "guest-panics",
    "guest-peeks",
    "guest-reads",
    "guest-trespasses",
];

/// A directory for `pawl serve --functions-dir`: every guest, granted what its secret names, except the one that is there to
/// be refused.
///
/// # Panics
/// When the guests do not build.
#[must_use]
pub fn functions() -> Scratch {
    let scratch = Scratch::new("functions");
    for package in GUESTS {
        std::fs::copy(guest(package), scratch.path().join(format!("{package}.wasm"))).unwrap();
        let own_target = package != "guest-trespasses";
        let manifest = format!("[grants]\nengines = [\"postgres\"]\nown-target = {own_target}\n");
        std::fs::write(scratch.path().join(format!("{package}.toml")), manifest).unwrap();
    }
    scratch
}
