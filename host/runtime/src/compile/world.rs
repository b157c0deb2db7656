//! What there is for a rotator to import, and what it must export: by name, so that a refusal can name it too.

/// The package whose interfaces are a rotator's business.
const OWN_PACKAGE: &str = "pawl:rotation";
/// Its version, without the last number: those with the same are compatible.
const OWN_VERSION: &str = "0.1.";
/// What of it a rotator may import.
const OWN: [&str; 8] = ["secrets", "database", "statements", "http", "tcp", "reveal", "configuration", "log"];
/// The interface that it must export.
const STEPS: &str = "steps";
/// What a language's runtime may want and a worker gives: nothing of it reaches beyond the guest.
const WASI: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether a component with these imports and exports asks for what there is, and gives what is needed.
///
/// # Errors
/// What it should not import or does not export, as the rest of a sentence that begins with "the component".
pub(super) fn check(imports: &[String], exports: &[String]) -> Result<(), String> {
    imports.iter().try_for_each(|import| check_import(import))?;
    let mut found = Vec::new();
    for export in exports {
        let (package, interface, version) = parts(export);
        if package == OWN_PACKAGE && interface == STEPS {
            if version.is_some_and(is_supported) {
                return Ok(());
            }
            found.push(version.unwrap_or("no version"));
        }
    }
    if found.is_empty() {
        return Err(format!("does not export {OWN_PACKAGE}/{STEPS}, so it is no rotator"));
    }
    Err(format!(
        "exports {OWN_PACKAGE}/{STEPS} at {}, and this version of Pawl runs rotators of {OWN_VERSION}x",
        found.join(", ")
    ))
}

fn check_import(import: &str) -> Result<(), String> {
    let (package, interface, version) = parts(import);
    if package == OWN_PACKAGE && OWN.contains(&interface) {
        if version.is_some_and(is_supported) {
            return Ok(());
        }
        return Err(format!(
            "imports {import}, and this version of Pawl has {OWN_PACKAGE} at {OWN_VERSION}x"
        ));
    }
    if WASI.iter().any(|known| known.split_once('/') == Some((package, interface))) {
        return Ok(());
    }
    let own = OWN.join(", ");
    Err(format!(
        "imports {import}, which a rotator does not get: it may import of {OWN_PACKAGE} {own}, and what a language's \
         runtime needs (wasi:io, wasi:cli, wasi:clocks, wasi:random), and no files and no network"
    ))
}

/// The package, the interface and the version of a name such as `a:b/c@1.2.3`.
fn parts(name: &str) -> (&str, &str, Option<&str>) {
    let (name, version) = name.split_once('@').map_or((name, None), |(name, version)| (name, Some(version)));
    let (package, interface) = name.split_once('/').unwrap_or((name, ""));
    (package, interface, version)
}

fn is_supported(version: &str) -> bool {
    version
        .strip_prefix(OWN_VERSION)
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(imports: &[&str], exports: &[&str]) -> Result<(), String> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        check(&own(imports), &own(exports))
    }

    #[test]
    fn what_may_be_imported_is_what_the_contract_has() {
        let contract = include_str!("../../../../guest-sdk/wit/rotation.wit");
        let world = contract.split_once("world rotator {").unwrap().1;
        let imports: Vec<_> =
            world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';')).collect();
        assert_eq!(imports, OWN);
        assert!(contract.contains(&format!("package {OWN_PACKAGE}@{OWN_VERSION}")));
        assert!(world.contains(&format!("export {STEPS};")));
    }

    #[test]
    fn a_refusal_names_what_is_not_there() {
        let steps = ["pawl:rotation/steps@0.1.0"];
        assert_eq!(checked(&["pawl:rotation/log@0.1.7", "wasi:io/poll@0.2.6"], &steps), Ok(()));
        for (import, why) in [
            ("wasi:sockets/tcp@0.2.6", "imports wasi:sockets/tcp@0.2.6, which a rotator does not get"),
            ("wasi:filesystem/types@0.2.6", "imports wasi:filesystem/types@0.2.6"),
            ("wasi:io@0.2.6", "imports wasi:io@0.2.6"),
            ("evil", "imports evil"),
            ("pawl:rotation/keys@0.1.0", "imports pawl:rotation/keys@0.1.0, which a rotator does not get"),
            ("pawl:rotation-x/log@0.1.0", "imports pawl:rotation-x/log@0.1.0, which"),
            (
                "pawl:rotation/log@0.2.0",
                "imports pawl:rotation/log@0.2.0, and this version of Pawl has pawl:rotation at 0.1.x",
            ),
            ("pawl:rotation/log", "at 0.1.x"),
        ] {
            let error = checked(&[import], &steps).unwrap_err();
            assert!(error.contains(why), "{import}: {error}");
        }
        let none = checked(&[], &["run", "wasi:cli/run@0.2.6"]).unwrap_err();
        assert!(none.contains("does not export pawl:rotation/steps"), "{none}");
        for (version, found) in
            [("@0.2.0", "0.2.0"), ("@1.0.0", "1.0.0"), ("", "no version"), ("@0.1.0-rc", "0.1.0-rc")]
        {
            let error = checked(&[], &[&format!("pawl:rotation/steps{version}")]).unwrap_err();
            assert!(
                error.contains(&format!("at {found}, and this version of Pawl runs rotators of 0.1.x")),
                "{error}"
            );
        }
    }
}
