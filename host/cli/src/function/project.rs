//! `pawl function new`: a project that builds with nothing of Pawl's at hand.

use std::fs;
use std::path::Path;

use pawl_core::function::FunctionName;

use super::failed;
use super::language::Language;
use crate::CommandError;
use crate::output::Printer;

/// Writes a new project into the directory `name`, which must not exist.
pub(super) fn create(
    name: &FunctionName,
    language: Language,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let root = Path::new(name.as_str());
    // A name of Cargo's begins with a letter.
    if language == Language::Rust && !name.as_str().starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(failed(root, "a Rust project's name begins with a letter"));
    }
    fs::create_dir(root).map_err(|error| failed(root, error))?;
    for (path, text) in language.sdk() {
        write(&root.join(path), text)?;
    }
    for (path, text) in language.template() {
        write(&root.join(path), &text.replace("{name}", name.as_str()))?;
    }
    printer.line(&format!("{name}: a rotator for a PostgreSQL role, to begin with"))?;
    let source = language.source();
    printer.line(&format!("  write it:  {name}/{source}, and what it asks for in {name}/pawl.toml"))?;
    if let Some(getting) = language.getting(name.as_str()) {
        printer.line(&format!("  get tools: {getting}"))?;
    }
    Ok(printer.line(&format!("  build it:  pawl function build {name}"))?)
}

fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    }
    fs::write(file, text).map_err(|error| failed(file, error))
}
