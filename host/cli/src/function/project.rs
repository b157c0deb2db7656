//! `pawl function new`: a project that builds with nothing else at hand. The SDK is in no registry, so this program carries
//! its sources, of the very version of the contract that it runs.

use std::fs;
use std::path::Path;

use pawl_core::function::FunctionName;

use super::failed;
use crate::CommandError;
use crate::output::Printer;

/// The SDK's files, by their paths in the project.
const SDK: [(&str, &str); 6] = [
    ("pawl-guest/src/lib.rs", include_str!("../../../../guest-sdk/src/lib.rs")),
    ("pawl-guest/src/failure.rs", include_str!("../../../../guest-sdk/src/failure.rs")),
    ("pawl-guest/src/http.rs", include_str!("../../../../guest-sdk/src/http.rs")),
    ("pawl-guest/src/rotation.rs", include_str!("../../../../guest-sdk/src/rotation.rs")),
    ("pawl-guest/src/session.rs", include_str!("../../../../guest-sdk/src/session.rs")),
    ("pawl-guest/wit/rotation.wit", include_str!("../../../../guest-sdk/wit/rotation.wit")),
];
/// The rest of it. `{name}` stands for the function's name.
const PROJECT: [(&str, &str); 6] = [
    ("pawl-guest/Cargo.toml", include_str!("template/guest.toml.in")),
    ("Cargo.toml", include_str!("template/cargo.toml.in")),
    ("pawl.toml", include_str!("template/pawl.toml.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    (".gitignore", "/target\n/*.wasm\n"),
    ("README.md", include_str!("template/readme.md.in")),
];

/// Writes a new project into the directory `name`, which must not exist.
pub(super) fn create(name: &FunctionName, printer: &mut Printer) -> Result<(), CommandError> {
    let root = Path::new(name.as_str());
    // A name of Cargo's begins with a letter.
    if !name.as_str().starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(failed(root, "a Rust project's name begins with a letter"));
    }
    fs::create_dir(root).map_err(|error| failed(root, error))?;
    for (path, text) in SDK.into_iter().chain(PROJECT) {
        let file = root.join(path);
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
        }
        fs::write(&file, text.replace("{name}", name.as_str())).map_err(|error| failed(&file, error))?;
    }
    printer.line(&format!("{name}: a rotator for a PostgreSQL role, to begin with"))?;
    printer.line(&format!("  write it:  {name}/src/lib.rs, and what it asks for in {name}/pawl.toml"))?;
    Ok(printer.line(&format!("  build it:  pawl function build {name}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_sdk_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk");
        let mut there = Vec::new();
        for directory in ["src", "wit"] {
            for entry in fs::read_dir(root.join(directory)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                there.push(format!("pawl-guest/{directory}/{name}"));
            }
        }
        there.sort();
        let mut carried: Vec<_> = SDK.iter().map(|(path, _)| (*path).to_owned()).collect();
        carried.sort();
        assert_eq!(carried, there);
        for (_, text) in SDK {
            assert!(!text.contains("{name}"), "the SDK's own text would be changed");
        }
    }

    #[test]
    fn the_projects_sdk_has_the_dependencies_of_ours() {
        let workspace: toml::Table = include_str!("../../../../Cargo.toml").parse().unwrap();
        let ours = workspace["workspace"]["dependencies"]["wit-bindgen"].clone();
        let theirs: toml::Table = include_str!("template/guest.toml.in").parse().unwrap();
        assert_eq!(theirs["dependencies"]["wit-bindgen"], ours);
        let sdk: toml::Table = include_str!("../../../../guest-sdk/Cargo.toml").parse().unwrap();
        let names = |table: &toml::Table| {
            table["dependencies"].as_table().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&sdk), names(&theirs));
    }
}
