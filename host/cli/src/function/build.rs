//! `pawl function build`: from a project to a component that carries its manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pawl_core::function::{Grants, Manifest};
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

/// A component that carries its manifest, and the file that it was written to.
pub(super) struct Built {
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    inspection: Inspection,
}

impl Built {
    /// Builds the project, or takes the component that is given, and writes one with the manifest beside `pawl.toml`.
    pub(super) fn of(project: &Path, given: Option<&Path>) -> Result<Self, CommandError> {
        let beside = project.join("pawl.toml");
        let text = fs::read_to_string(&beside).map_err(|error| failed(&beside, error))?;
        let manifest = Manifest::parse(&text).map_err(|error| failed(&beside, error))?;
        let built = match given {
            Some(given) => given.to_owned(),
            None => cargo(project)?,
        };
        let bytes = manifest::embed(&component(&built)?, &text).map_err(|error| failed(&built, error))?;
        let inspection = Inspection::of(bytes.clone()).map_err(|why| failed(&built, why))?;
        if let Some(why) = inspection.refused().first() {
            return Err(failed(&built, format!("{why}; add it to {}", beside.display())));
        }
        let name = built.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        let file = project.join(format!("{name}.wasm"));
        fs::write(&file, &bytes).map_err(|error| failed(&file, error))?;
        Ok(Self { file, bytes, manifest, inspection })
    }

    /// What it asks for, in words.
    pub(super) fn asks(&self) -> Vec<String> {
        self.manifest.grants.beyond(&Grants::default())
    }
}

/// Builds, and tells where the component is.
pub(super) fn run(args: &FunctionBuildArgs, printer: &mut Printer) -> Result<(), CommandError> {
    let built = Built::of(&args.project, args.component.as_deref())?;
    match printer.format {
        Format::Json => Ok(printer.json(&built.inspection)?),
        Format::Text => {
            Ok(printer.line(&format!("{} ({} bytes)", built.file.display(), built.bytes.len()))?)
        }
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
