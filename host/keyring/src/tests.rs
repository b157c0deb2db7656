//! That nothing opens but what was sealed, where it was sealed, with what it was sealed.

mod keys;
mod record;

use std::cell::Cell;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Mutex;

use hkdf::Hkdf;
use pawl_core::limits;
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::Rng;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::root_file::{self, RootFileError};
use crate::{Fingerprint, Keyring, OpenError, RootKey, SealContext, Sealed, SealedKek, UnlockError};

/// Bytes that look random, the same in each run.
struct Counter(Mutex<Cell<u64>>);

impl Counter {
    const fn from(seed: u64) -> Self {
        Self(Mutex::new(Cell::new(seed)))
    }
}

impl Rng for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let cell = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(32) {
            let drawn = Sha256::digest(cell.replace(cell.get() + 1).to_le_bytes());
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}

const HERE: SealContext<'_> =
    SealContext { arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf", version_id: "v1" };

fn keyring(rng: &dyn Rng) -> (RootKey, Keyring, SealedKek) {
    let root = RootKey::generate(rng);
    let (keyring, sealed) = Keyring::create(&root, rng).unwrap();
    (root, keyring, sealed)
}

fn text(value: &str) -> SecretValue {
    SecretValue::text(value.to_owned()).unwrap()
}

#[test]
fn a_value_opens_as_it_was_sealed_after_a_restart() {
    let rng = Counter::from(0);
    let (root, first, kek) = keyring(&rng);
    let sealed = first.seal(&HERE, &text("hunter2"), &rng).unwrap();
    let second = Keyring::unlock(&root, &SealedKek::from_bytes(kek.as_bytes().to_vec())).unwrap();
    let opened = second.open(&HERE, &Sealed::from_bytes(sealed.as_bytes().to_vec()).unwrap()).unwrap();
    assert_eq!((opened.kind(), opened.bytes().expose()), (ValueKind::Text, b"hunter2".as_slice()));
    assert_eq!(first.fingerprint(&HERE, &opened), second.fingerprint(&HERE, &text("hunter2")));
    assert!(first.subkey("page tokens").same_as(&second.subkey("page tokens")));
}

#[test]
fn a_value_of_the_greatest_length_is_sealed_with_106_bytes_more() {
    let rng = Counter::from(1);
    let (_, keyring, _) = keyring(&rng);
    let value = SecretValue::binary(vec![7; limits::VALUE_BYTES_MAX]).unwrap();
    let sealed = keyring.seal(&HERE, &value, &rng).unwrap();
    assert_eq!(sealed.as_bytes().len(), limits::VALUE_BYTES_MAX + 106);
    assert!(keyring.open(&HERE, &sealed).unwrap().bytes().same_as(value.bytes()));
}

#[test]
fn no_flipped_byte_opens_and_no_shorter_or_longer_one() {
    let rng = Counter::from(2);
    let (_, keyring, _) = keyring(&rng);
    let sealed = keyring.seal(&HERE, &text("hunter2"), &rng).unwrap().into_bytes();
    let opens =
        |bytes: Vec<u8>| Sealed::from_bytes(bytes).is_ok_and(|sealed| keyring.open(&HERE, &sealed).is_ok());
    assert!(opens(sealed.clone()));
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            assert!(!opens(altered), "byte {at}, bit {bit}");
        }
        assert!(!opens(sealed[..at].to_vec()), "cut to {at}");
    }
    assert!(!opens([sealed.as_slice(), &[0]].concat()));
}

#[test]
fn text_cannot_be_passed_off_as_binary() {
    let rng = Counter::from(3);
    let (_, keyring, _) = keyring(&rng);
    let mut sealed = keyring.seal(&HERE, &text("hunter2"), &rng).unwrap().into_bytes();
    assert_eq!(sealed[1], 1);
    sealed[1] = 2;
    let sealed = Sealed::from_bytes(sealed).unwrap();
    assert_eq!(keyring.open(&HERE, &sealed).unwrap_err(), OpenError::Refused);
}

#[test]
fn a_value_opens_in_its_own_context_only() {
    let rng = Counter::from(4);
    let (_, keyring, _) = keyring(&rng);
    let sealed = keyring.seal(&HERE, &text("one"), &rng).unwrap();
    let shifted_arn = format!("{}v", HERE.arn);
    let elsewhere = [
        SealContext { arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEg", ..HERE },
        SealContext { version_id: "v2", ..HERE },
        SealContext { arn: HERE.version_id, version_id: HERE.arn },
        // The same letters, cut elsewhere.
        SealContext { arn: &shifted_arn, version_id: "1" },
        SealContext { arn: "", version_id: "" },
    ];
    for context in elsewhere {
        assert_eq!(keyring.open(&context, &sealed).unwrap_err(), OpenError::Refused, "{context:?}");
    }
    let there = SealContext { version_id: "v2", ..HERE };
    let other = keyring.seal(&there, &text("two"), &rng).unwrap();
    assert!(keyring.open(&HERE, &other).is_err() && keyring.open(&there, &sealed).is_err(), "swapped");
    // Nor a record made of one's key and the other's value.
    let mixed = [&sealed.as_bytes()[..78], &other.as_bytes()[78..]].concat();
    for context in [HERE, there] {
        let mixed = Sealed::from_bytes(mixed.clone()).unwrap();
        assert_eq!(keyring.open(&context, &mixed).unwrap_err(), OpenError::Refused);
    }
}

#[test]
fn another_stores_keyring_opens_nothing() {
    let rng = Counter::from(5);
    let (root, ours, _) = keyring(&rng);
    let (theirs, _) = Keyring::create(&root, &rng).unwrap();
    let sealed = ours.seal(&HERE, &text("hunter2"), &rng).unwrap();
    assert_eq!(theirs.open(&HERE, &sealed).unwrap_err(), OpenError::OtherKeyring);
    assert_ne!(ours.fingerprint(&HERE, &text("a")), theirs.fingerprint(&HERE, &text("a")));
    assert!(!ours.subkey("a").same_as(&theirs.subkey("a")));
}

#[test]
fn a_wrong_root_key_is_told_from_a_damaged_record() {
    let rng = Counter::from(6);
    let (root, _, sealed) = keyring(&rng);
    let wrong = RootKey::generate(&rng);
    assert_eq!(Keyring::unlock(&wrong, &sealed).unwrap_err(), UnlockError::WrongRootKey);
    let bytes = sealed.as_bytes();
    for at in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1;
        let altered = Keyring::unlock(&root, &SealedKek::from_bytes(altered));
        assert_eq!(altered.unwrap_err(), UnlockError::Damaged, "byte {at}");
        let cut = Keyring::unlock(&root, &SealedKek::from_bytes(bytes[..at].to_vec()));
        assert_eq!(cut.unwrap_err(), UnlockError::Damaged, "cut to {at}");
    }
    // A record whose checksum was made to fit is still not believed.
    let mut forged = bytes.to_vec();
    forged[3] ^= 1;
    let sum = Sha256::digest(&forged[..77]);
    forged[77..].copy_from_slice(&sum[..8]);
    let forged = Keyring::unlock(&root, &SealedKek::from_bytes(forged));
    assert_eq!(forged.unwrap_err(), UnlockError::WrongRootKey);
}

#[test]
fn no_secret_is_seen_in_sealed_bytes_or_in_print() {
    let rng = Counter::from(7);
    let (root, keyring, kek) = keyring(&rng);
    let canary = "canary-5f1e-canary";
    let sealed = keyring.seal(&HERE, &text(canary), &rng).unwrap();
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!holds(sealed.as_bytes(), b"canary"));
    assert!(!holds(kek.as_bytes(), root.bytes().expose()));
    let fingerprint = keyring.fingerprint(&HERE, &text(canary));
    let printed = format!("{root:?} {keyring:?} {kek:?} {sealed:?} {fingerprint:?}");
    assert_eq!(
        printed,
        "RootKey([redacted]) Keyring([redacted]) SealedKek(85 bytes) Sealed(124 bytes) Fingerprint(..)"
    );
}

#[test]
fn two_seals_of_one_value_have_nothing_in_common_but_the_head() {
    let rng = Counter::from(8);
    let (_, keyring, _) = keyring(&rng);
    let one = keyring.seal(&HERE, &text("hunter2hunter2hunter2"), &rng).unwrap();
    let two = keyring.seal(&HERE, &text("hunter2hunter2hunter2"), &rng).unwrap();
    let pairs = one.as_bytes()[18..].windows(8).zip(two.as_bytes()[18..].windows(8));
    assert_eq!(one.as_bytes()[..18], two.as_bytes()[..18]);
    assert!(pairs.into_iter().all(|(one, two)| one != two));
}

#[test]
fn a_fingerprint_tells_value_kind_and_version_apart() {
    let rng = Counter::from(9);
    let (_, keyring, _) = keyring(&rng);
    let mark = |context: &SealContext<'_>, value: &SecretValue| keyring.fingerprint(context, value);
    let one = mark(&HERE, &text("a"));
    assert_eq!(one, Fingerprint::from_bytes(*mark(&HERE, &text("a")).as_bytes()));
    assert_ne!(one, mark(&HERE, &text("b")));
    assert_ne!(one, mark(&HERE, &SecretValue::binary(b"a".to_vec()).unwrap()));
    assert_ne!(one, mark(&SealContext { version_id: "v2", ..HERE }, &text("a")));
    assert_ne!(
        mark(&SealContext { version_id: "x", ..HERE }, &text("yz")),
        mark(&SealContext { version_id: "xy", ..HERE }, &text("z"))
    );
}

#[test]
fn subkeys_are_hkdfs_and_differ_by_purpose() {
    let key = SecretBytes::new((0..32).collect());
    let mut expected = [0; 32];
    Hkdf::<Sha256>::from_prk(key.expose()).unwrap().expand(b"a purpose", &mut expected).unwrap();
    assert_eq!(*crate::derivation::derive(&key, "a purpose"), expected);

    let rng = Counter::from(10);
    let (_, keyring, _) = keyring(&rng);
    assert_eq!(keyring.subkey("a").len(), 32);
    assert!(!keyring.subkey("a").same_as(&keyring.subkey("b")));
}

#[test]
fn a_root_key_file_is_its_owners_alone_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root-key");
    assert!(root_file::load(&path).unwrap().is_none());
    let created = root_file::create(&path, &Counter::from(11)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let loaded = root_file::load(&path).unwrap().unwrap();
    assert!(created.bytes().same_as(loaded.bytes()));

    let before = std::fs::read(&path).unwrap();
    let again = root_file::create(&path, &Counter::from(12)).unwrap_err();
    assert!(matches!(again, RootFileError::Exists { .. }), "{again}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    for mode in [0o640, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = root_file::load(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("has mode {mode:o}")) && refused.contains("chmod 600"),
            "{refused}"
        );
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(root_file::load(&path).unwrap().is_some());
}

#[test]
fn what_is_no_root_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root-key");
    root_file::create(&path, &Counter::from(13)).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let key = whole.lines().nth(1).unwrap();
    assert!(whole.starts_with("# Pawl's root key") && whole.lines().count() == 2 && key.len() == 44);

    let write = |text: &str| {
        std::fs::write(&path, text).unwrap();
        root_file::load(&path)
    };
    assert!(write(&format!("\r\n  {key}\r\n# more\n")).unwrap().is_some(), "blanks and comments");
    assert!(matches!(write("").unwrap_err(), RootFileError::Empty { .. }));
    let long = "A".repeat(limits::ROOT_FILE_BYTES_MAX * 2);
    let refused = [
        "#\n",
        key.get(..40).unwrap(),
        key.get(..43).unwrap(),
        &format!("{key}{key}"),
        &format!("{key}\n{key}\n"),
        &format!("{key}\nnot a key\n"),
        "not base64",
        &long,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\u{e9}",
    ];
    for text in refused {
        let error = write(text).unwrap_err();
        assert!(matches!(error, RootFileError::Malformed { .. }), "{text}: {error}");
        assert!(!error.to_string().contains(key.get(..8).unwrap()), "{error}");
    }

    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(root_file::load(&link).unwrap_err(), RootFileError::Link { .. }));
    let dangling = directory.path().join("dangling");
    symlink(directory.path().join("nowhere"), &dangling).unwrap();
    assert!(matches!(root_file::load(&dangling).unwrap_err(), RootFileError::Link { .. }));
    let through = root_file::create(&dangling, &Counter::from(14)).unwrap_err();
    assert!(matches!(through, RootFileError::Exists { .. }), "{through}");
    assert!(matches!(root_file::load(directory.path()).unwrap_err(), RootFileError::NotAFile { .. }));
    let absent = root_file::create(&directory.path().join("a/b"), &Counter::from(15)).unwrap_err();
    assert!(matches!(absent, RootFileError::Io { .. }), "{absent}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sealed_opens(
        bytes in prop::collection::vec(any::<u8>(), 1..300),
        arn in any::<String>(),
        version_id in any::<String>(),
        seed in 0_u64..1_000_000,
    ) {
        let rng = Counter::from(seed);
        let (_, keyring, _) = keyring(&rng);
        let context = SealContext { arn: &arn, version_id: &version_id };
        let value = SecretValue::binary(bytes).unwrap();
        let sealed = keyring.seal(&context, &value, &rng).unwrap();
        let opened = keyring.open(&context, &sealed).unwrap();
        prop_assert_eq!(opened.kind(), ValueKind::Binary);
        prop_assert!(opened.bytes().same_as(value.bytes()));
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let rng = Counter::from(0);
        let (root, keyring, _) = keyring(&rng);
        if let Ok(sealed) = Sealed::from_bytes([&[1, 1], bytes.as_slice()].concat()) {
            prop_assert!(keyring.open(&HERE, &sealed).is_err());
        }
        prop_assert!(Keyring::unlock(&root, &SealedKek::from_bytes(bytes)).is_err());
    }
}
