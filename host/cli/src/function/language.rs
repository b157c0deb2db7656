//! The languages that projects are written in, and what a project of each is made of.

use std::path::Path;

use clap::ValueEnum;

/// A language that rotators are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Small, and started in microseconds.
    Rust,
    /// CPython, by componentize-py.
    Python,
    /// SpiderMonkey, by componentize-js.
    Js,
}

/// Files of a project, by their paths in it.
type Files = &'static [(&'static str, &'static str)];

const CONTRACT: &str = include_str!("../../../../guest-sdk/wit/rotation.wit");

impl Language {
    pub(super) const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::Js];

    /// The language of the project in a directory.
    pub(super) fn of(project: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|language| project.join(language.mark()).is_file())
    }

    /// The file that every project in this language has, and no other.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Python => "rotator.py",
            Self::Js => "rotator.js",
        }
    }

    /// The file that the author writes.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Python => "rotator.py",
            Self::Js => "rotator.js",
        }
    }

    /// How the author gets what builds it, if it is not Cargo.
    pub(super) fn getting(self, project: &str) -> Option<String> {
        match self {
            Self::Rust => None,
            Self::Python => Some(format!(
                "python3 -m venv {project}/.venv && {project}/.venv/bin/pip install --quiet --requirement {project}/requirements.txt"
            )),
            Self::Js => Some(format!("npm install --silent --prefix {project}")),
        }
    }

    /// The SDK's files. It is in no registry, so this program carries its sources, of the very version of the contract that it runs.
    pub(super) const fn sdk(self) -> Files {
        match self {
            Self::Rust => &[
                ("pawl-guest/src/lib.rs", include_str!("../../../../guest-sdk/src/lib.rs")),
                ("pawl-guest/src/failure.rs", include_str!("../../../../guest-sdk/src/failure.rs")),
                ("pawl-guest/src/http.rs", include_str!("../../../../guest-sdk/src/http.rs")),
                ("pawl-guest/src/rotation.rs", include_str!("../../../../guest-sdk/src/rotation.rs")),
                ("pawl-guest/src/session.rs", include_str!("../../../../guest-sdk/src/session.rs")),
                ("pawl-guest/src/tcp.rs", include_str!("../../../../guest-sdk/src/tcp.rs")),
                ("pawl-guest/wit/rotation.wit", CONTRACT),
            ],
            Self::Python => &[
                ("pawl/__init__.py", include_str!("../../../../guest-sdk/python/pawl/__init__.py")),
                ("pawl/database.py", include_str!("../../../../guest-sdk/python/pawl/database.py")),
                ("pawl/failure.py", include_str!("../../../../guest-sdk/python/pawl/failure.py")),
                ("pawl/http.py", include_str!("../../../../guest-sdk/python/pawl/http.py")),
                ("pawl/rotation.py", include_str!("../../../../guest-sdk/python/pawl/rotation.py")),
                ("pawl/reveal.py", include_str!("../../../../guest-sdk/python/pawl/reveal.py")),
                ("pawl/statements.py", include_str!("../../../../guest-sdk/python/pawl/statements.py")),
                ("pawl/steps.py", include_str!("../../../../guest-sdk/python/pawl/steps.py")),
                ("wit/rotation.wit", CONTRACT),
            ],
            Self::Js => &[
                (
                    "pawl/componentize.mjs",
                    include_str!("../../../../guest-sdk/javascript/pawl/componentize.mjs"),
                ),
                ("pawl/database.js", include_str!("../../../../guest-sdk/javascript/pawl/database.js")),
                ("pawl/failure.js", include_str!("../../../../guest-sdk/javascript/pawl/failure.js")),
                ("pawl/http.js", include_str!("../../../../guest-sdk/javascript/pawl/http.js")),
                ("pawl/index.js", include_str!("../../../../guest-sdk/javascript/pawl/index.js")),
                ("pawl/rotation.js", include_str!("../../../../guest-sdk/javascript/pawl/rotation.js")),
                ("pawl/reveal.js", include_str!("../../../../guest-sdk/javascript/pawl/reveal.js")),
                ("pawl/statements.js", include_str!("../../../../guest-sdk/javascript/pawl/statements.js")),
                ("pawl/steps.js", include_str!("../../../../guest-sdk/javascript/pawl/steps.js")),
                ("wit/rotation.wit", CONTRACT),
            ],
        }
    }

    /// The rest of a new project. `{name}` stands for the function's name.
    pub(super) const fn template(self) -> Files {
        match self {
            Self::Rust => &[
                ("pawl-guest/Cargo.toml", include_str!("template/rust/guest.toml.in")),
                ("Cargo.toml", include_str!("template/rust/cargo.toml.in")),
                ("pawl.toml", include_str!("template/pawl.toml.in")),
                ("src/lib.rs", include_str!("template/rust/lib.rs.in")),
                (".gitignore", "/target\n/*.wasm\n"),
                ("README.md", include_str!("template/rust/readme.md.in")),
            ],
            Self::Python => &[
                ("pawl.toml", include_str!("template/pawl.toml.in")),
                ("rotator.py", include_str!("template/python/rotator.py.in")),
                ("requirements.txt", include_str!("template/python/requirements.txt.in")),
                (".gitignore", "/.venv\n/build\n/*.wasm\n__pycache__\n"),
                ("README.md", include_str!("template/python/readme.md.in")),
            ],
            Self::Js => &[
                ("pawl.toml", include_str!("template/pawl.toml.in")),
                ("rotator.js", include_str!("template/javascript/rotator.js.in")),
                ("package.json", include_str!("template/javascript/package.json.in")),
                (".gitignore", "/node_modules\n/build\n/*.wasm\n"),
                ("README.md", include_str!("template/javascript/readme.md.in")),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Where an SDK's files are in a project, and where here.
    const SDKS: [(Language, &[(&str, &str)]); 3] = [
        (Language::Rust, &[("pawl-guest/src", "src"), ("pawl-guest/wit", "wit")]),
        (Language::Python, &[("pawl", "python/pawl"), ("wit", "wit")]),
        (Language::Js, &[("pawl", "javascript/pawl"), ("wit", "wit")]),
    ];

    #[test]
    fn every_file_of_an_sdk_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-sdk");
        for (language, directories) in SDKS {
            let mut there = Vec::new();
            for (project, here) in directories {
                for entry in fs::read_dir(root.join(here)).unwrap() {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    there.push(format!("{project}/{name}"));
                }
            }
            there.sort();
            let mut carried: Vec<_> = language.sdk().iter().map(|(path, _)| (*path).to_owned()).collect();
            carried.sort();
            assert_eq!(carried, there, "{language:?}");
        }
    }

    #[test]
    fn a_new_project_is_known_by_its_mark() {
        for language in Language::ALL {
            let directory = tempfile::tempdir().unwrap();
            let (mark, source) = (language.mark(), language.source());
            let paths: Vec<_> = language.template().iter().map(|(path, _)| *path).collect();
            assert!(paths.contains(&mark) && paths.contains(&source) && paths.contains(&"README.md"));
            assert_eq!(Language::of(directory.path()), None);
            fs::write(directory.path().join(mark), "").unwrap();
            assert_eq!(Language::of(directory.path()), Some(language));
        }
    }

    #[test]
    fn the_projects_sdk_has_the_dependencies_of_ours() {
        let workspace: toml::Table = include_str!("../../../../Cargo.toml").parse().unwrap();
        let ours = workspace["workspace"]["dependencies"]["wit-bindgen"].clone();
        let theirs: toml::Table = include_str!("template/rust/guest.toml.in").parse().unwrap();
        assert_eq!(theirs["dependencies"]["wit-bindgen"], ours);
        let sdk: toml::Table = include_str!("../../../../guest-sdk/Cargo.toml").parse().unwrap();
        let names = |table: &toml::Table| {
            table["dependencies"].as_table().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&sdk), names(&theirs));
    }
}
