//! Builds the rotators of this workspace as components, the same bytes from every checkout of the same sources.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const TARGET: &str = "wasm32-wasip2";
/// Crates to build, and the names of their files and constants.
const ROTATORS: [(&str, &str); 6] = [
    ("pawl-rotator-http-api-key", "pawl_rotator_http_api_key"),
    ("pawl-rotator-mysql", "pawl_rotator_mysql"),
    ("pawl-rotator-mysql-alternating", "pawl_rotator_mysql_alternating"),
    ("pawl-rotator-postgres", "pawl_rotator_postgres"),
    ("pawl-rotator-postgres-alternating", "pawl_rotator_postgres_alternating"),
    ("pawl-rotator-redis", "pawl_rotator_redis"),
];
/// What the components are made of, from the workspace's root.
const SOURCES: [&str; 18] = [
    "Cargo.toml",
    "Cargo.lock",
    "guest-sdk/Cargo.toml",
    "guest-sdk/src",
    "guest-sdk/wit",
    "rotators/http-api-key/Cargo.toml",
    "rotators/http-api-key/src",
    "rotators/mysql/Cargo.toml",
    "rotators/mysql/src",
    "rotators/mysql-alternating/Cargo.toml",
    "rotators/mysql-alternating/src",
    "rotators/postgres/Cargo.toml",
    "rotators/postgres/src",
    "rotators/postgres-alternating/Cargo.toml",
    "rotators/postgres-alternating/src",
    "rotators/redis/Cargo.toml",
    "rotators/redis/src",
    "rust-toolchain.toml",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = package.ancestors().nth(2).ok_or("the crate is not two directories deep in its workspace")?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTUP_TOOLCHAIN");

    let sysroot = target_sysroot()?;
    // A directory of its own: the outer cargo holds the lock of the usual one.
    let target_dir = out.join("guests");
    run(&mut cargo_build(root, &target_dir, &sysroot)?)?;

    let built = target_dir.join(TARGET).join("guest");
    let mut code = String::new();
    for (_, name) in ROTATORS {
        let file = built.join(format!("{name}.wasm"));
        let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        // A copy beside the code, so that the constants stay what they were however the directory above is used.
        let kept = out.join(format!("{name}.wasm"));
        fs::write(&kept, &bytes).map_err(|error| format!("{}: {error}", kept.display()))?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let name = name.to_uppercase();
        let digest_bytes: Vec<_> = digest.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        let _ = writeln!(code, "/// sha256:{digest}");
        let _ = writeln!(code, "const {name}: &[u8] = include_bytes!({kept:?});");
        let _ = writeln!(code, "const {name}_DIGEST: [u8; 32] = [0x{}];", digest_bytes.join(", 0x"));
    }
    let generated = out.join("rotators.rs");
    fs::write(&generated, code).map_err(|error| format!("{}: {error}", generated.display()))
}

/// Where the compiler has the target's standard library; an error that says what to do when it has none.
fn target_sysroot() -> Result<PathBuf, String> {
    let rustc = || -> Result<Command, String> { Ok(Command::new(variable("RUSTC")?)) };
    let libraries = run(rustc()?.args(["--print", "target-libdir", "--target", TARGET]))?;
    if !Path::new(libraries.trim()).is_dir() {
        return Err(format!(
            "rotators are WebAssembly components, and this Rust toolchain cannot build them yet\n\
             run: rustup target add {TARGET}"
        ));
    }
    Ok(PathBuf::from(run(rustc()?.args(["--print", "sysroot"]))?.trim()))
}

fn cargo_build(root: &Path, target_dir: &Path, sysroot: &Path) -> Result<Command, String> {
    let mut cargo = Command::new(variable("CARGO")?);
    // What the outer cargo and its wrappers (clippy, coverage) have set is about the host's build.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = text.starts_with("CARGO_") && text != "CARGO_HOME" || text.starts_with("RUSTC");
        if inherited || text == "RUSTFLAGS" || text == "TARGET" || text == "HOST" {
            cargo.env_remove(&name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", reproducible_flags(root, sysroot)?);
    cargo.current_dir(root).args(["build", "--quiet", "--locked", "--profile", "guest", "--target", TARGET]);
    for (package, _) in ROTATORS {
        cargo.args(["--package", package]);
    }
    cargo.arg("--target-dir").arg(target_dir);
    Ok(cargo)
}

/// Flags that keep this machine's directories out of the components.
fn reproducible_flags(root: &Path, sysroot: &Path) -> Result<OsString, String> {
    let cargo_home = match variable("CARGO_HOME") {
        Ok(home) => PathBuf::from(home),
        Err(_) => PathBuf::from(variable("HOME")?).join(".cargo"),
    };
    // The last prefix that fits is taken, and one of these may lie within another.
    let mut flags = OsString::new();
    for (from, to) in [(sysroot, "/rust"), (cargo_home.as_path(), "/cargo"), (root, "/pawl")] {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("building the rotators failed\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set; this is a build script, cargo runs it"))
}
