//! Where root keys come from, and moving a store from one to another while it is read.

mod crash;
mod openbao;
mod providers;
mod records;
mod rotation;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pawl_tests::pawl::{Options, Pawl};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(120);

/// Options with these providers of the root key.
fn from(providers: &str) -> Options {
    let environment = vec![("PAWL_ROOT_KEY_PROVIDER", providers.to_owned())];
    Options { environment, ..Options::default() }
}

/// A file that its owner alone can read.
fn private(path: PathBuf, text: &str) -> PathBuf {
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    path
}

/// What `pawl key status` says.
fn status(pawl: &Pawl) -> Value {
    let ran = pawl.cli(&["key", "status", "--output", "json"]);
    assert!(ran.code == Some(0), "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The id of the one root key that opens the store.
fn root_key(pawl: &Pawl) -> String {
    let status = status(pawl);
    let keys = status["RootKeys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{status}");
    keys[0]["Id"].as_str().unwrap().to_owned()
}

/// Whether a file holds these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let held = std::fs::read(path).unwrap_or_default();
    held.windows(bytes.len()).any(|window| window == bytes)
}
