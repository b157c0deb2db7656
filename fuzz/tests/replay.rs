//! Every kept input, through the same checks that the fuzzer runs: seeds, and what once was a crash.

#![expect(clippy::expect_used, reason = "a test")]

use std::path::{Path, PathBuf};

use pawl_fuzz::TARGETS;

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_passes_its_check() {
    for (target, check) in TARGETS {
        let seeds = inputs("seeds", target);
        assert!(seeds.len() >= 3, "`fuzz/seeds/{target}` has too little to begin with");
        for file in seeds.iter().chain(&inputs("crashes", target)) {
            // Shown by the test's own output when the check does not return.
            println!("{}", file.display());
            check(&std::fs::read(file).unwrap());
        }
    }
}

#[test]
fn every_kept_input_belongs_to_a_target() {
    for kind in ["seeds", "crashes"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "`fuzz/{kind}/{name}` is nobody's");
        }
    }
}

/// A check that returned early for everything would pass every input.
#[test]
fn each_target_has_seeds_that_are_taken_and_seeds_that_are_not() {
    for (target, check) in TARGETS {
        let taken: Vec<bool> =
            inputs("seeds", target).iter().map(|file| check(&std::fs::read(file).unwrap())).collect();
        assert!(taken.contains(&true) && taken.contains(&false), "fuzz/seeds/{target}: {taken:?}");
    }
}

/// The signatures among the seeds are another program's, and its fixed date must not make them worthless.
#[test]
fn the_signed_seeds_hold() {
    for name in ["signed", "signed_blanks", "signed_hash_and_token", "presigned"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/sigv4").join(name);
        assert!(pawl_fuzz::check_sigv4(&std::fs::read(file).unwrap()), "{name}");
    }
}
