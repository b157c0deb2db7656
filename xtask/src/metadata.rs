//! The workspace, as Cargo tells it.

use std::path::PathBuf;

use serde_json::Value;

use crate::stage;

/// A member of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Whether it is a WebAssembly component, which only that target can build.
    pub(crate) is_guest: bool,
    /// The members that it depends on, and whether only its tests do.
    pub(crate) dependencies: Vec<(String, bool)>,
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// What `cargo metadata` says.
fn metadata() -> Result<Value, String> {
    let output = stage::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo metadata cannot be run: {error}"))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Where Cargo builds.
pub(crate) fn target_dir() -> Result<PathBuf, String> {
    Ok(PathBuf::from(text(&metadata()?, "target_directory")))
}

/// All members.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let metadata = metadata()?;
    let member = |package: &Value| Member {
        name: text(package, "name"),
        manifest: PathBuf::from(text(package, "manifest_path")),
        is_guest: list(package, "targets").any(|target| list(target, "kind").any(|kind| kind == "cdylib")),
        dependencies: list(package, "dependencies")
            .filter(|dependency| dependency.get("path").is_some_and(Value::is_string))
            .map(|dependency| (text(dependency, "name"), text(dependency, "kind") == "dev"))
            .collect(),
    };
    Ok(list(&metadata, "packages").map(member).collect())
}
