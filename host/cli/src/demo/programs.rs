//! Where PostgreSQL's programs are.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::CommandError;

/// Where Debian keeps each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";

/// PostgreSQL's programs.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) psql: PathBuf,
}

impl Programs {
    /// Those of this machine.
    pub(crate) fn of_machine() -> Result<Self, CommandError> {
        Self::find(&folders(&search_path(), Path::new(DEBIAN)))
    }

    /// The first server whose two programs are together, and the first client.
    fn find(folders: &[PathBuf]) -> Result<Self, CommandError> {
        let server = folders.iter().find_map(|folder| {
            let here = std::slice::from_ref(folder);
            Some((find("initdb", here)?, find("postgres", here)?))
        });
        let (initdb, postgres) = server.ok_or_else(|| {
            missing("initdb` and `postgres", "postgresql", "postgresql-server", "postgresql")
        })?;
        let psql = find("psql", folders)
            .ok_or_else(|| missing("psql", "postgresql-client", "postgresql", "postgresql-client"))?;
        Ok(Self { initdb, postgres, psql })
    }
}

fn missing(programs: &str, debian: &str, fedora: &str, alpine: &str) -> CommandError {
    CommandError::Failed(format!(
        "the demo needs PostgreSQL's `{programs}`, which this machine does not have; install it, then run this again: \
         `apt-get install {debian}` (Debian, Ubuntu), `dnf install {fedora}` (Fedora), `apk add {alpine}` (Alpine)"
    ))
}

#[expect(clippy::disallowed_methods, reason = "the search path of programs is no setting of Pawl's")]
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Where to look for programs: the search path, then Debian's folders, the newest version first.
fn folders(path: &OsStr, debian: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let entries = std::fs::read_dir(debian).into_iter().flatten().flatten();
    let mut versions: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let numbers: Result<_, _> = entry.file_name().to_str()?.split('.').map(str::parse).collect();
            Some((numbers.ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// The first program of this name.
fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// The name under which a shell finds the program `own`.
pub(crate) fn typed(own: &Path) -> String {
    let found = find("pawl", &folders(&search_path(), Path::new(DEBIAN)));
    let is_own = found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == own);
    if is_own { "pawl".to_owned() } else { own.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path, name: &str, mode: u32) {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_search_path_comes_first_and_then_the_newest_version() {
        let root = tempfile::tempdir().unwrap();
        let (bin, debian) = (root.path().join("bin"), root.path().join("postgresql"));
        for version in ["9.6", "15", "9.10", "16", "rc"] {
            install(&debian.join(version).join("bin"), "initdb", 0o755);
        }
        let path = std::env::join_paths([&bin, Path::new("relative"), Path::new("")]).unwrap();
        let found = folders(&path, &debian);
        let versions = ["16", "15", "9.10", "9.6"].map(|version| debian.join(version).join("bin"));
        assert_eq!(found, [&[bin][..], &versions].concat());
        assert_eq!(folders(OsStr::new(""), &root.path().join("absent")), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_server_has_both_its_programs_and_they_can_be_run() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c", "d"].map(|folder| root.path().join(folder));
        let [no_postgres, no_right, whole, client] = &folders;
        install(no_postgres, "initdb", 0o755);
        install(no_right, "initdb", 0o755);
        install(no_right, "postgres", 0o644);
        install(client, "psql", 0o755);
        let error = Programs::find(&folders).unwrap_err().to_string();
        assert!(
            error.contains("`initdb` and `postgres`") && error.contains("apt-get install postgresql`"),
            "{error}"
        );

        install(whole, "initdb", 0o755);
        install(whole, "postgres", 0o755);
        let found = Programs::find(&folders).unwrap();
        assert_eq!((found.initdb, found.postgres), (whole.join("initdb"), whole.join("postgres")));
        assert_eq!(found.psql, client.join("psql"));
        let error = Programs::find(std::slice::from_ref(whole)).unwrap_err().to_string();
        assert!(error.contains("`psql`") && error.contains("postgresql-client"), "{error}");
    }
}
