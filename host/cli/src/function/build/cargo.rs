//! Rotators in Rust.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::CommandError;
use crate::function::failed;

/// What components are built for.
const TARGET: &str = "wasm32-wasip2";

/// One line of what Cargo tells on its standard output.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds a Rust project, and tells where the component is.
pub(super) fn build(project: &Path) -> Result<PathBuf, CommandError> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .current_dir(project)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| CommandError::Failed(format!("cargo cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(CommandError::Failed(format!(
            "cargo did not build it; if the target is not installed: rustup target add {TARGET}"
        )));
    }
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<CargoMessage>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .flat_map(|message| message.filenames)
        // The project's own artefact comes after those that it depends on.
        .rfind(|file| file.extension().is_some_and(|has| has == "wasm"))
        .ok_or_else(|| {
            failed(project, "the build made no .wasm file: it needs crate-type = [\"cdylib\"] in [lib]")
        })
}
