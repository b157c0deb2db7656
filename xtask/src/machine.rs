//! What a machine must have beside Rust, and how it gets it. Everything that is installed is announced.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::stage;

/// AWS's clients, which judge the wire: these versions when the machine has none.
const CLIENTS: [&str; 2] = ["boto3==1.43.11", "awscli==1.45.11"];

/// The target that guests are built for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

fn succeeds(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs the target for guests where it is missing.
pub(crate) fn guest_target() -> Result<(), String> {
    let output = Command::new("rustc")
        .current_dir(stage::root())
        .args(["--print", "target-libdir", "--target", GUEST_TARGET])
        .output()
        .map_err(|error| format!("rustc cannot be run: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    println!("installing: the Rust target {GUEST_TARGET}");
    let mut command = Command::new("rustup");
    stage::run(command.current_dir(stage::root()).args(["target", "add", GUEST_TARGET]))
}

/// Installs PostgreSQL where it is missing.
pub(crate) fn postgres() -> Result<(), String> {
    let on_path = |name: &str| succeeds(name, &["--version"]);
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .any(|version| version.path().join("bin/initdb").is_file());
    let mut missing = Vec::new();
    let is_there = debian || (on_path("initdb") && on_path("postgres"));
    if !is_there {
        missing.push("postgresql");
    }
    if !on_path("psql") {
        missing.push("postgresql-client");
    }
    packages(&missing)
}

/// Installs MariaDB where it is missing.
pub(crate) fn mariadb() -> Result<(), String> {
    // A user's search path need not hold the folder of the server.
    let server = succeeds("mariadbd", &["--version"]) || Path::new("/usr/sbin/mariadbd").is_file();
    let is_there = server
        && succeeds("sh", &["-c", "command -v mariadb-install-db"])
        && succeeds("mariadb", &["--version"]);
    packages(if is_there { &[] } else { &["mariadb-server", "mariadb-client"] })
}

/// Installs Redis where it is missing.
pub(crate) fn redis() -> Result<(), String> {
    packages(if succeeds("redis-server", &["--version"]) { &[] } else { &["redis-server"] })
}

/// Installs a PKCS#11 token in software where it is missing.
pub(crate) fn softhsm() -> Result<(), String> {
    let is_there =
        Path::new("/usr/lib/softhsm/libsofthsm2.so").is_file() && succeeds("softhsm2-util", &["--version"]);
    packages(if is_there { &[] } else { &["softhsm2"] })
}

/// Installs Debian packages.
fn packages(names: &[&str]) -> Result<(), String> {
    if names.is_empty() {
        return Ok(());
    }
    println!("installing Debian packages: {}", names.join(" "));
    let apt = |arguments: &[&str]| {
        let is_root =
            Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
        let mut command = if is_root { Command::new("env") } else { Command::new("sudo") };
        stage::run(command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]).args(arguments))
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], names].concat())
}

/// Installs Node where it is missing, and AWS's SDK for JavaScript into cargo's target directory: what the tests would do when
/// they first need it, here before any test waits for it.
pub(crate) fn node() -> Result<(), String> {
    let missing: Vec<&str> = [("node", "nodejs"), ("npm", "npm")]
        .into_iter()
        .filter(|(program, _)| !succeeds(program, &["--version"]))
        .map(|(_, package)| package)
        .collect();
    packages(&missing)?;
    pawl_tests::artifacts::install_node_modules(&target())
}

/// The search path for programs, with AWS's clients on it: the machine's own, or a virtual environment under `target`.
pub(crate) fn clients() -> Result<OsString, String> {
    let path = search_path();
    // Rotators in Python are built in virtual environments.
    if !succeeds("python3", &["-c", "import ensurepip, venv"]) {
        packages(&["python3-venv"])?;
    }
    if succeeds("python3", &["-c", "import boto3"]) && succeeds("aws", &["--version"]) {
        return Ok(path);
    }
    let venv = target().join("venv");
    let bin = venv.join("bin");
    if !(succeeds(bin.join("python3"), &["-c", "import boto3"]) && succeeds(bin.join("aws"), &["--version"]))
    {
        println!("installing into {}: {}", venv.display(), CLIENTS.join(" "));
        stage::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        stage::run(Command::new(bin.join("pip")).args(["install", "--quiet"]).args(CLIENTS))?;
    }
    let folders = std::iter::once(bin).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).map_err(|error| format!("no search path: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "the search path is the environment's")]
fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Cargo's target directory: this program was built into it.
fn target() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    executable.ancestors().nth(2).map_or_else(|| stage::root().join("target"), Path::to_path_buf)
}
