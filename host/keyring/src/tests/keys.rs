//! That what a KMS key encrypted opens with this key, in this context, as it was, and not otherwise.

use std::collections::BTreeMap;

use pawl_core::key::{EncryptionContext, KeyId};

use super::*;
use crate::{Ciphertext, SealedMaterial, UnlockedKey};

const ARN: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn id() -> KeyId {
    "1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap()
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    let pairs: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    EncryptionContext::new(pairs)
}

/// A key with so many materials.
fn key(keyring: &Keyring, materials: u32, rng: &dyn Rng) -> (UnlockedKey, SealedMaterial) {
    let mut sealed = None;
    for number in 1..=materials {
        sealed = Some(keyring.add_material(ARN, number, sealed, rng).unwrap());
    }
    let sealed = sealed.unwrap();
    let opened = keyring.open_material(ARN, &sealed).unwrap();
    (UnlockedKey::new(id(), ARN.to_owned(), &opened).unwrap(), sealed)
}

fn decrypt(key: &UnlockedKey, context: &EncryptionContext, bytes: &[u8]) -> Option<SecretBytes> {
    key.decrypt(context, &Ciphertext::parse(bytes).ok()?).ok()
}

#[test]
fn a_ciphertext_names_its_key_and_opens_after_a_restart_and_a_rotation() {
    let rng = Counter::from(70);
    let (root, keyring, kek) = keyring(&rng);
    let (one, sealed) = key(&keyring, 1, &rng);
    let told = context(&[("a", "1")]);
    let bytes = one.encrypt(&told, b"hunter2", &rng).unwrap();
    assert_eq!(bytes.len(), 7 + 65);
    let parsed = Ciphertext::parse(&bytes).unwrap();
    assert_eq!((parsed.key_id(), parsed.number()), (id(), 1));
    let again = Keyring::unlock(&root, &kek).unwrap();
    let rotated = again.add_material(ARN, 2, Some(sealed), &rng).unwrap();
    let two = UnlockedKey::new(id(), ARN.to_owned(), &again.open_material(ARN, &rotated).unwrap()).unwrap();
    assert_eq!(decrypt(&two, &told, &bytes).unwrap().expose(), b"hunter2");
    let newer = two.encrypt(&told, b"hunter2", &rng).unwrap();
    assert_eq!(Ciphertext::parse(&newer).unwrap().number(), 2, "the newest material encrypts");
    assert!(decrypt(&one, &told, &newer).is_none(), "a key without the newer material");
}

#[test]
fn nothing_opens_in_another_context_or_by_another_key() {
    let rng = Counter::from(71);
    let (_, keyring, _) = keyring(&rng);
    let (own, _) = key(&keyring, 1, &rng);
    let told = context(&[("a", "1"), ("b", "2")]);
    let bytes = own.encrypt(&told, b"hunter2", &rng).unwrap();
    assert!(decrypt(&own, &context(&[("b", "2"), ("a", "1")]), &bytes).is_some(), "in any order");
    for other in [&[][..], &[("a", "1")], &[("a", "1"), ("b", "3")], &[("a", "1"), ("b", "2"), ("c", "3")]] {
        assert!(decrypt(&own, &context(other), &bytes).is_none(), "{other:?}");
    }
    // The same material under another id or ARN is another key.
    let material = || vec![(1, SecretBytes::new(vec![7; 32]))];
    let here = UnlockedKey::new(id(), ARN.to_owned(), &material()).unwrap();
    let bytes = here.encrypt(&told, b"x", &rng).unwrap();
    let elsewhere = UnlockedKey::new(id(), ARN.replace("us-east-1", "us-west-2"), &material()).unwrap();
    let another = UnlockedKey::new(KeyId::from_bytes([9; 16]), ARN.to_owned(), &material()).unwrap();
    assert!(decrypt(&here, &told, &bytes).is_some());
    assert!(decrypt(&elsewhere, &told, &bytes).is_none() && decrypt(&another, &told, &bytes).is_none());
}

#[test]
fn no_flipped_bit_of_a_ciphertext_opens_and_no_shorter_or_longer_one() {
    let rng = Counter::from(72);
    let (_, keyring, _) = keyring(&rng);
    let (key, _) = key(&keyring, 2, &rng);
    let told = context(&[]);
    let bytes = key.encrypt(&told, b"hunter2", &rng).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(decrypt(&key, &told, &changed).is_none(), "byte {at}, bit {bit}");
        }
    }
    for length in 0..bytes.len() {
        assert!(decrypt(&key, &told, &bytes[..length]).is_none(), "{length} bytes of it");
    }
    assert!(decrypt(&key, &told, &[&bytes[..], &[0]].concat()).is_none());
}

#[test]
fn materials_open_for_their_own_key_and_number_only() {
    let rng = Counter::from(73);
    let (_, keyring, _) = self::keyring(&rng);
    let (_, other, _) = self::keyring(&Counter::from(7_000));
    let (_, sealed) = key(&keyring, 2, &rng);
    let opens = |keyring: &Keyring, arn: &str, bytes: &[u8]| {
        keyring.open_material(arn, &SealedMaterial::from_bytes(bytes.to_vec())).is_ok()
    };
    let bytes = sealed.as_bytes();
    assert!(opens(&keyring, ARN, bytes));
    assert!(!opens(&keyring, "arn:aws:kms:us-east-1:000000000000:key/other", bytes));
    assert_eq!(other.open_material(ARN, &sealed).unwrap_err(), OpenError::OtherKeyring);
    // The two exchange their places behind their numbers.
    let (header, entries) = bytes.split_at(17);
    let (one, two) = entries.split_at(64);
    let swapped = [header, &one[..4], &two[4..], &two[..4], &one[4..]].concat();
    assert!(!opens(&keyring, ARN, &swapped));
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        assert!(!opens(&keyring, ARN, &changed), "byte {at}");
    }
    for length in [0, 1, 17, 18, bytes.len() - 1] {
        assert!(!opens(&keyring, ARN, &bytes[..length]), "{length} bytes of it");
    }
}

#[test]
fn a_value_under_a_key_of_its_own_opens_with_it_alone() {
    let rng = Counter::from(74);
    let (_, keyring, _) = keyring(&rng);
    let (key, _) = key(&keyring, 1, &rng);
    let sealed = key.seal(&HERE, &text("hunter2"), &rng).unwrap();
    assert_eq!(sealed.key_id(), Some(id()));
    assert_eq!(keyring.open(&HERE, &sealed).unwrap_err(), OpenError::OtherKey);
    let opened = key.open(&HERE, &Sealed::from_bytes(sealed.as_bytes().to_vec()).unwrap()).unwrap();
    assert_eq!((opened.kind(), opened.bytes().expose()), (ValueKind::Text, b"hunter2".as_slice()));
    let own = keyring.seal(&HERE, &text("hunter2"), &rng).unwrap();
    assert_eq!(own.key_id(), None);
    assert!(key.open(&HERE, &own).is_err());
    for elsewhere in [SealContext { version_id: "v2", ..HERE }, SealContext { arn: "arn:other", ..HERE }] {
        assert_eq!(key.open(&elsewhere, &sealed).unwrap_err(), OpenError::Refused);
    }
}

/// Not even when the data key of one is put before the value of another.
#[test]
fn no_part_of_a_value_under_a_key_can_be_exchanged() {
    let rng = Counter::from(75);
    let (_, keyring, _) = keyring(&rng);
    let (key, _) = key(&keyring, 1, &rng);
    let opens =
        |bytes: Vec<u8>| Sealed::from_bytes(bytes).is_ok_and(|sealed| key.open(&HERE, &sealed).is_ok());
    let one = key.seal(&HERE, &text("hunter2"), &rng).unwrap().into_bytes();
    let two = key.seal(&HERE, &text("hunter3"), &rng).unwrap().into_bytes();
    assert_eq!(one.len(), 7 + 129);
    let cut = 4 + 97;
    assert!(opens(one.clone()));
    assert!(!opens([&one[..cut], &two[cut..]].concat()));
    for at in 0..one.len() {
        for bit in 0..8 {
            let mut changed = one.clone();
            changed[at] ^= 1 << bit;
            assert!(!opens(changed), "byte {at}, bit {bit}");
        }
    }
    for length in 0..one.len() {
        assert!(!opens(one[..length].to_vec()), "{length} bytes of it");
    }
}

#[test]
fn a_mac_is_hmac_sha256_and_nothing_else_verifies() {
    let keyed = UnlockedKey::new(id(), ARN.to_owned(), &[(1, SecretBytes::new(vec![0x0b; 32]))]).unwrap();
    let mac = keyed.mac(b"Hi There").unwrap();
    // Checked with Python's hmac.
    assert_eq!(
        mac,
        [
            0x19, 0x8a, 0x60, 0x7e, 0xb4, 0x4b, 0xfb, 0xc6, 0x99, 0x03, 0xa0, 0xf1, 0xcf, 0x2b, 0xbd, 0xc5,
            0xba, 0x0a, 0xa3, 0xf3, 0xd9, 0xae, 0x3c, 0x1c, 0x7a, 0x3b, 0x16, 0x96, 0xa0, 0xb6, 0x8c, 0xf7,
        ]
    );
    assert!(keyed.is_mac(b"Hi There", &mac));
    assert!(!keyed.is_mac(b"Hi there", &mac) && !keyed.is_mac(b"Hi There", &mac[..31]));
}

#[test]
fn no_form_of_printing_shows_a_material() {
    let key = UnlockedKey::new(id(), ARN.to_owned(), &[(1, SecretBytes::new(vec![0x41; 32]))]).unwrap();
    let printed = format!("{key:?} {key:#?}");
    assert!(
        printed.contains("[redacted]") && !printed.contains("65") && !printed.contains("AAAA"),
        "{printed}"
    );
    assert!(UnlockedKey::new(id(), ARN.to_owned(), &[]).is_none(), "no key is without material");
    let short = [(1, SecretBytes::new(vec![1; 31]))];
    assert!(UnlockedKey::new(id(), ARN.to_owned(), &short).is_none());
}

proptest! {
    #[test]
    fn what_was_encrypted_opens_and_what_was_not_does_not(
        message in proptest::collection::vec(any::<u8>(), 1..200),
        pairs in proptest::collection::btree_map(".{0,4}", ".{0,4}", 0..4),
        others in proptest::collection::btree_map(".{0,4}", ".{0,4}", 0..4),
        materials in 1_u32..4,
        at in any::<proptest::sample::Index>(),
        with in 1_u8..,
    ) {
        let rng = Counter::from(76);
        let (_, keyring, _) = keyring(&rng);
        let (key, _) = key(&keyring, materials, &rng);
        let same = pairs == others;
        let (told, other) = (EncryptionContext::new(pairs), EncryptionContext::new(others));
        let bytes = key.encrypt(&told, &message, &rng).unwrap();
        let opened = decrypt(&key, &told, &bytes);
        prop_assert_eq!(opened.as_ref().map(SecretBytes::expose), Some(&message[..]));
        prop_assert_eq!(decrypt(&key, &other, &bytes).is_some(), same);
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= with;
        prop_assert!(decrypt(&key, &told, &changed).is_none());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), first in 0_u8..4) {
        let rng = Counter::from(77);
        let (_, keyring, _) = keyring(&rng);
        let (key, _) = key(&keyring, 1, &rng);
        let bytes = [&[first][..], &bytes].concat();
        prop_assert!(decrypt(&key, &context(&[]), &bytes).is_none());
        prop_assert!(keyring.open_material(ARN, &SealedMaterial::from_bytes(bytes.clone())).is_err());
        if let Ok(sealed) = Sealed::from_bytes(bytes) {
            prop_assert!(key.open(&HERE, &sealed).is_err() && keyring.open(&HERE, &sealed).is_err());
        }
    }
}
