//! Rotators in languages with a runtime of their own, which comes along in the component, started already when it is built.
//!
//! The tools are told to leave out WASI altogether (every call of it ends the step): so a component imports what its author sees,
//! and a server has nothing to judge but that. No file, no network, no clock and no randomness, not even pretended ones.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pawl_core::function::Manifest;

use crate::CommandError;
use crate::function::failed;
use crate::function::language::Language;

/// The world that is made of the contract's interfaces: those that the manifest asks for, because such components import all of theirs.
const WORLD: &str = "what-pawl-toml-asks-for";

/// Builds a Python project, and tells where the component is.
pub(super) fn python(project: &Path, manifest: &Manifest) -> Result<PathBuf, CommandError> {
    let place = Place::of(project, manifest)?;
    let environment = project.join(".venv");
    let mut tool = tool(&environment.join("bin"), "componentize-py");
    if environment.is_dir() {
        tool.env("VIRTUAL_ENV", &environment);
    }
    tool.args(["--quiet", "--world", WORLD, "--wit-path"])
        .arg(&place.wit)
        .args(["componentize", "--stub-wasi", "--python-path"])
        .arg(project)
        .arg("--output")
        .arg(&place.component)
        .arg("pawl.steps");
    place.run(tool, Language::Python, project)
}

/// Builds a JavaScript project, and tells where the component is.
pub(super) fn javascript(project: &Path, manifest: &Manifest) -> Result<PathBuf, CommandError> {
    let modules = project.join("node_modules/@bytecodealliance/componentize-js");
    if !modules.is_dir() {
        return Err(missing("componentize-js", Language::Js, project));
    }
    let place = Place::of(project, manifest)?;
    let mut node = Command::new("node");
    node.arg("pawl/componentize.mjs").arg(&place.wit).arg(WORLD).arg(&place.component).current_dir(project);
    place.run(node, Language::Js, project)
}

/// A tool of the project's own, or else the one in the path.
fn tool(own: &Path, name: &str) -> Command {
    let own = own.join(name);
    Command::new(if own.exists() { own.as_os_str() } else { name.as_ref() })
}

fn missing(tool: &str, language: Language, project: &Path) -> CommandError {
    let getting = language.getting(&project.display().to_string()).unwrap_or_default();
    failed(project, format!("what builds it, {tool}, is not here; get it with: {getting}"))
}

/// Where things are that come from a build.
struct Place {
    wit: PathBuf,
    component: PathBuf,
}

impl Place {
    /// Writes the world, and names the component as the project's directory is named.
    fn of(project: &Path, manifest: &Manifest) -> Result<Self, CommandError> {
        let contract = project.join("wit/rotation.wit");
        let text = fs::read_to_string(&contract).map_err(|error| failed(&contract, error))?;
        let world = world(&text, manifest).ok_or_else(|| failed(&contract, "it has no `world rotator`"))?;
        let real = fs::canonicalize(project).map_err(|error| failed(project, error))?;
        let name = real.file_name().ok_or_else(|| failed(project, "it has no name"))?;
        let build = real.join("build");
        let wit = build.join("wit");
        fs::create_dir_all(&wit)
            .and_then(|()| fs::write(wit.join("rotation.wit"), text))
            .and_then(|()| fs::write(wit.join("world.wit"), world))
            .map_err(|error| failed(&wit, error))?;
        Ok(Self { wit, component: build.join(name).with_extension("wasm") })
    }

    fn run(self, mut tool: Command, language: Language, project: &Path) -> Result<PathBuf, CommandError> {
        let name = tool.get_program().to_string_lossy().into_owned();
        let output = tool.stderr(Stdio::inherit()).output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(&name, language, project),
            _ => CommandError::Failed(format!("{name} cannot be run: {error}")),
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            let why = format!("{name} did not build it\n{said}");
            return Err(CommandError::Failed(why.trim_end().to_owned()));
        }
        Ok(self.component)
    }
}

/// A world with those imports of the contract's `rotator` that the manifest covers.
fn world(contract: &str, manifest: &Manifest) -> Option<String> {
    let package = contract.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'))?;
    let (own, version) = package.split_once('@')?;
    let (_, all) = contract.split_once("world rotator {")?;
    let (all, _) = all.split_once('}')?;
    let covered: String = all
        .lines()
        .filter(|line| {
            let interface = line.trim().strip_prefix("import ").and_then(|rest| rest.strip_suffix(';'));
            interface.is_none_or(|name| manifest.covers(&[format!("{own}/{name}@{version}")]).is_ok())
        })
        .map(|line| format!("{line}\n"))
        .collect();
    Some(format!("package {package};\n\nworld {WORLD} {{{covered}}}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_has_what_the_manifest_asks_for_and_no_more() {
        let contract = include_str!("../../../../../guest-sdk/wit/rotation.wit");
        let imports = |manifest: &str| {
            let world = world(contract, &Manifest::parse(manifest).unwrap()).unwrap();
            assert!(
                world.starts_with("package pawl:rotation@0.1.") && world.contains("export steps;"),
                "{world}"
            );
            let has = |name: &str| world.contains(&format!("import {name};"));
            assert!(has("secrets") && has("configuration") && has("log"), "{world}");
            (has("database"), has("http"))
        };
        let http = "[[grants.http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n";
        assert_eq!(imports(""), (false, false));
        assert_eq!(imports("[grants]\nengines = [\"postgres\"]\n"), (true, false));
        assert_eq!(imports(http), (false, true));
        assert_eq!(imports(&format!("[grants]\nengines = [\"mysql\"]\n{http}")), (true, true));
        assert_eq!(world("package a:b@1.0.0;", &Manifest::default()), None);
    }

    #[test]
    fn a_missing_tool_is_named_and_how_to_get_it() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { wit: PathBuf::new(), component: PathBuf::new() };
        let none = Command::new("no-such-tool-at-all");
        let error = place.run(none, Language::Python, directory.path()).unwrap_err().to_string();
        assert!(error.contains("no-such-tool-at-all, is not here; get it with: python3 -m venv"), "{error}");
        let error = javascript(directory.path(), &Manifest::default()).unwrap_err().to_string();
        assert!(
            error.contains("componentize-js, is not here; get it with: npm install --silent --prefix"),
            "{error}"
        );
    }
}
