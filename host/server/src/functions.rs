//! The functions that this host can run: the built-in ones, those that the operator has put into `--functions-dir`, and those that
//! were uploaded and are in the store.

mod code;
mod stored;
mod sweep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::function::{Digest, Environment, FunctionArn, Grants};
use pawl_core::names::{AccountId, Region};
use pawl_runtime::{Admitted, Component};
use serde::Deserialize;

use self::code::CodeCache;
pub use self::stored::{FindError, Resolved, Stored, approval, load};
pub(crate) use self::sweep::sweep;

/// A function that is in every region: its code, what it may reach, and how the operator has set it up.
#[derive(Debug)]
pub struct Function {
    /// The last part of its ARN.
    pub name: String,
    /// Its code.
    pub component: Component,
    /// What it may reach.
    pub grants: Arc<Grants>,
    /// Its environment.
    pub environment: Arc<Environment>,
}

impl Function {
    /// The digest of its code.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.component.digest()
    }
}

/// Why the functions could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// A file could not be read.
    #[error("the function file `{path}` could not be read: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest is not what it should be.
    #[error("the manifest `{path}` is not understood: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

/// What stands in `NAME.toml` beside `NAME.wasm`. Without the file, what the component's own manifest asks for is granted.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Manifest {
    grants: Grants,
    environment: Environment,
}

/// All functions. Those that were uploaded are looked for in the store each time, which another host may have changed; only their
/// code, which never changes, is remembered.
#[derive(Debug)]
pub struct Functions {
    account: AccountId,
    code: CodeCache,
    by_name: BTreeMap<String, Arc<Function>>,
}

impl Functions {
    /// The built-in functions and those of a directory.
    ///
    /// # Errors
    /// When the directory or one of its files cannot be read.
    pub fn load(account: AccountId, dir: Option<&Path>) -> Result<Self, FunctionsError> {
        let mut by_name = BTreeMap::new();
        for builtin in pawl_rotators::ALL {
            let function = Function {
                name: builtin.name.to_owned(),
                component: Component::new(builtin.bytes),
                grants: Arc::new(builtin.grants()),
                environment: Arc::default(),
            };
            by_name.insert(function.name.clone(), Arc::new(function));
        }
        if let Some(dir) = dir {
            for path in ending(dir, "wasm")? {
                let function = from_file(&path)?;
                by_name.insert(function.name.clone(), Arc::new(function));
            }
            for path in ending(dir, "toml")? {
                if !path.with_extension("wasm").exists() {
                    let function = set_up(&path, &by_name)?;
                    by_name.insert(function.name.clone(), Arc::new(function));
                }
            }
        }
        Ok(Self { account, code: CodeCache::default(), by_name })
    }

    /// The function that an ARN names, if it is built in or from a directory. Such a function is in every region, and has one
    /// version. Uploaded ones are found by [`Functions::resolve`].
    #[must_use]
    pub fn find(&self, arn: &FunctionArn) -> Option<Arc<Function>> {
        let mut parts = arn.as_str().split(':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account) = (parts.next()?.parse::<Region>().ok()?, parts.next()?);
        let (kind, name, more) = (parts.next()?, parts.next()?, parts.next());
        let named = (arn, partition, service) == ("arn", region.partition(), "lambda")
            && account == self.account.as_str()
            && kind == "function"
            && more.is_none_or(|qualifier| qualifier == "$LATEST");
        if named { self.by_name.get(name).cloned() } else { None }
    }

    /// Whether no function of this name can be uploaded: this host has one, or a later one may have.
    #[must_use]
    pub fn is_reserved(&self, name: &str) -> bool {
        name.starts_with(RESERVED) || self.by_name.contains_key(name)
    }

    /// Those that are built in or from a directory.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.by_name.values()
    }
}

/// What the names of built-in functions begin with.
const RESERVED: &str = "pawl-";

fn io(path: &Path, source: std::io::Error) -> FunctionsError {
    FunctionsError::Io { path: path.to_owned(), source }
}

/// The files of a directory whose names end so.
fn ending(dir: &Path, end: &str) -> Result<Vec<PathBuf>, FunctionsError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|source| io(dir, source))? {
        let path = entry.map_err(|source| io(dir, source))?.path();
        if path.extension().is_some_and(|has| has == end) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn from_file(path: &Path) -> Result<Function, FunctionsError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = std::fs::read(path).map_err(|source| io(path, source))?;
    let beside = path.with_extension("toml");
    let manifest = match std::fs::read_to_string(&beside) {
        Ok(text) => manifest(&beside, &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => embedded(path, &bytes)?,
        Err(source) => return Err(io(&beside, source)),
    };
    Ok(Function {
        name,
        component: Component::new(bytes),
        grants: Arc::new(manifest.grants),
        environment: Arc::new(manifest.environment),
    })
}

/// What a component's own manifest asks for: who put the component into the directory without a word of their own has granted it.
fn embedded(path: &Path, component: &[u8]) -> Result<Manifest, FunctionsError> {
    // What is no component at all is told when it is compiled.
    let Ok(Admitted { manifest: Some(text), .. }) = Admitted::read(component) else {
        return Ok(Manifest::default());
    };
    match pawl_core::function::Manifest::parse(&text) {
        Ok(asked) => Ok(Manifest { grants: asked.grants, environment: Environment::default() }),
        Err(reason) => Err(FunctionsError::Manifest { path: path.to_owned(), reason }),
    }
}

fn manifest(path: &Path, text: &str) -> Result<Manifest, FunctionsError> {
    toml::from_str(text)
        .map_err(|error| FunctionsError::Manifest { path: path.to_owned(), reason: error.to_string() })
}

/// A built-in function as a manifest without a component sets it up: its grants, and the manifest's as well.
fn set_up(path: &Path, known: &BTreeMap<String, Arc<Function>>) -> Result<Function, FunctionsError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let Some(builtin) = known.get(&*name) else {
        let reason = format!("there is no `{name}.wasm` beside it, and no built-in function of this name");
        return Err(FunctionsError::Manifest { path: path.to_owned(), reason });
    };
    let text = std::fs::read_to_string(path).map_err(|source| io(path, source))?;
    let Manifest { grants: more, environment } = manifest(path, &text)?;
    let grants = Grants::clone(&builtin.grants).and(more);
    Ok(Function {
        name: builtin.name.clone(),
        component: builtin.component.clone(),
        grants: Arc::new(grants),
        environment: Arc::new(environment),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_alone_sets_up_a_built_in_function_and_names_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("pawl-postgres-alternating-users.toml");
        let text = "[grants]\nsecrets = [\"master/*\"]\n[environment]\nPASSWORD_LENGTH = \"40\"\n";
        std::fs::write(&manifest, text).unwrap();
        let account: AccountId = "000000000000".parse().unwrap();
        let functions = Functions::load(account.clone(), Some(dir.path())).unwrap();
        let region: Region = "us-east-1".parse().unwrap();
        let arn = FunctionArn::new(&region, &account, "pawl-postgres-alternating-users");
        let function = functions.find(&arn).unwrap();
        assert!(function.grants.own_target && function.grants.secrets.len() == 1);
        assert_eq!(function.environment.get("PASSWORD_LENGTH").map(String::as_str), Some("40"));

        std::fs::rename(&manifest, dir.path().join("pawl-postgres-alternating.toml")).unwrap();
        let unknown = Functions::load(account, Some(dir.path())).unwrap_err();
        assert!(unknown.to_string().contains("no built-in function of this name"), "{unknown}");
    }

    /// A built-in rotator's component with this text as its manifest.
    fn with_manifest(text: &str) -> Vec<u8> {
        let section = pawl_core::function::Manifest::SECTION;
        let content = [&[u8::try_from(section.len()).unwrap()], section.as_bytes(), text.as_bytes()].concat();
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80, "one byte of LEB128");
        [pawl_rotators::ALL[0].bytes, &[0, length], &content].concat()
    }

    #[test]
    fn a_component_s_own_manifest_counts_unless_the_operator_says_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.wasm");
        std::fs::write(&path, with_manifest("[grants]\nown-target = true\n")).unwrap();
        let load = || {
            let account: AccountId = "000000000000".parse().unwrap();
            let functions = Functions::load(account.clone(), Some(dir.path()))?;
            let arn = FunctionArn::new(&"us-east-1".parse().unwrap(), &account, "shop");
            Ok::<_, FunctionsError>(functions.find(&arn).unwrap().grants.own_target)
        };
        assert!(load().unwrap());
        std::fs::write(dir.path().join("shop.toml"), "").unwrap();
        assert!(!load().unwrap(), "the operator's file grants nothing");
        std::fs::remove_file(dir.path().join("shop.toml")).unwrap();
        std::fs::write(&path, with_manifest("[grants]\neverything = true\n")).unwrap();
        let wrong = load().unwrap_err().to_string();
        assert!(wrong.contains("shop.wasm") && wrong.contains("everything"), "{wrong}");
        std::fs::write(&path, b"no component").unwrap();
        assert!(!load().unwrap());
    }
}
