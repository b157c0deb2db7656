//! `pawl function build`: from a project to a component that carries its manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pawl_core::function::Manifest;
use serde::Deserialize;

use super::inspect::Inspection;
use super::{component, failed, manifest};
use crate::CommandError;
use crate::arguments::FunctionBuildArgs;
use crate::output::{Format, Printer};

/// What components are built for.
const TARGET: &str = "wasm32-wasip2";

/// One line of what Cargo tells on its standard output.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Builds the project, or takes the component that is given, and writes one with the manifest beside `pawl.toml`.
pub(super) fn run(args: &FunctionBuildArgs, printer: &mut Printer) -> Result<(), CommandError> {
    let beside = args.project.join("pawl.toml");
    let text = fs::read_to_string(&beside).map_err(|error| failed(&beside, error))?;
    Manifest::parse(&text).map_err(|error| failed(&beside, error))?;
    let built = match &args.component {
        Some(given) => given.clone(),
        None => cargo(&args.project)?,
    };
    let embedded = manifest::embed(&component(&built)?, &text).map_err(|error| failed(&built, error))?;
    let inspection = Inspection::of(embedded.clone()).map_err(|why| failed(&built, why))?;
    if let Some(why) = inspection.refused().first() {
        return Err(failed(&built, format!("{why}; add it to {}", beside.display())));
    }
    let name = built.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
    let file = args.project.join(format!("{name}.wasm"));
    fs::write(&file, &embedded).map_err(|error| failed(&file, error))?;
    match printer.format {
        Format::Json => Ok(printer.json(&inspection)?),
        Format::Text => Ok(printer.line(&format!("{} ({} bytes)", file.display(), embedded.len()))?),
    }
}

/// Builds a Rust project, and tells where the component is.
fn cargo(project: &Path) -> Result<PathBuf, CommandError> {
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
