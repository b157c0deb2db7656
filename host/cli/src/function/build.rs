//! `pawl function build`: from a project to a component that carries its manifest.

mod cargo;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

use pawl_core::function::{Grants, Manifest};

use super::inspect::Inspection;
use super::language::Language;
use super::{component, failed, manifest};
use crate::CommandError;
use crate::arguments::FunctionBuildArgs;
use crate::output::{Format, Printer};

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
            None => build(project, &manifest)?,
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

/// Builds the project with the tool of its language, and tells where the component is.
fn build(project: &Path, manifest: &Manifest) -> Result<PathBuf, CommandError> {
    match Language::of(project) {
        Some(Language::Rust) => cargo::build(project),
        Some(Language::Python) => script::python(project, manifest),
        Some(Language::Js) => script::javascript(project, manifest),
        None => {
            let marks = Language::ALL.map(Language::mark).join(", ");
            let why = format!(
                "it has none of {marks}: name what another tool has built with --component FILE, or begin a project with \
                 pawl function new"
            );
            Err(failed(project, why))
        }
    }
}
